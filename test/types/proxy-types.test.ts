/** What the compiler promises of proxies, refs and contexts. The bodies are compiled, never run. */
import {
  type ActorContext,
  type ActorProxy,
  type ActorRef,
  contextOf,
  type Message,
  type MethodName,
  type StreamReader,
  type UntypedProxy,
} from 'pulsing'
import { expectTypeOf, test } from 'vitest'
import { Plain } from './plain.ts'

type Proxy = ActorProxy<Plain>
declare const proxy: Proxy
declare const ref: ActorRef
declare const message: Message

/** Compiled, never run. */
const compiled = (_body: () => unknown): void => undefined

test('a proxy offers the public methods of the class: no fields, getters, hooks, private or underscored names', () => {
  expectTypeOf<MethodName<Plain>>().toEqualTypeOf<
    | 'get'
    | 'later'
    | 'nothing'
    | 'maybe'
    | 'generic'
    | 'list'
    | 'text'
    | 'bytes'
    | 'map'
    | 'count'
    | 'letters'
    | 'lateStream'
    | 'flags'
    | 'web'
    | 'reader'
    | 'anything'
    | 'unsafe'
    | 'many'
    | 'callback'
  >()
  compiled(() => {
    // @ts-expect-error a field
    void proxy.value
    // @ts-expect-error a getter
    void proxy.double
    // @ts-expect-error a hook
    void proxy.onStart
    // @ts-expect-error a hook
    void proxy.metadata
    // @ts-expect-error never offered
    void proxy.toJSON
    // @ts-expect-error underscored
    void proxy._internal
    // @ts-expect-error protected
    void proxy.guarded
    // @ts-expect-error private
    void proxy.hidden
    // @ts-expect-error no such method
    void proxy.nope
  })
})

test('a proxy cannot be mistaken for a promise', () => {
  expectTypeOf<Awaited<Proxy>>().toEqualTypeOf<Proxy>()
})

test('results are promises of what the method returns, promises unwrapped', () => {
  expectTypeOf<ReturnType<Proxy['get']>>().toEqualTypeOf<Promise<number>>()
  expectTypeOf<ReturnType<Proxy['later']>>().toEqualTypeOf<Promise<string>>()
  expectTypeOf<ReturnType<Proxy['nothing']>>().toEqualTypeOf<Promise<void>>()
  expectTypeOf<ReturnType<Proxy['maybe']>>().toEqualTypeOf<Promise<number | undefined>>()
  expectTypeOf<ReturnType<Proxy['anything']>>().toEqualTypeOf<Promise<unknown>>()
  // biome-ignore lint/suspicious/noExplicitAny: what a user may have written
  expectTypeOf<ReturnType<Proxy['unsafe']>>().toEqualTypeOf<Promise<any>>()
})

test('arrays, strings, bytes and Maps are values; generators, async iterables and web streams are streams', () => {
  expectTypeOf<ReturnType<Proxy['list']>>().toEqualTypeOf<Promise<number[]>>()
  expectTypeOf<ReturnType<Proxy['text']>>().toEqualTypeOf<Promise<string>>()
  expectTypeOf<ReturnType<Proxy['bytes']>>().toEqualTypeOf<Promise<Uint8Array>>()
  expectTypeOf<ReturnType<Proxy['map']>>().toEqualTypeOf<Promise<Map<string, number>>>()
  expectTypeOf<ReturnType<Proxy['count']>>().toExtend<AsyncIterable<number>>()
  expectTypeOf<ReturnType<Proxy['count']>['readable']>().toEqualTypeOf<ReadableStream<number>>()
  expectTypeOf<ReturnType<Proxy['letters']>>().toExtend<AsyncIterable<string>>()
  expectTypeOf<ReturnType<Proxy['web']>>().toExtend<AsyncIterable<Date>>()
  expectTypeOf<ReturnType<Proxy['reader']>>().toExtend<AsyncIterable<bigint>>()
})

test('arguments are the method’s', () => {
  expectTypeOf<Parameters<Proxy['later']>>().toEqualTypeOf<[text: string, times?: number | undefined]>()
  expectTypeOf<Parameters<Proxy['many']>>().toEqualTypeOf<string[]>()
  compiled(() => {
    void proxy.later('a')
    // @ts-expect-error wrong argument
    void proxy.later(5)
    // @ts-expect-error missing argument
    void proxy.later()
    // @ts-expect-error one too many
    void proxy.get(1)
    // @ts-expect-error the result is a number
    void (proxy.get() satisfies Promise<string>)
  })
})

test('tell takes a method’s name and its arguments', () => {
  compiled(() => {
    void proxy.tell('later', 'a', 2)
    // @ts-expect-error no such method
    void proxy.tell('nope')
    // @ts-expect-error wrong argument
    void proxy.tell('later', 5)
    // @ts-expect-error hidden
    void proxy.tell('_internal')
  })
  expectTypeOf<ReturnType<Proxy['tell']>>().toEqualTypeOf<Promise<void>>()
})

test('a proxy is read only, and has its ref', () => {
  expectTypeOf<Proxy['ref']>().toEqualTypeOf<ActorRef>()
  compiled(() => {
    // @ts-expect-error read only
    proxy.get = async () => 1
  })
})

test('ask: a Message gets a Message, a value gets what the caller expects', () => {
  compiled(() => {
    expectTypeOf(ref.ask(message)).toEqualTypeOf<Promise<Message>>()
    expectTypeOf(ref.ask({ a: 1 })).toEqualTypeOf<Promise<unknown>>()
    expectTypeOf(
      ref.ask<number>('x', { timeout: 5, signal: new AbortController().signal, transfer: [] }),
    ).toEqualTypeOf<Promise<number>>()
    expectTypeOf(ref.tell(message)).toEqualTypeOf<Promise<void>>()
    expectTypeOf(ref.tell({ any: 'value' })).toEqualTypeOf<Promise<void>>()
    expectTypeOf(ref.askStream(message)).toExtend<AsyncIterableIterator<Message>>()
    expectTypeOf(ref.askStream(message).readable).toEqualTypeOf<ReadableStream<Message>>()
    expectTypeOf(ref.askStream<number>('x')).toEqualTypeOf<StreamReader<number>>()
    // @ts-expect-error not an option
    void ref.ask('x', { timeoutMs: 5 })
  })
})

test('ctx.ask is typed as ref.ask is', () => {
  compiled(() => {
    const ctx = contextOf({}) satisfies ActorContext
    expectTypeOf(ctx.ask(ref, message)).toEqualTypeOf<Promise<Message>>()
    expectTypeOf(ctx.ask<string>(ref, 1)).toEqualTypeOf<Promise<string>>()
    expectTypeOf(ctx.sender).toEqualTypeOf<ActorRef | undefined>()
  })
})

test('asType gives the proxy of the class, asAny one of unknown calls', () => {
  compiled(() => {
    expectTypeOf(ref.asType(Plain)).toEqualTypeOf<ActorProxy<Plain>>()
    expectTypeOf(ref.asAny()).toEqualTypeOf<UntypedProxy>()
    expectTypeOf(ref.asAny().ref).toEqualTypeOf<ActorRef>()
  })
})

/** What the compiler promises of proxies, refs and contexts. The bodies are compiled, never run. */
import {
  type ActorContext,
  type ActorProxy,
  type ActorRef,
  type Cancellable,
  contextOf,
  type Message,
  type MethodName,
  type ProxiedClass,
  type StreamReader,
  type UntypedProxy,
} from 'pulsing'
import { expectTypeOf, test } from 'vitest'
import type { DelayedProxy } from '../../src/actor/actor-proxy.ts'
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
    // @ts-expect-error a hook
    void proxy.onChildFailure
    // @ts-expect-error never offered
    void proxy.toJSON
    // @ts-expect-error never offered
    void proxy.then
    // @ts-expect-error a field that may be anything
    void proxy.whatever
    // @ts-expect-error a function that may be missing
    void proxy.maybeCallback
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

test('what every object has is not a method, whatever the class makes of it', () => {
  type Inherited = keyof typeof Object.prototype & string
  expectTypeOf<MethodName<Plain> & Inherited>().toEqualTypeOf<never>()
  expectTypeOf<Proxy['toString']>().toEqualTypeOf<() => string>()
  expectTypeOf<Proxy['valueOf']>().toEqualTypeOf<() => Object>()
  compiled(() => {
    // @ts-expect-error no method of the actor
    void proxy.tell('toString')
    // @ts-expect-error no method of the actor
    proxy.delayed(1).valueOf().cancel()
  })
})

test('a method cannot hide what a proxy has of its own', () => {
  class Hiding {
    ref(): string {
      return ''
    }
    delayed(text: string): string {
      return text
    }
    other(): void {}
  }
  expectTypeOf<MethodName<Hiding>>().toEqualTypeOf<'other'>()
  expectTypeOf<ActorProxy<Hiding>['ref']>().toEqualTypeOf<ActorRef>()
  expectTypeOf<ActorProxy<Hiding>['delayed']>().toEqualTypeOf<(delayMs: number) => DelayedProxy<Hiding>>()
})

test('a proxy cannot be mistaken for a promise', () => {
  expectTypeOf<Awaited<Proxy>>().toEqualTypeOf<Proxy>()
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

test('delayed gives the same methods and arguments, each call to be cancelled', () => {
  expectTypeOf<Proxy['delayed']>().toEqualTypeOf<(delayMs: number) => DelayedProxy<Plain>>()
  expectTypeOf<keyof DelayedProxy<Plain>>().toEqualTypeOf<MethodName<Plain>>()
  expectTypeOf<DelayedProxy<Plain>['later']>().toEqualTypeOf<(text: string, times?: number) => Cancellable>()
  compiled(() => {
    proxy.delayed(10).later('a', 2).cancel()
    proxy.delayed(10).count(3).cancel()
    // @ts-expect-error wrong argument
    proxy.delayed(10).later(5)
    // @ts-expect-error no such method
    void proxy.delayed(10).nope
    // @ts-expect-error missing delay
    proxy.delayed()
    // @ts-expect-error one-way: there is no result
    void proxy.delayed(10).get().then
  })
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
    expectTypeOf(ref.asAny().tell('anything', 1, 'a')).toEqualTypeOf<Promise<void>>()
    expectTypeOf(ref.asAny().delayed(10)['anything']!(1, 'a')).toEqualTypeOf<Cancellable>()
    expectTypeOf(ref.asAny()['anything']!(1, 'a')).toExtend<Promise<unknown> & AsyncIterable<unknown>>()
  })
})

test('the proxy of a class of any type is one of unknown calls as well', () => {
  // biome-ignore lint/suspicious/noExplicitAny: what a user may have written
  type AnyProxy = ActorProxy<any>
  compiled((): unknown => {
    const any = ref.asAny() as AnyProxy
    expectTypeOf(any['anything']!(1, 'a')).toExtend<Promise<unknown> & AsyncIterable<unknown>>()
    expectTypeOf(any.ref).toEqualTypeOf<ActorRef>()
    return [any.tell('anything', 1), any.delayed(10)['anything']!(1).cancel()]
  })
})

test('code that does not know the class can still use what every proxy has', () => {
  const first = <C extends object>(Class: ProxiedClass<C>, method: MethodName<C>): unknown => {
    const some = ref.asType(Class)
    return [some.ref satisfies ActorRef, some.delayed(1) satisfies DelayedProxy<C>, method]
  }
  compiled(() => {
    first(Plain, 'get')
    // @ts-expect-error no such method
    first(Plain, 'nope')
  })
})

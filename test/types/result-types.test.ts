/** What the compiler promises of the results of calls. The bodies are compiled, never run. */
import type { ActorProxy, ActorRef, ProxyResult, StreamReader, UntypedCall } from 'pulsing'
import { expectTypeOf, test } from 'vitest'
import type { Plain } from './plain.ts'

type Proxy = ActorProxy<Plain>
// biome-ignore lint/suspicious/noExplicitAny: what a user may have written
type Any = any
declare const proxy: Proxy

/** Compiled, never run. */
const compiled = (_body: () => unknown): void => undefined

test('results are promises of what the method returns, promises unwrapped', () => {
  expectTypeOf<ReturnType<Proxy['get']>>().toEqualTypeOf<Promise<number>>()
  expectTypeOf<ReturnType<Proxy['later']>>().toEqualTypeOf<Promise<string>>()
  expectTypeOf<ReturnType<Proxy['nothing']>>().toEqualTypeOf<Promise<void>>()
  expectTypeOf<ReturnType<Proxy['maybe']>>().toEqualTypeOf<Promise<number | undefined>>()
  expectTypeOf<ProxyResult<Promise<number> | string>>().toEqualTypeOf<Promise<number | string>>()
  expectTypeOf<ProxyResult<Promise<Promise<number>>>>().toEqualTypeOf<Promise<number>>()
  expectTypeOf<ProxyResult<PromiseLike<number>>>().toEqualTypeOf<Promise<number>>()
  expectTypeOf<ProxyResult<boolean>>().toEqualTypeOf<Promise<boolean>>()
  expectTypeOf<ProxyResult<null>>().toEqualTypeOf<Promise<null>>()
})

test('any, unknown, never and void stay what they are', () => {
  expectTypeOf<ReturnType<Proxy['anything']>>().toEqualTypeOf<Promise<unknown>>()
  expectTypeOf<ReturnType<Proxy['unsafe']>>().toEqualTypeOf<Promise<Any>>()
  expectTypeOf<ProxyResult<Promise<unknown>>>().toEqualTypeOf<Promise<unknown>>()
  expectTypeOf<ProxyResult<Promise<Any>>>().toEqualTypeOf<Promise<Any>>()
  expectTypeOf<ProxyResult<never>>().toEqualTypeOf<Promise<never>>()
  expectTypeOf<ProxyResult<Promise<never>>>().toEqualTypeOf<Promise<never>>()
  expectTypeOf<ProxyResult<void>>().toEqualTypeOf<Promise<void>>()
  expectTypeOf<ProxyResult<Promise<void> | void>>().toEqualTypeOf<Promise<void>>()
  expectTypeOf<ProxyResult<undefined>>().toEqualTypeOf<Promise<undefined>>()
  expectTypeOf<ProxyResult<object>>().toEqualTypeOf<Promise<object>>()
  expectTypeOf<ProxyResult<{}>>().toEqualTypeOf<Promise<{}>>()
})

test('members of results stay what they are: objects, any, unknown and never in them', () => {
  interface Row {
    readonly id: string
    readonly extra: Record<string, unknown>
    readonly loose: Any
    readonly impossible?: never
  }
  expectTypeOf<ProxyResult<Row>>().toEqualTypeOf<Promise<Row>>()
  expectTypeOf<ProxyResult<Promise<Row[]>>>().toEqualTypeOf<Promise<Row[]>>()
  expectTypeOf<ProxyResult<Record<string, Any>>>().toEqualTypeOf<Promise<Record<string, Any>>>()
  type Shape = { kind: 'circle'; r: number } | { kind: 'square'; side: number }
  expectTypeOf<ProxyResult<Shape>>().toEqualTypeOf<Promise<Shape>>()
})

test('arrays, strings, bytes, Maps, Sets and refs are values', () => {
  expectTypeOf<ReturnType<Proxy['list']>>().toEqualTypeOf<Promise<number[]>>()
  expectTypeOf<ReturnType<Proxy['text']>>().toEqualTypeOf<Promise<string>>()
  expectTypeOf<ReturnType<Proxy['bytes']>>().toEqualTypeOf<Promise<Uint8Array>>()
  expectTypeOf<ReturnType<Proxy['map']>>().toEqualTypeOf<Promise<Map<string, number>>>()
  expectTypeOf<ProxyResult<Set<Date>>>().toEqualTypeOf<Promise<Set<Date>>>()
  expectTypeOf<ProxyResult<readonly [1, 'a']>>().toEqualTypeOf<Promise<readonly [1, 'a']>>()
  expectTypeOf<ProxyResult<ActorRef>>().toEqualTypeOf<Promise<ActorRef>>()
  expectTypeOf<ProxyResult<Proxy>>().toEqualTypeOf<Promise<Proxy>>()
})

test('generators, async iterables, iterators and web streams are streams', () => {
  expectTypeOf<ReturnType<Proxy['count']>>().toEqualTypeOf<StreamReader<number>>()
  expectTypeOf<ReturnType<Proxy['count']>['readable']>().toEqualTypeOf<ReadableStream<number>>()
  expectTypeOf<ReturnType<Proxy['letters']>>().toEqualTypeOf<StreamReader<string>>()
  expectTypeOf<ReturnType<Proxy['web']>>().toEqualTypeOf<StreamReader<Date>>()
  expectTypeOf<ReturnType<Proxy['reader']>>().toEqualTypeOf<StreamReader<bigint>>()
  expectTypeOf<ProxyResult<AsyncIterableIterator<1 | 2>>>().toEqualTypeOf<StreamReader<1 | 2>>()
  expectTypeOf<ProxyResult<IterableIterator<string>>>().toEqualTypeOf<StreamReader<string>>()
  expectTypeOf<ProxyResult<ReturnType<Map<string, Date>['values']>>>().toEqualTypeOf<StreamReader<Date>>()
  expectTypeOf<ProxyResult<AsyncGenerator<string, number, boolean>>>().toEqualTypeOf<StreamReader<string>>()
  expectTypeOf<ProxyResult<AsyncGenerator<Any>>>().toEqualTypeOf<StreamReader<Any>>()
  expectTypeOf<ProxyResult<AsyncGenerator<unknown>>>().toEqualTypeOf<StreamReader<unknown>>()
  expectTypeOf<ProxyResult<AsyncGenerator<never>>>().toEqualTypeOf<StreamReader<never>>()
})

test('a promised stream is a stream: read at once, or awaited first', () => {
  expectTypeOf<ReturnType<Proxy['lateStream']>>().toEqualTypeOf<StreamReader<boolean>>()
  expectTypeOf<ProxyResult<Promise<ReadableStream<Date>>>>().toEqualTypeOf<StreamReader<Date>>()
  compiled(async () => {
    for await (const flag of proxy.lateStream()) expectTypeOf(flag).toEqualTypeOf<boolean>()
    for await (const flag of await proxy.lateStream()) expectTypeOf(flag).toEqualTypeOf<boolean>()
  })
})

test('streams of one kind or another are one stream', () => {
  expectTypeOf<ProxyResult<AsyncGenerator<number> | ReadableStream<string>>>().toEqualTypeOf<
    StreamReader<number | string>
  >()
  expectTypeOf<ProxyResult<AsyncIterable<number> | Promise<AsyncIterable<string>>>>().toEqualTypeOf<
    StreamReader<number | string>
  >()
})

test('a stream or a value is the promise of either', () => {
  expectTypeOf<ProxyResult<AsyncGenerator<number> | undefined>>().toEqualTypeOf<
    Promise<StreamReader<number> | undefined>
  >()
  expectTypeOf<ProxyResult<Promise<ReadableStream<Date> | string[]>>>().toEqualTypeOf<
    Promise<StreamReader<Date> | string[]>
  >()
  expectTypeOf<ProxyResult<Promise<number> | AsyncIterable<string>>>().toEqualTypeOf<
    Promise<number | StreamReader<string>>
  >()
})

test('an untyped call that is passed on stays one', () => {
  expectTypeOf<ProxyResult<UntypedCall>>().toEqualTypeOf<UntypedCall>()
})

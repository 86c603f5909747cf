/** What a handler may return, and what each kind of caller gets for it. */
import { Actor, Message, StreamReader } from 'pulsing'
import { expect, test } from 'vitest'
import { collect, startSystem } from './systems.ts'

class Fixed extends Actor {
  constructor(readonly result: () => unknown) {
    super()
  }
  receive(): unknown {
    return this.result()
  }
}

const values: readonly [string, unknown][] = [
  ['a string', 'text'],
  ['an empty string', ''],
  ['a number', 12.5],
  ['zero', 0],
  ['false', false],
  ['null', null],
  ['a bigint', 12345678901234567890n],
  ['an array', [1, [2, 3]]],
  ['an empty array', []],
  ['an object', { a: { b: 1 } }],
  ['a Map', new Map([['a', 1]])],
  ['a Set', new Set([1, 2])],
  ['bytes', new Uint8Array([1, 2, 3])],
  ['a typed array', new Float64Array([1.5, 2.5])],
  ['an ArrayBuffer', new Uint8Array([1, 2]).buffer],
  ['a Date', new Date(0)],
]

test.each(values)('%s answers a plain request as it is', async (_name, value) => {
  const system = await startSystem()
  const ref = await system.spawn(new Fixed(() => value))
  expect(await ref.ask('go')).toEqual(value)
})

test.each(values)('%s answers a Message request as a single message of type ""', async (_name, value) => {
  const system = await startSystem()
  const ref = await system.spawn(new Fixed(() => value))
  const reply = await ref.ask(Message.empty())
  expect(reply).toBeInstanceOf(Message)
  expect(reply.msgType).toBe('')
  expect(reply.isStream).toBe(false)
  expect(reply.toObject()).toEqual(value)
})

test.each(values)('%s as a promise is the same answer', async (_name, value) => {
  const system = await startSystem()
  const ref = await system.spawn(new Fixed(() => Promise.resolve(value)))
  expect(await ref.ask('go')).toEqual(value)
})

test('undefined answers a plain request with undefined and a Message request with the empty message', async () => {
  const system = await startSystem()
  const ref = await system.spawn(new Fixed(() => undefined))
  expect(await ref.ask('go')).toBe(undefined)
  const reply = await ref.ask(Message.fromJson('x', 1))
  expect(reply).toBeInstanceOf(Message)
  expect(reply.msgType).toBe('')
  expect(reply.payload.byteLength).toBe(0)
  expect(reply.isStream).toBe(false)
})

test('a plain request reaches receive as a message of type "" made by fromObject', async () => {
  const system = await startSystem()
  const received: Message[] = []
  const ref = await system.spawn({ receive: (msg) => void received.push(msg) })
  const value = { deep: [1, 2] }
  await ref.ask(value)
  await ref.tell(value)
  for (const msg of received) {
    expect(msg).toBeInstanceOf(Message)
    expect(msg.msgType).toBe('')
    expect(msg.isStream).toBe(false)
    expect(msg.toObject()).toBe(value)
  }
  expect(received.length).toBe(2)
})

test('a Message reaches receive with its type and payload', async () => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: (msg) => [msg.msgType, [...msg.payload]] })
  expect((await ref.ask(Message.single('raw', new Uint8Array([7, 8])))).toObject()).toEqual(['raw', [7, 8]])
})

test('a returned Message stays a Message for a plain caller', async () => {
  const system = await startSystem()
  const ref = await system.spawn(new Fixed(() => Message.fromJson('typed', { a: 1 })))
  const reply = await ref.ask<Message>('go')
  expect(reply).toBeInstanceOf(Message)
  expect(reply.msgType).toBe('typed')
  expect(reply.toJson()).toEqual({ a: 1 })
})

test('a received Message can be returned as it is', async () => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: (msg) => msg })
  const reply = await ref.ask(Message.fromJson('ping', [1]))
  expect([reply.msgType, reply.toJson()]).toEqual(['ping', [1]])
})

function* syncItems(): Generator<number> {
  yield 1
  yield 2
}
async function* asyncItems(): AsyncGenerator<number> {
  yield 1
  yield 2
}

function webItems(): ReadableStream<number> {
  return new ReadableStream({
    start: (controller) => {
      for (const item of syncItems()) controller.enqueue(item)
      controller.close()
    },
  })
}

const streams: readonly [string, () => unknown][] = [
  ['a generator', syncItems],
  ['an async generator', asyncItems],
  ['a ReadableStream', webItems],
  ['an async iterable', () => ({ [Symbol.asyncIterator]: asyncItems })],
  ['an object that is only a ReadableStream by shape', () => ({ getReader: () => webItems().getReader() })],
  ['a promise of an async generator', async () => asyncItems()],
  [
    'an iterator of a Map',
    () =>
      new Map([
        [1, 0],
        [2, 0],
      ]).keys(),
  ],
]

test.each(streams)('%s answers a plain request with a reader of its items', async (_name, make) => {
  const system = await startSystem()
  const ref = await system.spawn(new Fixed(make))
  const reply = await ref.ask<StreamReader<number>>('go')
  expect(reply).toBeInstanceOf(StreamReader)
  expect(await collect(reply)).toEqual([1, 2])
})

test.each(streams)('%s answers a Message request with a stream message', async (_name, make) => {
  const system = await startSystem()
  const ref = await system.spawn(new Fixed(make))
  const reply = await ref.ask(Message.empty())
  expect(reply.isStream).toBe(true)
  expect(await collect(reply.streamReader<number>())).toEqual([1, 2])
})

test.each(streams)('%s is read by askStream', async (_name, make) => {
  const system = await startSystem()
  const ref = await system.spawn(new Fixed(make))
  expect(await collect(ref.askStream<number>('go'))).toEqual([1, 2])
})

test('a value inside this process is the very object that was returned', async () => {
  const system = await startSystem()
  const value = { big: new Uint8Array(10) }
  const ref = await system.spawn(new Fixed(() => value))
  expect(await ref.ask('go')).toBe(value)
  expect((await ref.ask(Message.empty())).toObject()).toBe(value)
})

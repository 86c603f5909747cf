/** Streams as request, as reply, as both, and what happens when one side leaves. */
import { type ActorRef, Message, StreamMessage, StreamReader, type StreamWriter } from 'pulsing'
import { expect, test } from 'vitest'
import { collect, gate, startSystem, stateOf, turn } from '../actor/systems.ts'

async function fill<T>(writer: StreamWriter<T>, items: Iterable<T>): Promise<void> {
  for (const item of items) await writer.write(item)
  await writer.close()
}

test('a stream can be the request', async () => {
  const system = await startSystem()
  const sum = await system.spawn({
    receive: async (msg) => {
      let total = 0
      for await (const n of msg.streamReader<number>()) total += n
      return total
    },
  })
  const [message, writer] = StreamMessage.create<number>('numbers', 1)
  const reply = sum.ask(message)
  await fill(writer, [1, 2, 3])
  expect((await reply).toObject()).toBe(6)
})

test('a stream can be the reply, with its message type', async () => {
  const system = await startSystem()
  const ref = await system.spawn({
    receive: () => {
      const [reply, writer] = StreamMessage.create<number>('numbers', 1)
      void fill(writer, [1, 2, 3])
      return reply
    },
  })
  for (const reply of [await ref.ask(Message.empty()), await ref.ask<Message>('go')]) {
    expect([reply.msgType, reply.isStream]).toEqual(['numbers', true])
    expect(await collect(reply.streamReader<number>())).toEqual([1, 2, 3])
  }
})

test('request and reply can both be streams, item for item', async () => {
  const system = await startSystem()
  const doubler = await system.spawn({
    receive: async function* (msg) {
      for await (const n of msg.streamReader<number>()) yield n * 2
    },
  })
  const [message, writer] = StreamMessage.create<number>('numbers', 1)
  const reply = (await doubler.ask(message)).streamReader<number>()
  for (const n of [1, 2, 3]) {
    await writer.write(n)
    expect(await reply.next()).toEqual({ done: false, value: n * 2 })
  }
  await writer.close()
  expect((await reply.next()).done).toBe(true)
})

test('a stream told to an actor is read there', async () => {
  const system = await startSystem()
  const items = gate<number[]>()
  const ref = await system.spawn({ receive: async (msg) => items.open(await collect(msg.streamReader<number>())) })
  const [message, writer] = StreamMessage.create<number>('x')
  await ref.tell(message)
  await fill(writer, [1, 2])
  expect(await items.opened).toEqual([1, 2])
})

test('a received stream can be forwarded unread, through any number of actors', async () => {
  const system = await startSystem()
  const last = await system.spawn({ receive: async (msg) => collect(msg.streamReader()) })
  const middle = await system.spawn({ receive: (msg, ctx) => ctx.ask(last, msg) })
  const first = await system.spawn({ receive: (msg, ctx) => ctx.ask(middle, msg) })
  const [message, writer] = StreamMessage.create<number>('x', 2)
  const reply = first.ask(message)
  await fill(writer, [1, 2, 3])
  expect((await reply).toObject()).toEqual([1, 2, 3])
})

test('a received stream can be returned unread', async () => {
  const system = await startSystem()
  const echo = await system.spawn({ receive: (msg) => msg })
  const [message, writer] = StreamMessage.create<number>('x')
  const reply = await echo.ask(message)
  await fill(writer, [1, 2])
  expect(reply.msgType).toBe('x')
  expect(await collect(reply.streamReader())).toEqual([1, 2])
})

const sends: readonly [string, (ref: ActorRef, message: Message) => Promise<unknown>][] = [
  ['ask', (ref, message) => ref.ask(message)],
  ['tell', (ref, message) => ref.tell(message)],
  ['askStream', (ref, message) => ref.askStream(message).next()],
]

test.each(sends)('the same stream message sent a second time by %s is refused by a rejection', async (_name, send) => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: () => undefined })
  const [message] = StreamMessage.create('x')
  await ref.ask(message)
  let second: Promise<unknown> | undefined
  expect(() => {
    second = send(ref, message)
  }).not.toThrow()
  await expect(second).rejects.toMatchObject({ code: 'stream_closed' })
})

test('the same stream message returned twice is refused the second time', async () => {
  const system = await startSystem()
  const [reply] = StreamMessage.create('x')
  const ref = await system.spawn({ receive: () => reply })
  expect((await ref.ask(Message.empty())).isStream).toBe(true)
  await expect(ref.ask(Message.empty())).rejects.toMatchObject({ code: 'stream_closed' })
})

test('a stream that was sent cannot be read by its sender any more', async () => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: (msg) => msg })
  const [message, writer] = StreamMessage.create<number>('x')
  const reply = await ref.ask(message)
  await fill(writer, [1, 2])
  await expect((async () => collect(message.streamReader()))()).rejects.toMatchObject({ code: 'stream_closed' })
  expect(await collect(reply.streamReader())).toEqual([1, 2])
})

test('a stream that somebody is reading at this moment is refused, or hands every item over: none is lost, no next() hangs', async () => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: (msg) => msg })
  const [message, writer] = StreamMessage.create<number>('x')
  const waiting = message.streamReader<number>().next()
  const sent = (async () => ref.ask(message))().then(
    (reply) => collect(reply.streamReader<number>()),
    (error: { code: string }) => error.code,
  )
  await turn()
  await fill(writer, [1, 2])
  const [own, theirs] = await Promise.all([waiting, sent])
  if (theirs === 'stream_closed') expect(own).toEqual({ done: false, value: 1 })
  else expect([own, theirs]).toEqual([{ done: true, value: undefined }, [1, 2]])
})

test('write waits for the far consumer: the actor in between reads nothing ahead', async () => {
  const system = await startSystem()
  const pass = await system.spawn({ receive: (msg) => msg.streamReader() })
  const [message, writer] = StreamMessage.create<number>('x', 2)
  const reply = (await pass.ask(message)).streamReader<number>()
  await writer.write(0)
  await writer.write(1)
  expect(await stateOf(writer.write(2))).toBe('pending')
  await reply.next()
  expect(await stateOf(writer.write(3))).toBe('pending')
})

test('askStream of a plain value reads values, of a Message reads messages of the stream’s type', async () => {
  const system = await startSystem()
  const ref = await system.spawn({
    receive: () => {
      const [reply, writer] = StreamMessage.create<unknown>('n')
      void fill<unknown>(writer, [1, Message.fromJson('own', 2)])
      return reply
    },
  })
  expect((await collect(ref.askStream<number>('go')))[0]).toBe(1)
  const messages = await collect(ref.askStream(Message.empty()))
  expect(messages.map((message) => [message.msgType, message.toObject()])).toEqual([
    ['n', 1],
    ['own', 2],
  ])
})

test('askStream of a reply that is no stream throws at the first next, and is done afterwards', async () => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: () => [1, 2, 3] })
  const stream = ref.askStream('go')
  await expect(stream.next()).rejects.toMatchObject({ name: 'PulsingUnsupportedError' })
  expect((await stream.next()).done).toBe(true)
  await expect(ref.askStream(Message.empty()).next()).rejects.toMatchObject({ code: 'unsupported' })
})

test('askStream passes on what the ask rejects with, also through readable', async () => {
  const system = await startSystem()
  const ref = await system.spawn({
    receive: () => {
      throw new TypeError('no')
    },
  })
  await expect(ref.askStream('go').next()).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'no' })
  await expect(ref.askStream('go').readable.getReader().read()).rejects.toMatchObject({ message: 'no' })
})

test('a stream nobody reads whose ask fails is no unhandled rejection', async () => {
  const system = await startSystem()
  const ref = await system.spawn({
    receive: () => {
      throw new TypeError('no')
    },
  })
  void ref.askStream('go')
  await turn()
  await turn()
  expect(await system.hasActor('x')).toBe(false)
})

test('cancelling an askStream before the reply is there cancels the stream when it comes, and ends a waiting next()', async () => {
  const system = await startSystem()
  const [started, release] = [gate(), gate()]
  const [reply, writer] = StreamMessage.create('x')
  const ref = await system.spawn({
    receive: async () => {
      started.open()
      await release.opened
      return reply
    },
  })
  const stream = ref.askStream('go')
  const next = stream.next()
  await started.opened
  await stream.cancel()
  release.open()
  expect(await next).toEqual({ done: true, value: undefined })
  await turn()
  expect(writer.signal.aborted).toBe(true)
})

test('cancelling an askStream aborts the handler that has not answered yet', async () => {
  const system = await startSystem()
  const [started, aborted] = [gate(), gate()]
  const ref = await system.spawn({
    receive: (_msg, ctx) => {
      ctx.signal.addEventListener('abort', () => aborted.open())
      started.open()
      return aborted.opened
    },
  })
  const stream = ref.askStream('go')
  const next = stream.next()
  await started.opened
  await stream.cancel()
  expect(await stateOf(aborted.opened)).toBe('fulfilled')
  expect(await next).toEqual({ done: true, value: undefined })
})

test('a StreamReader that a handler returns is passed on', async () => {
  const system = await startSystem()
  const source = await system.spawn({
    receive: function* () {
      yield 1
    },
  })
  const proxy = await system.spawn({ receive: () => source.askStream('go') })
  const reply = await proxy.ask<StreamReader>('go')
  expect(reply).toBeInstanceOf(StreamReader)
  expect(await collect(reply)).toEqual([1])
})

import {
  type ActorRef,
  Message,
  SessionResetError,
  StreamClosedError,
  StreamError,
  StreamMessage,
  type StreamReader,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
import { deferred } from '../../src/base/deferred.ts'
import { isKind, Lab, settle, until } from './lab.ts'
import { collect, outcomeOf, streaming } from './stream-ends.ts'

describe('streams between two nodes', () => {
  test('as reply, request and both, items arrive in order and the end is the end', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(async function* (msg: Message): AsyncGenerator<unknown> {
      if (msg.isStream) for await (const item of msg.streamReader<number>()) yield item * 2
      else for (let i = 0; i < 200; i++) yield i
    })
    const reader = ref.askStream<number>('count')
    expect(await collect(reader)).toEqual(Array.from({ length: 200 }, (_, i) => i))
    expect([await reader.next(), await reader.next()]).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ])
    const [request, writer] = StreamMessage.create<number>('double', 4)
    const doubled = ref.askStream(request)
    void (async () => {
      for (let i = 0; i < 100; i++) await writer.write(i)
      await writer.close()
    })()
    const items = await collect(doubled)
    expect(items.map((item) => item.toObject())).toEqual(Array.from({ length: 100 }, (_, i) => i * 2))
    await until(() => lab.isClean)
  })

  test('nested in values, both ways, several at once', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(async (msg) => {
      const { left, right } = msg.toObject<{ left: StreamReader<number>; right: readonly [StreamReader<string>] }>()
      const [numbers, texts] = await Promise.all([collect(left), collect(right[0])])
      return {
        echo: {
          items: (async function* () {
            yield* numbers
            yield* texts
          })(),
        },
      }
    })
    const left = (async function* () {
      for (let i = 0; i < 50; i++) yield i
    })()
    const right = new ReadableStream<string>({
      start: (controller) => {
        controller.enqueue('a')
        controller.enqueue('b')
        controller.close()
      },
    })
    const reply = await ref.ask<{ echo: { items: StreamReader } }>({ left, right: [right] })
    expect(await collect(reply.echo.items)).toEqual([...Array.from({ length: 50 }, (_, i) => i), 'a', 'b'])
    await until(() => lab.isClean)
  })

  test('a plain object with Symbol.asyncIterator travels as a stream, nested too', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(async (msg) => collect(msg.toObject<{ items: AsyncIterable<number> }>().items))
    const items = {
      async *[Symbol.asyncIterator]() {
        yield 1
        yield 2
      },
    }
    expect(await ref.ask({ items })).toEqual([1, 2])
  })

  test('items may hold refs, bytes and streams of their own', async () => {
    const lab = new Lab()
    const own = await lab.a.runtime.spawn({ receive: () => 'me' }, undefined, undefined)
    const ref = await lab.b.host(async function* (msg: Message): AsyncGenerator<unknown> {
      const given = msg.toObject<ActorRef>()
      yield given
      yield Uint8Array.of(1, 2, 3)
      yield {
        inner: (async function* () {
          yield 'deep'
        })(),
      }
    })
    const [sameRef, bytes, nested] = (await collect(ref.askStream<unknown>(own))) as [
      ActorRef,
      Uint8Array,
      { inner: StreamReader },
    ]
    expect(await sameRef.ask('who')).toBe('me')
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3))
    expect(await collect(nested.inner)).toEqual(['deep'])
  })

  test('an item that cannot travel ends the stream with a typed error, after the items before it', async () => {
    for (const bad of [new Uint8Array(3000), Symbol('s'), { f: Promise.resolve() }]) {
      const lab = new Lab({ maxMessageBytes: 2000 })
      const ref = await lab.b.host(() =>
        (async function* () {
          yield 'fine'
          yield bad
        })(),
      )
      const got: unknown[] = []
      const error = await outcomeOf(
        (async () => {
          for await (const item of ref.askStream('x')) got.push(item)
        })(),
      )
      expect(got).toEqual(['fine'])
      expect(error).toMatchObject({ name: 'NotSerialisableError' })
      expect(await lab.a.association.isIdle).toBe(true)
    }
  })

  test('a message too large gives back the streams in it', async () => {
    const lab = new Lab({ maxMessageBytes: 1000 })
    const ref = await lab.b.host(() => 1)
    const [message, writer] = StreamMessage.create('s', 1)
    const gone = new Promise<void>((resolve) => writer.signal.addEventListener('abort', () => resolve()))
    expect(await outcomeOf(ref.ask({ big: new Uint8Array(2000), stream: message.streamReader() }))).toMatchObject({
      name: 'NotSerialisableError',
    })
    await gone
    await ref.ask('next')
    expect(lab.isClean).toBe(true)
  })
})

describe('the end of a stream', () => {
  test('an error of the producer comes after all earlier items, once, then the end', async () => {
    const lab = new Lab()
    const { ref, writer } = await streaming(lab)
    const reader = ref.askStream<Message>(Message.empty())
    await writer.write(1)
    void writer.write(2)
    void writer.error('broken')
    const got: unknown[] = []
    const error = await outcomeOf(
      (async () => {
        for await (const item of reader) got.push(item)
      })(),
    )
    expect(got.length).toBe(2)
    expect(error).toBeInstanceOf(StreamError)
    expect((error as Error).message).toBe('broken')
    expect(await reader.next()).toEqual({ done: true, value: undefined })
    await until(() => lab.isClean)
  })

  test('a generator that throws is a typed error at the reader', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(() =>
      (async function* () {
        yield 1
        throw new TypeError('bad item')
      })(),
    )
    expect(await outcomeOf(collect(ref.askStream('x')))).toMatchObject({
      name: 'PulsingBusinessError',
      message: 'bad item',
    })
  })

  test('leaving the loop tells the producer: its signal aborts and its next write fails', async () => {
    const lab = new Lab()
    const { ref, writer } = await streaming(lab, 2)
    const aborted = new Promise<void>((resolve) => writer.signal.addEventListener('abort', () => resolve()))
    const writes = outcomeOf(
      (async () => {
        for (let i = 0; ; i++) await writer.write(i)
      })(),
    )
    for await (const item of ref.askStream(Message.empty())) {
      expect(item).toBeDefined()
      break
    }
    await aborted
    expect(await writes).toBeInstanceOf(StreamClosedError)
    await until(() => lab.isClean)
  })

  test('leaving the loop ends a generator: its finally runs', async () => {
    const lab = new Lab()
    const ended = deferred<void>()
    const ref = await lab.b.host(() =>
      (async function* () {
        try {
          for (let i = 0; ; i++) yield i
        } finally {
          ended.resolve()
        }
      })(),
    )
    for await (const item of ref.askStream<number>('x')) if (item === 5) break
    await ended.promise
    await until(() => lab.isClean)
  })

  test('a handler that does not read its request’s stream to the end and leaves stops the writer', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(async (msg) => {
      for await (const item of msg.streamReader()) return item
      return undefined
    })
    const [request, writer] = StreamMessage.create<string>('s', 2)
    const writes = outcomeOf(
      (async () => {
        for (;;) await writer.write('item')
      })(),
    )
    await ref.ask(request)
    expect(await writes).toBeInstanceOf(StreamClosedError)
    await until(() => lab.isClean)
  })

  test('a lost session is an error at both ends, never a clean end', async () => {
    const lab = new Lab()
    const { ref, writer } = await streaming(lab, 2)
    const read = outcomeOf(collect(ref.askStream(Message.empty())))
    const writes = outcomeOf(
      (async () => {
        for (;;) {
          await writer.write('x')
          await settle(1)
        }
      })(),
    )
    await until(() => lab.b.sent.filter(isKind('item')).length > 3)
    lab.a.association.reset(new SessionResetError('lost'))
    expect(await read).toBeInstanceOf(SessionResetError)
    expect(await writes).toBeInstanceOf(StreamClosedError)
    await until(() => lab.isClean)
  })

  test('streams of a later session do not meet those of an earlier one', async () => {
    const lab = new Lab()
    const { ref, writer } = await streaming(lab, 2)
    const first = ref.askStream(Message.empty())
    void outcomeOf(writer.write('old'))
    await settle()
    lab.a.association.reset(new SessionResetError('lost'))
    const again = await lab.b.host(() =>
      (async function* () {
        for (let i = 0; i < 5; i++) yield i
      })(),
    )
    const later = collect(again.askStream<number>('x'))
    expect(await outcomeOf(first.next())).toMatchObject({ done: false })
    await first.cancel()
    expect(await later).toEqual([0, 1, 2, 3, 4])
  })
})

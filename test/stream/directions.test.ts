/** Streams in every direction: as request, as reply, as both, inside values and arguments, on one node and over a link. */
import {
  type ActorContext,
  type ActorRef,
  asActor,
  DEFAULT_BUFFER_SIZE,
  Message,
  StreamMessage,
  StreamReader,
  type StreamWriter,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
import { collect, gate } from '../actor/systems.ts'
import { settle, until } from '../remote/lab.ts'
import { comesToRest, PLACES } from './places.ts'

/** Writes 0, 1, 2, … for as long as it may; how many were taken in so far. */
function counting(writer: StreamWriter<number>): { readonly written: number } {
  const count = { written: 0 }
  void (async () => {
    for (;;) {
      await writer.write(count.written)
      count.written++
    }
  })().catch(() => undefined)
  return count
}

/** A web stream of 0, 1, 2, …, which makes an item only when asked, and tells how many it made. */
function webNumbers(end = Infinity): { readonly stream: ReadableStream<number>; made: number; cancelled: unknown[] } {
  const numbers = {
    made: 0,
    cancelled: [] as unknown[],
    stream: new ReadableStream<number>(
      {
        pull: (controller) => {
          if (numbers.made === end) controller.close()
          else controller.enqueue(numbers.made++)
        },
        cancel: (reason) => void numbers.cancelled.push(reason),
      },
      { highWaterMark: 0 },
    ),
  }
  return numbers
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

async function readAll<T>(stream: ReadableStream<T>): Promise<T[]> {
  const items: T[] = []
  const reader = stream.getReader()
  for (let result = await reader.read(); !result.done; result = await reader.read()) items.push(result.value)
  return items
}

describe.each(PLACES)('%s', (name, open) => {
  /** Items a link may fetch before they are asked for, of what has no writer. */
  const ahead = name === 'over a link' ? DEFAULT_BUFFER_SIZE : 0

  describe('a request', () => {
    test('is read in order to its end, and answered', async () => {
      const { host, left } = open()
      const ref = await host({ receive: async (msg) => collect(msg.streamReader<number>()) })
      const [request, writer] = StreamMessage.create<number>('numbers', 3)
      const reply = ref.ask(request)
      for (const i of range(100)) await writer.write(i)
      await writer.close()
      expect((await reply).toObject()).toEqual(range(100))
      expect(left()).toMatchObject({ asks: 0, streams: 0 })
    })

    test.each([1, 2, 5, 33])(
      'lets its writer be exactly bufferSize %i ahead of the handler that reads it',
      async (size) => {
        const { host } = open()
        const readers: StreamReader<number>[] = []
        const ref = await host({ receive: (msg) => void readers.push(msg.streamReader<number>()) })
        const [request, writer] = StreamMessage.create<number>('numbers', size)
        await ref.ask(request)
        const count = counting(writer)
        for (let read = 0; read < 4; read++) {
          await comesToRest(() => count.written, size + read)
          expect(await readers[0]!.next()).toEqual({ done: false, value: read })
        }
        await readers[0]!.cancel()
      },
    )

    test('that fails half way is an error in the loop of the handler, after the items before it', async () => {
      const { host } = open()
      const got: unknown[] = []
      const ref = await host({
        receive: async (msg) => {
          for await (const item of msg.streamReader()) got.push(item)
        },
      })
      const [request, writer] = StreamMessage.create<number>('numbers')
      const reply = ref.ask(request)
      await writer.write(1)
      await writer.error('source failed')
      await expect(reply).rejects.toMatchObject({ code: 'stream_error', message: 'source failed' })
      expect(got).toEqual([1])
    })

    test('told one way is read all the same', async () => {
      const { host } = open()
      const items = gate<unknown[]>()
      const ref = await host({ receive: async (msg) => items.open(await collect(msg.streamReader())) })
      const [request, writer] = StreamMessage.create<string>('texts')
      await ref.tell(request)
      await writer.write('a')
      await writer.close()
      expect(await items.opened).toEqual(['a'])
    })
  })

  describe('a reply', () => {
    test.each([1, 2, 5, 33])('lets its writer be exactly bufferSize %i ahead of the caller', async (size) => {
      const { host } = open()
      const [reply, writer] = StreamMessage.create<number>('numbers', size)
      const ref = await host({ receive: () => reply })
      const reader = (await ref.ask(Message.empty())).streamReader<number>()
      const count = counting(writer)
      for (let read = 0; read < 4; read++) {
        await comesToRest(() => count.written, size + read)
        expect(await reader.next()).toEqual({ done: false, value: read })
      }
      await reader.cancel()
    })

    test.each([
      [
        'an async generator',
        async function* () {
          yield 1
          yield 2
          return 3
        },
      ],
      [
        'a generator',
        function* () {
          yield 1
          yield Promise.resolve(2)
          return 3
        },
      ],
      [
        'an object with Symbol.asyncIterator',
        () => ({ [Symbol.asyncIterator]: () => range3()[Symbol.asyncIterator]() }),
      ],
      [
        'a ReadableStream',
        () =>
          new ReadableStream({
            start: (controller) => {
              controller.enqueue(1)
              controller.enqueue(2)
              controller.close()
            },
          }),
      ],
      ['a promise of a generator', async () => range3()],
    ])('may be %s', async (_what, make) => {
      const { host, left } = open()
      const ref = await host({ receive: make })
      const reply = await ref.ask<StreamReader<number>>('go')
      expect(reply).toBeInstanceOf(StreamReader)
      expect(await collect(reply)).toEqual([1, 2])
      expect(await collect(ref.askStream<number>('go'))).toEqual([1, 2])
      const messages = await collect((await ref.ask(Message.empty())).streamReader())
      expect(messages).toEqual([1, 2])
      expect(await readAll(ref.askStream<number>('go').readable)).toEqual([1, 2])
      expect(left()).toMatchObject({ asks: 0, streams: 0 })
    })

    test.each(['', 'text', [1, 2], new Map([[1, 2]]), new Set([1]), Uint8Array.of(1), new Float64Array(2), null])(
      '%j is a value, not a stream',
      async (value) => {
        const { host } = open()
        const ref = await host({ receive: () => value })
        expect(await ref.ask('go')).toEqual(value)
      },
    )

    test('runs a generator only as far as it is read, and as a link may fetch', async () => {
      const { host } = open()
      let made = 0
      const ref = await host({
        receive: function* () {
          for (;;) yield made++
        },
      })
      const reader = ref.askStream<number>('go')
      for (let read = 0; read < 3; read++) {
        await reader.next()
        await comesToRest(() => made, read + 1 + ahead)
      }
      await reader.cancel()
    })

    test('of bytes is bytes, never an array or text', async () => {
      const { host } = open()
      const ref = await host({
        receive: function* () {
          yield Uint8Array.of(0, 255)
          yield new Uint8Array(0)
          yield new Uint8Array(70_000).fill(7)
        },
      })
      const items = await collect(ref.askStream<Uint8Array>('go'))
      expect(items.every((item) => item instanceof Uint8Array)).toBe(true)
      expect(items.map(({ byteLength }) => byteLength)).toEqual([2, 0, 70_000])
      expect([items[0]![1], items[2]![69_999]]).toEqual([255, 7])
    })
  })

  describe('request and reply at once', () => {
    test('are held back both ways: the far end of the reply decides what is written to the request', async () => {
      const { host } = open()
      const ref = await host({
        receive: (msg) => {
          const [reply, writer] = StreamMessage.create<number>('doubled', 3)
          void (async () => {
            for await (const item of msg.streamReader<number>()) await writer.write(item * 2)
            await writer.close()
          })().catch(() => undefined)
          return reply
        },
      })
      const [request, writer] = StreamMessage.create<number>('numbers', 2)
      const reader = (await ref.ask(request)).streamReader<number>()
      const count = counting(writer)
      for (let read = 0; read < 10; read++) {
        // 2 unread in the request, 3 in the reply, and one in the hands of the actor.
        await comesToRest(() => count.written, 2 + 3 + 1 + read)
        expect(await reader.next()).toEqual({ done: false, value: read * 2 })
      }
      await reader.cancel()
      await settle()
      await expect(writer.write(0)).rejects.toMatchObject({ code: 'stream_closed' })
    })

    test('through a generator, the request is written no further than the reply is read', async () => {
      const { host } = open()
      const ref = await host({
        receive: async function* (msg: Message) {
          for await (const item of msg.streamReader<number>()) yield item * 2
        },
      })
      const [request, writer] = StreamMessage.create<number>('numbers', 2)
      const reader = (await ref.ask(request)).streamReader<number>()
      const count = counting(writer)
      for (let read = 0; read < 5; read++) {
        await comesToRest(() => count.written, 2 + ahead + read)
        expect(await reader.next()).toEqual({ done: false, value: read * 2 })
      }
      await reader.cancel()
      await settle()
      expect(writer.signal.aborted).toBe(true)
    })

    test('end with each other: the end of the request is the end of the reply', async () => {
      const { host, left } = open()
      const ref = await host({
        receive: (msg) =>
          msg.streamReader<string>().readable.pipeThrough(
            new TransformStream<string, string>({
              transform: (text, controller) => controller.enqueue(text.toUpperCase()),
            }),
          ),
      })
      const [request, writer] = StreamMessage.create<string>('texts', 1)
      const reply = ref.askStream(request)
      void (async () => {
        for (const text of ['a', 'b', 'c']) await writer.write(text)
        await writer.close()
      })()
      expect((await collect(reply)).map((message) => message.toObject())).toEqual(['A', 'B', 'C'])
      await settle()
      expect(left()).toMatchObject({ asks: 0, streams: 0 })
    })

    test('a request passed on as the reply by a method keeps the back-pressure of its writer', async () => {
      const { host } = open()
      const Mirror = asActor(
        class Mirror {
          back(items: AsyncIterable<number>): AsyncIterable<number> {
            return items
          }
        },
      )
      const mirror = (await host(() => new Mirror())).asType(Mirror)
      const [message, writer] = StreamMessage.create<number>('numbers', 2)
      const reader = await mirror.back(message.streamReader<number>())
      const count = counting(writer)
      for (let read = 0; read < 3; read++) {
        await comesToRest(() => count.written, 2 + read)
        expect(await reader.next()).toEqual({ done: false, value: read })
      }
      await reader.cancel()
    })
  })

  describe('inside values', () => {
    test('any number of streams, anywhere, both ways', async () => {
      const { host, left } = open()
      interface Parts {
        readonly list: readonly [AsyncIterable<number>, { readonly deep: AsyncIterable<number> }]
        readonly map: ReadonlyMap<string, AsyncIterable<number>>
      }
      const ref = await host({
        receive: async (msg) => {
          const { list, map } = msg.toObject<Parts>()
          const sums = await Promise.all([list[0], list[1].deep, map.get('m')!].map(sum))
          return { again: sums.map((count) => upTo(count)) }
        },
      })
      const { again } = await ref.ask<{ again: AsyncIterable<number>[] }>({
        list: [upTo(3), { deep: upTo(4) }],
        map: new Map([['m', webNumbers(5).stream]]),
      })
      expect(await Promise.all(again.map(collect))).toEqual([range(3), range(6), range(10)])
      await settle()
      expect(left()).toMatchObject({ asks: 0, streams: 0 })
    })

    test('and inside items', async () => {
      const { host } = open()
      const ref = await host({
        receive: function* () {
          yield { name: 'a', items: upTo(2) }
          yield { name: 'b', items: upTo(3) }
        },
      })
      const got: unknown[] = []
      for await (const { name, items } of ref.askStream<{ name: string; items: AsyncIterable<number> }>('go'))
        got.push(name, await collect(items))
      expect(got).toEqual(['a', range(2), 'b', range(3)])
    })

    test('are held back one by one: a stream nobody reads does not hold back another', async () => {
      const { host } = open()
      const held: { unread: AsyncIterable<number>; read: StreamReader<number> }[] = []
      const ref = await host({ receive: (msg) => void held.push(msg.toObject()) })
      const [unread, read] = [StreamMessage.create<number>('', 2), StreamMessage.create<number>('', 2)]
      const counts = [counting(unread[1]), counting(read[1])]
      await ref.ask({ unread: unread[0].streamReader(), read: read[0].streamReader() })
      for (let i = 0; i < 50; i++) expect((await held[0]!.read.next()).value).toBe(i)
      await settle()
      expect(counts.map(({ written }) => written)).toEqual([2, 52])
      await held[0]!.read.cancel()
    })
  })

  describe('as an argument of a method', () => {
    const Reader = asActor(
      class Reader {
        held: ReadableStream<number> | undefined
        async sum(items: AsyncIterable<number>): Promise<number> {
          return sum(items)
        }
        async web(stream: ReadableStream<number>): Promise<[boolean, number[]]> {
          return [stream instanceof ReadableStream, await readAll(stream)]
        }
        async text(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
          return new Response(stream).text()
        }
        async first(stream: ReadableStream<number>): Promise<number | undefined> {
          const reader = stream.getReader()
          const { value } = await reader.read()
          await reader.cancel('enough')
          return value
        }
        hold(stream: ReadableStream<number>): void {
          this.held = stream
        }
        async one(): Promise<number | undefined> {
          const reader = this.held!.getReader()
          const { value } = await reader.read()
          reader.releaseLock()
          return value
        }
      },
    )

    test('a generator, a StreamReader and an async iterable are read alike', async () => {
      const { host } = open()
      const reader = (await host(() => new Reader())).asType(Reader)
      const [message, writer] = StreamMessage.create<number>()
      void writer.write(1)
      void writer.write(2)
      void writer.close()
      expect(await reader.sum(upTo(4))).toBe(6)
      expect(await reader.sum(message.streamReader<number>())).toBe(3)
      expect(await reader.sum({ [Symbol.asyncIterator]: () => upTo(5) })).toBe(10)
    })

    test('a ReadableStream arrives as one', async () => {
      const { host, left } = open()
      const reader = (await host(() => new Reader())).asType(Reader)
      expect(await reader.web(webNumbers(4).stream)).toEqual([true, range(4)])
      expect(await reader.text(new Response('all of it').body!)).toBe('all of it')
      expect(left()).toMatchObject({ asks: 0, streams: 0 })
    })

    test('a ReadableStream is pulled as it is read, and cancelled when its reader is', async () => {
      const { host } = open()
      const reader = (await host(() => new Reader())).asType(Reader)
      const [held, left] = [webNumbers(), webNumbers()]
      await reader.hold(held.stream)
      for (let read = 0; read < 3; read++) {
        expect(await reader.one()).toBe(read)
        await comesToRest(() => held.made, read + 1 + ahead)
      }
      expect(await reader.first(left.stream)).toBe(0)
      await settle()
      expect(left.cancelled.length).toBe(1)
    })

    test('a ReadableStream that fails, fails for who reads it, with the items before', async () => {
      const { host } = open()
      const reader = (await host(() => new Reader())).asType(Reader)
      let step = 0
      const failing = new ReadableStream<number>(
        {
          pull: (controller) =>
            step++ === 0 ? controller.enqueue(1) : controller.error(new RangeError('source failed')),
        },
        { highWaterMark: 0 },
      )
      await expect(reader.web(failing)).rejects.toMatchObject({
        name: 'PulsingBusinessError',
        message: 'source failed',
      })
    })
  })

  describe('web streams', () => {
    test('pipeTo(writer.writable): the source is pulled exactly one item further than is written', async () => {
      const { host } = open()
      const [message, writer] = StreamMessage.create<number>('numbers', 2)
      const ref = await host({ receive: () => message })
      const reader = (await ref.ask(Message.empty())).streamReader<number>()
      const source = webNumbers()
      const piped = source.stream.pipeTo(writer.writable).then(undefined, (reason: unknown) => reason)
      for (let read = 0; read < 4; read++) {
        // 2 unread, and one in the pipe.
        await comesToRest(() => source.made, 2 + 1 + read)
        expect(await reader.next()).toEqual({ done: false, value: read })
      }
      await reader.cancel(new Error('enough'))
      expect(await piped).toBeDefined()
      expect(source.cancelled.length).toBe(1)
    })

    test('writer.writable: a write waits while bufferSize items are unread', async () => {
      const { host } = open()
      const [message, writer] = StreamMessage.create<number>('numbers', 2)
      const ref = await host({ receive: () => message })
      const reader = (await ref.ask(Message.empty())).streamReader<number>()
      const inner = writer.writable.getWriter()
      let written = 0
      for (const i of range(6)) void inner.write(i).then(() => written++)
      for (let read = 0; read < 4; read++) {
        await comesToRest(() => written, 2 + read)
        await reader.next()
      }
      await inner.close()
      expect(await collect(reader)).toEqual([4, 5])
    })

    test('pipeTo of a source that ends closes the stream; preventClose leaves it open for more', async () => {
      const { host } = open()
      const [message, writer] = StreamMessage.create<number>('numbers')
      const ref = await host({ receive: async (msg) => collect(msg.streamReader<number>()) })
      const reply = ref.ask(message)
      await webNumbers(2).stream.pipeTo(writer.writable, { preventClose: true })
      await webNumbers(3).stream.pipeTo(writer.writable)
      expect((await reply).toObject()).toEqual([0, 1, 0, 1, 2])
    })

    test('readable.pipeThrough(new TransformStream()) reads exactly one item further than it is read', async () => {
      const { host } = open()
      const [message, writer] = StreamMessage.create<number>('numbers', 2)
      const ref = await host({ receive: () => message })
      const { readable } = (await ref.ask(Message.empty())).streamReader<number>()
      const doubled = readable
        .pipeThrough(
          new TransformStream<number, number>({ transform: (item, controller) => controller.enqueue(item * 2) }),
        )
        .getReader()
      const count = counting(writer)
      for (let read = 0; read < 4; read++) {
        // 2 unread, and one in the transform.
        await comesToRest(() => count.written, 2 + 1 + read)
        expect(await doubled.read()).toEqual({ done: false, value: read * 2 })
      }
      await doubled.cancel()
      await settle()
      expect(writer.signal.aborted).toBe(true)
    })

    test('tee gives both branches every item', async () => {
      const { host } = open()
      const ref = await host({ receive: () => upTo(10) })
      const [left, right] = ref.askStream<number>('go').readable.tee()
      expect(await Promise.all([readAll(left), readAll(right)])).toEqual([range(10), range(10)])
    })
  })

  describe('types of single items', () => {
    test('askStream of a Message reads messages: an item’s own type, else that of the stream', async () => {
      const { host } = open()
      const ref = await host({
        receive: () => {
          const [reply, writer] = StreamMessage.create<unknown>('plain')
          void (async () => {
            await writer.write({ n: 1 })
            await writer.write(Message.fromJson('progress', { percent: 50 }))
            await writer.write(Message.single('chunk', Uint8Array.of(1, 2)))
            await writer.write(Message.fromObject('result', new Map([['k', 1n]])))
            await writer.write(undefined)
            await writer.close()
          })()
          return reply
        },
      })
      const items = await collect(ref.askStream(Message.fromJson('go', null)))
      expect(items.every((item) => item instanceof Message)).toBe(true)
      expect(items.map(({ msgType }) => msgType)).toEqual(['plain', 'progress', 'chunk', 'result', 'plain'])
      expect([items[0]!.toObject(), items[1]!.toJson(), items[2]!.payload, items[4]!.toObject()]).toEqual([
        { n: 1 },
        { percent: 50 },
        Uint8Array.of(1, 2),
        undefined,
      ])
      expect(items[3]!.toObject<Map<string, unknown>>().get('k')).toBe(1n)
    })

    test('a generator’s items may be messages too; its stream has no type', async () => {
      const { host } = open()
      const ref = await host({
        receive: function* () {
          yield Message.fromJson('typed', 1)
          yield 2
        },
      })
      const items = await collect(ref.askStream(Message.fromJson('go', null)))
      expect(items.map((item) => [item.msgType, item.toObject()])).toEqual([
        ['typed', 1],
        ['', 2],
      ])
      const plain = await collect(ref.askStream<unknown>('go'))
      expect(plain[0]).toBeInstanceOf(Message)
      expect([(plain[0] as Message).msgType, plain[1]]).toEqual(['typed', 2])
    })

    test('reading messages is held back like reading values', async () => {
      const { host } = open()
      const [reply, writer] = StreamMessage.create<number>('n', 2)
      const ref = await host({ receive: () => reply })
      const reader = ref.askStream(Message.fromJson('go', null))
      const count = counting(writer)
      for (let read = 0; read < 3; read++) {
        expect((await reader.next()).value?.toObject()).toBe(read)
        await comesToRest(() => count.written, 2 + read + 1)
      }
      await reader.cancel()
    })
  })

  test('a stream that is still being asked for can be passed on, and keeps the back-pressure of its writer', async () => {
    const { host } = open()
    const [reply, writer] = StreamMessage.create<number>('numbers', 2)
    const release = gate()
    const source = await host({ receive: () => release.opened.then(() => reply) })
    const held: StreamReader<number>[] = []
    const sink = await host({ receive: (msg) => void held.push(msg.toObject<{ items: StreamReader<number> }>().items) })
    await sink.ask({ items: source.askStream<number>('go') })
    release.open()
    const count = counting(writer)
    for (let read = 0; read < 3; read++) {
      await comesToRest(() => count.written, 2 + read)
      expect(await held[0]!.next()).toEqual({ done: false, value: read })
    }
    await held[0]!.cancel()
    await until(() => writer.signal.aborted)
  })

  test('a stream that is passed on before its ask has failed fails with it', async () => {
    const { host } = open()
    const release = gate()
    const source = await host({
      receive: () =>
        release.opened.then(() => {
          throw new TypeError('no stream today')
        }),
    })
    const sink = await host({ receive: (msg) => collect(msg.toObject<{ items: StreamReader<number> }>().items) })
    const reply = sink.ask({ items: source.askStream<number>('go') })
    release.open()
    await expect(reply).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'no stream today' })
  })

  test('a stream passed on unread through several actors keeps the back-pressure of its writer', async () => {
    const { host } = open()
    const last = await host({ receive: (msg) => msg })
    const pass = (to: ActorRef) => ({ receive: (msg: Message, ctx: ActorContext) => ctx.ask(to, msg) })
    const first = await host(pass(await host(pass(last))))
    const [message, writer] = StreamMessage.create<number>('numbers', 2)
    const reader = (await first.ask(message)).streamReader<number>()
    const count = counting(writer)
    for (let read = 0; read < 3; read++) {
      await comesToRest(() => count.written, 2 + read)
      await reader.next()
    }
    await reader.cancel()
    await settle()
    expect(writer.signal.aborted).toBe(true)
  })
})

async function* upTo(end: number): AsyncGenerator<number> {
  for (let i = 0; i < end; i++) yield i
}

async function* range3(): AsyncGenerator<number> {
  yield 1
  yield 2
}

async function sum(items: AsyncIterable<number>): Promise<number> {
  let total = 0
  for await (const item of items) total += item
  return total
}

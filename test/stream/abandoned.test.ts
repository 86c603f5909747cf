/**
 * Streams that are forgotten instead of read or cancelled: when the engine collects whoever could have read them, their
 * producers are told. Never sooner: whoever still waits, or can still be given an item, keeps its stream.
 *
 * What is to be forgotten is made in functions of its own; what is kept, is kept in objects the test holds to its end.
 */
import { asActor, Message, StreamMessage, type StreamReader, type StreamWriter } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { settle, until } from '../remote/lab.ts'
import { afterCollection, collectAll } from './garbage.ts'
import { comesToRest, PLACES, type Place } from './places.ts'

interface Life {
  made: number
  ended: number
}

const life = (): Life => ({ made: 0, ended: 0 })

async function* generator(of: Life): AsyncGenerator<number> {
  try {
    for (;;) yield of.made++
  } finally {
    of.ended++
  }
}

/** Tells that it is not wanted, also when it was never begun. */
function iterable(of: Life): AsyncIterable<number> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: of.made++ }),
      return: async () => {
        of.ended++
        return { done: true, value: undefined }
      },
    }),
  }
}

/** Writes until it must not; what it was refused with. */
async function writeOn(writer: StreamWriter<number>): Promise<unknown> {
  try {
    for (let i = 0; ; i++) await writer.write(i)
  } catch (error) {
    return error
  }
}

/** Something kept from collection for as long as this says. */
const kept = new Set<unknown>()

async function keeping<T>(value: unknown, during: () => Promise<T>): Promise<T> {
  kept.add(value)
  try {
    return await during()
  } finally {
    kept.delete(value)
  }
}

async function expectNothingLeft(place: Place): Promise<void> {
  await until(() => place.left().streams === 0)
  expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
}

describe.each(PLACES)('%s', (_name, open) => {
  describe('a stream ends when', () => {
    test('its reader is forgotten half way: the generator’s finally runs', async () => {
      const place = open()
      const items = life()
      const ref = await place.host({ receive: () => generator(items) })
      await (async () => {
        const reader = ref.askStream<number>('go')
        await reader.next()
        await reader.next()
      })()
      await afterCollection(() => items.ended === 1)
      await expectNothingLeft(place)
    })

    test('its reader is forgotten half way: the writer’s signal aborts, and the write that waits is refused', async () => {
      const place = open()
      const [reply, writer] = StreamMessage.create<number>('numbers', 2)
      const ref = await place.host({ receive: () => reply })
      const refused = writeOn(writer)
      await (async () => {
        await ref.askStream<number>('go').next()
      })()
      await afterCollection(() => writer.signal.aborted)
      expect(await refused).toMatchObject({ code: 'stream_closed' })
      await expectNothingLeft(place)
    })

    test('the reply that carries it is never looked at', async () => {
      const place = open()
      const [reply, writer] = StreamMessage.create<number>('numbers')
      const ref = await place.host({ receive: () => reply })
      await (async () => {
        expect((await ref.ask(Message.empty())).isStream).toBe(true)
      })()
      await afterCollection(() => writer.signal.aborted)
      await expectNothingLeft(place)
    })

    test('askStream is called, and nothing else', async () => {
      const place = open()
      const items = life()
      const ref = await place.host({ receive: () => iterable(items) })
      ref.askStream('go')
      ref.askStream(Message.fromJson('go', null))
      await afterCollection(() => items.ended === 2)
      await expectNothingLeft(place)
    })

    test('a call of a method that streams is neither awaited nor read', async () => {
      const place = open()
      const items = life()
      const Feed = asActor(
        class Feed {
          items(): AsyncIterable<number> {
            return iterable(items)
          }
        },
      )
      const feed = (await place.host(() => new Feed())).asType(Feed)
      void feed.items()
      void feed.items().readable
      await afterCollection(() => items.ended === 2)
      await expectNothingLeft(place)
    })

    test('the loop over a call is forgotten in the middle', async () => {
      const place = open()
      const items = life()
      const Feed = asActor(
        class Feed {
          items(): AsyncIterable<number> {
            return generator(items)
          }
        },
      )
      const feed = (await place.host(() => new Feed())).asType(Feed)
      let seen = 0
      void (async () => {
        for await (const item of feed.items()) {
          seen = item
          // A promise nobody can settle any more: the loop will never go on.
          if (item === 2) await new Promise(() => undefined)
        }
      })()
      await until(() => seen === 2)
      await afterCollection(() => items.ended === 1)
      await expectNothingLeft(place)
    })

    test('the handler of the request ignores it', async () => {
      const place = open()
      const ref = await place.host({ receive: () => 'ignored' })
      const Ignoring = asActor(
        class Ignoring {
          take(_items: AsyncIterable<number>): void {}
        },
      )
      const ignoring = (await place.host(() => new Ignoring())).asType(Ignoring)
      const writers = await (async () => {
        const [asked, told, argument] = [
          StreamMessage.create<number>('', 1),
          StreamMessage.create<number>('', 1),
          StreamMessage.create<number>('', 1),
        ]
        await ref.ask(asked[0])
        await ref.tell(told[0])
        await ignoring.take(argument[0].streamReader<number>())
        return [asked[1], told[1], argument[1]]
      })()
      const refused = writers.map(writeOn)
      await afterCollection(() => writers.every(({ signal }) => signal.aborted))
      expect(await Promise.all(refused)).toMatchObject(writers.map(() => ({ code: 'stream_closed' })))
      await expectNothingLeft(place)
    })

    test('its web stream is forgotten half way', async () => {
      const place = open()
      const items = life()
      const ref = await place.host({ receive: () => generator(items) })
      await (async () => {
        await ref.askStream<number>('go').readable.getReader().read()
        await ref.askStream<number>('go').readable.pipeThrough(new TransformStream()).getReader().read()
      })()
      await afterCollection(() => items.ended === 2)
      await expectNothingLeft(place)
    })

    test('the value it came in is forgotten', async () => {
      const place = open()
      const items = life()
      const ref = await place.host({
        receive: () => {
          const [message, writer] = StreamMessage.create<number>()
          writer.signal.addEventListener('abort', () => items.ended++)
          return { list: [message.streamReader(), { deep: StreamMessage.create()[0].streamReader() }] }
        },
      })
      await (async () => {
        expect(await ref.ask('go')).toHaveProperty('list')
      })()
      await afterCollection(() => items.ended === 1)
      await expectNothingLeft(place)
    })

    test('the stream it is an item of is left with it unread', async () => {
      const place = open()
      const inner = life()
      const [outer, writer] = StreamMessage.create<AsyncIterable<number>>('', 8)
      const ref = await place.host({ receive: () => outer })
      await (async () => {
        for (let i = 0; i < 5; i++) {
          const [message, items] = StreamMessage.create<number>()
          items.signal.addEventListener('abort', () => inner.ended++)
          await writer.write(message.streamReader<number>())
        }
      })()
      await (async () => {
        const reader = ref.askStream('go')
        await reader.next()
        await settle()
        await reader.cancel()
      })()
      await afterCollection(() => inner.ended === 5)
      await expectNothingLeft(place)
    })

    test('it was made and never sent', async () => {
      open()
      const [, writer] = StreamMessage.create<number>('', 1)
      const refused = writeOn(writer)
      await afterCollection(() => writer.signal.aborted)
      expect(await refused).toMatchObject({ code: 'stream_closed' })
    })
  })

  describe('a stream goes on while', () => {
    /** A stream the test writes, and another one that is forgotten: when that has ended, the first could have been. */
    async function watched(place: Place): Promise<{
      readonly writer: StreamWriter<number>
      reader(): StreamReader<number>
      /** Checks that all that was collectable is collected, and this stream is not. */
      survives(): Promise<void>
    }> {
      const [reply, writer] = StreamMessage.create<number>('numbers', 2)
      const ref = await place.host({ receive: () => reply })
      return {
        writer,
        reader: () => ref.askStream<number>('go'),
        survives: async () => {
          const other = life()
          await (async () => void (await place.host({ receive: () => generator(other) })).askStream('go').next())()
          await afterCollection(() => other.ended === 1)
          await collectAll()
          expect(writer.signal.aborted).toBe(false)
        },
      }
    }

    test('a next() waits, whoever else has forgotten the reader', async () => {
      const place = open()
      const { writer, reader, survives } = await watched(place)
      const got: unknown[] = []
      ;(() =>
        void reader()
          .next()
          .then(({ value }) => got.push(value)))()
      await settle()
      await survives()
      await writer.write(7)
      await comesToRest(() => got.length, 1)
      expect(got).toEqual([7])
      await afterCollection(() => writer.signal.aborted)
      await expectNothingLeft(place)
    })

    test('a loop over it waits for the next item', async () => {
      const place = open()
      const { writer, reader, survives } = await watched(place)
      const got: unknown[] = []
      void (async () => {
        for await (const item of reader()) got.push(item)
        got.push('end')
      })()
      await writer.write(1)
      await until(() => got.length === 1)
      await survives()
      await writer.write(2)
      await until(() => got.length === 2)
      await survives()
      await writer.close()
      await until(() => got.length === 3)
      expect(got).toEqual([1, 2, 'end'])
      await expectNothingLeft(place)
    })

    test('the body of the loop does something that will end', async () => {
      const place = open()
      const { writer, reader, survives } = await watched(place)
      const got: unknown[] = []
      let goOn: () => void = () => undefined
      void (async () => {
        for await (const item of reader()) {
          got.push(item)
          await new Promise<void>((resolve) => {
            goOn = resolve
          })
        }
      })()
      await writer.write(1)
      await writer.write(2)
      await until(() => got.length === 1)
      await survives()
      goOn()
      await until(() => got.length === 2)
      await survives()
      await writer.close()
      goOn()
      await expectNothingLeft(place)
    })

    test('somebody has its reader, its message, or its web stream', async () => {
      for (const hold of [
        (reader: StreamReader<number>): unknown => reader,
        (reader: StreamReader<number>): unknown => reader.readable,
        (reader: StreamReader<number>): unknown => reader.readable.getReader(),
      ]) {
        const place = open()
        const { writer, reader, survives } = await watched(place)
        await (async () => {
          const first = reader()
          void writer.write(0)
          await first.next()
          return keeping(hold(first), survives)
        })()
        await afterCollection(() => writer.signal.aborted)
        await expectNothingLeft(place)
      }
    })

    test('a pipe of it waits for an item, or for who reads at its end', async () => {
      const place = open()
      const { writer, reader, survives } = await watched(place)
      const got: unknown[] = []
      let goOn: (() => void) | undefined
      const sink = new WritableStream<string>({
        write: (item) => {
          got.push(item)
          return new Promise((resolve) => {
            goOn = resolve
          })
        },
      })
      const piped = (() =>
        reader()
          .readable.pipeThrough(
            new TransformStream<number, string>({ transform: (n, controller) => controller.enqueue(`n${n}`) }),
          )
          .pipeTo(sink))()
      await settle()
      await survives()
      void writer.write(1)
      void writer.write(2)
      await until(() => got.length === 1)
      await survives()
      goOn!()
      await until(() => got.length === 2)
      void writer.close()
      goOn!()
      await piped
      expect(got).toEqual(['n1', 'n2'])
      await expectNothingLeft(place)
    })

    test('a Response has it as its body', async () => {
      const place = open()
      const [reply, writer] = StreamMessage.create<Uint8Array>('bytes', 2)
      const ref = await place.host({ receive: () => reply })
      const response = (() => new Response(ref.askStream<Uint8Array<ArrayBuffer>>('go').readable))()
      await settle()
      await keeping(response, collectAll)
      expect(writer.signal.aborted).toBe(false)
      const text = response.text()
      await writer.write(new TextEncoder().encode('whole'))
      await collectAll()
      await writer.close()
      expect(await text).toBe('whole')
    })

    test('the reply has not come yet', async () => {
      const place = open()
      let answer: (reply: unknown) => void = () => undefined
      const ref = await place.host({
        receive: () =>
          new Promise((resolve) => {
            answer = resolve
          }),
      })
      const got: unknown[] = []
      ;(() =>
        void ref
          .askStream<number>('go')
          .next()
          .then(({ value }) => got.push(value)))()
      await settle()
      await collectAll()
      const items = life()
      answer(generator(items))
      await until(() => got.length === 1)
      await afterCollection(() => items.ended === 1)
      await expectNothingLeft(place)
    })

    test('only messages of it are read', async () => {
      const place = open()
      const [reply, writer] = StreamMessage.create<number>('numbers', 2)
      const ref = await place.host({ receive: () => reply })
      const got: unknown[] = []
      void (async () => {
        for await (const message of ref.askStream(Message.fromJson('go', null))) got.push(message.toObject())
      })()
      await writer.write(1)
      await until(() => got.length === 1)
      await collectAll()
      expect(writer.signal.aborted).toBe(false)
      await writer.write(2)
      await until(() => got.length === 2)
      await writer.close()
      await expectNothingLeft(place)
    })
  })

  test('hundreds of forgotten streams leave nothing', async () => {
    const place = open()
    const items = life()
    const ref = await place.host({ receive: () => generator(items) })
    const COUNT = 300
    await (async () => {
      for (let i = 0; i < COUNT; i++) await ref.askStream<number>('go').next()
    })()
    await afterCollection(() => items.ended === COUNT)
    await expectNothingLeft(place)
  })
})

test('a stream that was read to its end, cancelled, or handed on is not cancelled once more by its collection', async () => {
  const [, open] = PLACES[0]!
  const place = open()
  const reasons: unknown[] = []
  const ref = await place.host({ receive: (msg) => msg })
  await (async () => {
    const [ended, first] = StreamMessage.create<number>()
    await first.close()
    await ended.streamReader().next()
    const [cancelled, second] = StreamMessage.create<number>()
    await cancelled.streamReader().cancel('once')
    for (const { signal } of [first, second])
      if (signal.aborted) reasons.push(signal.reason)
      else signal.addEventListener('abort', () => reasons.push(signal.reason))
  })()
  const [handedOn, writer] = StreamMessage.create<number>()
  const reply = await ref.ask(handedOn)
  await collectAll()
  expect(reasons).toEqual(['once'])
  expect(writer.signal.aborted).toBe(false)
  void writer.write(5)
  expect((await reply.streamReader().next()).value).toBe(5)
})

/** What an actor's generators live through: a consumer that leaves, an actor that ends, a link that is lost. */
import {
  type ActorContext,
  type ActorRef,
  asActor,
  contextOf,
  type Message,
  PulsingBusinessError,
  SessionResetError,
  StreamMessage,
  type StreamReader,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
import { collect, gate, stateOf } from '../actor/systems.ts'
import { settle, until } from '../remote/lab.ts'
import { PLACES, type Place } from './places.ts'

/** What has become of a generator. */
interface Life {
  /** Items made. */
  made: number
  /** How often its `finally`, or what stands for it, ran. */
  ended: number
}

/** Everything that is answered as a stream and can be told that nobody reads it any more. */
const KINDS: readonly (readonly [name: string, make: (life: Life) => unknown])[] = [
  [
    'an async generator',
    async function* (life) {
      try {
        for (;;) yield life.made++
      } finally {
        life.ended++
      }
    },
  ],
  [
    'a generator',
    function* (life) {
      try {
        for (;;) yield life.made++
      } finally {
        life.ended++
      }
    },
  ],
  [
    'a ReadableStream',
    (life) =>
      new ReadableStream<number>(
        { pull: (controller) => controller.enqueue(life.made++), cancel: () => void life.ended++ },
        { highWaterMark: 0 },
      ),
  ],
  [
    'an async iterable with return',
    (life) => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: life.made++ }),
        return: async () => {
          life.ended++
          return { done: true, value: undefined }
        },
      }),
    }),
  ],
]

async function streaming(place: Place, make: (life: Life) => unknown): Promise<{ life: Life; ref: ActorRef }> {
  const life = { made: 0, ended: 0 }
  return { life, ref: await place.host({ receive: () => make(life) }) }
}

/** A generator that waits for ever between its items unless its message is given up. */
async function* waiting(life: Life, ctx: ActorContext, items = 1): AsyncGenerator<number> {
  try {
    for (let i = 0; i < items; i++) {
      life.made++
      yield i
    }
    await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
  } finally {
    life.ended++
  }
}

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )

/** Reads to the end: the items, and what ended them. */
async function drain(reader: StreamReader<unknown>): Promise<{ items: unknown[]; error: unknown }> {
  const items: unknown[] = []
  try {
    for await (const item of reader) items.push(item)
    return { items, error: undefined }
  } catch (error) {
    return { items, error }
  }
}

const STOPPED = { name: 'ActorStoppedError', code: 'actor_stopped' }
const DONE = { done: true, value: undefined }

describe.each(PLACES)('%s', (_name, open) => {
  describe.each(KINDS)('%s ends, once,', (_kind, make) => {
    test('when its reader leaves the loop', async () => {
      const place = open()
      const { life, ref } = await streaming(place, make)
      for await (const item of ref.askStream<number>('go')) if (item === 3) break
      await until(() => life.ended > 0)
      await settle()
      expect(life.ended).toBe(1)
      expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
    })

    test('when its reader is cancelled, throws in the loop, or cancels its readable', async () => {
      const place = open()
      const { life, ref } = await streaming(place, make)
      const readers = [ref.askStream('go'), ref.askStream('go'), ref.askStream('go')] as const
      await readers[0].next()
      await readers[0].cancel('enough')
      await expect(
        (async () => {
          for await (const _item of readers[1]) throw new Error('in the loop')
        })(),
      ).rejects.toThrow('in the loop')
      const web = readers[2].readable.getReader()
      await web.read()
      await web.cancel()
      await until(() => life.ended === 3)
      expect(await Promise.all(readers.map((reader) => reader.next()))).toEqual([DONE, DONE, DONE])
      expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
    })

    test('when its actor stops: the reader gets ActorStoppedError after what was underway, then the end', async () => {
      const place = open()
      const { life, ref } = await streaming(place, make)
      const reader = ref.askStream<number>('go')
      expect(await reader.next()).toEqual({ done: false, value: 0 })
      await place.stop(ref)
      await until(() => life.ended > 0)
      const { items, error } = await drain(reader)
      expect(items).toEqual(Array.from({ length: items.length }, (_, i) => i + 1))
      expect(items.length).toBeLessThan(life.made)
      expect(error).toMatchObject(STOPPED)
      expect(await reader.next()).toEqual(DONE)
      expect(life.ended).toBe(1)
      expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
    })

    test('when its node is shut down', async () => {
      const place = open()
      const { life, ref } = await streaming(place, make)
      const reader = ref.askStream('go')
      await reader.next()
      await place.far.runtime.close()
      expect((await drain(reader)).error).toMatchObject(STOPPED)
      expect(life.ended).toBe(1)
    })

    test('when it comes too late for its ask', async () => {
      const place = open()
      const life: Life = { made: 0, ended: 0 }
      const [called, release] = [gate(), gate()]
      const ref = await place.host({
        receive: async () => {
          called.open()
          await release.opened
          const late = make(life) as AsyncIterable<number>
          // A generator has a `finally` to run only once it has begun.
          if (!(late instanceof ReadableStream)) {
            const iterator = (late[Symbol.asyncIterator] ?? (late as never)[Symbol.iterator]).call(late)
            await iterator.next()
            return { [Symbol.asyncIterator]: () => iterator }
          }
          return late
        },
      })
      const reply = outcomeOf(ref.ask('go', { timeout: 1000 }))
      await called.opened
      place.lab.clock.advance(1000)
      expect(await reply).toMatchObject({ code: 'timeout' })
      release.open()
      await until(() => life.ended === 1)
      expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
    })
  })

  test('is ended by a failure that restarts its actor; the new instance answers with new ones', async () => {
    const place = open()
    const lives: Life[] = []
    let restarts = 0
    place.far.runtime.events.on('actorRestarted', () => restarts++)
    class Failing {
      readonly life: Life = { made: 0, ended: 0 }
      constructor() {
        lives.push(this.life)
      }
      receive(msg: Message, ctx: ActorContext): unknown {
        if (msg.toObject() === 'fail') throw new Error('failed')
        return waiting(this.life, ctx, 3)
      }
    }
    const ref = await place.host(Failing, { restart: { policy: 'on-failure', minBackoffMs: 0 } })
    const reader = ref.askStream<number>('go')
    await reader.next()
    const [idle, pending] = [ref.askStream('go'), drain(reader)]
    await idle.next()
    await expect(ref.ask('fail')).rejects.toThrow('failed')
    await until(() => restarts === 1)
    for (const { error } of [await pending, await drain(idle)])
      expect(error).toMatchObject({ ...STOPPED, message: expect.stringContaining('restarted') })
    expect(lives.map(({ ended }) => ended)).toEqual([2, 0])
    const again = ref.askStream<number>('go')
    expect([await again.next(), await again.next()].map(({ value }) => value)).toEqual([0, 1])
    await again.cancel()
    await until(() => lives[1]!.ended === 1)
  })

  test('is ended by its own actor’s ctx.stop() too, when the message being handled is done', async () => {
    const place = open()
    const life = { made: 0, ended: 0 }
    const ref = await place.host({
      receive: (msg, ctx) => (msg.toObject() === 'stop' ? ctx.stop() : waiting(life, ctx)),
    })
    const reader = ref.askStream('go')
    await reader.next()
    const next = outcomeOf(reader.next())
    await ref.ask('stop')
    expect(await next).toMatchObject(STOPPED)
    expect(life.ended).toBe(1)
  })

  test('that waits for ever is woken by ctx.signal: its reader left', async () => {
    const place = open()
    const life = { made: 0, ended: 0 }
    const ref = await place.host({ receive: (_msg, ctx) => waiting(life, ctx) })
    const reader = ref.askStream('go')
    await reader.next()
    const next = reader.next()
    await settle()
    await reader.cancel()
    expect(await next).toEqual(DONE)
    await until(() => life.ended === 1)
    expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
  })

  test('that heeds no signal holds nobody up: readers and the actor end at once', async () => {
    const place = open()
    const ref = await place.host({
      receive: async function* () {
        yield 1
        await new Promise(() => undefined)
      },
    })
    const [left, stopped] = [ref.askStream('go'), ref.askStream('go')]
    await Promise.all([left.next(), stopped.next()])
    const [afterLeaving, afterStopping] = [left.next(), outcomeOf(stopped.next())]
    await left.cancel()
    expect(await afterLeaving).toEqual(DONE)
    await place.stop(ref)
    expect(await afterStopping).toMatchObject(STOPPED)
    await until(() => place.left().streams === 0)
  })

  test.each([
    [
      'an async generator',
      async function* (end: () => void) {
        try {
          yield 1
          throw new TypeError('half way')
        } finally {
          end()
        }
      },
      { name: 'PulsingBusinessError', message: 'half way' },
    ],
    [
      'a generator',
      function* (end: () => void) {
        try {
          yield 1
          throw new Error('half way')
        } finally {
          end()
        }
      },
      { name: 'PulsingSystemError', message: 'half way' },
    ],
    [
      'a generator with an error of ours',
      function* (end: () => void) {
        try {
          yield 1
          throw new PulsingBusinessError('half way', { code: 'mine', details: { row: 3 } })
        } finally {
          end()
        }
      },
      { name: 'PulsingBusinessError', code: 'mine', details: { row: 3 } },
    ],
    [
      'a generator that yields a rejected promise',
      function* (end: () => void) {
        try {
          yield 1
          yield Promise.reject(new RangeError('half way'))
        } finally {
          end()
        }
      },
      { name: 'PulsingBusinessError', message: 'half way' },
    ],
  ])(
    'a throw in %s reaches the reader typed, after the items, once; the actor lives on',
    async (_what, make, error) => {
      const place = open()
      let ended = 0
      const ref = await place.host({ receive: (msg) => (msg.toObject() === 'go' ? make(() => ended++) : 'alive') })
      const reader = ref.askStream('go')
      expect(await reader.next()).toEqual({ done: false, value: 1 })
      const calls = await Promise.allSettled([reader.next(), reader.next(), reader.next()])
      expect(calls).toMatchObject([{ reason: error }, { value: DONE }, { value: DONE }])
      expect(await ref.ask('and you?')).toBe('alive')
      expect(ended).toBe(1)
      expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
    },
  )

  test('a throw in a finally that runs because the reader left is nobody’s business', async () => {
    const place = open()
    let threw = 0
    const ref = await place.host({
      receive: function* () {
        try {
          for (;;) yield 1
        } finally {
          threw++
          // biome-ignore lint/correctness/noUnsafeFinally: the point of the test
          throw new Error('cleanup failed')
        }
      },
    })
    for await (const _item of ref.askStream('go')) break
    await until(() => threw === 1)
    await settle()
    expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
  })

  test('the timeout of the ask bounds the wait for the reply, not the reading of its items', async () => {
    const place = open()
    const life = { made: 0, ended: 0 }
    const ref = await place.host({ receive: (_msg, ctx) => waiting(life, ctx, 100) })
    const controller = new AbortController()
    const reader = ref.askStream<number>('go', { timeout: 1000, signal: controller.signal })
    expect((await reader.next()).value).toBe(0)
    place.lab.clock.advance(100_000)
    controller.abort()
    await settle()
    expect(life.ended).toBe(0)
    expect((await reader.next()).value).toBe(1)
    await reader.cancel()
    await until(() => life.ended === 1)
  })

  test('a caller that gives up before the reply ends a stream that was made for it', async () => {
    const place = open()
    const controller = new AbortController()
    const [called, release] = [gate(), gate()]
    const [reply, writer] = StreamMessage.create('items')
    const ref = await place.host({
      receive: async () => {
        called.open()
        await release.opened
        return reply
      },
    })
    const reader = ref.askStream('go', { signal: controller.signal })
    const next = outcomeOf(reader.next())
    await called.opened
    controller.abort(new RangeError('given up'))
    expect(await next).toMatchObject({ message: 'given up' })
    release.open()
    await until(() => writer.signal.aborted)
    expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
  })

  test('a generator answering a tell never runs', async () => {
    const place = open()
    const life = { made: 0, ended: 0 }
    const handled = gate()
    const ref = await place.host({
      receive: (_msg, ctx) => {
        handled.open()
        return waiting(life, ctx)
      },
    })
    await ref.tell('go')
    await handled.opened
    await settle()
    expect(life).toEqual({ made: 0, ended: 0 })
    expect(place.left()).toMatchObject({ streams: 0 })
  })

  test('an actor’s streams are in the census for as long as they run', async () => {
    const place = open()
    const ref = await place.host({ receive: (_msg, ctx) => waiting({ made: 0, ended: 0 }, ctx, 1) })
    const readers = Array.from({ length: 3 }, () => ref.askStream('go'))
    await Promise.all(readers.map((reader) => reader.next()))
    expect(place.far.runtime.census().streams).toBe(3)
    for (const reader of readers) await reader.cancel()
    await until(() => place.left().streams === 0)
  })

  test('a generator of a class finds the context of its own call in its finally', async () => {
    const place = open()
    const seen: boolean[] = []
    const Watch = asActor(
      class Watch {
        *items(): Generator<number> {
          const { signal } = contextOf(this)
          try {
            for (;;) yield 1
          } finally {
            seen.push(contextOf(this).signal === signal, signal.aborted)
          }
        }
        other(): void {}
      },
    )
    const watch = (await place.host(() => new Watch())).asType(Watch)
    const reader = await watch.items()
    await reader.next()
    await watch.other()
    await reader.cancel()
    await until(() => seen.length === 2)
    expect(seen).toEqual([true, true])
  })

  test('reading on while the actor is busy with something else', async () => {
    const place = open()
    const release = gate()
    const life = { made: 0, ended: 0 }
    const ref = await place.host({
      receive: (msg, ctx) => (msg.toObject() === 'busy' ? release.opened : waiting(life, ctx, 1000)),
    })
    const reader = ref.askStream<number>('go')
    await reader.next()
    const busy = ref.ask('busy')
    for (let i = 1; i < 100; i++) expect((await reader.next()).value).toBe(i)
    expect(await stateOf(busy)).toBe('pending')
    release.open()
    await busy
    await reader.cancel()
  })
})

describe('a lost link', () => {
  const [, open] = PLACES[1]!

  test.each(KINDS)('ends %s: the reader gets the error after what has arrived, then the end', async (_kind, make) => {
    const place = open()
    const { life, ref } = await streaming(place, make)
    const reader = ref.askStream<number>('go')
    await reader.next()
    await settle()
    place.near.association.reset(new SessionResetError('cut'))
    await until(() => life.ended === 1)
    const { items, error } = await drain(reader)
    expect(items).toEqual(Array.from({ length: items.length }, (_, i) => i + 1))
    expect(error).toBeInstanceOf(SessionResetError)
    expect(await reader.next()).toEqual(DONE)
    expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
  })

  test('that only the producer’s side has seen ends its generators, and the reader hears of it with the next frame', async () => {
    const place = open()
    const { life, ref } = await streaming(place, KINDS[0]![1])
    const reader = ref.askStream<number>('go')
    await reader.next()
    await settle()
    place.far.association.reset(new SessionResetError('cut'))
    await until(() => life.ended === 1)
    expect((await drain(reader)).error).toBeInstanceOf(SessionResetError)
    await settle()
    expect(place.left()).toMatchObject({ asks: 0, streams: 0 })
  })

  test('fails a request in the loop of the handler, and its writer at once', async () => {
    const place = open()
    const read = gate<unknown>()
    const ref = await place.host({
      receive: async (msg) => {
        try {
          await collect(msg.streamReader())
        } catch (error) {
          read.open(error)
        }
      },
    })
    const [request, writer] = StreamMessage.create<number>('numbers', 1)
    const reply = outcomeOf(ref.ask(request))
    await writer.write(0)
    await settle()
    const blocked = (async () => {
      for (;;) await writer.write(1)
    })()
    const refused = outcomeOf(blocked)
    await settle()
    const error = new SessionResetError('cut')
    place.near.association.reset(error)
    expect([await reply, writer.signal.reason]).toEqual([error, error])
    expect(await refused).toMatchObject({ code: 'stream_closed' })
    expect(await read.opened).toBeInstanceOf(SessionResetError)
  })
})

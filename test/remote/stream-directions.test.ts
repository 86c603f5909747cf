/** Streams whose way is long, late or lost: what crosses nodes that on one node cannot happen. */
import {
  type ActorContext,
  type ActorRef,
  type ActorSystem,
  Message,
  OverloadedError,
  SessionResetError,
  StreamMessage,
  type StreamReader,
  type StreamWriter,
  SystemConfig,
} from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { MAX_STREAMS } from '../../src/remote/stream-table.ts'
import type { FRAME, Frame } from '../../src/wire/frame.ts'
import { event, link, Nodes } from '../cluster/memory-nodes.ts'
import { comesToRest } from '../stream/places.ts'
import { isKind, Lab, settle, until } from './lab.ts'
import { collect, outcomeOf } from './stream-ends.ts'

/** Holds back what node b sends, from the first frame that is of one of these kinds. */
function holdingBack(lab: Lab, ...kinds: (keyof typeof FRAME)[]): { readonly held: Frame[]; release(): void } {
  const held: Frame[] = []
  lab.fate = (frame, from) => {
    if (from !== lab.b || (held.length === 0 && !kinds.some((kind) => isKind(kind)(frame)))) return [frame]
    held.push(frame)
    return []
  }
  return {
    held,
    release: () => {
      lab.fate = (frame) => [frame]
      for (const frame of held.splice(0)) lab.deliver(frame, lab.b)
    },
  }
}

interface Life {
  ended: number
}

async function* endless(life: Life): AsyncGenerator<number> {
  try {
    for (let i = 0; ; i++) yield i
  } finally {
    life.ended++
  }
}

describe('what comes too late gives back the streams in it', () => {
  test('a reply whose caller has given up', async () => {
    const lab = new Lab()
    const life = { ended: 0 }
    const ref = await lab.b.host(() => ({ one: endless(life), list: [endless(life), new Map([['k', endless(life)]])] }))
    const { held, release } = holdingBack(lab, 'reply')
    const controller = new AbortController()
    const asked = outcomeOf(ref.ask('x', { signal: controller.signal }))
    await until(() => held.length > 0)
    controller.abort(new RangeError('given up'))
    expect(await asked).toMatchObject({ message: 'given up' })
    release()
    await until(() => life.ended === 3)
    await until(() => lab.isClean)
  })

  test('an item of a stream that was cancelled meanwhile', async () => {
    const lab = new Lab()
    const life = { ended: 0 }
    const ref = await lab.b.host(function* () {
      yield { items: endless({ ended: 0 }) }
      for (let i = 0; i < 5; i++) yield { items: endless(life) }
    })
    const reader = ref.askStream<{ items: StreamReader<number> }>('x')
    const { release } = holdingBack(lab, 'item')
    const first = reader.next()
    await settle()
    await reader.cancel()
    expect((await first).done).toBe(true)
    release()
    await until(() => life.ended === 5)
    await until(() => lab.isClean)
  })

  test('a message that is larger than this node takes', async () => {
    const lab = new Lab({ maxMessageBytes: 1000 })
    const roomy = new Lab({ maxMessageBytes: 100_000 })
    // Only the receiver's limit is the small one.
    Object.defineProperty(lab.a.peers, 'maxMessageBytes', { value: roomy.a.peers.maxMessageBytes })
    const life = { ended: 0 }
    const ref = await lab.b.host(() => 'never')
    const large = (): unknown => ({ bytes: new Uint8Array(5000), items: endless(life) })
    expect(await outcomeOf(ref.ask(large()))).toMatchObject({ code: 'overloaded' })
    await ref.tell(large())
    await until(() => life.ended === 2)
    await until(() => lab.isClean)
    expect(lab.b.deadLetters).toEqual(['overloaded', 'overloaded'])
  })

  test('a reply that is a stream, and whose ask has timed out here', async () => {
    const lab = new Lab()
    const life = { ended: 0 }
    const ref = await lab.b.host(() => endless(life))
    const { held, release } = holdingBack(lab, 'reply')
    const asked = outcomeOf(ref.ask('x', { timeout: 100 }))
    await until(() => held.length > 0)
    lab.clock.advance(100)
    expect(await asked).toMatchObject({ code: 'timeout' })
    release()
    await until(() => life.ended === 1)
    await until(() => lab.isClean)
  })
})

describe('one node opens towards another', () => {
  test('at most so many streams: one more is OverloadedError for that message alone', async () => {
    const lab = new Lab()
    const held: unknown[] = []
    const ref = await lab.b.host((msg) => void held.push(msg.toObject()))
    const writers: StreamWriter<number>[] = []
    const streams = (count: number): unknown[] =>
      Array.from({ length: count }, () => {
        const [message, writer] = StreamMessage.create<number>('', 1)
        writers.push(writer)
        return message.streamReader()
      })
    for (let i = 0; i < MAX_STREAMS; i += 1000) await ref.ask(streams(1000))
    const [last, lastWriter] = StreamMessage.create<number>()
    const { signal } = lastWriter
    expect(await outcomeOf(ref.ask(last))).toBeInstanceOf(OverloadedError)
    expect(await outcomeOf(ref.ask({ deep: streams(1) }))).toBeInstanceOf(OverloadedError)
    await expect(ref.tell(StreamMessage.create()[0])).rejects.toMatchObject({ code: 'overloaded' })
    expect(signal.aborted).toBe(true)
    // All others go on.
    void writers[0]!.write(7)
    const first = (held[0] as StreamReader<number>[])[0]!
    expect((await first.next()).value).toBe(7)
    await first.cancel()
    await until(() => lab.a.association.pending.streams === MAX_STREAMS - 1)
    await ref.ask(streams(1))
    for (const writer of writers) void writer.close()
    await until(() => lab.isClean)
  })

  test('too many replies are refused to their callers, and their producers are told', async () => {
    const lab = new Lab()
    const life = { ended: 0 }
    const made: StreamReader<number>[] = []
    const ref = await lab.b.host((msg) => {
      if (msg.toObject() === 'many')
        return Array.from({ length: MAX_STREAMS }, () => StreamMessage.create<number>('', 1)[0].streamReader<number>())
      const [reply, writer] = StreamMessage.create<number>('', 1)
      writer.signal.addEventListener('abort', () => life.ended++)
      return reply
    })
    made.push(...(await ref.ask<StreamReader<number>[]>('many')))
    expect(await outcomeOf(ref.ask('one more'))).toBeInstanceOf(OverloadedError)
    expect(await outcomeOf(ref.askStream('one more').next())).toBeInstanceOf(OverloadedError)
    await until(() => life.ended === 2)
    for (const reader of made) void reader.cancel()
    await until(() => lab.isClean)
    expect((await ref.ask(Message.fromJson('', 'one more'))).isStream).toBe(true)
  })
})

describe('what cannot be sent', () => {
  test('a web stream that somebody reads already is NotSerialisableError, and stays with its reader', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(() => 'never')
    const stream = new ReadableStream<number>({ start: (controller) => controller.enqueue(1) })
    const reader = stream.getReader()
    expect(await outcomeOf(ref.ask({ stream }))).toMatchObject({ code: 'serialization_error' })
    expect((await reader.read()).value).toBe(1)
    expect(lab.isClean).toBe(true)
  })

  test('the same stream twice in one message is a typed error, and ends it', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(() => 'never')
    const [message, writer] = StreamMessage.create<number>()
    const { signal } = writer
    const reader = message.streamReader<number>()
    expect(await outcomeOf(ref.ask([reader, reader]))).toMatchObject({
      code: expect.stringMatching(/stream_closed|serialization_error/),
    })
    expect(signal.aborted).toBe(true)
    await until(() => lab.isClean)
  })

  test('a WritableStream is NotSerialisableError, naming where it stands', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(() => 'never')
    expect(await outcomeOf(ref.ask({ to: [new WritableStream()] }))).toMatchObject({
      code: 'serialization_error',
      message: expect.stringContaining('.to[0]'),
    })
  })
})

describe('through nodes in between', () => {
  const nodes = new Nodes()
  afterEach(() => nodes.stop())

  async function chain(config?: SystemConfig): Promise<{
    systems: readonly [ActorSystem, ActorSystem, ActorSystem]
    cables: { cut(): void }[]
    host(at: number, receive: (msg: Message, ctx: ActorContext) => unknown): Promise<ActorRef>
  }> {
    const systems = [await nodes.start(config), await nodes.start(config), await nodes.start(config)] as const
    const cables = [await link(systems[0], systems[1]), await link(systems[1], systems[2])]
    let names = 0
    return {
      systems,
      cables,
      host: async (at, receive) => {
        const name = `actor ${names++}`
        await systems[at]!.spawn({ receive }, name, { public: true })
        return systems[0].resolve(name)
      },
    }
  }

  function counting(writer: StreamWriter<number>): { written: number } {
    const count = { written: 0 }
    void (async () => {
      for (;;) {
        await writer.write(count.written)
        count.written++
      }
    })().catch(() => undefined)
    return count
  }

  test.each([1, 3, 32])('a stream is held back exactly, with a bufferSize of %i, over two links', async (size) => {
    const { host } = await chain()
    const [reply, writer] = StreamMessage.create<number>('numbers', size)
    const ref = await host(2, () => reply)
    const reader = (await ref.ask(Message.empty())).streamReader<number>()
    const count = counting(writer)
    for (let read = 0; read < 3; read++) {
      await comesToRest(() => count.written, size + read)
      expect(await reader.next()).toEqual({ done: false, value: read })
    }
    await reader.cancel()
    await until(() => writer.signal.aborted)
  })

  test('a stream passed on by an actor in between is held back end to end, and ends end to end', async () => {
    const { systems, host } = await chain()
    const far = await host(2, (msg) => msg)
    const pass = await host(1, (msg, ctx) => systems[1].resolve(far.name!).then((to) => ctx.ask(to, msg)))
    const [request, writer] = StreamMessage.create<number>('numbers', 2)
    const reader = (await pass.ask(request)).streamReader<number>()
    const count = counting(writer)
    for (let read = 0; read < 3; read++) {
      await comesToRest(() => count.written, 2 + read)
      expect(await reader.next()).toEqual({ done: false, value: read })
    }
    await reader.cancel()
    await until(() => writer.signal.aborted)
    await until(() => systems.every((system) => system.census().streams === 0))
  })

  test('an echo of a transformed stream is held back both ways', async () => {
    const { host } = await chain()
    const ref = await host(2, (msg) => {
      const [reply, writer] = StreamMessage.create<number>('doubled', 3)
      void (async () => {
        for await (const item of msg.streamReader<number>()) await writer.write(item * 2)
      })().catch(() => undefined)
      return reply
    })
    const [request, writer] = StreamMessage.create<number>('numbers', 2)
    const reader = (await ref.ask(request)).streamReader<number>()
    const count = counting(writer)
    for (let read = 0; read < 3; read++) {
      await comesToRest(() => count.written, 2 + 3 + 1 + read)
      expect(await reader.next()).toEqual({ done: false, value: 2 * read })
    }
    await reader.cancel()
  })

  test('losing the far link, and finding it again, interrupts a stream in neither direction, and loses nothing of it', async () => {
    const { systems, cables, host } = await chain()
    const life = { ended: 0 }
    const giving = await host(2, () => endless(life))
    const taking = await host(2, async (msg) => Message.fromJson('taken', await collect(msg.streamReader<number>())))
    const [message, writer] = StreamMessage.create<number>('take', 4)
    const reply = taking.ask(message)
    const there = giving.askStream<number>('go')
    for (let i = 0; i < 50; i++) {
      await writer.write(i)
      expect((await there.next()).value).toBe(i)
      if (i % 10 !== 9) continue
      const lost = event(systems[0], 'memberUpdated', ({ member }) => member.nodeId === systems[2].nodeId)
      const found = event(
        systems[0],
        'memberUpdated',
        ({ member }) => member.nodeId === systems[2].nodeId && member.status === 'online',
      )
      cables.at(-1)!.cut()
      await lost
      cables.push(await link(systems[1], systems[2]))
      await found
    }
    await writer.close()
    expect((await reply).toJson()).toEqual(Array.from({ length: 50 }, (_, i) => i))
    await there.cancel()
    await until(() => life.ended === 1 && systems.every((system) => system.census().streams === 0))
  })

  test('losing the far link for good is an error at both ends of a stream, for what it carried and for nothing else', async () => {
    const { systems, cables, host } = await chain(SystemConfig.standalone().withLimits({ sessionGraceMs: 1 }))
    const life = { ended: 0 }
    const [far, near] = [await host(2, () => endless(life)), await host(1, () => endless({ ended: 0 }))]
    const [broken, whole] = [far.askStream<number>('go'), near.askStream<number>('go')]
    await Promise.all([broken.next(), whole.next()])
    const left = event(systems[0], 'memberLeft', ({ member }) => member.nodeId === systems[2].nodeId)
    cables[1]!.cut()
    await left
    expect(await outcomeOf(collect(broken))).toMatchObject({ code: 'unreachable' })
    await until(() => life.ended === 1)
    expect((await whole.next()).value).toBe(1)
    await whole.cancel()
    await until(() => systems.every((system) => system.census().streams === 0))
  })

  test('a ReadableStream given to an actor two links away arrives as one, and is read from where it is', async () => {
    const { host } = await chain()
    const ref = await host(2, async (msg) => {
      const { body } = msg.toObject<{ body: ReadableStream<Uint8Array<ArrayBuffer>> }>()
      return [body instanceof ReadableStream, await new Response(body).text()]
    })
    expect(await ref.ask({ body: new Response('over two links').body })).toEqual([true, 'over two links'])
  })
})

test('a session that ends while streams are opened leaves none behind, on either side', async () => {
  const lab = new Lab()
  const life = { ended: 0 }
  const ref = await lab.b.host(() => endless(life))
  const readers: StreamReader<number>[] = []
  for (let i = 0; i < 20; i++) readers.push(ref.askStream<number>('go'))
  const reads = readers.map((reader) => outcomeOf(reader.next()))
  await until(() => lab.b.sent.filter(isKind('reply')).length >= 5)
  lab.b.association.reset(new SessionResetError('cut'))
  for (const read of await Promise.all(reads))
    expect(read instanceof SessionResetError || (read as IteratorResult<number>).value === 0).toBe(true)
  await settle()
  for (const reader of readers)
    expect(await outcomeOf(collect(reader))).toSatisfy((end) => end instanceof SessionResetError || Array.isArray(end))
  await until(() => lab.isClean)
  await settle()
  expect(lab.b.runtime.census().streams).toBe(0)
})

/** Links that are cut, at any byte, and come back: nobody who talks over them notices. */
import { type ActorSystem, type Message, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import { link, Nodes } from '../cluster/memory-nodes.ts'
import type { Counted } from './cut-line.ts'
import { Relinked } from './cut-line.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

/** The nodes that talk, and the two whose link is cut. */
interface Scene {
  readonly asker: ActorSystem
  readonly answerer: ActorSystem
  readonly cutBetween: readonly [ActorSystem, ActorSystem]
}

/** Time stands still: whatever goes on does so without waiting. */
const STILL = SystemConfig.standalone().withClock(new ManualClock())

const SCENES: Record<string, () => Promise<Scene>> = {
  'their link': async () => {
    const [a, b] = [await nodes.start(STILL), await nodes.start(STILL)]
    return { asker: a, answerer: b, cutBetween: [a, b] }
  },
  'the near of two links between them': async () => {
    const [a, relay, b] = [await nodes.start(STILL), await nodes.start(STILL), await nodes.start(STILL)]
    await link(relay, b)
    return { asker: a, answerer: b, cutBetween: [a, relay] }
  },
  'the far of two links between them': async () => {
    const [a, relay, b] = [await nodes.start(STILL), await nodes.start(STILL), await nodes.start(STILL)]
    await link(a, relay)
    return { asker: a, answerer: b, cutBetween: [relay, b] }
  },
}

describe.each(Object.keys(SCENES))('a cut of %s', (scene) => {
  const ways: readonly Counted[] = ['there', 'back']
  test.each(scene === 'their link' ? [...ways, 'there and back' as const] : ways)(
    'after any number of bytes %s: question, answer and message arrive once, in order',
    async (counted) => {
      const { asker, answerer, cutBetween } = await SCENES[scene]!()
      const relinked = new Relinked(...cutBetween)
      await relinked.linked()
      const got: string[] = []
      const receive = (msg: Message): string => {
        got.push(msg.toObject())
        return `${msg.toObject()} of course`
      }
      await answerer.spawn({ receive }, 'answerer', { public: true })
      const ref = await asker.resolve('answerer')
      await ref.ask('warm')
      let bytes = 0
      for (let cuts = -1; cuts < relinked.cuts; bytes++) {
        cuts = relinked.cuts
        got.length = 0
        relinked.line.cutAfter(bytes, counted)
        const answer = await ref.ask('question')
        await ref.tell('message')
        const last = await ref.ask('last')
        relinked.line.cutAfter(Infinity)
        await relinked.linked()
        expect([answer, last], `cut after ${bytes} bytes`).toEqual(['question of course', 'last of course'])
        expect(got, `cut after ${bytes} bytes`).toEqual(['question', 'message', 'last'])
      }
      // The last one was not cut at all: every byte before was.
      expect(relinked.cuts).toBe(bytes - 1)
      expect(bytes).toBeGreaterThan(70)
    },
    30_000,
  )

  test.each(ways)(
    'after any number of bytes %s: a stream goes on',
    async (counted) => {
      const { asker, answerer, cutBetween } = await SCENES[scene]!()
      const relinked = new Relinked(...cutBetween)
      await relinked.linked()
      await answerer.spawn({ receive: (msg: Message) => countTo(msg.toObject()) }, 'counter', { public: true })
      const ref = await asker.resolve('counter')
      let bytes = 0
      for (let cuts = -1; cuts < relinked.cuts; bytes += 5) {
        cuts = relinked.cuts
        relinked.line.cutAfter(bytes, counted)
        const got: number[] = []
        for await (const item of ref.askStream<number>(20)) got.push(item)
        relinked.line.cutAfter(Infinity)
        await relinked.linked()
        expect(got, `cut after ${bytes} bytes`).toEqual(Array.from({ length: 20 }, (_, i) => i))
      }
      expect(relinked.cuts).toBeGreaterThan(10)
      expect([asker.census().streams, answerer.census().streams]).toEqual([0, 0])
    },
    30_000,
  )
})

describe('more than 100 random cuts', () => {
  const TELLS = 100_000
  const STREAMS = 20
  const ITEMS = 500
  /** Bytes that arrive over one link at most. */
  const MAX_BYTES = 80_000

  test.each(['direct', 'through a relay'])(
    'during 100 000 messages and 20 streams, %s: everything arrives once, in order',
    async (way) => {
      const random = seededRandom(process.env['SEED'] ?? 7)
      const [a, b] = [await nodes.start(), await nodes.start()]
      const relay = way === 'direct' ? undefined : await nodes.start()
      if (relay) await link(relay, b)
      const relinked = new Relinked(a, relay ?? b, (line) => line.cutAfter(random.int(MAX_BYTES)))
      const sink = new Sink()
      await Promise.all([a, b].map((system) => system.spawn({ receive: give }, 'giver', { public: true })))
      await b.spawn(sink, 'sink', { public: true })
      await relinked.linked()
      const ref = await a.resolve('sink')

      const streams = Array.from({ length: STREAMS }, async (_, i) => {
        const [here, there] = i % 2 ? [a, b] : [b, a]
        const giver = await here.resolve('giver', { node: there.nodeId })
        const got: number[] = []
        for await (const item of giver.askStream<number>(ITEMS)) got.push(item)
        return got
      })
      for (let i = 0; i < TELLS; i++) await ref.tell(i)
      expect(await ref.ask('how many')).toBe(TELLS)
      expect(sink.outOfOrder).toEqual([])
      for (const got of await Promise.all(streams)) expect(got).toEqual(Array.from({ length: ITEMS }, (_, i) => i))
      expect(relinked.cuts, `seed ${random.seed}`).toBeGreaterThanOrEqual(100)
      expect([a.census().streams, b.census().streams]).toEqual([0, 0])
    },
    60_000,
  )
})

async function* countTo(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) yield i
}

function give(msg: Message): AsyncGenerator<number> {
  return countTo(msg.toObject())
}

/** Counts numbers that come one after the other, and remembers those that do not. */
class Sink {
  next = 0
  readonly outOfOrder: unknown[] = []

  receive(msg: Message): number {
    const item = msg.toObject()
    if (item === 'how many') return this.next
    if (item === this.next) this.next++
    else this.outOfOrder.push(item)
    return 0
  }
}

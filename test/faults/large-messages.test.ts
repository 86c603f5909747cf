/** A message of 100 MB between one pair of actors: others are answered while it travels, and no cut breaks it. */
import { type ActorRef, type ActorSystem, Message } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { Network, PROMPT } from './networks.ts'
import { asks, complaints, expectAll, tells, upTo, witnessOf } from './witness.ts'

const MB = 1_000_000
const LARGE_BYTES = 100 * MB
const CONFIG = PROMPT.withLimits({ maxMessageBytes: 128 * MB })

const network = new Network()
afterEach(() => network.stop())

/** Bytes of which every megabyte is another. */
function pattern(length: number): Uint8Array {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += MB) bytes.fill(`${at} of ${length}.`, at)
  return bytes
}

/** A public actor that says how many bytes it got, and whether they are those of the pattern; a ref to it. */
async function scales(host: ActorSystem, caller: ActorSystem): Promise<ActorRef> {
  const receive = (msg: Message): unknown => {
    const bytes = msg.toObject<Uint8Array>()
    return [bytes.byteLength, Buffer.compare(bytes, pattern(bytes.byteLength)) === 0]
  }
  await host.spawn({ receive }, 'scales', { public: true })
  return caller.resolve('scales')
}

/** Asks one after the other while `isOn`; how long each took, in milliseconds, the shortest first. */
async function latencies(ref: ActorRef, isOn: () => boolean): Promise<number[]> {
  const took: number[] = []
  for (let n = 0; isOn(); n++) {
    const before = performance.now()
    expect((await ref.ask(Message.fromObject('ask', { n }))).toObject()).toBe(n)
    took.push(performance.now() - before)
  }
  return took.sort((x, y) => x - y)
}

const at = (sorted: readonly number[], share: number): string =>
  sorted[Math.floor((sorted.length - 1) * share)]!.toFixed(2)

describe('a message of 100 MB', () => {
  test('leaves others time to be answered while it travels, hundreds of times, and arrives intact', {
    timeout: 60_000,
  }, async () => {
    const { addr } = await network.relay()
    const [a, b] = [await network.leaf(addr, CONFIG), await network.leaf(addr, CONFIG)]
    const [, atA] = await witnessOf(a, b)
    const heard = complaints(a, b)
    const ref = await scales(a, b)
    let left = 2_000
    await latencies(atA, () => left-- > 1_500)
    const quiet = await latencies(atA, () => left-- > 0)
    let isTravelling = true
    const large = pattern(LARGE_BYTES)
    const weighed = ref.ask(large, { timeout: Infinity }).finally(() => (isTravelling = false))
    const busy = await latencies(atA, () => isTravelling)
    expect(await weighed).toEqual([LARGE_BYTES, true])
    console.log(
      `asks beside a message of 100 MB: ${busy.length}, p50 ${at(busy, 0.5)} ms, p99 ${at(busy, 0.99)} ms, longest ${at(busy, 1)} ms; quiet: p50 ${at(quiet, 0.5)} ms, p99 ${at(quiet, 0.99)} ms`,
    )
    expect(busy.length).toBeGreaterThan(300)
    expect(heard).toEqual([])
  })

  test('cut in the middle, on its way there and on its way back, goes on where it was', {
    timeout: 60_000,
  }, async () => {
    const { a, b, nearA, nearB, witnessA, atA } = await network.pair({ a: CONFIG, b: CONFIG })
    const heard = complaints(a, b)
    const ref = await scales(a, b)
    const before = nearB.passed.up
    const weighed = ref.ask(pattern(LARGE_BYTES), { timeout: Infinity })
    const meanwhile = Promise.all([tells(atA, 200), asks(atA, 100)])
    await nearB.cutAfter(LARGE_BYTES / 3, 'up', 'rst')
    await nearA.cutAfter(LARGE_BYTES / 3, 'down', 'fin')
    expect(await weighed).toEqual([LARGE_BYTES, true])
    await meanwhile
    // Not from its beginning: what went again is what was on its way.
    expect(nearB.passed.up - before).toBeLessThan(LARGE_BYTES * 1.1)

    await a.spawn({ receive: () => pattern(LARGE_BYTES) }, 'giver', { public: true })
    const given = (await b.resolve('giver')).ask<Uint8Array>('all', { timeout: Infinity })
    await nearB.cutAfter(LARGE_BYTES / 2, 'down', 'rst')
    expect(Buffer.compare(await given, pattern(LARGE_BYTES))).toBe(0)
    await witnessA.hasHeard(200)
    expectAll(witnessA, 200, 100)
    expect(heard).toEqual([])
  })

  test('keeps its order: what the same caller tells the same actor afterwards comes behind it, over any cut', {
    timeout: 60_000,
  }, async () => {
    const { a, b, nearB } = await network.pair({ a: CONFIG, b: CONFIG })
    const heard = complaints(a, b)
    const got: number[] = []
    await a.spawn({ receive: (msg) => void got.push(msg.toObject<Uint8Array>().byteLength) }, 'queue', { public: true })
    const ref = await b.resolve('queue')
    const sizes = upTo(10).map((n) => (n % 2 === 0 ? 4 * MB + n : n))
    const told = sizes.map((size) => ref.tell(new Uint8Array(size)))
    for (let cut = 0; cut < 4; cut++) await nearB.cutAfter(3 * MB, 'up', 'rst')
    await Promise.all(told)
    await ref.ask(new Uint8Array(0))
    expect(got).toEqual([...sizes, 0])
    expect(heard).toEqual([])
  })
})

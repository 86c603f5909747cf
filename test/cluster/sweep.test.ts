/** Which relay is asked for a sign of life, when, with links that are nothing but what they were asked. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { CONFIRM_MS, LATE_MS, SWEEP_EVERY_MS, Sweep, type SweptLink } from '../../src/cluster/sweep.ts'
import { RELAY_PATIENCE } from '../../src/link/heartbeat.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'

let clock: ManualClock
let links: FakeLink[]

beforeEach(() => {
  clock = new ManualClock()
  links = []
})

/** A link that answers at once, or never. */
class FakeLink implements SweptLink {
  heardAt: number
  probedAt: number | undefined
  answers = true
  readonly asked: { readonly at: number; readonly answerMs: number | undefined }[] = []

  constructor(silentMs = 0) {
    this.heardAt = clock.now() - silentMs
  }

  probe(answerMs?: number): void {
    this.asked.push({ at: clock.now(), answerMs })
    if (this.answers) this.heardAt = clock.now()
    else this.probedAt ??= clock.now()
  }
}

function sweepOf(count: number, seed: string | number = 0): Sweep {
  links = Array.from({ length: count }, () => new FakeLink())
  return new Sweep({ clock, random: seededRandom(seed), links: () => links })
}

const askedTimes = (): number[] => links.flatMap(({ asked }) => asked.map(({ at }) => at)).sort((a, b) => a - b)

describe('in turn', () => {
  test.each([2, 12, 50])('one of %d relays is asked at a time, however many there are', (count) => {
    sweepOf(count)
    clock.advance(3_600_000)
    const times = askedTimes()
    expect(times.length).toBeLessThanOrEqual(3_600_000 / SWEEP_EVERY_MS)
    expect(times.length).toBeGreaterThanOrEqual((3_600_000 / SWEEP_EVERY_MS) * 0.99 - count)
    for (const [i, at] of times.entries()) if (i > 0) expect(at - times[i - 1]!).toBeGreaterThan(SWEEP_EVERY_MS - 1)
    for (const { asked } of links)
      expect(asked.every(({ answerMs }) => answerMs === RELAY_PATIENCE.answerMs)).toBe(true)
  })

  test.each([0, 1, 2, 3, 4])('none is left out: each has its turn in every two rounds, by seed %d', (seed) => {
    const count = 12
    sweepOf(count, seed)
    clock.advance(3_600_000)
    for (const { asked } of links)
      for (const [i, { at }] of asked.entries())
        expect(at - (asked[i - 1]?.at ?? 0)).toBeLessThanOrEqual(2 * count * SWEEP_EVERY_MS)
  })

  test('nobody is asked who was heard lately', () => {
    sweepOf(3)
    for (let passed = 0; passed < 60_000; passed += SWEEP_EVERY_MS / 4) {
      clock.advance(SWEEP_EVERY_MS / 4)
      for (const link of links.slice(1)) link.heardAt = clock.now()
    }
    expect(links.slice(1).flatMap(({ asked }) => asked)).toEqual([])
    expect(links[0]!.asked.length).toBeGreaterThan(20)
  })

  test('nobody is asked again who owes an answer', () => {
    sweepOf(3)
    links[0]!.answers = false
    clock.advance(60_000)
    expect(links[0]!.asked).toHaveLength(1)
    expect(links[1]!.asked.length).toBeGreaterThan(5)
  })

  test('two relays that began together do not go on asking the same ones together', () => {
    const orders = [1, 2].map((seed) => {
      sweepOf(12, seed)
      clock.advance(600_000)
      return links.map(({ asked }) => asked.length > 0 && Math.round(asked.at(-1)!.at / SWEEP_EVERY_MS)).join()
    })
    expect(orders[0]).not.toEqual(orders[1])
  })

  test('nobody is asked any more once it is closed', () => {
    const sweep = sweepOf(3)
    clock.advance(10_000)
    const before = askedTimes().length
    sweep.close()
    clock.advance(60_000)
    expect([askedTimes().length, clock.pending]).toEqual([before, 0])
  })
})

test('a relay another one lost is asked at once, and has less time to answer', () => {
  const sweep = sweepOf(3)
  sweep.doubt(links[2]!)
  expect(links.map(({ asked }) => asked)).toEqual([[], [], [{ at: 0, answerMs: CONFIRM_MS }]])
  expect(CONFIRM_MS).toBeLessThan(RELAY_PATIENCE.answerMs)
})

describe('how well the node itself is', () => {
  test('follows from its timers', () => {
    const late = new LateClock()
    const sweep = new Sweep({ clock: late, random: { float: () => 1 }, links: () => [] })
    late.pass(SWEEP_EVERY_MS + LATE_MS)
    expect(sweep.awareness.slack).toBe(1)
    late.pass(SWEEP_EVERY_MS + LATE_MS + 1)
    expect(sweep.awareness.slack).toBe(2)
  })

  test.each([
    ['several owe an answer, and nobody was heard since they were asked', 3, false, 3],
    ['several owe an answer, and somebody was heard', 4, true, 1],
    ['one owes an answer', 1, false, 1],
  ])('%s', (_what, silent, isHeard, slack) => {
    const sweep = sweepOf(silent + (isHeard ? 1 : 0))
    for (const link of links.slice(0, silent)) link.answers = false
    clock.advance(2 * SWEEP_EVERY_MS)
    for (let passed = 0; passed < 60_000; passed += SWEEP_EVERY_MS / 2) {
      clock.advance(SWEEP_EVERY_MS / 2)
      if (isHeard) links.at(-1)!.heardAt = clock.now()
    }
    expect(sweep.awareness.slack).toBe(slack)
    for (const link of links) Object.assign(link, { answers: true, probedAt: undefined, heardAt: clock.now() })
    for (let passed = 0; passed < 60_000; passed += SWEEP_EVERY_MS) clock.advance(SWEEP_EVERY_MS)
    expect(sweep.awareness.slack).toBe(1)
  })
})

/** A clock whose one timer runs when the test says so, however late. */
class LateClock implements Clock {
  #now = 0
  #callback: (() => void) | undefined

  now(): number {
    return this.#now
  }
  setTimer(callback: () => void): ReturnType<Clock['setTimer']> {
    this.#callback = callback
    return { cancel: () => undefined, hold: () => undefined }
  }
  afterTurn(): void {}
  pass(ms: number): void {
    this.#now += ms
    this.#callback!()
  }
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CHECK_EVERY_MS,
  GONE_AFTER_MS,
  Heartbeat,
  PROBE_AFTER_MS,
  RELAY_PATIENCE,
  SUSPENDED_AFTER_MS,
} from '../../src/link/heartbeat.ts'

/** Checks every {@link CHECK_EVERY_MS} from `from` to `to`; verdicts by time. */
function watch(heartbeat: Heartbeat, from: number, to: number): Record<string, number[]> {
  const verdicts: Record<string, number[]> = { alive: [], probe: [], gone: [] }
  for (let now = from; now <= to; now += CHECK_EVERY_MS) verdicts[heartbeat.check(now)]!.push(now)
  return verdicts
}

describe('Heartbeat', () => {
  test('silence is probed once at 15 s, and is the end at 40 s', () => {
    const { probe, gone } = watch(new Heartbeat(0), CHECK_EVERY_MS, GONE_AFTER_MS)
    expect(probe).toEqual([PROBE_AFTER_MS])
    expect(gone).toEqual([GONE_AFTER_MS])
  })

  test('whatever is heard starts the count anew', () => {
    const heartbeat = new Heartbeat(0)
    watch(heartbeat, CHECK_EVERY_MS, GONE_AFTER_MS - CHECK_EVERY_MS)
    heartbeat.heard(GONE_AFTER_MS - 1)
    const { probe, gone } = watch(heartbeat, GONE_AFTER_MS, GONE_AFTER_MS - 1 + GONE_AFTER_MS)
    expect(probe).toHaveLength(1)
    expect(gone).toEqual([])
  })

  test('one whose platform answers every probe, and whose program is silent, is suspended after 25 s, and never gone', () => {
    const heartbeat = new Heartbeat(0)
    const suspendedAt: number[] = []
    for (let now = CHECK_EVERY_MS; now <= 20 * GONE_AFTER_MS; now += CHECK_EVERY_MS) {
      const verdict = heartbeat.check(now)
      expect(verdict).not.toBe('gone')
      if (verdict === 'probe') heartbeat.answered(now + 20)
      if (heartbeat.isSuspended) suspendedAt.push(now)
    }
    expect(suspendedAt[0]).toBe(SUSPENDED_AFTER_MS)
    expect(suspendedAt).toHaveLength((20 * GONE_AFTER_MS - SUSPENDED_AFTER_MS) / CHECK_EVERY_MS + 1)
    heartbeat.heard(20 * GONE_AFTER_MS + 1)
    expect(heartbeat.isSuspended).toBe(false)
    watch(heartbeat, 20 * GONE_AFTER_MS + CHECK_EVERY_MS, 20 * GONE_AFTER_MS + PROBE_AFTER_MS)
    expect(heartbeat.isSuspended).toBe(false)
  })

  test('one whose platform falls silent too is gone 40 s after its last answer', () => {
    const heartbeat = new Heartbeat(0)
    for (let now = CHECK_EVERY_MS; now < PROBE_AFTER_MS; now += CHECK_EVERY_MS) heartbeat.check(now)
    expect(heartbeat.check(PROBE_AFTER_MS)).toBe('probe')
    heartbeat.answered(PROBE_AFTER_MS)
    const { gone } = watch(heartbeat, PROBE_AFTER_MS + CHECK_EVERY_MS, PROBE_AFTER_MS + GONE_AFTER_MS)
    expect(gone).toEqual([PROBE_AFTER_MS + GONE_AFTER_MS])
  })

  test('an answer that came before the probe counts for nothing', () => {
    const heartbeat = new Heartbeat(0)
    heartbeat.answered(1)
    const { gone } = watch(heartbeat, CHECK_EVERY_MS, 2 * GONE_AFTER_MS)
    expect(heartbeat.isSuspended).toBe(false)
    expect(gone?.[0]).toBe(GONE_AFTER_MS + CHECK_EVERY_MS)
  })

  test('after a sleep of its own a node probes first and waits for the answer, however long it slept', () => {
    for (const slept of [60_000, 3_600_000, 8 * 3_600_000]) {
      for (const awake of [0, PROBE_AFTER_MS, GONE_AFTER_MS - CHECK_EVERY_MS]) {
        const heartbeat = new Heartbeat(0)
        watch(heartbeat, CHECK_EVERY_MS, awake)
        const woken = awake + slept
        expect(heartbeat.check(woken)).toBe('probe')
        const { gone } = watch(heartbeat, woken + CHECK_EVERY_MS, woken + PROBE_AFTER_MS)
        expect(gone).toEqual([woken + PROBE_AFTER_MS])
      }
    }
  })

  test('a neighbour that answers every probe within 10 s is never gone', () => {
    const step = fc.record({
      lateMs: fc.integer({ min: 0, max: 100_000 }),
      answerMs: fc.integer({ min: 0, max: 10_000 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heartbeat = new Heartbeat(0)
        let now = 0
        let answerAt = Infinity
        for (const { lateMs, answerMs } of steps) {
          now += CHECK_EVERY_MS + lateMs
          // What arrived while this node slept is delivered before or after the late check; here, the worst: after.
          const isAnswered = answerAt <= now - lateMs
          if (isAnswered) {
            heartbeat.heard(now)
            answerAt = Infinity
          }
          const verdict = heartbeat.check(now)
          expect(verdict).not.toBe('gone')
          if (verdict === 'probe') answerAt = Math.min(answerAt, now + answerMs)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('the heartbeat of a link between relays', () => {
  const { probeAfterMs, owedAfterMs, answerMs, goneAfterMs, checkEveryMs } = RELAY_PATIENCE
  /** Of one that was last heard at 0. */
  function betweenRelays(): Heartbeat {
    const heartbeat = new Heartbeat(0)
    heartbeat.patience = RELAY_PATIENCE
    return heartbeat
  }
  /** Verdicts other than `alive`, by time, up to the first `gone`. */
  function verdicts(heartbeat: Heartbeat, from: number, to: number, slack?: number): string[] {
    const all: string[] = []
    for (let now = from; now <= to; now += checkEveryMs) {
      const verdict = heartbeat.check(now, slack)
      if (verdict !== 'alive') all.push(`${verdict} ${now}`)
      if (verdict === 'gone') break
    }
    return all
  }

  test('that nobody asks for anything accuses nobody before it probed by itself, and is half open for at most 45 s', () => {
    const heartbeat = betweenRelays()
    expect(verdicts(heartbeat, checkEveryMs, 60_000)).toEqual([
      `probe ${probeAfterMs}`,
      `gone ${probeAfterMs + answerMs}`,
    ])
    expect(probeAfterMs + answerMs + 2 * checkEveryMs).toBeLessThan(45_000)
  })

  test('over which something was sent probes after 2 s of silence, and has died after 6', () => {
    const heartbeat = betweenRelays()
    heartbeat.spoke()
    expect(verdicts(heartbeat, checkEveryMs, 60_000)).toEqual([`probe ${owedAfterMs}`, `gone ${goneAfterMs}`])
  })

  test('whatever is heard settles what was owed', () => {
    const heartbeat = betweenRelays()
    heartbeat.spoke()
    heartbeat.heard(owedAfterMs - 1)
    expect(verdicts(heartbeat, owedAfterMs, probeAfterMs)).toEqual([])
  })

  test('that the owner asked for an answer has died without one in time, and is asked once', () => {
    const heartbeat = betweenRelays()
    verdicts(heartbeat, checkEveryMs, 20_000)
    expect([heartbeat.ask(20_000, answerMs), heartbeat.ask(20_500, answerMs)]).toEqual([true, false])
    expect(heartbeat.probedAt).toBe(20_000)
    expect(verdicts(heartbeat, 20_500, 60_000)).toEqual([`gone ${20_000 + answerMs}`])
  })

  test('asked again in more of a hurry has that much time from then on, and never more than it had', () => {
    for (const [againAt, goneAt] of [
      [20_500, 22_000],
      [22_500, 23_000],
    ] as const) {
      const heartbeat = betweenRelays()
      verdicts(heartbeat, checkEveryMs, 20_000)
      heartbeat.ask(20_000, 3_000)
      heartbeat.ask(againAt, 1_500)
      expect(verdicts(heartbeat, 20_500, 60_000)).toEqual([`gone ${goneAt}`])
    }
  })

  test('that was heard a moment before it was asked has not died before 6 s of silence', () => {
    const heartbeat = betweenRelays()
    heartbeat.ask(0, 1_500)
    expect(verdicts(heartbeat, checkEveryMs, 60_000)).toEqual([`gone ${goneAfterMs}`])
  })

  test('an answer settles the question', () => {
    const heartbeat = betweenRelays()
    heartbeat.ask(1_000, answerMs)
    heartbeat.heard(1_200)
    expect(heartbeat.probedAt).toBeUndefined()
    expect(verdicts(heartbeat, 1_500, probeAfterMs)).toEqual([])
  })

  test('of a node that is not well waits as many times longer', () => {
    const heartbeat = betweenRelays()
    verdicts(heartbeat, checkEveryMs, 20_000)
    heartbeat.ask(20_000, answerMs)
    expect(verdicts(heartbeat, 20_500, 60_000, 3)).toEqual([`gone ${20_000 + 3 * answerMs}`])
  })

  test('of a node that was away for more than a second asks again, and gives the usual time', () => {
    const heartbeat = betweenRelays()
    verdicts(heartbeat, checkEveryMs, 20_000)
    heartbeat.ask(20_000, 1_500)
    const woken = 20_000 + checkEveryMs + 1_001
    expect(verdicts(heartbeat, woken, 60_000)).toEqual([`probe ${woken}`, `gone ${woken + answerMs}`])
  })

  test('a neighbour that answers every probe in time is never gone, whatever is sent, asked and slept through', () => {
    const step = fc.record({
      lateMs: fc.oneof(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 100_000 })),
      answerMs: fc.integer({ min: 0, max: 1_400 }),
      isSpoken: fc.boolean(),
      asks: fc.constantFrom(undefined, 1_500, answerMs),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heartbeat = betweenRelays()
        let now = 0
        let answerAt = Infinity
        for (const { lateMs, answerMs: takesMs, isSpoken, asks } of steps) {
          const dueAt = now + checkEveryMs
          now = dueAt + lateMs
          // What came while this node was away for long is there only after the late check; of what came before, it knows.
          if (answerAt <= (lateMs > 1_000 ? dueAt : now)) {
            heartbeat.heard(answerAt)
            answerAt = Infinity
          }
          const verdict = heartbeat.check(now)
          expect(verdict).not.toBe('gone')
          if (isSpoken) heartbeat.spoke()
          if (verdict === 'probe' || (asks !== undefined && heartbeat.ask(now, asks)))
            answerAt = Math.min(answerAt, now + takesMs)
        }
      }),
      { numRuns: 500 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CHECK_EVERY_MS,
  GONE_AFTER_MS,
  Heartbeat,
  PROBE_AFTER_MS,
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

/** How much of large messages is on its way: as much as the way takes, whatever its length, and little that waits on it. */
import { describe, expect, test } from 'vitest'
import { BulkWindow, MAX_BULK_BYTES, MIN_BULK_BYTES } from '../../src/remote/bulk-window.ts'

const PART_BYTES = 32 * 1024

/**
 * A way of so many bytes a millisecond and so many milliseconds there and back, which a sender keeps as full as its window
 * says; what is underway when it has settled, and how long the last part took.
 */
function settle({ bytesPerMs, roundTripMs }: { bytesPerMs: number; roundTripMs: number }) {
  const window = new BulkWindow()
  const underway: { seq: number; arrivesAt: number; sentAt: number }[] = []
  let now = 0
  let freeAt = 0
  let tookMs = 0
  for (let seq = 1; seq < 5000; ) {
    while ((underway.length + 1) * PART_BYTES <= window.bytes) {
      freeAt = Math.max(freeAt, now) + PART_BYTES / bytesPerMs
      window.sent(seq, now)
      underway.push({ seq: seq++, arrivesAt: freeAt + roundTripMs, sentAt: now })
    }
    const next = underway.shift()!
    now = next.arrivesAt
    tookMs = now - next.sentAt
    window.acknowledged(next.seq, now)
  }
  return { bytes: window.bytes, tookMs, ratePerMs: ((underway.length + 1) * PART_BYTES) / tookMs }
}

describe('a window for large messages', () => {
  test.each([
    ['a short and fast way', { bytesPerMs: 300_000, roundTripMs: 0.2 }],
    ['a slow one', { bytesPerMs: 1_000, roundTripMs: 5 }],
    ['a very slow one', { bytesPerMs: 20, roundTripMs: 50 }],
  ])('of %s stays small: little waits there', (_what, way) => {
    const { bytes, tookMs } = settle(way)
    const emptyMs = way.roundTripMs + PART_BYTES / way.bytesPerMs
    expect(bytes).toBeLessThan(384 * 1024)
    // At most what so many parts more take.
    expect(tookMs).toBeLessThan(emptyMs + (8 * PART_BYTES) / way.bytesPerMs)
  })

  test('of a long and fast way is as large as it may be', () => {
    expect(settle({ bytesPerMs: 100_000, roundTripMs: 100 }).bytes).toBe(MAX_BULK_BYTES)
  })

  test('of a way in between holds what that takes: the way is busy', () => {
    const way = { bytesPerMs: 10_000, roundTripMs: 30 }
    const { bytes, ratePerMs } = settle(way)
    expect(bytes).toBeGreaterThan(0.8 * way.bytesPerMs * way.roundTripMs)
    expect(bytes).toBeLessThan(way.bytesPerMs * way.roundTripMs * 2)
    expect(ratePerMs).toBeGreaterThan(0.7 * way.bytesPerMs)
  })

  test('follows a way that becomes another', () => {
    const window = new BulkWindow()
    let seq = 0
    const pass = (times: number, ms: number): void => {
      for (let i = 0; i < times; i++) {
        window.sent(++seq, seq * 1000)
        window.acknowledged(seq, seq * 1000 + ms)
      }
    }
    pass(100, 1)
    expect(window.bytes).toBe(MAX_BULK_BYTES)
    pass(100, 50)
    expect(window.bytes).toBeLessThan(3 * MIN_BULK_BYTES)
    // The short time is forgotten after a while.
    pass(5000, 50)
    expect(window.bytes).toBe(MAX_BULK_BYTES)
  })

  test('measures nothing by what was not sent in parts, nor by what took no time', () => {
    const window = new BulkWindow()
    window.acknowledged(10, 5)
    expect(window.bytes).toBe(MIN_BULK_BYTES)
    window.sent(11, 5)
    window.acknowledged(11, 5)
    window.sent(12, 5)
    window.acknowledged(12, 6)
    expect([window.bytes >= MIN_BULK_BYTES, window.bytes <= MAX_BULK_BYTES]).toEqual([true, true])
  })
})

/** How fast large messages leave: at once where nothing else is sent, and at a bounded rate beside small messages. */
import { describe, expect, test } from 'vitest'
import { BESIDE_BYTES_PER_MS, BURST_BYTES, LATELY_MS, Pace } from '../../src/remote/pace.ts'
import { PART_BYTES } from '../../src/remote/transfers.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { Lab, settle, until } from './lab.ts'

const BIG = 1024 * 1024
const SMALL = 100

/** A sender of parts, one after the other; the bytes that have left. */
function sender(pace: Pace) {
  const run = { bytes: 0, isOver: false }
  const send = async (): Promise<void> => {
    while (!run.isOver) {
      run.bytes += PART_BYTES
      pace.partSent(PART_BYTES)
      await pace.rest()
    }
  }
  void send()
  return run
}

describe('large messages', () => {
  test('wait for nothing but their turn where nothing else is sent', async () => {
    const run = sender(new Pace(new ManualClock()))
    await until(() => run.bytes >= 16 * BIG)
    run.isOver = true
  })

  test('leave at a bounded rate beside small ones, after a burst, and as fast as before a while later', async () => {
    const clock = new ManualClock()
    const pace = new Pace(clock)
    pace.sent(SMALL)
    const run = sender(pace)
    await until(() => run.bytes >= BURST_BYTES)
    for (let ms = 0; ms < LATELY_MS; ms++) {
      await settle()
      expect(run.bytes - BURST_BYTES).toBeLessThanOrEqual((ms + 2) * BESIDE_BYTES_PER_MS)
      expect(run.bytes - BURST_BYTES).toBeGreaterThan((ms - 2) * BESIDE_BYTES_PER_MS)
      clock.advance(1)
    }
    await until(() => run.bytes >= 16 * BIG)
    run.isOver = true
  })

  test('are not slowed down by each other', async () => {
    const pace = new Pace(new ManualClock())
    pace.sent(64 * 1024)
    const run = sender(pace)
    await until(() => run.bytes >= 16 * BIG)
    run.isOver = true
  })

  test('go on where a small one is sent, however late timers are', async () => {
    const clock = new ManualClock()
    const lazy = Object.assign(Object.create(clock) as ManualClock, {
      now: () => clock.now(),
      setTimer: () => undefined,
    })
    const pace = new Pace(lazy)
    pace.sent(SMALL)
    const run = sender(pace)
    await until(() => run.bytes >= BURST_BYTES)
    await settle()
    const before = run.bytes
    pace.sent(SMALL)
    await settle()
    expect(run.bytes).toBe(before)
    clock.advance(10)
    pace.sent(SMALL)
    await settle(20)
    expect(run.bytes - before).toBeGreaterThanOrEqual(10 * BESIDE_BYTES_PER_MS)
    expect(run.bytes - before).toBeLessThanOrEqual(12 * BESIDE_BYTES_PER_MS)
    run.isOver = true
  })

  test('to one node rest beside small ones to another, and arrive', async () => {
    const lab = new Lab({ maxMessageBytes: 8 * BIG })
    const echo = await lab.a.host((msg) => msg.toObject())
    const scales = await lab.b.host((msg) => msg.toObject<Uint8Array>().byteLength)
    let weight: number | undefined
    expect(await echo.ask(1)).toBe(1)
    void scales.ask<number>(new Uint8Array(8 * BIG)).then((bytes) => {
      weight = bytes
    })
    lab.a.peers.pace.sent(SMALL)
    await settle(400)
    expect(weight).toBeUndefined()
    for (let ms = 0; ms < (8 * BIG - BURST_BYTES) / BESIDE_BYTES_PER_MS; ms++) {
      lab.clock.advance(1)
      await settle()
    }
    await until(() => weight === 8 * BIG)
  })
})

/** Time on clocks of the test's, for nodes that speak over real sockets. */
import type { ManualClock } from 'pulsing/testkit'
import { CHECK_EVERY_MS } from '../../src/link/heartbeat.ts'
import type { TcpProxy } from './tcp-proxy.ts'
import { turns } from './witness.ts'

/** By when a half-open connection must have been noticed, in milliseconds. */
export const NOTICED_WITHIN_MS = 45_000
export const HOUR_MS = 3_600_000
/** Turns of the event loop that a probe and its answer get on loopback between two steps of the clocks. */
const STEP_TURNS = 200
/** A step of the clocks while somebody waits to dial, in milliseconds. */
const BACKOFF_STEP_MS = 100

/** Time passes, for all clocks alike, in steps that let sockets keep up, until `isOver`; the milliseconds it took. */
export async function passUntil(isOver: () => boolean, ...clocks: readonly ManualClock[]): Promise<number> {
  let passed = 0
  for (; !isOver(); passed += CHECK_EVERY_MS) {
    if (passed > HOUR_MS) throw new RangeError(`expected an end within ${passed} ms, got none`)
    for (const clock of clocks) clock.advance(CHECK_EVERY_MS)
    await turns(STEP_TURNS)
  }
  return passed
}

/** Time passes until a connection was asked for `count` times, backoff and all; what comes of it needs no time. */
export async function passUntilDialled(
  proxy: TcpProxy,
  count: number,
  ...clocks: readonly ManualClock[]
): Promise<void> {
  while (proxy.dialled < count) {
    for (const clock of clocks) clock.advance(BACKOFF_STEP_MS)
    await turns(5)
  }
}

/** Whether a promise is fulfilled. */
export function flag(happened: Promise<unknown>): () => boolean {
  let isSo = false
  void happened.then(() => (isSo = true))
  return () => isSo
}

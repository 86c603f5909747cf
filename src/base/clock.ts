/**
 * Time, as everything above `base` sees it: one monotonic reading and one way to wait. A manual clock in the testkit
 * implements the same two members, so that timers in tests move only when the test says so.
 */
import { macrotask } from './macrotask.ts'

/** A scheduled callback. */
export interface Timer {
  /** Prevents the callback from running; calling it twice, or after the callback ran, does nothing. */
  cancel(): void
  /** Whether this timer alone may keep a Node.js process alive (it does by default). No effect in browsers. */
  hold(keepsAlive: boolean): void
}

export interface Clock {
  /** Monotonic milliseconds from an arbitrary start; never wall-clock time. */
  now(): number
  /** Runs `callback` once, `delayMs` milliseconds from now. */
  setTimer(callback: () => void, delayMs: number): Timer
  /** Runs `callback` once, after the current turn of the event loop. */
  afterTurn(callback: () => void): void
}

/** The longest delay a platform timer holds; longer ones are armed again. */
const MAX_TIMER_MS = 2_147_483_647

class PlatformTimer implements Timer {
  #handle: ReturnType<typeof setTimeout> | undefined
  #keepsAlive = true

  constructor(callback: () => void, delayMs: number) {
    this.#arm(callback, delayMs)
  }

  #arm(callback: () => void, delayMs: number): void {
    const next = delayMs > MAX_TIMER_MS ? () => this.#arm(callback, delayMs - MAX_TIMER_MS) : callback
    this.#handle = setTimeout(next, Math.min(delayMs, MAX_TIMER_MS))
    if (!this.#keepsAlive) this.hold(false)
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }

  hold(keepsAlive: boolean): void {
    this.#keepsAlive = keepsAlive
    const handle = this.#handle as unknown as { ref?(): void; unref?(): void }
    if (keepsAlive) handle.ref?.()
    else handle.unref?.()
  }
}

/** The platform's own monotonic clock and timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (callback, delayMs) => new PlatformTimer(callback, delayMs),
  afterTurn: macrotask,
}

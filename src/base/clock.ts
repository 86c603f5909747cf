/**
 * Time, as everything above `base` sees it: one monotonic reading and one way to wait. A manual clock in the testkit
 * implements the same two members, so that timers in tests move only when the test says so.
 */

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
  /** Runs `callback` once, `delayMs` milliseconds from now (clamped to what a platform timer can hold). */
  setTimer(callback: () => void, delayMs: number): Timer
}

/** The longest delay a platform timer holds; longer waits must re-arm. */
export const MAX_TIMER_MS = 2_147_483_647

class PlatformTimer implements Timer {
  readonly #handle: ReturnType<typeof setTimeout>
  constructor(callback: () => void, delayMs: number) {
    this.#handle = setTimeout(callback, Math.min(delayMs, MAX_TIMER_MS))
  }
  cancel(): void {
    clearTimeout(this.#handle)
  }
  hold(keepsAlive: boolean): void {
    const handle = this.#handle as unknown as { ref?(): void; unref?(): void }
    if (keepsAlive) handle.ref?.()
    else handle.unref?.()
  }
}

/** The platform's own monotonic clock and timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (callback, delayMs) => new PlatformTimer(callback, delayMs),
}

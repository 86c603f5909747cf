/**
 * How fast large messages leave this node: as fast as their way takes them, and no faster than {@link BESIDE_BYTES_PER_MS}
 * for long while small ones are sent, too. Queues on the way, which a `BulkWindow` keeps short, are not all that small
 * ones wait for: bytes are copied, and their memory collected, on every node they pass.
 */
import type { Clock } from '../base/clock.ts'
import { macrotask } from '../base/macrotask.ts'

/** A message longer than this is no small one, in bytes. */
const MAX_SMALL_BYTES: number = 16 * 1024
/** Bytes of large messages that leave in a millisecond beside small ones. */
export const BESIDE_BYTES_PER_MS: number = 32 * 1024
/** Bytes of them that may leave at once, after as long a pause. */
export const BURST_BYTES: number = 4 * 1024 * 1024
/** How long after a small message another one is expected, in milliseconds. */
export const LATELY_MS = 100

export class Pace {
  readonly #clock: Clock
  #small = 0
  #smallSeen = 0
  #smallSeenAt = -Infinity
  /** When what has left would have left at that rate. */
  #dueAt = -Infinity
  /** Who waits for that. */
  #resting: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A message of so many bytes was sent. */
  sent(bytes: number): void {
    if (bytes > MAX_SMALL_BYTES) return
    this.#small++
    // Of a page in the background timers are late, messages are not.
    if (this.#resting.length > 0 && this.#clock.now() >= this.#dueAt) this.#wake()
  }

  /** So many bytes of a large message left. */
  partSent(bytes: number): void {
    const now = this.#clock.now()
    if (this.#small !== this.#smallSeen) {
      this.#smallSeen = this.#small
      this.#smallSeenAt = now
    }
    if (now - this.#smallSeenAt >= LATELY_MS) this.#dueAt = now
    else this.#dueAt = Math.max(this.#dueAt, now - BURST_BYTES / BESIDE_BYTES_PER_MS) + bytes / BESIDE_BYTES_PER_MS
  }

  /** Settles when more of large messages may leave: not before what else is to happen. */
  rest(): Promise<void> {
    const ms = this.#dueAt - this.#clock.now()
    return new Promise((resolve) => {
      // Timers are no finer than that.
      if (ms < 1) macrotask(resolve)
      else {
        this.#resting.push(resolve)
        this.#clock.setTimer(this.#wake, ms)
      }
    })
  }

  readonly #wake = (): void => {
    for (const resolve of this.#resting.splice(0)) resolve()
  }
}

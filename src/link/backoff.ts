/** How long to wait before trying again: full jitter, so that a thousand leaves of one relay do not return in one wave. */
import type { Random } from '../base/random.ts'

/** First and longest ceiling of the wait, in milliseconds. */
export const MIN_BACKOFF_MS = 100
export const MAX_BACKOFF_MS = 10_000
/** The shortest wait, in milliseconds: whatever chance says, nobody tries without pause. */
export const SHORTEST_WAIT_MS: number = MIN_BACKOFF_MS / 4

export class Backoff {
  readonly #random: Random
  #attempts = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** Milliseconds to wait before the next attempt: anywhere between {@link SHORTEST_WAIT_MS} and a ceiling that doubles. */
  next(): number {
    const ceiling = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** this.#attempts)
    if (ceiling < MAX_BACKOFF_MS) this.#attempts++
    return SHORTEST_WAIT_MS + (ceiling - SHORTEST_WAIT_MS) * this.#random.float()
  }

  /** An attempt succeeded. */
  reset(): void {
    this.#attempts = 0
  }
}

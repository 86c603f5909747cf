/**
 * When to probe a silent neighbour and when to call it gone. Pure: time comes in, a verdict goes out. Any byte received
 * counts as life. A node that was itself asleep probes before it accuses.
 */

/** Silence after which a probe is sent, in milliseconds. */
export const PROBE_AFTER_MS = 15_000
/** Silence after which the neighbour is gone, in milliseconds. */
export const GONE_AFTER_MS = 40_000
/** How often the verdict is asked for, in milliseconds. */
export const CHECK_EVERY_MS = 5_000

export type Verdict = 'alive' | 'probe' | 'gone'

export class Heartbeat {
  #heardAt: number
  #checkedAt: number
  #probedAt: number | undefined

  constructor(now: number) {
    this.#heardAt = now
    this.#checkedAt = now
  }

  /** Something was received. */
  heard(now: number): void {
    this.#heardAt = now
    this.#probedAt = undefined
  }

  /** What to do now. Expected every {@link CHECK_EVERY_MS}. */
  check(now: number): Verdict {
    const wasAsleep = now - this.#checkedAt > 3 * CHECK_EVERY_MS
    this.#checkedAt = now
    const silentMs = now - this.#heardAt
    if (silentMs < PROBE_AFTER_MS) return 'alive'
    if (this.#probedAt === undefined || wasAsleep) {
      this.#probedAt = now
      return 'probe'
    }
    if (silentMs >= GONE_AFTER_MS && now - this.#probedAt >= PROBE_AFTER_MS) return 'gone'
    return 'alive'
  }
}

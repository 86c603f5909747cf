/**
 * When to probe a silent neighbour, when to call it suspended and when gone. Pure: time comes in, a verdict goes out. Any
 * byte received counts as life. A neighbour whose platform answers, and whose program does not, is a page put aside, and
 * not gone. A node that was itself asleep probes before it accuses.
 */

/** Silence after which a probe is sent, in milliseconds. */
export const PROBE_AFTER_MS = 15_000
/** Silence after which the neighbour is gone, in milliseconds. */
export const GONE_AFTER_MS = 40_000
/** Silence after which a neighbour whose platform answers is suspended, in milliseconds. */
export const SUSPENDED_AFTER_MS = 25_000
/** How often the verdict is asked for, in milliseconds. */
export const CHECK_EVERY_MS = 5_000

/** How patient a side is. */
export interface Patience {
  readonly probeAfterMs: number
  readonly goneAfterMs: number
  readonly checkEveryMs: number
}

/** With a tab, whose timers browsers slow down, or any other leaf, and of a relay with its leaves. */
export const USUAL_PATIENCE: Patience = {
  probeAfterMs: PROBE_AFTER_MS,
  goneAfterMs: GONE_AFTER_MS,
  checkEveryMs: CHECK_EVERY_MS,
}
/** Of a leaf with its relay, which no browser slows down: asks that wait are to go on over another one before their time is up. */
export const LEAF_PATIENCE: Patience = { probeAfterMs: 8_000, goneAfterMs: 20_000, checkEveryMs: CHECK_EVERY_MS }
/** Between relays: ways are to lead around one that fell silent within seconds. */
export const RELAY_PATIENCE: Patience = { probeAfterMs: 2_000, goneAfterMs: 6_000, checkEveryMs: 1_000 }

export type Verdict = 'alive' | 'probe' | 'gone'

export class Heartbeat {
  patience: Patience = USUAL_PATIENCE
  #heardAt: number
  #checkedAt: number
  #probedAt: number | undefined
  /** When the platform at the other end last answered. */
  #answeredAt = -Infinity
  #isSuspended = false

  constructor(now: number) {
    this.#heardAt = now
    this.#checkedAt = now
  }

  /** Something was received. */
  heard(now: number): void {
    this.#heardAt = now
    this.#probedAt = undefined
    this.#isSuspended = false
  }

  /** The platform at the other end answered a probe; the program there need not know. */
  answered(now: number): void {
    this.#answeredAt = now
  }

  /** Whether the neighbour's platform answers, and its program does not. Known by the last {@link check}. */
  get isSuspended(): boolean {
    return this.#isSuspended
  }

  /** When something was last received. */
  get heardAt(): number {
    return this.#heardAt
  }

  /** What to do now. Expected every `patience.checkEveryMs`. */
  check(now: number): Verdict {
    const { probeAfterMs, goneAfterMs, checkEveryMs } = this.patience
    const wasAsleep = now - this.#checkedAt > 3 * checkEveryMs
    this.#checkedAt = now
    const silentMs = now - this.#heardAt
    if (silentMs < probeAfterMs) return 'alive'
    if (this.#probedAt === undefined || wasAsleep) {
      this.#probedAt = now
      return 'probe'
    }
    const isAnswered = this.#answeredAt >= this.#probedAt
    this.#isSuspended ||= isAnswered && silentMs >= SUSPENDED_AFTER_MS
    if (now - this.#probedAt < probeAfterMs) return 'alive'
    if (isAnswered) {
      this.#probedAt = now
      return 'probe'
    }
    return now - Math.max(this.#heardAt, this.#answeredAt) >= goneAfterMs ? 'gone' : 'alive'
  }
}

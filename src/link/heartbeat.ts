/**
 * When to probe a silent neighbour, when to call it suspended and when gone. Pure: time comes in, a verdict goes out. Any
 * byte received counts as life, and nobody is gone who was not asked first. A neighbour whose platform answers, and whose
 * program does not, is a page put aside, and not gone. A node that was itself asleep probes before it accuses.
 */

/** Silence after which a probe is sent, in milliseconds. */
export const PROBE_AFTER_MS = 15_000
/** Silence after which the neighbour is gone, in milliseconds. */
export const GONE_AFTER_MS = 40_000
/** Silence after which a neighbour whose platform answers is suspended, in milliseconds. */
export const SUSPENDED_AFTER_MS = 25_000
/** How often the verdict is asked for, in milliseconds. */
export const CHECK_EVERY_MS = 5_000

/** How patient a side is, in milliseconds. */
export interface Patience {
  /** Silence after which a probe is sent. */
  readonly probeAfterMs: number
  /** The same when something was sent since the last sign of life. */
  readonly owedAfterMs: number
  /** How long a probe may go unanswered. */
  readonly answerMs: number
  /** Silence, at least, before the neighbour is gone. */
  readonly goneAfterMs: number
  readonly checkEveryMs: number
}

/** With a tab, whose timers browsers slow down, or any other leaf, and of a relay with its leaves. */
export const USUAL_PATIENCE: Patience = {
  probeAfterMs: PROBE_AFTER_MS,
  owedAfterMs: PROBE_AFTER_MS,
  answerMs: PROBE_AFTER_MS,
  goneAfterMs: GONE_AFTER_MS,
  checkEveryMs: CHECK_EVERY_MS,
}
/** Of a leaf with its relay, which no browser slows down: asks that wait are to go on over another one before their time is up. */
export const LEAF_PATIENCE: Patience = {
  probeAfterMs: 8_000,
  owedAfterMs: 8_000,
  answerMs: 8_000,
  goneAfterMs: 20_000,
  checkEveryMs: CHECK_EVERY_MS,
}
/**
 * Between relays: ways are to lead around one that fell silent within seconds where something is sent to it. Where nothing
 * is, they probe in turns, one each at a time, see `Sweep`; a link neither of them got to, among very many, probes by itself.
 */
export const RELAY_PATIENCE: Patience = {
  probeAfterMs: 38_000,
  owedAfterMs: 2_000,
  answerMs: 3_000,
  goneAfterMs: 6_000,
  checkEveryMs: 500,
}

export type Verdict = 'alive' | 'probe' | 'gone'

export class Heartbeat {
  patience: Patience = USUAL_PATIENCE
  #heardAt: number
  #checkedAt: number
  /** When the neighbour was asked for the sign of life that is waited for, and how long that may take. */
  #probedAt: number | undefined
  #answerMs = 0
  /** Whether something was sent since the neighbour was last heard. */
  #isOwed = false
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
    this.#isOwed = false
    this.#isSuspended = false
  }

  /** Something was sent that is no heartbeat: whoever lives is heard sooner or later. */
  spoke(): void {
    this.#isOwed = true
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

  /** Since when a probe is unanswered. */
  get probedAt(): number | undefined {
    return this.#probedAt
  }

  /** The owner wants an answer within `answerMs`; whether a probe is to be sent for it, and not one under way already. */
  ask(now: number, answerMs: number): boolean {
    if (this.#probedAt !== undefined) {
      this.#answerMs = Math.min(this.#answerMs, now - this.#probedAt + answerMs)
      return false
    }
    this.#probedAt = now
    this.#answerMs = answerMs
    return true
  }

  /**
   * What to do now. Expected every `patience.checkEveryMs`.
   *
   * @param slack how many times longer than usual an answer may take
   */
  check(now: number, slack = 1): Verdict {
    const { probeAfterMs, owedAfterMs, answerMs, goneAfterMs, checkEveryMs } = this.patience
    const wasAsleep = now - this.#checkedAt > 3 * checkEveryMs
    this.#checkedAt = now
    const silentMs = now - this.#heardAt
    if (this.#probedAt === undefined) {
      if (silentMs < (this.#isOwed ? owedAfterMs : probeAfterMs)) return 'alive'
      this.ask(now, answerMs)
      return 'probe'
    }
    if (wasAsleep) {
      this.#probedAt = now
      this.#answerMs = answerMs
      return 'probe'
    }
    const isAnswered = this.#answeredAt >= this.#probedAt
    this.#isSuspended ||= isAnswered && silentMs >= SUSPENDED_AFTER_MS
    if (now - this.#probedAt < slack * this.#answerMs) return 'alive'
    if (isAnswered) {
      this.#probedAt = now
      return 'probe'
    }
    return now - Math.max(this.#heardAt, this.#answeredAt) >= goneAfterMs ? 'gone' : 'alive'
  }
}

/**
 * The states of a circuit breaker and what leads from one to the next. Pure: calls and their outcomes in, with the time
 * they happen at; whether a call may run, out. `circuit-breaker.ts` makes the calls.
 */

/**
 * `closed`: calls run. `open`: calls are refused. `half-open`: one call, the trial, runs and decides; all others are
 * refused.
 */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** How a call ended. `none`: in a way that says nothing about the other side. */
export type CircuitOutcome = 'succeeded' | 'failed' | 'none'

/** The right to make one call. */
export interface Admission {
  /** Transitions seen when it was given: an outcome from before the last one is out of date. */
  readonly epoch: number
}

export class Circuit {
  readonly #maxFailures: number
  readonly #resetTimeoutMs: number
  #failures = 0
  /** When it turns half-open; undefined while it is closed. */
  #openUntil: number | undefined
  #hasTrial = false
  #epoch = 0

  constructor(maxFailures: number, resetTimeoutMs: number) {
    this.#maxFailures = maxFailures
    this.#resetTimeoutMs = resetTimeoutMs
  }

  state(now: number): CircuitState {
    if (this.#openUntil === undefined) return 'closed'
    return now < this.#openUntil ? 'open' : 'half-open'
  }

  /** Milliseconds until the circuit is half-open; 0 when it is not open. */
  retryAfterMs(now: number): number {
    return Math.max(0, (this.#openUntil ?? now) - now)
  }

  /** Lets a call run, or refuses it. Every admission has to be settled once. */
  admit(now: number): Admission | undefined {
    const state = this.state(now)
    if (state === 'open' || (state === 'half-open' && this.#hasTrial)) return undefined
    if (state === 'half-open') this.#hasTrial = true
    return { epoch: this.#epoch }
  }

  /** Notes how a call ended. Calls that began before the last transition change nothing any more. */
  settle({ epoch }: Admission, outcome: CircuitOutcome, now: number): void {
    if (epoch !== this.#epoch) return
    const isTrial = this.#hasTrial
    this.#hasTrial = false
    if (outcome === 'succeeded') {
      this.#failures = 0
      if (isTrial) this.#goTo(undefined)
    } else if (outcome === 'failed') {
      this.#failures++
      if (isTrial || this.#failures >= this.#maxFailures) this.#goTo(now + this.#resetTimeoutMs)
    }
  }

  #goTo(openUntil: number | undefined): void {
    this.#openUntil = openUntil
    this.#epoch++
  }
}

/**
 * A circuit breaker: after too many failures in a row calls are refused at once for a while, so that callers do not wait
 * for what will not come and the other side can recover. What the states mean is decided in `circuit.ts`.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { PulsingTimeoutError } from '../base/errors.ts'
import { boundedCall } from './bounded-call.ts'
import type { CircuitOutcome, CircuitState } from './circuit.ts'
import { Circuit } from './circuit.ts'
import { CircuitOpenError } from './circuit-open-error.ts'
import { Problems } from './problems.ts'

/** When a {@link CircuitBreaker} opens, and for how long. */
export interface CircuitBreakerOptions {
  /** Failures in a row, at least 1, that open the circuit. Default {@link DEFAULT_MAX_FAILURES}. */
  readonly maxFailures?: number
  /** Milliseconds an open circuit refuses calls before one is tried. Default {@link DEFAULT_RESET_TIMEOUT_MS}. */
  readonly resetTimeoutMs?: number
  /**
   * Milliseconds after which a call is given up with PulsingTimeoutError, which counts as a failure; its signal aborts.
   * Default: calls take as long as they take.
   */
  readonly callTimeoutMs?: number
  /**
   * Whether an error says that the other side is in trouble. Not asked when the caller gave the call up. Default
   * {@link isCircuitFailure}.
   */
  readonly isFailure?: (error: unknown) => boolean
  /** Whose time it is. Default: the platform's. */
  readonly clock?: Clock
}

/** A transition of a {@link CircuitBreaker}. */
export interface CircuitChange {
  readonly from: CircuitState
  readonly to: CircuitState
}

/** Failures in a row that open a circuit unless said otherwise. */
export const DEFAULT_MAX_FAILURES = 5
/** How long an open circuit refuses calls unless said otherwise, in milliseconds. */
export const DEFAULT_RESET_TIMEOUT_MS = 30_000

/** The other side works; it is the request it will have none of. */
const REFUSED_REQUEST = /^(PulsingBusiness|PulsingUnsupported|NoSuchMethod|PermissionDenied)Error$/
/** The call never left, or was given up: nothing is known of the other side. */
const NO_EVIDENCE = /^(Abort|Config|NotSerialisable)Error$/

/**
 * Whether an error counts as a failure unless `isFailure` says otherwise: all do but those that say the request was
 * wrong (PulsingBusinessError, PulsingUnsupportedError, NoSuchMethodError, PermissionDeniedError, ConfigError,
 * NotSerialisableError) and an AbortError.
 */
export function isCircuitFailure(error: unknown): boolean {
  return !NO_EVIDENCE.test(nameOf(error)) && !REFUSED_REQUEST.test(nameOf(error))
}

/**
 * Makes calls for as long as they go well. After `maxFailures` failures in a row the circuit is open, and calls reject
 * at once with {@link CircuitOpenError}; after `resetTimeoutMs` it is half-open, and one call is let through: if that
 * one fails the circuit is open again, else closed. A call that was made before the circuit changed no longer counts.
 *
 * An actor that answers with an error is not a failure when the error says that the request was wrong (see
 * {@link isCircuitFailure}): it ends a row of failures as a result does. A call its caller gave up, or that never left,
 * says nothing either way.
 *
 * @example
 * ```ts
 * import { createActorSystem, UnreachableError } from 'pulsing'
 * import { CircuitBreaker, CircuitOpenError } from 'pulsing/patterns'
 *
 * const system = await createActorSystem()
 * const flaky = await system.spawn({ receive: () => { throw new UnreachableError('the database is away') } })
 *
 * const breaker = new CircuitBreaker({ maxFailures: 2 })
 * const query = () => breaker.call((signal) => flaky.ask('rows', { signal }))
 * for (let i = 0; i < 2; i++) await query().catch(() => undefined)
 * breaker.state // 'open'
 * await query().catch((error) => {
 *   if (!(error instanceof CircuitOpenError)) throw error // error.retryAfterMs says when to come again
 * })
 * await system.shutdown()
 * ```
 */
export class CircuitBreaker {
  readonly #circuit: Circuit
  readonly #clock: Clock
  readonly #callTimeoutMs: number
  readonly #isFailure: (error: unknown) => boolean
  readonly #listeners = new Set<(change: CircuitChange) => void>()
  #told: CircuitState = 'closed'
  #timer: Timer | undefined

  /** @throws ConfigError naming every option that is wrong */
  constructor(options: CircuitBreakerOptions = {}) {
    const {
      maxFailures = DEFAULT_MAX_FAILURES,
      resetTimeoutMs = DEFAULT_RESET_TIMEOUT_MS,
      callTimeoutMs = Infinity,
      isFailure = isCircuitFailure,
      clock = systemClock,
    } = options
    const problems = new Problems()
    problems.count('maxFailures', maxFailures)
    problems.duration('resetTimeoutMs', resetTimeoutMs)
    problems.duration('callTimeoutMs', callTimeoutMs)
    problems.expect('isFailure', isFailure, typeof isFailure === 'function', 'a function')
    problems.throwIfAny()
    this.#circuit = new Circuit(maxFailures, resetTimeoutMs)
    this.#clock = clock
    this.#callTimeoutMs = callTimeoutMs
    this.#isFailure = isFailure
  }

  /** What would become of a call now: it runs, is refused, or (`half-open`) one is tried. */
  get state(): CircuitState {
    return this.#circuit.state(this.#clock.now())
  }

  /**
   * Calls `run`, unless the circuit is open, and settles as it does.
   *
   * @param run is given a signal that aborts when the call takes longer than `callTimeoutMs`, or `options.signal` aborts
   * @param options `signal` gives the call up: it rejects with the signal's reason, and counts for nothing
   * @throws CircuitOpenError when the circuit is open, or half-open with another call on trial; `run` was not called
   * @throws PulsingTimeoutError when it takes longer than `callTimeoutMs`
   */
  async call<T>(
    run: (signal: AbortSignal) => T | PromiseLike<T>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const { signal } = options
    const admission = this.#circuit.admit(this.#clock.now())
    this.#tell()
    if (admission === undefined) throw new CircuitOpenError(this.#circuit.retryAfterMs(this.#clock.now()))
    let outcome: CircuitOutcome = 'failed'
    try {
      const value = await boundedCall(run, {
        clock: this.#clock,
        timeoutMs: this.#callTimeoutMs,
        expired: () => new PulsingTimeoutError('a call through the circuit breaker', this.#callTimeoutMs),
        signal,
      })
      outcome = 'succeeded'
      return value
    } catch (error) {
      outcome = this.#judge(error, signal)
      throw error
    } finally {
      this.#circuit.settle(admission, outcome, this.#clock.now())
      this.#tell()
    }
  }

  /**
   * Calls `listener` at every later transition; the returned function ends it. What a listener throws goes to
   * `console.error`.
   */
  on(listener: (change: CircuitChange) => void): () => void {
    const entry = (change: CircuitChange): void => listener(change)
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  #judge(error: unknown, signal: AbortSignal | undefined): CircuitOutcome {
    if (signal?.aborted) return 'none'
    if (this.#isFailure(error)) return 'failed'
    return NO_EVIDENCE.test(nameOf(error)) ? 'none' : 'succeeded'
  }

  #tell(): void {
    const [from, to] = [this.#told, this.state]
    if (to === 'open') this.#awaitTrial()
    if (from === to) return
    this.#told = to
    if (to !== 'open') {
      this.#timer?.cancel()
      this.#timer = undefined
    }
    for (const listener of [...this.#listeners]) {
      try {
        listener({ from, to })
      } catch (error) {
        console.error('pulsing: a listener of a circuit breaker threw', error)
      }
    }
  }

  // The state follows from the clock alone; the timer is there for the listeners. A platform's may ring a little early.
  #awaitTrial(): void {
    if (this.#timer !== undefined) return
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined
      this.#tell()
    }, this.#circuit.retryAfterMs(this.#clock.now()))
    this.#timer.hold(false)
  }
}

function nameOf(error: unknown): string {
  return String((error as { readonly name?: unknown } | null | undefined)?.name)
}

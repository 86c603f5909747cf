/**
 * What was answered to whom: a receiver's memory of requests with a key, so that one repeated by a caller who missed the
 * answer gets that answer and is not done twice. In memory only: it ends with its owner.
 */
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { deferred, ignoreRejection } from '../base/deferred.ts'
import { describe, PulsingBusinessError } from '../base/errors.ts'
import { Problems } from './problems.ts'

/** How much an {@link IdempotencyCache} remembers, and for how long. */
export interface IdempotencyCacheOptions {
  /** Outcomes kept, at least 1; the oldest go first. Default {@link DEFAULT_MAX_ENTRIES}. */
  readonly maxEntries?: number
  /** Milliseconds an outcome is kept, counted from when it was known. Default {@link DEFAULT_TTL_MS}. */
  readonly ttlMs?: number
  /** Whether errors are outcomes too. Default false: after a failure the next call with the key runs. */
  readonly rememberFailures?: boolean
  /** Whose time it is. Default: the platform's. */
  readonly clock?: Clock
}

/** Outcomes kept unless said otherwise. */
export const DEFAULT_MAX_ENTRIES = 10_000
/** How long an outcome is kept unless said otherwise, in milliseconds. */
export const DEFAULT_TTL_MS = 600_000

interface Entry<T> {
  readonly outcome: Promise<T>
  readonly expiresAt: number
}

/**
 * Runs each request with a key once. A call with the key of one that runs, or whose outcome is remembered, gets the very
 * same outcome. Requests that run are never forgotten; outcomes are, after `ttlMs` or when `maxEntries` newer ones are
 * known: give callers no more time than that to repeat themselves.
 *
 * Outcomes are shared, so they should not be streams, which only one caller could read; and whoever knows a key gets its
 * outcome: where callers do not trust each other, put who asks into the key.
 *
 * @example
 * ```ts
 * import { IdempotencyCache } from 'pulsing/patterns'
 *
 * let charged = 0
 * const receipts = new IdempotencyCache<string>({ ttlMs: 60_000 })
 * const charge = (key: string) => receipts.run(key, () => `receipt ${++charged}`)
 * await charge('order 7') // 'receipt 1'
 * await charge('order 7') // 'receipt 1' again
 * await charge('order 8') // 'receipt 2'
 * if (charged !== 2) throw new Error('expected two charges')
 * ```
 */
export class IdempotencyCache<T> {
  readonly #maxEntries: number
  readonly #ttlMs: number
  readonly #rememberFailures: boolean
  readonly #clock: Clock
  readonly #running = new Map<string, Promise<T>>()
  /** In the order they became known, which is the order they expire in. */
  readonly #known = new Map<string, Entry<T>>()

  /** @throws ConfigError naming every option that is wrong */
  constructor(options: IdempotencyCacheOptions = {}) {
    const { maxEntries = DEFAULT_MAX_ENTRIES, ttlMs = DEFAULT_TTL_MS } = options
    const problems = new Problems()
    problems.count('maxEntries', maxEntries)
    problems.duration('ttlMs', ttlMs)
    problems.throwIfAny()
    this.#maxEntries = maxEntries
    this.#ttlMs = ttlMs
    this.#rememberFailures = options.rememberFailures ?? false
    this.#clock = options.clock ?? systemClock
  }

  /** Requests that run, and outcomes that are remembered. */
  get size(): number {
    this.#forgetExpired()
    return this.#running.size + this.#known.size
  }

  /**
   * The outcome of the request `key` names: that of `perform`, which is called at once, unless one with that key runs or
   * is remembered.
   *
   * @throws PulsingBusinessError when `key` is no text or empty: the caller's fault, as it usually comes in a message
   */
  run(key: string, perform: () => T | PromiseLike<T>): Promise<T> {
    if (typeof key !== 'string' || key === '') {
      return Promise.reject(new PulsingBusinessError(`expected a key, a text that is not empty, got ${describe(key)}`))
    }
    this.#forgetExpired()
    const before = this.#running.get(key) ?? this.#known.get(key)?.outcome
    if (before) return before
    const { promise: outcome, resolve, reject } = deferred<T>()
    this.#running.set(key, outcome)
    ignoreRejection(
      outcome.then(
        () => this.#settled(key, outcome, true),
        () => this.#settled(key, outcome, this.#rememberFailures),
      ),
    )
    try {
      resolve(perform())
    } catch (error) {
      reject(error)
    }
    return outcome
  }

  #settled(key: string, outcome: Promise<T>, isKept: boolean): void {
    this.#running.delete(key)
    if (!isKept) return
    this.#known.set(key, { outcome, expiresAt: this.#clock.now() + this.#ttlMs })
    if (this.#known.size > this.#maxEntries) this.#known.delete(this.#known.keys().next().value!)
  }

  #forgetExpired(): void {
    const now = this.#clock.now()
    for (const [key, { expiresAt }] of this.#known) {
      if (expiresAt > now) return
      this.#known.delete(key)
    }
  }
}

/**
 * Trying again what failed for a passing reason: with waits that double and differ, and a key by which a receiver tells
 * a repetition from a new request (see `idempotency-cache.ts`).
 */
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { isPulsingError, PulsingTimeoutError } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { systemRandom } from '../base/random.ts'
import { boundedCall } from './bounded-call.ts'
import type { CircuitOpenError } from './circuit-open-error.ts'
import { Problems } from './problems.ts'

/** What an operation is told of the attempt it is. */
export interface Attempt {
  /** 1 for the first. */
  readonly attempt: number
  /** The key of the request, the same for all attempts; undefined when the option was not given. */
  readonly key: string | undefined
  /** Aborts when the whole is given up, or its time is over. */
  readonly signal: AbortSignal
}

/** An {@link Attempt} of a request with a key. */
export interface KeyedAttempt extends Attempt {
  readonly key: string
}

/** How often, how soon and for which errors {@link retry} tries again. */
export interface RetryOptions {
  /** Attempts in all, at least 1. Default {@link DEFAULT_ATTEMPTS}. */
  readonly attempts?: number
  /**
   * The longest wait before the second attempt, in milliseconds; it doubles with each. The actual wait is anything
   * between 0 and that. Default {@link DEFAULT_RETRY_MIN_BACKOFF_MS}.
   */
  readonly minBackoffMs?: number
  /** The longest wait of all, in milliseconds. Default {@link DEFAULT_RETRY_MAX_BACKOFF_MS}. */
  readonly maxBackoffMs?: number
  /** Milliseconds for all attempts and waits together. Default: no limit but those the operation has itself. */
  readonly timeoutMs?: number
  /** Gives up: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /**
   * Whether another attempt may succeed, and may be made; `hasKey` says whether a receiver can tell that it is one.
   * Default {@link isRetryable}.
   */
  readonly isRetryable?: (error: unknown, hasKey: boolean) => boolean
  /**
   * Names the request for its receiver, which answers a repetition without doing it again; `true` makes a random one.
   * Only with a key is an attempt repeated that may have been handled.
   */
  readonly key?: string | true | undefined
  /** Whose time it is. Default: the platform's. */
  readonly clock?: Clock
  /** Where the jitter comes from. Default: `Math.random`. */
  readonly random?: Random
}

/** Attempts {@link retry} makes unless said otherwise. */
export const DEFAULT_ATTEMPTS = 5
/** The longest wait before the second attempt unless said otherwise, in milliseconds. */
export const DEFAULT_RETRY_MIN_BACKOFF_MS = 100
/** The longest wait between two attempts unless said otherwise, in milliseconds. */
export const DEFAULT_RETRY_MAX_BACKOFF_MS = 10_000

/**
 * Calls `operation` until it succeeds, at most `attempts` times, and rejects with the last error as it is. Which errors
 * are worth another attempt says {@link isRetryable}. Before attempt n it waits at random between 0 and
 * `minBackoffMs · 2ⁿ⁻²`, at most `maxBackoffMs`, and after a CircuitOpenError its `retryAfterMs` first.
 *
 * When a wait would end after `timeoutMs` the last error is thrown at once; when the time is over during an attempt, its
 * signal aborts.
 *
 * @throws PulsingTimeoutError when `timeoutMs` is over during an attempt; the error of the attempt before is its `cause`
 * @throws ConfigError naming every option that is wrong
 *
 * @example
 * ```ts
 * import { createActorSystem, OverloadedError } from 'pulsing'
 * import { IdempotencyCache, retry } from 'pulsing/patterns'
 *
 * const system = await createActorSystem()
 * let calls = 0
 * const done = new IdempotencyCache<number>()
 * const account = await system.spawn({
 *   receive(msg) {
 *     if (++calls < 3) throw new OverloadedError('come again')
 *     const { key, amount } = msg.toObject<{ key: string; amount: number }>()
 *     return done.run(key, () => amount * 2)
 *   },
 * })
 * const paid = await retry(
 *   ({ key, signal }) => account.ask<number>({ key, amount: 21 }, { signal, timeout: 1_000 }),
 *   { key: true, minBackoffMs: 5 },
 * )
 * if (paid !== 42 || calls !== 3) throw new Error('expected 42 at the third attempt')
 * await system.shutdown()
 * ```
 */
export function retry<T>(
  operation: (attempt: KeyedAttempt) => T | PromiseLike<T>,
  options: RetryOptions & { readonly key: string | true },
): Promise<T>
export function retry<T>(operation: (attempt: Attempt) => T | PromiseLike<T>, options?: RetryOptions): Promise<T>
export async function retry<T>(
  operation: (attempt: KeyedAttempt) => T | PromiseLike<T>,
  options: RetryOptions = {},
): Promise<T> {
  const { attempts, key, clock, timeoutMs, signal, isRetryable, backoffMs } = resolved(options)
  const endsAt = clock.now() + timeoutMs
  let last: { readonly error: unknown } | undefined
  for (let attempt = 1; ; attempt++) {
    let isTimeOver = false
    const expired = (): unknown => {
      isTimeOver = true
      return new PulsingTimeoutError('a retried operation', timeoutMs, last ? { cause: last.error } : undefined)
    }
    try {
      return await boundedCall((given) => operation({ attempt, key: key!, signal: given }), {
        clock,
        timeoutMs: endsAt - clock.now(),
        expired,
        signal,
      })
    } catch (error) {
      if (isTimeOver || attempt === attempts || !isRetryable(error, key !== undefined)) throw error
      const waitMs = backoffMs(attempt) + refusedForMs(error)
      if (clock.now() + waitMs >= endsAt) throw error
      last = { error }
      await boundedCall((given) => pause(clock, waitMs, given), { clock, timeoutMs: Infinity, expired, signal })
    }
  }
}

/** Errors of messages that were not handled: whoever refused them may take them later. */
const NOT_HANDLED = /^(Overloaded|MailboxFull|CircuitOpen)Error$/

/** Errors of messages that may have been handled. */
const OUTCOME_UNKNOWN = /^(Unreachable|SessionReset|PulsingTimeout)Error$/

/**
 * Whether another attempt is worth it, and safe: yes for what was not handled (UnreachableError with outcome `not-sent`,
 * OverloadedError, MailboxFullError, CircuitOpenError) and for what the actor calls recoverable (PulsingSystemError);
 * with a key also for what may have been handled (UnreachableError and SessionResetError with outcome `unknown`,
 * PulsingTimeoutError). No for everything else.
 *
 * @param hasKey whether the receiver can tell a repetition. Default false
 */
export function isRetryable(error: unknown, hasKey = false): boolean {
  if (!isPulsingError(error)) return false
  const { name, outcome, recoverable } = error as { name: string; outcome?: unknown; recoverable?: unknown }
  if (NOT_HANDLED.test(name)) return true
  if (name === 'PulsingSystemError') return recoverable === true
  return outcome === 'not-sent' || (hasKey && OUTCOME_UNKNOWN.test(name))
}

function refusedForMs(error: unknown): number {
  return isPulsingError(error, 'CircuitOpenError') ? (error as CircuitOpenError).retryAfterMs : 0
}

/** Beyond these the longest wait is reached, or never was meant to be. */
const MAX_DOUBLINGS = 50

interface Resolved {
  readonly attempts: number
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly key: string | undefined
  readonly clock: Clock
  isRetryable(error: unknown, hasKey: boolean): boolean
  /** The wait after attempt number `attempt`. */
  backoffMs(attempt: number): number
}

function resolved(options: RetryOptions): Resolved {
  const {
    attempts = DEFAULT_ATTEMPTS,
    minBackoffMs = DEFAULT_RETRY_MIN_BACKOFF_MS,
    maxBackoffMs = Math.max(minBackoffMs, DEFAULT_RETRY_MAX_BACKOFF_MS),
    timeoutMs = Infinity,
    random = systemRandom,
    key,
  } = options
  const problems = new Problems()
  if (attempts !== Infinity) problems.count('attempts', attempts)
  problems.backoff('', minBackoffMs, maxBackoffMs)
  problems.duration('timeoutMs', timeoutMs)
  const isKey = key === undefined || key === true || (typeof key === 'string' && key !== '')
  problems.expect('key', key, isKey, 'true or a text that is not empty')
  problems.throwIfAny()
  return {
    attempts,
    timeoutMs,
    signal: options.signal,
    key: key === true ? newId() : key,
    clock: options.clock ?? systemClock,
    isRetryable: options.isRetryable ?? isRetryable,
    backoffMs: (attempt) =>
      random.float() * Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(attempt - 1, MAX_DOUBLINGS)),
  }
}

/** Settles after that time, and never when `signal` aborts before. */
function pause(clock: Clock, durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(resolve, durationMs)
    signal.addEventListener('abort', () => timer.cancel())
  })
}

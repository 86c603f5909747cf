/**
 * When a failed actor runs again, and when no more. Pure: policy and history in, decision out; the cell acts on it.
 */
import type { Random } from '../base/random.ts'

/** When an actor is restarted: with a new instance, under the same ref, with the messages that wait. */
export interface RestartPolicy {
  /**
   * `never`: what a handler throws is reported and answered, and the actor goes on as it is. `on-failure`: then it is
   * restarted. `always`: also when it stops itself (`ctx.stop()`).
   */
  readonly policy: 'never' | 'on-failure' | 'always'
  /** Restarts within `withinMs`; one more stops the actor as `failed`. Default {@link DEFAULT_MAX_RESTARTS}. */
  readonly maxRestarts?: number
  /** Length of the sliding window in which restarts count, in milliseconds. Default: the actor's whole life. */
  readonly withinMs?: number
  /**
   * Wait before the first restart of a window, in milliseconds; it doubles with each, give or take
   * {@link RESTART_JITTER}. Default {@link DEFAULT_MIN_BACKOFF_MS}; 0 restarts at once.
   */
  readonly minBackoffMs?: number
  /**
   * The longest wait, in milliseconds, before jitter. Default {@link DEFAULT_MAX_BACKOFF_MS}, or `minBackoffMs` where
   * that is longer.
   */
  readonly maxBackoffMs?: number
  /**
   * What an error is that a method of an `asActor` class throws: only the caller's (`reply`), or a failure too
   * (`failure`). Default `reply`.
   */
  readonly methodErrors?: 'reply' | 'failure'
}

/**
 * What a parent decides about a child that failed. `resume`: it goes on as it is. `restart`: it is restarted, within
 * the limits of its policy. `stop`: it stops as `failed`. `escalate`: it stops, and its parent fails with the same
 * error; a parent for which nobody decides otherwise stops too.
 */
export type Decision = 'resume' | 'restart' | 'stop' | 'escalate'

export const DECISIONS: readonly Decision[] = ['resume', 'restart', 'stop', 'escalate']

/** Restarts allowed unless the policy says otherwise. */
export const DEFAULT_MAX_RESTARTS = 3
/** The first wait before a restart, in milliseconds, unless the policy says otherwise. */
export const DEFAULT_MIN_BACKOFF_MS = 100
/** The longest wait before a restart, in milliseconds, unless the policy says otherwise. */
export const DEFAULT_MAX_BACKOFF_MS = 30_000
/** How far a wait is off at random, as a fraction of it: what failed together does not come back together. */
export const RESTART_JITTER = 0.2

/** A wait doubled so often is as long as it gets. */
const MAX_DOUBLINGS = 52

/** The restarts of one actor so far. */
export class RestartHistory {
  readonly #policy: RestartPolicy
  readonly #random: Random
  /** When the restarts that still count happened, oldest first; without a window only their number counts. */
  #restarts: number[] = []
  #count = 0

  constructor(policy: RestartPolicy, random: Random) {
    this.#policy = policy
    this.#random = random
  }

  /** Restarts that count now. */
  get count(): number {
    return this.#count
  }

  /** Notes a restart at `now` and answers how many milliseconds to wait before it; undefined when there are no more. */
  next(now: number): number | undefined {
    const {
      maxRestarts = DEFAULT_MAX_RESTARTS,
      withinMs = Infinity,
      minBackoffMs = DEFAULT_MIN_BACKOFF_MS,
      maxBackoffMs = Math.max(DEFAULT_MAX_BACKOFF_MS, minBackoffMs),
    } = this.#policy
    if (withinMs !== Infinity) {
      this.#restarts = this.#restarts.filter((at) => now - at < withinMs)
      this.#count = this.#restarts.length
    }
    if (this.#count >= maxRestarts) return undefined
    if (withinMs !== Infinity) this.#restarts.push(now)
    const backoffMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(this.#count++, MAX_DOUBLINGS))
    return backoffMs * (1 + RESTART_JITTER * (2 * this.#random.float() - 1))
  }
}

/** What is wrong with a restart policy, one sentence each. */
export function restartProblems(policy: RestartPolicy, describe: (value: unknown) => string): string[] {
  if (typeof policy !== 'object' || policy === null)
    return [`expected restart as a RestartPolicy, got ${describe(policy)}`]
  const { maxRestarts, withinMs, minBackoffMs, maxBackoffMs, methodErrors } = policy
  const problems: string[] = []
  if (!['never', 'on-failure', 'always'].includes(policy.policy))
    problems.push(`expected restart.policy as one of never, on-failure, always, got ${describe(policy.policy)}`)
  const check = (name: string, value: number | undefined, isRight: (value: number) => boolean, what: string): void => {
    if (value !== undefined && !(typeof value === 'number' && isRight(value)))
      problems.push(`expected restart.${name} as ${what}, got ${describe(value)}`)
  }
  check(
    'maxRestarts',
    maxRestarts,
    (n) => n === Infinity || (Number.isInteger(n) && n >= 0),
    'a whole number or Infinity',
  )
  check('withinMs', withinMs, (ms) => ms > 0, 'milliseconds above 0')
  check('minBackoffMs', minBackoffMs, (ms) => ms >= 0 && ms < Infinity, 'milliseconds')
  check(
    'maxBackoffMs',
    maxBackoffMs,
    (ms) => ms >= (Number.isFinite(minBackoffMs) ? minBackoffMs! : 0),
    'milliseconds, at least minBackoffMs',
  )
  if (methodErrors !== undefined && methodErrors !== 'reply' && methodErrors !== 'failure')
    problems.push(`expected restart.methodErrors as reply or failure, got ${describe(methodErrors)}`)
  return problems
}

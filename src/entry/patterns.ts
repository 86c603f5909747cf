/** `pulsing/patterns`: small things that are often built on actors, each usable alone. */
export type { CircuitState } from '../patterns/circuit.ts'
export type { CircuitBreakerOptions, CircuitChange } from '../patterns/circuit-breaker.ts'
export {
  CircuitBreaker,
  DEFAULT_MAX_FAILURES,
  DEFAULT_RESET_TIMEOUT_MS,
  isCircuitFailure,
} from '../patterns/circuit-breaker.ts'
export { CircuitOpenError } from '../patterns/circuit-open-error.ts'
export type { IdempotencyCacheOptions } from '../patterns/idempotency-cache.ts'
export { DEFAULT_MAX_ENTRIES, DEFAULT_TTL_MS, IdempotencyCache } from '../patterns/idempotency-cache.ts'
export type { Piped, PipeOptions } from '../patterns/pipe.ts'
export { pipeTo, pipeToSelf } from '../patterns/pipe.ts'
export type { PoolOptions, ReplacePolicy, WorkerOptions } from '../patterns/pool.ts'
export {
  DEFAULT_MAX_REPLACEMENTS,
  DEFAULT_REPLACE_MAX_BACKOFF_MS,
  DEFAULT_REPLACE_MIN_BACKOFF_MS,
  DEFAULT_REPLACED_WITHIN_MS,
  pool,
} from '../patterns/pool.ts'
export type { PoolStrategy } from '../patterns/pool-strategy.ts'
export type { Attempt, KeyedAttempt, RetryOptions } from '../patterns/retry.ts'
export {
  DEFAULT_ATTEMPTS,
  DEFAULT_RETRY_MAX_BACKOFF_MS,
  DEFAULT_RETRY_MIN_BACKOFF_MS,
  isRetryable,
  retry,
} from '../patterns/retry.ts'

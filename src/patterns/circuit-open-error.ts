/** The error of a call that a circuit breaker did not make. */
import type { PulsingErrorOptions } from '../base/errors.ts'
import { PulsingRuntimeError } from '../base/errors.ts'

/** The call was not made: too many before it failed. See `CircuitBreaker`. */
export class CircuitOpenError extends PulsingRuntimeError {
  override readonly name = 'CircuitOpenError'
  override readonly code = 'circuit_open'
  /**
   * Milliseconds until a call may be tried again. 0: another call is being tried now, and its outcome decides.
   */
  readonly retryAfterMs: number
  constructor(retryAfterMs: number, options?: PulsingErrorOptions) {
    const got = retryAfterMs > 0 ? `an open one, for ${Math.ceil(retryAfterMs)} ms more` : 'one on trial'
    super(`expected a closed circuit, got ${got}`, options)
    this.retryAfterMs = retryAfterMs
  }
}

/** What a test is told when something else happened than it expected. */

/** What a {@link ProbeError} may carry for the test runner to show side by side. */
export interface ProbeErrorOptions {
  readonly expected: unknown
  readonly actual: unknown
}

/**
 * Something else happened than a test expected. An assertion error to test runners: where two values were compared, it
 * has both, so that vitest, node:test and others print what differs.
 *
 * @example
 * ```ts
 * import { createTestSystem, ProbeError } from 'pulsing/testkit'
 *
 * const test = await createTestSystem()
 * const probe = await test.probe()
 * await probe.ref.tell({ total: 3 })
 * const error = await probe.expectMessage({ total: 4 }).catch((error) => error)
 * if (!(error instanceof ProbeError)) throw error
 * error.message // 'expected { total: 4 }, got { total: 3 }'
 * error.actual // { total: 3 }
 * await test.dispose()
 * ```
 */
export class ProbeError extends Error {
  override readonly name: string = 'ProbeError'
  /** As assertion errors of Node.js have it, which test runners know them by. */
  readonly code = 'ERR_ASSERTION'
  /** What the test expected; absent where nothing was compared. */
  declare readonly expected?: unknown
  /** What came; absent where nothing was compared. */
  declare readonly actual?: unknown

  constructor(message: string, compared?: ProbeErrorOptions) {
    super(message)
    if (compared) Object.assign(this, { expected: compared.expected, actual: compared.actual })
  }
}

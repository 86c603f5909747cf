/** What is wrong with the options somebody gave, collected so that one error names all of it. */
import { ConfigError, describe } from '../base/errors.ts'

export class Problems {
  readonly #sentences: string[] = []

  /** Notes that `name` should be `expected`, unless it is. */
  expect(name: string, value: unknown, isRight: boolean, expected: string): void {
    if (!isRight) this.#sentences.push(`expected ${name} as ${expected}, got ${describe(value)}`)
  }

  /** A whole number of at least 1. */
  count(name: string, value: unknown): void {
    this.expect(name, value, Number.isInteger(value) && (value as number) >= 1, 'a whole number above 0')
  }

  /** Milliseconds above 0, Infinity included. */
  duration(name: string, value: unknown): void {
    this.expect(name, value, typeof value === 'number' && value > 0, 'milliseconds above 0')
  }

  /** The first wait, and the longest, of waits that double; `prefix` stands before their names. */
  backoff(prefix: string, minBackoffMs: number, maxBackoffMs: number): void {
    const isWait = Number.isFinite(minBackoffMs) && minBackoffMs >= 0
    this.expect(`${prefix}minBackoffMs`, minBackoffMs, isWait, 'milliseconds, 0 or more, but finite')
    const isLonger = typeof maxBackoffMs === 'number' && maxBackoffMs >= minBackoffMs
    this.expect(`${prefix}maxBackoffMs`, maxBackoffMs, isLonger, 'milliseconds, minBackoffMs or more')
  }

  /** @throws ConfigError when something was noted */
  throwIfAny(): void {
    if (this.#sentences.length > 0) throw new ConfigError(this.#sentences)
  }
}

/** A logger that writes at most a few lines of a kind in a while, and then says how many it left out. */
import type { Clock } from '../base/clock.ts'
import type { Logger } from './system-events.ts'

/** Length of the time in which lines of one kind are counted, in milliseconds. */
export const LOG_WINDOW_MS = 10_000
/** Lines of one kind written in that time. */
export const LINES_PER_WINDOW = 10

interface Count {
  since: number
  lines: number
}

export class LogLimiter {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #counts = new Map<string, Count>()

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  /** Writes a line, unless too many of its kind were written just now. @param kind one of few */
  write(level: keyof Logger, kind: string, message: string, ...details: unknown[]): void {
    const now = this.#clock.now()
    let count = this.#counts.get(kind)
    if (!count) this.#counts.set(kind, (count = { since: now, lines: 0 }))
    if (now - count.since >= LOG_WINDOW_MS) {
      const left = count.lines - LINES_PER_WINDOW
      if (left > 0) this.#logger[level](`${left} more lines about ${kind} were left out`)
      count.since = now
      count.lines = 0
    }
    if (count.lines++ < LINES_PER_WINDOW) this.#logger[level](message, ...details)
  }
}

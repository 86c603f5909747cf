/** A clock that moves when told to: timers run in order, at the moment they are due, inside `advance`. */
import type { Clock, Timer } from '../base/clock.ts'

interface Entry {
  readonly at: number
  readonly callback: () => void
}

/**
 * A clock for tests: it starts at 0 milliseconds, stands still, and moves only in {@link ManualClock.advance}, which
 * runs the timers that fall due in order.
 */
export class ManualClock implements Clock {
  #now = 0
  readonly #entries = new Set<Entry>()
  #afterTurn: (() => void)[] = []

  /** Milliseconds passed so far. */
  now(): number {
    return this.#now
  }

  /** Runs `callback` once, in the `advance` that reaches `delayMs` milliseconds from now; `hold` has no effect. */
  setTimer(callback: () => void, delayMs: number): Timer {
    const entry: Entry = { at: this.#now + Math.max(0, delayMs), callback }
    this.#entries.add(entry)
    return { cancel: () => void this.#entries.delete(entry), hold: () => undefined }
  }

  /** Runs `callback` when time next moves: a turn of the event loop has passed then. */
  afterTurn(callback: () => void): void {
    this.#afterTurn.push(callback)
  }

  /** How many timers wait, `afterTurn` callbacks not counted. */
  get pending(): number {
    return this.#entries.size
  }

  /**
   * Lets `ms` milliseconds pass, running every timer that falls due, those set meanwhile included. What one throws is
   * thrown.
   */
  advance(ms: number): void {
    const end = this.#now + ms
    this.#endTurn()
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at)
      this.#entries.delete(next)
      next.callback()
      this.#endTurn()
    }
    this.#now = end
  }

  #endTurn(): void {
    for (const callback of this.#afterTurn.splice(0)) callback()
  }

  #next(end: number): Entry | undefined {
    let next: Entry | undefined
    for (const entry of this.#entries) if (entry.at <= end && (next === undefined || entry.at < next.at)) next = entry
    return next
  }
}

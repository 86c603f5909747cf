/** A clock that moves when told to: timers run in order, at the moment they are due, inside `advance`. */
import type { Clock, Timer } from '../base/clock.ts'

interface Entry {
  readonly at: number
  readonly callback: () => void
}

export class ManualClock implements Clock {
  #now = 0
  readonly #entries = new Set<Entry>()
  #afterTurn: (() => void)[] = []

  now(): number {
    return this.#now
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const entry: Entry = { at: this.#now + Math.max(0, delayMs), callback }
    this.#entries.add(entry)
    return { cancel: () => void this.#entries.delete(entry), hold: () => undefined }
  }

  /** Runs `callback` when time next moves: a turn of the event loop has passed then. */
  afterTurn(callback: () => void): void {
    this.#afterTurn.push(callback)
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#entries.size
  }

  /** Lets `ms` milliseconds pass, running every timer that falls due, those set meanwhile included. */
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

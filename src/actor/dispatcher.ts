/**
 * Which actor runs next. Actors with messages take turns of a few messages each; after a few milliseconds of work the
 * event loop gets its turn too, so that neither an actor nor all of them together can starve input, timers or sockets.
 */
import type { Clock } from '../base/clock.ts'
import { SETTLED } from '../base/deferred.ts'
import { Fifo } from '../base/fifo.ts'
import { macrotask } from '../base/macrotask.ts'

/** Something that has work to do. */
export interface Runnable {
  /** Does at most `limit` units of work; how many it did. Never throws. Schedules itself again when some is left. */
  run(limit: number): number
}

/** Messages one actor handles before the next gets its turn. */
export const MESSAGES_PER_TURN = 16
/** Milliseconds of work after which the event loop gets its turn. */
export const MAX_SLICE_MS = 4
/** Looks after which a slice is over though no time has passed, as on the clock of a test. */
const MAX_LOOKS = 64
/** Messages after which the clock is read, at most; fewer where they take so long that this many would be late. */
const MESSAGES_PER_LOOK = 32
/** How long the messages between two looks may take, in milliseconds, as far as the last ones tell. */
const LOOK_EVERY_MS = 1

export class Dispatcher {
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  readonly #ready = new Fifo<Runnable>()
  /** Units of work done, counted once per turn. */
  done = 0
  #isQueued = false
  #isSliceOpen = false
  #looks = 0
  #sliceStartedAt = 0
  #lookedAt = 0
  #perLook = MESSAGES_PER_TURN
  #left = MESSAGES_PER_TURN

  /** @param onError hears of a runnable that threw, against its promise; the others go on */
  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock
    this.#onError = onError
  }

  /** Lets `runnable` run soon, after those already scheduled. */
  schedule(runnable: Runnable): void {
    this.#ready.push(runnable)
    if (this.#isQueued) return
    this.#isQueued = true
    // Not queueMicrotask: in Node.js that one carries an async resource for every call.
    void SETTLED.then(this.#run)
  }

  readonly #run = (): void => {
    for (let runnable = this.#ready.shift(); runnable !== undefined; runnable = this.#ready.shift()) {
      try {
        const done = runnable.run(Math.min(MESSAGES_PER_TURN, this.#perLook))
        this.#left -= done
        this.done += done
      } catch (error) {
        this.#left--
        this.#onError(error)
      }
      if (this.#left <= 0 && this.#isSliceOver()) {
        macrotask(this.#resume)
        return
      }
    }
    this.#isQueued = false
  }

  readonly #resume = (): void => {
    this.#lookedAt = this.#clock.now()
    this.#run()
  }

  /** Reads the clock, and decides how soon to read it again. A slice begins with the first look in a turn of the event loop. */
  #isSliceOver(): boolean {
    const now = this.#clock.now()
    const tookMs = now - this.#lookedAt
    this.#lookedAt = now
    // Time without messages looks as if they were slow, and costs one look too many.
    this.#perLook = Math.max(1, Math.min(MESSAGES_PER_LOOK, Math.floor((this.#perLook * LOOK_EVERY_MS) / tookMs)))
    this.#left = this.#perLook
    if (this.#isSliceOpen) {
      if (now === this.#sliceStartedAt) return ++this.#looks >= MAX_LOOKS
      return now - this.#sliceStartedAt >= MAX_SLICE_MS
    }
    this.#isSliceOpen = true
    this.#looks = 0
    this.#sliceStartedAt = now
    macrotask(this.#endSlice)
    return false
  }

  readonly #endSlice = (): void => {
    this.#isSliceOpen = false
  }
}

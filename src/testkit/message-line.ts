/**
 * The messages of a probe, in a line, and those who wait for some of them, in another: whoever began to wait first takes
 * first. A manual clock is moved by the waiting; on any other, a wait is one timer.
 */
import { discardStream } from '../actor/discarded-result.ts'
import type { Clock } from '../base/clock.ts'
import { deferred } from '../base/deferred.ts'
import { ActorStoppedError } from '../base/errors.ts'
import { ManualClock } from './manual-clock.ts'
import type { ReceivedMessage } from './received.ts'

interface Wait {
  readonly endsAt: number
  take(): boolean
  settle(isMet: boolean): void
}

export class MessageLine {
  /** Oldest first. Whoever waits takes out of it what it waits for. */
  readonly messages: ReceivedMessage[] = []
  readonly #clock: Clock
  #waits: Wait[] = []
  #isClosed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  push(message: ReceivedMessage): void {
    this.messages.push(message)
    this.#offer()
  }

  /** Puts messages back in front: others may have waited behind whoever gave up. */
  putBack(messages: readonly ReceivedMessage[]): void {
    this.messages.unshift(...messages)
    if (this.#isClosed) this.#discardStreams()
    else this.#offer()
  }

  /**
   * Waits until `take` answers true, having taken what it wants; it is asked now and after every message.
   *
   * @returns false when it did not in `limitMs` milliseconds
   * @throws ActorStoppedError when no message can come any more
   */
  async wait(limitMs: number, take: () => boolean): Promise<boolean> {
    if (take()) return true
    if (this.#isClosed) throw stopped()
    const outcome = deferred<boolean>()
    let isOver = false
    const wait: Wait = {
      endsAt: this.#clock.now() + limitMs,
      take,
      settle: (isMet) => {
        isOver = true
        this.#waits = this.#waits.filter((other) => other !== wait)
        outcome.resolve(isMet)
      },
    }
    this.#waits.push(wait)
    if (this.#clock instanceof ManualClock) {
      await this.#clock.advanceUntil(() => isOver, limitMs)
      wait.settle(false)
    } else if (limitMs !== Infinity) {
      const timer = this.#clock.setTimer(() => wait.settle(false), limitMs)
      await outcome.promise
      timer.cancel()
    }
    const isMet = await outcome.promise
    if (!isMet && this.#isClosed) throw stopped()
    return isMet
  }

  /** Ends the waits whose time is up. */
  expire(): void {
    const now = this.#clock.now()
    for (const wait of [...this.#waits]) if (wait.endsAt <= now) wait.settle(false)
  }

  /** No message comes any more. */
  close(): void {
    this.#isClosed = true
    this.#discardStreams()
    for (const wait of [...this.#waits]) wait.settle(false)
  }

  #offer(): void {
    const now = this.#clock.now()
    for (const wait of [...this.#waits]) {
      // The test moved the clock itself, past this one's end.
      if (wait.endsAt < now) wait.settle(false)
      else if (wait.take()) wait.settle(true)
    }
  }

  /** Nobody will read them. */
  #discardStreams(): void {
    for (const { message } of this.messages) discardStream(message)
  }
}

function stopped(): ActorStoppedError {
  return new ActorStoppedError('expected a running probe to wait at, got one that has stopped')
}

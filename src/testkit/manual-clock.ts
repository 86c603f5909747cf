/**
 * A clock that moves when told to. Timers run in order, each at the moment it is due: inside `advance`, at once, or inside
 * `advanceAsync`, with all that needs no time happening in between.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { SETTLED } from '../base/deferred.ts'
import { ConfigError, describe, PulsingSystemError } from '../base/errors.ts'
import { macrotask } from '../base/macrotask.ts'

/** Turns of the event loop in a row without a use of the clock after which all counts as settled. */
export const QUIET_TURNS = 32
/** Turns of the event loop that {@link ManualClock.settle} waits at most. */
export const MAX_SETTLE_TURNS = 100_000

interface Entry {
  readonly at: number
  readonly callback: () => void
}

/**
 * A clock for tests: it starts at 0 milliseconds, stands still, and moves only when told to, running the timers that fall
 * due in order.
 *
 * @example
 * ```ts
 * import { createActorSystem, SystemConfig } from 'pulsing'
 * import { ManualClock } from 'pulsing/testkit'
 *
 * const clock = new ManualClock()
 * const system = await createActorSystem(SystemConfig.standalone().withClock(clock))
 * let rings = 0
 * const alarm = await system.spawn({
 *   receive: (msg, ctx) => (msg.toObject() === 'ring' ? void rings++ : void ctx.schedule(60_000, 'ring')),
 * })
 * await alarm.tell('set')
 * await clock.advanceAsync(59_999) // rings is 0
 * await clock.advanceAsync(1) // rings is 1
 * await system.shutdown()
 * ```
 */
export class ManualClock implements Clock {
  #now = 0
  readonly #entries = new Set<Entry>()
  #afterTurn: (() => void)[] = []
  /** Timers set and cancelled, and turns asked for, so far: while it grows, something is going on. */
  #uses = 0
  /** Where those who move the clock now want it to stop. */
  readonly #ends = new Set<{ readonly at: number }>()
  #lastStep: Promise<unknown> = SETTLED

  /** Milliseconds passed so far. */
  now(): number {
    return this.#now
  }

  /**
   * Runs `callback` once, when the clock has been moved `delayMs` milliseconds from now; `hold` has no effect. Timers of
   * the same moment run in the order they were set.
   */
  setTimer(callback: () => void, delayMs: number): Timer {
    this.#uses++
    const entry: Entry = { at: this.#now + Math.max(0, delayMs), callback }
    this.#entries.add(entry)
    const cancel = (): void => {
      if (this.#entries.delete(entry)) this.#uses++
    }
    return { cancel, hold: () => undefined }
  }

  /** Runs `callback` when {@link settle} next looks, or time next moves: a turn of the event loop has passed then. */
  afterTurn(callback: () => void): void {
    this.#uses++
    this.#afterTurn.push(callback)
  }

  /** How many timers wait, `afterTurn` callbacks not counted. */
  get pending(): number {
    return this.#entries.size
  }

  /**
   * Lets `ms` milliseconds pass at once, running every timer that falls due, those set meanwhile included. What one
   * throws is thrown. Promises have no turn in it: where a timer's work goes on in one, as that of actors does, use
   * {@link advanceAsync}.
   *
   * @throws ConfigError unless `ms` is 0 or more, and finite
   */
  advance(ms: number): void {
    if (ms === Infinity) throw new ConfigError('expected a finite number of milliseconds, got Infinity')
    const end = this.#endAfter(ms)
    this.#endTurn()
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#run(next)
      this.#endTurn()
    }
    this.#now = end
  }

  /**
   * Lets `ms` milliseconds pass as they would: {@link settle}s, moves on to the next timer, runs it, settles again, and
   * so on, those set meanwhile included, until the time is over and everything has settled. A test of systems on this
   * clock needs nothing else. Several calls at a time share their
   * steps, and none is carried past its end by another.
   *
   * What a timer throws rejects it, with the clock at that timer.
   *
   * @throws ConfigError unless `ms` is 0 or more, and finite
   * @throws PulsingSystemError from {@link settle}
   */
  async advanceAsync(ms: number): Promise<void> {
    if (ms === Infinity) throw new ConfigError('expected a finite number of milliseconds, got Infinity')
    await this.advanceUntil(() => false, ms)
  }

  /**
   * {@link advanceAsync} that ends as soon as `isReached`, looked at whenever everything has settled: the clock moves no
   * further than it must, and not at all for what needs no time. At most `ms` milliseconds; Infinity ends when no timer
   * is left.
   *
   * @returns whether it was reached
   * @throws ConfigError unless `ms` is 0 or more
   * @throws PulsingSystemError from {@link settle}
   *
   * @example
   * ```ts
   * import { ManualClock } from 'pulsing/testkit'
   *
   * const clock = new ManualClock()
   * let isDone = false
   * clock.setTimer(() => (isDone = true), 250)
   * await clock.advanceUntil(() => isDone, 1_000) // true
   * clock.now() // 250
   * ```
   */
  async advanceUntil(isReached: () => boolean, ms: number): Promise<boolean> {
    const end = { at: this.#endAfter(ms) }
    this.#ends.add(end)
    try {
      for (;;) {
        // One step at a time, whoever waits: a timer must not run before the last one's work is done.
        const step = this.#lastStep.then(() => this.#step(isReached, end.at))
        this.#lastStep = step.catch(() => undefined)
        const outcome = await step
        if (outcome !== undefined) return outcome
      }
    } finally {
      this.#ends.delete(end)
    }
  }

  /**
   * Lets everything happen that can happen without time passing: waits turn by turn of the event loop, running what
   * {@link afterTurn} was given after each, until nobody has set or cancelled a timer, or asked for the end of a turn,
   * for {@link QUIET_TURNS} turns in a row. Promises have come to rest then, and so have asks, also between nodes linked
   * in this process. Not waited for is what takes real time (sockets, workers, the platform's own timers), and what goes
   * on for longer than those turns without a use of the clock: await what they bring.
   *
   * @throws PulsingSystemError when it is not quiet after {@link MAX_SETTLE_TURNS} turns
   */
  async settle(): Promise<void> {
    for (let quiet = 0, turns = 0; quiet < QUIET_TURNS; turns++) {
      if (turns === MAX_SETTLE_TURNS) {
        const message = `expected quiet within ${MAX_SETTLE_TURNS} turns of the event loop, got something that goes on without time passing`
        throw new PulsingSystemError(message, { recoverable: false })
      }
      const uses = this.#uses
      await new Promise<void>((resolve) => macrotask(resolve))
      this.#endTurn()
      quiet = this.#uses === uses ? quiet + 1 : 0
    }
  }

  /** Settles, and moves to the next timer or the end of somebody's wait; the outcome, once there is one. */
  async #step(isReached: () => boolean, end: number): Promise<boolean | undefined> {
    if (isReached()) return true
    await this.settle()
    if (isReached()) return true
    const nearest = Math.min(...Array.from(this.#ends, ({ at }) => at))
    const next = this.#next(nearest)
    if (next) {
      this.#run(next)
      return undefined
    }
    if (nearest !== Infinity) this.#now = Math.max(this.#now, nearest)
    return nearest < end ? undefined : false
  }

  #endAfter(ms: number): number {
    if (typeof ms !== 'number' || !(ms >= 0))
      throw new ConfigError(`expected milliseconds, 0 or more, got ${describe(ms)}`)
    return this.#now + ms
  }

  #run(entry: Entry): void {
    this.#now = Math.max(this.#now, entry.at)
    this.#entries.delete(entry)
    entry.callback()
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

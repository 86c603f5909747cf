/**
 * Many waits, few timers. Waits of equal length end in the order they began, so each length keeps one queue and one
 * platform timer: adding and removing a wait is a handful of pointer writes, whatever their number.
 */
import type { Clock, Timer } from './clock.ts'
import { SETTLED } from './deferred.ts'

/** Something that waits. The fields belong to the queue; they start as undefined. */
export interface Waiting {
  previousWaiting: Waiting | undefined
  nextWaiting: Waiting | undefined
  waitingSince: Turn | undefined
  queue: DeadlineQueue | undefined
  /** Called once when the time is up; the entry is no longer in the queue. */
  expired(): void
}

/**
 * One turn of the event loop in which waits began, or one pass over its promises. Reading the clock costs more than all
 * else here, so it is read at the beginning and the end of one; a wait counts from the end of the turn it began in, and so
 * is never cut short by a long one.
 */
export interface Turn {
  readonly startedAt: number
  endedAt: number | undefined
}

export class Deadlines {
  readonly #clock: Clock
  readonly #usualMs: number
  readonly #holdsProcess: boolean
  readonly #queues = new Map<number, DeadlineQueue>()
  #usual: DeadlineQueue | undefined

  /**
   * @param usualMs the duration most waits have: its timer outlives them, all others end with their last wait
   * @param holdsProcess whether a wait keeps a Node.js process alive; not needed where a socket does
   */
  constructor(clock: Clock, usualMs: number, holdsProcess = true) {
    this.#clock = clock
    this.#usualMs = usualMs
    this.#holdsProcess = holdsProcess
  }

  /** Lets `entry` wait `durationMs`; Infinity waits for ever and costs nothing. */
  add(entry: Waiting, durationMs: number): void {
    if (durationMs === Infinity) return
    let queue = durationMs === this.#usualMs ? this.#usual : this.#queues.get(durationMs)
    if (queue === undefined) {
      const giveUp = durationMs === this.#usualMs ? undefined : () => void this.#queues.delete(durationMs)
      queue = new DeadlineQueue(this.#clock, durationMs, this.#holdsProcess, giveUp)
      this.#queues.set(durationMs, queue)
      if (durationMs === this.#usualMs) this.#usual = queue
    }
    queue.add(entry)
  }

  /** Ends the wait without expiry; does nothing when it is over already. */
  remove(entry: Waiting): void {
    entry.queue?.remove(entry)
  }

  /** How many entries wait. */
  get size(): number {
    let size = 0
    for (const queue of this.#queues.values()) size += queue.size
    return size
  }

  /** Cancels every timer. Entries stay where they are and never expire. */
  close(): void {
    for (const queue of this.#queues.values()) queue.close()
    this.#queues.clear()
    this.#usual = undefined
  }
}

/** The waits of one length. */
export class DeadlineQueue {
  size = 0
  readonly #clock: Clock
  readonly #durationMs: number
  readonly #holdsProcess: boolean
  readonly #giveUp: (() => void) | undefined
  #first: Waiting | undefined
  #last: Waiting | undefined
  #timer: Timer | undefined
  #isHeld = false
  #isExpiring = false
  #turn: Turn | undefined

  constructor(clock: Clock, durationMs: number, holdsProcess: boolean, giveUp: (() => void) | undefined) {
    this.#clock = clock
    this.#durationMs = durationMs
    this.#holdsProcess = holdsProcess
    this.#giveUp = giveUp
  }

  add(entry: Waiting): void {
    entry.queue = this
    entry.waitingSince = this.#turn ?? this.#beginTurn()
    entry.previousWaiting = this.#last
    entry.nextWaiting = undefined
    if (this.#last) this.#last.nextWaiting = entry
    else this.#first = entry
    this.#last = entry
    this.size++
    if (this.#timer === undefined && !this.#isExpiring) this.#arm(this.#durationMs)
  }

  remove(entry: Waiting): void {
    const { previousWaiting, nextWaiting } = entry
    if (previousWaiting) previousWaiting.nextWaiting = nextWaiting
    else this.#first = nextWaiting
    if (nextWaiting) nextWaiting.previousWaiting = previousWaiting
    else this.#last = previousWaiting
    entry.queue = entry.previousWaiting = entry.nextWaiting = undefined
    this.size--
    if (this.size > 0) return
    if (this.#isHeld) this.#hold(false)
    if (this.#giveUp) {
      this.close()
      this.#giveUp()
    }
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  // The timer outlives the waits it was armed for (re-arming for every wait would cost more than all else), so it may
  // keep a process alive only while something really waits across a turn of the event loop.
  #beginTurn(): Turn {
    if (this.#holdsProcess) this.#clock.afterTurn(this.#endTurn)
    else void SETTLED.then(this.#endTurn)
    return (this.#turn = { startedAt: this.#clock.now(), endedAt: undefined })
  }

  readonly #endTurn = (): void => {
    this.#turn!.endedAt = this.#clock.now()
    this.#turn = undefined
    if (this.#holdsProcess && this.size > 0 && !this.#isHeld) this.#hold(true)
  }

  #endOf({ waitingSince }: Waiting): number {
    return (waitingSince!.endedAt ?? this.#clock.now()) + this.#durationMs
  }

  #hold(keepsAlive: boolean): void {
    this.#isHeld = keepsAlive
    this.#timer?.hold(keepsAlive)
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(this.#onTimer, delayMs)
    this.#timer.hold(this.#isHeld)
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    this.#isExpiring = true
    const now = this.#clock.now()
    for (let entry = this.#first; entry !== undefined && this.#endOf(entry) <= now; entry = this.#first) {
      this.remove(entry)
      entry.expired()
    }
    this.#isExpiring = false
    const first = this.#first as Waiting | undefined
    if (first) this.#arm(Math.max(1, Math.ceil(this.#endOf(first) - now)))
  }
}

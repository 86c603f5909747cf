/**
 * Sees to it that no relay dies unnoticed, at a price that does not grow with their number, as SWIM does: a relay asks one
 * other at a time for a sign of life, and all ask a relay at once when one of them says that it lost it. Links are
 * asked in order of their silence, so that a frame of either end spares a question; chance mixes that order, or
 * relays that were once linked together would ask the same one together for ever.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { RELAY_PATIENCE } from '../link/heartbeat.ts'
import type { Link } from '../link/link.ts'
import { Awareness } from './awareness.ts'

/** How much time passes between two questions, and how long a link is silent at least when it is asked, in milliseconds. */
export const SWEEP_EVERY_MS = 2_000
/** How long an answer may take where another relay got none, in milliseconds. */
export const CONFIRM_MS = 1_500
/** How late a timer is when this node has been away, or is overloaded, in milliseconds. */
export const LATE_MS = 500
/** By what part of itself chance makes a silence count for more, or less. */
const CHANCE = 0.2

/** A link to another relay. */
export type SweptLink = Pick<Link, 'heardAt' | 'probedAt' | 'probe'>

export interface SweepOptions {
  readonly clock: Clock
  readonly random: Random
  /** This relay's links to others. */
  links(): Iterable<SweptLink>
}

export class Sweep {
  /** How well this node is, for the patience of its links. */
  readonly awareness = new Awareness()
  readonly #options: SweepOptions
  #timer: Timer
  #sweptAt: number

  constructor(options: SweepOptions) {
    this.#options = options
    this.#sweptAt = options.clock.now()
    // Not all at once, though they may have started together.
    this.#timer = this.#wait(options.random.float() * SWEEP_EVERY_MS)
  }

  /** Another relay has lost its link to the one at the other end of this. */
  doubt(link: SweptLink): void {
    link.probe(CONFIRM_MS)
  }

  close(): void {
    this.#timer.cancel()
  }

  #wait(ms: number): Timer {
    const { clock } = this.#options
    const dueAt = clock.now() + ms
    const timer = clock.setTimer(() => {
      if (clock.now() - dueAt > LATE_MS) this.awareness.wasLate()
      this.#sweep(clock.now())
      this.#timer = this.#wait(SWEEP_EVERY_MS)
    }, ms)
    timer.hold(false)
    return timer
  }

  #sweep(now: number): void {
    const { random } = this.#options
    let next: SweptLink | undefined
    let longest = 0
    let asked = 0
    let askedAt = Infinity
    let heardAt = -Infinity
    for (const link of this.#options.links()) {
      heardAt = Math.max(heardAt, link.heardAt)
      if (link.probedAt !== undefined) {
        asked++
        askedAt = Math.min(askedAt, link.probedAt)
        continue
      }
      const silentMs = now - link.heardAt
      const counts = silentMs * (1 - CHANCE + 2 * CHANCE * random.float())
      if (silentMs < SWEEP_EVERY_MS || counts <= longest) continue
      longest = counts
      next = link
    }
    if (asked > 1 && heardAt < askedAt) this.awareness.wasDeaf()
    else if (heardAt >= this.#sweptAt) this.awareness.wasWell()
    this.#sweptAt = now
    next?.probe(RELAY_PATIENCE.answerMs)
  }
}

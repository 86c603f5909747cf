/**
 * How well this node itself is, by what it sees of itself: whose own timers come late, or who asked several relays and
 * hears nobody at all, waits longer before it calls others silent. Pure: a score that goes up and down.
 */

/** The worst score: answers may take one time longer than usual for each. */
export const MAX_SCORE = 2

export class Awareness {
  #score = 0

  /** How many times longer than usual an answer may take. */
  get slack(): number {
    return 1 + this.#score
  }

  /** A timer of this node came late. */
  wasLate(): void {
    this.#worsen()
  }

  /** Several relays were asked, and nobody at all was heard since. */
  wasDeaf(): void {
    this.#worsen()
  }

  /** Somebody was heard in time. */
  wasWell(): void {
    this.#score = Math.max(0, this.#score - 1)
  }

  #worsen(): void {
    this.#score = Math.min(MAX_SCORE, this.#score + 1)
  }
}

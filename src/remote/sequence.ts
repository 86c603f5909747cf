/**
 * Puts what comes from one node back in order. Pure. While a route changes, frames of the new one may overtake those of
 * the old; they are held until the gap closes. Duplicates and frames of sessions that are over are recognised.
 */

/** Frames held for one peer at most; beyond that the gap will not close. */
export const MAX_HELD_FRAMES = 512

export type Arrival = 'deliver' | 'hold' | 'drop' | 'stale' | 'new-session' | 'overflow'

export class Sequence<T> {
  #session = 0
  #deadSession = 0
  #next = 1
  readonly #held = new Map<number, T>()

  /** The session of the peer being received, 0 before its first frame. */
  get session(): number {
    return this.#session
  }

  /** The number of the last frame delivered, 0 before the first. */
  get received(): number {
    return this.#next - 1
  }

  /** How many frames wait for an earlier one. */
  get held(): number {
    return this.#held.size
  }

  /**
   * What to do with a frame: deliver it now, hold it, drop it (a duplicate), tell the peer its session is over, or first
   * end our own session with the peer because it has begun another.
   */
  arrive(session: number, seq: number): Arrival {
    const met = this.meet(session)
    if (met !== 'known') return met
    if (seq < this.#next) return 'drop'
    if (seq > this.#next) return this.#held.has(seq) ? 'drop' : this.#held.size < MAX_HELD_FRAMES ? 'hold' : 'overflow'
    this.#next++
    return 'deliver'
  }

  /** The peer's current session, as it says outside of it: as {@link arrive}, with nothing delivered. */
  meet(session: number): 'known' | 'stale' | 'new-session' {
    if (session <= this.#deadSession || session < this.#session) return 'stale'
    if (session > this.#session) {
      if (this.#session !== 0) return 'new-session'
      this.#session = session
    }
    return 'known'
  }

  hold(seq: number, frame: T): void {
    this.#held.set(seq, frame)
  }

  /** The held frame that is next now, if any. */
  release(): T | undefined {
    const frame = this.#held.get(this.#next)
    if (frame !== undefined) {
      this.#held.delete(this.#next)
      this.#next++
    }
    return frame
  }

  /** Ends the session: nothing of it is delivered any more. */
  reset(): void {
    this.#deadSession = Math.max(this.#deadSession, this.#session)
    this.#session = 0
    this.#next = 1
    this.#held.clear()
  }
}

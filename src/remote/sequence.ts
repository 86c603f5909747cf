/**
 * Puts what comes from one node back in order. Pure. While a route changes, frames of the new one may overtake those of
 * the old; they are held until the gap closes. Duplicates and frames of sessions that are over are recognised.
 */

/** Frames held for one peer at most; more are not taken, and come again when the gap has closed. */
export const MAX_HELD_FRAMES = 512
/** Bytes of payload held for one peer, after which no more frames are. */
export const MAX_HELD_BYTES: number = 1024 * 1024

export type Arrival = 'deliver' | 'hold' | 'drop' | 'stale' | 'new-session' | 'overflow'

interface Held<T> {
  readonly frame: T
  readonly bytes: number
}

export class Sequence<T> {
  #session = 0
  #deadSession = 0
  #next = 1
  readonly #held = new Map<number, Held<T>>()
  #heldBytes = 0

  /** The session of the peer being received, 0 before it is known. */
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

  /** Their bytes. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /**
   * What to do with a frame: deliver it now, hold it, drop it (a duplicate, or one more than can be held), tell the peer
   * its session is over, or first end our own session with the peer because it has begun another.
   */
  arrive(session: number, seq: number): Arrival {
    const met = this.meet(session)
    if (met !== 'known') return met
    if (seq < this.#next) return 'drop'
    if (seq > this.#next) {
      if (this.#held.has(seq)) return 'drop'
      return this.#held.size < MAX_HELD_FRAMES && this.#heldBytes < MAX_HELD_BYTES ? 'hold' : 'overflow'
    }
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

  /** @param bytes of the frame, for the bound */
  hold(seq: number, frame: T, bytes: number): void {
    this.#held.set(seq, { frame, bytes })
    this.#heldBytes += bytes
  }

  /** The held frame that is next now, if any. */
  release(): T | undefined {
    const held = this.#held.get(this.#next)
    if (held === undefined) return undefined
    this.#held.delete(this.#next)
    this.#heldBytes -= held.bytes
    this.#next++
    return held.frame
  }

  /**
   * Ends the session: nothing of it is delivered any more.
   *
   * @param next the session that follows it, received from its beginning; 0 when that is not known yet
   */
  reset(next = 0): void {
    const follower = next === 0 ? 0 : Math.max(next, this.#session)
    this.#deadSession = Math.max(this.#deadSession, follower === 0 ? this.#session : follower - 1)
    this.#session = follower > this.#deadSession ? follower : 0
    this.#next = 1
    this.#held.clear()
    this.#heldBytes = 0
  }
}

/**
 * How far the one-way messages to one node may be ahead of its mailboxes. Pure, but for those who wait: they are counted
 * and weighed as they leave, and again as the other node is done with them; and an actor whose mailbox is full holds back
 * those who tell it, and nobody else.
 */
import type { Deferred } from '../base/deferred.ts'
import { deferred } from '../base/deferred.ts'

/** One-way messages that may be on their way to mailboxes of one node before their senders wait. */
export const MAX_TELLS_UNDERWAY = 2048
/** Their bytes, before their senders wait. */
export const MAX_TELL_BYTES_UNDERWAY: number = 4 * 1024 * 1024

export class TellCredit {
  #told = 0
  #toldBytes = 0
  #taken = 0
  #takenBytes = 0
  #room: Deferred<void> | undefined
  /** Actors over there whose mailboxes are full, and who waits for them. */
  readonly #full = new Map<string, Deferred<void>>()

  /** One leaves for an actor; a promise where its sender is to wait, until it need not. */
  tell(actorId: string, bytes: number): Promise<void> | undefined {
    this.#told++
    this.#toldBytes += bytes
    const full = this.#full.size > 0 ? this.#full.get(actorId) : undefined
    if (full) return full.promise
    if (!this.#isSpent) return undefined
    this.#room ??= deferred()
    return this.#room.promise
  }

  /** So many, of so many bytes, are done with in all. Totals that went back, or beyond what was sent, are ignored. */
  credit(count: number, bytes: number): void {
    if (count <= this.#taken || count > this.#told || bytes < this.#takenBytes || bytes > this.#toldBytes) return
    this.#taken = count
    this.#takenBytes = bytes
    if (!this.#isSpent) this.#release()
  }

  /** The mailbox of an actor is full, or no longer. */
  hold(actorId: string, isFull: boolean): void {
    const full = this.#full.get(actorId)
    if (isFull && !full) this.#full.set(actorId, deferred())
    if (isFull || !full) return
    this.#full.delete(actorId)
    full.resolve()
  }

  /** The session is over: who waits goes on. */
  reset(): void {
    this.#told = this.#toldBytes = this.#taken = this.#takenBytes = 0
    const full = [...this.#full.values()]
    this.#full.clear()
    this.#release()
    for (const { resolve } of full) resolve()
  }

  get #isSpent(): boolean {
    return (
      this.#told - this.#taken >= MAX_TELLS_UNDERWAY || this.#toldBytes - this.#takenBytes >= MAX_TELL_BYTES_UNDERWAY
    )
  }

  #release(): void {
    const room = this.#room
    this.#room = undefined
    room?.resolve()
  }
}

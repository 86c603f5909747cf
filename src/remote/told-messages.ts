/**
 * One-way messages of one other node, on their way into mailboxes here. Those that find a full one wait, for a while on
 * nobody's account, so that one full mailbox does not stop what is told to others; its actor is said to be full, and its
 * senders hold back.
 */
import { SETTLED } from '../base/deferred.ts'

/** One-way messages of one peer that may wait outside full mailboxes; more are dead letters. */
export const MAX_WAITING_MESSAGES = 4096
/** Their bytes, beside the largest message there may be. */
export const MAX_WAITING_BYTES: number = 64 * 1024 * 1024
/** Half of the messages, and a quarter of the bytes, wait without being held against their sender. */
const MAX_FORGIVEN_MESSAGES = MAX_WAITING_MESSAGES / 2
const MAX_FORGIVEN_BYTES = MAX_WAITING_BYTES / 4

/** One-way messages after which their sender is told that they are done with. */
export const TELLS_PER_CREDIT = 512
/** Bytes of them after which it is told. */
export const TELL_BYTES_PER_CREDIT: number = 1024 * 1024

/** What the sender is told. */
export interface TellLine {
  /** So many one-way messages, of so many bytes, are done with in all. */
  taken(count: number, bytes: number): void
  /** The mailbox of an actor is full, or no longer. */
  full(actorId: string, isFull: boolean): void
}

export class ToldMessages {
  readonly #line: TellLine
  readonly #maxBytes: number
  #session = 0
  /** In this session, all of them, and as far as the sender was told. */
  #taken = 0
  #takenBytes = 0
  #toldOf = 0
  #toldOfBytes = 0
  /** Those that wait outside mailboxes, and how many for each actor. */
  #waiting = 0
  #waitingBytes = 0
  readonly #waitingFor = new Map<string, number>()

  /** @param maxMessageBytes the largest message there may be */
  constructor(line: TellLine, maxMessageBytes: number) {
    this.#line = line
    this.#maxBytes = MAX_WAITING_BYTES + 2 * maxMessageBytes
  }

  /** Whether no more may wait. */
  get isFull(): boolean {
    return this.#waiting >= MAX_WAITING_MESSAGES || this.#waitingBytes >= this.#maxBytes
  }

  /** One was dropped. */
  dropped(bytes: number): void {
    this.#done(bytes)
  }

  /** One was given to a mailbox, which takes it when `accepted` settles. */
  accepted(actorId: string, bytes: number, accepted: Promise<void>): void {
    if (accepted === SETTLED) {
      this.#done(bytes)
      return
    }
    const session = this.#session
    const isForgiven = this.#waiting < MAX_FORGIVEN_MESSAGES && this.#waitingBytes + bytes <= MAX_FORGIVEN_BYTES
    this.#wait(actorId, bytes)
    if (isForgiven) this.#done(bytes)
    const settled = (): void => {
      this.#waiting--
      this.#waitingBytes -= bytes
      if (session !== this.#session) return
      this.#left(actorId)
      if (!isForgiven) this.#done(bytes)
    }
    accepted.then(settled, settled)
  }

  /** The session is over; what waits goes on waiting. */
  reset(): void {
    this.#session++
    this.#taken = this.#takenBytes = this.#toldOf = this.#toldOfBytes = 0
    this.#waitingFor.clear()
  }

  #wait(actorId: string, bytes: number): void {
    this.#waiting++
    this.#waitingBytes += bytes
    const count = this.#waitingFor.get(actorId) ?? 0
    this.#waitingFor.set(actorId, count + 1)
    if (count === 0) this.#line.full(actorId, true)
  }

  #left(actorId: string): void {
    const count = this.#waitingFor.get(actorId)! - 1
    if (count > 0) this.#waitingFor.set(actorId, count)
    else {
      this.#waitingFor.delete(actorId)
      this.#line.full(actorId, false)
    }
  }

  #done(bytes: number): void {
    this.#taken++
    this.#takenBytes += bytes
    if (this.#taken - this.#toldOf < TELLS_PER_CREDIT && this.#takenBytes - this.#toldOfBytes < TELL_BYTES_PER_CREDIT)
      return
    this.#toldOf = this.#taken
    this.#toldOfBytes = this.#takenBytes
    this.#line.taken(this.#taken, this.#takenBytes)
  }
}

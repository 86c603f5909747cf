/**
 * A bounded queue of envelopes with a policy for when it is full. It decides and stores; running the actor is the
 * cell's business, and so is what becomes of envelopes it refuses.
 */
import type { Deferred } from '../base/deferred.ts'
import { deferred, SETTLED } from '../base/deferred.ts'
import { Fifo } from '../base/fifo.ts'
import type { Envelope } from './envelope.ts'

/**
 * What happens to a message that finds the mailbox full. `wait`: its sender waits for room. `drop-newest`: it becomes a
 * dead letter. `drop-oldest`: the message that waited longest does. `fail`: as `drop-newest`, and a `tell` of this node
 * rejects with MailboxFullError. The ask behind a message that was dropped rejects with that error in every case.
 */
export type Overflow = 'wait' | 'drop-newest' | 'drop-oldest' | 'fail'

/** How many messages may wait for one actor, and what happens to more. */
export interface MailboxOptions {
  /**
   * Messages that may wait, {@link MIN_MAILBOX_CAPACITY} to {@link MAX_MAILBOX_CAPACITY}. Default: what
   * `SystemConfig.withMailboxCapacity` was given, else {@link DEFAULT_MAILBOX_CAPACITY}.
   */
  readonly capacity?: number
  /** What happens to a message for which there is no room. Default `'wait'`. */
  readonly overflow?: Overflow
}

/** Messages a mailbox holds unless the configuration or `spawn` says otherwise. */
export const DEFAULT_MAILBOX_CAPACITY = 256
/** The smallest mailbox capacity, in messages. */
export const MIN_MAILBOX_CAPACITY = 16
/** The largest mailbox capacity, in messages. */
export const MAX_MAILBOX_CAPACITY = 1_000_000
export const OVERFLOWS: readonly Overflow[] = ['wait', 'drop-newest', 'drop-oldest', 'fail']

interface Sender {
  readonly envelope: Envelope
  /** Only for those who wait to be let in: an ask waits for its reply instead. */
  readonly accepted: Deferred<void> | undefined
}

/** The answer for an ask that waits outside: not settled, and nobody's to await. */
const WAITING: Promise<void> = /* @__PURE__ */ new Promise(() => undefined)

export class Mailbox {
  readonly #queue = new Fifo<Envelope>()
  readonly #capacity: number
  readonly #overflow: Overflow
  #senders: Fifo<Sender> | undefined

  constructor(capacity: number, overflow: Overflow) {
    this.#capacity = capacity
    this.#overflow = overflow
  }

  /** Envelopes to handle, waiting senders not counted. */
  get size(): number {
    return this.#queue.size
  }

  /** Takes an envelope in if there is room. */
  offer(envelope: Envelope): boolean {
    if (this.#queue.size >= this.#capacity || (this.#senders !== undefined && this.#senders.size > 0)) return false
    this.#queue.push(envelope)
    return true
  }

  /** What becomes of an envelope that found no room: the one refused instead, if any, and when this one is in. */
  overflow(envelope: Envelope): { readonly refused: Envelope | undefined; readonly accepted: Promise<void> } {
    switch (this.#overflow) {
      case 'wait': {
        this.#senders ??= new Fifo()
        const accepted = envelope.isAsk ? undefined : deferred<void>()
        this.#senders.push({ envelope, accepted })
        return { refused: undefined, accepted: accepted?.promise ?? WAITING }
      }
      case 'drop-oldest': {
        const refused = this.#queue.shift()
        this.#queue.push(envelope)
        return { refused, accepted: SETTLED }
      }
      default:
        return { refused: envelope, accepted: SETTLED }
    }
  }

  /** Whether a refused message is an error for its sender (`fail`) or only a dead letter. */
  get failsSenders(): boolean {
    return this.#overflow === 'fail'
  }

  next(): Envelope | undefined {
    const envelope = this.#queue.shift()
    if (this.#senders !== undefined) {
      const sender = this.#senders.shift()
      if (sender) {
        this.#queue.push(sender.envelope)
        sender.accepted?.resolve()
      }
    }
    return envelope
  }

  /** Puts an envelope in front, whatever the capacity: it was in before. */
  putBack(envelope: Envelope): void {
    this.#queue.unshift(envelope)
  }

  /** Takes everything out, waiting senders' messages included. */
  drain(): Envelope[] {
    const envelopes = this.#queue.drain()
    for (const sender of this.#senders?.drain() ?? []) {
      envelopes.push(sender.envelope)
      sender.accepted?.resolve()
    }
    return envelopes
  }
}

/**
 * A bounded queue of envelopes with a policy for when it is full, and a lane beside it for the runtime's own signals,
 * which is never full. It decides and stores; running the actor is the cell's business, and so is what becomes of
 * envelopes it refuses.
 */
import type { Deferred } from '../base/deferred.ts'
import { deferred, SETTLED } from '../base/deferred.ts'
import { Fifo } from '../base/fifo.ts'
import type { Envelope } from './envelope.ts'
import { Signal } from './envelope.ts'

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

const NONE: readonly Envelope[] = []

/** The answer for an ask that waits outside: not settled, and nobody's to await. */
const WAITING: Promise<void> = /* @__PURE__ */ new Promise(() => undefined)

/** Senders waiting outside that make a look worthwhile whether some have given up. */
const SENDERS_BEFORE_LOOK = 256

interface Lane {
  readonly signals: Fifo<{ readonly signal: Signal; readonly position: number }>
  /** Envelopes that left the queue since the lane was last empty. */
  gone: number
}

export class Mailbox {
  readonly #queue = new Fifo<Envelope>()
  readonly capacity: number
  readonly #overflow: Overflow
  #senders: Fifo<Sender> | undefined
  #lookAt = SENDERS_BEFORE_LOOK
  #lane: Lane | undefined

  constructor(capacity: number, overflow: Overflow) {
    this.capacity = capacity
    this.#overflow = overflow
  }

  /** Envelopes to handle, waiting senders not counted. */
  get size(): number {
    return this.#queue.size + (this.#lane?.signals.size ?? 0)
  }

  /** Takes a signal, behind everything that came before it, whatever the capacity. */
  signal(signal: Signal): void {
    this.#lane ??= { signals: new Fifo(), gone: 0 }
    const lane = this.#lane
    if (lane.signals.size === 0) lane.gone = 0
    lane.signals.push({ signal, position: lane.gone + this.#queue.size + (this.#senders?.size ?? 0) })
  }

  /** Whether an envelope would be taken in at once. */
  get hasRoom(): boolean {
    return this.#queue.size < this.capacity && (this.#senders === undefined || this.#senders.size === 0)
  }

  /** Takes an envelope in if there is room. */
  offer(envelope: Envelope): boolean {
    if (!this.hasRoom) return false
    this.#queue.push(envelope)
    return true
  }

  /**
   * What becomes of an envelope that found no room: the one refused instead, if any, those whose senders have given up
   * meanwhile, and when this one is in.
   */
  overflow(envelope: Envelope): {
    readonly refused: Envelope | undefined
    readonly forgotten: readonly Envelope[]
    readonly accepted: Promise<void>
  } {
    switch (this.#overflow) {
      case 'wait': {
        this.#senders ??= new Fifo()
        const forgotten = this.#senders.size >= this.#lookAt ? this.#forgetCancelled(this.#senders) : NONE
        const accepted = envelope.isAsk ? undefined : deferred<void>()
        this.#senders.push({ envelope, accepted })
        return { refused: undefined, forgotten, accepted: accepted?.promise ?? WAITING }
      }
      case 'drop-oldest': {
        const refused = this.#dropOldest()
        this.#queue.push(envelope)
        return { refused, forgotten: NONE, accepted: SETTLED }
      }
      default:
        return { refused: envelope, forgotten: NONE, accepted: SETTLED }
    }
  }

  /** Whether a refused message is an error for its sender (`fail`) or only a dead letter. */
  get failsSenders(): boolean {
    return this.#overflow === 'fail'
  }

  next(): Envelope | undefined {
    if (this.#lane !== undefined && this.#lane.signals.size > 0) {
      const signal = this.#dueSignal(this.#lane)
      if (signal) return signal
    }
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

  /** The next signal, if nothing that came before it is left; else one more envelope is about to leave the queue. */
  #dueSignal(lane: Lane): Signal | undefined {
    const { signal, position } = lane.signals.peek()!
    if (position > lane.gone) {
      lane.gone++
      return undefined
    }
    lane.signals.shift()
    signal.taken()
    return signal
  }

  /** Puts an envelope in front, whatever the capacity: it was in before. */
  putBack(envelope: Envelope): void {
    this.#queue.unshift(envelope)
    if (this.#lane) this.#lane.gone--
  }

  /** Takes those out of the line outside who no longer wait, lest the senders of a stuck actor fill the memory. */
  #forgetCancelled(senders: Fifo<Sender>): Envelope[] {
    const forgotten: Envelope[] = []
    const positions: number[] = []
    let position = (this.#lane?.gone ?? 0) + this.#queue.size
    for (const sender of senders.drain()) {
      if (!sender.envelope.isCancelled) senders.push(sender)
      else {
        forgotten.push(sender.envelope)
        positions.push(position)
      }
      position++
    }
    // What stood in front of a signal, and is gone, is not waited for.
    this.#moveSignals((before) => before - positions.filter((at) => at < before).length)
    this.#lookAt = Math.max(SENDERS_BEFORE_LOOK, 2 * senders.size)
    return forgotten
  }

  #moveSignals(to: (position: number) => number): void {
    for (const { signal, position } of this.#lane?.signals.drain() ?? [])
      this.#lane!.signals.push({ signal, position: to(position) })
  }

  /** The message that waited longest; signals that were put back in front of it stay. */
  #dropOldest(): Envelope | undefined {
    const signals: Envelope[] = []
    let oldest = this.#queue.shift()
    for (; oldest instanceof Signal; oldest = this.#queue.shift()) signals.push(oldest)
    for (const signal of signals.reverse()) this.#queue.unshift(signal)
    // It stood where it stood: only signals behind it have one less to wait for.
    const index = signals.length
    if (oldest) this.#moveSignals((position) => (position - this.#lane!.gone > index ? position - 1 : position))
    return oldest
  }

  /** Takes everything out, waiting senders' messages included, and signals not. */
  drain(): Envelope[] {
    this.#moveSignals(() => 0)
    if (this.#lane) this.#lane.gone = 0
    const envelopes = this.#queue.drain()
    for (const sender of this.#senders?.drain() ?? []) {
      envelopes.push(sender.envelope)
      sender.accepted?.resolve()
    }
    return envelopes
  }
}

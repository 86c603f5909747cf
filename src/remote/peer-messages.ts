/**
 * What one other node asks and tells actors of this one: into their mailboxes, and the outcomes back. Every ask is
 * answered once, or was given up over there.
 */
import type { ActorRef } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import { discardMessage, discardResult } from '../actor/discarded-result.ts'
import { Tell } from '../actor/envelope.ts'
import { SETTLED } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import { ActorStoppedError, OverloadedError } from '../base/errors.ts'
import { IdTable } from '../base/id-table.ts'
import type { Frame } from '../wire/frame.ts'
import type { AssociationOwner } from './association.ts'
import type { PayloadOwner } from './payload.ts'
import { decodeMessage } from './payload.ts'
import type { ReplyLine } from './remote-ask.ts'
import { InboundAsk } from './remote-ask.ts'

/** One-way messages of one peer that may wait outside full mailboxes; more are dead letters. */
export const MAX_WAITING_MESSAGES = 4096
/** Asks of one peer that may be unanswered here; more are refused. */
export const MAX_PENDING_ASKS = 65_536

/** One-way messages after which their sender is told that mailboxes have taken them. */
export const TELLS_PER_CREDIT = 512

/** Where outcomes go. */
export interface OutcomeLine {
  /** @throws NotSerialisableError, with nothing sent */
  reply(id: number, result: unknown): void
  fail(id: number, error: unknown): void
  /** So many one-way messages, in all, wait no more. */
  taken(tells: number): void
}

export class PeerMessages implements ReplyLine {
  readonly peer: string
  readonly #owner: AssociationOwner
  readonly #runtime: ActorRuntime
  readonly #streams: PayloadOwner
  readonly #line: OutcomeLine
  readonly #handling = new IdTable<InboundAsk>()
  #session = 0
  #waiting = 0
  /** One-way messages taken by mailboxes, or lost to full ones, in this session; and how many of them the peer was told of. */
  #taken = 0
  #toldOf = 0

  constructor(peer: string, owner: AssociationOwner, streams: PayloadOwner, line: OutcomeLine) {
    this.peer = peer
    this.#owner = owner
    this.#runtime = owner.runtime
    this.#streams = streams
    this.#line = line
  }

  /** Asks that are not answered. */
  get size(): number {
    return this.#handling.size
  }

  ask(frame: Frame): void {
    if (frame.payloadBytes > this.#owner.maxMessageBytes) {
      discardMessage(decodeMessage(frame, this.#streams))
      this.#line.fail(frame.id, tooLarge(frame, this.#owner.maxMessageBytes))
      this.#runtime.deadLetter(`actor://${this.#runtime.nodeId}/${frame.actor}`, frame.type, 'overloaded')
      return
    }
    const ask = new InboundAsk(frame.id, decodeMessage(frame, this.#streams), this.#senderRef(frame), this)
    const cell = this.#runtime.byId(frame.actor)
    this.#handling.add(ask)
    if (frame.timeout > 0) ask.wait(this.#owner.deadlines, frame.timeout)
    if (!cell)
      this.#refuseAsk(
        ask,
        frame,
        new ActorStoppedError('expected a running actor, got an id no actor of this node has', {
          address: `actor://${this.#runtime.nodeId}/${frame.actor}`,
          outcome: 'not-sent',
        }),
      )
    else if (this.#handling.size > MAX_PENDING_ASKS) this.#refuseAsk(ask, frame, overloaded())
    else void cell.accept(ask)
  }

  #refuseAsk(ask: InboundAsk, frame: Frame, error: PulsingError): void {
    discardMessage(ask.message)
    ask.fail(error)
    this.#runtime.deadLetter(`actor://${this.#runtime.nodeId}/${frame.actor}`, frame.type, error.code)
  }

  tell(frame: Frame): void {
    if (frame.payloadBytes > this.#owner.maxMessageBytes) {
      discardMessage(decodeMessage(frame, this.#streams))
      this.#runtime.deadLetter(`actor://${this.#runtime.nodeId}/${frame.actor}`, frame.type, 'overloaded')
      this.#tookOne()
      return
    }
    const message = decodeMessage(frame, this.#streams)
    const cell = this.#runtime.byId(frame.actor)
    if (cell && this.#waiting < MAX_WAITING_MESSAGES) {
      this.#track(cell.accept(new Tell(message, this.#senderRef(frame))))
      return
    }
    this.#tookOne()
    discardMessage(message)
    this.#runtime.deadLetter(
      `actor://${this.#runtime.nodeId}/${frame.actor}`,
      message.msgType,
      cell ? 'overloaded' : 'actor_stopped',
    )
  }

  #track(accepted: Promise<void>): void {
    if (accepted === SETTLED) {
      this.#tookOne()
      return
    }
    this.#waiting++
    const session = this.#session
    const done = (): void => {
      this.#waiting--
      if (session === this.#session) this.#tookOne()
    }
    accepted.then(done, done)
  }

  #tookOne(): void {
    if (++this.#taken - this.#toldOf < TELLS_PER_CREDIT) return
    this.#toldOf = this.#taken
    this.#line.taken(this.#taken)
  }

  /** The caller gave up. */
  cancel(id: number): void {
    this.#handling.delete(id)?.cancel(new DOMException('the caller gave up', 'AbortError'))
  }

  /** Nobody over there waits any more. */
  reset(error: PulsingError): void {
    this.#taken = this.#toldOf = 0
    this.#session++
    const handling = this.#handling.values()
    this.#handling.clear()
    for (const ask of handling) ask.cancel(error)
  }

  reply(ask: InboundAsk, result: unknown): void {
    if (this.#handling.get(ask.id) !== ask) {
      discardResult(result)
      return
    }
    this.#handling.delete(ask.id)
    try {
      this.#line.reply(ask.id, result)
    } catch (error) {
      this.#line.fail(ask.id, error)
    }
  }

  refuse(ask: InboundAsk, error: unknown): void {
    if (this.#handling.get(ask.id) !== ask) return
    this.#handling.delete(ask.id)
    this.#line.fail(ask.id, error)
  }

  #senderRef(frame: Frame): ActorRef | undefined {
    return frame.sender === '' ? undefined : this.#owner.refTo(this.peer, frame.sender, undefined)
  }
}

/** The error for a message of more than `maxBytes`. */
export function tooLarge(frame: Frame, maxBytes: number): OverloadedError {
  return new OverloadedError(`expected a message of at most ${maxBytes} bytes, got ${frame.payloadBytes}`)
}

function overloaded(): OverloadedError {
  return new OverloadedError(`expected at most ${MAX_PENDING_ASKS} unanswered asks of one node, got more`)
}

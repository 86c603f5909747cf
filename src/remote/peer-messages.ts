/**
 * What one other node asks and tells actors of this one: into their mailboxes, and the outcomes back. Every ask is
 * answered once, or was given up over there.
 */
import type { ActorRef } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import { discardMessage, discardResult } from '../actor/discarded-result.ts'
import { Tell } from '../actor/envelope.ts'
import type { PulsingError } from '../base/errors.ts'
import { ActorStoppedError, OverloadedError, ProtocolError } from '../base/errors.ts'
import { IdTable } from '../base/id-table.ts'
import type { Frame } from '../wire/frame.ts'
import type { AssociationOwner } from './association.ts'
import type { PayloadOwner } from './payload.ts'
import { decodeMessage } from './payload.ts'
import type { ReplyLine } from './remote-ask.ts'
import { InboundAsk } from './remote-ask.ts'
import type { TellLine } from './told-messages.ts'
import { ToldMessages } from './told-messages.ts'

/** Asks of one peer that may be unanswered here; more are refused. */
export const MAX_PENDING_ASKS = 65_536
/** Their bytes, beside the largest message there may be. */
export const MAX_PENDING_ASK_BYTES: number = 64 * 1024 * 1024

/** Where outcomes go. */
export interface OutcomeLine extends TellLine {
  /** @throws NotSerialisableError, with nothing sent */
  reply(id: number, result: unknown): void
  fail(id: number, error: unknown): void
}

export class PeerMessages implements ReplyLine {
  readonly peer: string
  readonly #owner: AssociationOwner
  readonly #runtime: ActorRuntime
  readonly #streams: PayloadOwner
  readonly #line: OutcomeLine
  readonly #handling = new IdTable<InboundAsk>()
  /** Bytes of the asks that are not answered. */
  #handlingBytes = 0
  readonly #told: ToldMessages

  constructor(peer: string, owner: AssociationOwner, streams: PayloadOwner, line: OutcomeLine) {
    this.peer = peer
    this.#owner = owner
    this.#runtime = owner.runtime
    this.#streams = streams
    this.#line = line
    this.#told = new ToldMessages(line, owner.maxMessageBytes)
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
    if (this.#handling.get(frame.id))
      throw new ProtocolError(`expected an ask with an id of its own, got ${frame.id} a second time`)
    const ask = new InboundAsk(frame.id, decodeMessage(frame, this.#streams), this.#senderRef(frame), this)
    ask.bytes = frame.payloadBytes
    const cell = this.#runtime.byId(frame.actor)
    this.#handling.add(ask)
    this.#handlingBytes += ask.bytes
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
    else if (this.#handling.size > MAX_PENDING_ASKS || this.#handlingBytes > this.#maxHandlingBytes)
      this.#refuseAsk(ask, frame, overloaded())
    else void cell.accept(ask)
  }

  #refuseAsk(ask: InboundAsk, frame: Frame, error: PulsingError): void {
    discardMessage(ask.message)
    // Nobody threw it. To write down where it was made would take most of the time of a refusal, and peers can have many.
    error.stack = ''
    ask.fail(error)
    this.#runtime.deadLetter(`actor://${this.#runtime.nodeId}/${frame.actor}`, frame.type, error.code)
  }

  get #maxHandlingBytes(): number {
    return MAX_PENDING_ASK_BYTES + this.#owner.maxMessageBytes
  }

  tell(frame: Frame): void {
    const { actor, payloadBytes } = frame
    if (payloadBytes > this.#owner.maxMessageBytes) {
      discardMessage(decodeMessage(frame, this.#streams))
      this.#runtime.deadLetter(`actor://${this.#runtime.nodeId}/${frame.actor}`, frame.type, 'overloaded')
      this.#told.dropped(payloadBytes)
      return
    }
    const message = decodeMessage(frame, this.#streams)
    const cell = this.#runtime.byId(frame.actor)
    if (cell && (cell.hasRoom || !this.#told.isFull)) {
      this.#told.accepted(actor, payloadBytes, cell.accept(new Tell(message, this.#senderRef(frame))))
      return
    }
    this.#told.dropped(payloadBytes)
    discardMessage(message)
    this.#runtime.deadLetter(
      `actor://${this.#runtime.nodeId}/${frame.actor}`,
      message.msgType,
      cell ? 'overloaded' : 'actor_stopped',
    )
  }

  /** The caller gave up. */
  cancel(id: number): void {
    this.#take(id)?.cancel(new DOMException('the caller gave up', 'AbortError'))
  }

  #take(id: number): InboundAsk | undefined {
    const ask = this.#handling.delete(id)
    if (ask) this.#handlingBytes -= ask.bytes
    return ask
  }

  /** Nobody over there waits any more. */
  reset(error: PulsingError): void {
    this.#told.reset()
    const handling = this.#handling.values()
    this.#handling.clear()
    this.#handlingBytes = 0
    for (const ask of handling) ask.cancel(error)
  }

  reply(ask: InboundAsk, result: unknown): void {
    if (this.#handling.get(ask.id) !== ask) {
      discardResult(result)
      return
    }
    this.#take(ask.id)
    try {
      this.#line.reply(ask.id, result)
    } catch (error) {
      this.#line.fail(ask.id, error)
    }
  }

  refuse(ask: InboundAsk, error: unknown): void {
    if (this.#handling.get(ask.id) !== ask) return
    this.#take(ask.id)
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
  return new OverloadedError(
    `expected at most ${MAX_PENDING_ASKS} unanswered asks of one node, and ${MAX_PENDING_ASK_BYTES} bytes in them, got more`,
  )
}

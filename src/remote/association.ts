/**
 * A pair of nodes, end to end, above links and relays: numbers what it sends, puts what it receives in order, and owns
 * every ask and stream between the two. When it cannot go on it is reset: everything pending settles with a typed error,
 * and nothing of the old session is delivered afterwards.
 */
import type { ActorRef, Delivery } from '../actor/actor-ref.ts'
import { DEFAULT_ASK_TIMEOUT_MS } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import { discardResult, discardStream } from '../actor/discarded-result.ts'
import { Tell } from '../actor/envelope.ts'
import type { Deadlines } from '../base/deadlines.ts'
import { rejected, SETTLED } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import {
  ActorStoppedError,
  OverloadedError,
  SessionResetError,
  toActorError,
  UnreachableError,
} from '../base/errors.ts'
import type { Attachments } from '../link/connection.ts'
import type { Link } from '../link/link.ts'
import type { Message } from '../message/message.ts'
import { decodeError, encodeError } from '../wire/error-codec.ts'
import { FRAME, Frame } from '../wire/frame.ts'
import { LentCallbacks } from './lent-callbacks.ts'
import type { Body } from './payload.ts'
import { decodeMessage, discardMessage, encodeBody } from './payload.ts'
import { InboundAsk, PendingAsk } from './remote-ask.ts'
import { encodeReply, fromRemoteReply } from './reply.ts'
import { Session } from './session.ts'
import { StreamTable } from './stream-table.ts'

/** Room for a frame's head beside the largest payload, in bytes: two node ids, two actor ids, the longest type. */
const HEAD_BYTES = 8192
/** Timeouts beyond this are none, on the wire. */
const MAX_TIMEOUT_MS = 2 ** 50
/** One-way messages of one peer that may wait outside full mailboxes; more are dead letters. */
export const MAX_WAITING_MESSAGES = 4096
/** Asks of one peer that may be unanswered here; more are refused. */
export const MAX_PENDING_ASKS = 65_536

/** What associations need of their node. */
export interface AssociationOwner {
  readonly runtime: ActorRuntime
  readonly maxMessageBytes: number
  /** Where asks to other nodes wait. */
  readonly deadlines: Deadlines
  /** The link on the way to a node, if there is a way. */
  linkTo(nodeId: string): Link | undefined
  refTo(nodeId: string, actorId: string, name: string | undefined): ActorRef
  /** A number higher than any given out before. */
  nextSession(): number
  /** Bytes of frames were kept until their peers have them, or, below 0, forgotten. */
  kept(bytes: number): void
  /** Whether this node keeps as many of them as it may. */
  readonly isFull: boolean
  /** A message was sent on behalf of this node: for whoever decides about direct connections. */
  sent(nodeId: string, bytes: number): void
  /** A signal of a transport negotiation came from a node. */
  signalled(nodeId: string, payload: Uint8Array): void
}

export class Association {
  readonly nodeId: string
  readonly #owner: AssociationOwner
  readonly #runtime: ActorRuntime
  readonly #session: Session
  readonly #out = new Frame()
  readonly #asks = new Map<number, PendingAsk>()
  readonly #handling = new Map<number, InboundAsk>()
  readonly #streams: StreamTable
  readonly #callbacks: LentCallbacks
  #nextAsk = 1
  #waiting = 0
  #end: { readonly error: PulsingError; readonly sent: number } | undefined

  constructor(nodeId: string, owner: AssociationOwner) {
    this.nodeId = nodeId
    this.#owner = owner
    this.#runtime = owner.runtime
    this.#session = new Session(nodeId, {
      clock: owner.runtime.clock,
      self: owner.runtime.nodeId,
      link: () => owner.linkTo(nodeId),
      nextSession: () => owner.nextSession(),
      kept: (bytes) => owner.kept(bytes),
      get isFull() {
        return owner.isFull
      },
      deliver: (frame) => this.#deliver(frame),
      ended: (error, sent) => this.#ended(error, sent),
    })
    this.#callbacks = new LentCallbacks(owner.runtime)
    this.#streams = new StreamTable({
      callbacks: this.#callbacks,
      maxMessageBytes: () =>
        Math.min(owner.maxMessageBytes, (owner.linkTo(nodeId)?.maxFrameBytes ?? Infinity) - HEAD_BYTES),
      refTo: (node, actor, name) => owner.refTo(node, actor, name),
      send: (kind, id, fill) => {
        const frame = this.#frame(kind)
        frame.id = id
        fill?.(frame)
        this.#send(frame)
      },
      sendItem: (id, body) => {
        const frame = this.#frame(FRAME.item)
        frame.id = id
        this.#sendBody(frame, body)
      },
      whenWritable: () => this.#session.whenWritable(),
    })
  }

  get runtime(): ActorRuntime {
    return this.#runtime
  }

  /** Whether nothing is pending: the association can be forgotten. */
  get isIdle(): boolean {
    return this.#asks.size === 0 && this.#handling.size === 0 && this.#streams.size === 0
  }

  /** Asks and streams between the two nodes that are not over. */
  get pending(): { readonly asks: number; readonly handling: number; readonly streams: number } {
    return { asks: this.#asks.size, handling: this.#handling.size, streams: this.#streams.size }
  }

  tell(actorId: string, message: Message, delivery: Delivery | undefined): Promise<void> {
    const link = this.#owner.linkTo(this.nodeId)
    if (!link && !this.#session.isWaiting) return this.#tellFailed(message, this.#unreachable())
    try {
      const body = encodeBody(message, true, this.#streams, this.#transferable(link, delivery))
      const frame = this.#frame(FRAME.tell)
      frame.actor = actorId
      frame.sender = this.#senderId(delivery)
      const isRoom = this.#sendBody(frame, body)
      return isRoom ? SETTLED : this.#whenTaken()
    } catch (error) {
      return this.#tellFailed(message, toActorError(error))
    }
  }

  ask(
    actorId: string,
    message: Message,
    asksPlain: boolean,
    delivery: Delivery | undefined,
    address: { toString(): string },
  ): Promise<unknown> {
    try {
      delivery?.signal?.throwIfAborted()
      const outer = delivery?.within?.envelope
      if (outer?.isCancelled) throw outer.cancelReason
      const link = this.#owner.linkTo(this.nodeId)
      if (!link && !this.#session.isWaiting) throw this.#unreachable()
      const timeoutMs = delivery ? this.#runtime.timeoutOf(delivery) : DEFAULT_ASK_TIMEOUT_MS
      const body = encodeBody(message, asksPlain, this.#streams, this.#transferable(link, delivery))
      const id = this.#nextAsk++
      const frame = this.#frame(FRAME.ask)
      frame.id = id
      frame.actor = actorId
      frame.sender = this.#senderId(delivery)
      frame.timeout = timeoutMs > MAX_TIMEOUT_MS ? 0 : Math.max(1, Math.round(timeoutMs))
      this.#sendBody(frame, body)
      const ask = new PendingAsk(id, this.#session.last, asksPlain, address, this.#giveUp)
      this.#asks.set(id, ask)
      ask.wait(this.#owner.deadlines, timeoutMs, delivery)
      return ask.promise
    } catch (error) {
      discardStream(message)
      return Promise.reject(error)
    }
  }

  /** Sends a signal of a transport negotiation. */
  signal(payload: Uint8Array): void {
    const frame = this.#frame(FRAME.signal)
    frame.payload = payload
    this.#send(frame)
  }

  /** A routed frame from the peer. Valid only during the call. @throws ProtocolError */
  receive(frame: Frame): void {
    this.#session.receive(frame)
  }

  /** There is a way to the peer again, or frames may have been lost on the one there is. */
  resume(): void {
    this.#session.resume()
  }

  /** There is no way to the peer: everything waits for another, at most `graceMs` milliseconds. */
  lose(error: PulsingError, graceMs: number): void {
    this.#session.lose(error, graceMs)
  }

  /** Ends the session: everything pending settles, nothing of it arrives any more. The next message begins a new one. */
  reset(error: PulsingError): void {
    this.#session.reset(error)
  }

  /** @param sent the number of the last frame that may have reached the peer */
  #ended(error: PulsingError, sent: number): void {
    this.#end = { error, sent }
    const asks = [...this.#asks.values()]
    const handling = [...this.#handling.values()]
    this.#asks.clear()
    this.#handling.clear()
    for (const ask of asks) ask.reject(withOutcome(error, ask.seq <= sent ? 'unknown' : 'not-sent'))
    for (const ask of handling) ask.cancel(error)
    this.#streams.reset(error)
    this.#callbacks.reset()
  }

  /** Settles when what was sent last is on its way; rejects when it never will be. */
  async #whenTaken(): Promise<void> {
    const { number, last } = this.#session
    await this.#session.whenWritable()
    if (this.#session.number === number || !this.#end || last <= this.#end.sent) return
    throw withOutcome(this.#end.error, 'not-sent')
  }

  #deliver(frame: Frame): void {
    switch (frame.kind) {
      case FRAME.ask:
        this.#receiveAsk(frame)
        break
      case FRAME.tell:
        this.#receiveTell(frame)
        break
      case FRAME.reply:
      case FRAME.fail:
        this.#receiveOutcome(frame)
        break
      case FRAME.cancel:
        this.#handling.get(frame.id)?.cancel(new DOMException('the caller gave up', 'AbortError'))
        this.#handling.delete(frame.id)
        break
      case FRAME.signal:
        this.#owner.signalled(this.nodeId, frame.payload.slice())
        break
      default:
        this.#streams.receive(frame)
    }
  }

  #receiveAsk(frame: Frame): void {
    if (frame.payload.byteLength > this.#owner.maxMessageBytes) {
      discardMessage(frame, this.#streams)
      this.#sendFailure(frame.id, this.#tooLarge(frame))
      this.#runtime.deadLetter(`actor://${this.#runtime.nodeId}/${frame.actor}`, frame.type, 'overloaded')
      return
    }
    const ask = new InboundAsk(frame.id, decodeMessage(frame, this.#streams), this.#senderRef(frame), this)
    const cell = this.#runtime.byId(frame.actor)
    this.#handling.set(ask.id, ask)
    if (frame.timeout > 0) ask.wait(this.#owner.deadlines, frame.timeout)
    if (!cell)
      this.#refuseAsk(
        ask,
        frame,
        new ActorStoppedError('expected a running actor, got an id no actor of this node has', {
          address: `actor://${this.#runtime.nodeId}/${frame.actor}`,
        }),
      )
    else if (this.#handling.size > MAX_PENDING_ASKS) this.#refuseAsk(ask, frame, this.#overloaded())
    else void cell.accept(ask)
  }

  #refuseAsk(ask: InboundAsk, frame: Frame, error: PulsingError): void {
    discardStream(ask.message)
    ask.fail(error)
    this.#runtime.deadLetter(`actor://${this.#runtime.nodeId}/${frame.actor}`, frame.type, error.code)
  }

  #receiveTell(frame: Frame): void {
    if (frame.payload.byteLength > this.#owner.maxMessageBytes) {
      discardMessage(frame, this.#streams)
      this.#runtime.deadLetter(`actor://${this.#runtime.nodeId}/${frame.actor}`, frame.type, 'overloaded')
      return
    }
    const message = decodeMessage(frame, this.#streams)
    const cell = this.#runtime.byId(frame.actor)
    if (cell && this.#waiting < MAX_WAITING_MESSAGES) {
      this.#track(cell.accept(new Tell(message, this.#senderRef(frame))))
      return
    }
    if (message.isStream) void message.streamReader().cancel()
    this.#runtime.deadLetter(
      `actor://${this.#runtime.nodeId}/${frame.actor}`,
      message.msgType,
      cell ? 'overloaded' : 'actor_stopped',
    )
  }

  #track(accepted: Promise<void>): void {
    if (accepted === SETTLED) return
    this.#waiting++
    const done = (): void => void this.#waiting--
    accepted.then(done, done)
  }

  #receiveOutcome(frame: Frame): void {
    const ask = this.#asks.get(frame.id)
    if (!ask) {
      // Nobody waits any more.
      if (frame.kind === FRAME.reply) discardMessage(frame, this.#streams)
      return
    }
    this.#asks.delete(frame.id)
    if (frame.kind === FRAME.fail) {
      ask.reject(decodeError(frame.payload, `actor://${this.nodeId}`))
      return
    }
    try {
      if (frame.payload.byteLength > this.#owner.maxMessageBytes) throw this.#tooLarge(frame)
      ask.resolve(fromRemoteReply(frame, ask.isPlain, this.#streams))
    } catch (error) {
      ask.reject(error)
    }
  }

  /** @internal the outcome of an ask handled here */
  reply(ask: InboundAsk, result: unknown): void {
    if (this.#handling.get(ask.id) !== ask) {
      discardResult(result)
      return
    }
    this.#handling.delete(ask.id)
    try {
      const body = encodeReply(result, this.#streams)
      const frame = this.#frame(FRAME.reply)
      frame.id = ask.id
      this.#sendBody(frame, body)
    } catch (error) {
      this.#sendFailure(ask.id, error)
    }
  }

  /** @internal */
  refuse(ask: InboundAsk, error: unknown): void {
    if (this.#handling.get(ask.id) !== ask) return
    this.#handling.delete(ask.id)
    this.#sendFailure(ask.id, error)
  }

  #sendFailure(id: number, error: unknown): void {
    const frame = this.#frame(FRAME.fail)
    frame.id = id
    frame.payload = encodeError(error)
    this.#send(frame)
  }

  readonly #giveUp = (ask: PendingAsk, timeoutMs?: number): void => {
    if (!this.#asks.delete(ask.id)) return
    if (timeoutMs !== undefined) this.#runtime.askTimedOut(ask.address, timeoutMs)
    const frame = this.#frame(FRAME.cancel)
    frame.id = ask.id
    this.#send(frame)
  }

  /** Sends a message; the streams in it begin once it is on its way. @throws NotSerialisableError, with nothing sent */
  #sendBody(frame: Frame, body: Body): boolean {
    frame.flags = body.flags
    frame.type = body.type
    frame.stream = body.stream
    frame.window = body.window
    frame.payload = body.payload
    const isRoom = this.#send(frame, body.attachments)
    this.#streams.start()
    this.#owner.sent(this.nodeId, body.payload.byteLength)
    return isRoom
  }

  /** The frame to fill and send next. */
  #frame(kind: number): Frame {
    this.#out.kind = kind
    return this.#out
  }

  #send(frame: Frame, attachments?: Attachments): boolean {
    if (!this.#session.isWaiting && !this.#owner.linkTo(this.nodeId)) {
      this.#streams.dropUnstarted()
      return true
    }
    try {
      return this.#session.send(frame, attachments)
    } catch (error) {
      this.#streams.dropUnstarted()
      throw error
    }
  }

  /** Objects to hand over: only a neighbour gets them, and only where the link can; everybody else gets copies. */
  #transferable(link: Link | undefined, delivery: Delivery | undefined): readonly object[] | undefined {
    return delivery?.transfer && link?.transfers && link.nodeId === this.nodeId ? delivery.transfer : undefined
  }

  #senderId(delivery: Delivery | undefined): string {
    const sender = delivery?.sender
    return sender?.isLocal ? sender.id : ''
  }

  #senderRef(frame: Frame): ActorRef | undefined {
    return frame.sender === '' ? undefined : this.#owner.refTo(this.nodeId, frame.sender, undefined)
  }

  #tellFailed(message: Message, error: PulsingError): Promise<void> {
    discardStream(message)
    this.#runtime.deadLetter(`actor://${this.nodeId}`, message.msgType, error.code)
    return rejected(error)
  }

  #unreachable(): UnreachableError {
    return new UnreachableError(`expected a way to node ${this.nodeId}, got none`, {
      outcome: 'not-sent',
      address: `actor://${this.nodeId}`,
    })
  }

  #tooLarge(frame: Frame): OverloadedError {
    return new OverloadedError(
      `expected a message of at most ${this.#owner.maxMessageBytes} bytes, got ${frame.payload.byteLength}`,
    )
  }

  #overloaded(): OverloadedError {
    return new OverloadedError(`expected at most ${MAX_PENDING_ASKS} unanswered asks of one node, got more`)
  }
}

/** The error of a lost session, as whoever waits for one message of it sees it. */
function withOutcome(error: PulsingError, outcome: 'not-sent' | 'unknown'): PulsingError {
  if (!(error instanceof UnreachableError) || error.outcome === outcome) return error
  const { message, address, cause } = error
  const options = { address, outcome, ...(cause === undefined ? {} : { cause }) }
  return error instanceof SessionResetError
    ? new SessionResetError(message, options)
    : new UnreachableError(message, options)
}

/**
 * A pair of nodes, end to end, above links and relays: numbers what it sends, puts what it receives in order, and owns
 * every ask and stream between the two. When it cannot go on it is reset: everything pending settles with a typed error,
 * and nothing of the old session is delivered afterwards.
 */
import type { ActorRef, Delivery } from '../actor/actor-ref.ts'
import { DEFAULT_ASK_TIMEOUT_MS, refusedAsk } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import { discardMessage } from '../actor/discarded-result.ts'
import type { Deadlines } from '../base/deadlines.ts'
import type { Deferred } from '../base/deferred.ts'
import { deferred, ignoreRejection, rejected, SETTLED } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import { toActorError, UnreachableError } from '../base/errors.ts'
import { IdTable } from '../base/id-table.ts'
import type { Attachments } from '../link/connection.ts'
import type { Link } from '../link/link.ts'
import type { Message } from '../message/message.ts'
import { decodeError, encodeError } from '../wire/error-codec.ts'
import { FRAME, Frame, HOLD_FULL } from '../wire/frame.ts'
import { LentCallbacks } from './lent-callbacks.ts'
import type { Pace } from './pace.ts'
import { decodeMessage, encodeMessage } from './payload.ts'
import { PeerMessages, tooLarge } from './peer-messages.ts'
import { PendingAsk } from './remote-ask.ts'
import { RemoteWatches } from './remote-watches.ts'
import { encodeReply, fromRemoteReply } from './reply.ts'
import { Session } from './session.ts'
import { withOutcome } from './session-errors.ts'
import { StreamTable } from './stream-table.ts'
import { TellCredit } from './tell-credit.ts'
import { HEAD_BYTES, InboundTransfers, MAX_WHOLE_BYTES, OutboundTransfers, PART_BYTES } from './transfers.ts'

/** Timeouts beyond this are none, on the wire. */
const MAX_TIMEOUT_MS = 2 ** 50
/** What associations need of their node. */
export interface AssociationOwner {
  readonly runtime: ActorRuntime
  readonly maxMessageBytes: number
  /** Where asks to other nodes wait. */
  readonly deadlines: Deadlines
  /** The link on the way to a node, if there is a way. */
  linkTo(nodeId: string): Link | undefined
  /** Another number whenever {@link linkTo} may answer otherwise. */
  readonly waysVersion: number
  refTo(nodeId: string, actorId: string, name: string | undefined): ActorRef
  /** A number higher than any given out before. */
  nextSession(): number
  /** Bytes of frames were kept until their peers have them, or, below 0, forgotten. */
  kept(bytes: number): void
  /** Whether this node keeps as many of them as it may. */
  readonly isFull: boolean
  /** Set when this node is shut down: why nothing can be sent any more. */
  readonly closed: PulsingError | undefined
  /** How fast large messages leave: it is told of those that wait behind none. */
  readonly pace: Pace
  /** A message was sent on behalf of this node: for whoever decides about direct connections. */
  sent(nodeId: string, bytes: number): void
  /** A signal of a transport negotiation came from a node. */
  signalled(nodeId: string, payload: Uint8Array): void
}

export class Association {
  readonly nodeId: string
  readonly #owner: AssociationOwner
  readonly runtime: ActorRuntime
  readonly #session: Session
  readonly #out = new Frame()
  readonly #asks = new IdTable<PendingAsk>()
  readonly #handling: PeerMessages
  readonly #streams: StreamTable
  readonly #callbacks: LentCallbacks
  #nextAsk = 1
  /** How far one-way messages may go ahead of mailboxes over there. */
  readonly #tellCredit = new TellCredit()
  /** Actors over there that are watched from here. */
  readonly watches = new RemoteWatches(this)
  readonly #transfers: OutboundTransfers
  readonly #arriving: InboundTransfers
  /** Those who wait for a large message of theirs to leave, and its type. */
  readonly #waitingTells = new Map<Deferred<void>, string>()
  #end: { readonly error: PulsingError; readonly sent: number } | undefined
  /** Whether its node keeps it no more: whoever goes on needs another one. */
  isForgotten = false
  #way: Link | undefined
  #wayVersion = -1

  constructor(nodeId: string, owner: AssociationOwner) {
    this.nodeId = nodeId
    this.#owner = owner
    this.runtime = owner.runtime
    this.#session = new Session(nodeId, {
      clock: owner.runtime.clock,
      self: owner.runtime.nodeId,
      link: () => this.#link(),
      nextSession: () => owner.nextSession(),
      kept: (bytes) => owner.kept(bytes),
      get isFull() {
        return owner.isFull
      },
      deliver: (frame) => this.#deliver(frame),
      ended: (error, sent) => this.#ended(error, sent),
    })
    this.#callbacks = new LentCallbacks(owner.runtime)
    this.#transfers = new OutboundTransfers(
      { send: (frame) => this.#send(frame), whenWritable: () => this.#session.whenWritable(true) },
      owner.pace,
      owner.maxMessageBytes + HEAD_BYTES,
    )
    this.#arriving = new InboundTransfers(2 * (owner.maxMessageBytes + HEAD_BYTES))
    this.#streams = new StreamTable({
      callbacks: this.#callbacks,
      maxMessageBytes: () => owner.maxMessageBytes,
      refTo: (node, actor, name) => owner.refTo(node, actor, name),
      send: (kind, id, fill) => {
        const frame = this.#frame(kind)
        frame.id = id
        fill?.(frame)
        if (kind === FRAME.end) this.#sendInTurn(frame)
        else this.#send(frame)
      },
      frame: this.#out,
      sendItem: (id) => {
        const frame = this.#frame(FRAME.item)
        frame.id = id
        this.#sendMessage(frame, undefined)
      },
      whenWritable: () => this.#session.whenWritable(),
    })
    this.#handling = new PeerMessages(nodeId, owner, this.#streams, {
      reply: (id, result) => this.#reply(id, result),
      fail: (id, error) => this.#sendFailure(id, error),
      taken: (count, bytes) => {
        const frame = this.#frame(FRAME.credit)
        frame.id = 0
        frame.count = count
        frame.bytes = bytes
        this.#send(frame)
      },
      full: (actorId, isFull) => {
        const frame = this.#frame(FRAME.hold)
        frame.actor = actorId
        frame.flags = isFull ? HOLD_FULL : 0
        this.#send(frame)
      },
    })
  }

  /** @throws NotSerialisableError, with nothing sent */
  #reply(id: number, result: unknown): void {
    const attachments = encodeReply(this.#out, result, this.#streams)
    const frame = this.#frame(FRAME.reply)
    frame.id = id
    this.#sendMessage(frame, attachments)
  }

  /** The link on the way there, looked up again only when ways have changed. */
  #link(): Link | undefined {
    const version = this.#owner.waysVersion
    if (version !== this.#wayVersion) {
      this.#wayVersion = version
      this.#way = this.#owner.linkTo(this.nodeId)
    }
    return this.#way
  }

  /** A ref to an actor over there. */
  refTo(actorId: string, name: string | undefined): ActorRef {
    return this.#owner.refTo(this.nodeId, actorId, name)
  }

  /** Whether nothing is pending: the association can be forgotten. */
  get isIdle(): boolean {
    return this.#asks.size === 0 && this.#handling.size === 0 && this.#streams.size === 0
  }

  /** Whether nobody would miss it: nothing is pending, and nothing waits for a way. */
  get isForgettable(): boolean {
    return this.isIdle && this.watches.size === 0 && !this.#session.isWaiting
  }

  /** Asks and streams between the two nodes that are not over. */
  get pending(): { readonly asks: number; readonly handling: number; readonly streams: number } {
    return { asks: this.#asks.size, handling: this.#handling.size, streams: this.#streams.size }
  }

  tell(actorId: string, message: Message, delivery: Delivery | undefined): Promise<void> {
    const link = this.#link()
    if (this.#owner.closed || !(link || this.#session.isWaiting))
      return this.#tellFailed(message, this.#owner.closed ?? this.#unreachable())
    try {
      const attachments = encodeMessage(this.#out, message, true, this.#streams, this.#transferable(link, delivery))
      const frame = this.#frame(FRAME.tell)
      frame.actor = actorId
      frame.sender = this.#senderId(delivery)
      const { payloadBytes } = frame
      if (!this.#mustQueue(frame, attachments)) {
        const isRoom = this.#sendWhole(frame, attachments)
        // Counted once it has left, or is kept: one that could not leave is nobody's.
        const full = this.#tellCredit.tell(actorId, payloadBytes)
        if (isRoom && !full) return SETTLED
        const sent = this.#whenTaken(message.msgType, full ?? this.#session.whenWritable())
        ignoreRejection(sent)
        return sent
      }
      const full = this.#tellCredit.tell(actorId, payloadBytes)
      const taken = deferred<void>()
      ignoreRejection(taken.promise)
      this.#waitingTells.set(taken, message.msgType)
      this.#queue(frame, () => {
        this.#waitingTells.delete(taken)
        taken.resolve(full)
      })
      return taken.promise
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
      const link = this.#link()
      if (this.#owner.closed || !(link || this.#session.isWaiting)) throw this.#owner.closed ?? this.#unreachable()
      const timeoutMs = delivery ? this.runtime.timeoutOf(delivery) : DEFAULT_ASK_TIMEOUT_MS
      const attachments = encodeMessage(
        this.#out,
        message,
        asksPlain,
        this.#streams,
        this.#transferable(link, delivery),
      )
      const id = this.#nextAsk++
      const frame = this.#frame(FRAME.ask)
      frame.id = id
      frame.actor = actorId
      frame.sender = this.#senderId(delivery)
      frame.timeout = timeoutMs > MAX_TIMEOUT_MS ? 0 : Math.max(1, Math.round(timeoutMs))
      const ask = new PendingAsk(id, asksPlain, address, this.#giveUp)
      if (this.#mustQueue(frame, attachments)) this.#queueAsk(frame, ask)
      else {
        this.#sendWhole(frame, attachments)
        ask.seq = this.#session.last
      }
      this.#asks.add(ask)
      ask.wait(this.#owner.deadlines, timeoutMs, message, delivery)
      return ask.promise
    } catch (error) {
      discardMessage(message)
      return refusedAsk(delivery, error, { message, isPlain: asksPlain })
    }
  }

  /** Apart from {@link ask}, which would make room for what is kept here at every call. */
  #queueAsk(frame: Frame, ask: PendingAsk): void {
    this.#queue(frame, () => void (ask.seq = this.#session.last))
  }

  /** Sends a signal of a transport negotiation. */
  signal(payload: Uint8Array): void {
    const frame = this.#frame(FRAME.signal)
    frame.payload = payload
    this.#send(frame)
  }

  /** A routed frame from the peer, over `link`. Valid only during the call. @throws ProtocolError */
  receive(frame: Frame, link: Pick<Link, 'diesWithPeer'>): void {
    this.#session.receive(frame, frame.from !== '' || !link.diesWithPeer)
  }

  /** There is a way to the peer again, or frames may have been lost on the one there is. */
  resume(): void {
    this.#session.resume()
  }

  /** This node has room again for what is on its way. */
  release(): void {
    this.#session.release()
  }

  /** There is no way to the peer: everything waits for another, at most `graceMs` milliseconds. */
  lose(error: PulsingError, graceMs: number): void {
    this.#way = undefined
    this.#wayVersion = -1
    this.#session.lose(error, graceMs)
  }

  /** Ends the session: everything pending settles, nothing of it arrives any more. The next message begins a new one. */
  reset(error: PulsingError): void {
    this.#session.reset(error)
  }

  /** @param sent the number of the last frame that may have reached the peer */
  #ended(error: PulsingError, sent: number): void {
    this.#end = { error, sent }
    this.#tellCredit.reset()
    const asks = this.#asks.values()
    this.#asks.clear()
    for (const ask of asks) ask.reject(withOutcome(error, ask.seq <= sent ? 'unknown' : 'not-sent'))
    this.#handling.reset(error)
    for (const [tell, msgType] of [...this.#waitingTells]) tell.reject(this.#neverLeft(msgType, error))
    this.#waitingTells.clear()
    this.#transfers.reset()
    this.#arriving.reset()
    this.#streams.reset(error)
    this.#callbacks.reset()
  }

  /** Settles when what was sent last is on its way; rejects when it never will be. */
  async #whenTaken(msgType: string, room: Promise<void> | undefined): Promise<void> {
    const { number, last } = this.#session
    await room
    if (this.#session.number === number || !this.#end || last <= this.#end.sent) return
    throw this.#neverLeft(msgType, this.#end.error)
  }

  /** A one-way message was held until the session ended: a dead letter; the error for its sender. */
  #neverLeft(msgType: string, error: PulsingError): PulsingError {
    this.runtime.deadLetter(`actor://${this.nodeId}`, msgType, error.code)
    return withOutcome(error, 'not-sent')
  }

  #deliver(frame: Frame): void {
    switch (frame.kind) {
      case FRAME.ask:
        this.#handling.ask(frame)
        break
      case FRAME.tell:
        this.#handling.tell(frame)
        break
      case FRAME.reply:
      case FRAME.fail:
        this.#receiveOutcome(frame)
        break
      case FRAME.cancel:
        this.#handling.cancel(frame.id)
        break
      case FRAME.part: {
        const whole = this.#arriving.receive(frame)
        if (whole) this.#deliver(whole)
        break
      }
      case FRAME.credit:
        if (frame.id === 0) this.#tellCredit.credit(frame.count, frame.bytes)
        else this.#streams.receive(frame)
        break
      case FRAME.hold:
        this.#tellCredit.hold(frame.actor, (frame.flags & HOLD_FULL) !== 0)
        break
      case FRAME.signal:
        this.#owner.signalled(this.nodeId, frame.payload.slice())
        break
      default:
        this.#streams.receive(frame)
    }
  }

  #receiveOutcome(frame: Frame): void {
    const ask = this.#asks.delete(frame.id)
    if (!ask) {
      // Nobody waits any more.
      if (frame.kind === FRAME.reply) discardMessage(decodeMessage(frame, this.#streams))
      return
    }
    if (frame.kind === FRAME.fail) {
      ask.reject(decodeError(frame.payload, `actor://${this.nodeId}`))
      return
    }
    try {
      if (frame.payloadBytes > this.#owner.maxMessageBytes) throw tooLarge(frame, this.#owner.maxMessageBytes)
      ask.resolve(fromRemoteReply(frame, ask.isPlain, this.#streams))
    } catch (error) {
      ask.reject(error)
    }
  }

  #sendFailure(id: number, error: unknown): void {
    const frame = this.#frame(FRAME.fail)
    frame.id = id
    frame.payload = encodeError(error)
    this.#send(frame)
  }

  readonly #giveUp = (ask: PendingAsk, timeoutMs?: number): void => {
    if (!this.#asks.delete(ask.id)) return
    if (timeoutMs !== undefined) this.runtime.askTimedOut(ask.address, timeoutMs)
    // What has not left completely was never heard of.
    if (this.#transfers.drop(({ kind, id }) => kind === FRAME.ask && id === ask.id)) return
    const frame = this.#frame(FRAME.cancel)
    frame.id = ask.id
    this.#send(frame)
  }

  /**
   * Sends a message, in its turn if it is a large one, or behind one; the streams in it begin once it is on its way.
   *
   * @throws NotSerialisableError, with nothing sent
   */
  #sendMessage(frame: Frame, attachments: Attachments | undefined): void {
    if (this.#mustQueue(frame, attachments)) this.#queue(frame, undefined)
    else this.#sendWhole(frame, attachments)
  }

  /** Sends a message now, in one piece. @throws NotSerialisableError, with nothing sent */
  #sendWhole(frame: Frame, attachments: Attachments | undefined): boolean {
    const { payloadBytes } = frame
    const isRoom = this.#send(frame, attachments)
    this.#streams.start()
    this.#owner.pace.sent(payloadBytes)
    this.#owner.sent(this.nodeId, payloadBytes)
    return isRoom
  }

  #mustQueue(frame: Frame, attachments: Attachments | undefined): boolean {
    return this.#transfers.mustQueue(frame, this.#maxWholeBytes(frame)) && !attachments && this.#canSend
  }

  /** @param sent called when it is on its way */
  #queue(frame: Frame, sent: (() => void) | undefined): void {
    const streams = this.#streams.later()
    const { payloadBytes } = frame
    const whole = this.#maxWholeBytes(frame)
    const fate = {
      sent: () => {
        streams.start()
        sent?.()
      },
      dropped: streams.drop,
    }
    this.#transfers.queue(frame, fate, whole)
    // Last: whoever hears of it may send a frame of its own, and there is one to fill.
    this.#owner.sent(this.nodeId, payloadBytes)
  }

  #sendInTurn(frame: Frame): void {
    if (this.#mustQueue(frame, undefined)) this.#transfers.queue(frame, {}, this.#maxWholeBytes(frame))
    else this.#send(frame)
  }

  /** Bytes of a payload that the way takes in one piece; looked up for those only that might be more. */
  #maxWholeBytes({ payloadBytes }: Frame): number {
    const link = payloadBytes > PART_BYTES ? this.#link() : undefined
    return link ? link.maxFrameBytes - HEAD_BYTES : MAX_WHOLE_BYTES
  }

  /** Whether there is a way to the peer, or one is waited for. */
  get #canSend(): boolean {
    return this.#session.isWaiting || this.#link() !== undefined
  }

  /** The frame to fill and send next. */
  #frame(kind: number): Frame {
    this.#out.kind = kind
    return this.#out
  }

  #send(frame: Frame, attachments?: Attachments): boolean {
    try {
      const isRoom = this.#session.send(frame, attachments)
      if (isRoom === undefined) this.#streams.dropUnstarted()
      return isRoom ?? true
    } catch (error) {
      this.#streams.dropUnstarted()
      throw error
    }
  }

  /** Objects to hand over: only a neighbour gets them, and only where the link can; everybody else gets copies. */
  #transferable(link: Link | undefined, delivery: Delivery | undefined): readonly object[] | undefined {
    if (!delivery?.transfer || this.#session.isHolding) return undefined
    return link?.transfers && link.nodeId === this.nodeId ? delivery.transfer : undefined
  }

  #senderId(delivery: Delivery | undefined): string {
    const sender = delivery?.sender
    return sender?.isLocal ? sender.id : ''
  }

  #tellFailed(message: Message, error: PulsingError): Promise<void> {
    discardMessage(message)
    this.runtime.deadLetter(`actor://${this.nodeId}`, message.msgType, error.code)
    return rejected(error)
  }

  #unreachable(): UnreachableError {
    return new UnreachableError(`expected a way to node ${this.nodeId}, got none`, {
      outcome: 'not-sent',
      address: `actor://${this.nodeId}`,
    })
  }
}

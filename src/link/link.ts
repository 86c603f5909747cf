/**
 * An authenticated connection to a neighbour: handshake, frames in, frames out, probes. Everything produced in one turn
 * of the event loop leaves in one batch. What frames mean, and which way they go, is the owner's business.
 *
 * Handshake: each side says hello at once, and welcome when it has let the other in; the link is open on a side that has
 * let in and was let in. No other frame may come before.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Deferred } from '../base/deferred.ts'
import { deferred, SETTLED } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import { type AuthError, OverloadedError, ProtocolError, toActorError, UnreachableError } from '../base/errors.ts'
import { carriesMessage, FLAG, FRAME, Frame, GOAWAY, PROTOCOL_VERSION } from '../wire/frame.ts'
import { FrameReader } from '../wire/frame-reader.ts'
import { admit, presentToken } from './auth.ts'
import type { Auth } from './auth-setting.ts'
import type { Attachments, Connection, ConnectionHandler } from './connection.ts'
import { goawayError } from './goaway.ts'
import { Heartbeat, LEAF_PATIENCE, RELAY_PATIENCE } from './heartbeat.ts'
import type { Hello } from './hello.ts'
import { commonVersion, decodeHello, encodeHello, MAX_HELLO_BYTES } from './hello.ts'
import { Outbox } from './outbox.ts'

/** How long a retired link waits for the neighbour's goodbye, in milliseconds. */
const GOODBYE_TIMEOUT_MS = 5_000
/** How long a neighbour may take to say hello and welcome, in milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 5_000
/** Bytes queued for a neighbour that does not take them, after which the link is given up. */
export const MAX_BLOCKED_BYTES: number = 32 * 1024 * 1024

/** A ping or a pong as it leaves here: a batch of no more is a sign of life, and asks for none. */
const HEARTBEAT_BYTES = 3

/** The largest flags of a message: 8191 attachments. */
const MAX_FLAGS = 0xffff

/** The owner of links. Calls concern links that finished their handshake, except `failed`. */
export interface LinkHandler {
  opened(link: Link): void
  /** One frame that is not the link's own business. Valid only during the call. */
  received(link: Link, frame: Frame, reader: FrameReader): void
  /** The neighbour's platform answers, and its program does not; or does again. */
  suspended?(link: Link, isSuspended: boolean): void
  closed(link: Link, error: PulsingError | undefined): void
  /** The link ended before it was open. */
  failed(link: Link, error: PulsingError): void
}

export interface LinkOptions {
  readonly transport: string
  readonly hello: Omit<Hello, 'token' | 'versions' | 'maxBatchBytes'>
  readonly auth: Auth | undefined
  readonly clock: Clock
  /**
   * Whether the other side dialled: it says hello first, and is told nothing, a token least of all, before it is let in.
   * Default false.
   */
  readonly isAccepted?: boolean
  /** How well this node itself is, where its links to relays depend on that. */
  readonly awareness?: { readonly slack: number } | undefined
}

export class Link implements ConnectionHandler {
  readonly transport: string
  /** Settles when the link is over. */
  readonly over: Promise<void>
  readonly #connection: Connection
  readonly #handler: LinkHandler
  readonly #options: LinkOptions
  readonly #clock: Clock
  readonly #outbox: Outbox
  readonly #reader = new FrameReader()
  readonly #frame = new Frame()
  readonly #control = new Frame()
  readonly #heartbeat: Heartbeat
  readonly #over: Deferred<void> = deferred()
  #state: 'greeting' | 'open' | 'ending' | 'closed' = 'greeting'
  #remote: Hello | undefined
  #hasAdmitted = false
  #isWelcome = false
  #isRetiring = false
  #isClosing = false
  #hasSaidGoodbye = false
  #isEnding = false
  #hasLeft = false
  #wasClosed = false
  #timer: Timer
  #wasSuspended = false
  #writable: Deferred<void> | undefined
  #reason: PulsingError | undefined

  constructor(connection: Connection, handler: LinkHandler, options: LinkOptions) {
    this.#connection = connection
    this.#handler = handler
    this.#options = options
    this.#clock = options.clock
    this.transport = options.transport
    this.over = this.#over.promise
    this.#outbox = new Outbox((batch, attachments) => this.#post(batch, attachments), connection.onlyReads === true)
    this.#heartbeat = new Heartbeat(options.clock.now())
    this.#timer = options.clock.setTimer(() => {
      const what = this.#remote ? 'a welcome' : 'a hello'
      this.#fail(
        new UnreachableError(`expected ${what} within ${HANDSHAKE_TIMEOUT_MS} ms, got none`, { outcome: 'not-sent' }),
      )
    }, HANDSHAKE_TIMEOUT_MS)
    connection.open(this)
    if (!options.isAccepted) void this.#greet()
  }

  /** Whether this side has not let the other one in: what it sends is bounded then. */
  get isStranger(): boolean {
    return !this.#hasAdmitted
  }
  /** Who is at the other end; known once the link is open. */
  get peer(): Hello {
    return this.#remote!
  }
  get nodeId(): string {
    return this.#remote!.nodeId
  }
  /** Which of two links between the same nodes is the later one: the count of the lower node id, so that both ends agree. */
  get serial(): number {
    const { hello } = this.#options
    return hello.nodeId < this.nodeId ? hello.serial : this.#remote!.serial
  }
  get isOpen(): boolean {
    return this.#state === 'open' && !this.#isClosing
  }
  /** Whether nothing new is to be begun on it: one side has said goodbye, and not because there is another link. */
  get isEnding(): boolean {
    return this.#isEnding || !this.isOpen
  }
  /** Whether nothing waits here: all that was sent has left this process. */
  get isAllSent(): boolean {
    return this.#connection.waitingBytes === 0 && this.#outbox.isEmpty
  }
  /** Whether frames may carry attachments. */
  get transfers(): boolean {
    return this.#connection.transfers
  }
  /** Whether it ends with the node at its other end, and not before: nothing sent over it is lost alone. */
  get diesWithPeer(): boolean {
    return this.#connection.diesWithPeer === true
  }
  /** Whether the neighbour is known to be on this machine. */
  get isFromThisMachine(): boolean {
    return this.#connection.isFromThisMachine === true
  }
  /** Whether one of the two nodes closed this link, and lives on. */
  get wasClosed(): boolean {
    return this.#wasClosed
  }
  /** Whether the neighbour said goodbye, and was not only replacing this link. */
  get hasLeft(): boolean {
    return this.#hasLeft
  }
  /** The largest frame this link takes, in bytes: what both sides do. */
  get maxFrameBytes(): number {
    return Math.min(this.#connection.maxBatchBytes, this.#remote?.maxBatchBytes ?? Infinity)
  }
  /** Whether the neighbour's platform answers, and its program does not. */
  get isSuspended(): boolean {
    return this.#wasSuspended
  }
  /** When the neighbour was last heard, in milliseconds of the clock. */
  get heardAt(): number {
    return this.#heartbeat.heardAt
  }
  /** Since when a sign of life is waited for. */
  get probedAt(): number | undefined {
    return this.#heartbeat.probedAt
  }
  /** Whether the sender should wait, see {@link whenWritable}. */
  get isBlocked(): boolean {
    return this.#outbox.isBlocked
  }

  /** Settles when there is room, or the link is over. */
  whenWritable(): Promise<void> {
    if (!this.isBlocked || this.#state === 'closed') return SETTLED
    this.#writable ??= deferred()
    return this.#writable.promise
  }

  /**
   * Sends a frame; false asks to wait. A frame larger than {@link maxFrameBytes} must not be sent.
   *
   * @throws NotSerialisableError when the platform refuses the attachments; nothing was sent then
   */
  send(frame: Frame, attachments?: Attachments): boolean {
    if (!this.isOpen) return false
    if (attachments) this.#outbox.sendAlone(frame, attachments)
    else this.#outbox.add(frame)
    return this.#mayGoOn()
  }

  /**
   * Sends a whole frame that stands in `chunk` from `start` to `end`, and stays there unchanged; false asks to wait.
   *
   * @param to the node it names as its receiver
   */
  sendKept(chunk: Uint8Array, start: number, end: number, to: string): boolean {
    if (!this.isOpen) return false
    this.#outbox.addKept(chunk, start, end, to)
    return this.#mayGoOn()
  }

  /** Sends a frame, `head`, on as it came, one hop less. Where a port is too full it is dropped: whoever sent it will again. */
  forward(raw: Uint8Array, hopsAt: number, head: Frame): void {
    if (this.#state !== 'open' || (this.diesWithPeer && this.#isOverfull)) return
    this.#outbox.addRaw(raw, hopsAt, head)
    this.#mayGoOn()
  }

  /**
   * Asks for a sign of life. What the neighbour sent before comes before its answer.
   *
   * @param answerMs how long it may take; without one by then the link to a relay that was silent for long enough is over
   */
  probe(answerMs?: number): void {
    if (!this.isOpen) return
    if (answerMs === undefined || this.#heartbeat.ask(this.#clock.now(), answerMs)) this.#sendControl(FRAME.ping)
  }

  /** Ends the link after what was sent has left, telling the neighbour why. */
  close(code: number = GOAWAY.leaving, reason = 'leaving'): void {
    if (this.#state === 'closed' || this.#state === 'ending') return
    this.#wasClosed ||= code === GOAWAY.closing
    this.#sendControl(FRAME.goaway, code, reason)
    this.#outbox.flush()
    this.#isClosing = true
    this.#connection.close()
  }

  /**
   * Ends a link that another one replaces, without losing what is on its way: it goes on reading until the neighbour,
   * who comes to the same decision, says goodbye too.
   */
  retire(): void {
    if (this.#state !== 'open') return
    this.#isRetiring = true
    this.#sendControl(FRAME.goaway, GOAWAY.duplicate, 'there is another link')
    this.#outbox.flush()
    this.#timer.cancel()
    if (this.#hasSaidGoodbye) this.#connection.close()
    else this.#timer = this.#clock.setTimer(() => this.#connection.close(), GOODBYE_TIMEOUT_MS)
  }

  /** Ends the link now. */
  abort(reason: string): void {
    this.#connection.abort(reason)
  }

  async #greet(): Promise<void> {
    try {
      const token = await presentToken(this.#options.auth)
      if (this.#state !== 'greeting') return
      this.#control.kind = FRAME.hello
      this.#control.payload = encodeHello({
        ...this.#options.hello,
        versions: [PROTOCOL_VERSION, PROTOCOL_VERSION],
        maxBatchBytes: this.#connection.maxBatchBytes,
        token,
      })
      this.#outbox.add(this.#control)
    } catch (error) {
      this.#fail(toActorError(error))
    }
  }

  received(batch: Uint8Array, attachments?: readonly unknown[]): void {
    this.#heartbeat.heard(this.#clock.now())
    if (this.#wasSuspended) this.#noteSuspension()
    const reader = this.#reader
    reader.open(batch)
    let taken = 0
    try {
      while ((this.#state === 'open' || this.#state === 'greeting') && reader.next(this.#frame)) {
        const frame = this.#frame
        const count = carriesMessage(frame.kind) ? attachmentCount(frame.flags) : 0
        if (count > 0) {
          frame.attachments = attachments?.slice(taken, taken + count)
          taken += count
          if (frame.attachments?.length !== count)
            throw new ProtocolError(
              `expected ${count} attachments beside the frame, got ${frame.attachments?.length ?? 0}`,
            )
        }
        if (this.#state === 'open') this.#receive(frame)
        else this.#greeted(frame)
      }
    } catch (error) {
      this.#fail(error instanceof ProtocolError ? error : toActorError(error))
    }
  }

  alive(): void {
    this.#heartbeat.answered(this.#clock.now())
  }

  drained(): void {
    this.#outbox.drained()
    if (this.isBlocked) return
    this.#writable?.resolve()
    this.#writable = undefined
  }

  closed(error?: PulsingError): void {
    if (this.#state === 'closed') return
    const wasOpen = this.#hasAdmitted && this.#isWelcome
    this.#state = 'closed'
    this.#timer.cancel()
    this.#writable?.resolve()
    const reason = this.#reason ?? error
    if (wasOpen) this.#handler.closed(this, reason)
    else
      this.#handler.failed(
        this,
        reason ?? new UnreachableError('the connection was closed during the handshake', { outcome: 'not-sent' }),
      )
    this.#over.resolve()
  }

  /** A frame of the handshake. */
  #greeted(frame: Frame): void {
    switch (frame.kind) {
      case FRAME.hello:
        this.#readHello(frame)
        break
      case FRAME.welcome:
        if (!this.#remote) throw new ProtocolError('expected a hello as first frame, got a welcome')
        this.#isWelcome = true
        this.#open()
        break
      case FRAME.goaway:
        this.#reason = goawayError(frame.id, frame.reason)
        break
      default:
        throw new ProtocolError(
          `expected ${this.#remote ? 'a welcome' : 'a hello'} as next frame, got kind ${frame.kind}`,
        )
    }
  }

  #readHello(frame: Frame): void {
    if (this.#remote) throw new ProtocolError('expected one hello, got a second one')
    if (frame.payload.byteLength > MAX_HELLO_BYTES)
      throw new ProtocolError(`expected a hello of at most ${MAX_HELLO_BYTES} bytes, got ${frame.payload.byteLength}`)
    const hello = decodeHello(frame.payload)
    if (commonVersion(hello.versions) === undefined) {
      const message = `expected protocol version ${PROTOCOL_VERSION}, got ${hello.versions[0]} to ${hello.versions[1]}`
      this.#refuse(GOAWAY.unsupported, new ProtocolError(message))
      return
    }
    this.#remote = hello
    admit(this.#options.auth, hello)
      .then(
        async () => {
          if (this.#options.isAccepted) await this.#greet()
          if (this.#state !== 'greeting') return
          this.#hasAdmitted = true
          this.#sendControl(FRAME.welcome)
          this.#open()
        },
        (error: AuthError) => this.#refuse(GOAWAY.auth, error),
      )
      .catch((error: unknown) => this.#fail(toActorError(error)))
  }

  #open(): void {
    if (!this.#hasAdmitted || !this.#isWelcome) return
    this.#state = 'open'
    this.#outbox.maxBatchBytes = this.maxFrameBytes
    this.#timer.cancel()
    if (this.peer.kind === 'relay')
      this.#heartbeat.patience = this.#options.hello.kind === 'relay' ? RELAY_PATIENCE : LEAF_PATIENCE
    this.#scheduleCheck()
    this.#handler.opened(this)
  }

  #receive(frame: Frame): void {
    switch (frame.kind) {
      case FRAME.ping:
        if (!this.#isRetiring) this.#sendControl(FRAME.pong, frame.id)
        break
      case FRAME.pong:
        break
      case FRAME.goaway:
        this.#reason = goawayError(frame.id, frame.reason)
        this.#hasSaidGoodbye = true
        this.#isEnding ||= frame.id !== GOAWAY.duplicate
        this.#hasLeft = frame.id === GOAWAY.leaving
        this.#wasClosed ||= frame.id === GOAWAY.closing
        if (this.#isRetiring) this.#connection.close()
        break
      case FRAME.hello:
      case FRAME.welcome:
        throw new ProtocolError(`expected the handshake to be over, got kind ${frame.kind}`)
      default:
        this.#handler.received(this, frame, this.#reader)
    }
  }

  #post(batch: Uint8Array, attachments: Attachments | undefined): boolean {
    if (batch.byteLength > HEARTBEAT_BYTES) this.#heartbeat.spoke()
    if (this.#state === 'closed' || this.#connection.send(batch, attachments)) return true
    this.#expectRoom()
    return false
  }

  /** Whether the sender need not wait. */
  #mayGoOn(): boolean {
    if (!this.isBlocked) return true
    this.#expectRoom()
    return false
  }

  get #isOverfull(): boolean {
    return this.isBlocked && this.#connection.waitingBytes + this.#outbox.waitingBytes > MAX_BLOCKED_BYTES
  }

  /** Gives up a neighbour for whom too much waits; not one behind a port, which would be the end of it. */
  #expectRoom(): void {
    if (this.#isOverfull && !this.diesWithPeer)
      this.#fail(
        new OverloadedError(
          `expected the neighbour to take what is sent, got ${MAX_BLOCKED_BYTES} bytes waiting for it`,
        ),
      )
  }

  #sendControl(kind: number, id = 0, reason = ''): void {
    this.#control.kind = kind
    this.#control.id = id
    this.#control.reason = reason
    this.#outbox.add(this.#control)
  }

  #scheduleCheck(): void {
    this.#timer = this.#clock.setTimer(() => {
      const verdict = this.#heartbeat.check(this.#clock.now(), this.#options.awareness?.slack)
      if (verdict === 'gone') {
        this.#fail(
          new UnreachableError('expected a sign of life from the neighbour, got silence', {
            address: `actor://${this.nodeId}`,
          }),
        )
        return
      }
      if (verdict === 'probe') {
        this.#sendControl(FRAME.ping)
        // A relay answers for itself, or not at all.
        if (this.peer.kind === 'leaf') this.#connection.probe?.()
      }
      this.#noteSuspension()
      this.#scheduleCheck()
    }, this.#heartbeat.patience.checkEveryMs)
    this.#timer.hold(false)
  }

  #noteSuspension(): void {
    const { isSuspended } = this.#heartbeat
    if (isSuspended === this.#wasSuspended) return
    this.#wasSuspended = isSuspended
    this.#handler.suspended?.(this, isSuspended)
  }

  /** Ends the link in a way the other side understands. */
  #refuse(code: number, error: PulsingError): void {
    if (this.#state === 'closed' || this.#state === 'ending') return
    this.#reason ??= error
    this.#sendControl(FRAME.goaway, code, error.message)
    this.#outbox.flush()
    this.#state = 'ending'
    this.#connection.close()
  }

  #fail(error: PulsingError): void {
    if (error instanceof ProtocolError) {
      this.#refuse(GOAWAY.protocol, error)
      return
    }
    if (this.#state === 'closed' || this.#state === 'ending') return
    this.#reason ??= error
    this.#state = 'ending'
    this.#connection.abort(error.message)
  }
}

/** @throws ProtocolError for more than a batch could carry */
function attachmentCount(flags: number): number {
  if (flags > MAX_FLAGS) throw new ProtocolError(`expected flags of at most ${MAX_FLAGS}, got ${flags}`)
  return flags >> FLAG.attachmentShift
}

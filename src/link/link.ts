/**
 * An authenticated connection to a neighbour: handshake, frames in, frames out, probes. Everything produced in one turn
 * of the event loop leaves in one batch. What frames mean, and which way they go, is the owner's business.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Deferred } from '../base/deferred.ts'
import { deferred, SETTLED } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import { AuthError, describe, OverloadedError, ProtocolError, toActorError, UnreachableError } from '../base/errors.ts'
import { Frame, FRAME, GOAWAY, LAYOUTS, FLAG, PROTOCOL_VERSION } from '../wire/frame.ts'
import { FrameReader } from '../wire/frame-reader.ts'
import { BATCH_BYTES, FrameWriter } from '../wire/frame-writer.ts'
import type { Auth } from './auth.ts'
import { admit, presentToken } from './auth.ts'
import type { Attachments, Connection, ConnectionHandler } from './connection.ts'
import { CHECK_EVERY_MS, Heartbeat } from './heartbeat.ts'
import type { Hello } from './hello.ts'
import { commonVersion, decodeHello, encodeHello, MAX_HELLO_BYTES } from './hello.ts'

/** How long a neighbour may take to say hello and be admitted, in milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 5_000
/** Bytes queued for a neighbour that does not take them, after which the link is given up. */
export const MAX_BLOCKED_BYTES = 32 * 1024 * 1024
/** Microtask rounds a batch may wait for more frames of the same turn. */
const MAX_SETTLE_ROUNDS = 8

/** The owner of links. Calls concern links that finished their handshake, except `failed`. */
export interface LinkHandler {
  opened(link: Link): void
  /** One frame that is not the link's own business. Valid only during the call. */
  received(link: Link, frame: Frame, reader: FrameReader): void
  /** There is room again after a send that answered false. */
  drained(link: Link): void
  closed(link: Link, error: PulsingError | undefined): void
  /** The link ended before it was open. */
  failed(link: Link, error: PulsingError): void
}

export interface LinkOptions {
  readonly transport: string
  /** Whether this side opened the connection. */
  readonly isDialer: boolean
  readonly hello: Omit<Hello, 'token' | 'versions'>
  readonly auth: Auth | undefined
  readonly clock: Clock
}

export class Link implements ConnectionHandler {
  readonly transport: string
  readonly isDialer: boolean
  /** Settles when the link is over. */
  readonly over: Promise<void>
  readonly #connection: Connection
  readonly #handler: LinkHandler
  readonly #options: LinkOptions
  readonly #clock: Clock
  readonly #writer = new FrameWriter()
  readonly #reader = new FrameReader()
  readonly #frame = new Frame()
  readonly #control = new Frame()
  readonly #heartbeat: Heartbeat
  readonly #over: Deferred<void> = deferred()
  #values: unknown[] | undefined
  #transfer: object[] | undefined
  #state: 'greeting' | 'admitting' | 'open' | 'closed' = 'greeting'
  #early: { readonly batch: Uint8Array; readonly attachments: readonly unknown[] | undefined }[] = []
  #earlyBytes = 0
  #timer: Timer
  #isFlushQueued = false
  #lengthAtRound = 0
  #rounds = 0
  #isBlocked = false
  #blockedBytes = 0
  #writable: Deferred<void> | undefined
  #remote: Hello | undefined
  #goaway: PulsingError | undefined
  #isEnding = false

  constructor(connection: Connection, handler: LinkHandler, options: LinkOptions) {
    this.#connection = connection
    this.#handler = handler
    this.#options = options
    this.#clock = options.clock
    this.transport = options.transport
    this.isDialer = options.isDialer
    this.over = this.#over.promise
    this.#heartbeat = new Heartbeat(options.clock.now())
    this.#timer = options.clock.setTimer(() => this.#fail(new UnreachableError(`expected a hello within ${HANDSHAKE_TIMEOUT_MS} ms, got none`, { outcome: 'not-sent' })), HANDSHAKE_TIMEOUT_MS)
    connection.open(this)
    void this.#greet()
  }

  /** Who is at the other end; known once the link is open. */
  get peer(): Hello {
    return this.#remote!
  }
  get nodeId(): string {
    return this.#remote!.nodeId
  }
  get isOpen(): boolean {
    return this.#state === 'open'
  }
  /** Whether frames may carry attachments. */
  get transfers(): boolean {
    return this.#connection.transfers
  }
  /** The largest frame this link takes, in bytes. */
  get maxFrameBytes(): number {
    return this.#connection.maxBatchBytes
  }
  /** Whether the sender should wait, see {@link whenWritable}. */
  get isBlocked(): boolean {
    return this.#isBlocked
  }

  /** Settles when there is room, or the link is over. */
  whenWritable(): Promise<void> {
    if (!this.#isBlocked || this.#state === 'closed') return SETTLED
    this.#writable ??= deferred()
    return this.#writable.promise
  }

  /** Sends a frame; false asks to wait. A frame larger than {@link maxFrameBytes} must not be sent. */
  send(frame: Frame, attachments?: Attachments): boolean {
    if (this.#state !== 'open') return false
    if (attachments) {
      ;(this.#values ??= []).push(...attachments.values)
      ;(this.#transfer ??= []).push(...attachments.transfer)
    }
    return this.#write(() => this.#writer.write(frame))
  }

  /** Sends a frame on as it came, one hop less. */
  forward(raw: Uint8Array, hopsAt: number, attachments: readonly unknown[] | undefined): boolean {
    if (this.#state !== 'open') return false
    if (attachments?.length) {
      ;(this.#values ??= []).push(...attachments)
      ;(this.#transfer ??= []).push(...(attachments.filter(isTransferable) as object[]))
    }
    return this.#write(() => this.#writer.forward(raw, hopsAt))
  }

  /** Ends the link after what was sent has left, telling the neighbour why. */
  close(code: number = GOAWAY.leaving, reason = 'leaving'): void {
    if (this.#state === 'closed') return
    this.#sendControl(FRAME.goaway, code, reason)
    this.#flush()
    this.#connection.close()
  }

  /** Ends the link now. */
  abort(reason: string): void {
    this.#connection.abort(reason)
  }

  async #greet(): Promise<void> {
    try {
      const token = await presentToken(this.#options.auth)
      this.#control.kind = FRAME.hello
      this.#control.payload = encodeHello({ ...this.#options.hello, versions: [PROTOCOL_VERSION, PROTOCOL_VERSION], token })
      this.#writer.write(this.#control)
      this.#flush()
    } catch (error) {
      this.#fail(toActorError(error))
    }
  }

  received(batch: Uint8Array, attachments?: readonly unknown[]): void {
    if (this.#state === 'closed' || this.#isEnding) return
    this.#heartbeat.heard(this.#clock.now())
    try {
      if (this.#state === 'admitting') this.#keepEarly(batch, attachments)
      else if (this.#state === 'greeting') this.#readHello(batch, attachments)
      else this.#readFrames(batch, attachments)
    } catch (error) {
      this.#fail(error instanceof ProtocolError ? error : toActorError(error))
    }
  }

  drained(): void {
    this.#isBlocked = false
    this.#blockedBytes = 0
    this.#writable?.resolve()
    this.#writable = undefined
    if (this.#state === 'open') this.#handler.drained(this)
  }

  closed(error?: PulsingError): void {
    const wasOpen = this.#state === 'open'
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#timer.cancel()
    this.#writable?.resolve()
    this.#over.resolve()
    const reason = this.#goaway ?? error
    if (wasOpen) this.#handler.closed(this, reason)
    else this.#handler.failed(this, reason ?? new UnreachableError('the connection was closed during the handshake', { outcome: 'not-sent' }))
  }

  #keepEarly(batch: Uint8Array, attachments: readonly unknown[] | undefined): void {
    this.#earlyBytes += batch.byteLength
    if (this.#earlyBytes > 4 * BATCH_BYTES) throw new ProtocolError(`expected at most ${4 * BATCH_BYTES} bytes before being admitted, got more`)
    this.#early.push({ batch, attachments })
  }

  #readHello(batch: Uint8Array, attachments: readonly unknown[] | undefined): void {
    const frame = this.#frame
    this.#reader.open(batch)
    if (!this.#reader.next(frame)) return
    if (frame.kind === FRAME.goaway) {
      this.#goaway = goawayError(frame.id, frame.reason)
      return
    }
    if (frame.kind !== FRAME.hello) throw new ProtocolError(`expected a hello as first frame, got kind ${frame.kind}`)
    if (this.#reader.end > MAX_HELLO_BYTES) throw new ProtocolError(`expected a hello of at most ${MAX_HELLO_BYTES} bytes, got ${this.#reader.end}`)
    const hello = decodeHello(frame.payload)
    if (commonVersion(hello.versions) === undefined) {
      const message = `expected protocol version ${PROTOCOL_VERSION}, got ${hello.versions[0]} to ${hello.versions[1]}`
      this.#refuse(GOAWAY.unsupported, message, new ProtocolError(message))
      return
    }
    this.#remote = hello
    this.#state = 'admitting'
    if (this.#reader.end < batch.byteLength) this.#keepEarly(batch.subarray(this.#reader.end), attachments)
    admit(this.#options.auth, hello).then(
      () => this.#open(),
      (error: AuthError) => this.#refuse(GOAWAY.auth, error.message, error),
    )
  }

  #open(): void {
    if (this.#state !== 'admitting') return
    this.#state = 'open'
    this.#timer.cancel()
    this.#scheduleCheck()
    this.#handler.opened(this)
    for (const { batch, attachments } of this.#early.splice(0)) this.received(batch, attachments)
  }

  #readFrames(batch: Uint8Array, attachments: readonly unknown[] | undefined): void {
    const frame = this.#frame
    const reader = this.#reader
    reader.open(batch)
    let taken = 0
    while (this.#state === 'open' && reader.next(frame)) {
      const count = LAYOUTS[frame.kind]!.includes('flags') ? frame.flags >> FLAG.attachmentShift : 0
      if (count > 0) {
        frame.attachments = attachments?.slice(taken, (taken += count))
        if (frame.attachments?.length !== count) throw new ProtocolError(`expected ${count} attachments beside the frame, got ${frame.attachments?.length ?? 0}`)
      }
      switch (frame.kind) {
        case FRAME.ping:
          this.#sendControl(FRAME.pong, frame.id)
          break
        case FRAME.pong:
          break
        case FRAME.goaway:
          this.#goaway = goawayError(frame.id, frame.reason)
          break
        case FRAME.hello:
          throw new ProtocolError('expected one hello, got a second one')
        default:
          this.#handler.received(this, frame, reader)
      }
    }
  }

  #write(write: () => void): boolean {
    write()
    if (this.#writer.length >= BATCH_BYTES) this.#flush()
    else if (!this.#isFlushQueued) {
      this.#isFlushQueued = true
      this.#lengthAtRound = 0
      this.#rounds = 0
      queueMicrotask(this.#settle)
    }
    return !this.#isBlocked
  }

  // A batch leaves when a round of microtasks added nothing to it: the turn has settled.
  readonly #settle = (): void => {
    const { length } = this.#writer
    if (length > this.#lengthAtRound && ++this.#rounds < MAX_SETTLE_ROUNDS) {
      this.#lengthAtRound = length
      queueMicrotask(this.#settle)
      return
    }
    this.#isFlushQueued = false
    this.#flush()
  }

  #flush(): void {
    if (this.#writer.length === 0 || this.#state === 'closed') return
    const batch = this.#writer.take()
    const { byteLength } = batch
    let attachments: Attachments | undefined
    if (this.#values) {
      attachments = { values: this.#values, transfer: this.#transfer ?? [] }
      this.#values = this.#transfer = undefined
    }
    this.#isBlocked = !this.#connection.send(batch, attachments)
    if (!this.#isBlocked) return
    this.#blockedBytes += byteLength
    if (this.#blockedBytes > MAX_BLOCKED_BYTES) this.#fail(new OverloadedError(`expected the neighbour to take what is sent, got ${MAX_BLOCKED_BYTES} bytes waiting for it`))
  }

  #sendControl(kind: number, id: number, reason = ''): void {
    this.#control.kind = kind
    this.#control.id = id
    this.#control.reason = reason
    this.#write(() => this.#writer.write(this.#control))
  }

  #scheduleCheck(): void {
    this.#timer = this.#clock.setTimer(() => {
      const verdict = this.#heartbeat.check(this.#clock.now())
      if (verdict === 'gone') {
        this.#fail(new UnreachableError('expected a sign of life from the neighbour, got silence', { address: `actor://${this.nodeId}` }))
        return
      }
      if (verdict === 'probe') this.#sendControl(FRAME.ping, 0)
      this.#scheduleCheck()
    }, CHECK_EVERY_MS)
    this.#timer.hold(false)
  }

  /** Ends a handshake in a way the other side understands. */
  #refuse(code: number, message: string, error: PulsingError): void {
    if (this.#state === 'closed') return
    this.#isEnding = true
    this.#goaway = error
    this.#sendControl(FRAME.goaway, code, message)
    this.#flush()
    this.#connection.close()
  }

  #fail(error: PulsingError): void {
    if (this.#state === 'closed') return
    this.#goaway ??= error
    if (error instanceof ProtocolError) {
      this.#refuse(GOAWAY.protocol, error.message, error)
      return
    }
    this.#isEnding = true
    this.#connection.abort(error.message)
  }
}

function goawayError(code: number, reason: string): PulsingError | undefined {
  switch (code) {
    case GOAWAY.leaving:
    case GOAWAY.duplicate:
      return undefined
    case GOAWAY.auth:
      return new AuthError(`the neighbour refused this node: ${reason}`)
    case GOAWAY.unsupported:
    case GOAWAY.protocol:
      return new ProtocolError(`the neighbour refused this node: ${reason}`)
    default:
      return new UnreachableError(`the neighbour ended the link: ${describe(reason)}`)
  }
}

/** Objects that must change owner to travel at all. */
function isTransferable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (value instanceof MessagePort || value instanceof ReadableStream)
}

/**
 * An entangled port as a `Connection`: one message per batch. Ports do not tell how much waits in them, so the receiver
 * returns what it has taken (a number of bytes) and the sender counts.
 *
 * On the port: bytes are a batch, `[bytes, values]` a batch with attachments, a number is credit, the rest is greetings.
 */

import type { PulsingError } from '../../base/errors.ts'
import { describe, NotSerialisableError, ProtocolError, UnreachableError } from '../../base/errors.ts'
import type { Attachments, Connection, ConnectionHandler } from '../../link/connection.ts'
import { Inbox } from '../../link/inbox.ts'
import type { PortEvent, PortLike } from './endpoint.ts'
import type { Greeting } from './greeting.ts'
import { greetingIn, marked } from './greeting.ts'
import type { LifeLock } from './life-lock.ts'

/** The largest batch. Ports know no limit; this one keeps a copy of a batch affordable. */
export const MAX_BATCH_BYTES: number = 16 * 1024 * 1024
/** Bytes the other side may hold before `send` answers false. Part of the exchange: both sides must use the same. */
const PORT_WINDOW_BYTES = 1024 * 1024
/** Taken bytes are returned in portions of this size; at most half the window, or a sender could wait for ever. */
const RETURN_BYTES = PORT_WINDOW_BYTES / 4
/**
 * Batches from this size on are transferred, smaller ones cloned. Microseconds per batch to a worker, clone against
 * transfer: Node.js 20: 2.7 and 2.6 at 1 KiB, 11 and 11 at 64 KiB, 44 and 37 at 256 KiB; Chromium: 10.5 and 6.0 at
 * 1 KiB, 108 and 21 at 64 KiB, 414 and 58 at 256 KiB. A part of a buffer is copied first, which costs Chromium 56 at 64 KiB.
 */
const TRANSFER_MIN_BYTES = 1024

/** Takes over a port: from here on nobody else may use it. Keeps a Node.js process alive until its end, as a socket would. */
export class PortConnection implements Connection {
  readonly maxBatchBytes: number = MAX_BATCH_BYTES
  readonly transfers = true
  readonly diesWithPeer = true
  readonly isFromThisMachine = true
  readonly #port: PortLike
  readonly #inbox: Inbox
  readonly #life: LifeLock
  /** Sent and not yet returned, and taken and not yet returned. */
  #sentBytes = 0

  get waitingBytes(): number {
    return this.#sentBytes
  }
  #takenBytes = 0
  #isBlocked = false
  #isOver = false

  /** @param life our lock, released with the connection */
  constructor(port: PortLike, life: LifeLock) {
    this.#port = port
    this.#life = life
    this.#inbox = new Inbox({ consumed: (bytes) => this.#consumed(bytes), failed: (error) => this.#fail(error, true) })
    port.addEventListener('message', this.#onMessage)
    port.addEventListener('messageerror', this.#onMessageError)
    port.addEventListener('close', this.#onClose)
    port.start()
  }

  /** Ends the connection for an end seen elsewhere than on the port. */
  otherSideDied(): void {
    this.#finish(new UnreachableError('the other side of the port died'), false)
  }

  open(handler: ConnectionHandler): void {
    this.#inbox.open(handler)
  }

  /** @throws NotSerialisableError when an attachment cannot be cloned or transferred; nothing is sent then */
  send(batch: Uint8Array, attachments?: Attachments): boolean {
    if (this.#isOver) return false
    this.#sentBytes += batch.byteLength
    const bytes = coversItsBuffer(batch) ? batch : new Uint8Array(batch)
    if (attachments !== undefined) this.#sendWith(bytes, attachments)
    else this.#port.postMessage(bytes, bytes.byteLength >= TRANSFER_MIN_BYTES ? [bytes.buffer] : NOTHING)
    if (this.#sentBytes > PORT_WINDOW_BYTES) this.#isBlocked = true
    return !this.#isBlocked
  }

  close(): void {
    if (this.#isOver) return
    this.#greet({ kind: 'bye' })
    this.#finish(undefined, false)
  }

  abort(reason = 'no reason given'): void {
    this.#fail(new UnreachableError(`the connection over the port was aborted: ${reason}`), true, reason)
  }

  #sendWith(bytes: Uint8Array, { values, transfer }: Attachments): void {
    try {
      this.#port.postMessage([bytes, values], transfer)
    } catch (error) {
      this.#sentBytes -= bytes.byteLength
      throw new NotSerialisableError('expected attachments that can be cloned or transferred, got others', {
        cause: error,
      })
    }
  }

  readonly #onMessage = ({ data }: PortEvent): void => {
    if (isBytes(data)) this.#received(data, undefined)
    else if (typeof data === 'number') this.#returned(data)
    else if (Array.isArray(data) && isBytes(data[0]) && Array.isArray(data[1])) this.#received(data[0], data[1])
    else this.#greeted(data)
  }

  #received(batch: Uint8Array, attachments: readonly unknown[] | undefined): void {
    const { byteLength } = batch
    if (byteLength <= MAX_BATCH_BYTES) this.#inbox.received(batch, attachments)
    else
      this.#fail(
        new ProtocolError(`expected batches of at most ${MAX_BATCH_BYTES} bytes on the port, got ${byteLength}`),
        false,
      )
  }

  #greeted(data: unknown): void {
    const greeting = greetingIn(data)
    if (greeting === undefined) {
      const message = `expected a batch, credit or a greeting on the port, got ${describe(data)}`
      this.#fail(new ProtocolError(message), false)
    } else if (greeting.kind === 'bye') {
      const { reason } = greeting
      const error =
        reason === undefined ? undefined : new UnreachableError(`the other side of the port aborted: ${reason}`)
      this.#finish(error, false)
    }
    // The others are late hellos of the meeting that led here.
  }

  #consumed(bytes: number): void {
    this.#takenBytes += bytes
    if (this.#takenBytes < RETURN_BYTES || this.#isOver) return
    this.#port.postMessage(this.#takenBytes, NOTHING)
    this.#takenBytes = 0
  }

  #returned(bytes: number): void {
    if (!(bytes > 0 && bytes <= this.#sentBytes)) {
      const message = `expected at most ${this.#sentBytes} bytes of credit on the port, got ${bytes}`
      this.#fail(new ProtocolError(message), false)
      return
    }
    this.#sentBytes -= bytes
    if (!this.#isBlocked || this.#sentBytes > PORT_WINDOW_BYTES / 2) return
    this.#isBlocked = false
    this.#inbox.drained()
  }

  readonly #onMessageError = (): void => {
    this.#fail(
      new ProtocolError('expected messages that can be read on this side of the port, got one that cannot'),
      false,
    )
  }

  readonly #onClose = (): void => {
    this.#finish(new UnreachableError('the other side of the port is gone'), false)
  }

  #greet(greeting: Greeting): void {
    if (!this.#isOver) this.#port.postMessage(marked(greeting), NOTHING)
  }

  #fail(error: PulsingError, isWaitingLost: boolean, reason = error.message): void {
    this.#greet({ kind: 'bye', reason })
    this.#finish(error, isWaitingLost)
  }

  #finish(error: PulsingError | undefined, isWaitingLost: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#port.removeEventListener('message', this.#onMessage)
    this.#port.removeEventListener('messageerror', this.#onMessageError)
    this.#port.removeEventListener('close', this.#onClose)
    this.#port.close()
    this.#life.release()
    this.#inbox.closed(error, { isWaitingLost })
  }
}

const NOTHING: readonly object[] = []

/** Whatever made them: threads and frames have a `Uint8Array` each. */
function isBytes(data: unknown): data is Uint8Array {
  return (
    ArrayBuffer.isView(data) &&
    (data as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag] === 'Uint8Array'
  )
}

function coversItsBuffer(view: Uint8Array): boolean {
  return view.byteLength === view.buffer.byteLength
}

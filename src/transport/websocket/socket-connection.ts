/**
 * A WebSocket as a `Connection`: one binary message per batch, in both directions. Knows the two ways to learn that
 * there is room again: `ws` calls back when a message has left, browsers must be asked.
 */
import type { Clock, Timer } from '../../base/clock.ts'
import { systemClock } from '../../base/clock.ts'
import type { PulsingError } from '../../base/errors.ts'
import { ProtocolError, UnreachableError } from '../../base/errors.ts'
import type { Attachments, Connection, ConnectionHandler } from '../../link/connection.ts'
import { Inbox } from '../../link/inbox.ts'
import type { WebSocketLike } from './web-socket-like.ts'

/** The largest batch, unless the transport is told otherwise. Also `maxPayload` of a receiving socket. */
export const DEFAULT_MAX_BATCH_BYTES: number = 16 * 1024 * 1024
/** Bytes that may wait in a socket before `send` answers false. */
export const SOCKET_WINDOW_BYTES: number = 1024 * 1024
/** How often a browser's socket is asked whether there is room again, and only while there was none. */
const POLL_INTERVAL_MS = 4
/** The longest close reason the protocol takes, in bytes of UTF-8. */
const MAX_REASON_BYTES = 123

const CLOSED_CLEANLY = 1000
/** Codes of ours: browsers let a page send 1000 and 3000 to 4999 only. */
const CLOSED_BY_ABORT = 4000
const CLOSED_FOR_PROTOCOL = 4002
/** What a side is told that broke the protocol: protocol error, unsupported data, invalid data, too big, and ours. */
const PROTOCOL_CODES: ReadonlySet<number> = /* @__PURE__ */ new Set([1002, 1003, 1007, 1009, CLOSED_FOR_PROTOCOL])

export interface SocketConnectionOptions {
  readonly maxBatchBytes: number
  /** For error messages: the URL dialled, or the address of the peer. */
  readonly peer: string
  /** See {@link Connection.isFromThisMachine}. */
  readonly isFromThisMachine?: boolean
  readonly clock?: Clock
}

/** Takes over an open socket: from here on nobody else may use it. */
export class SocketConnection implements Connection {
  readonly maxBatchBytes: number
  readonly transfers = false
  readonly onlyReads = true
  readonly isFromThisMachine: boolean
  readonly #socket: WebSocketLike
  readonly #peer: string
  readonly #clock: Clock
  readonly #callsBack: boolean
  readonly #inbox: Inbox
  #handler: ConnectionHandler | undefined
  #state: 'open' | 'closing' | 'over' = 'open'
  #isBlocked = false
  #poll: Timer | undefined
  #fault: PulsingError | undefined

  constructor(socket: WebSocketLike, options: SocketConnectionOptions) {
    this.maxBatchBytes = options.maxBatchBytes
    this.isFromThisMachine = options.isFromThisMachine ?? false
    this.#socket = socket
    this.#peer = options.peer
    this.#clock = options.clock ?? systemClock
    this.#callsBack = typeof socket.terminate === 'function'
    this.#inbox = new Inbox({ failed: (error) => this.#fail(error) })
    // `ws` copies to make an ArrayBuffer; its Buffer is a view of what was read from the network.
    socket.binaryType = this.#callsBack ? 'nodebuffer' : 'arraybuffer'
    if (socket.ping) socket.on?.('pong', () => this.#inbox.alive())
    socket.onmessage = (event) => this.#onMessage(event.data)
    socket.onerror = (event) => this.#onError(event)
    socket.onclose = (event) => this.#finish(this.#fault ?? this.#closeError(event.code, event.reason), false)
  }

  get waitingBytes(): number {
    return this.#socket.bufferedAmount
  }

  /** Whether who took this connection has not let the other side in yet. */
  get isFromStranger(): boolean {
    return this.#handler?.isStranger === true
  }

  open(handler: ConnectionHandler): void {
    this.#inbox.open(handler)
    this.#handler = handler
  }

  send(batch: Uint8Array, _attachments?: Attachments): boolean {
    if (this.#state !== 'open') return false
    const socket = this.#socket
    if (!this.#isBlocked && socket.bufferedAmount + batch.byteLength <= SOCKET_WINDOW_BYTES) {
      socket.send(batch)
      return true
    }
    const wasBlocked = this.#isBlocked
    this.#isBlocked = true
    if (this.#callsBack) {
      socket.send(batch, this.#checkRoom)
    } else {
      socket.send(batch)
      if (!wasBlocked) this.#poll = this.#clock.setTimer(this.#checkRoom, POLL_INTERVAL_MS)
    }
    return false
  }

  /** Browsers answer for their pages, frozen ones too. */
  probe(): void {
    if (this.#state === 'open') this.#socket.ping?.()
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#socket.close(CLOSED_CLEANLY)
  }

  abort(reason = 'no reason given'): void {
    if (this.#state === 'over') return
    if (this.#callsBack) this.#socket.terminate?.()
    else this.#socket.close(CLOSED_BY_ABORT, shortReason(reason))
    this.#finish(new UnreachableError(`the connection with ${this.#peer} was aborted: ${reason}`), true)
  }

  /** Ends the connection at once for a fault of the other side, however far its end was. */
  cutOff(error: PulsingError): void {
    this.#socket.terminate?.()
    this.#finish(error, true)
  }

  #onMessage(data: unknown): void {
    if (data instanceof ArrayBuffer) this.#inbox.received(new Uint8Array(data))
    // A Buffer would surprise whoever calls `slice` on it: the handler gets a plain view of the same memory.
    else if (ArrayBuffer.isView(data))
      this.#inbox.received(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    else
      this.#fail(
        new ProtocolError(
          `expected binary messages from ${this.#peer}, got ${typeof data === 'string' ? 'text' : typeof data}`,
        ),
      )
  }

  #onError(event: unknown): void {
    const { error } = event as { readonly error?: { readonly code?: unknown; readonly message?: unknown } }
    if (error === undefined) return
    const code = String(error.code)
    this.#fault = code.startsWith('WS_ERR')
      ? new ProtocolError(
          `expected WebSocket messages of at most ${this.maxBatchBytes} bytes from ${this.#peer}, got: ${error.message}`,
          { cause: error },
        )
      : new UnreachableError(`the connection with ${this.#peer} broke: ${error.message}`, { cause: error })
  }

  /** Ends the connection for a fault on this side of the wire; the other side is told that it was the protocol. */
  #fail(error: PulsingError): void {
    if (this.#state === 'over') return
    this.#socket.close(CLOSED_FOR_PROTOCOL, shortReason(error.message))
    this.#finish(error, false)
  }

  #finish(error: PulsingError | undefined, isWaitingLost: boolean): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#poll?.cancel()
    // `onerror` stays: an error event of `ws` that nobody hears would end the process.
    this.#socket.onmessage = null
    this.#socket.onclose = null
    this.#inbox.closed(error, { isWaitingLost })
  }

  #closeError(code: number, reason: string): PulsingError | undefined {
    if (code === CLOSED_CLEANLY) return undefined
    const got = `${code}${reason ? ` (${reason})` : ''}`
    if (PROTOCOL_CODES.has(code))
      return new ProtocolError(`expected ${this.#peer} to accept what was sent, got close code ${got}`)
    return new UnreachableError(`expected ${this.#peer} to close with ${CLOSED_CLEANLY}, got ${got}`)
  }

  readonly #checkRoom = (): void => {
    if (!this.#isBlocked || this.#state !== 'open') return
    if (this.#socket.bufferedAmount <= SOCKET_WINDOW_BYTES / 2) {
      this.#isBlocked = false
      this.#inbox.drained()
    } else if (!this.#callsBack) {
      this.#poll = this.#clock.setTimer(this.#checkRoom, POLL_INTERVAL_MS)
    }
  }
}

/** As much of `text` as fits a close frame. */
function shortReason(text: string): string {
  const bytes = new TextEncoder().encode(text)
  if (bytes.byteLength <= MAX_REASON_BYTES) return text
  // A character cut in two decodes to U+FFFD, which takes three bytes: leave room for it.
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES - 3))
}

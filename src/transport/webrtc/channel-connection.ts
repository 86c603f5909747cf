/**
 * A connection over one reliable, ordered data channel. It owns the channel and its peer connection.
 *
 * Batches wait here, not in the channel, which is never given more than a window: a browser's send queue throws when it
 * is full. Closing a channel may lose what it has not sent yet, so a close is a conversation: END leaves after the last
 * batch, the other side answers END_SEEN after its own, and only then is the peer connection closed.
 */
import type { Clock, Timer } from '../../base/clock.ts'
import { ConfigError, OverloadedError, ProtocolError, type PulsingError, UnreachableError } from '../../base/errors.ts'
import { Fifo } from '../../base/fifo.ts'
import type { Connection, ConnectionHandler } from '../../link/connection.ts'
import { Assembly, CHUNK_BYTES, chunkAt, END, END_SEEN, MAX_BATCH_BYTES, markOf } from './chunks.ts'
import { type DataChannelLike, discard, type RtcLike } from './rtc-like.ts'

/** The channel is given no more while it holds this much. A browser's queue throws at 16 times as much. */
export const HIGH_WATER_BYTES = 1_048_576

/** The channel asks for more when it holds this much. */
export const LOW_WATER_BYTES = 262_144

/** How long a connection may be `disconnected`, which often mends itself, before it counts as lost. */
export const DISCONNECT_GRACE_MS = 5000

/** How long a closing connection waits without any byte leaving. */
export const CLOSE_STALL_MS = 5000

/** The most bytes kept for an owner who has not opened the connection yet. */
export const MAX_UNOPENED_BYTES = 16_777_216

export interface ChannelConnectionOptions {
  readonly peer: RtcLike
  readonly clock: Clock
  /** Called once, when the peer connection is closed. */
  readonly released: () => void
}

/** The page, where there is one: workers and Node.js have no `pagehide`. */
const page = globalThis as {
  addEventListener?(type: 'pagehide', listener: () => void): void
  removeEventListener?(type: 'pagehide', listener: () => void): void
}

export class ChannelConnection implements Connection {
  readonly maxBatchBytes: number = MAX_BATCH_BYTES
  readonly transfers: boolean = false
  readonly onlyReads = true
  readonly #channel: DataChannelLike
  readonly #options: ChannelConnectionOptions
  readonly #assembly = new Assembly()
  readonly #outbox = new Fifo<Uint8Array | typeof END | typeof END_SEEN>()
  readonly #unopened = new Fifo<Uint8Array>()
  #unopenedBytes = 0
  #offset = 0
  #queuedBytes = 0
  /** Bytes given to the channel, and messages taken from it. Less `bufferedAmount` it grows while anything moves. */
  #moved = 0
  #handler: ConnectionHandler | undefined
  #isFlowing = false
  #isBlocked = false
  #isClosing = false
  #isOver = false
  #isReleased = false
  #error: PulsingError | undefined
  #graceTimer: Timer | undefined
  #closeTimer: Timer | undefined

  /** Takes an open channel over, in the same turn it opened: messages that come before `open` are kept. */
  constructor(channel: DataChannelLike, options: ChannelConnectionOptions) {
    this.#channel = channel
    this.#options = options
    channel.bufferedAmountLowThreshold = LOW_WATER_BYTES
    channel.onmessage = (event) => this.#onMessage(event.data)
    channel.onbufferedamountlow = () => this.#onLow()
    channel.onclose = () => this.#lost('its data channel closed')
    options.peer.onconnectionstatechange = () => this.#onState(options.peer.connectionState)
    // Else the other side learns of a closed or reloaded page only when ICE gives up, ten seconds later.
    page.addEventListener?.('pagehide', this.#onPageHide)
  }

  get waitingBytes(): number {
    return this.#queuedBytes + this.#channel.bufferedAmount
  }

  open(handler: ConnectionHandler): void {
    if (this.#handler) throw new ConfigError('expected one call of open() per connection, got a second one')
    this.#handler = handler
    queueMicrotask(() => this.#deliverUnopened(handler))
  }

  send(batch: Uint8Array): boolean {
    if (this.#isClosing || this.#isOver) return false
    if (batch.byteLength > MAX_BATCH_BYTES)
      throw new ProtocolError(`expected a batch of at most ${MAX_BATCH_BYTES} bytes, got ${batch.byteLength}`)
    this.#outbox.push(batch)
    this.#queuedBytes += batch.byteLength
    this.#pump()
    this.#isBlocked = this.#outbox.size > 0
    return !this.#isBlocked && !this.#isOver
  }

  close(): void {
    if (this.#isClosing || this.#isOver) return
    this.#isClosing = true
    this.#outbox.push(END)
    this.#pump()
    this.#watchClosing(this.#moved - this.#channel.bufferedAmount)
  }

  abort(reason?: string): void {
    this.#unopened.drain()
    this.#fail(new UnreachableError(`the WebRTC connection was aborted${reason ? `: ${reason}` : ''}`))
  }

  #deliverUnopened(handler: ConnectionHandler): void {
    for (let batch = this.#unopened.shift(); batch !== undefined; batch = this.#unopened.shift()) this.#give(batch)
    this.#isFlowing = true
    if (this.#isOver) handler.closed(this.#error)
  }

  /** A handler that throws has lost part of a batch: its connection ends, the process and the other connections go on. */
  #give(batch: Uint8Array | undefined): void {
    try {
      if (batch) this.#handler?.received(batch)
      else this.#handler?.drained()
    } catch (cause) {
      this.#unopened.drain()
      this.#fail(
        new ProtocolError('expected the handler of a connection to take a batch, got an error from it', { cause }),
      )
    }
  }

  #onMessage(data: unknown): void {
    let message: ReturnType<Assembly['add']>
    this.#moved++
    try {
      message = this.#assembly.add(typeof data === 'object' ? new Uint8Array(data as ArrayBuffer) : new Uint8Array(0))
    } catch (error) {
      this.#fail(error as PulsingError)
      return
    }
    if (typeof message === 'object') this.#deliver(message)
    else if (message === END) this.#answerEnd()
    else if (message === END_SEEN && this.#isClosing) this.#fail(undefined)
  }

  #deliver(batch: Uint8Array): void {
    if (this.#isOver) return
    if (this.#isFlowing) {
      this.#give(batch)
      return
    }
    this.#unopened.push(batch)
    this.#unopenedBytes += batch.byteLength
    if (this.#unopenedBytes > MAX_UNOPENED_BYTES) {
      this.#fail(new OverloadedError(`expected at most ${MAX_UNOPENED_BYTES} bytes before open, got more`))
    }
  }

  /** The other side has said everything. For the owner it is over; what was sent, and the answer, still leave. */
  #answerEnd(): void {
    if (this.#isOver) return
    this.#over(undefined)
    this.#outbox.push(END_SEEN)
    this.#pump()
    this.#watchClosing(this.#moved - this.#channel.bufferedAmount)
  }

  #onLow(): void {
    this.#pump()
    if (!this.#isBlocked || this.#outbox.size > 0 || this.#isClosing || this.#isOver) return
    this.#isBlocked = false
    this.#give(undefined)
  }

  /** Gives the channel as much as it may have. `bufferedAmount` is asked every time: it falls meanwhile on some platforms, and only a fall from above the low mark is reported. */
  #pump(): void {
    const channel = this.#channel
    try {
      for (let first = this.#outbox.peek(); first !== undefined; first = this.#outbox.peek()) {
        if (channel.bufferedAmount >= HIGH_WATER_BYTES) return
        const message = typeof first === 'number' ? markOf(first) : chunkAt(first, this.#offset)
        channel.send(message)
        this.#moved += message.byteLength
        this.#offset += CHUNK_BYTES
        if (typeof first === 'object' && this.#offset < first.byteLength) continue
        this.#offset = 0
        this.#outbox.shift()
        if (typeof first === 'object') this.#queuedBytes -= first.byteLength
      }
    } catch (cause) {
      this.#fail(new UnreachableError('the data channel took no more', { cause }))
    }
  }

  #onState(state: string): void {
    if (state === 'failed' || state === 'closed') this.#lost(`its state is ${state}`)
    this.#graceTimer?.cancel()
    this.#graceTimer =
      state === 'disconnected'
        ? this.#options.clock.setTimer(
            () => this.#lost(`it was disconnected for ${DISCONNECT_GRACE_MS} ms`),
            DISCONNECT_GRACE_MS,
          )
        : undefined
  }

  /** Gives a close up when nothing moves any more, in either direction. */
  #watchClosing(movedBefore: number): void {
    if (this.#isReleased) return
    this.#closeTimer?.cancel()
    this.#closeTimer = this.#options.clock.setTimer(() => {
      const moved = this.#moved - this.#channel.bufferedAmount
      if (moved > movedBefore) this.#watchClosing(moved)
      else this.#lost(`nothing moved for ${CLOSE_STALL_MS} ms while it closed`)
    }, CLOSE_STALL_MS)
  }

  readonly #onPageHide = (): void => this.#lost('the page is gone')

  #lost(why: string): void {
    this.#fail(new UnreachableError(`the WebRTC connection was lost: ${why}`))
  }

  #fail(error: PulsingError | undefined): void {
    this.#over(error)
    this.#release()
  }

  /** Ends the connection for its owner. The call comes later, as this may run inside one of the owner's. */
  #over(error: PulsingError | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#error = error
    if (this.#isFlowing) queueMicrotask(() => this.#handler!.closed(error))
  }

  #release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#graceTimer?.cancel()
    this.#closeTimer?.cancel()
    this.#outbox.drain()
    this.#channel.onmessage = this.#channel.onbufferedamountlow = this.#channel.onclose = null
    page.removeEventListener?.('pagehide', this.#onPageHide)
    discard(this.#options.peer)
    this.#options.released()
  }
}

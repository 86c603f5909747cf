/**
 * The consumer's end of a stream that comes from another node. Says how much was consumed, in totals, so that a repeated
 * or overtaken grant changes nothing.
 */
import { ProtocolError } from '../base/errors.ts'
import { Fifo } from '../base/fifo.ts'
import { StreamChannel } from '../stream/stream-channel.ts'
import { STREAM_WINDOW_BYTES } from './outbound-stream.ts'

/** What the stream needs of its association. */
export interface ConsumerLine {
  /** Tells the producer the totals consumed so far: now, or once the consumer pauses. */
  grant(stream: InboundStream, isUrgent: boolean): void
  /** Tells the producer that the consumer is gone. */
  stop(stream: InboundStream): void
}

export class InboundStream {
  readonly id: number
  readonly channel: StreamChannel
  /** Totals consumed. */
  items = 0
  bytes = 0
  /** Whether a grant is due once the consumer pauses. */
  isGrantDue = false
  readonly #sizes = new Fifo<number>()
  readonly #line: ConsumerLine
  #itemsAtLook = 0
  #grantedItems = 0
  #grantedBytes = 0
  #receivedBytes = 0

  constructor(id: number, window: number, line: ConsumerLine) {
    this.id = id
    this.#line = line
    this.channel = new StreamChannel(window)
    this.channel.onAcknowledge = (count) => this.#consumed(count)
    this.channel.onCancel = () => line.stop(this)
  }

  /** @throws ProtocolError when the producer sent more than it was granted */
  receive(item: unknown, size: number): void {
    if (this.channel.unread >= this.channel.window) {
      throw new ProtocolError(`expected at most ${this.channel.window} unread items in stream ${this.id}, got more`)
    }
    if (this.#receivedBytes - this.bytes >= STREAM_WINDOW_BYTES)
      throw new ProtocolError(
        `expected no item while ${STREAM_WINDOW_BYTES} bytes of stream ${this.id} are unread, got one`,
      )
    this.#receivedBytes += size
    this.#sizes.push(size)
    this.channel.push(item)
  }

  end(error: unknown): void {
    void this.channel.end(error === undefined ? undefined : { error })
  }

  /** Whether something was consumed that the producer was not told of. */
  get hasUngranted(): boolean {
    return this.items !== this.#grantedItems
  }

  /** Whether more was consumed since this was last asked. */
  readsOn(): boolean {
    const items = this.#itemsAtLook
    this.#itemsAtLook = this.items
    return items !== this.items
  }

  /** The totals were sent. */
  granted(): void {
    this.#grantedItems = this.items
    this.#grantedBytes = this.bytes
  }

  #consumed(count: number): void {
    for (let i = 0; i < count; i++) this.bytes += this.#sizes.shift() ?? 0
    this.items += count
    if (!this.channel.isOpen) return
    // The producer must hear of it before it runs out of room, in items or in bytes.
    const isUrgent =
      (this.items - this.#grantedItems) * 2 >= this.channel.window ||
      (this.bytes - this.#grantedBytes) * 2 >= STREAM_WINDOW_BYTES
    if (isUrgent || !this.isGrantDue) this.#line.grant(this, isUrgent)
  }
}

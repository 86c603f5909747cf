/** All streams between two nodes, in both directions, by id. Ids are the producer's and only grow. */
import type { ActorRef } from '../actor/actor-ref.ts'
import { discardMessage } from '../actor/discarded-result.ts'
import { EMPTY_BYTES } from '../base/bytes.ts'
import type { PulsingError } from '../base/errors.ts'
import { NotSerialisableError, OverloadedError, ProtocolError } from '../base/errors.ts'
import { IdTable } from '../base/id-table.ts'
import { macrotask } from '../base/macrotask.ts'
import { Message } from '../message/message.ts'
import { MAX_BUFFER_SIZE } from '../message/stream-message.ts'
import { discardSource } from '../stream/abandoned.ts'
import { DEFAULT_BUFFER_SIZE } from '../stream/stream-channel.ts'
import type { StreamSource } from '../stream/stream-source.ts'
import { decodeError, encodeError } from '../wire/error-codec.ts'
import type { Frame } from '../wire/frame.ts'
import { FRAME } from '../wire/frame.ts'
import type { ConsumerLine } from './inbound-stream.ts'
import { InboundStream } from './inbound-stream.ts'
import type { LentCallbacks } from './lent-callbacks.ts'
import type { ProducerLine } from './outbound-stream.ts'
import { OutboundStream } from './outbound-stream.ts'
import type { PayloadOwner } from './payload.ts'
import { decodeMessage, decodeValue, encodeMessage, encodeValue, isPlain, StreamLowering } from './payload.ts'

/** Streams one node may have open towards another. */
export const MAX_STREAMS = 10_000

/** How streams speak to the other node. */
export interface StreamLine {
  /** Functions in values. */
  readonly callbacks: LentCallbacks
  /** The largest payload that can be sent now. */
  maxMessageBytes(): number
  refTo(nodeId: string, actorId: string, name: string | undefined): ActorRef
  send(kind: number, id: number, fill?: (frame: Frame) => void): void
  /** The frame to fill and send next. */
  readonly frame: Frame
  /** Sends it, filled with an item, in its turn. @throws NotSerialisableError, with nothing sent */
  sendItem(id: number): void
  whenWritable(): Promise<void> | undefined
}

export class StreamTable implements PayloadOwner, ProducerLine, ConsumerLine {
  readonly lowering = new StreamLowering(this)
  readonly #line: StreamLine
  readonly #outbound = new IdTable<OutboundStream>()
  readonly #inbound = new IdTable<InboundStream>()
  /** Streams whose consumers may have paused. No set: one that is filled and emptied all the time leaves its tables to a full collection. */
  readonly #due: InboundStream[] = []
  #isWatching = false
  #unstarted: OutboundStream[] = []
  #nextId = 1

  constructor(line: StreamLine) {
    this.#line = line
  }

  get size(): number {
    return this.#outbound.size + this.#inbound.size
  }
  get maxMessageBytes(): number {
    return this.#line.maxMessageBytes()
  }

  refTo(nodeId: string, actorId: string, name: string | undefined): ActorRef {
    return this.#line.refTo(nodeId, actorId, name)
  }

  lend(callback: (...args: unknown[]) => unknown): ActorRef {
    return this.#line.callbacks.lend(callback)
  }

  openStream(source: StreamSource | Promise<StreamSource>): { readonly id: number; readonly window: number } {
    if (this.#outbound.size >= MAX_STREAMS) {
      discardSource(source)
      throw new OverloadedError(`expected at most ${MAX_STREAMS} open streams to one node, got more`)
    }
    const id = this.#nextId++
    const window = source instanceof Promise ? DEFAULT_BUFFER_SIZE : source.window
    const stream = new OutboundStream(id, source, window, this)
    this.#outbound.add(stream)
    this.#unstarted.push(stream)
    return { id, window }
  }

  /** Takes back the streams, and the functions, of a message that will not be sent. */
  dropUnstarted(): void {
    this.#line.callbacks.dropUnsent()
    for (const stream of this.#unstarted.splice(0)) {
      this.#outbound.delete(stream.id)
      stream.cancel(undefined)
    }
  }

  /** Lets streams opened since the last call begin: the message that names them is on its way. */
  start(): void {
    this.#line.callbacks.sent()
    if (this.#unstarted.length === 0) return
    for (const stream of this.#unstarted.splice(0)) stream.start()
  }

  /** As {@link start}, for the streams of a message that leaves later, or never. */
  later(): { start(): void; drop(): void } {
    this.#line.callbacks.sent()
    const streams = this.#unstarted.splice(0)
    return {
      start: () => {
        for (const stream of streams) stream.start()
      },
      drop: () => {
        for (const stream of streams) {
          this.#outbound.delete(stream.id)
          stream.cancel(undefined)
        }
      },
    }
  }

  receiveStream(id: number, window: number): StreamSource {
    if (!(id >= 1) || !(window >= 1 && window <= MAX_BUFFER_SIZE))
      throw new ProtocolError(
        `expected a stream id from 1 and a window from 1 to ${MAX_BUFFER_SIZE}, got ${id} and ${window}`,
      )
    if (this.#inbound.get(id)) throw new ProtocolError(`expected a stream that was not read before, got ${id} again`)
    if (this.#inbound.size >= MAX_STREAMS)
      throw new ProtocolError(`expected at most ${MAX_STREAMS} open streams, got more`)
    const stream = new InboundStream(id, window, this)
    this.#inbound.add(stream)
    return stream.channel
  }

  /** A stream frame from the peer. @throws ProtocolError */
  receive(frame: Frame): void {
    switch (frame.kind) {
      case FRAME.item:
        this.#receiveItem(frame)
        break
      case FRAME.end: {
        const stream = this.#inbound.delete(frame.id)
        stream?.end(frame.payloadBytes === 0 ? undefined : decodeError(frame.payload, ''))
        break
      }
      case FRAME.credit:
        this.#outbound.get(frame.id)?.consumed(frame.count, frame.bytes)
        break
      case FRAME.stop: {
        const stream = this.#outbound.delete(frame.id)
        stream?.cancel(undefined)
        break
      }
      default:
        throw new ProtocolError(`expected a frame between nodes, got kind ${frame.kind}`)
    }
  }

  reset(error: PulsingError): void {
    const outbound = this.#outbound.values()
    const inbound = this.#inbound.values()
    this.#outbound.clear()
    this.#inbound.clear()
    this.#due.length = 0
    this.#unstarted = []
    this.#nextId = 1
    for (const stream of outbound) stream.cancel(error)
    for (const stream of inbound) stream.end(error)
  }

  sendItem(stream: OutboundStream, item: unknown): number {
    const isMessage = item instanceof Message
    if (isMessage && item.isStream) {
      throw new NotSerialisableError('expected an item, got a stream message: put its reader into a value instead')
    }
    const { frame } = this.#line
    if (isMessage) encodeMessage(frame, item, false, this, undefined)
    else encodeValue(frame, item, true, '', this, undefined)
    const { payloadBytes } = frame
    this.#line.sendItem(stream.id)
    return payloadBytes
  }

  sendEnd(stream: OutboundStream, error: unknown): void {
    if (!this.#outbound.delete(stream.id)) return
    const payload = error === undefined ? EMPTY_BYTES : encodeError(error)
    this.#line.send(FRAME.end, stream.id, (frame) => void (frame.payload = payload))
  }

  whenWritable(): Promise<void> | undefined {
    return this.#line.whenWritable()
  }

  grant(stream: InboundStream, isUrgent: boolean): void {
    if (isUrgent) {
      this.#sendGrant(stream)
      return
    }
    stream.isGrantDue = true
    this.#due.push(stream)
    if (this.#isWatching) return
    this.#isWatching = true
    macrotask(this.#grantDue)
  }

  stop(stream: InboundStream): void {
    if (!this.#inbound.delete(stream.id)) return
    this.#line.send(FRAME.stop, stream.id)
  }

  /** A grant takes the link as much as an item: one who reads on gives the next when it is urgent. */
  readonly #grantDue = (): void => {
    const due = this.#due
    let left = 0
    for (const stream of due) {
      if (stream.readsOn()) due[left++] = stream
      else {
        stream.isGrantDue = false
        if (stream.hasUngranted) this.#sendGrant(stream)
      }
    }
    due.length = left
    this.#isWatching = left > 0
    if (left > 0) macrotask(this.#grantDue)
  }

  #sendGrant(stream: InboundStream): void {
    stream.granted()
    if (this.#inbound.get(stream.id) !== stream) return
    this.#line.send(FRAME.credit, stream.id, (frame) => {
      frame.count = stream.items
      frame.bytes = stream.bytes
    })
  }

  #receiveItem(frame: Frame): void {
    const stream = this.#inbound.get(frame.id)
    frame.stream = 0
    // Items of a stream that was cancelled here may still be on their way.
    if (!stream) {
      discardMessage(decodeMessage(frame, this))
      return
    }
    const size = frame.payloadBytes
    stream.receive(isPlain(frame) ? decodeValue(frame, this) : decodeMessage(frame, this), size)
  }
}

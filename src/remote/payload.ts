/**
 * Messages to frame fields and back, for one pair of nodes: refs become addresses, streams become stream ids of the
 * association, transferred objects become attachments where the link takes them.
 */
import type { ActorRef, Ref } from '../actor/actor-ref.ts'
import { REF_TAG } from '../actor/actor-ref.ts'
import { borrowCallback } from '../actor/callback.ts'
import { bytesToGive, EMPTY_BYTES } from '../base/bytes.ts'
import { decodeCborReferences, encodeCborView, type Lowering, lower, Tag } from '../base/cbor.ts'
import { NOT_PLAIN, readPlain } from '../base/cbor-plain.ts'
import { writePlain } from '../base/cbor-plain-writer.ts'
import { describe, NotSerialisableError, ProtocolError, PulsingError } from '../base/errors.ts'
import { isId } from '../base/ids.ts'
import type { Attachments } from '../link/connection.ts'
import type { Format } from '../message/message.ts'
import { FORMAT, Message } from '../message/message.ts'
import { isStreamLike, toSource } from '../stream/iterable-source.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { StreamSource } from '../stream/stream-source.ts'
import type { Frame } from '../wire/frame.ts'
import { FLAG } from '../wire/frame.ts'

/**
 * CBOR tags of a stream, `[id, window]`, with a third item, true, where it was a web stream; of an attachment, its index;
 * and of a function, `[nodeId, actorId]` of the actor that calls it.
 */
export const STREAM_TAG = 0x5076
export const ATTACHMENT_TAG = 0x5077
export const CALLBACK_TAG = 0x5078

/** What a payload needs of the association it travels in. */
export interface PayloadOwner {
  /** Begins to send a stream; its id and window. */
  openStream(source: StreamSource | Promise<StreamSource>): { readonly id: number; readonly window: number }
  /** Gives a function an actor, for the other side to call. */
  lend(callback: (...args: unknown[]) => unknown): ActorRef
  /** Takes back the streams, and the functions, of a message that will not be sent. */
  dropUnstarted(): void
  /** What becomes of streams inside values. */
  readonly lowering: Lowering
  /** The reader of a stream the other side sends. */
  receiveStream(id: number, window: number): StreamSource
  refTo(nodeId: string, actorId: string, name: string | undefined): ActorRef
  readonly maxMessageBytes: number
}

/**
 * Fills in the fields of `message`. The payload is a view of pooled memory: send the frame, or copy it, before anything
 * else is encoded.
 *
 * @param transfer objects to hand over instead of copying; only with `transfers`
 * @returns what is to travel beside the frame
 * @throws NotSerialisableError when something in it cannot travel, or it is too large; nothing was sent then
 */
export function encodeMessage(
  frame: Frame,
  message: Message,
  isPlain: boolean,
  owner: PayloadOwner,
  transfer: readonly object[] | undefined,
): Attachments | undefined {
  const { msgType } = message
  if (message.isStream) {
    fill(frame, isPlain ? FLAG.plain : 0, msgType, EMPTY_BYTES, owner)
    const { id, window } = owner.openStream(message.handOver().streamReader().detach())
    frame.stream = id
    frame.window = window
    return undefined
  }
  if (message.isObject) return encodeValue(frame, message.toObject(), isPlain, msgType, owner, transfer)
  fill(frame, message.format, msgType, message.payload, owner)
  return undefined
}

/** As {@link encodeMessage}, for a plain value, or an item of a stream. */
export function encodeValue(
  frame: Frame,
  value: unknown,
  isPlain: boolean,
  type: string,
  owner: PayloadOwner,
  transfer: readonly object[] | undefined,
): Attachments | undefined {
  const plain = isPlain ? FLAG.plain : 0
  if (isPlain && value instanceof Uint8Array && transfer === undefined) {
    fill(frame, plain | FORMAT.raw, type, value, owner)
    return undefined
  }
  try {
    const bytes = transfer === undefined ? writePlain(value) : undefined
    if (bytes) {
      fill(frame, plain | FORMAT.cbor, type, bytes, owner)
      return undefined
    }
    const handOver = transfer && new HandOver(owner.lowering, transfer)
    const payload = encodeCborView(lower(value, handOver ?? owner.lowering))
    const attachments = handOver?.attachments
    const flags = plain | FORMAT.cbor | ((attachments?.values.length ?? 0) << FLAG.attachmentShift)
    fill(frame, flags, type, payload, owner)
    return attachments
  } catch (error) {
    owner.dropUnstarted()
    if (error instanceof PulsingError) throw error
    throw new NotSerialisableError(`expected a value CBOR can hold, got ${describe(value)}`, { cause: error })
  }
}

/** Streams and functions inside values, as ids of the association. */
export class StreamLowering implements Lowering {
  readonly #owner: Pick<PayloadOwner, 'openStream' | 'lend'>

  constructor(owner: Pick<PayloadOwner, 'openStream' | 'lend'>) {
    this.#owner = owner
  }

  lower(value: object): Tag | undefined {
    if (typeof value === 'function') {
      const { nodeId, id } = this.#owner.lend(value as () => unknown)
      return new Tag([nodeId, id], CALLBACK_TAG)
    }
    if (!isStreamLike(value)) return undefined
    const isWebStream = 'getReader' in value
    const { id, window } = this.#owner.openStream(toSource(value))
    return new Tag(isWebStream ? [id, window, true] : [id, window], STREAM_TAG)
  }
}

/** Whether an object may be one the platform can hand over; whether it really is one, the platform says. */
function isTransferable(value: unknown): boolean {
  if (
    typeof value !== 'object' ||
    value === null ||
    ArrayBuffer.isView(value) ||
    value instanceof Map ||
    value instanceof Set
  )
    return false
  return value instanceof ArrayBuffer || Symbol.toStringTag in value
}

/** Objects that change owner with one message, as attachments of it. */
class HandOver implements Lowering {
  readonly #next: Lowering
  readonly #transfer: readonly object[]
  readonly #values: object[] = []

  constructor(next: Lowering, transfer: readonly object[]) {
    for (const object of transfer) {
      if (!isTransferable(object))
        throw new NotSerialisableError(`expected objects that can change owner in transfer, got ${describe(object)}`)
    }
    this.#next = next
    this.#transfer = transfer
  }

  get attachments(): Attachments | undefined {
    return this.#values.length > 0 ? { values: this.#values, transfer: this.#values } : undefined
  }

  lower(value: object): Tag | undefined {
    if (!this.#transfer.includes(value)) return this.#next.lower(value)
    return new Tag(this.#values.push(value) - 1, ATTACHMENT_TAG)
  }
}

/** Longest message type, in characters. */
export const MAX_TYPE_LENGTH = 1024

/** Last of all: what was encoded may have run code that sent something in the same frame. */
function fill(frame: Frame, flags: number, type: string, payload: Uint8Array, owner: PayloadOwner): void {
  if (type.length > MAX_TYPE_LENGTH)
    throw new NotSerialisableError(
      `expected a message type of at most ${MAX_TYPE_LENGTH} characters, got ${type.length}`,
    )
  if (payload.byteLength > owner.maxMessageBytes)
    throw new NotSerialisableError(
      `expected a message of at most ${owner.maxMessageBytes} bytes, got ${payload.byteLength}: send it as a stream`,
    )
  frame.flags = flags
  frame.type = type
  frame.stream = frame.window = 0
  frame.payload = payload
}

/** Whether a frame's message was a plain value to its sender. */
export function isPlain(frame: Frame): boolean {
  return (frame.flags & FLAG.plain) !== 0
}

/** The message of a frame. Nothing of the batch is kept. */
export function decodeMessage(frame: Frame, owner: PayloadOwner): Message {
  if (frame.stream !== 0) return Message.stream(frame.type, owner.receiveStream(frame.stream, frame.window))
  const format = formatOf(frame)
  if (format === FORMAT.cbor) {
    // Decoded now: streams in it must be known before their items come, attachments belong to this delivery, and the
    // bytes need not be copied for later. What is no CBOR becomes a message that throws when it is read.
    const plain = readPlain(frame.source, frame.payloadStart, frame.payloadEnd)
    if (plain !== NOT_PLAIN) return Message.fromObject(frame.type, plain)
    let decoded: ReturnType<typeof decodeCborReferences>
    try {
      decoded = decodeCborReferences(frame.payload)
    } catch {
      return Message.received(frame.type, format, frame.payload.slice())
    }
    const { value, hasReferences } = decoded
    return hasReferences
      ? Message.referring(frame.type, raise(value, owner, frame.attachments, 0))
      : Message.fromObject(frame.type, value)
  }
  const payload = bytesToGive(frame.payload, frame.source)
  return isPlain(frame) ? Message.fromObject(frame.type, payload) : Message.received(frame.type, format, payload)
}

/** The value of a frame whose message was plain to its sender; a stream's reader where it was one. */
export function decodeValue(frame: Frame, owner: PayloadOwner): unknown {
  if (frame.stream !== 0) return new StreamReader(owner.receiveStream(frame.stream, frame.window))
  if (formatOf(frame) === FORMAT.raw) return bytesToGive(frame.payload, frame.source)
  const plain = readPlain(frame.source, frame.payloadStart, frame.payloadEnd)
  return plain === NOT_PLAIN ? decodePayload(frame.payload, owner, frame.attachments) : plain
}

function formatOf(frame: Frame): Format {
  const format = frame.flags & FLAG.formatMask
  if (format > FORMAT.cbor) throw new ProtocolError(`expected a payload format from 0 to ${FORMAT.cbor}, got ${format}`)
  return format as Format
}

function decodePayload(payload: Uint8Array, owner: PayloadOwner, attachments: readonly unknown[] | undefined): unknown {
  const { value, hasReferences } = decodeCborReferences(payload)
  return hasReferences ? raise(value, owner, attachments, 0) : value
}

/** Replaces tags by what they stand for, in place: the value was just decoded and belongs to nobody else. */
function raise(
  value: unknown,
  owner: PayloadOwner,
  attachments: readonly unknown[] | undefined,
  depth: number,
): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  if (depth > 128) throw new ProtocolError('expected a value at most 128 levels deep, got a deeper one')
  const inner = (item: unknown): unknown => raise(item, owner, attachments, depth + 1)
  if (value instanceof Tag) return raiseTag(value, owner, attachments)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = inner(value[i])
    return value
  }
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [inner(key), inner(item)]))
  if (value instanceof Set) return new Set([...value].map(inner))
  const fields = value as Record<string, unknown>
  if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const key of Object.keys(fields)) {
      const item = fields[key]
      if (typeof item === 'object' && item !== null) fields[key] = inner(item)
    }
  }
  return value
}

function raiseTag({ tag, value }: Tag, owner: PayloadOwner, attachments: readonly unknown[] | undefined): unknown {
  const parts: readonly unknown[] = Array.isArray(value) ? value : []
  switch (tag) {
    case REF_TAG: {
      const [nodeId, actorId, name] = parts
      if (isId(nodeId) && isId(actorId))
        return owner.refTo(nodeId, actorId, typeof name === 'string' ? name : undefined)
      break
    }
    case STREAM_TAG: {
      const [id, window, isWebStream] = parts
      if (!Number.isSafeInteger(id) || !Number.isSafeInteger(window)) break
      const reader = new StreamReader(owner.receiveStream(id as number, window as number))
      return isWebStream === true ? reader.readable : reader
    }
    case CALLBACK_TAG: {
      const [nodeId, actorId] = parts
      if (isId(nodeId) && isId(actorId))
        return borrowCallback((owner.refTo(nodeId, actorId, undefined) as Ref).recipient)
      break
    }
    case ATTACHMENT_TAG:
      if (
        Number.isSafeInteger(value) &&
        attachments !== undefined &&
        (value as number) >= 0 &&
        (value as number) < attachments.length
      )
        return attachments[value as number]
      break
    default:
      throw new ProtocolError(`expected a tag this version knows, got ${tag}`)
  }
  throw new ProtocolError(`expected well-formed contents of tag ${tag}, got ${describe(value)}`)
}

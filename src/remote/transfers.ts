/**
 * Large messages on their way to one peer, in parts, so that they delay only what must not overtake them: what goes
 * from the same actor to the same actor, the items of the same stream. Everything else passes between the parts.
 *
 * A part is a piece of the bytes of a whole frame; the last one is delivered as that frame.
 */
import { joinBytes, ownBytes } from '../base/bytes.ts'
import { ignoreRejection } from '../base/deferred.ts'
import { OverloadedError, ProtocolError } from '../base/errors.ts'
import { Fifo } from '../base/fifo.ts'
import { carriesMessage, FLAG, FRAME, Frame, PART } from '../wire/frame.ts'
import { FrameReader } from '../wire/frame-reader.ts'
import { FrameWriter } from '../wire/frame-writer.ts'
import type { Pace } from './pace.ts'

/** A payload longer than this travels in parts, in bytes. */
export const MAX_WHOLE_BYTES: number = 128 * 1024
/** Bytes of one part. */
export const PART_BYTES: number = 32 * 1024
/** Large messages that one peer may be sending at a time. */
export const MAX_TRANSFERS = 256
/** Bytes of a frame beside its payload, at most: node ids, actor ids, the longest type. */
export const HEAD_BYTES = 8192
/** What a part that waits for the others costs beside its bytes. */
export const PART_COST_BYTES = 256

/** What transfers need of their session. */
export interface TransferLine {
  send(frame: Frame): boolean
  whenWritable(): Promise<void> | undefined
}

/** What becomes of a frame that was queued: one of the two, once. */
export interface Fate {
  /** All of it is on its way. */
  sent?(): void
  /** It was taken back, or the session ended. */
  dropped?(): void
}

interface Waiting {
  readonly frame: Frame
  /** The bytes of the frame, where it goes in parts. */
  readonly bytes: Uint8Array | undefined
  readonly id: number
  readonly fate: Fate
  offset: number
  isDropped: boolean
}

export class OutboundTransfers {
  readonly #line: TransferLine
  readonly #pace: Pick<Pace, 'partSent' | 'rest'>
  /** What waits, by what must keep its order; the keys in the order of their turns. */
  readonly #queues = new Map<string, Fifo<Waiting>>()
  readonly #part = new Frame()
  #nextId = 1
  readonly #maxBytes: number
  #begun = 0
  #begunBytes = 0
  #round = 0
  #isPumping = false

  /** @param maxBytes bytes of large messages that may be on their way at a time; a larger one goes alone */
  constructor(line: TransferLine, pace: Pick<Pace, 'partSent' | 'rest'>, maxBytes: number) {
    this.#line = line
    this.#pace = pace
    this.#maxBytes = maxBytes
  }

  /**
   * Whether a frame has to wait for its turn: it is large itself, or behind a large one.
   *
   * @param maxWholeBytes of a payload that the way takes in one piece
   */
  mustQueue(frame: Frame, maxWholeBytes: number = MAX_WHOLE_BYTES): boolean {
    return (
      frame.payloadBytes > Math.min(MAX_WHOLE_BYTES, maxWholeBytes) ||
      (this.#queues.size > 0 && this.#queues.has(keyOf(frame)))
    )
  }

  /** Sends a frame in its turn. */
  queue(frame: Frame, fate: Fate, maxWholeBytes: number = MAX_WHOLE_BYTES): void {
    const key = keyOf(frame)
    let queue = this.#queues.get(key)
    if (!queue) this.#queues.set(key, (queue = new Fifo()))
    const isLarge = frame.payloadBytes > Math.min(MAX_WHOLE_BYTES, maxWholeBytes)
    const bytes = isLarge ? bytesOf(frame) : undefined
    queue.push({
      frame: isLarge ? headOf(frame) : frame.clone(),
      bytes,
      id: isLarge ? this.#nextId++ : 0,
      fate,
      offset: 0,
      isDropped: false,
    })
    if (!this.#isPumping) ignoreRejection(this.#pump(this.#round))
  }

  /** Takes back a frame that is not on its way completely; false when there is none that `isIt`. */
  drop(isIt: (frame: Frame) => boolean): boolean {
    for (const queue of this.#queues.values()) {
      for (let i = 0; i < queue.size; i++) {
        const waiting = queue.at(i)!
        if (!waiting.isDropped && isIt(waiting.frame)) {
          waiting.isDropped = true
          waiting.fate.dropped?.()
          return true
        }
      }
    }
    return false
  }

  /** The session is over: what waits is forgotten. */
  reset(): void {
    const queues = [...this.#queues.values()]
    this.#queues.clear()
    this.#begun = this.#begunBytes = 0
    this.#round++
    this.#isPumping = false
    this.#nextId = 1
    for (const queue of queues) for (const { fate, isDropped } of queue.drain()) if (!isDropped) fate.dropped?.()
  }

  async #pump(round: number): Promise<void> {
    this.#isPumping = true
    while (this.#queues.size > 0) {
      const writable = this.#line.whenWritable()
      if (writable) await writable
      if (round !== this.#round) return
      if (!writable) {
        const [key, queue] = this.#queues.entries().next().value!
        // Its turn is over when a part has left: others with something to send come first then.
        this.#queues.delete(key)
        this.#sendSome(queue)
        if (queue.size > 0) this.#queues.set(key, queue)
        await this.#pace.rest()
        if (round !== this.#round) return
      }
    }
    this.#isPumping = false
  }

  /** The next part of the first frame in a queue, or all of it if it is a small one. */
  #sendSome(queue: Fifo<Waiting>): void {
    const waiting = queue.peek()!
    const { frame, bytes, id, fate } = waiting
    if (!bytes) {
      queue.shift()
      if (waiting.isDropped) return
      this.#line.send(frame)
      fate.sent?.()
      return
    }
    if (waiting.isDropped) {
      queue.shift()
      if (waiting.offset === 0) return
      this.#end(bytes)
      this.#sendPart(id, PART.dropped, bytes.subarray(0, 0))
      return
    }
    // One at least goes on; more only as far as the peer keeps the parts of all of them.
    if (waiting.offset === 0) {
      if (this.#begun > 0 && this.#begunBytes + bytes.byteLength > this.#maxBytes) return
      if (this.#begun === MAX_TRANSFERS) return
      this.#begun++
      this.#begunBytes += bytes.byteLength
    }
    const end = Math.min(bytes.byteLength, waiting.offset + PART_BYTES)
    const isLast = end === bytes.byteLength
    this.#sendPart(id, isLast ? PART.last : PART.more, bytes.subarray(waiting.offset, end))
    waiting.offset = end
    if (!isLast) return
    this.#end(bytes)
    queue.shift()
    fate.sent?.()
  }

  #end({ byteLength }: Uint8Array): void {
    this.#begun--
    this.#begunBytes -= byteLength
  }

  #sendPart(id: number, flags: number, payload: Uint8Array): void {
    const part = this.#part
    part.kind = FRAME.part
    part.id = id
    part.flags = flags
    part.payload = payload
    this.#line.send(part)
    this.#pace.partSent(payload.byteLength)
  }
}

/** The parts that have come, until their last one. */
export class InboundTransfers {
  readonly #parts = new Map<number, Uint8Array[]>()
  readonly #maxBytes: number
  #bytes = 0

  /** @param maxBytes bytes kept for all of them together */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The bytes of parts that wait for the others. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes a part in; the whole frame, if it was the last one.
   *
   * @throws ProtocolError for parts that make no frame, OverloadedError for more than is kept
   */
  receive({ id, flags, payload }: Frame): Frame | undefined {
    const parts = this.#parts.get(id) ?? []
    if (flags === PART.dropped) {
      this.#forget(id)
      return undefined
    }
    if (flags > PART.dropped) throw new ProtocolError(`expected flags of a part from 0 to 2, got ${flags}`)
    if (parts.length === 0 && this.#parts.size >= MAX_TRANSFERS)
      throw new OverloadedError(`expected at most ${MAX_TRANSFERS} large messages at a time from one node, got more`)
    const cost = payload.byteLength + PART_COST_BYTES
    if (this.#bytes + cost > this.#maxBytes)
      throw new OverloadedError(`expected parts of at most ${this.#maxBytes} bytes from one node, got more`)
    this.#parts.set(id, parts)
    parts.push(ownBytes(payload))
    this.#bytes += cost
    if (flags === PART.more) return undefined
    this.#forget(id)
    return frameOf(parts)
  }

  reset(): void {
    this.#parts.clear()
    this.#bytes = 0
  }

  #forget(id: number): void {
    for (const part of this.#parts.get(id) ?? []) this.#bytes -= part.byteLength + PART_COST_BYTES
    this.#parts.delete(id)
  }
}

/** What keeps its order: messages from one actor to another, and the items of one stream. */
function keyOf({ kind, sender, actor, id }: Frame): string {
  if (kind === FRAME.ask || kind === FRAME.tell) return `${sender}>${actor}`
  return kind === FRAME.item || kind === FRAME.end ? `#${id}` : `=${id}`
}

function bytesOf(frame: Frame): Uint8Array {
  frame.hops = frame.session = frame.seq = 0
  frame.to = frame.from = ''
  const writer = new FrameWriter(frame.payloadBytes + HEAD_BYTES)
  writer.write(frame)
  return writer.buffer.subarray(0, writer.length)
}

/** What tells the frame from others, without its payload. */
function headOf(frame: Frame): Frame {
  const head = new Frame()
  head.kind = frame.kind
  head.id = frame.id
  return head
}

/** @throws ProtocolError */
function frameOf(parts: readonly Uint8Array[]): Frame {
  const bytes = joinBytes(parts)
  const reader = new FrameReader()
  reader.open(bytes)
  const frame = new Frame()
  const isMessage = reader.next(frame) && PARTED.has(frame.kind) && reader.start === 0 && reader.end === bytes.length
  if (!isMessage || (carriesMessage(frame.kind) && frame.flags >= 1 << FLAG.attachmentShift))
    throw new ProtocolError(
      `expected one message without attachments in ${bytes.length} bytes of parts, got something else`,
    )
  return frame
}

/** Frames that may come in parts. */
const PARTED: ReadonlySet<number> = /* @__PURE__ */ new Set([
  FRAME.ask,
  FRAME.tell,
  FRAME.reply,
  FRAME.fail,
  FRAME.item,
  FRAME.end,
])

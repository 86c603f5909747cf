/**
 * What was sent in a session and not acknowledged yet, or not sent yet, as bytes, ready to be sent (again). Pure: numbers
 * in, frames out. Its bounds are the sender's window: who finds it full waits.
 */
import { Fifo } from '../base/fifo.ts'
import { FRAME, Frame } from '../wire/frame.ts'
import { FrameReader } from '../wire/frame-reader.ts'
import { FrameWriter } from '../wire/frame-writer.ts'

/** Frames kept from which on senders wait. Asks are kept, and counted, but never wait. */
export const MAX_LOG_FRAMES = 4096
/** Bytes kept from which on senders wait. */
export const MAX_LOG_BYTES: number = 1024 * 1024
/** Frames, and bytes, on their way from which on all that comes waits here: what nobody waits with has room beside the rest. */
export const MAX_SENT_FRAMES: number = 2 * MAX_LOG_FRAMES
export const MAX_SENT_BYTES: number = 2 * MAX_LOG_BYTES

/** Room for a frame's head in a shared buffer; a longer one just gets a buffer of its own. */
const HEAD_BYTES = 1024
/** Bytes of one buffer, which many small frames share. */
const CHUNK_BYTES: number = 32 * 1024
/** Sizes of buffers for one large frame are multiples of this, so that one serves the next frame as well. */
const LARGE_STEP_BYTES: number = 4 * 1024
/** The largest buffer that is used again, and how many wait for that. */
const MAX_SPARE_BYTES: number = 256 * 1024
const MAX_SPARES = 8

/** One frame, as it went to a neighbour, or through one. */
export interface LoggedFrame {
  readonly seq: number
  /** What it stands in, from `start` to `end`; undefined where it cannot be sent again: objects that changed owner went with it. */
  readonly chunk: Uint8Array | undefined
  readonly start: number
  readonly end: number
  /** Whether the peer was the neighbour itself, so that the head names nobody. */
  readonly isToNeighbour: boolean
  /** Whether the peer asked for it, and nobody here waits for it to leave. */
  readonly isAnswer: boolean
}

export class SendLog {
  readonly #frames = new Fifo<LoggedFrame>()
  #writer = new FrameWriter(CHUNK_BYTES)
  #bytes = 0
  /** How many of the frames are on their way, and how many bytes. */
  #sent = 0
  #sentBytes = 0
  #answerBytes = 0
  /** Buffers of large frames that the peer has, for the next ones: to make one costs more than to fill it. */
  #spares: Uint8Array[] = []
  /** The last frame that is on its way more than once, or on another way than the next: its buffer may be read for a while. */
  #usedTo = 0
  #way: unknown

  get size(): number {
    return this.#frames.size
  }
  get bytes(): number {
    return this.#bytes
  }
  get isFull(): boolean {
    return this.#bytes >= MAX_LOG_BYTES || this.#frames.size >= MAX_LOG_FRAMES
  }
  /** The bytes of answers among them. */
  get answerBytes(): number {
    return this.#answerBytes
  }
  /** Whether as much is on its way as may be, before the peer has acknowledged some of it. */
  get isWindowFull(): boolean {
    return this.#sentBytes >= MAX_SENT_BYTES || this.#sent >= MAX_SENT_FRAMES
  }
  /** The number of the first frame that is not acknowledged; undefined when all are. */
  get first(): number | undefined {
    return this.#frames.peek()?.seq
  }
  /** The first frame that is to be sent (again), if any. */
  get unsent(): LoggedFrame | undefined {
    return this.#frames.at(this.#sent)
  }

  /** Keeps a frame to be sent, whatever the bounds. Its bytes never change. */
  add(frame: Frame, isToNeighbour: boolean): LoggedFrame {
    const writer = this.#writerFor(frame.payloadBytes)
    const start = writer.length
    writer.write(frame)
    const { length: end, buffer: chunk } = writer
    const isAnswer = frame.kind === FRAME.reply || frame.kind === FRAME.fail
    this.#bytes += end - start
    if (isAnswer) this.#answerBytes += end - start
    const logged = { seq: frame.seq, chunk, start, end, isToNeighbour, isAnswer }
    this.#frames.push(logged)
    return logged
  }

  /** Keeps the number of a frame that is on its way and cannot be sent again. Nothing may be unsent. */
  addGone(seq: number): void {
    this.#frames.push({ seq, chunk: undefined, start: 0, end: 0, isToNeighbour: true, isAnswer: false })
    this.#sent++
  }

  /** The first unsent frame, which this is, is on its way. */
  markSent({ start, end }: LoggedFrame): void {
    this.#sent++
    this.#sentBytes += end - start
  }

  /** Everything is to be sent again. */
  rewind(): void {
    this.keepSent()
    this.#sent = this.#sentBytes = 0
  }

  /** What is added from now on goes by that way. */
  goBy(way: unknown): void {
    if (way === this.#way) return
    this.#way = way
    this.keepSent()
  }

  /** What is on its way is read by somebody who may not be done with it when the peer has it. */
  keepSent(): void {
    this.#usedTo = (this.first ?? 1) + this.#sent - 1
  }

  /**
   * Forgets everything up to `seq`.
   *
   * @param isAllRead whether the link has sent all it was given: a peer may say that it has what never left
   */
  acknowledge(seq: number, isAllRead = false): void {
    for (let first = this.#frames.peek(); first !== undefined && first.seq <= seq; first = this.#frames.peek()) {
      this.#frames.shift()
      if (isAllRead) this.#spare(first)
      const bytes = first.end - first.start
      this.#bytes -= bytes
      if (first.isAnswer) this.#answerBytes -= bytes
      if (this.#sent === 0) continue
      this.#sent--
      this.#sentBytes -= bytes
    }
    // Pairs of nodes are many, and most of them silent.
    if (this.#frames.size === 0 && this.#writer.length > CHUNK_BYTES / 2) this.#writer = new FrameWriter(CHUNK_BYTES)
  }

  /** Lets go of what waits to be used again. */
  trim(): void {
    this.#spares = []
  }

  clear(): void {
    this.#frames.drain()
    this.trim()
    this.#usedTo = 0
    this.#bytes = this.#sent = this.#sentBytes = this.#answerBytes = 0
    this.#writer = new FrameWriter(CHUNK_BYTES)
  }

  #writerFor(payloadBytes: number): FrameWriter {
    const bytes = payloadBytes + HEAD_BYTES
    if (bytes <= CHUNK_BYTES) {
      // Small frames share chunks, one after the other, until the next might not fit.
      if (this.#writer.length + bytes > CHUNK_BYTES) this.#writer = new FrameWriter(CHUNK_BYTES)
      return this.#writer
    }
    const size = Math.ceil(bytes / LARGE_STEP_BYTES) * LARGE_STEP_BYTES
    const at = this.#spares.findIndex(({ byteLength }) => byteLength === size)
    return at < 0 ? new FrameWriter(size) : new FrameWriter(size, this.#spares.splice(at, 1)[0])
  }

  /** The peer has a frame: its buffer, if it has one of its own, and nobody reads it any more, can take another one. */
  #spare({ seq, chunk }: LoggedFrame): void {
    if (!chunk || chunk.byteLength <= CHUNK_BYTES || chunk.byteLength > MAX_SPARE_BYTES) return
    if (seq > this.#usedTo && this.#spares.length < MAX_SPARES) this.#spares.push(chunk)
  }
}

/** Writes the heads of frames anew, for another way to the same node. */
export class Readdresser {
  readonly #reader = new FrameReader()
  readonly #writer = new FrameWriter()
  readonly #frame = new Frame()
  readonly #address: (frame: Frame) => void

  /** @param address fills in the leading fields that name the way */
  constructor(address: (frame: Frame) => void) {
    this.#address = address
  }

  /** The same frame under its new address. */
  rewrite(bytes: Uint8Array): Uint8Array {
    this.#reader.open(bytes)
    this.#reader.next(this.#frame)
    this.#address(this.#frame)
    this.#writer.write(this.#frame)
    return this.#writer.take()
  }
}

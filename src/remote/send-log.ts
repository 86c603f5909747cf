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
    // Frames share chunks, one after the other, until the next might not fit.
    const { payloadBytes } = frame
    if (this.#writer.length + payloadBytes > CHUNK_BYTES - HEAD_BYTES)
      this.#writer = new FrameWriter(Math.max(CHUNK_BYTES, payloadBytes + HEAD_BYTES))
    const start = this.#writer.length
    this.#writer.write(frame)
    const { length: end, buffer: chunk } = this.#writer
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

  /** The first unsent frame is on its way. */
  markSent(): void {
    const { start, end } = this.unsent!
    this.#sent++
    this.#sentBytes += end - start
  }

  /** Everything is to be sent again. */
  rewind(): void {
    this.#sent = this.#sentBytes = 0
  }

  /** Forgets everything up to `seq`. */
  acknowledge(seq: number): void {
    for (let first = this.#frames.peek(); first !== undefined && first.seq <= seq; first = this.#frames.peek()) {
      this.#frames.shift()
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

  clear(): void {
    this.#frames.drain()
    this.#bytes = this.#sent = this.#sentBytes = this.#answerBytes = 0
    this.#writer = new FrameWriter(CHUNK_BYTES)
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

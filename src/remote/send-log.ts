/**
 * What was sent in a session and not acknowledged yet, as bytes, ready to be sent again. Pure: numbers in, frames out.
 * Its bounds are the sender's window: who finds it full waits.
 */
import { Fifo } from '../base/fifo.ts'
import type { Frame } from '../wire/frame.ts'
import { BATCH_BYTES, FrameWriter } from '../wire/frame-writer.ts'

/** Frames that may wait for their acknowledgement, asks, which are never held back, not counted. */
export const MAX_LOG_FRAMES = 4096
/** Bytes that may wait for their acknowledgement. */
export const MAX_LOG_BYTES: number = 1024 * 1024

/** One frame, as it went to a neighbour, or through one. */
export interface LoggedFrame {
  readonly seq: number
  /** Undefined where it cannot be sent again: objects that changed owner went with it. */
  readonly bytes: Uint8Array | undefined
  /** Whether the peer was the neighbour itself, so that the head names nobody. */
  readonly isToNeighbour: boolean
}

export class SendLog {
  readonly #frames = new Fifo<LoggedFrame>()
  #writer = new FrameWriter()
  #bytes = 0

  get size(): number {
    return this.#frames.size
  }
  get bytes(): number {
    return this.#bytes
  }
  get isFull(): boolean {
    return this.#bytes >= MAX_LOG_BYTES || this.#frames.size >= MAX_LOG_FRAMES
  }
  /** The number of the first frame that is not acknowledged; undefined when all are. */
  get first(): number | undefined {
    return this.#frames.peek()?.seq
  }

  /** Keeps a frame, whatever the bounds; its bytes. */
  add(frame: Frame, isToNeighbour: boolean): Uint8Array {
    // Frames share buffers, each given away when the next frame might not fit: views of it stay what they are.
    if (this.#writer.length + frame.payload.byteLength > BATCH_BYTES - 1024) this.#writer = new FrameWriter()
    const start = this.#writer.length
    this.#writer.write(frame)
    const bytes = this.#writer.since(start)
    this.#bytes += bytes.byteLength
    this.#frames.push({ seq: frame.seq, bytes, isToNeighbour })
    return bytes
  }

  /** Keeps the number of a frame that cannot be sent again. */
  addGone(seq: number): void {
    this.#frames.push({ seq, bytes: undefined, isToNeighbour: true })
  }

  /** Forgets everything up to `seq`. */
  acknowledge(seq: number): void {
    for (let first = this.#frames.peek(); first !== undefined && first.seq <= seq; first = this.#frames.peek()) {
      this.#frames.shift()
      this.#bytes -= first.bytes?.byteLength ?? 0
    }
  }

  /** The frames kept, in order. */
  *frames(): IterableIterator<LoggedFrame> {
    for (let i = 0; i < this.#frames.size; i++) yield this.#frames.at(i)!
  }

  clear(): void {
    this.#frames.drain()
    this.#bytes = 0
    this.#writer = new FrameWriter()
  }
}

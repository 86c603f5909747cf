/**
 * The frames of one turn of the event loop, gathered into one batch. A batch leaves when a few rounds of
 * microtasks added nothing to it, or when it is full. Frames that are kept elsewhere, side by side, are not copied where
 * the connection only reads them.
 */
import { joinBytes } from '../base/bytes.ts'
import { SETTLED } from '../base/deferred.ts'
import type { Frame } from '../wire/frame.ts'
import { BATCH_BYTES, FrameWriter } from '../wire/frame-writer.ts'
import type { Attachments } from './connection.ts'

/** Rounds of microtasks without a new frame after which the turn has settled. A step of a stream takes two. */
const QUIET_ROUNDS = 3

export class Outbox {
  readonly #send: (batch: Uint8Array, attachments: Attachments | undefined) => void
  readonly #mayShare: boolean
  /** What the batch begins with, done with. */
  #pieces: Uint8Array[] = []
  #bytesBefore = 0
  /** Behind that, either frames written here or a run of kept ones. */
  readonly #writer = new FrameWriter()
  #run: Uint8Array | undefined
  #runStart = 0
  #runEnd = 0
  #isFlushQueued = false
  #lengthAtRound = 0
  #quietRounds = 0

  /**
   * @param send takes a batch; what it throws reaches the caller of a frame with attachments, and nobody else
   * @param mayShare whether a batch may be bytes somebody keeps
   */
  constructor(send: (batch: Uint8Array, attachments: Attachments | undefined) => void, mayShare: boolean) {
    this.#send = send
    this.#mayShare = mayShare
  }

  get #length(): number {
    return this.#bytesBefore + this.#writer.length + (this.#runEnd - this.#runStart)
  }

  add(frame: Frame): void {
    this.#endRun()
    this.#writer.write(frame)
    this.#queueFlush()
  }

  /** Adds the bytes of a whole frame, one hop less. */
  addRaw(raw: Uint8Array, hopsAt: number): void {
    this.#endRun()
    this.#writer.forward(raw, hopsAt)
    this.#queueFlush()
  }

  /** Adds a whole frame that stands in `chunk` from `start` to `end`, and stays there unchanged. */
  addKept(chunk: Uint8Array, start: number, end: number): void {
    if (!this.#mayShare) this.#writer.copy(chunk.subarray(start, end))
    else if (chunk === this.#run && start === this.#runEnd) this.#runEnd = end
    else {
      this.#endRun()
      this.#endWritten()
      this.#run = chunk
      this.#runStart = start
      this.#runEnd = end
    }
    this.#queueFlush()
  }

  /** Sends what is gathered, then the frame in a batch of its own: what travels beside it may be refused by the platform, with an error for this caller alone. */
  sendAlone(frame: Frame, attachments: Attachments): void {
    this.flush()
    this.#writer.write(frame)
    this.flush(attachments)
  }

  flush(attachments?: Attachments): void {
    this.#endRun()
    this.#endWritten()
    const pieces = this.#pieces
    if (pieces.length === 0) return
    this.#pieces = []
    this.#bytesBefore = 0
    this.#send(pieces.length === 1 ? pieces[0]! : joinBytes(pieces), attachments)
  }

  #endRun(): void {
    if (this.#run === undefined) return
    this.#addPiece(this.#run.subarray(this.#runStart, this.#runEnd))
    this.#run = undefined
    this.#runStart = this.#runEnd = 0
  }

  #endWritten(): void {
    if (this.#writer.length > 0) this.#addPiece(this.#writer.take())
  }

  #addPiece(piece: Uint8Array): void {
    this.#pieces.push(piece)
    this.#bytesBefore += piece.byteLength
  }

  #queueFlush(): void {
    if (this.#length >= BATCH_BYTES) this.flush()
    else if (!this.#isFlushQueued) {
      this.#isFlushQueued = true
      this.#lengthAtRound = 0
      this.#quietRounds = 0
      void SETTLED.then(this.#settle)
    }
  }

  readonly #settle = (): void => {
    const length = this.#length
    this.#quietRounds = length === this.#lengthAtRound ? this.#quietRounds + 1 : 0
    this.#lengthAtRound = length
    if (this.#quietRounds < QUIET_ROUNDS && length > 0) {
      void SETTLED.then(this.#settle)
      return
    }
    this.#isFlushQueued = false
    this.flush()
  }
}

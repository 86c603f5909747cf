/**
 * The frames of one turn of the event loop, gathered into one batch. A batch leaves when a few rounds of
 * microtasks added nothing to it, or when it is full. Frames that are kept elsewhere, side by side, are not copied where
 * the connection only reads them. While the connection takes no more, frames wait in lanes.
 */
import { joinBytes } from '../base/bytes.ts'
import { SETTLED } from '../base/deferred.ts'
import type { Frame } from '../wire/frame.ts'
import { FIRST_ROUTED_KIND, FRAME } from '../wire/frame.ts'
import { BATCH_BYTES, FrameWriter } from '../wire/frame-writer.ts'
import type { Attachments } from './connection.ts'
import type { Piece } from './lanes.ts'
import { BULK_BYTES, Lanes } from './lanes.ts'

/** Rounds of microtasks without a new frame after which the turn has settled. A step of a stream takes two. */
const QUIET_ROUNDS = 3

/** Bytes of small frames that a connection is given though it asked to wait. */
export const MAX_PASSING_BYTES: number = 64 * 1024

/** Room for frames that are written to wait, which are copied out one by one. */
const WAITING_BYTES = 1024

/** Bytes of a frame beside its payload, at most, for whoever need not know them exactly. */
const HEAD_BYTES = 8192

export class Outbox {
  /** The largest batch the other side takes, in bytes. */
  maxBatchBytes = Infinity
  readonly #send: (batch: Uint8Array, attachments: Attachments | undefined) => boolean
  readonly #mayShare: boolean
  /** What the batch begins with, done with. */
  #pieces: Uint8Array[] = []
  #bytesBefore = 0
  /** Behind that, either frames written here or a run of kept ones. */
  readonly #writer = new FrameWriter()
  #run: Uint8Array | undefined
  #runStart = 0
  #runEnd = 0
  /** What waits while the connection takes no more. */
  #lanes: Lanes | undefined
  readonly #waitingWriter = new FrameWriter(WAITING_BYTES)
  #isBlocked = false
  #passedBytes = 0
  #isFlushQueued = false
  #lengthAtRound = 0
  #quietRounds = 0

  /**
   * @param send takes a batch, always, and answers whether it may go on, which after a no is said by {@link drained};
   * what it throws reaches the caller of a frame with attachments, and nobody else
   * @param mayShare whether a batch may be bytes somebody keeps
   */
  constructor(send: (batch: Uint8Array, attachments: Attachments | undefined) => boolean, mayShare: boolean) {
    this.#send = send
    this.#mayShare = mayShare
  }

  get #length(): number {
    return this.#bytesBefore + this.#writer.length + (this.#runEnd - this.#runStart)
  }

  /** Whether the connection takes no more for now. */
  get isBlocked(): boolean {
    return this.#isBlocked
  }

  get isEmpty(): boolean {
    return this.#length === 0 && !this.#lanes
  }

  /** Bytes that wait here. */
  get waitingBytes(): number {
    return this.#lanes?.bytes ?? 0
  }

  add(frame: Frame): void {
    const bytes = frame.payloadBytes + HEAD_BYTES
    if (this.#isBlocked && !isControl(frame) && (frame.kind < FIRST_ROUTED_KIND || !this.#mayPass(frame.to, bytes))) {
      this.#waitingWriter.write(frame)
      this.#wait(frame, frame.to)
      return
    }
    this.#makeRoom(bytes)
    this.#endRun()
    this.#writer.write(frame)
    this.#queueFlush()
  }

  /** Adds the bytes of a whole frame, `head`, as they came, one hop less. */
  addRaw(raw: Uint8Array, hopsAt: number, head: Frame): void {
    if (this.#isBlocked && !isControl(head)) {
      const key = `${head.from}>${head.to}`
      if (!this.#mayPass(key, raw.byteLength)) {
        this.#waitingWriter.forward(raw, hopsAt)
        this.#wait(head, key)
        return
      }
    }
    this.#makeRoom(raw.byteLength)
    this.#endRun()
    this.#writer.forward(raw, hopsAt)
    this.#queueFlush()
  }

  /** Adds a whole frame of this node's that stands in `chunk` from `start` to `end`, and stays there unchanged. */
  addKept(chunk: Uint8Array, start: number, end: number, to: string): void {
    if (this.#isBlocked && !this.#mayPass(to, end - start)) {
      // Where bytes belong to the connection once they are sent, it waits as a copy.
      const piece = this.#mayShare ? { chunk, start, end } : pieceOf(chunk.slice(start, end))
      this.#waiting().add(to, piece)
      return
    }
    this.#makeRoom(end - start)
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
    this.#post(attachments)
  }

  /** Sends all there is, whether or not the connection asked to wait. */
  flush(): void {
    this.#post()
    while (this.#lanes) this.#postWaiting(this.#lanes)
  }

  /** The connection takes more again. */
  drained(): void {
    this.#isBlocked = false
    this.#passedBytes = 0
    while (this.#lanes && !this.#isBlocked) this.#postWaiting(this.#lanes)
  }

  #post(attachments?: Attachments): void {
    this.#endRun()
    this.#endWritten()
    const pieces = this.#pieces
    if (pieces.length === 0) return
    this.#pieces = []
    this.#bytesBefore = 0
    if (!this.#send(pieces.length === 1 ? pieces[0]! : joinBytes(pieces), attachments)) this.#isBlocked = true
  }

  #waiting(): Lanes {
    this.#lanes ??= new Lanes()
    return this.#lanes
  }

  /** Whether so many bytes go past what waits: a few, and only those of small frames. */
  #mayPass(key: string, bytes: number): boolean {
    if (bytes > BULK_BYTES || this.#passedBytes + bytes > MAX_PASSING_BYTES) return false
    if (this.#lanes && !this.#lanes.mayPass(key)) return false
    this.#passedBytes += bytes
    return true
  }

  /** The frame just written waits. */
  #wait({ kind }: Frame, key: string): void {
    const piece = pieceOf(this.#waitingWriter.take())
    // News of the cluster, and goodbyes, are about what was sent before.
    if (kind < FIRST_ROUTED_KIND) this.#waiting().addLast(piece)
    else this.#waiting().add(key, piece)
  }

  /** Sends a batch of what waits. */
  #postWaiting(lanes: Lanes): void {
    while (this.#bytesBefore < BATCH_BYTES) {
      const piece = lanes.next()
      if (!piece) {
        this.#lanes = undefined
        break
      }
      this.#makeRoom(piece.end - piece.start)
      this.#addPiece(piece.chunk.subarray(piece.start, piece.end))
    }
    this.#post()
  }

  /** A batch that might become too large leaves without what is to be added: it has fewer than {@link BATCH_BYTES} itself. */
  #makeRoom(bytes: number): void {
    if (bytes > this.maxBatchBytes - BATCH_BYTES) this.#post()
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
    if (this.#length >= BATCH_BYTES) this.#post()
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
    this.#post()
  }
}

/** Control passes what waits: signs of life, and what lets others forget what they keep. */
function isControl({ kind }: Frame): boolean {
  return kind === FRAME.ping || kind === FRAME.pong || kind === FRAME.ack
}

function pieceOf(chunk: Uint8Array): Piece {
  return { chunk, start: 0, end: chunk.byteLength }
}

/**
 * What waits for a neighbour that takes no more now, and what goes first when it does. Pure: pieces of a batch go in and
 * come out. Control does not wait at all, and little of what is small does, see `outbox.ts`.
 *
 * What one node sends another keeps its order, for it is numbered, and is as urgent as its first piece: small ones go
 * before large ones, which get a tenth of the bytes all the same. Nodes take turns.
 */
import { Fifo } from '../base/fifo.ts'

/** A piece longer than this is bulk, in bytes. */
export const BULK_BYTES: number = 16 * 1024
/** The part of the bytes that bulk gets, at least, while other pieces wait. */
export const BULK_SHARE = 0.1

/** Frames in `chunk`, from `start` to `end`. */
export interface Piece {
  readonly chunk: Uint8Array
  readonly start: number
  readonly end: number
}

/** What one node sends another, in its order. */
type Flow = Fifo<Piece>

/** What waits between two pieces that nothing passes. */
class Stage {
  readonly flows = new Map<string, Flow>()
  /** Keys of flows, in the order of their turns, by how urgent their first pieces are. */
  readonly small = new Fifo<string>()
  readonly large = new Fifo<string>()
  last: Piece | undefined
}

export class Lanes {
  readonly #stages = new Fifo<Stage>()
  #newest = new Stage()
  #bytes = 0
  /** Bytes that left while both kinds waited. */
  #smallBytes = 0
  #largeBytes = 0

  constructor() {
    this.#stages.push(this.#newest)
  }

  /** The bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether a piece of that key would pass nothing it must not. */
  mayPass(key: string): boolean {
    return this.#stages.size === 1 && !this.#newest.flows.has(key)
  }

  /** @param key who sends it to whom */
  add(key: string, piece: Piece): void {
    this.#bytes += lengthOf(piece)
    const stage = this.#newest
    const flow = stage.flows.get(key)
    if (flow) flow.push(piece)
    else {
      const opened: Flow = new Fifo()
      opened.push(piece)
      stage.flows.set(key, opened)
      turnsOf(stage, piece).push(key)
    }
  }

  /** Adds a piece that comes after all that wait, and before all that come. */
  addLast(piece: Piece): void {
    this.#bytes += lengthOf(piece)
    this.#newest.last = piece
    this.#newest = new Stage()
    this.#stages.push(this.#newest)
  }

  /** Takes out what goes next; undefined when nothing waits. */
  next(): Piece | undefined {
    const piece = this.#take()
    if (piece) this.#bytes -= lengthOf(piece)
    return piece
  }

  #take(): Piece | undefined {
    const stage = this.#stages.peek()!
    if (stage.small.size > 0 && stage.large.size > 0) {
      const isBulksTurn = this.#largeBytes < BULK_SHARE * (this.#smallBytes + this.#largeBytes)
      const piece = take(stage, isBulksTurn ? stage.large : stage.small)
      if (isBulksTurn) this.#largeBytes += lengthOf(piece)
      else this.#smallBytes += lengthOf(piece)
      return piece
    }
    this.#smallBytes = this.#largeBytes = 0
    if (stage.small.size > 0) return take(stage, stage.small)
    if (stage.large.size > 0) return take(stage, stage.large)
    if (stage.last) this.#stages.shift()
    return stage.last
  }
}

function take(stage: Stage, turns: Fifo<string>): Piece {
  const key = turns.shift()!
  const flow = stage.flows.get(key)!
  const piece = flow.shift()!
  const following = flow.peek()
  if (following) turnsOf(stage, following).push(key)
  else stage.flows.delete(key)
  return piece
}

function turnsOf(stage: Stage, piece: Piece): Fifo<string> {
  return lengthOf(piece) > BULK_BYTES ? stage.large : stage.small
}

function lengthOf({ start, end }: Piece): number {
  return end - start
}

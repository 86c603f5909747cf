/**
 * A link in memory that is cut after so many bytes, as a socket can be: at any of them, also in the middle of a batch,
 * which then never arrives. Both ends notice, and whatever else is underway is lost. Then the two nodes link again.
 */
import type { ActorSystem, Connection, ConnectionHandler } from 'pulsing'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { connect } from '../cluster/memory-nodes.ts'

/** Bytes that go before a batch on the line, as in a stream of bytes. */
const LENGTH_BYTES = 4

/** Which of the two directions counts: from the first node to the second, back, or both together. */
export type Counted = 'there' | 'back' | 'there and back'

export class CutLine {
  readonly ends: readonly [Connection, Connection]
  readonly #over: () => void
  #counted: Counted = 'there and back'
  #bytesLeft = Infinity
  #isCut = false
  #told = 0

  /** @param over called when both ends have been told that it was cut */
  constructor(over: () => void) {
    this.#over = over
    const [near, far] = memoryPair()
    this.ends = [this.#watched(near, 'back'), this.#watched(far, 'there')]
  }

  /** From now on, so many bytes arrive, and then none. */
  cutAfter(bytes: number, counted: Counted = 'there and back'): void {
    this.#bytesLeft = bytes
    this.#counted = counted
  }

  #watched(connection: Connection, arriving: Counted): Connection {
    return {
      maxBatchBytes: connection.maxBatchBytes,
      transfers: false,
      get waitingBytes() {
        return connection.waitingBytes
      },
      open: (handler: ConnectionHandler) =>
        connection.open({
          received: (batch) => {
            if (this.#takes(LENGTH_BYTES + batch.byteLength, arriving)) handler.received(batch)
            else {
              this.#isCut = true
              connection.abort('cut')
            }
          },
          drained: () => handler.drained(),
          closed: (error) => {
            handler.closed(error)
            if (++this.#told === 2 && this.#isCut) this.#over()
          },
        }),
      send: (batch) => connection.send(batch),
      close: () => connection.close(),
      abort: (reason) => connection.abort(reason),
    }
  }

  /** Whether all the bytes of a batch arrive. */
  #takes(bytes: number, arriving: Counted): boolean {
    if (this.#counted !== 'there and back' && arriving !== this.#counted) return this.#bytesLeft > 0
    const isWhole = bytes <= this.#bytesLeft
    this.#bytesLeft = isWhole ? this.#bytesLeft - bytes : 0
    return isWhole
  }
}

/** Keeps two nodes linked: whenever their line was cut and both know, they get another. */
export class Relinked {
  readonly #a: ActorSystem
  readonly #b: ActorSystem
  readonly #plan: (line: CutLine) => void
  #line!: CutLine
  #linked!: Promise<unknown>
  cuts = 0

  /** @param plan is told of every new line, before anything passes over it */
  constructor(a: ActorSystem, b: ActorSystem, plan: (line: CutLine) => void = () => undefined) {
    this.#a = a
    this.#b = b
    this.#plan = plan
    this.#link()
  }

  /** The line there is now. */
  get line(): CutLine {
    return this.#line
  }

  /** Settles when they are linked, however often they were cut meanwhile. */
  async linked(): Promise<void> {
    for (let before: unknown; before !== this.#linked; ) await (before = this.#linked)
  }

  #link(): void {
    this.#line = new CutLine(() => {
      this.cuts++
      this.#link()
    })
    this.#plan(this.#line)
    // Cut before both had told all they know, it is followed by the next one.
    this.#linked = connect(this.#a, this.#b, this.#line.ends).catch(() => undefined)
  }
}

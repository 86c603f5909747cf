/**
 * One end of a simulated connection: what `Connection` promises, kept over two wires that a test may stall, silence or
 * cut. What is sent arrives when the wire says so, never in the same call.
 */
import type { PulsingError } from '../base/errors.ts'
import { UnreachableError } from '../base/errors.ts'
import type { Connection, ConnectionHandler } from '../link/connection.ts'
import { Inbox } from '../link/inbox.ts'
import type { SimulatedWire } from './simulated-wire.ts'

/** The largest batch: as much as the other transports take, so that programs behave alike. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024

export class SimulatedConnection implements Connection {
  readonly maxBatchBytes: number = MAX_BATCH_BYTES
  readonly transfers = false
  readonly onlyReads = true
  /** What this end sends. */
  readonly wire: SimulatedWire
  readonly #inbox: Inbox
  readonly #windowBytes: number
  readonly #ended: () => void
  #peer!: SimulatedConnection
  #sentBytes = 0
  #isBlocked = false
  #isOver = false

  /** @param ended called once, when this end is over */
  constructor(wire: SimulatedWire, windowBytes: number, ended: () => void) {
    this.wire = wire
    this.#windowBytes = windowBytes
    this.#ended = ended
    this.#inbox = new Inbox({
      // The news of room at this end goes back at once, unless nothing goes back.
      consumed: (bytes) => {
        if (!this.wire.isSilent) this.#peer.#returned(bytes)
      },
      failed: (error) => this.#break(error, error.message),
    })
  }

  /** Joins two ends. */
  static join(a: SimulatedConnection, b: SimulatedConnection): void {
    a.#peer = b
    b.#peer = a
    for (const end of [a, b]) end.wire.attach((batch) => end.#peer.#inbox.received(batch))
  }

  get isOver(): boolean {
    return this.#isOver
  }
  get waitingBytes(): number {
    return this.#sentBytes
  }

  open(handler: ConnectionHandler): void {
    this.#inbox.open(handler)
  }

  send(batch: Uint8Array): boolean {
    if (this.#isOver) return false
    this.#sentBytes += batch.byteLength
    if (this.#sentBytes > this.#windowBytes) this.#isBlocked = true
    // A network has a copy: the sender keeps the bytes, and whoever gets them may change his.
    this.wire.carry(batch.slice())
    return !this.#isBlocked
  }

  close(): void {
    if (this.#isOver) return
    this.wire.end(() => this.#peer.finish(undefined))
    this.finish(undefined)
  }

  abort(reason = 'no reason given'): void {
    this.#break(new UnreachableError(`the simulated connection was aborted: ${reason}`), reason)
  }

  /** This end is over, and is told so. */
  finish(error: PulsingError | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#inbox.closed(error, { isWaitingLost: error !== undefined })
    this.#ended()
  }

  #break(error: PulsingError, reason: string): void {
    if (this.#isOver) return
    this.wire.drop(0)
    this.wire.end(() => this.#peer.finish(new UnreachableError(`the other side of the connection aborted: ${reason}`)))
    this.finish(error)
  }

  #returned(bytes: number): void {
    this.#sentBytes -= bytes
    if (!this.#isBlocked || this.#isOver || this.#sentBytes > this.#windowBytes / 2) return
    this.#isBlocked = false
    this.#inbox.drained()
  }
}

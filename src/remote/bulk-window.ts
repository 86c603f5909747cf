/**
 * How much of large messages may be on its way to a peer: enough to keep the way busy, and little that only waits on it,
 * because everything else waits behind that. Pure: time comes in, bytes come out.
 *
 * As TCP Vegas does it: what takes longer than the shortest time there was is spent in queues, so that their length is
 * known from the times alone.
 */
import { Fifo } from '../base/fifo.ts'

/** Bytes on their way at least: two parts, so that one is sent while the other is acknowledged. */
export const MIN_BULK_BYTES: number = 64 * 1024
/** Bytes on their way at most: as much as a session keeps. */
export const MAX_BULK_BYTES: number = 1024 * 1024
/** The window grows by as much, and shrinks, when less or more than that waits on the way. */
const STEP_BYTES: number = 16 * 1024
const FEW_WAITING_BYTES: number = 64 * 1024
const MANY_WAITING_BYTES: number = 128 * 1024
/** After so many measured times the shortest one is looked for anew: ways change. */
const TIMES_REMEMBERED = 4096

interface Sent {
  readonly seq: number
  readonly at: number
}

export class BulkWindow {
  #bytes = MIN_BULK_BYTES
  readonly #sent = new Fifo<Sent>()
  #shortestMs = Infinity
  #times = 0

  /** Bytes that may be sent and not acknowledged. */
  get bytes(): number {
    return this.#bytes
  }

  /** A part left with that number, at that time in milliseconds. */
  sent(seq: number, at: number): void {
    this.#sent.push({ seq, at })
  }

  /** The peer has everything up to that number. */
  acknowledged(seq: number, now: number): void {
    let last: Sent | undefined
    for (let first = this.#sent.peek(); first !== undefined && first.seq <= seq; first = this.#sent.peek())
      last = this.#sent.shift()
    if (!last) return
    const tookMs = Math.max(now - last.at, Number.MIN_VALUE)
    if (++this.#times % TIMES_REMEMBERED === 0) this.#shortestMs = Infinity
    this.#shortestMs = Math.min(this.#shortestMs, tookMs)
    const waitingBytes = this.#bytes * (1 - this.#shortestMs / tookMs)
    if (waitingBytes < FEW_WAITING_BYTES) this.#bytes = Math.min(MAX_BULK_BYTES, this.#bytes + STEP_BYTES)
    else if (waitingBytes > MANY_WAITING_BYTES) this.#bytes = Math.max(MIN_BULK_BYTES, this.#bytes - STEP_BYTES)
  }
}

/** One end of a connection inside the process. What is sent arrives in a later turn of the event loop, as from a socket. */

import type { PulsingError } from '../../base/errors.ts'
import { UnreachableError } from '../../base/errors.ts'
import { Fifo } from '../../base/fifo.ts'
import { macrotask } from '../../base/macrotask.ts'
import type { Attachments, Connection, ConnectionHandler } from '../../link/connection.ts'
import { Inbox } from '../../link/inbox.ts'

/** The largest batch: as much as the other transports take, so that programs behave alike. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024

interface Parcel {
  readonly batch: Uint8Array
  readonly attachments: readonly unknown[] | undefined
}

export class MemoryConnection implements Connection {
  readonly maxBatchBytes: number = MAX_BATCH_BYTES
  readonly transfers = true
  readonly #windowBytes: number
  readonly #inbox: Inbox
  readonly #underway = new Fifo<Parcel>()
  #peer!: MemoryConnection
  #sentBytes = 0

  get waitingBytes(): number {
    return this.#sentBytes
  }
  #isBlocked = false
  #isOver = false
  #isArrivalQueued = false
  #end: { readonly error: PulsingError | undefined } | undefined

  private constructor(windowBytes: number) {
    this.#windowBytes = windowBytes
    this.#inbox = new Inbox({
      consumed: (bytes) => this.#peer.#returned(bytes),
      failed: (error) => this.#break(error, error.message),
    })
  }

  static pair(windowBytes: number): [MemoryConnection, MemoryConnection] {
    const a = new MemoryConnection(windowBytes)
    const b = new MemoryConnection(windowBytes)
    a.#peer = b
    b.#peer = a
    return [a, b]
  }

  open(handler: ConnectionHandler): void {
    this.#inbox.open(handler)
  }

  send(batch: Uint8Array, attachments?: Attachments): boolean {
    if (this.#isOver) return false
    this.#sentBytes += batch.byteLength
    this.#peer.#carry({ batch, attachments: attachments?.values })
    if (this.#sentBytes > this.#windowBytes) this.#isBlocked = true
    return !this.#isBlocked
  }

  close(): void {
    if (this.#isOver) return
    this.#peer.#endAfterArrivals(undefined)
    this.#finish(undefined, false)
  }

  abort(reason = 'no reason given'): void {
    this.#break(new UnreachableError(`the connection in memory was aborted: ${reason}`), reason)
  }

  #break(error: PulsingError, reason: string): void {
    if (this.#isOver) return
    this.#peer.#underway.drain()
    this.#peer.#endAfterArrivals(new UnreachableError(`the other side of the connection in memory aborted: ${reason}`))
    this.#finish(error, true)
  }

  #finish(error: PulsingError | undefined, isWaitingLost: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#underway.drain()
    this.#inbox.closed(error, { isWaitingLost })
  }

  #carry(parcel: Parcel): void {
    this.#underway.push(parcel)
    this.#queueArrival()
  }

  #endAfterArrivals(error: PulsingError | undefined): void {
    this.#end = { error }
    this.#queueArrival()
  }

  #queueArrival(): void {
    if (this.#isArrivalQueued) return
    this.#isArrivalQueued = true
    macrotask(this.#arrive)
  }

  readonly #arrive = (): void => {
    this.#isArrivalQueued = false
    // Only what was underway: what handlers send meanwhile belongs to a later turn.
    for (let left = this.#underway.size; left > 0; left--) {
      const parcel = this.#underway.shift()
      if (parcel === undefined) break
      this.#inbox.received(parcel.batch, parcel.attachments)
    }
    if (this.#underway.size > 0) this.#queueArrival()
    else if (this.#end !== undefined) this.#finish(this.#end.error, false)
  }

  #returned(bytes: number): void {
    this.#sentBytes -= bytes
    if (!this.#isBlocked || this.#isOver || this.#sentBytes > this.#windowBytes / 2) return
    this.#isBlocked = false
    this.#inbox.drained()
  }
}

/**
 * Connections broken on purpose, one sentence of `link/connection.ts` each: the conformance cases must find every one of
 * them, or they prove nothing. A saboteur wraps the far end of a pair that works.
 */
import { macrotask } from '../base/macrotask.ts'
import type { Attachments, Connection, ConnectionHandler } from '../link/connection.ts'

/** A way to break a connection. */
export interface Saboteur {
  readonly name: string
  /** The case that must find it; others may find it too. */
  readonly foundBy: string
  sabotage(connection: Connection): Connection
}

/** Passes everything on. What a saboteur does not override works. */
class Wrapped implements Connection {
  readonly inner: Connection
  constructor(inner: Connection) {
    this.inner = inner
  }
  get waitingBytes(): number {
    return this.inner.waitingBytes
  }
  get maxBatchBytes(): number {
    return this.inner.maxBatchBytes
  }
  get transfers(): boolean {
    return this.inner.transfers
  }
  get onlyReads(): boolean {
    return this.inner.onlyReads === true
  }
  open(handler: ConnectionHandler): void {
    this.inner.open(handler)
  }
  send(batch: Uint8Array, attachments?: Attachments): boolean {
    return this.inner.send(batch, attachments)
  }
  close(): void {
    this.inner.close()
  }
  abort(reason?: string): void {
    this.inner.abort(reason)
  }
}

/** Wraps without breaking: shows that it is not the wrapping that the cases find. */
export function honest(connection: Connection): Connection {
  return new Wrapped(connection)
}

/** Hands the handler on with some of its calls replaced. */
function intercepted(handler: ConnectionHandler, calls: Partial<ConnectionHandler>): ConnectionHandler {
  return {
    received: calls.received ?? ((batch, attachments) => handler.received(batch, attachments)),
    drained: calls.drained ?? (() => handler.drained()),
    closed: calls.closed ?? ((error) => handler.closed(error)),
  }
}

class Reordering extends Wrapped {
  override open(handler: ConnectionHandler): void {
    let held: Uint8Array | undefined
    let count = 0
    const received = (batch: Uint8Array): void => {
      if (++count % 10 === 5) held = batch
      else handler.received(batch)
      if (count % 10 === 6 && held) handler.received(held)
    }
    this.inner.open(intercepted(handler, { received }))
  }
}

class Duplicating extends Wrapped {
  override open(handler: ConnectionHandler): void {
    const received = (batch: Uint8Array): void => {
      handler.received(batch)
      if (batch.byteLength === 100) handler.received(batch)
    }
    this.inner.open(intercepted(handler, { received }))
  }
}

class DroppingWhenFull extends Wrapped {
  #isFull = false
  override open(handler: ConnectionHandler): void {
    const drained = (): void => {
      this.#isFull = false
      handler.drained()
    }
    this.inner.open(intercepted(handler, { drained }))
  }
  override send(batch: Uint8Array, attachments?: Attachments): boolean {
    if (this.#isFull) return false
    this.#isFull = !this.inner.send(batch, attachments)
    return !this.#isFull
  }
}

class NeverFull extends Wrapped {
  override send(batch: Uint8Array, attachments?: Attachments): boolean {
    this.inner.send(batch, attachments)
    return true
  }
}

class NeverDrained extends Wrapped {
  override open(handler: ConnectionHandler): void {
    this.inner.open(intercepted(handler, { drained: () => undefined }))
  }
}

/** Keeps early arrivals as it should, and then delivers them on the spot. */
class DeliveringInsideOpen extends Wrapped {
  readonly #early: Uint8Array[] = []
  #handler: ConnectionHandler | undefined
  constructor(inner: Connection) {
    super(inner)
    const received = (batch: Uint8Array): void => {
      if (this.#handler) this.#handler.received(batch)
      else this.#early.push(batch)
    }
    inner.open({ received, drained: () => this.#handler?.drained(), closed: (error) => this.#handler?.closed(error) })
  }
  override open(handler: ConnectionHandler): void {
    this.#handler = handler
    for (const batch of this.#early) handler.received(batch)
  }
}

class ForgettingBeforeOpen extends Wrapped {
  #handler: ConnectionHandler | undefined
  constructor(inner: Connection) {
    super(inner)
    inner.open({
      received: (batch, attachments) => this.#handler?.received(batch, attachments),
      drained: () => this.#handler?.drained(),
      closed: (error) => this.#handler?.closed(error),
    })
  }
  override open(handler: ConnectionHandler): void {
    this.#handler = handler
  }
}

class DeliveringInsideSend extends Wrapped {
  #handler: ConnectionHandler | undefined
  override open(handler: ConnectionHandler): void {
    this.#handler = handler
    this.inner.open(handler)
  }
  override send(batch: Uint8Array, attachments?: Attachments): boolean {
    const mayContinue = this.inner.send(batch, attachments)
    if (!mayContinue) this.#handler?.drained()
    return mayContinue
  }
}

class ClosingTwice extends Wrapped {
  override open(handler: ConnectionHandler): void {
    const closed: ConnectionHandler['closed'] = (error) => {
      handler.closed(error)
      macrotask(() => handler.closed(error))
    }
    this.inner.open(intercepted(handler, { closed }))
  }
}

class ClosingSilently extends Wrapped {
  override open(handler: ConnectionHandler): void {
    this.inner.open(intercepted(handler, { closed: () => undefined }))
  }
}

class ClosingLikeAbort extends Wrapped {
  override close(): void {
    this.inner.abort()
  }
}

class ThrowingAfterEnd extends Wrapped {
  #isOver = false
  override send(batch: Uint8Array, attachments?: Attachments): boolean {
    if (this.#isOver) throw new TypeError('the connection is closed')
    return this.inner.send(batch, attachments)
  }
  override close(): void {
    this.#isOver = true
    this.inner.close()
  }
}

class SendingWholeBuffers extends Wrapped {
  override send(batch: Uint8Array, attachments?: Attachments): boolean {
    return this.inner.send(new Uint8Array(batch.buffer), attachments)
  }
}

/** Receives every batch into the same memory. */
class ReusingMemory extends Wrapped {
  override open(handler: ConnectionHandler): void {
    const memory = new Uint8Array(this.maxBatchBytes)
    const received = (batch: Uint8Array): void => {
      memory.set(batch)
      handler.received(memory.subarray(0, batch.byteLength))
    }
    this.inner.open(intercepted(handler, { received }))
  }
}

/** Says that it only reads, and hands the very bytes over where the connection inside does, as one in memory. */
class GivingAway extends Wrapped {
  override get onlyReads(): boolean {
    return true
  }
}

/** Says that it only reads, and masks what it has sent in place. */
class Masking extends GivingAway {
  override send(batch: Uint8Array, attachments?: Attachments): boolean {
    const mayContinue = this.inner.send(batch.slice(), attachments)
    for (let i = 0; i < batch.length; i++) batch[i]! ^= 0x5a
    return mayContinue
  }
}

/** Says that it only reads, and moves the memory to somebody else. */
class Detaching extends GivingAway {
  override send(batch: Uint8Array, attachments?: Attachments): boolean {
    const mayContinue = this.inner.send(batch.slice(), attachments)
    structuredClone(null, { transfer: [batch.buffer as ArrayBuffer] })
    return mayContinue
  }
}

class OverlappingCalls extends Wrapped {
  #handler: ConnectionHandler | undefined
  #isOver = false
  override open(handler: ConnectionHandler): void {
    this.#handler = handler
    const closed: ConnectionHandler['closed'] = (error) => this.#closed(() => handler.closed(error))
    this.inner.open(intercepted(handler, { closed }))
  }
  override abort(reason?: string): void {
    this.inner.abort(reason)
    this.#closed(() => this.#handler?.closed())
  }
  #closed(call: () => void): void {
    if (this.#isOver) return
    this.#isOver = true
    call()
  }
}

class LosingAttachments extends Wrapped {
  override send(batch: Uint8Array): boolean {
    return this.inner.send(batch)
  }
}

function saboteur(name: string, foundBy: string, Broken: new (inner: Connection) => Connection): Saboteur {
  return { name, foundBy, sabotage: (connection) => new Broken(connection) }
}

const ORDER = 'carries 1000 batches each way at once, in order'
const FLOOD = 'answers false under a flood, says drained, and loses nothing'
const EARLY = 'keeps what arrives before open and delivers it in order, not inside open'
const CLEAN = 'closes cleanly from either side'
const READ = 'leaves a batch as it is where it only reads'

/** Every sentence of the contract has at least one. Wrap the far end, or both. */
export const saboteurs: readonly Saboteur[] = [
  saboteur('swaps two batches', ORDER, Reordering),
  saboteur('delivers a batch twice', ORDER, Duplicating),
  saboteur('drops batches while the window is full', 'takes batches after false too', DroppingWhenFull),
  saboteur('always answers true', FLOOD, NeverFull),
  saboteur('never says drained', FLOOD, NeverDrained),
  saboteur('delivers inside open', EARLY, DeliveringInsideOpen),
  saboteur('loses what arrives before open', EARLY, ForgettingBeforeOpen),
  saboteur('calls the handler inside send', FLOOD, DeliveringInsideSend),
  saboteur('says closed twice', CLEAN, ClosingTwice),
  saboteur('never says closed', CLEAN, ClosingSilently),
  saboteur('loses what was sent when it closes', 'close delivers what was sent before it', ClosingLikeAbort),
  saboteur(
    'throws from send after the end',
    'answers false to send after the end, and sends nothing',
    ThrowingAfterEnd,
  ),
  saboteur(
    'sends the buffer under a view',
    'sends a view as the view, not as the buffer under it',
    SendingWholeBuffers,
  ),
  saboteur('receives into the same memory again', ORDER, ReusingMemory),
  saboteur('lets the other side write to what it only reads', READ, GivingAway),
  saboteur('masks in place what it only reads', READ, Masking),
  saboteur('detaches what it only reads', READ, Detaching),
  saboteur('says closed inside received', 'abort from inside a handler ends delivery at once', OverlappingCalls),
  saboteur('loses attachments', 'carries attachments with their batch, in order', LosingAttachments),
]

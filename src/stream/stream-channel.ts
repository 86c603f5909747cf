/**
 * A bounded queue between one producer and one consumer. `capacity` counts items the consumer has not acknowledged, so
 * a consumer that only forwards (over a link, say) holds the producer back for as long as the far end has not read.
 */
import type { Deferred } from '../base/deferred.ts'
import { deferred, ignoreRejection, rejected, SETTLED } from '../base/deferred.ts'
import { StreamClosedError } from '../base/errors.ts'
import { Fifo } from '../base/fifo.ts'
import type { StreamSource } from './stream-source.ts'
import { DONE } from './stream-source.ts'

/** Items a writer may be ahead of its reader unless said otherwise. */
export const DEFAULT_BUFFER_SIZE = 32

interface BlockedWrite<T> {
  readonly item: T
  readonly written: Deferred<void>
}

export class StreamChannel<T = unknown> implements StreamSource<T> {
  readonly window: number
  /** Called when the consumer acknowledges, with the number of items; for a producer that grants credit elsewhere. */
  onAcknowledge: ((count: number) => void) | undefined
  /** Called once when the consumer cancels. */
  onCancel: ((reason: unknown) => void) | undefined

  readonly #maxBytes: number
  readonly #items = new Fifo<{ readonly item: T }>()
  /** Bytes of the unread items, each; only where bytes are bounded. */
  readonly #sizes: Fifo<number> | undefined
  #unreadBytes = 0
  readonly #blocked = new Fifo<BlockedWrite<T>>()
  #unread = 0
  #consumer: Deferred<IteratorResult<T, undefined>> | undefined
  #state: 'open' | 'ended' | 'cancelled' = 'open'
  #error: { readonly error: unknown } | undefined
  #closed: Deferred<void> | undefined
  #cancelReason: unknown

  /** @param maxBytes bytes of unread items after which no more come in; one item always does */
  constructor(capacity: number, maxBytes: number = Infinity) {
    this.window = capacity
    this.#maxBytes = maxBytes
    this.#sizes = maxBytes === Infinity ? undefined : new Fifo()
  }

  /** Items written that the consumer has not acknowledged. */
  get unread(): number {
    return this.#unread
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get isCancelled(): boolean {
    return this.#state === 'cancelled'
  }

  /** Why the consumer cancelled, if it did and said. */
  get cancelReason(): unknown {
    return this.#cancelReason
  }

  /** Adds an item; settles when it is among the `capacity` unread ones. Writes take effect in call order. */
  write(item: T): Promise<void> {
    if (this.#state !== 'open' || this.#closed) return rejected(this.#closedError())
    if (this.#hasRoom && this.#blocked.size === 0) {
      this.#accept(item)
      return SETTLED
    }
    const written = deferred<void>()
    ignoreRejection(written.promise)
    this.#blocked.push({ item, written })
    return written.promise
  }

  /** Adds an item whatever the capacity: for producers that already hold credit for it. */
  push(item: T): void {
    if (this.#state === 'open') this.#accept(item)
  }

  /** Ends the stream after everything written so far, writes still waiting included. */
  end(error?: { readonly error: unknown }): Promise<void> {
    if (this.#state !== 'open') return SETTLED
    if (this.#closed) return this.#closed.promise
    this.#error = error
    if (this.#blocked.size === 0) {
      this.#finish()
      return SETTLED
    }
    this.#closed = deferred<void>()
    return this.#closed.promise
  }

  take(): IteratorResult<T, undefined> | Promise<IteratorResult<T, undefined>> {
    const entry = this.#items.shift()
    if (entry) return { done: false, value: entry.item }
    if (this.#state !== 'open') {
      const failure = this.#error
      this.#error = undefined
      return failure ? Promise.reject(failure.error) : DONE
    }
    this.#consumer = deferred()
    return this.#consumer.promise
  }

  acknowledge(count: number): void {
    if (this.#state === 'cancelled') return
    this.#unread -= count
    for (let i = 0; this.#sizes !== undefined && i < count; i++) this.#unreadBytes -= this.#sizes.shift() ?? 0
    while (this.#hasRoom) {
      const blocked = this.#blocked.shift()
      if (!blocked) break
      this.#accept(blocked.item)
      blocked.written.resolve()
    }
    if (this.#closed && this.#state === 'open' && this.#blocked.size === 0) this.#finish()
    this.onAcknowledge?.(count)
  }

  cancel(reason?: unknown): void {
    if (this.#state === 'cancelled') return
    const wasOpen = this.#state === 'open'
    this.#state = 'cancelled'
    this.#cancelReason = reason
    this.#error = undefined
    this.#items.drain()
    for (const blocked of this.#blocked.drain()) blocked.written.reject(this.#closedError())
    this.#closed?.resolve()
    const consumer = this.#consumer
    this.#consumer = undefined
    consumer?.resolve(DONE)
    if (wasOpen) this.onCancel?.(reason)
  }

  get #hasRoom(): boolean {
    return this.#unread < this.window && this.#unreadBytes < this.#maxBytes
  }

  #accept(item: T): void {
    this.#unread++
    if (this.#sizes !== undefined) {
      const size = bytesIn(item)
      this.#sizes.push(size)
      this.#unreadBytes += size
    }
    const consumer = this.#consumer
    if (consumer) {
      this.#consumer = undefined
      consumer.resolve({ done: false, value: item })
    } else this.#items.push({ item })
  }

  #finish(): void {
    this.#state = 'ended'
    const consumer = this.#consumer
    this.#consumer = undefined
    if (consumer) {
      const failure = this.#error
      this.#error = undefined
      if (failure) consumer.reject(failure.error)
      else consumer.resolve(DONE)
    }
    this.#closed?.resolve()
  }

  #closedError(): StreamClosedError {
    return new StreamClosedError(
      this.#state === 'cancelled'
        ? 'expected a reader, got none: it cancelled the stream'
        : 'expected an open stream, got one that is closed',
    )
  }
}

/** The size of an item that is bytes; others count for nothing. */
function bytesIn(item: unknown): number {
  return ArrayBuffer.isView(item) || item instanceof ArrayBuffer ? item.byteLength : 0
}

/** The owner of a connection in tests: keeps what it is told, and can be awaited. */
import { deferred } from '../../src/base/deferred.ts'
import type { PulsingError } from '../../src/base/errors.ts'
import type { Connection, ConnectionHandler } from '../../src/link/connection.ts'

export class Owner implements ConnectionHandler {
  readonly batches: Uint8Array[] = []
  readonly attachments: (readonly unknown[] | undefined)[] = []
  drains = 0
  readonly #ended = deferred<PulsingError | undefined>()
  readonly #arrivals = new Map<number, () => void>()

  constructor(connection: Connection) {
    connection.open(this)
  }

  /** Resolves with what `closed` was told. */
  get ended(): Promise<PulsingError | undefined> {
    return this.#ended.promise
  }

  /** Resolves when so many batches have come. */
  async arrived(count: number): Promise<void> {
    if (this.batches.length < count) await new Promise<void>((resolve) => this.#arrivals.set(count, resolve))
  }

  received(batch: Uint8Array, attachments?: readonly unknown[]): void {
    this.batches.push(batch)
    this.attachments.push(attachments)
    this.#arrivals.get(this.batches.length)?.()
  }

  drained(): void {
    this.drains++
  }

  closed(error?: PulsingError): void {
    this.#ended.resolve(error)
  }
}

/** The error a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const [outcome] = await Promise.allSettled([promise])
  return outcome?.status === 'rejected' ? outcome.reason : undefined
}

/**
 * Between a platform's events and the owner of a connection: keeps the promises of `ConnectionHandler` that are the same
 * for every platform. What arrives before `open` waits; nothing is called inside `open`, nor inside another call of the
 * handler; `closed` comes once and last.
 *
 * A handler that throws has lost part of a batch, so its connection ends;
 * the process and the other connections go on.
 */

import type { PulsingError } from '../base/errors.ts'
import { ConfigError, ProtocolError } from '../base/errors.ts'
import { Fifo } from '../base/fifo.ts'
import type { ConnectionHandler } from './connection.ts'

/** The connection whose inbox it is. */
export interface InboxOwner {
  /** The handler has taken that many bytes. */
  consumed?(bytes: number): void
  /** The handler threw: the connection must end with this error. */
  failed(error: PulsingError): void
}

type Call = (handler: ConnectionHandler) => void

export class Inbox {
  readonly #owner: InboxOwner
  readonly #waiting = new Fifo<Call>()
  #handler: ConnectionHandler | undefined
  #isBusy = false
  #isFlushQueued = false
  #end: { readonly error: PulsingError | undefined } | undefined

  constructor(owner: InboxOwner) {
    this.#owner = owner
  }

  /** @throws ConfigError when called a second time */
  open(handler: ConnectionHandler): void {
    if (this.#handler !== undefined)
      throw new ConfigError('expected one call of open() per connection, got a second one')
    this.#handler = handler
    if (this.#waiting.size > 0 || this.#end !== undefined) this.#queueFlush()
  }

  received(batch: Uint8Array, attachments?: readonly unknown[]): void {
    if (this.#end !== undefined) return
    const handler = this.#handler
    if (handler !== undefined && !this.#isBusy && this.#waiting.size === 0) this.#deliver(handler, batch, attachments)
    else this.#wait((later) => this.#deliver(later, batch, attachments))
  }

  drained(): void {
    if (this.#end === undefined) this.#wait((handler) => this.#guarded(() => handler.drained()))
  }

  alive(): void {
    if (this.#end === undefined) this.#handler?.alive?.()
  }

  /** The last event; later ones are ignored. What waits is delivered before it, unless it is lost. */
  closed(error: PulsingError | undefined, options: { readonly isWaitingLost: boolean }): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    if (options.isWaitingLost) this.#waiting.drain()
    this.#queueFlush()
  }

  #wait(call: Call): void {
    this.#waiting.push(call)
    this.#queueFlush()
  }

  #queueFlush(): void {
    if (this.#isFlushQueued || this.#handler === undefined) return
    this.#isFlushQueued = true
    queueMicrotask(this.#flush)
  }

  readonly #flush = (): void => {
    this.#isFlushQueued = false
    const handler = this.#handler as ConnectionHandler
    for (let call = this.#waiting.shift(); call !== undefined; call = this.#waiting.shift()) call(handler)
    // Not guarded: nobody is left to tell, so what `closed` throws is the platform's to report.
    if (this.#end !== undefined) handler.closed(this.#end.error)
  }

  #deliver(handler: ConnectionHandler, batch: Uint8Array, attachments: readonly unknown[] | undefined): void {
    const bytes = batch.byteLength
    this.#isBusy = true
    try {
      if (attachments === undefined) handler.received(batch)
      else handler.received(batch, attachments)
    } catch (error) {
      this.#fault(error)
    } finally {
      this.#isBusy = false
    }
    this.#owner.consumed?.(bytes)
  }

  #guarded(call: () => void): void {
    this.#isBusy = true
    try {
      call()
    } catch (error) {
      this.#fault(error)
    } finally {
      this.#isBusy = false
    }
  }

  #fault(cause: unknown): void {
    this.#owner.failed(
      new ProtocolError('expected the handler of a connection to take a batch, got an error from it', { cause }),
    )
  }
}

/**
 * A message on its way through one mailbox: who sent it, and where its outcome goes. Exactly one of `succeed` and `fail`
 * is called in its life, whatever happens to the actor.
 */
import type { Message } from '../message/message.ts'
import type { ActorRef } from './actor-ref.ts'
import { discardResult } from './discarded-result.ts'

export abstract class Envelope {
  readonly message: Message
  readonly sender: ActorRef | undefined
  /** Set aside by its handler: its outcome comes when it is handled again. */
  isStashed = false
  #cancellation: { readonly reason: unknown } | undefined = undefined
  #controller: AbortController | undefined = undefined

  constructor(message: Message, sender: ActorRef | undefined) {
    this.message = message
    this.sender = sender
  }

  /** The handler's result. */
  abstract succeed(result: unknown): void
  /** Why there is no result. */
  abstract fail(error: unknown): void
  /** When the sender stops waiting, on the runtime's clock; undefined when it does not wait. */
  get deadline(): number | undefined {
    return undefined
  }
  /** Whether somebody waits for the outcome. */
  abstract get isAsk(): boolean

  /** Nobody wants the outcome any more: dropped if it still waits in a mailbox, aborted if it is being handled. */
  cancel(reason: unknown): void {
    if (this.#cancellation) return
    this.#cancellation = { reason }
    this.#controller?.abort(reason)
  }

  get isCancelled(): boolean {
    return this.#cancellation !== undefined
  }

  /** Aborts when this envelope is cancelled. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#cancellation) this.#controller.abort(this.#cancellation.reason)
    }
    return this.#controller.signal
  }
}

/** A message nobody waits for. */
export class Tell extends Envelope {
  override get isAsk(): boolean {
    return false
  }
  succeed(result: unknown): void {
    if (typeof result === 'object' && result !== null) discardResult(result)
  }
  fail(): void {}
}

/**
 * A message on its way through one mailbox: who sent it, and where its outcome goes. Exactly one of `succeed` and `fail`
 * is called in its life, whatever happens to the actor.
 */
import type { Message } from '../message/message.ts'
import type { MessageContext } from './actor-context.ts'
import type { ActorRef } from './actor-ref.ts'
import { discardResult } from './discarded-result.ts'

/** Something made for a message, given up when nobody waits for that message any more. */
export interface Nested {
  giveUp(reason: unknown): void
}

export abstract class Envelope {
  /** Not to be asked for once it is {@link forget}ten. */
  message: Message
  readonly sender: ActorRef | undefined
  /** Set aside by its handler: its outcome comes when it is handled again. */
  isStashed = false
  /** To be handled again when the handling that set it aside, which still waits, has ended. */
  isReturning = false
  /** Answered with a stream that goes on. */
  isStreaming = false
  #cancellation: { readonly reason: unknown } | undefined = undefined
  #controller: AbortController | undefined = undefined
  #nested: Set<Nested> | undefined = undefined

  constructor(message: Message, sender: ActorRef | undefined) {
    this.message = message
    this.sender = sender
  }

  /** The handler's result; where it is a stream of any kind, as a StreamReader. */
  abstract succeed(result: unknown): void
  /** Why there is no result. */
  abstract fail(error: unknown): void
  /** When the sender stops waiting, on the runtime's clock; undefined when it does not wait. */
  get deadline(): number | undefined {
    return undefined
  }
  /** The message, on this node, whose handler sent this one. */
  get within(): MessageContext | undefined {
    return undefined
  }
  /** The node an ask came from; undefined for this one. Known by the way it came, not by what is in it. */
  get origin(): string | undefined {
    return undefined
  }
  /** Whether somebody waits for the outcome. */
  abstract get isAsk(): boolean

  /** It was handled: whoever still holds the envelope, a context say, does not hold what came in it. */
  forget(): void {
    this.message = undefined as never
  }

  get isForgotten(): boolean {
    return this.message === undefined
  }

  /** Nobody wants the outcome any more: dropped if it still waits in a mailbox, aborted if it is being handled. */
  cancel(reason: unknown): void {
    if (this.#cancellation) return
    this.isStreaming = false
    this.#cancellation = { reason }
    this.#controller?.abort(reason)
    const nested = this.#nested
    this.#nested = undefined
    for (const each of nested ?? []) each.giveUp(reason)
  }

  /** Tells the handler, by its signal, to come to an end; what it does until then still counts. */
  hurry(reason: unknown): void {
    this.#controller ??= new AbortController()
    this.#controller.abort(reason)
  }

  get isCancelled(): boolean {
    return this.#cancellation !== undefined
  }

  get cancelReason(): unknown {
    return this.#cancellation?.reason
  }

  /** Aborts when this envelope is cancelled. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#cancellation) this.#controller.abort(this.#cancellation.reason)
    }
    return this.#controller.signal
  }

  /** Gives `nested` up together with this message. */
  nest(nested: Nested): void {
    if (this.#cancellation) nested.giveUp(this.#cancellation.reason)
    else (this.#nested ??= new Set()).add(nested)
  }

  unnest(nested: Nested): void {
    this.#nested?.delete(nested)
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

/** A message of the runtime itself: it passes full mailboxes, and is never dropped. */
export abstract class Signal extends Tell {
  /** It leaves the mailbox, to be handled now. */
  abstract taken(): void
}

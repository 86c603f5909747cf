/** What stands behind a ref that was bound to a message: the same actor, every ask a part of handling that message. */
import type { Message } from '../message/message.ts'
import type { Cancellable, MessageContext, ScheduleOptions } from './actor-context.ts'
import type { Delivery, Recipient } from './actor-ref.ts'
import type { Watcher } from './terminated.ts'

export class BoundRecipient implements Recipient {
  readonly #recipient: Recipient
  readonly #context: MessageContext

  constructor(recipient: Recipient, context: MessageContext) {
    // Bound again, it belongs to the later message alone.
    this.#recipient = recipient instanceof BoundRecipient ? recipient.#recipient : recipient
    this.#context = context
  }

  get id(): string {
    return this.#recipient.id
  }
  get name(): string | undefined {
    return this.#recipient.name
  }
  get nodeId(): string {
    return this.#recipient.nodeId
  }
  get isLocal(): boolean {
    return this.#recipient.isLocal
  }

  get instance(): Recipient | undefined {
    return this.#recipient.instance
  }

  tell(message: Message, delivery: Delivery | undefined): Promise<void> {
    return this.#recipient.tell(message, { sender: this.#context.self, ...delivery })
  }

  ask(message: Message, isPlain: boolean, delivery: Delivery | undefined): Promise<unknown> {
    return this.#recipient.ask(message, isPlain, {
      sender: this.#context.self,
      within: this.#context,
      ...delivery,
    })
  }

  later(delayMs: number, message: Message, options?: ScheduleOptions): Cancellable {
    return this.#recipient.later(delayMs, message, options)
  }

  watch(watcher: Watcher): void {
    this.#recipient.watch(watcher)
  }

  unwatch(watcher: Watcher): void {
    this.#recipient.unwatch(watcher)
  }

  lend(callback: (...args: unknown[]) => unknown): unknown {
    return this.#recipient.lend(callback)
  }

  toString(): string {
    return String(this.#recipient)
  }
}

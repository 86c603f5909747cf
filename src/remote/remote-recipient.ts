/** What stands behind a ref to an actor on another node. Holds no connection: the way there is found for every message. */
import type { Cancellable } from '../actor/actor-context.ts'
import type { Delivery, Recipient } from '../actor/actor-ref.ts'
import type { Watcher } from '../actor/terminated.ts'
import { ignoreRejection } from '../base/deferred.ts'
import { actorUri } from '../message/address.ts'
import type { Message } from '../message/message.ts'
import type { Association } from './association.ts'

export class RemoteRecipient implements Recipient {
  readonly id: string
  readonly nodeId: string
  readonly name: string | undefined
  readonly isLocal = false
  readonly #associate: (nodeId: string) => Association
  #last: Association | undefined

  constructor(nodeId: string, id: string, name: string | undefined, associate: (nodeId: string) => Association) {
    this.nodeId = nodeId
    this.id = id
    this.name = name
    this.#associate = associate
  }

  get #association(): Association {
    if (this.#last === undefined || this.#last.isForgotten) this.#last = this.#associate(this.nodeId)
    return this.#last
  }

  tell(message: Message, delivery: Delivery | undefined): Promise<void> {
    return this.#association.tell(this.id, message, delivery)
  }

  ask(message: Message, isPlain: boolean, delivery: Delivery | undefined): Promise<unknown> {
    return this.#association.ask(this.id, message, isPlain, delivery, this)
  }

  later(delayMs: number, message: Message): Cancellable {
    return this.#association.runtime.later(delayMs, () => ignoreRejection(this.tell(message, undefined)))
  }

  watch(watcher: Watcher): void {
    const association = this.#association
    association.watches.add(association.refTo(this.id, this.name), watcher)
  }

  unwatch(watcher: Watcher): void {
    this.#association.watches.remove(this.id, watcher)
  }

  /** The association makes a callback of it. */
  lend(callback: (...args: unknown[]) => unknown): unknown {
    return callback
  }

  toString(): string {
    return actorUri(this.nodeId, this.id)
  }
}

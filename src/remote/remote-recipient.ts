/** What stands behind a ref to an actor on another node. Holds no connection: the way there is found for every message. */
import type { Delivery, Recipient } from '../actor/actor-ref.ts'
import { actorUri } from '../message/address.ts'
import type { Message } from '../message/message.ts'
import type { Association } from './association.ts'

export class RemoteRecipient implements Recipient {
  readonly id: string
  readonly nodeId: string
  readonly name: string | undefined
  readonly isLocal = false
  readonly #associate: (nodeId: string) => Association

  constructor(nodeId: string, id: string, name: string | undefined, associate: (nodeId: string) => Association) {
    this.nodeId = nodeId
    this.id = id
    this.name = name
    this.#associate = associate
  }

  tell(message: Message, delivery: Delivery | undefined): Promise<void> {
    return this.#associate(this.nodeId).tell(this.id, message, delivery)
  }

  ask(message: Message, isPlain: boolean, delivery: Delivery | undefined): Promise<unknown> {
    return this.#associate(this.nodeId).ask(this.id, message, isPlain, delivery, this)
  }

  toString(): string {
    return actorUri(this.nodeId, this.id)
  }
}

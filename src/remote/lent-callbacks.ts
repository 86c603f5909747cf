/** Functions of this node that the other one of a pair can call: each an actor, ended with the session at the latest. */
import type { ActorRef } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import { lendCallback } from '../actor/callback.ts'
import { OverloadedError } from '../base/errors.ts'

/** Functions that may be lent to one node. */
export const MAX_CALLBACKS = 10_000

export class LentCallbacks {
  readonly #runtime: ActorRuntime
  readonly #lent = new Set<string>()
  #unsent: string[] = []

  constructor(runtime: ActorRuntime) {
    this.#runtime = runtime
  }

  /** An actor for `callback`, whose ref is about to be sent. @throws OverloadedError */
  lend(callback: (...args: unknown[]) => unknown): ActorRef {
    if (this.#lent.size >= MAX_CALLBACKS)
      throw new OverloadedError(`expected at most ${MAX_CALLBACKS} functions lent to one node, got more`)
    const ref = lendCallback(callback, this.#runtime, undefined)
    this.#lent.add(ref.id)
    this.#runtime.byId(ref.id)!.watch({ terminated: () => void this.#lent.delete(ref.id) })
    this.#unsent.push(ref.id)
    return ref
  }

  /** The message that names those lent last is on its way. */
  sent(): void {
    if (this.#unsent.length > 0) this.#unsent = []
  }

  /** It will not be sent. */
  dropUnsent(): void {
    for (const id of this.#unsent.splice(0)) void this.#runtime.byId(id)?.abort('killed')
  }

  /** Nobody over there can call them any more. */
  reset(): void {
    this.#unsent = []
    for (const id of [...this.#lent]) void this.#runtime.byId(id)?.abort('unreachable')
  }
}

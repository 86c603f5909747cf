/**
 * What stands behind a ref that was found by a name: one instance of it. When that one has certainly not handled a
 * message, the message goes to another live one, and so does everything after it. What may have been handled is never
 * sent twice.
 */
import type { Cancellable, ScheduleOptions } from '../actor/actor-context.ts'
import type { Delivery, Recipient } from '../actor/actor-ref.ts'
import { DEFAULT_ASK_TIMEOUT_MS } from '../actor/actor-ref.ts'
import { isResendable } from '../actor/resendable.ts'
import type { Watcher } from '../actor/terminated.ts'
import type { Clock } from '../base/clock.ts'
import { ignoreRejection, rejected, SETTLED } from '../base/deferred.ts'
import { ActorStoppedError, isReceived, PulsingTimeoutError, UnreachableError } from '../base/errors.ts'
import { actorUri } from '../message/address.ts'
import type { Message } from '../message/message.ts'

/** The instances of one name, and how one is chosen. */
export interface Instances {
  readonly clock: Clock
  /** A live one whose id is not in `tried`. @throws what a policy of the user's throws */
  next(tried: ReadonlySet<string>): Recipient | undefined
  /** Whether an instance is known to take no messages any more. */
  isOver(instance: Recipient): boolean
  /** An ask to the actor of that id began. */
  asked(id: string): void
  /** It settled. */
  settled(id: string): void
}

/** One ask, over all its attempts. */
interface Attempt {
  readonly message: Message
  readonly isPlain: boolean
  readonly delivery: Delivery | undefined
  readonly startedAt: number
  isGivenUp: boolean
}

export class NamedRecipient implements Recipient {
  readonly name: string
  readonly #instances: Instances
  #current: Recipient

  constructor(name: string, first: Recipient, instances: Instances) {
    this.name = name
    this.#current = first
    this.#instances = instances
  }

  get id(): string {
    return this.#current.id
  }
  get nodeId(): string {
    return this.#current.nodeId
  }
  get isLocal(): boolean {
    return this.#current.isLocal
  }
  get instance(): Recipient {
    return this.#current
  }

  tell(message: Message, delivery: Delivery | undefined): Promise<void> {
    try {
      const to = this.#live()
      const told = to.tell(message, delivery)
      if (told === SETTLED) return told
      const outcome = told.catch((error: unknown) => this.#tellOthers(message, delivery, to, error))
      ignoreRejection(outcome)
      return outcome
    } catch (error) {
      return rejected(error)
    }
  }

  async #tellOthers(message: Message, delivery: Delivery | undefined, first: Recipient, error: unknown): Promise<void> {
    const tried = new Set<string>()
    let to = first
    let last = error
    for (;;) {
      const next = isUnhandled(last, to) && mayGoOn(message, delivery) ? this.#after(to, tried) : undefined
      if (!next) throw last
      to = next
      try {
        await to.tell(message, delivery)
        return
      } catch (refused) {
        last = refused
      }
    }
  }

  ask(message: Message, isPlain: boolean, delivery: Delivery | undefined): Promise<unknown> {
    try {
      const to = this.#live()
      const { id } = to
      const startedAt = this.#instances.clock.now()
      const attempt: Attempt = { message, isPlain, delivery, startedAt, isGivenUp: false }
      return this.#ask(to, attempt, delivery).then(
        (reply) => {
          this.#instances.settled(id)
          return reply
        },
        (error: unknown) => {
          this.#instances.settled(id)
          return this.#askOthers(to, attempt, error)
        },
      )
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Sends one attempt. Who calls it says when it has settled. */
  #ask(to: Recipient, attempt: Attempt, delivery: Delivery | undefined): Promise<unknown> {
    this.#instances.asked(to.id)
    const reply = to.ask(attempt.message, attempt.isPlain, delivery)
    const cancellation = delivery?.cancellation
    const cancel = cancellation?.cancel
    if (cancellation && cancel)
      cancellation.cancel = (reason) => {
        attempt.isGivenUp = true
        cancel(reason)
      }
    return reply
  }

  async #askOthers(first: Recipient, attempt: Attempt, error: unknown): Promise<unknown> {
    const { message, delivery, startedAt } = attempt
    const tried = new Set<string>()
    let to = first
    let last = error
    for (;;) {
      const isOn = !attempt.isGivenUp && isUnhandled(last, to) && mayGoOn(message, delivery)
      const next = isOn ? this.#after(to, tried) : undefined
      if (!next) throw last
      const allowed = delivery?.timeout ?? DEFAULT_ASK_TIMEOUT_MS
      const timeout = allowed - (this.#instances.clock.now() - startedAt)
      if (timeout <= 0) throw new PulsingTimeoutError('ask', allowed, { address: String(this) })
      to = next
      try {
        return await this.#ask(to, attempt, { ...delivery, timeout })
      } catch (refused) {
        last = refused
      } finally {
        this.#instances.settled(to.id)
      }
    }
  }

  /** The instance to send to: the one there is, unless it is known to be no more, and there is another. */
  #live(): Recipient {
    const current = this.#current
    return this.#instances.isOver(current) ? (this.#after(current, new Set()) ?? current) : current
  }

  /** The instance to go on with after `failed`: the one other messages have gone on with already, if there is one. */
  #after(failed: Recipient, tried: Set<string>): Recipient | undefined {
    tried.add(failed.id)
    if (!tried.has(this.#current.id) && !this.#instances.isOver(this.#current)) return this.#current
    const next = this.#instances.next(tried)
    if (next) this.#current = next
    return next
  }

  later(delayMs: number, message: Message, options?: ScheduleOptions): Cancellable {
    return this.#live().later(delayMs, message, options)
  }

  watch(watcher: Watcher): void {
    this.#current.watch(watcher)
  }

  unwatch(watcher: Watcher): void {
    this.#current.unwatch(watcher)
  }

  lend(callback: (...args: unknown[]) => unknown): unknown {
    return this.#current.lend(callback)
  }

  toString(): string {
    return actorUri(this.nodeId, this.id)
  }
}

/** Whether an error says that `to` has certainly not handled the message it was sent. */
function isUnhandled(error: unknown, to: Recipient): boolean {
  // An error of this class that the actor handed on is about another actor.
  if (error instanceof ActorStoppedError)
    return error.outcome === 'not-sent' && error.address === actorUri(to.nodeId, to.id)
  // One that came from another node is about what that node could not reach.
  if (error instanceof UnreachableError) return !to.isLocal && error.outcome === 'not-sent' && !isReceived(error)
  return false
}

/** Whether a message can be sent again, and is still wanted. */
function mayGoOn(message: Message, delivery: Delivery | undefined): boolean {
  if (delivery?.signal?.aborted || delivery?.within?.envelope?.isCancelled) return false
  return delivery?.transfer === undefined && isResendable(message)
}

/**
 * What stands behind a ref that was found by a name: one instance of it. When that one has certainly not handled a
 * message, the message goes to another live one, and so does everything after it. What may have been handled is never
 * sent twice.
 */
import type { Cancellable, ScheduleOptions } from '../actor/actor-context.ts'
import type { AskObserver, Delivery, FailedAsk, Recipient } from '../actor/actor-ref.ts'
import { DEFAULT_ASK_TIMEOUT_MS } from '../actor/actor-ref.ts'
import { isResendable } from '../actor/resendable.ts'
import type { Watcher } from '../actor/terminated.ts'
import type { Clock } from '../base/clock.ts'
import { ignoreRejection, rejected, SETTLED } from '../base/deferred.ts'
import { ActorStoppedError, isReceived, PulsingTimeoutError, UnreachableError } from '../base/errors.ts'
import { actorUri } from '../message/address.ts'
import type { Message } from '../message/message.ts'

/** How many asks one actor has not answered. */
export interface Load {
  begin(): void
  end(): void
  /** Whether none is left, and nobody counts here any more: whoever begins again needs another one. */
  readonly isOver?: boolean
}

/** The instances of one name, and how one is chosen. */
export interface Instances {
  readonly clock: Clock
  /** A live one whose id is not in `tried`. @throws what a policy of the user's throws */
  next(tried: ReadonlySet<string>): Recipient | undefined
  /** Whether an instance is known to take no messages any more. */
  isOver(instance: Recipient): boolean
  /** Another number whenever {@link isOver} may answer otherwise of an instance on another node. */
  readonly version: number
  /** Where asks to the actor of that id are counted. */
  loadOf(id: string): Load
}

export class NamedRecipient implements Recipient {
  readonly name: string
  /** @internal */
  readonly instances: Instances
  #current: Recipient
  #firstTry: FirstTry | undefined
  /** The version at which the current one was there. */
  #seenAt = -1

  constructor(name: string, first: Recipient, instances: Instances) {
    this.name = name
    this.#current = first
    this.instances = instances
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
      const next = isUnhandled(last, to) && mayGoOn(message, delivery) ? this.after(to, tried) : undefined
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
      if (delivery || to.isLocal) return new NamedAsk(this, message, isPlain, delivery).begin(to, delivery)
      if (this.#firstTry?.to !== to) this.#firstTry = new FirstTry(this, to)
      return this.#firstTry.ask(message, isPlain)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The instance to send to: the one there is, unless it is known to be no more, and there is another. */
  #live(): Recipient {
    const current = this.#current
    const { version } = this.instances
    if (version === this.#seenAt && !current.isLocal) return current
    if (this.instances.isOver(current)) return this.after(current, new Set()) ?? current
    this.#seenAt = version
    return current
  }

  /** @internal The instance to go on with after `failed`: the one other messages have gone on with already, if there is one. */
  after(failed: Recipient, tried: Set<string>): Recipient | undefined {
    tried.add(failed.id)
    if (!tried.has(this.#current.id) && !this.instances.isOver(this.#current)) return this.#current
    const next = this.instances.next(tried)
    if (next) {
      this.#current = next
      this.#seenAt = -1
    }
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

/** The first attempts of asks to one instance on another node, which are all that most of them need. */
class FirstTry implements AskObserver {
  readonly to: Recipient
  readonly #recipient: NamedRecipient
  readonly #delivery: Delivery = { observer: this }
  #load: Load | undefined

  constructor(recipient: NamedRecipient, to: Recipient) {
    this.#recipient = recipient
    this.to = to
  }

  ask(message: Message, isPlain: boolean): Promise<unknown> {
    if (!this.#load || this.#load.isOver) this.#load = this.#recipient.instances.loadOf(this.to.id)
    this.#load.begin()
    return this.to.ask(message, isPlain, this.#delivery)
  }

  replied(): void {
    this.#load!.end()
  }

  failed(error: unknown, ask: FailedAsk): Promise<unknown> | undefined {
    this.#load!.end()
    if (!isUnhandled(error, this.to)) return undefined
    return new NamedAsk(this.#recipient, ask.message, ask.isPlain, undefined).goOn(this.to, error, ask)
  }
}

/** One ask, over all its attempts. */
class NamedAsk implements AskObserver {
  readonly #recipient: NamedRecipient
  readonly #message: Message
  readonly #isPlain: boolean
  readonly #delivery: Delivery | undefined
  /** How long it may still wait, in milliseconds. */
  #leftMs: number
  #to!: Recipient
  #load!: Load
  #tried: Set<string> | undefined
  #isGivenUp = false

  constructor(recipient: NamedRecipient, message: Message, isPlain: boolean, delivery: Delivery | undefined) {
    this.#recipient = recipient
    this.#message = message
    this.#isPlain = isPlain
    this.#delivery = delivery
    this.#leftMs = delivery?.timeout ?? DEFAULT_ASK_TIMEOUT_MS
  }

  begin(to: Recipient, delivery: Delivery | undefined): Promise<unknown> {
    this.#to = to
    this.#load = this.#recipient.instances.loadOf(to.id)
    this.#load.begin()
    const reply = to.ask(this.#message, this.#isPlain, { ...delivery, observer: this })
    const cancellation = delivery?.cancellation
    const cancel = cancellation?.cancel
    if (cancellation && cancel)
      cancellation.cancel = (reason) => {
        this.#isGivenUp = true
        cancel(reason)
      }
    return reply
  }

  replied(): void {
    this.#load.end()
  }

  failed(error: unknown, ask: FailedAsk): Promise<unknown> | undefined {
    this.#load.end()
    return isUnhandled(error, this.#to) ? this.goOn(this.#to, error, ask) : undefined
  }

  /** Tries others after `failed`, which has certainly not handled it. */
  async goOn(failed: Recipient, error: unknown, { since }: FailedAsk): Promise<unknown> {
    if (since !== undefined) this.#leftMs -= this.#recipient.instances.clock.now() - since
    // Whoever failed it is in the middle of something.
    await SETTLED
    const delivery = this.#delivery
    const isWanted = !this.#isGivenUp && mayGoOn(this.#message, delivery)
    this.#tried ??= new Set()
    const next = isWanted ? this.#recipient.after(failed, this.#tried) : undefined
    if (!next) throw error
    if (this.#leftMs <= 0) {
      const allowed = delivery?.timeout ?? DEFAULT_ASK_TIMEOUT_MS
      throw new PulsingTimeoutError('ask', allowed, { address: String(this.#recipient) })
    }
    return this.begin(next, { ...delivery, timeout: this.#leftMs })
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

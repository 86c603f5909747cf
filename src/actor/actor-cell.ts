/**
 * One running actor: its mailbox, its state, its turn. The only place where an actor's methods are called, and the
 * recipient behind every local ref.
 */
import type { Timer } from '../base/clock.ts'
import type { Deferred } from '../base/deferred.ts'
import { deferred, rejected, SETTLED } from '../base/deferred.ts'
import { ActorStoppedError, MailboxFullError, toActorError } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { actorUri } from '../message/address.ts'
import type { Message } from '../message/message.ts'
import type { ActorLike, StopReason } from './actor.ts'
import type { Receive } from './actor-context.ts'
import { MessageContext } from './actor-context.ts'
import type { Delivery, Recipient } from './actor-ref.ts'
import { DEFAULT_ASK_TIMEOUT_MS, Ref } from './actor-ref.ts'
import type { ActorRuntime } from './actor-runtime.ts'
import { LocalAsk } from './ask.ts'
import { discardStream } from './discarded-result.ts'
import type { Runnable } from './dispatcher.ts'
import type { Envelope } from './envelope.ts'
import { Tell } from './envelope.ts'
import type { Mailbox } from './mailbox.ts'

/** How long a stop waits for the message being handled, in milliseconds. */
export const STOP_GRACE_MS = 30_000

/** What only few actors have; made when first needed, so that the many stay small. */
interface Extras {
  children?: Set<ActorCell>
  timers?: Set<Timer>
  stashed?: Envelope[]
  stopController?: AbortController
  stopped?: Deferred<void>
}

export class ActorCell implements Recipient, Runnable {
  readonly id: string = newId()
  readonly name: string | undefined
  readonly runtime: ActorRuntime
  readonly parent: ActorCell | undefined
  readonly ref: Ref
  /** Set by `become`. */
  behavior: Receive | undefined = undefined
  readonly #actor: ActorLike
  readonly #mailbox: Mailbox
  #state: 'starting' | 'running' | 'stopping' | 'stopped' = 'starting'
  #isScheduled = false
  #current: Envelope | undefined = undefined
  #extras: Extras | undefined = undefined

  constructor(
    runtime: ActorRuntime,
    actor: ActorLike,
    name: string | undefined,
    mailbox: Mailbox,
    parent: ActorCell | undefined,
  ) {
    this.runtime = runtime
    this.name = name
    this.parent = parent
    this.#actor = actor
    this.#mailbox = mailbox
    this.ref = new Ref(this, runtime.proxies)
  }

  get nodeId(): string {
    return this.runtime.nodeId
  }
  get isLocal(): boolean {
    return true
  }
  /** Whether it takes children: a child must not outlive its parent. */
  get takesChildren(): boolean {
    return !this.#isFinishing && this.#state !== 'stopped'
  }
  get isStopped(): boolean {
    return this.#state === 'stopped'
  }
  get children(): Set<ActorCell> {
    return (this.#extra.children ??= new Set())
  }
  get timers(): Set<Timer> {
    return (this.#extra.timers ??= new Set())
  }
  /** Aborts when the actor is told to stop. */
  get stopSignal(): AbortSignal {
    const controller = (this.#extra.stopController ??= new AbortController())
    if (this.#state === 'stopping' || this.#state === 'stopped') controller.abort()
    return controller.signal
  }
  get #extra(): Extras {
    return (this.#extras ??= {})
  }

  tell(message: Message, delivery: Delivery | undefined): Promise<void> {
    try {
      return this.accept(new Tell(message.handOver(), delivery?.sender))
    } catch (error) {
      return rejected(error)
    }
  }

  ask(message: Message, isPlain: boolean, delivery: Delivery | undefined): Promise<unknown> {
    try {
      const timeoutMs = delivery === undefined ? DEFAULT_ASK_TIMEOUT_MS : this.runtime.timeoutOf(delivery)
      const ask = new LocalAsk(message.handOver(), delivery?.sender, isPlain, this)
      ask.wait(this.runtime.deadlines, timeoutMs, delivery)
      if (ask.isCancelled) discardStream(ask.message)
      else void this.accept(ask)
      return ask.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Takes an envelope into the mailbox; settles when it is in. */
  accept(envelope: Envelope): Promise<void> {
    if (this.#state === 'stopping' || this.#state === 'stopped') {
      this.#refuse(
        envelope,
        new ActorStoppedError('expected a running actor, got one that has stopped', { address: this.toString() }),
      )
      return SETTLED
    }
    const accepted = this.#mailbox.offer(envelope) ? SETTLED : this.#overflow(envelope)
    if (!this.#isScheduled && this.#current === undefined && this.#state === 'running') this.#schedule()
    return accepted
  }

  #overflow(envelope: Envelope): Promise<void> {
    const { refused, accepted } = this.#mailbox.overflow(envelope)
    if (refused === undefined) return accepted
    const error = new MailboxFullError('expected room in the mailbox, got a full one', { address: this.toString() })
    this.#refuse(refused, error)
    return refused === envelope && this.#mailbox.failsSenders && !envelope.isAsk ? rejected(error) : accepted
  }

  /** Runs `onStart`, then begins to handle messages. Rejects, with the actor gone, when `onStart` throws. */
  start(): Promise<void> | undefined {
    if (!this.#actor.onStart) {
      this.#begin()
      return undefined
    }
    return this.#startWithHook()
  }

  async #startWithHook(): Promise<void> {
    try {
      await this.#actor.onStart!(new MessageContext(this, undefined))
    } catch (error) {
      this.#state = 'stopping'
      await this.#finish('failed', false)
      throw toActorError(error, this.toString())
    }
    if (this.#state === 'starting') this.#begin()
    else {
      await this.#finish(this.#stopReason, true)
      throw new ActorStoppedError('the actor was stopped while it started', { address: this.toString() })
    }
  }

  #begin(): void {
    this.#state = 'running'
    if (this.#mailbox.size > 0) this.#schedule()
  }

  run(limit: number): void {
    this.#isScheduled = false
    for (let handled = 0; handled < limit && this.#current === undefined && this.#state === 'running'; handled++) {
      const envelope = this.#mailbox.next()
      if (envelope === undefined) return
      if (!envelope.isCancelled) this.#handle(envelope)
      else discardStream(envelope.message)
    }
    this.#resume()
  }

  #schedule(): void {
    this.#isScheduled = true
    this.runtime.dispatcher.schedule(this)
  }

  #resume(): void {
    if (this.#current === undefined && !this.#isScheduled && this.#state === 'running' && this.#mailbox.size > 0)
      this.#schedule()
  }

  #handle(envelope: Envelope): void {
    this.#current = envelope
    envelope.isStashed = false
    try {
      const context = new MessageContext(this, envelope)
      const result = this.behavior
        ? this.behavior(envelope.message, context)
        : this.#actor.receive(envelope.message, context)
      if (isThenable(result)) this.#await(envelope, result)
      else this.#succeeded(envelope, result)
    } catch (error) {
      this.#failed(envelope, error)
    }
  }

  #await(envelope: Envelope, result: PromiseLike<unknown>): void {
    // A thenable of somebody else's may call back twice, or at once: a promise does neither.
    const promise = result instanceof Promise ? result : Promise.resolve(result)
    promise.then(
      (value) => {
        this.#succeeded(envelope, value)
        this.#afterWait()
      },
      (error: unknown) => {
        this.#failed(envelope, error)
        this.#afterWait()
      },
    )
  }

  #succeeded(envelope: Envelope, result: unknown): void {
    this.#current = undefined
    if (!envelope.isStashed) envelope.succeed(result)
  }

  #failed(envelope: Envelope, thrown: unknown): void {
    this.#current = undefined
    const error = toActorError(thrown, this.toString())
    discardStream(envelope.message)
    envelope.fail(error)
    this.runtime.reportFailure(this.ref, error, envelope.isAsk)
  }

  #afterWait(): void {
    if (this.#state === 'stopping') void this.#finish(this.#stopReason, true)
    else this.#resume()
  }

  stash(envelope: Envelope): void {
    if (envelope.isStashed) return
    envelope.isStashed = true
    ;(this.#extra.stashed ??= []).push(envelope)
  }

  unstashAll(): void {
    const stashed = this.#extras?.stashed
    if (!stashed) return
    // The message being handled may have stashed itself: it is not done yet, and comes back behind the earlier ones.
    for (const envelope of stashed.splice(0).reverse()) this.#mailbox.putBack(envelope)
    this.#resume()
  }

  #stopReason: StopReason = 'killed'

  /**
   * Ends the actor: no new messages, the current one finishes (at most {@link STOP_GRACE_MS}), the children stop, then
   * `onStop` runs. Settles when all that is done.
   */
  stop(reason: StopReason): Promise<void> {
    if (this.#state === 'stopped') return SETTLED
    const stopped = (this.#extra.stopped ??= deferred<void>())
    if (this.#state === 'stopping') return stopped.promise
    const wasStarting = this.#state === 'starting'
    this.#state = 'stopping'
    this.#stopReason = reason
    this.#extras?.stopController?.abort()
    if (this.#current) {
      const current = this.#current
      this.#grant(() => this.#graceExpired(current))
      current.cancel(new ActorStoppedError('the actor is being stopped', { address: this.toString() }))
      // A sync handler stopping itself is still running: it goes on to `#succeeded`, and no promise will call back.
      queueMicrotask(() => {
        if (this.#current === undefined && this.#state === 'stopping') void this.#finish(reason, true)
      })
    } else if (!wasStarting || !this.#actor.onStart) void this.#finish(reason, true)
    else {
      // `onStart` is running: what it sets up, `onStop` tears down after it.
      this.#refuseAll(this.#mailbox.drain())
      this.#grant(() => void this.#finish(reason, false))
    }
    return stopped.promise
  }

  /** Waits for what the user's code is doing, but not for ever. */
  #grant(expired: () => void): void {
    this.#grace?.cancel()
    this.#grace = this.runtime.clock.setTimer(expired, STOP_GRACE_MS)
    this.#grace.hold(false)
  }

  #graceExpired(current: Envelope): void {
    if (this.#current !== current) return
    this.#current = undefined
    const message = `the actor was stopped and did not finish this message in ${STOP_GRACE_MS} ms`
    current.fail(new ActorStoppedError(message, { address: this.toString() }))
    void this.#finish(this.#stopReason, true)
  }

  #isFinishing = false
  #grace: Timer | undefined = undefined

  async #finish(reason: StopReason, runsHook: boolean): Promise<void> {
    if (this.#isFinishing) return
    this.#isFinishing = true
    this.#grace?.cancel()
    const extras = this.#extras
    for (const timer of extras?.timers ?? []) timer.cancel()
    this.#refuseAll([...(extras?.stashed ?? []), ...this.#mailbox.drain()])
    if (extras?.children?.size)
      await Promise.all([...extras.children].map((child) => child.stop(reason === 'normal' ? 'killed' : reason)))
    if (runsHook && this.#actor.onStop) await this.#runOnStop(reason)
    this.#grace?.cancel()
    this.#state = 'stopped'
    this.runtime.stopped(this, reason)
    this.#extras?.stopped?.resolve()
  }

  async #runOnStop(reason: StopReason): Promise<void> {
    const late = deferred<void>()
    this.#grant(() => late.resolve())
    try {
      await Promise.race([this.#actor.onStop!(new MessageContext(this, undefined), reason), late.promise])
    } catch (thrown) {
      this.runtime.reportFailure(this.ref, toActorError(thrown, this.toString()), false)
    }
  }

  #refuseAll(envelopes: readonly Envelope[]): void {
    if (envelopes.length === 0) return
    const error = new ActorStoppedError('the actor stopped before it handled this message', {
      address: this.toString(),
    })
    for (const envelope of envelopes) this.#refuse(envelope, error)
  }

  #refuse(envelope: Envelope, error: ActorStoppedError | MailboxFullError): void {
    discardStream(envelope.message)
    envelope.fail(error)
    this.runtime.deadLetter(this.toString(), envelope.message.msgType, error.code)
  }

  toString(): string {
    return actorUri(this.runtime.nodeId, this.id)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
}

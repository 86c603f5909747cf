/**
 * One running actor: the recipient behind every local ref, and its life from the first start over restarts to the end.
 */
import type { Timer } from '../base/clock.ts'
import { deferred, ignoreRejection, rejected, SETTLED } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import { ActorStoppedError, ConfigError, DeadlockError, describe, toActorError } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { actorUri } from '../message/address.ts'
import type { Message } from '../message/message.ts'
import type { Spawnable, StopReason } from './actor.ts'
import type { Cancellable, ScheduleOptions } from './actor-context.ts'
import { MessageContext } from './actor-context.ts'
import { instantiate, isRepeatable } from './actor-instance.ts'
import type { Delivery, Recipient } from './actor-ref.ts'
import { DEFAULT_ASK_TIMEOUT_MS, Ref, refusedAsk } from './actor-ref.ts'
import type { ActorRuntime } from './actor-runtime.ts'
import type { SpawnOptions } from './actor-system.ts'
import { ActorTurns } from './actor-turns.ts'
import { LocalAsk } from './ask.ts'
import { borrowCallback, lendCallback } from './callback.ts'
import type { Child } from './cell-holdings.ts'
import { checkDelay } from './delay.ts'
import { discardMessage } from './discarded-result.ts'
import type { Envelope } from './envelope.ts'
import { Tell } from './envelope.ts'
import { fencingToken, type LeasedOptions } from './exclusivity.ts'
import type { Mailbox } from './mailbox.ts'
import { DECISIONS, type Decision, RestartHistory } from './supervision.ts'
import type { Watcher } from './terminated.ts'

/** How long a stop, or a restart, waits for what the actor's own code is doing, in milliseconds. */
export const STOP_GRACE_MS = 30_000

export class ActorCell extends ActorTurns implements Recipient, Watcher {
  readonly id: string = newId()
  readonly name: string | undefined
  readonly parent: ActorCell | undefined
  readonly ref: Ref
  readonly #source: Spawnable
  /** Rejects the promise of the first start. */
  #giveUpStart: ((error: unknown) => void) | undefined = undefined

  /** @throws whatever making the actor throws */
  constructor(
    runtime: ActorRuntime,
    source: Spawnable,
    name: string | undefined,
    options: SpawnOptions | undefined,
    mailbox: Mailbox,
    parent: ActorCell | undefined,
  ) {
    super(runtime, instantiate(source), options, mailbox)
    this.name = name
    this.parent = parent
    this.#source = source
    this.ref = new Ref(this, runtime.proxies)
  }

  get nodeId(): string {
    return this.runtime.nodeId
  }
  get isLocal(): boolean {
    return true
  }
  /** Whether it takes children: a child must not outlive its parent, nor an instance of it. */
  get takesChildren(): boolean {
    return this.phase === 'starting' || this.phase === 'running' || this.phase === 'draining'
  }
  get isStopped(): boolean {
    return this.phase === 'stopped'
  }
  /** That of its lease, if it is exclusive: the same after a restart. */
  get fencingToken(): number | undefined {
    return (this.options as LeasedOptions | undefined)?.[fencingToken]
  }
  get children(): ReadonlySet<Child> | undefined {
    return this.held?.children
  }
  /** What it holds that has to end some day. */
  get pending(): { readonly timers: number; readonly streams: number } {
    return { timers: this.held?.timers ?? 0, streams: this.held?.streams?.size ?? 0 }
  }
  /** Aborts when the actor is told to stop. */
  get stopSignal(): AbortSignal {
    const controller = (this.holdings.stopController ??= new AbortController())
    if (this.stopReason !== undefined) controller.abort()
    return controller.signal
  }

  // What others send.

  tell(message: Message, delivery: Delivery | undefined): Promise<void> {
    try {
      return this.accept(new Tell(message.handOver(), delivery?.sender))
    } catch (error) {
      return rejected(error)
    }
  }

  ask(message: Message, isPlain: boolean, delivery: Delivery | undefined): Promise<unknown> {
    try {
      if (delivery?.within) this.#refuseCycle(delivery.within)
      const timeoutMs = delivery === undefined ? DEFAULT_ASK_TIMEOUT_MS : this.runtime.timeoutOf(delivery)
      const ask = new LocalAsk(message.handOver(), delivery, isPlain, this)
      ask.wait(timeoutMs, delivery)
      if (ask.isCancelled) discardMessage(ask.message)
      else void this.accept(ask)
      return ask.promise
    } catch (error) {
      return refusedAsk(delivery, error, { message, isPlain })
    }
  }

  watch(watcher: Watcher): void {
    if (this.phase === 'stopped') watcher.terminated(this.ref, this.stopReason!)
    else (this.holdings.watchers ??= new Set()).add(watcher)
  }

  unwatch(watcher: Watcher): void {
    this.held?.watchers?.delete(watcher)
  }

  /** Watches another actor, unless this one is to end: it would not live to be told. */
  beginWatch(recipient: Recipient): void {
    if (this.stopReason === undefined) this.holdings.watch(recipient, this)
  }

  terminated(ref: Ref, reason: StopReason): void {
    if (this.stopReason !== undefined) return
    const signal = this.held?.terminated(ref, reason)
    if (signal) this.acceptSignal(signal)
  }

  later(delayMs: number, message: Message, { everyMs, survivesRestart = false }: ScheduleOptions = {}): Cancellable {
    checkDelay('delayMs', delayMs, 0)
    if (everyMs !== undefined) checkDelay('everyMs', everyMs, Number.MIN_VALUE)
    if (this.stopReason !== undefined) return { cancel: () => undefined }
    const { holdings } = this
    let timer: Timer
    let isWaiting = false
    const done = (): void => {
      isWaiting = false
    }
    const set = (ms: number): void => {
      timer = this.runtime.clock.setTimer(() => {
        holdings.removeTimer(timer)
        if (everyMs !== undefined) set(everyMs)
        if (isWaiting) return
        // Refused by a full mailbox, it is a counted dead letter already.
        const accepted = this.tell(message, undefined)
        if (accepted === SETTLED) return
        isWaiting = true
        accepted.then(done, done)
      }, ms)
      holdings.addTimer(timer, survivesRestart)
    }
    set(delayMs)
    return {
      cancel: () => {
        holdings.removeTimer(timer)
        timer.cancel()
      },
    }
  }

  lend(callback: (...args: unknown[]) => unknown): unknown {
    return borrowCallback((lendCallback(callback, this.runtime, this) as Ref).recipient)
  }

  /** @throws DeadlockError when `within` is a message that this actor waits for, over any number of asks */
  #refuseCycle(within: MessageContext): void {
    if (this.options?.reentrant) return
    const chain = [this.label]
    for (let context: MessageContext | undefined = within; context; context = context.outer) {
      const { cell, envelope } = context
      // Nobody waits for a message that was answered, or given up.
      const isHandled = cell.#isHandling(envelope)
      if (envelope?.isCancelled || !(isHandled || envelope?.isStreaming)) return
      chain.push(cell.label)
      if (isHandled && cell === this) throw new DeadlockError(chain.reverse(), { address: this.toString() })
    }
  }

  #isHandling(envelope: Envelope | undefined): boolean {
    if (envelope === undefined) return this.phase === 'starting' || this.phase === 'closing'
    return this.current === envelope || this.held?.inFlight?.has(envelope) === true
  }

  // Supervision.

  protected handlerFailed(error: PulsingError): void {
    this.#supervise(error, undefined)
  }

  protected contextFor(envelope: Envelope): MessageContext {
    return new MessageContext(this, envelope)
  }

  /** Acts on a failure as the parent says, else the restart policy, else `fallback`. */
  #supervise(error: PulsingError, fallback: Decision | undefined): void {
    const { policy } = this.options?.restart ?? {}
    const own = policy === 'on-failure' || policy === 'always' ? 'restart' : fallback
    switch (this.parent?.decideFor(this, error) ?? own) {
      case 'restart':
        this.#planRestart(error, 'failed')
        break
      case 'stop':
        void this.stop('failed')
        break
      case 'escalate':
        void this.stop('failed')
        this.parent!.#childEscalated(error)
        break
      default:
    }
  }

  #childEscalated(error: PulsingError): void {
    if (this.phase !== 'running') return
    this.runtime.reportFailure(this.ref, error, true)
    if (this.phase === 'running') this.#supervise(error, 'stop')
  }

  /** What this actor, as a parent, says about a failed child. */
  decideFor(child: ActorCell, error: PulsingError): Decision | undefined {
    if (!this.actor.onChildFailure || !this.takesChildren) return undefined
    try {
      const decision = this.actor.onChildFailure(child.ref, error, new MessageContext(this, undefined))
      if (decision === undefined || DECISIONS.includes(decision)) return decision
      ignoreRejection(Promise.resolve(decision))
      throw new ConfigError(
        `expected onChildFailure to return one of ${DECISIONS.join(', ')}, got ${describe(decision)}`,
      )
    } catch (thrown) {
      this.runtime.reportFailure(this.ref, toActorError(thrown, this.toString()), false)
      return undefined
    }
  }

  /** The actor wants to end: its policy may have it begin anew instead. */
  stopSelf(reason: StopReason): void {
    const { policy } = this.options?.restart ?? {}
    const begins =
      (policy === 'always' && (reason === 'normal' || reason === 'failed')) ||
      (policy === 'on-failure' && reason === 'failed')
    if (!begins || this.phase === 'starting') void this.stop(reason)
    else this.#planRestart(undefined, reason)
  }

  #planRestart(error: PulsingError | undefined, reason: StopReason): void {
    // Whoever decided, or heard of the failure, may have stopped it meanwhile.
    if (this.phase !== 'running') return
    const { holdings } = this
    const isPossible = isRepeatable(this.#source)
    if (!isPossible)
      this.runtime.reportFailure(
        this.ref,
        new ConfigError('expected a function or class to restart the actor with, got an instance', {
          address: this.toString(),
          cause: error,
        }),
        false,
      )
    holdings.history ??= new RestartHistory(this.options?.restart ?? { policy: 'on-failure' }, this.runtime.random)
    const delayMs = isPossible ? holdings.history.next(this.runtime.clock.now()) : undefined
    if (delayMs === undefined) void this.stop('failed')
    else {
      holdings.restart = { error, reason, delayMs }
      this.#drain()
    }
  }

  // Life.

  /** Runs `onStart`, then begins to handle messages. Rejects, with the actor gone, when `onStart` throws. */
  start(): Promise<void> | undefined {
    if (this.actor.onStart)
      return new Promise((resolve, reject) => {
        this.#giveUpStart = reject
        this.#startWithHook().then(resolve, reject)
      })
    this.#begin()
    return undefined
  }

  async #startWithHook(): Promise<void> {
    try {
      await this.actor.onStart!(new MessageContext(this, undefined))
    } catch (error) {
      this.stopReason ??= 'failed'
      await this.#close(false)
      throw toActorError(error, this.toString())
    }
    if (this.stopReason === undefined) {
      this.#begin()
      return
    }
    await this.#close(true)
    throw this.#stoppedWhileStarting()
  }

  #stoppedWhileStarting(): ActorStoppedError {
    return new ActorStoppedError('the actor was stopped while it started', { address: this.toString() })
  }

  #begin(): void {
    this.phase = 'running'
    this.resume()
  }

  /**
   * Ends the actor: no new messages, the current one finishes (at most {@link STOP_GRACE_MS}), the children stop, then
   * `onStop` runs. Settles when all that is done. A second stop changes nothing.
   */
  stop(reason: StopReason): Promise<void> {
    if (this.phase === 'stopped') return SETTLED
    const { holdings } = this
    const stopped = (holdings.stopped ??= deferred<void>())
    if (this.stopReason !== undefined) return stopped.promise
    this.stopReason = reason
    holdings.stopController?.abort()
    switch (this.phase) {
      case 'running':
      case 'draining':
        this.#drain()
        break
      case 'starting':
        // `onStart` is running: what it sets up, `onStop` tears down after it.
        this.refuseAll()
        this.#grant(() => {
          this.#giveUpStart?.(this.#stoppedWhileStarting())
          void this.#close(false)
        })
        break
      case 'backoff':
        holdings.grace?.cancel()
        void this.#close(false)
        break
      default:
      // A restart is closing down: it goes on to the end instead.
    }
    return stopped.promise
  }

  /** {@link stop}, waiting for no handler: where its result would go to nobody. */
  abort(reason: StopReason): Promise<void> {
    const stopped = this.stop(reason)
    if (this.phase === 'draining') this.#graceExpired()
    return stopped
  }

  /** Lets the handlers finish that run, then closes. */
  #drain(): void {
    this.phase = 'draining'
    const handling = this.handling()
    if (handling.length > 0) this.#grant(() => this.#graceExpired())
    if (this.stopReason !== undefined)
      for (const envelope of handling)
        envelope.hurry(new ActorStoppedError('the actor is being stopped', { address: this.toString() }))
    this.drained()
  }

  protected drained(): void {
    if (this.phase === 'draining' && this.handling().length === 0) void this.#close(true)
  }

  /** Waits for what the user's code is doing, but not for ever. */
  #grant(expired: () => void): void {
    const { holdings } = this
    holdings.grace?.cancel()
    holdings.grace = this.runtime.clock.setTimer(expired, STOP_GRACE_MS)
    holdings.grace.hold(false)
  }

  #graceExpired(): void {
    const message = 'the actor was stopped before it had finished this message'
    for (const envelope of this.handling()) {
      this.leave(envelope)
      this.unstash(envelope)
      const error = new ActorStoppedError(message, { address: this.toString() })
      envelope.fail(error)
      envelope.cancel(error)
    }
    this.drained()
  }

  /** Tears down this instance, then ends, or starts another. */
  async #close(runsHook: boolean): Promise<void> {
    if (this.phase === 'closing' || this.phase === 'stopped') return
    this.phase = 'closing'
    const isStop = this.stopReason !== undefined
    const reason = (): StopReason => this.stopReason ?? this.held!.restart!.reason
    const holdings = this.held
    if (holdings) {
      holdings.grace?.cancel()
      holdings.cancelTimers(isStop)
      if (holdings.streams?.size)
        holdings.endStreams(
          new ActorStoppedError(`the actor ${isStop ? 'stopped' : 'was restarted'} before its stream ended`, {
            address: this.toString(),
          }),
        )
    }
    if (isStop) this.refuseAll()
    if (holdings?.children?.size) {
      const childReason = reason() === 'shutdown' ? 'shutdown' : 'killed'
      await Promise.all([...holdings.children].map((child) => child.stop(childReason)))
    }
    if (runsHook && this.actor.onStop) await this.#runOnStop(reason())
    if (this.stopReason !== undefined) this.#end(this.stopReason)
    else this.#backOff()
  }

  async #runOnStop(reason: StopReason): Promise<void> {
    const late = deferred<void>()
    this.#grant(() => late.resolve())
    try {
      await Promise.race([this.actor.onStop!(new MessageContext(this, undefined), reason), late.promise])
    } catch (thrown) {
      this.runtime.reportFailure(this.ref, toActorError(thrown, this.toString()), false)
    }
    this.holdings.grace?.cancel()
  }

  #backOff(): void {
    this.phase = 'backoff'
    this.behavior = undefined
    this.unstashAll()
    const { holdings } = this
    const { delayMs } = holdings.restart!
    if (delayMs === 0) void this.#startAgain()
    else holdings.grace = this.runtime.clock.setTimer(() => void this.#startAgain(), delayMs)
  }

  async #startAgain(): Promise<void> {
    this.phase = 'starting'
    const { holdings } = this
    try {
      this.actor = instantiate(this.#source)
      await this.actor.onStart?.(new MessageContext(this, undefined))
    } catch (thrown) {
      const error = toActorError(thrown, this.toString())
      this.runtime.reportFailure(this.ref, error, false)
      const delayMs = holdings.history!.next(this.runtime.clock.now())
      if (delayMs === undefined) this.stopReason ??= 'failed'
      else holdings.restart = { error, reason: 'failed', delayMs }
      await this.#close(false)
      return
    }
    if (this.stopReason !== undefined) {
      await this.#close(true)
      return
    }
    const { error } = holdings.restart!
    holdings.restart = undefined
    this.#begin()
    this.runtime.restarted(this, error, holdings.history!.count)
  }

  #end(reason: StopReason): void {
    this.phase = 'stopped'
    this.refuseAll()
    const holdings = this.held
    holdings?.cancelTimers(true)
    this.runtime.stopped(this, reason)
    holdings?.end(this, this.ref, reason)
    holdings?.stopped?.resolve()
  }

  /** Its name for people. */
  get label(): string {
    return this.name ?? this.toString()
  }

  toString(): string {
    return actorUri(this.runtime.nodeId, this.id)
  }
}

/** What a handler sees of its surroundings: itself, its sender, and what it may do. One object per message. */
import { ConfigError, describe, PulsingUnsupportedError } from '../base/errors.ts'
import { Message } from '../message/message.ts'
import type { Spawnable, StopReason } from './actor.ts'
import type { ActorCell } from './actor-cell.ts'
import type { ActorRef, AskOptions, Delivery } from './actor-ref.ts'
import { Ref } from './actor-ref.ts'
import type { ActorSystem, SpawnOptions } from './actor-system.ts'
import type { RefOf } from './behavior.ts'
import { BoundRecipient } from './bound-recipient.ts'
import type { Envelope } from './envelope.ts'
import type { TypedRef } from './typed-ref.ts'

/** Something scheduled that can be called off. */
export interface Cancellable {
  /** Calls it off; does nothing when it has happened, or was called off before. */
  cancel(): void
}

/** When, beside the first time, a scheduled message comes. */
export interface ScheduleOptions {
  /**
   * Comes again every so many milliseconds, above 0, and is left out while the one before still waits outside a full
   * mailbox. Default: once.
   */
  readonly everyMs?: number
  /** Whether a restart of this actor leaves it scheduled. Default false. */
  readonly survivesRestart?: boolean
}

/** A function that handles messages in place of `receive`. */
export type Receive = (msg: Message, ctx: ActorContext) => unknown

/**
 * What a handler sees of its surroundings, and what it may do. One object per message; `onStart` and `onStop` have
 * their own.
 */
export interface ActorContext {
  /** This actor. */
  readonly self: ActorRef
  /** The system this actor runs in. */
  readonly system: ActorSystem
  /** Who sent this message, if it was an actor that said so (see {@link ActorContext.tell}). */
  readonly sender: ActorRef | undefined
  /** Aborts when the caller gave up or its deadline passed, and when this actor is being stopped. */
  readonly signal: AbortSignal
  /** When the caller stops waiting, in milliseconds as `performance.now()` counts them; undefined when nobody waits. */
  readonly deadline: number | undefined
  /**
   * The fencing token of an exclusive actor, a positive integer, the same after a restart; undefined for all others.
   * Whoever had the name before had a lower one: a store that refuses writes with a token lower than the highest it has
   * seen is safe even from code that runs on after its actor was stopped.
   */
  readonly fencingToken: number | undefined
  /** Actors this one has spawned that live, on other nodes too, in the order they were spawned. */
  readonly children: readonly ActorRef[]
  /**
   * {@link ActorRef.ask} as a part of handling this message: the receiver sees this actor as `sender`, the wait ends no
   * later than this message's deadline, and is given up when this message's caller gives up.
   *
   * @throws DeadlockError when the ask would wait for itself: `ref`'s actor waits for this message to be handled
   * @throws PulsingTimeoutError also when this message's deadline has passed already
   */
  ask(ref: ActorRef, msg: Message, options?: AskOptions): Promise<Message>
  ask<R = unknown>(ref: ActorRef, value: unknown, options?: AskOptions): Promise<R>
  ask<M, R>(ref: TypedRef<M, R>, msg: M, options?: AskOptions): Promise<R>
  /** {@link ActorRef.tell} in this actor's name: the receiver sees it as `sender`. */
  tell<M>(ref: TypedRef<M, unknown>, msg: M): Promise<void>
  /**
   * The same ref, or proxy, with which every ask and call is made like {@link ActorContext.ask}. It speaks in this
   * actor's name: keep it here, and put the ref itself into messages.
   *
   * @example
   * ```ts
   * import { asActor, contextOf, createActorSystem } from 'pulsing'
   *
   * const Prices = asActor(class { of(item: string) { return item.length } })
   * const Shop = asActor(class {
   *   constructor(private prices: import('pulsing').ActorProxy<InstanceType<typeof Prices>>) {}
   *   order(item: string) { return contextOf(this).bind(this.prices).of(item) }
   * })
   * const system = await createActorSystem()
   * const shop = await Shop.local(system, await Prices.local(system))
   * await shop.order('tea') // 3: had this call timed out, so would the one it made
   * await system.shutdown()
   * ```
   */
  bind(ref: ActorRef): ActorRef
  bind<M, R>(ref: TypedRef<M, R>): TypedRef<M, R>
  bind<P extends { readonly ref: ActorRef }>(proxy: P): P
  /**
   * Tells this actor, once, when `ref`'s actor has ended: with a Message of type `Terminated` whose value is
   * `{ ref, reason }`, behind the last message that actor sent here, also when it has ended before, and also when this
   * mailbox is full. Watching it again before that changes nothing.
   *
   * An actor on another node has ended, too, when that node has, or cannot be reached for as long as sessions wait: then
   * the reason is `unreachable`.
   *
   * @throws ConfigError for this actor itself
   *
   * @example
   * ```ts
   * import { createActorSystem } from 'pulsing'
   *
   * const system = await createActorSystem()
   * const worker = await system.spawn({ receive: () => undefined })
   * const ended = new Promise<string>((resolve) => {
   *   void system.spawn({
   *     onStart: (ctx) => ctx.watch(worker),
   *     receive: (msg) => { if (msg.msgType === 'Terminated') resolve(msg.toObject<{ reason: string }>().reason) },
   *   })
   * })
   * await system.stop(worker)
   * await ended // 'killed'
   * await system.shutdown()
   * ```
   */
  watch(ref: TypedRef<never, unknown>): void
  /** Ends a watch: no `Terminated` of that actor comes any more. */
  unwatch(ref: TypedRef<never, unknown>): void
  /**
   * Spawns a child, as `ActorSystem.spawn` does: it is stopped before its parent ends.
   *
   * @throws ActorStoppedError also when this actor has stopped
   */
  spawn<S extends Spawnable>(actor: S, name: string, options?: SpawnOptions): Promise<RefOf<S>>
  spawn<S extends Spawnable>(actor: S, options?: SpawnOptions): Promise<RefOf<S>>
  /** Stops this actor after the current message; `reason` is what `onStop` is told. Default `normal`. */
  stop(reason?: StopReason): void
  /**
   * Tells this actor `msg` once, after `delayMs` milliseconds; dropped when the actor stops first. Until then it keeps a
   * Node.js process alive.
   *
   * @throws ConfigError when `delayMs` is negative, `everyMs` not above 0, or one of them no number
   */
  schedule(delayMs: number, msg: unknown, options?: ScheduleOptions): Cancellable
  /** Handles later messages with `receive` instead; {@link unbecome} goes back. */
  become(receive: Receive): void
  /** Handles later messages with the actor's own `receive` again, however often {@link become} was called. */
  unbecome(): void
  /**
   * Sets the current message aside, its caller waiting on, until {@link unstashAll}.
   *
   * @throws PulsingUnsupportedError in `onStart` and `onStop`, which handle no message
   */
  stash(): void
  /** Handles all stashed messages next, in the order they were stashed. */
  unstashAll(): void
}

/** The one implementation of {@link ActorContext}. */
export class MessageContext implements ActorContext {
  readonly cell: ActorCell
  readonly envelope: Envelope | undefined

  /** @param envelope the message being handled; none in `onStart` and `onStop` */
  constructor(cell: ActorCell, envelope: Envelope | undefined) {
    this.cell = cell
    this.envelope = envelope
  }

  get self(): ActorRef {
    return this.cell.ref
  }
  get system(): ActorSystem {
    return this.cell.runtime.system
  }
  get sender(): ActorRef | undefined {
    return this.envelope?.sender
  }
  get signal(): AbortSignal {
    return this.envelope?.signal ?? this.cell.stopSignal
  }
  get deadline(): number | undefined {
    return this.envelope?.deadline
  }
  get fencingToken(): number | undefined {
    return this.cell.fencingToken
  }
  /** The context in which this message was sent, if it was an ask of an actor of this node. */
  get outer(): MessageContext | undefined {
    return this.envelope?.within
  }
  get children(): readonly ActorRef[] {
    return [...(this.cell.children ?? [])].flatMap(({ ref }) => ref ?? [])
  }

  ask(ref: ActorRef, msg: Message, options?: AskOptions): Promise<Message>
  ask<R>(ref: ActorRef, value: unknown, options?: AskOptions): Promise<R>
  ask<M, R>(ref: TypedRef<M, R>, msg: M, options?: AskOptions): Promise<R>
  ask(ref: TypedRef<never, unknown>, value: unknown, options?: AskOptions): Promise<unknown> {
    return ref.ask(value as never, { ...options, sender: this.self, within: this } as Delivery)
  }

  tell<M>(ref: TypedRef<M, unknown>, msg: M): Promise<void> {
    return ref.tell(msg, { sender: this.self } as AskOptions)
  }

  bind(ref: ActorRef): ActorRef
  bind<M, R>(ref: TypedRef<M, R>): TypedRef<M, R>
  bind<P extends { readonly ref: ActorRef }>(proxy: P): P
  bind(target: unknown): unknown {
    if (target instanceof Ref) return target.behind(new BoundRecipient(target.recipient, this))
    return this.cell.runtime.proxies.rebound(target as object, (ref) => this.bind(ref))
  }

  watch(ref: TypedRef<never, unknown>): void {
    const found = asRef(ref).recipient
    // Of a name, the instance it leads to now.
    const recipient = found.instance ?? found
    if (recipient.id === this.cell.id) throw new ConfigError('expected another actor to watch, got the actor itself')
    this.cell.beginWatch(recipient)
  }

  unwatch(ref: TypedRef<never, unknown>): void {
    this.cell.holdings.unwatch(ref.id, this.cell)
  }

  spawn<S extends Spawnable>(actor: S, name: string, options?: SpawnOptions): Promise<RefOf<S>>
  spawn<S extends Spawnable>(actor: S, options?: SpawnOptions): Promise<RefOf<S>>
  spawn(actor: Spawnable, nameOrOptions?: string | SpawnOptions, options?: SpawnOptions): Promise<never> {
    const { runtime } = this.cell
    const ref =
      typeof nameOrOptions === 'string'
        ? runtime.spawn(actor, nameOrOptions, options, this.cell)
        : runtime.spawn(actor, undefined, nameOrOptions, this.cell)
    return ref as Promise<never>
  }

  stop(reason: StopReason = 'normal'): void {
    this.cell.stopSelf(reason)
  }

  schedule(delayMs: number, msg: unknown, options?: ScheduleOptions): Cancellable {
    return this.cell.later(delayMs, msg instanceof Message ? msg : Message.fromObject('', msg), options)
  }

  become(receive: Receive): void {
    this.cell.behavior = receive
  }

  unbecome(): void {
    this.cell.behavior = undefined
  }

  stash(): void {
    if (!this.envelope || this.envelope.isForgotten)
      throw new PulsingUnsupportedError(
        'stash() expects a message being handled, got none: onStart and onStop have none, and this one may be over',
      )
    this.cell.stash(this.envelope)
  }

  unstashAll(): void {
    this.cell.unstashAll()
  }
}

function asRef(ref: unknown): Ref {
  if (ref instanceof Ref) return ref
  throw new PulsingUnsupportedError(`expected an ActorRef of this package, got ${describe(ref)}`)
}

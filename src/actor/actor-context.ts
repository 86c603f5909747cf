/** What a handler sees of its surroundings: itself, its sender, and what it may do. One object per message. */
import type { Timer } from '../base/clock.ts'
import { ignoreRejection } from '../base/deferred.ts'
import { PulsingUnsupportedError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import type { Spawnable, StopReason } from './actor.ts'
import type { ActorCell } from './actor-cell.ts'
import type { ActorRef, AskOptions } from './actor-ref.ts'
import type { ActorSystem, SpawnOptions } from './actor-system.ts'
import type { Envelope } from './envelope.ts'

/** Something scheduled that can be called off. */
export interface Cancellable {
  /** Calls it off; does nothing when it has happened, or was called off before. */
  cancel(): void
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
   * {@link ActorRef.ask} in this actor's name: the receiver sees it as `sender`, and the wait ends no later than this
   * message's deadline.
   *
   * @throws PulsingTimeoutError also when that deadline has passed already
   */
  ask(ref: ActorRef, msg: Message, options?: AskOptions): Promise<Message>
  ask<R = unknown>(ref: ActorRef, value: unknown, options?: AskOptions): Promise<R>
  /** {@link ActorRef.tell} in this actor's name: the receiver sees it as `sender`. */
  tell(ref: ActorRef, msg: unknown): Promise<void>
  /**
   * Spawns a child, as `ActorSystem.spawn` does: it is stopped before its parent ends.
   *
   * @throws ActorStoppedError also when this actor has stopped
   */
  spawn(actor: Spawnable, name: string, options?: SpawnOptions): Promise<ActorRef>
  spawn(actor: Spawnable, options?: SpawnOptions): Promise<ActorRef>
  /** Stops this actor after the current message; `reason` is what `onStop` is told. Default `normal`. */
  stop(reason?: StopReason): void
  /** Tells this actor `msg` once, after `delayMs` milliseconds; dropped when the actor stops first. */
  schedule(delayMs: number, msg: unknown): Cancellable
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

/** @internal */
export class MessageContext implements ActorContext {
  readonly #cell: ActorCell
  readonly #envelope: Envelope | undefined

  /** @param envelope the message being handled; none in `onStart` and `onStop` */
  constructor(cell: ActorCell, envelope: Envelope | undefined) {
    this.#cell = cell
    this.#envelope = envelope
  }

  get self(): ActorRef {
    return this.#cell.ref
  }
  get system(): ActorSystem {
    return this.#cell.runtime.system
  }
  get sender(): ActorRef | undefined {
    return this.#envelope?.sender
  }
  get signal(): AbortSignal {
    return this.#envelope?.signal ?? this.#cell.stopSignal
  }
  get deadline(): number | undefined {
    return this.#envelope?.deadline
  }

  ask(ref: ActorRef, msg: Message, options?: AskOptions): Promise<Message>
  ask<R>(ref: ActorRef, value: unknown, options?: AskOptions): Promise<R>
  ask(ref: ActorRef, value: unknown, options?: AskOptions): Promise<unknown> {
    return ref.ask(value, { ...options, sender: this.self, deadline: this.deadline } as AskOptions)
  }

  tell(ref: ActorRef, msg: unknown): Promise<void> {
    return ref.tell(msg, { sender: this.self } as AskOptions)
  }

  spawn(actor: Spawnable, name: string, options?: SpawnOptions): Promise<ActorRef>
  spawn(actor: Spawnable, options?: SpawnOptions): Promise<ActorRef>
  spawn(actor: Spawnable, nameOrOptions?: string | SpawnOptions, options?: SpawnOptions): Promise<ActorRef> {
    return typeof nameOrOptions === 'string'
      ? this.#cell.runtime.spawn(actor, nameOrOptions, options, this.#cell)
      : this.#cell.runtime.spawn(actor, undefined, nameOrOptions, this.#cell)
  }

  stop(reason: StopReason = 'normal'): void {
    void this.#cell.stop(reason)
  }

  schedule(delayMs: number, msg: unknown): Cancellable {
    const cell = this.#cell
    const { timers } = cell
    const timer: Timer = cell.runtime.clock.setTimer(() => {
      timers.delete(timer)
      // Refused by a full mailbox, it is a counted dead letter already.
      ignoreRejection(cell.ref.tell(msg))
    }, delayMs)
    timers.add(timer)
    return {
      cancel: () => {
        timers.delete(timer)
        timer.cancel()
      },
    }
  }

  become(receive: Receive): void {
    this.#cell.behavior = receive
  }

  unbecome(): void {
    this.#cell.behavior = undefined
  }

  stash(): void {
    if (!this.#envelope)
      throw new PulsingUnsupportedError(
        'stash() expects a message being handled, got none: onStart and onStop have none',
      )
    this.#cell.stash(this.#envelope)
  }

  unstashAll(): void {
    this.#cell.unstashAll()
  }
}

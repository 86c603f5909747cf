/** Actors written as functions: what to do with a message, and, by what it returns, with the next. */

import { isThenable } from '../base/deferred.ts'
import { ConfigError, describe } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import { FORMAT } from '../message/message.ts'
import type { ActorLike, ActorSource, StopReason } from './actor.ts'
import { toActor } from './actor.ts'
import type { ActorContext } from './actor-context.ts'
import type { ActorRef } from './actor-ref.ts'
import type { TypedRef } from './typed-ref.ts'

/** What a behavior does beside handling messages. */
export type BehaviorHooks = Pick<ActorLike, 'onStart' | 'onStop' | 'onChildFailure' | 'metadata'>

/**
 * Handles one message: `msg` is the plain value that was sent, or the Message where one was sent, as by `ctx.watch`. The
 * result answers an `ask`; a {@link Behavior} answers nothing, and handles the messages from then on.
 */
export type BehaviorHandler<M, R> = (msg: M, ctx: ActorContext) => R | Behavior<M, R> | Promise<R | Behavior<M, R>>

/** A definition of actors; made by {@link behavior}. Every spawn, and every restart, makes another actor of it. */
export class Behavior<in M, out R> implements ActorSource {
  readonly isRepeatable = true
  readonly #handle: BehaviorHandler<never, unknown>
  readonly #hooks: BehaviorHooks
  /** Only for the compiler, which tells behaviors apart by it. */
  declare readonly types: ((msg: M) => R) | undefined

  constructor(handle: BehaviorHandler<M, R>, hooks: BehaviorHooks) {
    this.#handle = handle as BehaviorHandler<never, unknown>
    this.#hooks = hooks
  }

  get handle(): BehaviorHandler<never, unknown> {
    return this.#handle
  }

  [toActor](): ActorLike {
    return new BehaviorActor(this, this.#hooks)
  }
}

/**
 * An actor as a function of the message and its context. What it returns is the reply; returning another behavior
 * instead changes what handles later messages, without a reply. `spawn` gives a {@link TypedRef} for it.
 *
 * @param hooks `onStart`, `onStop`, `onChildFailure` and `metadata`, as an Actor has them
 * @throws ConfigError for something that is no function
 *
 * @example
 * ```ts
 * import { Behavior, behavior, createActorSystem } from 'pulsing'
 *
 * const counter = (count: number): Behavior<'add' | 'get', number> =>
 *   behavior((msg) => (msg === 'get' ? count : counter(count + 1)))
 * const system = await createActorSystem()
 * const ref = await system.spawn(counter(0), 'counter')
 * await ref.tell('add')
 * await ref.ask('get') // 1
 * await system.shutdown()
 * ```
 */
export function behavior<M, R = unknown>(handle: BehaviorHandler<M, R>, hooks: BehaviorHooks = {}): Behavior<M, R> {
  if (typeof handle !== 'function')
    throw new ConfigError(`expected a function of message and context, got ${describe(handle)}`)
  return new Behavior(handle, hooks)
}

/** How what was spawned is held: a behavior, or a function that makes one, by a {@link TypedRef}. */
export type RefOf<S> = S extends Behavior<infer M, infer R> | (() => Behavior<infer M, infer R>)
  ? TypedRef<M, R>
  : ActorRef

class BehaviorActor implements ActorLike {
  readonly #hooks: BehaviorHooks
  #behavior: Behavior<never, unknown>

  constructor(first: Behavior<never, unknown>, hooks: BehaviorHooks) {
    this.#behavior = first
    this.#hooks = hooks
  }

  receive(msg: Message, ctx: ActorContext): unknown {
    const isPlain = !msg.isStream && msg.msgType === '' && msg.format === FORMAT.cbor
    const value = isPlain ? msg.toObject() : msg
    const result: unknown = this.#behavior.handle(value as never, ctx)
    return isThenable(result) ? Promise.resolve(result).then(this.#next) : this.#next(result)
  }

  readonly #next = (result: unknown): unknown => {
    if (!(result instanceof Behavior)) return result
    this.#behavior = result
    return undefined
  }

  onStart(ctx: ActorContext): void | Promise<void> {
    return this.#hooks.onStart?.(ctx)
  }

  onStop(ctx: ActorContext, reason: StopReason): void | Promise<void> {
    return this.#hooks.onStop?.(ctx, reason)
  }

  onChildFailure(
    ...failure: Parameters<NonNullable<ActorLike['onChildFailure']>>
  ): ReturnType<NonNullable<ActorLike['onChildFailure']>> {
    return this.#hooks.onChildFailure?.(...failure)
  }

  metadata(): Record<string, string> {
    return this.#hooks.metadata?.() ?? {}
  }
}

/**
 * The actor every node runs for the cluster, named `system/core`: creates actors of listed classes for other members,
 * tells them when actors they watch have ended, and has what is asked about its node answered.
 */
import type { ActorLike, StopReason } from '../actor/actor.ts'
import type { MessageContext } from '../actor/actor-context.ts'
import type { ActorRef } from '../actor/actor-ref.ts'
import { Ref } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { SpawnOptions } from '../actor/actor-system.ts'
import { CREATE_TYPE, isInspection, WATCH_TYPE } from '../actor/system-names.ts'
import { describe, PermissionDeniedError, PulsingUnsupportedError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import type { Inspector } from './inspector.ts'

/** The value of a request to create an actor. */
export interface CreateRequest {
  readonly type: string
  readonly args: readonly unknown[]
  readonly name: string | undefined
  readonly options: SpawnOptions
  /** What the actor lives as long as, if it is somebody's child. */
  readonly parent?: ActorRef
}

/** Makes an instance of a class other members may create here, or undefined for any other class. */
export type ClassHost = (type: string, args: readonly unknown[]) => object | undefined

export class SystemActor implements ActorLike {
  readonly #runtime: ActorRuntime
  readonly #host: ClassHost
  readonly #loadInspector: (() => Promise<Inspector>) | undefined
  #inspector: Inspector | undefined

  /** @param inspector comes when it is first needed; without one, nothing is told about the node */
  constructor(runtime: ActorRuntime, host: ClassHost, inspector?: () => Promise<Inspector>) {
    this.#runtime = runtime
    this.#host = host
    this.#loadInspector = inspector
  }

  receive(msg: Message, ctx: MessageContext): unknown {
    if (!msg.isStream) {
      if (msg.msgType === CREATE_TYPE) return this.#create(msg.toObject<CreateRequest>())
      if (msg.msgType === WATCH_TYPE) return this.#watch(msg.toObject(), ctx.signal)
      if (this.#loadInspector && isInspection(msg.msgType)) return this.#inspect(msg, ctx, this.#loadInspector)
    }
    throw new PulsingUnsupportedError(`expected a request this node knows, got one of type ${describe(msg.msgType)}`)
  }

  async #inspect(msg: Message, ctx: MessageContext, load: () => Promise<Inspector>): Promise<unknown> {
    this.#inspector ??= await load()
    return this.#inspector.answer(msg, ctx)
  }

  /** Why an actor ended, once it has; at once for one that is not there. */
  #watch(actorId: unknown, signal: AbortSignal): Promise<StopReason> | StopReason {
    const cell = typeof actorId === 'string' ? this.#runtime.byId(actorId) : undefined
    if (!cell) return 'normal'
    return new Promise((resolve) => {
      const watcher = { terminated: (_ref: ActorRef, reason: StopReason) => resolve(reason) }
      cell.watch(watcher)
      signal.addEventListener('abort', () => {
        cell.unwatch(watcher)
        resolve('normal')
      })
    })
  }

  #create({ type, args, name, options, parent }: CreateRequest): Promise<ActorRef> {
    if (typeof type !== 'string' || !Array.isArray(args))
      throw new PulsingUnsupportedError('expected a class and its arguments, got something else')
    if (parent !== undefined && !(parent instanceof Ref))
      throw new PulsingUnsupportedError(`expected a ref as the parent of a new actor, got ${describe(parent)}`)
    const make = (): ActorLike => {
      const instance = this.#host(type, args)
      if (!instance)
        throw new PermissionDeniedError(
          `expected a class this node lets others create, got ${describe(type)}: list it in withActors()`,
        )
      return instance as ActorLike
    }
    return parent ? this.#createChild(parent, make, name, options) : this.#runtime.spawn(make, name, options)
  }

  /**
   * Makes an actor the child of one of this node that ends as soon as `parent` has, or the child itself. Watched from
   * before the start, so that a parent that ended meanwhile leaves nothing behind.
   */
  async #createChild(
    parent: Ref,
    make: () => ActorLike,
    name: string | undefined,
    options: SpawnOptions,
  ): Promise<ActorRef> {
    const guardian = this.#runtime.startInternal({ receive: (_ended, ctx) => ctx.stop() }, undefined)
    guardian.beginWatch(parent.recipient)
    try {
      const child = await this.#runtime.spawn(make, name, options, guardian)
      guardian.beginWatch((child as Ref).recipient)
      return child
    } catch (error) {
      void guardian.stop('normal')
      throw error
    }
  }
}

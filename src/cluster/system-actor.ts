/**
 * The actor every node runs for the cluster, named `system/core`: creates actors of listed classes for other members, and
 * tells them when actors they watch have ended.
 */
import type { ActorLike, StopReason } from '../actor/actor.ts'
import type { ActorContext } from '../actor/actor-context.ts'
import type { ActorRef } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { SpawnOptions } from '../actor/actor-system.ts'
import { CREATE_TYPE, WATCH_TYPE } from '../actor/system-names.ts'
import { describe, PermissionDeniedError, PulsingUnsupportedError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'

/** The value of a request to create an actor. */
export interface CreateRequest {
  readonly type: string
  readonly args: readonly unknown[]
  readonly name: string | undefined
  readonly options: SpawnOptions
}

/** Makes an instance of a class other members may create here, or undefined for any other class. */
export type ClassHost = (type: string, args: readonly unknown[]) => object | undefined

export class SystemActor implements ActorLike {
  readonly #runtime: ActorRuntime
  readonly #host: ClassHost

  constructor(runtime: ActorRuntime, host: ClassHost) {
    this.#runtime = runtime
    this.#host = host
  }

  receive(msg: Message, ctx: ActorContext): unknown {
    if (!msg.isStream) {
      if (msg.msgType === CREATE_TYPE) return this.#create(msg.toObject<CreateRequest>())
      if (msg.msgType === WATCH_TYPE) return this.#watch(msg.toObject(), ctx.signal)
    }
    throw new PulsingUnsupportedError(
      `expected a request of type ${CREATE_TYPE} or ${WATCH_TYPE}, got ${describe(msg.msgType)}`,
    )
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

  #create({ type, args, name, options }: CreateRequest): unknown {
    if (typeof type !== 'string' || !Array.isArray(args))
      throw new PulsingUnsupportedError('expected a class and its arguments, got something else')
    return this.#runtime.spawn(
      () => {
        const instance = this.#host(type, args)
        if (!instance)
          throw new PermissionDeniedError(
            `expected a class this node lets others create, got ${describe(type)}: list it in withActors()`,
          )
        return instance as ActorLike
      },
      name,
      options,
    )
  }
}

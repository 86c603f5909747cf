/** The actor every node runs for the cluster, named `system/core`: creates actors of listed classes for other members. */
import type { ActorLike } from '../actor/actor.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { SpawnOptions } from '../actor/actor-system.ts'
import { describe, PermissionDeniedError, PulsingUnsupportedError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'

/** The name of the system actor, which serves as its id too. */
export const SYSTEM_ACTOR = 'system/core'
/** Type of a request to create an actor; its value is a {@link CreateRequest}. */
export const CREATE_TYPE = '@create'

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

  receive(msg: Message): unknown {
    if (msg.msgType === CREATE_TYPE && !msg.isStream) return this.#create(msg.toObject<CreateRequest>())
    throw new PulsingUnsupportedError(`expected a request of type ${CREATE_TYPE}, got ${describe(msg.msgType)}`)
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

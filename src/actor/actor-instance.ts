/** From what `spawn` was given to an actor: an instance as it is, a new one from a function or a class. */
import { ConfigError, describe } from '../base/errors.ts'
import type { ActorLike, ActorSource, Spawnable } from './actor.ts'
import { toActor } from './actor.ts'

/** @throws ConfigError when what comes out is no actor, and whatever a constructor or function throws */
export function instantiate(actor: Spawnable): ActorLike {
  const instance: unknown = typeof actor === 'function' ? make(actor) : actor
  if (isActorSource(instance)) return instance[toActor]()
  if (isActorLike(instance)) return instance
  throw new ConfigError(`expected an actor with a receive method, got ${describe(instance)}`)
}

/** Whether {@link instantiate} makes a new actor every time, as a restart needs it. */
export function isRepeatable(actor: unknown): boolean {
  return typeof actor === 'function' || (isActorSource(actor) && actor.isRepeatable === true)
}

export function isActorLike(value: unknown): value is ActorLike {
  return typeof value === 'object' && value !== null && typeof (value as ActorLike).receive === 'function'
}

export function isActorSource(value: unknown): value is ActorSource {
  return typeof value === 'object' && value !== null && typeof (value as ActorSource)[toActor] === 'function'
}

function make(actor: (() => unknown) | (new () => unknown)): unknown {
  const prototype: unknown = actor.prototype
  const isClass =
    isActorLike(prototype) || isActorSource(prototype) || /^class\b/.test(Function.prototype.toString.call(actor))
  return isClass ? new (actor as new () => unknown)() : (actor as () => unknown)()
}

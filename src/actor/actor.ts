/** What a user writes: an object that receives messages, one at a time. */
import type { Message } from '../message/message.ts'
import type { ActorContext } from './actor-context.ts'

/**
 * Why an actor ended: it stopped itself (`normal`), its code failed in `onStart` (`failed`), another actor or program
 * stopped it (`killed`), its system was shut down (`shutdown`), or its node was lost (`unreachable`).
 */
export type StopReason = 'normal' | 'failed' | 'killed' | 'shutdown' | 'unreachable'

/**
 * Base class of actors. One message is handled at a time: the next waits until the promise `receive` returned settles.
 * A generator it returned runs on beside later messages, between its own awaits and yields.
 */
export abstract class Actor {
  /**
   * Handles one message. The result answers an `ask`: a Message, any value, nothing, or a generator, async iterable or
   * ReadableStream for a stream. A throw rejects the ask; the actor lives on.
   */
  abstract receive(msg: Message, ctx: ActorContext): unknown
  /** Runs before the first message, and `spawn` waits for it; a throw fails `spawn`, and `onStop` does not run. */
  onStart?(ctx: ActorContext): void | Promise<void>
  /**
   * Runs after the last message, when all children have stopped. A throw is reported as `actorFailed` and changes
   * nothing.
   */
  onStop?(ctx: ActorContext, reason: StopReason): void | Promise<void>
  /** Facts about this actor for inspectors. */
  metadata?(): Record<string, string>
}

/** Anything with `receive` will do; extending {@link Actor} is a convenience. */
export type ActorLike = Pick<Actor, 'receive' | 'onStart' | 'onStop' | 'metadata'>

/** Objects that are not actors but can be made one have a method of this name, as instances of `asActor` classes do. */
export const toActor: unique symbol = Symbol('pulsing.toActor')

/** Something an actor can be made from when asked to. */
export interface ActorSource {
  [toActor](): ActorLike
}

/** What `spawn` takes: an instance, a function that makes one, or a class without required arguments. */
export type Spawnable = ActorLike | ActorSource | (() => ActorLike | ActorSource) | (new () => ActorLike | ActorSource)

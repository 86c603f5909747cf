/** What a user writes: an object that receives messages, one at a time. */
import type { PulsingError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import type { ActorContext } from './actor-context.ts'
import type { ActorRef } from './actor-ref.ts'
import type { Decision } from './supervision.ts'

/**
 * Why an actor ended: it stopped itself (`normal`), it failed and was not to be restarted again (`failed`), another
 * actor or program stopped it (`killed`), its system was shut down (`shutdown`), or its node was lost (`unreachable`).
 */
export type StopReason = 'normal' | 'failed' | 'killed' | 'shutdown' | 'unreachable'

/**
 * Base class of actors. One message is handled at a time: the next waits until the promise `receive` returned settles.
 * A generator it returned runs on beside later messages, between its own awaits and yields, and is ended with the actor.
 */
export abstract class Actor {
  /**
   * Handles one message. The result answers an `ask`: a Message, any value, nothing, or a generator, async iterable or
   * ReadableStream for a stream. A throw rejects the ask; the actor lives on as it is, unless its restart policy or its
   * parent decides otherwise.
   */
  abstract receive(msg: Message, ctx: ActorContext): unknown
  /**
   * Runs before the first message, and `spawn` waits for it; a throw fails `spawn`, and `onStop` does not run. Runs
   * again on the new instance after a restart.
   */
  onStart?(ctx: ActorContext): void | Promise<void>
  /**
   * Runs after the last message, when all children have stopped; before a restart too, with reason `failed`, or `normal`
   * where the actor stopped itself. A throw is reported as `actorFailed` and changes nothing.
   */
  onStop?(ctx: ActorContext, reason: StopReason): void | Promise<void>
  /**
   * Decides about a child that failed; nothing leaves it to the child's own restart policy. Runs at once, maybe while
   * this actor waits in a handler of its own; it must not be asynchronous.
   */
  onChildFailure?(child: ActorRef, error: PulsingError, ctx: ActorContext): Decision | undefined
  /** Facts about this actor for inspectors. */
  metadata?(): Record<string, string>
}

/** Anything with `receive` will do; extending {@link Actor} is a convenience. */
export type ActorLike = Pick<Actor, 'receive' | 'onStart' | 'onStop' | 'onChildFailure' | 'metadata'> & {
  /** Whether what `receive` throws is the caller's affair alone, unless the restart policy says otherwise */
  readonly [answersErrors]?: boolean
}

/** Marks actors of the proxy layer. */
export const answersErrors: unique symbol = Symbol('pulsing.answersErrors')

/** Objects that are not actors but can be made one have a method of this name, as instances of `asActor` classes do. */
export const toActor: unique symbol = Symbol('pulsing.toActor')

/** Something an actor can be made from when asked to. */
export interface ActorSource {
  [toActor](): ActorLike
  /** Whether every call makes a new actor, as a restart needs it */
  readonly isRepeatable?: boolean
}

/** What `spawn` takes: an instance, a function that makes one, or a class without required arguments. */
export type Spawnable = ActorLike | ActorSource | (() => ActorLike | ActorSource) | (new () => ActorLike | ActorSource)

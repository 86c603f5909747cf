/** A ref that says what its actor can be told and what it answers: how functional behaviours are held. Types only. */
import type { StreamReader } from '../stream/stream-reader.ts'
import type { ActorRef, AskOptions } from './actor-ref.ts'

/**
 * An {@link ActorRef} to an actor that handles messages of type `M` and answers with an `R`; `spawn` gives one for a
 * behavior. It is the same object, and goes into messages as any ref does.
 *
 * Every ActorRef is a TypedRef of any type, without a cast: the types are what the program says of the actor, and
 * nobody checks them at run time. A TypedRef of more messages, or of narrower answers, is one of fewer or wider.
 *
 * @example
 * ```ts
 * import { behavior, createActorSystem } from 'pulsing'
 *
 * const system = await createActorSystem()
 * const doubler = await system.spawn(behavior<number, number>((n) => n * 2)) // a TypedRef<number, number>
 * await doubler.ask(21) // 42
 * await system.shutdown()
 * ```
 */
export interface TypedRef<in M, out R> {
  /** As {@link ActorRef}'s `id`. */
  readonly id: string
  /** As {@link ActorRef}'s `name`. */
  readonly name?: string
  /** As {@link ActorRef}'s `nodeId`. */
  readonly nodeId: string
  /** As {@link ActorRef}'s `isLocal`. */
  readonly isLocal: boolean
  /** Sends a message and waits for the answer; throws what {@link ActorRef}'s `ask` throws. */
  ask(msg: M, options?: AskOptions): Promise<R>
  /** Sends without waiting for an answer; throws what {@link ActorRef}'s `tell` throws. */
  tell(msg: M, options?: Pick<AskOptions, 'transfer'>): Promise<void>
  /** Asks, and reads the answer as a stream of `T`, as {@link ActorRef}'s `askStream` does. */
  askStream<T = unknown>(msg: M, options?: AskOptions): StreamReader<T>
}

/** The news that a watched actor has ended, on its way into its watcher's mailbox. */
import { Message } from '../message/message.ts'
import type { StopReason } from './actor.ts'
import type { ActorRef } from './actor-ref.ts'
import { Signal } from './envelope.ts'

/** Type of the message a watcher gets; its value is {@link Terminated}. */
export const TERMINATED_TYPE = 'Terminated'

/** What a watcher is told, as the value of a message of type `Terminated`. */
export interface Terminated {
  /** The actor that ended. */
  readonly ref: ActorRef
  /** Why; `normal` also for one that had ended before, and of which nothing is known any more. */
  readonly reason: StopReason
}

/** Whoever can be told. */
export interface Watcher {
  /** Called once, when the actor `ref` stands for has ended; perhaps at once. */
  terminated(ref: ActorRef, reason: StopReason): void
}

export class TerminatedSignal extends Signal {
  readonly #taken: () => void

  /** @param taken called when the watcher begins to handle it */
  constructor(ref: ActorRef, reason: StopReason, taken: () => void) {
    super(Message.fromObject(TERMINATED_TYPE, { ref, reason } satisfies Terminated), undefined)
    this.#taken = taken
  }

  taken(): void {
    this.#taken()
  }
}

/**
 * What a system reports to whoever listens with `system.on`, and the logger it writes warnings and errors to as well.
 */
import type { PulsingError } from '../base/errors.ts'
import type { StopReason } from './actor.ts'
import type { ActorRef } from './actor-ref.ts'
import type { Member } from './actor-system.ts'

/** The events of `ActorSystem.on`: their names, and what a listener gets. */
export interface SystemEvents {
  /** An actor of this node runs: its `onStart` is over. */
  readonly actorStarted: { readonly ref: ActorRef }
  /** An actor of this node has ended: its `onStop` is over. */
  readonly actorStopped: { readonly ref: ActorRef; readonly reason: StopReason }
  /** An actor of this node runs again, as a new instance; `restarts` counts those of its window, this one included. */
  readonly actorRestarted: {
    readonly ref: ActorRef
    /** What it failed with; undefined where it had stopped itself. */
    readonly error: PulsingError | undefined
    readonly restarts: number
  }
  /**
   * A handler, or a hook, threw; an ask's caller was told. The actor lives on, unless its restart policy or its parent
   * decides otherwise: what they do is an event of its own.
   */
  readonly actorFailed: { readonly ref: ActorRef; readonly error: PulsingError }
  /**
   * A message that reached nobody on this node; `reason` is the code of an error. `total` counts them since the system
   * began.
   */
  readonly deadLetter: {
    readonly recipient: string
    readonly msgType: string
    readonly reason: string
    readonly total: number
  }
  /** An ask made on this node had no answer in time. */
  readonly askTimedOut: { readonly recipient: string; readonly timeoutMs: number }
  /** A node can be reached now. */
  readonly memberJoined: { readonly member: Member }
  /** A node told something new about itself. */
  readonly memberUpdated: { readonly member: Member }
  /** A node left, or no way to it is left; what waited for it has failed. */
  readonly memberLeft: { readonly member: Member }
  /** A link to a neighbour is up; `transport` is the name of what carries it. */
  readonly linkOpened: { readonly nodeId: string; readonly transport: string }
  /** A link to a neighbour is over; `error` says why, unless it was closed on purpose. */
  readonly linkClosed: { readonly nodeId: string; readonly transport: string; readonly error: PulsingError | undefined }
  /** Something an operator may want to know; `code` is stable. */
  readonly warning: { readonly code: string; readonly message: string; readonly error?: PulsingError }
}

/**
 * Where log lines go. `console` is one. What it throws is ignored. Of lines about the same thing at most
 * {@link LINES_PER_WINDOW} are written in {@link LOG_WINDOW_MS} milliseconds, and then how many were left out.
 */
export interface Logger {
  /** Details for whoever looks for a fault. */
  debug(message: string, ...details: unknown[]): void
  /** What happens in normal operation. */
  info(message: string, ...details: unknown[]): void
  /**
   * What an operator may want to know; each is a `warning` event too, or an actor's failure nobody else was told of.
   */
  warn(message: string, ...details: unknown[]): void
  /** What should not happen: an event listener that threw, for example. */
  error(message: string, ...details: unknown[]): void
}

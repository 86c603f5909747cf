/** What a system reports to whoever listens with `system.on`, and the logger it writes to otherwise. */
import type { PulsingError } from '../base/errors.ts'
import type { StopReason } from './actor.ts'
import type { ActorRef } from './actor-ref.ts'
import type { Member } from './actor-system.ts'

export interface SystemEvents {
  readonly actorStarted: { readonly ref: ActorRef }
  readonly actorStopped: { readonly ref: ActorRef; readonly reason: StopReason }
  /** A handler threw. The actor lives on; an ask's caller was told. */
  readonly actorFailed: { readonly ref: ActorRef; readonly error: PulsingError }
  /** A message that reached nobody. `total` counts them since the system began. */
  readonly deadLetter: {
    readonly recipient: string
    readonly msgType: string
    readonly reason: string
    readonly total: number
  }
  readonly memberJoined: { readonly member: Member }
  readonly memberUpdated: { readonly member: Member }
  readonly memberLeft: { readonly member: Member }
  /** A link to a neighbour is up or over. */
  readonly linkOpened: { readonly nodeId: string; readonly transport: string }
  readonly linkClosed: { readonly nodeId: string; readonly transport: string; readonly error: PulsingError | undefined }
  /** Something an operator may want to know; `code` is stable. */
  readonly warning: { readonly code: string; readonly message: string; readonly error?: PulsingError }
}

/** Where log lines go. `console` is one. */
export interface Logger {
  debug(message: string, ...details: unknown[]): void
  info(message: string, ...details: unknown[]): void
  warn(message: string, ...details: unknown[]): void
  error(message: string, ...details: unknown[]): void
}

/**
 * Actors of one other node that are watched from here: for each one ask, without a deadline, of that node's own actor,
 * answered when the watched one has ended. It settles once, so that each watch is told once; that a node cannot be
 * reached for a while is no end, that its session is over is.
 */
import type { StopReason } from '../actor/actor.ts'
import type { ActorRef, Cancellation, Delivery } from '../actor/actor-ref.ts'
import { SYSTEM_ACTOR, WATCH_TYPE } from '../actor/system-names.ts'
import type { Watcher } from '../actor/terminated.ts'
import { isPulsingError } from '../base/errors.ts'
import { Message } from '../message/message.ts'

/** What watches need of their association. */
export interface WatchLine {
  ask(
    actorId: string,
    message: Message,
    asksPlain: boolean,
    delivery: Delivery,
    address: { toString(): string },
  ): Promise<unknown>
}

interface Watch {
  readonly watchers: Map<Watcher, ActorRef>
  readonly cancellation: Cancellation
}

const REASONS: readonly unknown[] = ['normal', 'failed', 'killed', 'shutdown', 'unreachable'] satisfies StopReason[]

export class RemoteWatches {
  readonly #line: WatchLine
  readonly #watches = new Map<string, Watch>()

  constructor(line: WatchLine) {
    this.#line = line
  }

  /** Actors watched. */
  get size(): number {
    return this.#watches.size
  }

  add(ref: ActorRef, watcher: Watcher): void {
    const known = this.#watches.get(ref.id)
    if (known) {
      known.watchers.set(watcher, ref)
      return
    }
    const watch: Watch = { watchers: new Map([[watcher, ref]]), cancellation: {} }
    this.#watches.set(ref.id, watch)
    const delivery: Delivery = { timeout: Infinity, cancellation: watch.cancellation }
    this.#line.ask(SYSTEM_ACTOR, Message.fromObject(WATCH_TYPE, ref.id), true, delivery, ref).then(
      (reason) => this.#ended(ref.id, watch, REASONS.includes(reason) ? (reason as StopReason) : 'normal'),
      (error: unknown) => this.#ended(ref.id, watch, reasonFor(error)),
    )
  }

  remove(actorId: string, watcher: Watcher): void {
    const watch = this.#watches.get(actorId)
    if (!watch?.watchers.delete(watcher) || watch.watchers.size > 0) return
    this.#watches.delete(actorId)
    watch.cancellation.cancel?.(undefined)
  }

  #ended(actorId: string, watch: Watch, reason: StopReason): void {
    if (this.#watches.get(actorId) === watch) this.#watches.delete(actorId)
    for (const [watcher, ref] of watch.watchers) watcher.terminated(ref, reason)
  }
}

/** Why an actor is over whose node does not say: the node itself is, unless it refused. */
function reasonFor(error: unknown): StopReason {
  return isPulsingError(error, 'unreachable') || isPulsingError(error, 'session_reset') ? 'unreachable' : 'normal'
}

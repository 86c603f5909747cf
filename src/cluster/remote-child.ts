/**
 * A child on another node, as its parent holds it. What ties the two is the hold: an actor of this node that ends when
 * the child is to be stopped, and that the other node watches from before it creates the child. So the child goes
 * whatever becomes of the messages in between: also when its creation is still on its way, and when this node is lost.
 */
import type { StopReason } from '../actor/actor.ts'
import { type ActorCell, STOP_GRACE_MS } from '../actor/actor-cell.ts'
import type { ActorRef, Ref } from '../actor/actor-ref.ts'
import type { Child } from '../actor/cell-holdings.ts'
import { deferred } from '../base/deferred.ts'
import { ActorStoppedError } from '../base/errors.ts'

/** As long as a local child's last handler and its `onStop` may take together, in milliseconds. */
export const REMOTE_STOP_GRACE_MS = 2 * STOP_GRACE_MS

export class RemoteChild implements Child {
  ref: ActorRef | undefined
  readonly #parent: ActorCell
  readonly #hold: ActorCell
  readonly #hasWay: () => boolean
  readonly #over = deferred<void>()

  /**
   * @param hasWay whether its node can be reached now
   * @throws ActorStoppedError for a parent that takes no children any more
   */
  constructor(parent: ActorCell, hasWay: () => boolean) {
    if (!parent.takesChildren)
      throw new ActorStoppedError('expected a running parent for a new actor, got one that has stopped', {
        address: parent.toString(),
      })
    this.#parent = parent
    this.#hasWay = hasWay
    this.#hold = parent.runtime.startInternal({ receive: () => undefined }, undefined, parent)
    ;(parent.holdings.children ??= new Set()).add(this)
  }

  /** What the other node is to watch. */
  get hold(): ActorRef {
    return this.#hold.ref
  }

  /** The child, once it is there. @throws ActorStoppedError when its parent has let it go meanwhile, and what `creation` does */
  async begin(creation: Promise<ActorRef>): Promise<ActorRef> {
    try {
      this.ref = await creation
    } catch (error) {
      // It may be there all the same, its answer lost: without the hold it does not stay.
      this.#end('normal')
      throw error
    }
    ;(this.ref as Ref).recipient.watch({ terminated: (_ref, reason) => this.#end(reason) })
    if (this.#hold.hasEnded)
      throw new ActorStoppedError('the actor was stopped while it started', { address: String(this.ref) })
    return this.ref
  }

  /** Lets go of it, and waits until it has ended, {@link REMOTE_STOP_GRACE_MS} at most; not at all where no way leads there. */
  async stop(reason: StopReason): Promise<void> {
    void this.#hold.abort(reason)
    if (this.#hasWay()) {
      const late = this.#parent.runtime.clock.setTimer(() => this.#over.resolve(), REMOTE_STOP_GRACE_MS)
      late.hold(false)
      await this.#over.promise
      late.cancel()
    }
    this.#end(reason)
  }

  #end(reason: StopReason): void {
    void this.#hold.abort(reason)
    this.#parent.holdings.children?.delete(this)
    this.#over.resolve()
  }
}

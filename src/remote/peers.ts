/** This node's associations, one for every node it talks to, and the refs to actors there. */
import type { ActorRef, Delivery } from '../actor/actor-ref.ts'
import { DEFAULT_ASK_TIMEOUT_MS, Ref, refusedAsk } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import { discardMessage } from '../actor/discarded-result.ts'
import type { Watcher } from '../actor/terminated.ts'
import { Deadlines } from '../base/deadlines.ts'
import {
  ActorStoppedError,
  OverloadedError,
  ProtocolError,
  type PulsingError,
  SessionResetError,
  UnreachableError,
} from '../base/errors.ts'
import type { Link } from '../link/link.ts'
import type { Message } from '../message/message.ts'
import type { Frame } from '../wire/frame.ts'
import type { AssociationOwner } from './association.ts'
import { Association } from './association.ts'
import { Pace } from './pace.ts'
import { RemoteRecipient } from './remote-recipient.ts'

/** What associations need to know of the cluster. */
export interface Routes {
  /** Another number whenever {@link linkTo} may answer otherwise. */
  readonly waysVersion: number
  linkTo(nodeId: string): Link | undefined
  /** How long a node no way leads to is still waited for, in milliseconds; 0 for one that is not. */
  awaitedMs(nodeId: string): number
  /** A message of `bytes` bytes was sent to a node. */
  sent(nodeId: string, bytes: number): void
  /** A signal of a transport negotiation came from a node. */
  signalled(nodeId: string, payload: Uint8Array): void
}

/** Associations kept, those with nodes that left included. */
const MAX_ASSOCIATIONS = 1024
/** Bytes of frames, to all nodes together, that wait for their acknowledgement before senders have to. */
export const MAX_KEPT_BYTES: number = 64 * 1024 * 1024

export class Peers implements AssociationOwner {
  readonly runtime: ActorRuntime
  readonly maxMessageBytes: number
  readonly deadlines: Deadlines
  readonly #routes: Routes
  readonly pace: Pace
  readonly #associations = new Map<string, Association>()
  /** Set when this node is shut down: why nothing can be sent any more. */
  closed: PulsingError | undefined
  #lastHeard: Association | undefined
  #sessions = 0
  #keptBytes = 0

  constructor(runtime: ActorRuntime, routes: Routes, maxMessageBytes: number) {
    this.runtime = runtime
    this.#routes = routes
    this.maxMessageBytes = maxMessageBytes
    this.pace = new Pace(runtime.clock)
    this.deadlines = new Deadlines(runtime.clock, DEFAULT_ASK_TIMEOUT_MS, false)
  }

  /** The association with a node, begun if need be. */
  readonly associate = (nodeId: string): Association => {
    let association = this.#associations.get(nodeId)
    if (association) return association
    if (this.#associations.size >= MAX_ASSOCIATIONS) this.#forgetIdle()
    association = new Association(nodeId, this)
    this.#associations.set(nodeId, association)
    const leftMs = this.#routes.awaitedMs(nodeId)
    if (leftMs > 0) association.lose(noWay(nodeId), leftMs)
    return association
  }

  /** Lets go of pairs nothing is pending in, and no way leads to: the oldest first. */
  #forgetIdle(): void {
    for (const [nodeId, association] of this.#associations)
      if (association.isForgettable && !this.linkTo(nodeId)) this.#forget(nodeId)
  }

  #forget(nodeId: string): void {
    const association = this.#associations.get(nodeId)
    if (association) association.isForgotten = true
    this.#associations.delete(nodeId)
  }

  /** Asks and streams with other nodes that are not over. */
  get pending(): { readonly asks: number; readonly streams: number } {
    let asks = 0
    let streams = 0
    for (const { pending } of this.#associations.values()) {
      asks += pending.asks
      streams += pending.streams
    }
    return { asks, streams }
  }

  associations(): IterableIterator<Association> {
    return this.#associations.values()
  }

  /** A ref to an actor, here or on another node. */
  refTo(nodeId: string, actorId: string, name: string | undefined): ActorRef {
    if (nodeId !== this.runtime.nodeId) {
      return new Ref(new RemoteRecipient(nodeId, actorId, name, this.associate), this.runtime.proxies)
    }
    const cell = this.runtime.byId(actorId)
    return cell ? cell.ref : new Ref(new StoppedRecipient(nodeId, actorId, name, this.runtime), this.runtime.proxies)
  }

  get waysVersion(): number {
    return this.#routes.waysVersion
  }

  linkTo(nodeId: string): Link | undefined {
    return this.#routes.linkTo(nodeId)
  }

  sent(nodeId: string, bytes: number): void {
    this.#routes.sent(nodeId, bytes)
  }

  signalled(nodeId: string, payload: Uint8Array): void {
    this.#routes.signalled(nodeId, payload)
  }

  kept(bytes: number): void {
    const wasFull = this.isFull
    this.#keptBytes += bytes
    if (wasFull && !this.isFull) for (const association of this.#associations.values()) association.release()
  }

  get isFull(): boolean {
    return this.#keptBytes >= MAX_KEPT_BYTES
  }

  nextSession(): number {
    return ++this.#sessions
  }

  /**
   * A routed frame for this node, from `nodeId`. Bytes that break the protocol end the session with that node.
   *
   * @throws ProtocolError when that node is the neighbour itself: its link ends too
   */
  receive(link: Link, nodeId: string, frame: Frame): void {
    // Frames come in batches, most of them from one node.
    let association = this.#lastHeard
    if (association === undefined || association.nodeId !== nodeId || association.isForgotten)
      association = this.#lastHeard = this.associate(nodeId)
    try {
      association.receive(frame, link)
    } catch (error) {
      const isOverload = error instanceof OverloadedError
      if (!isOverload && !(error instanceof ProtocolError)) throw error
      const what = isOverload ? 'sent more than this node takes' : 'broke the protocol'
      association.reset(new SessionResetError(`node ${nodeId} ${what}: ${error.message}`, { cause: error }))
      if (nodeId === link.nodeId && !isOverload) throw error
    }
  }

  /** A node can be reached, or frames may have been lost on the way there is. */
  found(nodeId: string): void {
    this.#associations.get(nodeId)?.resume()
  }

  /** No way leads to a node that is waited for: what is pending with it waits, too, and then fails. */
  lost(nodeId: string): void {
    if (!this.closed) this.#associations.get(nodeId)?.lose(noWay(nodeId), this.#routes.awaitedMs(nodeId))
  }

  /** A node is gone for good: what is pending with it fails. */
  gone(nodeId: string, error: PulsingError): void {
    this.#associations.get(nodeId)?.reset(error)
    this.#forget(nodeId)
  }

  /** What is pending with a node fails, though the node lives on. */
  reset(nodeId: string, error: PulsingError): void {
    if (!this.closed) this.#associations.get(nodeId)?.reset(error)
  }

  /** Ends all associations. */
  close(error: PulsingError): void {
    this.closed = error
    for (const association of this.#associations.values()) association.reset(error)
    this.deadlines.close()
  }
}

/** Why what is sent to a node waits, and fails when it waited in vain. */
export function noWay(nodeId: string): UnreachableError {
  const error = new UnreachableError(`no way leads to node ${nodeId} any more`, { address: `actor://${nodeId}` })
  // An engine keeps every object of the stack until the stack is first read: here, the link that broke.
  void error.stack
  return error
}

/** Behind a ref to an actor of this node that is gone: everything sent to it is a dead letter. */
class StoppedRecipient extends RemoteRecipient {
  readonly hasEnded = true
  readonly #runtime: ActorRuntime

  constructor(nodeId: string, id: string, name: string | undefined, runtime: ActorRuntime) {
    super(nodeId, id, name, () => {
      throw new ActorStoppedError('expected a running actor, got one that has stopped')
    })
    this.#runtime = runtime
  }

  override tell(message: Message): Promise<void> {
    this.#lose(message)
    return Promise.resolve()
  }

  override watch(watcher: Watcher): void {
    watcher.terminated(new Ref(this, this.#runtime.proxies), 'normal')
  }

  override unwatch(): void {}

  override ask(message: Message, isPlain: boolean, delivery: Delivery | undefined): Promise<unknown> {
    this.#lose(message)
    return refusedAsk(
      delivery,
      new ActorStoppedError('expected a running actor, got one that has stopped', {
        address: this.toString(),
        outcome: 'not-sent',
      }),
      { message, isPlain },
    )
  }

  #lose(message: Message): void {
    discardMessage(message)
    this.#runtime.deadLetter(this.toString(), message.msgType, 'actor_stopped')
  }
}

/**
 * What a program holds of its node: the public face of the system, without a word on how it is wired. The composition
 * root implements it; everything from actors to proxies sees only this.
 */
import { asyncDispose } from '../base/disposal.ts'
import type { ActorSource, Spawnable } from './actor.ts'
import type { ActorRef } from './actor-ref.ts'
import type { MailboxOptions } from './mailbox.ts'
import type { SystemEvents } from './system-events.ts'

export interface SpawnOptions {
  /** Whether other nodes can find the actor by its name. Default false. */
  readonly public?: boolean
  readonly mailbox?: MailboxOptions
}

export interface Member {
  readonly nodeId: string
  /** Where it listens, if it does. */
  readonly addr?: string
  /** `relay`: accepts links and forwards. `leaf`: only dials. */
  readonly kind: 'relay' | 'leaf'
  readonly status: 'online' | 'hidden' | 'suspended' | 'detached' | 'unreachable'
  /** Whether this is the node that answers. */
  readonly isSelf: boolean
}

export interface ResolveOptions {
  /** Milliseconds to wait for the name to appear. Default {@link DEFAULT_RESOLVE_TIMEOUT_MS}. */
  readonly timeout?: number
  /** Only an instance on this node. */
  readonly node?: string
  /** Which of several instances. Default `round-robin`. */
  readonly policy?: ResolvePolicy
  readonly signal?: AbortSignal
}

/** How one of several instances of a public name is chosen. */
export type ResolvePolicy = 'round-robin' | 'random' | 'prefer-local'

/** How long `resolve` waits for a name unless said otherwise, in milliseconds. */
export const DEFAULT_RESOLVE_TIMEOUT_MS = 5_000

/** The other side of a link made by `connect`. */
export interface Peer {
  readonly nodeId: string
  /** Ends the link after what was sent has left. */
  close(): Promise<void>
  /** Settles when the link is over. */
  readonly closed: Promise<void>
}

/** Arguments of remote creation. */
export interface CreateOptions extends SpawnOptions {
  readonly name?: string
  /** The node to create on; otherwise any other member that hosts the class. */
  readonly node?: string
}

/** @internal an actor to be created somewhere: how others know its class, and how to make one here */
export interface Creation {
  readonly type: string
  readonly args: readonly unknown[]
  make(): ActorSource
}

/** One node: its actors, and its place in the cluster. Made by `createActorSystem`. */
export abstract class ActorSystem implements AsyncDisposable {
  /** New for every boot. */
  abstract readonly nodeId: string
  /** The bound address with its real port; undefined for a node that does not listen. */
  abstract readonly addr: string | undefined
  /**
   * Starts an actor: an instance, a function that makes one, or a class.
   *
   * @throws ActorAlreadyExistsError when the name is taken on this node; of two concurrent spawns exactly one wins
   * @throws ConfigError for a bad name or option
   * @throws whatever `onStart` threw, as the `cause` of a PulsingActorError
   */
  abstract spawn(actor: Spawnable, name: string, options?: SpawnOptions): Promise<ActorRef>
  abstract spawn(actor: Spawnable, options?: SpawnOptions): Promise<ActorRef>
  /** The actor of that name: on this node, else a public one anywhere. Several instances are balanced. */
  abstract find(name: string): Promise<ActorRef | undefined>
  /**
   * Like {@link find}, waiting for a public name to appear.
   *
   * @throws ActorNotFoundError when it does not in time
   */
  abstract resolve(name: string, options?: ResolveOptions): Promise<ActorRef>
  abstract hasActor(name: string): Promise<boolean>
  /** Stops an actor of this node after its current message; queued ones are dropped, their asks rejected. An unknown name does nothing. */
  abstract stop(nameOrRef: string | ActorRef): Promise<void>
  /** All nodes seen from here, this one first. */
  abstract members(): Member[]
  /**
   * Links this node to a MessagePort, a Worker (from inside: `self`, `parentPort`), a SharedWorker, an iframe's window, or
   * a URL. From then on both are members of one cluster and forward for each other.
   */
  abstract connect(endpoint: unknown): Promise<Peer>
  /** Calls `listener` for every later event of that name; the returned function ends it. */
  abstract on<K extends keyof SystemEvents>(event: K, listener: (event: SystemEvents[K]) => void): () => void
  /** Ends the node: actors' `onStop` run, members are told, every pending ask settles. Calling it again waits for the same end. */
  abstract shutdown(): Promise<void>
  /** @internal creates an actor of a registered class on another member, or here when there is none */
  abstract createRemote(creation: Creation, options: CreateOptions): Promise<ActorRef>

  [asyncDispose](): Promise<void> {
    return this.shutdown()
  }
}

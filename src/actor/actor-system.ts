/**
 * What a program holds of its node: the public face of the system, without a word on how it is wired. The composition
 * root implements it; everything from actors to proxies sees only this.
 */
import { asyncDispose } from '../base/disposal.ts'
import type { ActorSource, Spawnable } from './actor.ts'
import type { ActorRef } from './actor-ref.ts'
import type { RefOf } from './behavior.ts'
import type { MailboxOptions } from './mailbox.ts'
import type { RestartPolicy } from './supervision.ts'
import type { SystemEvents } from './system-events.ts'
import type { TypedRef } from './typed-ref.ts'

/** How an actor is started. */
export interface SpawnOptions {
  /** Whether other nodes can find the actor by its name, which it must have then. Default false. */
  readonly public?: boolean
  /** Size and overflow policy of its mailbox. Default: the capacity of `withMailboxCapacity`, and `'wait'`. */
  readonly mailbox?: MailboxOptions
  /**
   * Whether and how the actor is restarted. It needs a function or a class to make new instances. Default: never; what
   * its handler throws is answered, and it goes on.
   */
  readonly restart?: RestartPolicy
  /**
   * Lets other messages be handled while a handler waits for a promise: `receive` runs interleaved with itself, at most
   * as often as its mailbox has room. Default false: one message at a time.
   */
  readonly reentrant?: boolean
}

/** One node of the cluster, as this node sees it. A snapshot: it does not change. */
export interface Member {
  /** Identifies the node until it ends; a restarted program has a new one. */
  readonly nodeId: string
  /** The address it is bound to, if it listens: with host `0.0.0.0`, not one to dial. */
  readonly addr?: string
  /** `relay`: accepts links and forwards. `leaf`: only dials. */
  readonly kind: 'relay' | 'leaf'
  /** Always `online` for now: a node that cannot be reached is not a member. The others are kept for later versions. */
  readonly status: 'online' | 'hidden' | 'suspended' | 'detached' | 'unreachable'
  /** Whether this is the node that answers. */
  readonly isSelf: boolean
}

/** Which instance of a name is wanted, and how long to wait for one. */
export interface ResolveOptions {
  /**
   * Milliseconds to wait for the name to appear, 0 or more; Infinity waits for ever. Default
   * {@link DEFAULT_RESOLVE_TIMEOUT_MS}.
   */
  readonly timeout?: number
  /** Only an instance on the node with this id. */
  readonly node?: string
  /** Which of several instances. Default: the one on this node if there is one, else `round-robin`. */
  readonly policy?: ResolvePolicy
  /** Gives up waiting; `resolve` then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * How one of several instances of a public name is chosen: each in turn, any, or one on this node before all others.
 */
export type ResolvePolicy = 'round-robin' | 'random' | 'prefer-local'

/** How long `resolve` waits for a name unless said otherwise, in milliseconds. */
export const DEFAULT_RESOLVE_TIMEOUT_MS = 5_000

/** How `connect` reaches the other side. */
export interface ConnectOptions {
  /** For a window of another origin: that origin, exactly. Default: this page's own. */
  readonly targetOrigin?: string
}

/** The other side of a link made by `connect`. */
export interface Peer {
  /** The id of the node over there. */
  readonly nodeId: string
  /** Ends the link after what was sent has left. */
  close(): Promise<void>
  /** Settles when the link is over. */
  readonly closed: Promise<void>
}

/** How and where an instance of an `asActor` class is started. */
export interface CreateOptions extends SpawnOptions {
  /** Default: the class's type name, `_` and 8 hex digits. */
  readonly name?: string
  /**
   * The id of the node to create on. Default: this node for `local`, any other member that hosts the class for
   * `remote`.
   */
  readonly node?: string
}

/** What of a node lives, and has to end some day. */
export interface Census {
  /** Actors, those of the framework not counted. */
  readonly actors: number
  /** Asks, with a timeout, that wait for their reply. */
  readonly asks: number
  /** Messages that were scheduled. */
  readonly timers: number
  /** Generators that actors have returned, and streams from and to other nodes. */
  readonly streams: number
  /** Listeners of events. */
  readonly listeners: number
}

/** @internal an actor to be created somewhere: how others know its class, and how to make one here */
export interface Creation {
  readonly type: string
  readonly args: readonly unknown[]
  make(): ActorSource
}

/** One node: its actors, and its place in the cluster. Made by `createActorSystem`. */
export abstract class ActorSystem implements AsyncDisposable {
  /** This node's id, new for every boot. */
  abstract readonly nodeId: string
  /** The bound address with its real port; undefined for a node that does not listen. */
  abstract readonly addr: string | undefined
  /**
   * Starts an actor: an instance, a function that makes one, or a class. Resolves when its `onStart` has run.
   *
   * @param name 1 to 200 letters, digits, spaces and `_-.:/@`, not beginning with `system/`; without one it is
   * anonymous
   * @throws ActorAlreadyExistsError when the name is taken on this node; of two concurrent spawns exactly one wins
   * @throws ConfigError for a bad actor, name or option
   * @throws ActorStoppedError when the system is shut down, or the actor was stopped while it started
   * @throws PulsingActorError whose `cause` is what the constructor or `onStart` threw; a PulsingError is thrown as it
   * is
   *
   * @example
   * ```ts
   * import { createActorSystem } from 'pulsing'
   *
   * const system = await createActorSystem()
   * const echo = await system.spawn({ receive: (msg) => msg.toObject() }, 'echo', { public: true })
   * await echo.ask({ hello: 'world' }) // { hello: 'world' }
   * await system.shutdown()
   * ```
   */
  abstract spawn<S extends Spawnable>(actor: S, name: string, options?: SpawnOptions): Promise<RefOf<S>>
  abstract spawn<S extends Spawnable>(actor: S, options?: SpawnOptions): Promise<RefOf<S>>
  /**
   * The actor of that name, or undefined: the one on this node, else a public one elsewhere, several in turn. Waits for
   * nothing.
   */
  abstract find(name: string): Promise<ActorRef | undefined>
  /**
   * Like {@link find}, waiting for a public name to appear.
   *
   * @throws ActorNotFoundError when it does not in time
   * @throws ActorStoppedError when this system is shut down
   * @throws ConfigError when `timeout` is negative or no number
   *
   * @example
   * ```ts
   * import { createActorSystem, SystemConfig } from 'pulsing'
   *
   * const server = await createActorSystem(SystemConfig.withAddr('ws://127.0.0.1:0'))
   * await server.spawn({ receive: () => 'pong' }, 'pinger', { public: true })
   * const client = await createActorSystem(SystemConfig.withSeeds([server.addr!]))
   * const pinger = await client.resolve('pinger', { timeout: 10_000 })
   * await pinger.ask('ping') // 'pong'
   * await Promise.all([client.shutdown(), server.shutdown()])
   * ```
   */
  abstract resolve(name: string, options?: ResolveOptions): Promise<ActorRef>
  /** Whether {@link find} finds an actor of that name now. */
  abstract hasActor(name: string): Promise<boolean>
  /**
   * Stops an actor of this node after its current message, and resolves when its `onStop` has run. Queued messages
   * become dead letters, their asks reject with ActorStoppedError. An unknown name, or a ref to another node, does
   * nothing.
   */
  abstract stop(nameOrRef: string | TypedRef<never, unknown>): Promise<void>
  /** All nodes seen from here, this one first. */
  abstract members(): Member[]
  /**
   * Links this node to a MessagePort, a Worker (from inside: `self`, `parentPort`), a SharedWorker, an iframe's window,
   * or a URL. From then on both are members of one cluster and forward for each other. Resolves when the other side has
   * told what it knows of the cluster; the other side has to call `connect` too, or listen.
   *
   * @throws ConfigError for an endpoint that no transport of this node can dial
   * @throws PulsingTimeoutError when the other side does not answer within 30 000 milliseconds
   * @throws UnreachableError when nobody answers there, or the link ends before it is up
   * @throws AuthError, ProtocolError when one side refused the other
   * @throws ActorStoppedError when this system is shut down
   */
  abstract connect(endpoint: unknown, options?: ConnectOptions): Promise<Peer>
  /**
   * Calls `listener` for every later event of that name; the returned function ends it. A listener that throws is
   * logged.
   */
  abstract on<K extends keyof SystemEvents>(event: K, listener: (event: SystemEvents[K]) => void): () => void
  /**
   * Ends the node: actors' `onStop` run, members are told, every pending ask settles. Calling it again awaits the same
   * end.
   */
  abstract shutdown(): Promise<void>
  /** What of this node lives, and has to end some day: for tests that nothing is left over, and for inspectors. */
  abstract census(): Census
  /** @internal creates an actor of a registered class on another member, or here when there is none */
  abstract createRemote(creation: Creation, options: CreateOptions): Promise<ActorRef>

  /** {@link shutdown}, for `await using`. */
  [asyncDispose](): Promise<void> {
    return this.shutdown()
  }
}

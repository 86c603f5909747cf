/**
 * What a program holds of its node: the public face of the system, without a word on how it is wired. The composition
 * root implements it; everything from actors to proxies sees only this.
 */
import { asyncDispose } from '../base/disposal.ts'
import type { ActorSource, Spawnable } from './actor.ts'
import type { ActorCell } from './actor-cell.ts'
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
  /**
   * Whether it is to be the only exclusive actor of its name in the cluster; it must be public then. One node of the
   * cluster has to be the authority that grants such names: `startRelay({ authority: true })`. The actor keeps the name
   * until it has ended, restarts included, and has a token of it in `ctx.fencingToken`. When its node cannot reach the
   * authority for two thirds of a lease, it is stopped with reason `killed` and a `warning` event, `exclusive-lost`,
   * before another gets the name. Default false.
   *
   * An authority that has just started grants nothing for one lease, by default 15 seconds: `spawn` waits.
   */
  readonly exclusive?: boolean
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
  /** Where others dial it, if it listens: `withAdvertisedAddr`, or else the bound address, with `0.0.0.0` none to dial. */
  readonly addr?: string
  /** `relay`: accepts links and forwards. `leaf`: only dials. */
  readonly kind: 'relay' | 'leaf'
  /**
   * `online`: a way leads there. `hidden`: a page nobody sees now. `suspended`: a page its browser has put aside; the
   * browser answers for it, it does not, and what is sent waits. `detached`: a leaf cut off from its relay. `unreachable`:
   * no way leads there. The last two are waited for, see {@link Limits.sessionGraceMs}; their names are not found meanwhile.
   */
  readonly status: 'online' | 'hidden' | 'suspended' | 'detached' | 'unreachable'
  /** Whether this is the node that answers. */
  readonly isSelf: boolean
}

/** One live actor of a public name, as a policy sees it; or one member that hosts a class. */
export interface InstanceInfo {
  /** The id of the node it runs on. */
  readonly nodeId: string
  /** The actor's id; for a class, `system/core`: the actor of that member that creates others. */
  readonly actorId: string
  /** The name; for a class, its type name. */
  readonly name: string
  /** Whether it is on this node. */
  readonly isLocal: boolean
}

/** Which instance of a name is wanted, and how long to wait for one. */
export interface ResolveOptions {
  /**
   * Milliseconds to wait for the name to appear, 0 or more; Infinity waits for ever. Default
   * {@link DEFAULT_RESOLVE_TIMEOUT_MS}.
   */
  readonly timeout?: number
  /** Only an instance on the node with this id; the ref stays with it. */
  readonly node?: string
  /**
   * Which of several public instances, now and when the ref goes on to another. Default: the one on this node if there
   * is one, else `round-robin`.
   */
  readonly policy?: ResolvePolicy
  /** Gives up waiting; `resolve` then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * How one of several instances of a public name is chosen:
 *
 * - `round-robin`: each in turn.
 * - `random`: any.
 * - `prefer-local`: the one on this node; without one, each in turn.
 * - `least-loaded`: the one with the fewest asks that this node sent to it, through refs found by a name, and that have
 *   not settled; of equals each in turn.
 * - `{ key }`: always the same one for the same key, on whatever node it is chosen, while the same instances live. An
 *   instance that comes or goes moves only the keys that it gets or had.
 * - A function: the one it returns of those it is given; undefined for none of them. It should depend on nothing that
 *   takes time: it is called whenever one has to be chosen.
 */
export type ResolvePolicy =
  | 'round-robin'
  | 'random'
  | 'prefer-local'
  | 'least-loaded'
  | { readonly key: string }
  | ((instances: readonly InstanceInfo[]) => InstanceInfo | undefined)

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
  /**
   * Which of the members that host the class `remote` creates on, when `node` does not say. This node, where it hosts
   * the class, is among them for `prefer-local`, `{ key }` and functions only. `least-loaded`: fewest asks to that
   * member that have not settled. Default `random`.
   */
  readonly policy?: ResolvePolicy
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
  /** Whether only members that host the class will do: this one by every policy, if it does, and else never. */
  readonly hostsOnly?: boolean
}

/** One node: its actors, and its place in the cluster. Made by `createActorSystem`. */
export abstract class ActorSystem implements AsyncDisposable {
  /** This node's id, new for every boot. */
  abstract readonly nodeId: string
  /**
   * The bound address with its real port, even if another one is advertised, which `members()` shows; undefined for a
   * node that does not listen.
   */
  abstract readonly addr: string | undefined
  /**
   * Starts an actor: an instance, a function that makes one, or a class. Resolves when its `onStart` has run.
   *
   * @param name 1 to 200 letters, digits, spaces and `_-.:/@`, not beginning with `system/`; without one it is
   * anonymous
   * @throws ActorAlreadyExistsError when the name is taken on this node, or an exclusive one anywhere; of two concurrent
   * spawns exactly one wins
   * @throws ConfigError for a bad actor, name or option, and for `exclusive` where a cluster has several authorities
   * @throws UnreachableError for `exclusive` where no authority can be reached within 5 000 milliseconds
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
   *
   * What begins with `actor://` is a URI: `actor:///<name>` is the name, `actor:///<name>@<nodeId>` the instance of that
   * node, `actor://<nodeId>/<actorId>` that very actor, for another node without a look whether it is there. `localhost`
   * in the place of a node's id is this node. In a name inside a URI, `@` is written `%40`.
   *
   * The ref of a name goes on to another instance when its own is no more, see {@link resolve}.
   *
   * @throws ConfigError for a URI that is none
   */
  abstract find(name: string): Promise<ActorRef | undefined>
  /**
   * Like {@link find}, waiting for a public name to appear.
   *
   * The ref leads to one live instance, and stays with it, so that messages arrive in order. When that one has certainly
   * not handled a message (it could not be sent, or the actor had stopped before) the message goes to another one,
   * chosen by the same policy, at most once to each and within the same timeout; the ref stays with the new one. A
   * message that was sent again may arrive behind one that was sent after it. What may have been handled rejects, as do
   * messages with streams, functions or `transfer`; a tell is lost when its actor stops before it is known here. With a
   * node, or an actor's id, there is no other instance. Whoever gets the ref in a message gets one to the instance it
   * leads to then.
   *
   * @throws ActorNotFoundError when it does not in time; at once for the id of an actor that this node has not
   * @throws ActorStoppedError when this system is shut down
   * @throws ConfigError when `timeout` is negative or no number, `policy` or a URI is none, or a policy's function
   * returns something else than one of its instances
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
  /** @internal creates an actor of a registered class on another member, or here when there is none; a child of `parent` */
  abstract createRemote(creation: Creation, options: CreateOptions, parent?: ActorCell): Promise<ActorRef>

  /** {@link shutdown}, for `await using`. */
  [asyncDispose](): Promise<void> {
    return this.shutdown()
  }
}

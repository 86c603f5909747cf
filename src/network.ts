/**
 * A node's part in the cluster, wired from cluster, links and transports. Nothing here decides anything; it connects what
 * decides. Apart from `system.ts` because a node that talks to nobody does without it: in browsers it is a chunk of its
 * own, loaded when first needed.
 */
import type { ActorRef } from './actor/actor-ref.ts'
import type { ActorRuntime } from './actor/actor-runtime.ts'
import type { ConnectOptions, Member, Peer, ResolveOptions } from './actor/actor-system.ts'
import { CREATE_TYPE, SYSTEM_ACTOR } from './actor/system-names.ts'
import { deferred } from './base/deferred.ts'
import {
  ActorStoppedError,
  ConfigError,
  describe,
  type PulsingError,
  PulsingTimeoutError,
  UnreachableError,
} from './base/errors.ts'
import { Cluster } from './cluster/cluster.ts'
import { Seeds } from './cluster/seeds.ts'
import type { CreateRequest } from './cluster/system-actor.ts'
import { SystemActor } from './cluster/system-actor.ts'
import { Upgrades } from './cluster/upgrades.ts'
import type { Settings } from './config.ts'
import type { Connection, Listener, Transport } from './link/connection.ts'
import { Link } from './link/link.ts'
import { Message } from './message/message.ts'
import { typeNameOf } from './proxy/as-actor.ts'
import { GOAWAY } from './wire/frame.ts'

/** How long `connect` waits for the other side, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 30_000

export class Network {
  readonly #runtime: ActorRuntime
  readonly #settings: Settings
  readonly #transports: readonly Transport[]
  readonly #cluster: Cluster
  readonly #classes: ReadonlyMap<string, object>
  readonly #seeds: Seeds
  readonly #upgrades: Upgrades | undefined
  readonly #closing = new AbortController()
  #listener: Listener | undefined
  #links = 0

  /** @param transports those every node of this platform has; the settings may add and replace some */
  constructor(runtime: ActorRuntime, settings: Settings, transports: readonly Transport[]) {
    this.#runtime = runtime
    this.#settings = settings
    const added = new Set(settings.transports.map(({ name }) => name))
    this.#transports = [...settings.transports, ...transports.filter(({ name }) => !added.has(name))]
    this.#classes = new Map(settings.classes.map((Class) => [typeNameOf(Class)!, Class]))
    const direct = this.#transports.find(({ negotiation }) => negotiation)
    this.#cluster = new Cluster({
      runtime,
      random: settings.random,
      kind: settings.addr === undefined ? 'leaf' : 'relay',
      features: direct ? [direct.negotiation!.feature] : [],
      classes: [...this.#classes.keys()],
      maxMessageBytes: settings.limits.maxMessageBytes,
      graceMs: settings.limits.sessionGraceMs,
    })
    if (direct) {
      this.#upgrades = new Upgrades(this.#cluster, direct, direct.negotiation!, settings.clock, {
        connected: (connection, transport, isDialer) => void this.#link(connection, transport, isDialer),
        failed: (nodeId, error) =>
          runtime.warn('upgrade-failed', `no direct connection to ${nodeId}: ${error.message}`, error),
      })
      this.#cluster.upgrader = this.#upgrades
    }
    this.#seeds = new Seeds(
      {
        link: (address, signal) => this.#dialSeed(address, signal),
        failed: (address, error, isFinal) =>
          runtime.warn('seed-failed', `seed ${address}${isFinal ? ', not tried again' : ''}: ${error.message}`, error),
      },
      settings.clock,
      settings.random,
    )
  }

  /** The bound address with its real port. */
  get addr(): string | undefined {
    return this.#listener?.address
  }

  /** Listens, if so configured, and joins the seeds, if there are any. */
  async start(): Promise<void> {
    const { addr, seeds, limits } = this.#settings
    this.#runtime.spawnSystem(new SystemActor(this.#runtime, this.#host), SYSTEM_ACTOR)
    if (addr !== undefined) await this.#listen(addr)
    const others = seeds.filter((seed) => seed !== this.addr)
    if (others.length === 0) return
    await this.#join(others, addr !== undefined, limits.joinTimeoutMs)
  }

  /** Asks and streams with other nodes that are not over. */
  get pending(): { readonly asks: number; readonly streams: number } {
    return this.#cluster.peers.pending
  }

  members(): Member[] {
    return this.#cluster.members()
  }

  find(name: string, options?: ResolveOptions): ActorRef | undefined {
    return this.#cluster.directory.find(name, options)
  }

  resolve(name: string, options: ResolveOptions): Promise<ActorRef> {
    return this.#cluster.directory.resolve(name, options)
  }

  async connect(endpoint: unknown, options?: ConnectOptions): Promise<Peer> {
    const link = await this.#dial(endpoint, this.#closing.signal, options)
    await this.#cluster.whenSynced(link)
    return {
      nodeId: link.nodeId,
      closed: link.over,
      close: () => {
        link.close(GOAWAY.closing, 'closing this link')
        return link.over
      },
    }
  }

  /** A member that hosts a class: the one asked for, else any other than this node. */
  hostOf(type: string, node: string | undefined): string | undefined {
    if (node !== undefined) {
      if (this.#cluster.topology.member(node)) return node
      throw new UnreachableError(
        `expected a member to create ${describe(type)} on, got ${describe(node)}, which is none`,
        { outcome: 'not-sent', address: `actor://${node}` },
      )
    }
    const hosts = [...this.#cluster.topology.members()].filter(
      ({ nodeId, classes }) => nodeId !== this.#runtime.nodeId && classes.includes(type),
    )
    return hosts[Math.floor(this.#settings.random.float() * hosts.length)]?.nodeId
  }

  /** Asks a member to create an actor. */
  async create(nodeId: string, request: CreateRequest): Promise<ActorRef> {
    const core = this.#cluster.peers.refTo(nodeId, SYSTEM_ACTOR, SYSTEM_ACTOR)
    const reply = await core.ask(Message.fromObject(CREATE_TYPE, request))
    return reply.toObject<ActorRef>()
  }

  /** Leaves the cluster. The actors have been stopped. */
  async close(): Promise<void> {
    const error = new ActorStoppedError('this node was shut down', { address: `actor://${this.#runtime.nodeId}` })
    this.#seeds.close()
    this.#upgrades?.close()
    this.#closing.abort(error)
    await this.#cluster.close(error)
    await this.#listener?.close()
  }

  // Links

  async #listen(addr: string): Promise<void> {
    const transport = this.#transports.find(({ listen }) => listen)
    if (!transport) {
      throw new ConfigError(
        `expected an address a transport of this platform can listen on, got ${describe(addr)}: browsers can only dial, use seeds`,
      )
    }
    this.#listener = await transport.listen!(addr, (connection) => void this.#link(connection, transport.name, false))
    this.#cluster.topology.self.addr = this.#listener.address
  }

  /** Settles when a seed is linked and told all it knows; rejects when every seed refused this node, or the time is up. */
  async #join(seeds: readonly string[], needsAll: boolean, timeoutMs: number): Promise<void> {
    const joined = this.#seeds.join(seeds, needsAll)
    if (timeoutMs === Infinity) return joined
    const { promise, reject } = deferred<never>()
    const timer = this.#settings.clock.setTimer(
      () => reject(new PulsingTimeoutError('joining the cluster', timeoutMs)),
      timeoutMs,
    )
    await Promise.race([joined, promise]).finally(() => timer.cancel())
  }

  async #dialSeed(address: string, signal: AbortSignal): Promise<{ readonly gone: Promise<void> } | undefined> {
    const link = await this.#dial(address, signal)
    if (link.nodeId === this.#runtime.nodeId) return undefined
    await this.#cluster.whenSynced(link)
    return { gone: this.#cluster.neighbours.whenGone(link.nodeId) }
  }

  async #dial(endpoint: unknown, signal: AbortSignal, options?: ConnectOptions): Promise<Link> {
    const transport = this.#transports.find((candidate) => candidate.dial && candidate.handles(endpoint))
    if (!transport) {
      throw new ConfigError(
        `expected a MessagePort, Worker, SharedWorker, window or an address one of ${this.#transports.map(({ name }) => name).join(', ')} can dial, got ${describe(endpoint)}`,
      )
    }
    const timeout = new AbortController()
    const timer = this.#settings.clock.setTimer(
      () => timeout.abort(new PulsingTimeoutError(`connecting to ${describe(endpoint)}`, CONNECT_TIMEOUT_MS)),
      CONNECT_TIMEOUT_MS,
    )
    const abort = (): void => timeout.abort(signal.reason)
    signal.addEventListener('abort', abort)
    try {
      const connection = await transport.dial!(endpoint, { ...options, signal: timeout.signal })
      return await this.#link(connection, transport.name, true)
    } finally {
      timer.cancel()
      signal.removeEventListener('abort', abort)
    }
  }

  /** Makes a connection a link; settles when the other side was let in, and let this node in. */
  #link(connection: Connection, transport: string, isDialer: boolean): Promise<Link> {
    const { kind, nodeId, features } = this.#cluster.topology.self
    const opened = new Promise<Link>((resolve, reject) => {
      const link = new Link(connection, this.#cluster.neighbours, {
        transport,
        hello: { nodeId, kind, features, serial: ++this.#links },
        auth: this.#settings.auth,
        clock: this.#settings.clock,
      })
      this.#cluster.neighbours.add(link, (outcome) =>
        'link' in outcome ? resolve(outcome.link) : reject(outcome.error),
      )
    })
    if (!isDialer)
      opened.catch((error: PulsingError) =>
        this.#runtime.warn('handshake-failed', `a neighbour was not let in: ${error.message}`, error),
      )
    return opened
  }

  readonly #host = (type: string, args: readonly unknown[]): object | undefined => {
    const Class = this.#classes.get(type)
    return Class && new (Class as new (...args: readonly unknown[]) => object)(...args)
  }
}

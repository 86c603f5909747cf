/**
 * A node's part in the cluster, wired from cluster, links and transports. Nothing here decides anything; it connects what
 * decides. Apart from `system.ts` because a node that talks to nobody does without it: in browsers it is a chunk of its
 * own, loaded when first needed.
 */
import type { ActorCell } from './actor/actor-cell.ts'
import type { ActorRef } from './actor/actor-ref.ts'
import type { ActorRuntime } from './actor/actor-runtime.ts'
import type { ConnectOptions, Member, Peer } from './actor/actor-system.ts'
import type { Lease } from './actor/exclusivity.ts'
import { CREATE_TYPE, LEASES_ACTOR, SYSTEM_ACTOR } from './actor/system-names.ts'
import { deferred } from './base/deferred.ts'
import { ActorStoppedError, ConfigError, describe, type PulsingError, PulsingTimeoutError } from './base/errors.ts'
import { advertisedAddress } from './cluster/advertised-address.ts'
import type { Backbone } from './cluster/backbone.ts'
import { Cluster, OBSERVER } from './cluster/cluster.ts'
import type { Directory } from './cluster/directory.ts'
import type { ExclusiveNames } from './cluster/exclusive-names.ts'
import { type HostChoice, Hosts } from './cluster/hosts.ts'
import type { Inspector } from './cluster/inspector.ts'
import { RemoteChild } from './cluster/remote-child.ts'
import { Seeds } from './cluster/seeds.ts'
import type { CreateRequest } from './cluster/system-actor.ts'
import { SystemActor } from './cluster/system-actor.ts'
import type { Upgrades } from './cluster/upgrades.ts'
import { hasWildcardHost } from './cluster/wildcard.ts'
import type { Settings } from './config.ts'
import type { Connection, Listener, Transport } from './link/connection.ts'
import { Link } from './link/link.ts'
import { Message } from './message/message.ts'
import { typeNameOf } from './proxy/as-actor.ts'
import { GOAWAY } from './wire/frame.ts'

/** How long `connect` waits for the other side, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 30_000

/** What makes a node's part in the cluster another than usual. */
export interface NetworkOptions {
  /** Looks on, and is no member for others. */
  readonly isObserver?: boolean
  /** What makes a relay of a node that listens; only nodes that never do go without. */
  readonly Backbone?: typeof Backbone
  /** What takes it to direct links where it has a transport for them; only nodes that never have one go without. */
  readonly Upgrades?: typeof Upgrades
  /** Tells the node of what happens to its surroundings; the returned function ends that. */
  readonly follow?: (node: Network) => () => void
}

export class Network {
  readonly #runtime: ActorRuntime
  readonly #settings: Settings
  readonly #transports: readonly Transport[]
  readonly #cluster: Cluster
  readonly #classes: ReadonlyMap<string, object>
  readonly #hosts: Hosts
  readonly #seeds: Seeds
  readonly #upgrades: Upgrades | undefined
  readonly #closing = new AbortController()
  #exclusiveNames: Promise<ExclusiveNames> | undefined
  readonly #follow: NetworkOptions['follow']
  #unfollow: (() => void) | undefined
  #listener: Listener | undefined
  #links = 0

  /** @param transports those every node of this platform has; the settings may add and replace some */
  constructor(
    runtime: ActorRuntime,
    settings: Settings,
    transports: readonly Transport[],
    { isObserver = false, follow, Backbone, Upgrades }: NetworkOptions = {},
  ) {
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
      features: [...(direct ? [direct.negotiation!.feature] : []), ...(isObserver ? [OBSERVER] : [])],
      classes: [...this.#classes.keys()],
      maxMessageBytes: settings.limits.maxMessageBytes,
      graceMs: settings.limits.sessionGraceMs,
      hiddenGraceMs: settings.limits.hiddenGraceMs,
    })
    const { topology, peers } = this.#cluster
    this.#hosts = new Hosts(runtime.nodeId, settings.random, {
      members: () => topology.members(),
      isMember: (nodeId) => topology.member(nodeId) !== undefined,
      pendingAsks: () => new Map(Array.from(peers.associations(), ({ nodeId, pending }) => [nodeId, pending.asks])),
    })
    if (direct && Upgrades) {
      this.#upgrades = new Upgrades(this.#cluster, direct, direct.negotiation!, settings.clock, {
        connected: (connection, transport) => this.#admit(connection, transport),
        failed: (nodeId, error) =>
          runtime.warn('upgrade-failed', `no direct connection to ${nodeId}: ${error.message}`, error),
      })
      this.#cluster.upgrader = this.#upgrades
    }
    this.#follow = follow
    if (settings.addr !== undefined && Backbone) this.#cluster.backbone = this.#makeBackbone(Backbone)
    this.#seeds = new Seeds(
      {
        link: (address, signal, timeoutMs) => this.#dialSeed(address, signal, timeoutMs),
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
    this.#runtime.spawnSystem(new SystemActor(this.#runtime, this.#host, this.#loadInspector), SYSTEM_ACTOR)
    if (this.#settings.exclusiveNames.authority) await this.#startAuthority()
    if (addr !== undefined) await this.#listen(addr)
    this.#unfollow = this.#follow?.(this)
    const own = [this.addr, this.#cluster.topology.self.addr]
    const others = seeds.filter((seed) => !own.includes(seed))
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

  /** Names, and who has them. */
  get directory(): Directory {
    return this.#cluster.directory
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

  /** A member that hosts a class, by {@link Hosts.pick}. */
  hostOf(type: string, choice: HostChoice): string | undefined {
    return this.#hosts.pick(type, choice)
  }

  /** Asks a member to create an actor, a child of `parent` if there is one. */
  async create(nodeId: string, request: CreateRequest, parent?: ActorCell): Promise<ActorRef> {
    const core = this.#cluster.peers.refTo(nodeId, SYSTEM_ACTOR, SYSTEM_ACTOR)
    const creation = async (value: CreateRequest): Promise<ActorRef> =>
      (await core.ask(Message.fromObject(CREATE_TYPE, value))).toObject<ActorRef>()
    if (!parent) return creation(request)
    const child = new RemoteChild(parent, () => this.#cluster.linkTo(nodeId) !== undefined)
    return child.begin(creation({ ...request, parent: child.hold }))
  }

  // Exclusive names: loaded by nodes that have some, or grant them.

  /** A lease for an exclusive name. */
  async acquire(name: string): Promise<Lease> {
    this.#exclusiveNames ??= this.#loadExclusiveNames().catch((error: unknown) => {
      // A chunk that could not be loaded, say: the next call tries again.
      this.#exclusiveNames = undefined
      throw error
    })
    return (await this.#exclusiveNames).acquire(name)
  }

  async #loadExclusiveNames(): Promise<ExclusiveNames> {
    const { ExclusiveNames, grantersAmong } = await import('./cluster/exclusive-names.ts')
    const { directory, topology, peers } = this.#cluster
    const now = (): ActorRef[] =>
      grantersAmong(topology).map(({ nodeId, names }) => peers.refTo(nodeId, names.get(LEASES_ACTOR)!, LEASES_ACTOR))
    return new ExclusiveNames(this.#runtime, {
      now,
      appear: (timeout, signal) => directory.resolve(LEASES_ACTOR, { timeout, signal }, () => now()[0]),
    })
  }

  async #startAuthority(): Promise<void> {
    const { LeaseAuthority } = await import('./cluster/lease-authority.ts')
    const { clock, exclusiveNames } = this.#settings
    this.#runtime.spawnSystem(new LeaseAuthority(clock, exclusiveNames.leaseMs), LEASES_ACTOR)
    this.#runtime.nameListener?.published(LEASES_ACTOR, this.#runtime.byId(LEASES_ACTOR)!)
  }

  /** Leaves the cluster. The actors have been stopped. */
  async close(): Promise<void> {
    const error = new ActorStoppedError('this node was shut down', { address: `actor://${this.#runtime.nodeId}` })
    this.#seeds.close()
    this.#cluster.backbone?.close()
    this.#unfollow?.()
    this.#upgrades?.close()
    this.#closing.abort(error)
    if (this.#exclusiveNames) {
      const exclusiveNames = await this.#exclusiveNames.catch(() => undefined)
      await exclusiveNames?.close(error)
    }
    await this.#cluster.close(error)
    await this.#listener?.close()
  }

  // What happens to a page

  setHidden(isHidden: boolean): void {
    this.#cluster.isHidden = isHidden
  }

  suspend(): void {
    this.#cluster.neighbours.suspend()
  }

  resume(): void {
    this.#seeds.retry()
  }

  leave(): void {
    void this.#cluster.neighbours.close()
  }

  // Links

  /** Sees to it that this relay is linked to all others, and that none of them dies unnoticed. */
  #makeBackbone(Made: typeof Backbone): Backbone {
    const { clock, random } = this.#settings
    const { neighbours } = this.#cluster
    return new Made(this.#runtime.nodeId, {
      dialer: {
        isLinked: (nodeId) => neighbours.link(nodeId) !== undefined,
        link: (address, signal, timeoutMs) => this.#dial(address, signal, {}, timeoutMs),
        failed: (address, error, isFinal) =>
          this.#runtime.warn(
            'relay-failed',
            `relay ${address}${isFinal ? ', not tried again' : ''}: ${error.message}`,
            error,
          ),
      },
      links: () => neighbours.relays(),
      clock,
      random,
    })
  }

  async #listen(addr: string): Promise<void> {
    const transport = this.#transports.find(({ listen }) => listen)
    if (!transport) {
      throw new ConfigError(
        `expected an address a transport of this platform can listen on, got ${describe(addr)}: browsers can only dial, use seeds`,
      )
    }
    this.#listener = await transport.listen!(addr, (connection) => this.#admit(connection, transport.name, true))
    const { advertisedAddr, seeds } = this.#settings
    const { address } = this.#listener
    const own = advertisedAddr === undefined ? address : advertisedAddress(advertisedAddr, address)
    this.#cluster.topology.self.addr = own
    if (seeds.length > 0 && hasWildcardHost(own))
      this.#runtime.warn(
        'address-not-dialable',
        `expected an address other relays can dial, got ${own}: without withAdvertisedAddr they find this one only as a seed`,
      )
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

  async #dialSeed(
    address: string,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<{ readonly gone: Promise<void> } | undefined> {
    const link = await this.#dial(address, signal, {}, timeoutMs)
    if (link.nodeId === this.#runtime.nodeId) return undefined
    const { clock } = this.#settings
    // One that fell silent before it told anything would be missed much later.
    const timer = clock.setTimer(() => {
      if (clock.now() - link.heardAt >= timeoutMs)
        link.abort(`expected what the seed knows, got ${timeoutMs} ms of silence`)
    }, timeoutMs)
    await this.#cluster.whenSynced(link).finally(() => timer.cancel())
    return { gone: this.#cluster.neighbours.whenGone(link.nodeId) }
  }

  async #dial(
    endpoint: unknown,
    signal: AbortSignal,
    options?: ConnectOptions,
    timeoutMs = CONNECT_TIMEOUT_MS,
  ): Promise<Link> {
    const transport = this.#transports.find((candidate) => candidate.dial && candidate.handles(endpoint))
    if (!transport) {
      throw new ConfigError(
        `expected a MessagePort, Worker, SharedWorker, window or an address one of ${this.#transports.map(({ name }) => name).join(', ')} can dial, got ${describe(endpoint)}`,
      )
    }
    const timeout = new AbortController()
    const timer = this.#settings.clock.setTimer(
      () => timeout.abort(new PulsingTimeoutError(`connecting to ${describe(endpoint)}`, timeoutMs)),
      timeoutMs,
    )
    const abort = (): void => timeout.abort(signal.reason)
    signal.addEventListener('abort', abort)
    try {
      const connection = await transport.dial!(endpoint, { ...options, signal: timeout.signal })
      return await this.#link(connection, transport.name)
    } finally {
      timer.cancel()
      signal.removeEventListener('abort', abort)
    }
  }

  /** Makes a connection a link that nobody waits for. */
  #admit(connection: Connection, transport: string, isAccepted = false): void {
    this.#link(connection, transport, isAccepted).catch((error: PulsingError) =>
      this.#runtime.warn('handshake-failed', `a neighbour was not let in: ${error.message}`, error),
    )
  }

  /** Makes a connection a link; settles when the other side was let in, and let this node in. */
  #link(connection: Connection, transport: string, isAccepted = false): Promise<Link> {
    const { kind, nodeId, features } = this.#cluster.topology.self
    return new Promise<Link>((resolve, reject) => {
      const link = new Link(connection, this.#cluster.neighbours, {
        transport,
        hello: { nodeId, kind, features, serial: ++this.#links },
        auth: this.#settings.auth,
        clock: this.#settings.clock,
        isAccepted,
        awareness: this.#cluster.backbone?.sweep.awareness,
      })
      this.#cluster.neighbours.add(link, (outcome) =>
        'link' in outcome ? resolve(outcome.link) : reject(outcome.error),
      )
    })
  }

  readonly #loadInspector = async (): Promise<Inspector> => {
    const { Inspector } = await import('./cluster/inspector.ts')
    const { limits, auth } = this.#settings
    return new Inspector(this.#runtime, this.#cluster, limits, auth !== undefined)
  }

  readonly #host = (type: string, args: readonly unknown[]): object | undefined => {
    const Class = this.#classes.get(type)
    return Class && new (Class as new (...args: readonly unknown[]) => object)(...args)
  }
}

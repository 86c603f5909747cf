/**
 * The composition root: one node, wired from actors, remote, cluster, links and transports. Nothing here decides
 * anything; it connects what decides.
 */
import type { Spawnable } from './actor/actor.ts'
import type { ActorRef } from './actor/actor-ref.ts'
import { ActorRuntime } from './actor/actor-runtime.ts'
import type { CreateOptions, Member, Peer, ResolveOptions, SpawnOptions } from './actor/actor-system.ts'
import { ActorSystem } from './actor/actor-system.ts'
import type { SystemEvents } from './actor/system-events.ts'
import { systemClock } from './base/clock.ts'
import { ActorNotFoundError, ActorStoppedError, ConfigError, describe, type PulsingError, PulsingTimeoutError, UnreachableError } from './base/errors.ts'
import { newId } from './base/ids.ts'
import { systemRandom } from './base/random.ts'
import { Cluster } from './cluster/cluster.ts'
import { Seeds } from './cluster/seeds.ts'
import type { CreateRequest } from './cluster/system-actor.ts'
import { CREATE_TYPE, SYSTEM_ACTOR, SystemActor } from './cluster/system-actor.ts'
import { Upgrades } from './cluster/upgrades.ts'
import { SystemConfig } from './config.ts'
import type { Connection, Listener, Transport } from './link/connection.ts'
import { Link } from './link/link.ts'
import { nameUri } from './message/address.ts'
import { Message } from './message/message.ts'
import { proxyFactory } from './proxy/actor-proxies.ts'
import { registeredClass, typeNameOf } from './proxy/as-actor.ts'

/** How long `connect` waits for the other side, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 30_000

/** How a platform differs: the transports every node there has. */
export interface Platform {
  readonly transports: readonly Transport[]
}

/** Starts a node. Resolves when it listens, if it is to, and has joined its seeds, if it has any. */
export async function startSystem(config: SystemConfig | undefined, platform: Platform): Promise<ActorSystem> {
  if (config !== undefined && !(config instanceof SystemConfig)) throw new ConfigError(`expected a SystemConfig, got ${describe(config)}`)
  const system = new ClusterSystem(config ?? SystemConfig.standalone(), platform)
  try {
    await system.start()
  } catch (error) {
    await system.shutdown()
    throw error
  }
  return system
}

class ClusterSystem extends ActorSystem {
  readonly nodeId: string = newId()
  readonly #config: SystemConfig['settings']
  readonly #transports: readonly Transport[]
  readonly #runtime: ActorRuntime
  readonly #cluster: Cluster
  readonly #classes: ReadonlySet<string>
  readonly #seeds: Seeds
  readonly #closing = new AbortController()
  #upgrades: Upgrades | undefined
  #listener: Listener | undefined
  #shutdown: Promise<void> | undefined

  constructor({ settings }: SystemConfig, platform: Platform) {
    super()
    this.#config = settings
    const added = new Set(settings.transports.map(({ name }) => name))
    this.#transports = [...settings.transports, ...platform.transports.filter(({ name }) => !added.has(name))]
    this.#classes = new Set(settings.classes.map((Class) => typeNameOf(Class)!))
    const { logger, mailboxCapacity, limits } = settings
    this.#runtime = new ActorRuntime({ nodeId: this.nodeId, clock: systemClock, logger, mailboxCapacity, proxies: proxyFactory })
    this.#runtime.system = this
    const direct = this.#transports.find(({ negotiation }) => negotiation)
    this.#cluster = new Cluster({
      runtime: this.#runtime,
      random: systemRandom,
      kind: settings.addr === undefined ? 'leaf' : 'relay',
      features: direct ? [direct.negotiation!.feature] : [],
      classes: [...this.#classes],
      maxMessageBytes: limits.maxMessageBytes,
    })
    if (direct) {
      this.#upgrades = new Upgrades(this.#cluster, direct, direct.negotiation!, systemClock, {
        connected: (connection, transport, isDialer) => void this.#link(connection, transport, isDialer),
        failed: (nodeId, error) => this.#warn('upgrade-failed', `no direct connection to ${nodeId}: ${error.message}`, error),
      })
      this.#cluster.upgrader = this.#upgrades
    }
    this.#seeds = new Seeds({ link: (address, signal) => this.#dialSeed(address, signal), failed: this.#seedFailed }, systemClock, systemRandom)
  }

  get addr(): string | undefined {
    return this.#listener?.address
  }

  async start(): Promise<void> {
    const { addr, seeds, limits } = this.#config
    await this.#runtime.spawnSystem(new SystemActor(this.#runtime, this.#host), SYSTEM_ACTOR)
    if (addr !== undefined) await this.#listen(addr)
    const others = seeds.filter((seed) => seed !== this.addr)
    if (others.length === 0) return
    const joined = this.#join(limits.joinTimeoutMs)
    this.#seeds.start(others, addr !== undefined)
    await joined
  }

  spawn(actor: Spawnable, name: string, options?: SpawnOptions): Promise<ActorRef>
  spawn(actor: Spawnable, options?: SpawnOptions): Promise<ActorRef>
  spawn(actor: Spawnable, nameOrOptions?: string | SpawnOptions, options?: SpawnOptions): Promise<ActorRef> {
    return typeof nameOrOptions === 'object' || nameOrOptions === undefined
      ? this.#runtime.spawn(actor, undefined, nameOrOptions)
      : this.#runtime.spawn(actor, nameOrOptions, options)
  }

  async find(name: string): Promise<ActorRef | undefined> {
    return this.#runtime.byName(name)?.ref ?? this.#cluster.find(name)
  }

  async resolve(name: string, options: ResolveOptions = {}): Promise<ActorRef> {
    options.signal?.throwIfAborted()
    const { node, policy, timeout } = options
    if (timeout !== undefined && !(timeout >= 0)) throw new ConfigError(`expected timeout as milliseconds or Infinity, got ${describe(timeout)}`)
    const local = node === this.nodeId || (node === undefined && policy === undefined) ? this.#runtime.byName(name)?.ref : undefined
    const found = local ?? this.#cluster.find(name, options)
    if (found) return found
    if (this.#shutdown) throw new ActorNotFoundError(`expected a running system to resolve ${describe(name)} in, got one that is shut down`, { address: nameUri(name) })
    return this.#cluster.resolve(name, options)
  }

  async hasActor(name: string): Promise<boolean> {
    return (await this.find(name)) !== undefined
  }

  async stop(nameOrRef: string | ActorRef): Promise<void> {
    await this.#runtime.stop(typeof nameOrRef === 'string' ? nameOrRef : nameOrRef.id, 'killed')
  }

  members(): Member[] {
    return this.#cluster.members()
  }

  on<K extends keyof SystemEvents>(event: K, listener: (event: SystemEvents[K]) => void): () => void {
    return this.#runtime.events.on(event, listener)
  }

  async connect(endpoint: unknown): Promise<Peer> {
    const synced = this.#cluster.whenSynced()
    const { link } = await this.#dial(endpoint, this.#closing.signal)
    await Promise.race([synced, link.over])
    return {
      nodeId: link.nodeId,
      closed: link.over,
      close: () => {
        link.close()
        return link.over
      },
    }
  }

  async createRemote(type: string, args: readonly unknown[], options: CreateOptions): Promise<ActorRef> {
    const { name, node, public: isPublic = false } = options
    const target = node ?? this.#hostOf(type)
    if (target !== undefined && target !== this.nodeId) {
      if (!this.#cluster.topology.member(target)) {
        throw new UnreachableError(`expected a member to create ${describe(type)} on, got ${describe(target)}, which is none`, { outcome: 'not-sent', address: `actor://${target}` })
      }
      const request: CreateRequest = { type, args, name, isPublic }
      const reply = await this.#cluster.peers.refTo(target, SYSTEM_ACTOR, SYSTEM_ACTOR).ask(Message.fromObject(CREATE_TYPE, request))
      return reply.toObject<ActorRef>()
    }
    if (target === undefined) this.#warn('remote-creation-local', `no other member hosts ${describe(type)}: created here`)
    const Class = registeredClass(type)
    if (!Class) throw new ConfigError(`expected a registered asActor class, got ${describe(type)}`)
    return this.#runtime.spawn(() => new (Class as new (...args: readonly unknown[]) => never)(...args), name, { public: isPublic })
  }

  shutdown(): Promise<void> {
    this.#shutdown ??= this.#end()
    return this.#shutdown
  }

  async #end(): Promise<void> {
    this.#seeds.close()
    this.#upgrades?.close()
    await this.#runtime.close()
    this.#cluster.peers.close(new ActorStoppedError('this node was shut down', { address: `actor://${this.nodeId}` }))
    await this.#cluster.close()
    this.#closing.abort(new ActorStoppedError('this node was shut down', { address: `actor://${this.nodeId}` }))
    await this.#listener?.close()
  }

  // Links

  async #listen(addr: string): Promise<void> {
    const transport = this.#transports.find(({ listen }) => listen)
    if (!transport) {
      throw new ConfigError(`expected an address a transport of this platform can listen on, got ${describe(addr)}: browsers can only dial, use seeds`)
    }
    this.#listener = await transport.listen!(addr, (connection) => void this.#link(connection, transport.name, false))
    this.#cluster.topology.self.addr = this.#listener.address
  }

  /** Settles when a neighbour told all it knows; rejects when every seed refused this node, or the time is up. */
  #join(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = timeoutMs === Infinity ? undefined : systemClock.setTimer(() => reject(new PulsingTimeoutError('joining the cluster', timeoutMs)), timeoutMs)
      this.#refused = (error) => {
        timer?.cancel()
        reject(error)
      }
      void this.#cluster.whenSynced().then(() => {
        timer?.cancel()
        resolve()
      })
    })
  }

  #refused: (error: PulsingError) => void = () => undefined

  readonly #seedFailed = (address: string, error: PulsingError, isFinal: boolean): void => {
    this.#warn('seed-failed', `seed ${address}: ${error.message}`, error)
    if (isFinal) this.#refused(error)
  }

  async #dialSeed(address: string, signal: AbortSignal): Promise<Promise<void>> {
    const { link } = await this.#dial(address, signal)
    return link.over
  }

  async #dial(endpoint: unknown, signal: AbortSignal): Promise<{ readonly link: Link }> {
    const transport = this.#transports.find((candidate) => candidate.dial && candidate.handles(endpoint))
    if (!transport) {
      throw new ConfigError(`expected a MessagePort, Worker, SharedWorker, window or an address one of ${this.#transports.map(({ name }) => name).join(', ')} can dial, got ${describe(endpoint)}`)
    }
    const timeout = new AbortController()
    const timer = systemClock.setTimer(() => timeout.abort(new PulsingTimeoutError(`connecting to ${describe(endpoint)}`, CONNECT_TIMEOUT_MS)), CONNECT_TIMEOUT_MS)
    const abort = (): void => timeout.abort(signal.reason)
    signal.addEventListener('abort', abort)
    try {
      const connection = await transport.dial!(endpoint, { signal: timeout.signal })
      return await this.#link(connection, transport.name, true)
    } finally {
      timer.cancel()
      signal.removeEventListener('abort', abort)
    }
  }

  /** Makes a connection a link; settles when the other side was let in, and let this node in. */
  #link(connection: Connection, transport: string, isDialer: boolean): Promise<{ readonly link: Link }> {
    const { kind, nodeId, features } = this.#cluster.topology.self
    const opened = new Promise<{ readonly link: Link }>((resolve, reject) => {
      const link = new Link(connection, this.#cluster.neighbours, {
        transport,
        isDialer,
        hello: { nodeId, kind, features },
        auth: this.#config.auth,
        clock: systemClock,
      })
      this.#cluster.neighbours.expect(link, (outcome) => ('link' in outcome ? resolve(outcome) : reject(outcome.error)))
    })
    if (!isDialer) opened.catch((error: PulsingError) => this.#warn('handshake-failed', `a neighbour was not let in: ${error.message}`, error))
    return opened
  }

  readonly #host = (type: string, args: readonly unknown[]): object | undefined => {
    const Class = this.#classes.has(type) ? registeredClass(type) : undefined
    return Class && new (Class as new (...args: readonly unknown[]) => object)(...args)
  }

  /** Another member that hosts a class, any of them. */
  #hostOf(type: string): string | undefined {
    const hosts = [...this.#cluster.topology.members()].filter(({ nodeId, classes }) => nodeId !== this.nodeId && classes.includes(type))
    return hosts[Math.floor(systemRandom.float() * hosts.length)]?.nodeId
  }

  #warn(code: string, message: string, error?: PulsingError): void {
    this.#runtime.events.emit('warning', { code, message, ...(error ? { error } : {}) })
    this.#config.logger.warn(message)
  }
}

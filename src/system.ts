/**
 * The composition root: one node. Its actors are always there; its part in the cluster is there from the moment it has
 * somebody to talk to.
 */
import type { Spawnable } from './actor/actor.ts'
import type { ActorCell } from './actor/actor-cell.ts'
import type { ActorRef } from './actor/actor-ref.ts'
import { ActorRuntime } from './actor/actor-runtime.ts'
import type {
  Census,
  ConnectOptions,
  CreateOptions,
  Creation,
  Member,
  Peer,
  ResolveOptions,
  SpawnOptions,
} from './actor/actor-system.ts'
import { ActorSystem } from './actor/actor-system.ts'
import type { RefOf } from './actor/behavior.ts'
import type { SystemEvents } from './actor/system-events.ts'
import type { TypedRef } from './actor/typed-ref.ts'
import { ActorStoppedError, ConfigError, describe } from './base/errors.ts'
import { newId } from './base/ids.ts'
import type { Directory } from './cluster/directory.ts'
import { NameService } from './cluster/name-service.ts'
import { checkPolicy } from './cluster/policy.ts'
import type { Settings } from './config.ts'
import { SystemConfig } from './config.ts'
import type { Network } from './network.ts'
import { proxyFactory } from './proxy/actor-proxies.ts'

/** How platforms differ: what a network is made of there. */
export type NetworkFactory = (runtime: ActorRuntime, settings: Settings) => Network | Promise<Network>

/** Starts a node. Resolves when it listens, if it is to, and has joined its seeds, if it has any. */
export async function startSystem(config: SystemConfig | undefined, makeNetwork: NetworkFactory): Promise<ActorSystem> {
  if (config !== undefined && !(config instanceof SystemConfig))
    throw new ConfigError(`expected a SystemConfig, got ${describe(config)}`)
  const system = new NodeSystem((config ?? SystemConfig.standalone()).settings, makeNetwork)
  try {
    await system.start()
  } catch (error) {
    await system.shutdown()
    throw error
  }
  return system
}

class NodeSystem extends ActorSystem {
  readonly nodeId: string = newId()
  readonly #settings: Settings
  readonly #makeNetwork: NetworkFactory
  readonly #runtime: ActorRuntime
  readonly #names: NameService
  #network: Network | undefined
  #opening: Promise<Network> | undefined
  #shutdown: Promise<void> | undefined

  constructor(settings: Settings, makeNetwork: NetworkFactory) {
    super()
    this.#settings = settings
    this.#makeNetwork = makeNetwork
    const { logger, mailboxCapacity, clock, random } = settings
    this.#runtime = new ActorRuntime({
      nodeId: this.nodeId,
      clock,
      random,
      logger,
      mailboxCapacity,
      proxies: proxyFactory,
    })
    this.#runtime.system = this
    const directoryNow = (): Directory | undefined => this.#network?.directory
    this.#names = new NameService(this.#runtime, {
      get current() {
        return directoryNow()
      },
      open: async () => (await this.#open()).directory,
    })
    this.#runtime.leases = { acquire: async (name) => (await this.#open()).acquire(name) }
  }

  get addr(): string | undefined {
    return this.#network?.addr
  }

  async start(): Promise<void> {
    if (this.#settings.addr !== undefined || this.#settings.seeds.length > 0) await this.#open()
  }

  spawn<S extends Spawnable>(actor: S, name: string, options?: SpawnOptions): Promise<RefOf<S>>
  spawn<S extends Spawnable>(actor: S, options?: SpawnOptions): Promise<RefOf<S>>
  spawn(actor: Spawnable, nameOrOptions?: string | SpawnOptions, options?: SpawnOptions): Promise<never> {
    const isNamed = typeof nameOrOptions !== 'object' && nameOrOptions !== undefined
    const ref = isNamed
      ? this.#runtime.spawn(actor, nameOrOptions, options)
      : this.#runtime.spawn(actor, undefined, nameOrOptions)
    return ref as Promise<never>
  }

  async find(name: string): Promise<ActorRef | undefined> {
    return this.#names.find(name)
  }

  async resolve(name: string, options: ResolveOptions = {}): Promise<ActorRef> {
    return this.#names.resolve(name, options)
  }

  async hasActor(name: string): Promise<boolean> {
    return (await this.find(name)) !== undefined
  }

  async stop(nameOrRef: string | TypedRef<never, unknown>): Promise<void> {
    await this.#runtime.stop(typeof nameOrRef === 'string' ? nameOrRef : nameOrRef.id, 'killed')
  }

  members(): Member[] {
    return this.#network?.members() ?? [{ nodeId: this.nodeId, kind: 'leaf', status: 'online', isSelf: true }]
  }

  on<K extends keyof SystemEvents>(event: K, listener: (event: SystemEvents[K]) => void): () => void {
    return this.#runtime.events.on(event, listener)
  }

  census(): Census {
    const census = this.#runtime.census()
    const pending = this.#network?.pending
    return pending ? { ...census, asks: census.asks + pending.asks, streams: census.streams + pending.streams } : census
  }

  async connect(endpoint: unknown, options?: ConnectOptions): Promise<Peer> {
    return (await this.#open()).connect(endpoint, options)
  }

  async createRemote(
    { type, args, make, hostsOnly }: Creation,
    { name, node, policy, ...options }: CreateOptions,
    parent?: ActorCell,
  ): Promise<ActorRef> {
    checkPolicy(policy)
    const host = node === this.nodeId ? node : (await this.#open()).hostOf(type, { node, policy, hostsOnly })
    if (host !== undefined && host !== this.nodeId) {
      return (await this.#open()).create(host, { type, args, name, options }, parent)
    }
    if (host === undefined)
      this.#runtime.warn('remote-creation-local', `no other member hosts ${describe(type)}: created here`)
    return this.#runtime.spawn(make, name, options, parent)
  }

  shutdown(): Promise<void> {
    this.#shutdown ??= this.#end()
    return this.#shutdown
  }

  async #end(): Promise<void> {
    await this.#runtime.close()
    // A network that never came up has nothing to close; whoever asked for it was told.
    await this.#opening?.then(undefined, () => undefined)
    await this.#network?.close()
  }

  /** The network, brought up by whoever needs it first. */
  #open(): Promise<Network> {
    if (this.#shutdown)
      return Promise.reject(
        new ActorStoppedError('expected a running system, got one that is shut down', {
          address: `actor://${this.nodeId}`,
        }),
      )
    this.#opening ??= this.#bringUp().catch((error: unknown) => {
      // A chunk that could not be loaded, say: the next call tries again.
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #bringUp(): Promise<Network> {
    this.#network = await this.#makeNetwork(this.#runtime, this.#settings)
    await this.#network.start()
    return this.#network
  }
}

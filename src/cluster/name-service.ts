/**
 * How a node finds actors by what people write: plain names and `actor://` URIs, here first, then by the directory of the
 * cluster. A node that talks to nobody has no directory, and goes without.
 */
import type { ActorRef, Recipient } from '../actor/actor-ref.ts'
import { Ref } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { InstanceInfo, ResolveOptions, ResolvePolicy } from '../actor/actor-system.ts'
import { DEFAULT_RESOLVE_TIMEOUT_MS } from '../actor/actor-system.ts'
import { ActorNotFoundError, ConfigError, describe } from '../base/errors.ts'
import type { ActorAddress, NameAddress } from '../message/address.ts'
import { isActorUri, isReservedName, LOCALHOST, parseActorUri } from '../message/address.ts'
import type { Directory } from './directory.ts'
import { type Load, NamedRecipient } from './named-recipient.ts'
import { checkPolicy } from './policy.ts'

/** The cluster's directory: the one there is, and how to get one. */
export interface DirectorySource {
  readonly current: Directory | undefined
  /** @throws ActorStoppedError when this node is shut down */
  open(): Promise<Directory>
}

export class NameService {
  readonly #runtime: ActorRuntime
  readonly #source: DirectorySource
  /** Actors with asks that have not settled, to refs that were found by a name. */
  readonly #loads = new Map<string, ActorLoad>()

  constructor(runtime: ActorRuntime, source: DirectorySource) {
    this.#runtime = runtime
    this.#source = source
  }

  /** The actor of a name, or behind a URI. @throws ConfigError for a bad URI */
  async find(text: string): Promise<ActorRef | undefined> {
    const target = this.#targetOf(text, undefined)
    if ('actorId' in target) return this.#actor(target)
    return this.#find(target.name, { node: target.node, policy: undefined })
  }

  /** Like {@link find}, waiting for the name. */
  async resolve(text: string, options: ResolveOptions): Promise<ActorRef> {
    const { policy, timeout = DEFAULT_RESOLVE_TIMEOUT_MS, signal } = options
    signal?.throwIfAborted()
    if (!(timeout >= 0)) throw new ConfigError(`expected timeout as milliseconds or Infinity, got ${describe(timeout)}`)
    checkPolicy(policy)
    const target = this.#targetOf(text, options.node)
    if ('actorId' in target) {
      const ref = await this.#actor(target)
      if (ref) return ref
      throw new ActorNotFoundError('expected a running actor of this node, got an id none of them has', {
        address: text,
      })
    }
    const { name, node } = target
    const wanted = { node, policy }
    const local = this.#local(name, wanted)
    if (local) return this.#named(name, wanted, local)
    const directory = await this.#source.open()
    const waiting = { timeout, ...(signal ? { signal } : {}), ...(node === undefined ? {} : { node }) }
    return directory.resolve(name, waiting, () => this.#find(name, wanted))
  }

  /** @throws ConfigError */
  #targetOf(text: string, node: string | undefined): NameAddress | ActorAddress {
    if (!isActorUri(text)) return node === undefined ? { name: text } : { name: text, node }
    const target = parseActorUri(text)
    const own = target.node === LOCALHOST ? this.#runtime.nodeId : target.node
    if (own !== undefined && node !== undefined && own !== node)
      throw new ConfigError(`expected the node of ${describe(text)} or none as node, got ${describe(node)}`)
    const wanted = own ?? node
    return wanted === undefined ? target : { ...target, node: wanted }
  }

  /** A very actor: of another node without a look whether it is there. */
  async #actor({ node, actorId }: ActorAddress): Promise<ActorRef | undefined> {
    if (node === this.#runtime.nodeId) return this.#runtime.byId(actorId)?.ref
    return (await this.#source.open()).refTo(node, actorId)
  }

  #find(name: string, wanted: Wanted): ActorRef | undefined {
    const found = this.#local(name, wanted) ?? this.#elsewhere(name, wanted, undefined)
    return found && this.#named(name, wanted, found)
  }

  /** The actor of this node, where that is wanted before all others. */
  #local(name: string, { node, policy }: Wanted): ActorRef | undefined {
    const isWanted = node === undefined ? policy === undefined || isReservedName(name) : node === this.#runtime.nodeId
    return isWanted ? this.#runtime.byName(name)?.ref : undefined
  }

  #elsewhere(name: string, wanted: Wanted, except: ReadonlySet<string> | undefined): ActorRef | undefined {
    return this.#source.current?.find(name, { ...wanted, except, load: this.#load })
  }

  readonly #load = ({ actorId }: InstanceInfo): number => this.#loads.get(actorId)?.asks ?? 0

  #loadOf(id: string): ActorLoad {
    let load = this.#loads.get(id)
    if (!load) this.#loads.set(id, (load = new ActorLoad(() => void this.#loads.delete(id))))
    return load
  }

  /** A ref that goes on to other instances; one to the actor of a certain node stays with that. */
  #named(name: string, wanted: Wanted, found: ActorRef): ActorRef {
    if (wanted.node !== undefined || isReservedName(name)) return found
    const source = this.#source
    const instances = {
      clock: this.#runtime.clock,
      get version() {
        return source.current?.version ?? 0
      },
      next: (tried: ReadonlySet<string>) => this.#next(name, wanted, tried),
      isOver: (instance: Recipient) => this.#isOver(name, instance),
      loadOf: (id: string) => this.#loadOf(id),
    }
    return new Ref(new NamedRecipient(name, (found as Ref).recipient, instances), this.#runtime.proxies)
  }

  #next(name: string, wanted: Wanted, tried: ReadonlySet<string>): Recipient | undefined {
    const except = new Set(tried)
    const local = (this.#local(name, wanted) as Ref | undefined)?.recipient
    if (local && !local.hasEnded && !except.has(local.id)) return local
    for (;;) {
      const found = (this.#elsewhere(name, wanted, except) as Ref | undefined)?.recipient
      if (!found?.hasEnded) return found
      except.add(found.id)
    }
  }

  #isOver(name: string, { isLocal, hasEnded, nodeId, id }: Recipient): boolean {
    if (isLocal) return hasEnded === true
    return this.#source.current?.isWithdrawn(name, { nodeId, actorId: id }) === true
  }
}

class ActorLoad implements Load {
  asks = 0

  get isOver(): boolean {
    return this.asks === 0
  }

  readonly #ended: () => void

  /** @param ended called when the last one has */
  constructor(ended: () => void) {
    this.#ended = ended
  }

  begin(): void {
    this.asks++
  }

  end(): void {
    if (--this.asks === 0) this.#ended()
  }
}

interface Wanted {
  readonly node: string | undefined
  readonly policy: ResolvePolicy | undefined
}

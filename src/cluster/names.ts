/** Public names: which live actors answer to each, on which nodes. Pure, but for the callers that wait for a name. */
import type { InstanceInfo, ResolvePolicy } from '../actor/actor-system.ts'
import type { Random } from '../base/random.ts'
import { choose } from './policy.ts'

export interface Instance {
  readonly nodeId: string
  readonly actorId: string
}

/** Which instance is wanted. */
export interface Choice {
  /** Default `round-robin`. */
  readonly policy?: ResolvePolicy | undefined
  /** Only the one of this node. */
  readonly node?: string | undefined
  /** Ids of actors that are not. */
  readonly except?: ReadonlySet<string> | undefined
  /** Asks of this node to an instance that have not settled. Default none to any. */
  readonly load?: ((instance: InstanceInfo) => number) | undefined
}

interface Entry {
  readonly instances: Map<string, InstanceInfo>
  /** How often one of them was chosen. */
  turn: number
}

const noLoad = (): number => 0

export class Names {
  readonly #self: string
  readonly #random: Random
  readonly #entries = new Map<string, Entry>()
  readonly #waiting = new Map<string, Set<() => void>>()
  /** Another number after every change. */
  version = 0

  /** @param self the id of this node */
  constructor(self: string, random: Random) {
    this.#self = self
    this.#random = random
  }

  /** Adds an instance; replaces the one the node had under that name. */
  add(name: string, { nodeId, actorId }: Instance): void {
    this.version++
    let entry = this.#entries.get(name)
    if (!entry) this.#entries.set(name, (entry = { instances: new Map(), turn: 0 }))
    entry.instances.set(nodeId, Object.freeze({ nodeId, actorId, name, isLocal: nodeId === this.#self }))
    for (const notify of [...(this.#waiting.get(name) ?? [])]) notify()
  }

  remove(name: string, nodeId: string): void {
    this.version++
    const entry = this.#entries.get(name)
    entry?.instances.delete(nodeId)
    if (entry?.instances.size === 0) this.#entries.delete(name)
  }

  has(name: string, { nodeId, actorId }: Instance): boolean {
    return this.#entries.get(name)?.instances.get(nodeId)?.actorId === actorId
  }

  /**
   * One instance by policy, or the one on `node`; undefined when there is none.
   *
   * @throws what a policy of the user's throws
   */
  pick(name: string, { policy = 'round-robin', node, except, load = noLoad }: Choice): InstanceInfo | undefined {
    const entry = this.#entries.get(name)
    if (!entry) return undefined
    if (node !== undefined) {
      const only = entry.instances.get(node)
      return only && except?.has(only.actorId) ? undefined : only
    }
    const instances: InstanceInfo[] = []
    for (const instance of entry.instances.values()) if (!except?.has(instance.actorId)) instances.push(instance)
    if (instances.length === 0) return undefined
    return choose(policy, instances, { random: this.#random, turn: entry.turn++, load })
  }

  /** Calls `notify` whenever an instance of `name` appears; the returned function ends it. */
  watch(name: string, notify: () => void): () => void {
    let waiting = this.#waiting.get(name)
    if (!waiting) this.#waiting.set(name, (waiting = new Set()))
    const set = waiting.add(notify)
    return () => {
      set.delete(notify)
      if (set.size === 0 && this.#waiting.get(name) === set) this.#waiting.delete(name)
    }
  }
}

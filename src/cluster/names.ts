/** Public names: which live actors answer to each, on which nodes. Pure, but for the callers that wait for a name. */
import type { ResolvePolicy } from '../actor/actor-system.ts'
import type { Random } from '../base/random.ts'

export interface Instance {
  readonly nodeId: string
  readonly actorId: string
}

interface Entry {
  readonly instances: Map<string, Instance>
  /** Where round-robin stands. */
  turn: number
}

export class Names {
  readonly #random: Random
  readonly #entries = new Map<string, Entry>()
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(random: Random) {
    this.#random = random
  }

  /** Adds an instance; replaces the one the node had under that name. */
  add(name: string, instance: Instance): void {
    let entry = this.#entries.get(name)
    if (!entry) this.#entries.set(name, (entry = { instances: new Map(), turn: 0 }))
    entry.instances.set(instance.nodeId, instance)
    for (const notify of [...(this.#waiting.get(name) ?? [])]) notify()
  }

  remove(name: string, nodeId: string): void {
    const entry = this.#entries.get(name)
    entry?.instances.delete(nodeId)
    if (entry?.instances.size === 0) this.#entries.delete(name)
  }

  /** One instance by policy, or the one on `node`; undefined when there is none. */
  pick(name: string, policy: ResolvePolicy, node: string | undefined, self: string): Instance | undefined {
    const entry = this.#entries.get(name)
    if (!entry) return undefined
    if (node !== undefined) return entry.instances.get(node)
    if (policy === 'prefer-local') {
      const local = entry.instances.get(self)
      if (local) return local
    }
    const { size } = entry.instances
    let index = policy === 'random' ? Math.floor(this.#random.float() * size) : entry.turn++ % size
    for (const instance of entry.instances.values()) if (index-- === 0) return instance
    return undefined
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

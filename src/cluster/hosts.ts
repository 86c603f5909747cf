/** Where an actor of a class is created: which of the members that let others create it. */
import type { InstanceInfo, ResolvePolicy } from '../actor/actor-system.ts'
import { SYSTEM_ACTOR } from '../actor/system-names.ts'
import { describe, UnreachableError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { choose } from './policy.ts'

/** A member, and the classes it lets others create. */
export interface Host {
  readonly nodeId: string
  readonly classes: readonly string[]
}

/** What of the cluster matters here. */
export interface HostView {
  /** Members, this node included. */
  members(): Iterable<Host>
  isMember(nodeId: string): boolean
  /** Asks of this node to each other one that have not settled. */
  pendingAsks(): ReadonlyMap<string, number>
}

/** Which member is wanted. */
export interface HostChoice {
  readonly node?: string | undefined
  readonly policy?: ResolvePolicy | undefined
  /** Whether this node is one of them by every policy, if it hosts the class, and nothing else will do. */
  readonly hostsOnly?: boolean | undefined
}

export class Hosts {
  readonly #self: string
  readonly #random: Random
  readonly #view: HostView
  /** How often a member was chosen, by class. */
  readonly #turns = new Map<string, number>()

  constructor(self: string, random: Random, view: HostView) {
    this.#self = self
    this.#random = random
    this.#view = view
  }

  /**
   * The member to create on; undefined when no member is to be had. This node counts too, where it hosts the class, for
   * the policies that ask for it (`prefer-local`), or have to choose the same on every node (a key), or see for
   * themselves (a function).
   *
   * @throws UnreachableError for a node that is no member, when a function wants none, or when there is none and
   * nothing else will do
   */
  pick(type: string, { node, policy, hostsOnly }: HostChoice): string | undefined {
    if (node !== undefined) {
      if (this.#view.isMember(node)) return node
      throw new UnreachableError(
        `expected a member to create ${describe(type)} on, got ${describe(node)}, which is none`,
        { outcome: 'not-sent', address: `actor://${node}` },
      )
    }
    const takesSelf =
      hostsOnly || policy === 'prefer-local' || typeof policy === 'object' || typeof policy === 'function'
    const hosts: InstanceInfo[] = []
    for (const { nodeId, classes } of this.#view.members()) {
      const isLocal = nodeId === this.#self
      if (classes.includes(type) && (takesSelf || !isLocal))
        hosts.push(Object.freeze({ nodeId, actorId: SYSTEM_ACTOR, name: type, isLocal }))
    }
    if (hosts.length === 0) {
      if (!hostsOnly) return undefined
      throw new UnreachableError(`expected a member that hosts ${describe(type)}, got none`, { outcome: 'not-sent' })
    }
    const turn = this.#turns.get(type) ?? 0
    this.#turns.set(type, turn + 1)
    const asks = policy === 'least-loaded' ? this.#view.pendingAsks() : undefined
    const load = ({ nodeId }: InstanceInfo): number => asks?.get(nodeId) ?? 0
    const host = choose(policy ?? 'random', hosts, { random: this.#random, turn, load })
    if (host) return host.nodeId
    throw new UnreachableError(
      `expected the policy function to choose one of ${hosts.length} members that host ${describe(type)}, got none`,
      { outcome: 'not-sent' },
    )
  }
}

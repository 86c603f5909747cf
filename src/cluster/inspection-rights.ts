/**
 * Who may ask a node about itself, and who may stop its actors: the node itself and relays always, others as its limits
 * say. Decides by who the asking node is, never by what it says in the request.
 */
import { PermissionDeniedError } from '../base/errors.ts'
import type { Cluster } from './cluster.ts'
import type { InspectionLimits } from './inspection-rule.ts'

export class InspectionRights {
  readonly #cluster: Cluster
  readonly #limits: InspectionLimits

  constructor(cluster: Cluster, limits: InspectionLimits) {
    this.#cluster = cluster
    this.#limits = limits
  }

  /**
   * @param origin the asking node; undefined for this one
   * @throws PermissionDeniedError naming the option that would allow it
   */
  checkReading(origin: string | undefined): void {
    if (this.#isTrusted(origin) || this.#mayRead(origin)) return
    const { inspect } = this.#limits
    const whom = inspect === 'none' ? 'a relay' : 'a relay, or a neighbour on this machine'
    throw new PermissionDeniedError(
      `expected ${whom} to ask about node ${this.#cluster.topology.self.nodeId}, got node ${origin}: its option inspect is '${inspect}'`,
    )
  }

  /** Like {@link checkReading}, for stopping actors. */
  checkStopping(origin: string | undefined): void {
    if (this.#isTrusted(origin)) return
    if (!this.#limits.management)
      throw new PermissionDeniedError(
        `expected a relay to stop actors of node ${this.#cluster.topology.self.nodeId}, got node ${origin}: its option management is false`,
      )
    this.checkReading(origin)
  }

  #isTrusted(origin: string | undefined): boolean {
    return origin === undefined || this.#isRelay(origin)
  }

  #mayRead(origin: string | undefined): boolean {
    const { inspect } = this.#limits
    if (inspect === 'this-machine') return this.#cluster.neighbours.link(origin!)?.isFromThisMachine === true
    return inspect === 'all'
  }

  /** Only relays vouch for relays: a leaf could call a node behind it one. */
  #isRelay(origin: string): boolean {
    const { topology, neighbours } = this.#cluster
    const link = neighbours.link(origin)
    if (link) return link.peer.kind === 'relay'
    const found = [...topology.self.links].filter((nodeId) => neighbours.link(nodeId)?.peer.kind === 'relay')
    const seen = new Set([topology.self.nodeId, ...found])
    for (const nodeId of found) {
      for (const next of topology.record(nodeId)?.links ?? []) {
        const record = topology.record(next)
        if (seen.has(next) || record?.kind !== 'relay' || !record.links.has(nodeId)) continue
        if (next === origin) return true
        seen.add(next)
        found.push(next)
      }
    }
    return false
  }
}

/**
 * Who may ask a node about itself, and who may stop its actors: the node itself always, others as its limits say. Decides
 * by who the asking node is, never by what it says in the request. That a node is a relay is its own word, though: anybody
 * who is let in can be one. So relays stop actors only where not everybody is let in, or where the limits say so.
 */
import { PermissionDeniedError } from '../base/errors.ts'
import type { Cluster } from './cluster.ts'
import type { InspectionLimits, InspectionRule } from './inspection-rule.ts'

const ITSELF = 'that node itself'

const READERS: Readonly<Record<InspectionRule, string>> = {
  'this-machine': 'a relay, or a neighbour on this machine',
  relays: 'a relay',
  all: 'any node',
  none: ITSELF,
}

export class InspectionRights {
  readonly #cluster: Cluster
  readonly #limits: InspectionLimits
  readonly #hasAuth: boolean

  /** @param hasAuth whether the node lets in only those that show it who they are */
  constructor(cluster: Cluster, limits: InspectionLimits, hasAuth: boolean) {
    this.#cluster = cluster
    this.#limits = limits
    this.#hasAuth = hasAuth
  }

  /**
   * @param origin the asking node; undefined for this one
   * @throws PermissionDeniedError naming the option that would allow it
   */
  checkReading(origin: string | undefined): void {
    const { inspect } = this.#limits
    if (origin !== undefined && !this.#mayRead(origin, inspect))
      this.#refuse(`${READERS[inspect]} to ask about`, origin, `inspect is '${inspect}'`)
  }

  /** Like {@link checkReading}, for stopping actors. */
  checkStopping(origin: string | undefined): void {
    if (origin !== undefined && !this.#limits.management && !(this.#hasAuth && this.#isRelay(origin)))
      this.#refuse(`${this.#hasAuth ? 'a relay' : ITSELF} to stop actors of`, origin, 'management is false')
    this.checkReading(origin)
  }

  #refuse(whoWhat: string, origin: string, option: string): never {
    throw new PermissionDeniedError(
      `expected ${whoWhat} node ${this.#cluster.topology.self.nodeId}, got node ${origin}: its option ${option}`,
    )
  }

  #mayRead(origin: string, inspect: InspectionRule): boolean {
    if (inspect === 'all') return true
    if (inspect === 'none') return false
    if (inspect === 'this-machine' && this.#cluster.neighbours.link(origin)?.isFromThisMachine) return true
    return this.#isRelay(origin)
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

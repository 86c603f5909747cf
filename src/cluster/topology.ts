/**
 * What is known of all nodes, and which way leads where. Pure: records of nodes go in, reachable nodes and next hops come
 * out. An edge counts when both its ends claim it. A node that dies disappears when its neighbours withdraw their claims,
 * and its record, left behind, brings it back to nobody.
 */
import type { NodeChange, NodeSnapshot } from './update.ts'
import { MAX_LINKS, MAX_NAMES } from './update.ts'

/** What a node says of itself. */
export interface NodeRecord {
  readonly nodeId: string
  version: number
  kind: 'relay' | 'leaf'
  addr: string | undefined
  features: readonly string[]
  classes: readonly string[]
  readonly links: Set<string>
  readonly names: Map<string, string>
  isHidden: boolean
  /** Neighbours whose platform answers, and whose program does not. */
  readonly suspended: Set<string>
  /** A neighbour that is back, and has not said yet which links it has now: the ones it had count for nothing. */
  isStale?: boolean
  /** The neighbour on the way there, when a way led there last. */
  lastVia?: string | undefined
  /** Told by a leaf before any way led there, and told nobody since. */
  isUntold?: boolean
  /** Ended for good: ids are new for every boot, so that nothing brings it back. */
  isGone?: boolean
}

/** Whether a change was news, was known already, or depends on changes that never came. */
export type Applied = 'news' | 'known' | 'gap'

/**
 * What passing a leaf costs, where passing a relay costs 1: a leaf passes on only what no relay can, as a page does for
 * its workers. Nobody else takes its word for what others sent.
 */
const LEAF_TRANSIT_COST = 32

/** Nodes that are reached through one leaf. Of more, those found last are no members. */
export const MAX_BEHIND_LEAF = 256

/** Records of nodes that are no members, kept because the way to them may come later than the news of them. */
const MAX_STRANGERS = 256

/** How many nodes were reached through a leaf so far. */
interface Behind {
  count: number
  /** On the way of a leaf to its relay, as from a worker through its page: the cluster is not behind that page. */
  readonly isHome: boolean
}

export class Topology {
  readonly self: NodeRecord
  readonly #records = new Map<string, NodeRecord>()
  #nextHops = new Map<string, string>()
  #relays = new Set<string>()
  #version = 0

  constructor(self: Pick<NodeRecord, 'nodeId' | 'kind' | 'addr' | 'features' | 'classes'>) {
    this.self = { ...self, version: 1, links: new Set(), names: new Map(), isHidden: false, suspended: new Set() }
    this.#records.set(self.nodeId, this.self)
  }

  /** Another number whenever ways, or who has ended, may be others. */
  get version(): number {
    return this.#version
  }

  record(nodeId: string): NodeRecord | undefined {
    return this.#records.get(nodeId)
  }

  /** All that is known, of members and of others. */
  records(): IterableIterator<NodeRecord> {
    return this.#records.values()
  }

  /** The record of a node some path leads to, this one included. */
  member(nodeId: string): NodeRecord | undefined {
    return nodeId === this.self.nodeId || this.#nextHops.has(nodeId) ? this.#records.get(nodeId) : undefined
  }

  /** Nodes some path leads to, this node first, then by distance, but for those that {@link join}ed last. */
  *members(): IterableIterator<NodeRecord> {
    yield this.self
    for (const nodeId of this.#nextHops.keys()) yield this.#records.get(nodeId)!
  }

  /** Whether all nodes it was linked to have ended, and were leaves, so that it knows nobody else: as a worker of a page. */
  isOrphan({ links }: NodeRecord): boolean {
    for (const nodeId of links) {
      const other = this.#records.get(nodeId)
      if (!other?.isGone || other.kind === 'relay') return false
    }
    return links.size > 0
  }

  /** Whether a node was cut off from a relay that is still there, and not together with it. */
  isDetached({ links }: NodeRecord): boolean {
    for (const nodeId of links) if (this.member(nodeId)?.kind === 'relay') return true
    return false
  }

  /** Whether all relays it is linked to hear its platform only. */
  isSuspended({ nodeId, links }: NodeRecord): boolean {
    let isHeard = false
    for (const other of links) {
      const record = this.#records.get(other)
      if (record?.kind !== 'relay') continue
      if (!record.suspended.has(nodeId)) return false
      isHeard = true
    }
    return isHeard && nodeId !== this.self.nodeId
  }

  /** The neighbour on the cheapest way to a node. */
  nextHop(nodeId: string): string | undefined {
    return this.#nextHops.get(nodeId)
  }

  /** Whether it is a relay by more than the word of a leaf it is behind. */
  isRelay(nodeId: string): boolean {
    return this.#relays.has(nodeId)
  }

  /** Whether two nodes both claim a link to each other. */
  areLinked(one: string, other: string): boolean {
    return this.#records.get(one)?.links.has(other) === true && this.#records.get(other)?.links.has(one) === true
  }

  snapshot(record: NodeRecord): NodeSnapshot {
    const { nodeId, version, kind, addr, features, classes, links, names, isHidden, suspended } = record
    const lists = { features, classes, links: [...links], names: [...names], suspended: [...suspended] }
    return { op: 'node', nodeId, version, kind, addr, ...lists, isHidden }
  }

  /** Takes in a whole record of another node. What a neighbour says of itself when it is back is news in any case. */
  applySnapshot({ op: _, links, names, suspended, ...record }: NodeSnapshot, isOwn = false): Applied {
    const { nodeId, version } = record
    const known = this.#records.get(nodeId)
    if (known && (known.isGone || known.version >= version)) {
      if (known.isGone || !known.isStale || !isOwn) return 'known'
      // Overtaken by what others told of it since: that is what it has.
      known.isStale = false
      return 'news'
    }
    this.#records.set(nodeId, {
      ...record,
      links: new Set(links),
      names: new Map(names),
      suspended: new Set(suspended),
      lastVia: known?.lastVia,
    })
    return 'news'
  }

  /** Takes in one change of another node. One that makes its record larger than any may be comes with no whole record either. */
  applyChange(change: NodeChange): Applied {
    const record = this.#records.get(change.nodeId)
    if (record && (record.isGone || record.version >= change.version)) return 'known'
    if (!record || record.version + 1 !== change.version || !hasRoom(record, change)) return 'gap'
    record.version = change.version
    record.isStale = false
    edit(record, change)
    return 'news'
  }

  /** Takes in that a node has ended. */
  bury(nodeId: string): Applied {
    const record = this.#records.get(nodeId)
    if (!record || record.isGone || record === this.self) return 'known'
    record.isGone = true
    record.links.clear()
    this.#version++
    return 'news'
  }

  /** Changes this node's own record; the change, to be told to others. */
  changeSelf(
    change:
      | { op: 'link'; other: string; isUp: boolean; isSuspended?: boolean }
      | { op: 'name'; name: string; actorId: string | undefined }
      | { op: 'state'; isHidden: boolean },
  ): NodeChange {
    this.self.version++
    const numbered: NodeChange = { ...change, nodeId: this.self.nodeId, version: this.self.version }
    edit(this.self, numbered)
    return numbered
  }

  /**
   * Takes in that a link to a neighbour came up, whose own links count for nothing yet. A way leads to it then, and by it to
   * nobody: that is all there is to work out, unless a way led to it before.
   *
   * @returns as {@link recompute}
   */
  join(record: NodeRecord, keeps: (nodeId: string) => boolean): ReturnType<Topology['recompute']> {
    const { nodeId, kind, isStale, isGone } = record
    if (!isStale || isGone || this.#nextHops.has(nodeId)) return this.recompute(keeps)
    this.#nextHops.set(nodeId, nodeId)
    if (kind === 'relay') this.#relays.add(nodeId)
    this.#version++
    return { found: [record], lost: [] }
  }

  /** Whether a node is linked to this one alone, so that no way leads by it to anybody. */
  isEnd({ links }: NodeRecord): boolean {
    return links.size === 1 && links.has(this.self.nodeId)
  }

  /**
   * Works out the ways anew, after links changed.
   *
   * @param keeps whether to keep the record of a node no way leads to, though there are many
   * @returns nodes a way leads to now, and nodes none leads to any more
   */
  recompute(keeps: (nodeId: string) => boolean = () => false): {
    readonly found: NodeRecord[]
    readonly lost: NodeRecord[]
  } {
    const before = this.#nextHops
    const hops = new Map<string, string>()
    const relays = new Set<string>()
    // Nodes to be looked at, by what the way there costs: the first time a node comes up is the cheapest.
    const found: (readonly [record: NodeRecord, hop: string, behind: Behind | undefined])[][] = []
    const reach = (nodeId: string, hop: string, cost: number, behind?: Behind): void => {
      const record = this.#records.get(nodeId)
      if (record && !record.isGone && record !== this.self) (found[cost] ??= []).push([record, hop, behind])
    }
    for (const nodeId of this.self.links) reach(nodeId, nodeId, 1)
    for (let cost = 1; cost < found.length; cost++) {
      for (const [record, hop, behind] of found[cost] ?? []) {
        if (hops.has(record.nodeId) || behind?.count === MAX_BEHIND_LEAF) continue
        if (behind) behind.count++
        hops.set(record.nodeId, hop)
        const isLeaf = record.kind === 'leaf'
        if (!isLeaf && behind?.isHome !== false) relays.add(record.nodeId)
        if (record.isStale) continue
        let beyond = behind?.isHome && !isLeaf ? undefined : behind
        for (const nodeId of record.links) {
          if (hops.has(nodeId) || !this.#records.get(nodeId)?.links.has(record.nodeId)) continue
          if (isLeaf) beyond ??= { count: 0, isHome: cost === 1 && this.self.kind === 'leaf' }
          reach(nodeId, hop, cost + (isLeaf ? LEAF_TRANSIT_COST : 1), beyond)
        }
      }
    }
    const lost = [...before.keys()].filter((nodeId) => !hops.has(nodeId)).map((nodeId) => this.#records.get(nodeId)!)
    for (const record of lost) record.lastVia = before.get(record.nodeId)
    this.#nextHops = hops
    this.#relays = relays
    this.#version++
    if (this.#records.size > 2 * hops.size + MAX_STRANGERS) {
      for (const nodeId of [...this.#records.keys()])
        if (!this.member(nodeId) && !before.has(nodeId) && !keeps(nodeId)) this.#records.delete(nodeId)
    }
    const added = [...hops.keys()].filter((nodeId) => !before.has(nodeId)).map((nodeId) => this.#records.get(nodeId)!)
    return { found: added, lost }
  }
}

function hasRoom({ links, names }: NodeRecord, change: NodeChange): boolean {
  if (change.op === 'link') return !change.isUp || links.size < MAX_LINKS || links.has(change.other)
  return change.op !== 'name' || change.actorId === undefined || names.size < MAX_NAMES || names.has(change.name)
}

function edit(record: NodeRecord, change: NodeChange): void {
  if (change.op === 'link') {
    if (change.isUp) record.links.add(change.other)
    else record.links.delete(change.other)
    if (change.isUp && change.isSuspended) record.suspended.add(change.other)
    else record.suspended.delete(change.other)
  } else if (change.op === 'state') record.isHidden = change.isHidden
  else if (change.actorId === undefined) record.names.delete(change.name)
  else record.names.set(change.name, change.actorId)
}

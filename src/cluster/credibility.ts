/**
 * Whose word counts for what: who may speak for whom, tell of a node, bury it, or say that no frame gets there. Relays are
 * trusted. A leaf speaks for itself and for those behind it, as a page does for its workers; a relay does not take its
 * word for a node that is waited for elsewhere, and asks for it again when it may.
 */
import type { Link } from '../link/link.ts'
import type { NodeRecord, Topology } from './topology.ts'
import type { NodeChange, NodeSnapshot } from './update.ts'

export class Credibility {
  readonly #topology: Topology
  readonly #isAwaited: (nodeId: string) => boolean
  /** Nodes that are waited for, and the leaf that told of each last. */
  readonly #refused = new Map<string, Link>()

  /** @param isAwaited whether a node is a member no way leads to */
  constructor(topology: Topology, isAwaited: (nodeId: string) => boolean) {
    this.#topology = topology
    this.#isAwaited = isAwaited
  }

  /** Whether a neighbour may send in the name of a node: its own, one behind it, or any but this one if it is a relay. */
  maySpeakFor(link: Link, nodeId: string): boolean {
    if (nodeId === link.nodeId) return true
    if (nodeId === this.#topology.self.nodeId) return false
    if (link.peer.kind === 'relay') return true
    const hop = this.#topology.nextHop(nodeId)
    return hop === undefined || hop === link.nodeId
  }

  /** Whether what a neighbour tells of a node counts. */
  mayTell(link: Link, update: NodeSnapshot | NodeChange): boolean {
    const { nodeId, op } = update
    if (!this.maySpeakFor(link, nodeId)) return false
    if (nodeId === link.nodeId) return op !== 'node' || update.kind === link.peer.kind
    if (this.#isIntroduced(link, nodeId)) return true
    if (op === 'node' && this.#topology.record(nodeId)!.version < update.version) this.#refused.set(nodeId, link)
    return false
  }

  /**
   * Whether a neighbour may say that a node is to be reached through it now. A leaf could be anybody's thief: who was
   * reached otherwise before comes back by itself, or by a relay, for as long as it is waited for.
   */
  #isIntroduced({ nodeId: neighbour, peer }: Link, nodeId: string): boolean {
    if (peer.kind === 'relay' || this.#topology.self.kind !== 'relay' || !this.#isAwaited(nodeId)) return true
    const record = this.#topology.record(nodeId)!
    return record.lastVia === neighbour || this.#isReleased(record)
  }

  /** Whether it was linked to leaves only, as a worker to its page, and none of these is waited for itself. */
  #isReleased({ links }: NodeRecord): boolean {
    for (const nodeId of links)
      if (this.#topology.record(nodeId)?.kind !== 'leaf' || this.#isAwaited(nodeId)) return false
    return true
  }

  /** Nodes a leaf told of in vain, and may tell of now: that neighbour is to be asked. */
  askable(): readonly (readonly [link: Link, nodeId: string])[] {
    if (this.#refused.size === 0) return []
    const askable: (readonly [Link, string])[] = []
    for (const [nodeId, link] of this.#refused) {
      const maySpeak = link.isOpen && this.maySpeakFor(link, nodeId)
      if (maySpeak && !this.#isIntroduced(link, nodeId)) continue
      this.#refused.delete(nodeId)
      if (maySpeak) askable.push([link, nodeId])
    }
    return askable
  }

  /** Whether a neighbour may say that a node has ended, which is final: a leaf of itself and of those behind it only. */
  mayBury(link: Link, nodeId: string): boolean {
    return (
      nodeId === link.nodeId ||
      (this.maySpeakFor(link, nodeId) && this.#topology.nextHop(nodeId) !== undefined) ||
      link.peer.kind === 'relay'
    )
  }

  /**
   * Whether `from`, heard over that link, may say that a frame never gets to a node: it came by the way there, and its
   * sender passes frames on there.
   */
  mayRefuse(link: Link, from: string, nodeId: string): boolean {
    if (this.#topology.nextHop(nodeId) !== link.nodeId) return false
    return from === link.nodeId || this.#topology.isRelay(from) || this.#topology.areLinked(from, nodeId)
  }
}

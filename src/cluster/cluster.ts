/**
 * This node's place in the cluster: its links, what it knows of the others, and the way of every frame. A thin shell
 * around `Topology` and `Names`, which decide; here are links, events and the flooding of news.
 */

import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { Member } from '../actor/actor-system.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { type PulsingError, SessionResetError, UnreachableError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { Link } from '../link/link.ts'
import { Peers, type Routes } from '../remote/peers.ts'
import type { Frame } from '../wire/frame.ts'
import { FIRST_ROUTED_KIND, FRAME, UNDELIVERABLE } from '../wire/frame.ts'
import type { FrameReader } from '../wire/frame-reader.ts'
import { Directory } from './directory.ts'
import { Forwarding } from './forwarding.ts'
import { Neighbours } from './neighbours.ts'
import type { NodeRecord } from './topology.ts'
import { Topology } from './topology.ts'
import type { NodeChange, NodeSnapshot, Update } from './update.ts'
import { decodeUpdates } from './update.ts'

export interface ClusterOptions {
  readonly runtime: ActorRuntime
  readonly random: Random
  readonly kind: 'relay' | 'leaf'
  readonly features: readonly string[]
  readonly classes: readonly string[]
  readonly maxMessageBytes: number
  /** How long what is pending with a node waits for a way there, in milliseconds. */
  readonly graceMs: number
}

/** Who decides about direct connections; set when a transport can make some. */
export interface Upgrader {
  sent(nodeId: string, bytes: number): void
  signalled(nodeId: string, payload: Uint8Array): void
}

export class Cluster implements Routes {
  readonly topology: Topology
  readonly peers: Peers
  readonly neighbours: Neighbours
  /** Public names, of this node and all others. */
  readonly directory: Directory
  upgrader: Upgrader | undefined
  readonly #runtime: ActorRuntime
  readonly #forwarding: Forwarding
  readonly #synced = new WeakMap<Link, Deferred<void>>()

  constructor(options: ClusterOptions) {
    const { runtime, random, kind, features, classes, maxMessageBytes, graceMs } = options
    this.#runtime = runtime
    this.topology = new Topology({ nodeId: runtime.nodeId, kind, addr: undefined, features, classes })
    this.peers = new Peers(runtime, this, maxMessageBytes, graceMs)
    this.directory = new Directory(runtime, random, this.peers)
    this.neighbours = new Neighbours(runtime.nodeId, this)
    this.#forwarding = new Forwarding(this.topology, this.neighbours)
    runtime.nameListener = {
      published: (name, cell) => this.#nameChanged(name, cell.id),
      withdrawn: (name) => this.#nameChanged(name, undefined),
    }
    for (const cell of runtime.publicCells()) this.#nameChanged(cell.name!, cell.id)
  }

  // Members and names

  members(): Member[] {
    return [...this.topology.members()].map((record) => this.#member(record))
  }

  /** Settles when a neighbour has told all it knows. @throws UnreachableError when its link ends before that */
  async whenSynced(link: Link): Promise<void> {
    await Promise.race([this.#syncOf(link).promise, link.over])
    if (link.isOpen) return
    const current = this.neighbours.link(link.nodeId)
    if (current && current !== link) return this.whenSynced(current)
    throw new UnreachableError(`expected node ${link.nodeId} to tell what it knows, got the end of the link`, {
      outcome: 'not-sent',
    })
  }

  #syncOf(link: Link): Deferred<void> {
    let sync = this.#synced.get(link)
    if (!sync) this.#synced.set(link, (sync = deferred()))
    return sync
  }

  #nameChanged(name: string, actorId: string | undefined): void {
    const nodeId = this.#runtime.nodeId
    const change = this.topology.changeSelf({ op: 'name', name, actorId })
    if (actorId === undefined) this.directory.remove(name, nodeId)
    else this.directory.add(name, { nodeId, actorId })
    this.neighbours.tell([change])
  }

  // Routes

  linkTo(nodeId: string): Link | undefined {
    const hop = this.topology.nextHop(nodeId)
    return hop === undefined ? undefined : this.neighbours.link(hop)
  }

  sent(nodeId: string, bytes: number): void {
    this.upgrader?.sent(nodeId, bytes)
  }

  signalled(nodeId: string, payload: Uint8Array): void {
    this.upgrader?.signalled(nodeId, payload)
  }

  // Links

  /** A link is up: both ends tell each other all they know. */
  neighbourJoined(link: Link): void {
    const { nodeId, kind, features } = link.peer
    if (!this.topology.record(nodeId)) {
      // Version 0: whatever the neighbour says of itself replaces it.
      this.topology.applySnapshot({
        op: 'node',
        nodeId,
        version: 0,
        kind,
        addr: undefined,
        features,
        classes: [],
        links: [],
        names: [],
      })
    }
    if (!this.topology.self.links.has(nodeId)) {
      this.neighbours.tell([this.topology.changeSelf({ op: 'link', other: nodeId, isUp: true })], link)
      this.#recompute()
    }
    // Those no way leads to from here as well: one may lead there by way of this node later.
    const snapshots: Update[] = [...this.topology.records()]
      .filter(({ version, isGone }) => version > 0 && !isGone)
      .map((record) => this.topology.snapshot(record))
    this.neighbours.send(link, [...snapshots, { op: 'synced' }])
    this.#runtime.events.emit('linkOpened', { nodeId, transport: link.transport })
  }

  /** A neighbour is gone: the last link to it is over. */
  neighbourLeft(link: Link, error: PulsingError | undefined): void {
    const { nodeId } = link
    const rerouted = this.#peersVia(nodeId)
    // A port ends with the node behind it; so has a node that says goodbye. Said while others still know it behind us.
    if (link.hasLeft || (link.diesWithPeer && !link.wasClosed)) this.#bury(nodeId)
    else if (link.diesWithPeer)
      this.peers.reset(
        nodeId,
        new SessionResetError(`the port to node ${nodeId} was closed`, { address: `actor://${nodeId}` }),
      )
    this.neighbours.tell([this.topology.changeSelf({ op: 'link', other: nodeId, isUp: false })])
    this.#recompute()
    this.#resume(rerouted)
    this.#runtime.events.emit('linkClosed', { nodeId, transport: link.transport, error })
  }

  /** A link that had been replaced by another to the same neighbour broke: what was on its way over it may be lost. */
  linkBroke(link: Link): void {
    this.#resume(this.#peersVia(link.nodeId))
  }

  #peersVia(neighbour: string): string[] {
    return [...this.peers.associations()]
      .map(({ nodeId }) => nodeId)
      .filter((nodeId) => this.topology.nextHop(nodeId) === neighbour)
  }

  /** What was on its way over a link that broke may be lost: peers that can still be reached are asked. */
  #resume(peers: readonly string[]): void {
    for (const peer of peers) if (this.topology.nextHop(peer) !== undefined) this.peers.found(peer)
  }

  /** One frame from a neighbour. @throws ProtocolError */
  received(link: Link, frame: Frame, reader: FrameReader): void {
    if (frame.kind === FRAME.cluster) {
      for (const update of decodeUpdates(frame.payload)) this.#learn(link, update)
      return
    }
    if (frame.kind < FIRST_ROUTED_KIND) return
    const from = this.#forwarding.accept(link, frame, reader)
    if (from === undefined) return
    if (frame.kind !== FRAME.undeliverable) {
      this.peers.receive(link, from, frame)
      return
    }
    // Where there is just no way now, the session finds that out by itself, and waits for one.
    if (frame.id === UNDELIVERABLE.never && this.topology.nextHop(frame.actor) === link.nodeId)
      this.peers.reset(
        frame.actor,
        new UnreachableError(`expected a way to node ${frame.actor}, got none: ${frame.reason}`, {
          address: `actor://${frame.actor}`,
        }),
      )
  }

  #learn(link: Link, update: Update): void {
    switch (update.op) {
      case 'synced':
        this.#syncOf(link).resolve()
        return
      case 'want': {
        const record = this.topology.member(update.nodeId)
        if (record && record.version > 0) this.neighbours.send(link, [this.topology.snapshot(record)])
        return
      }
      case 'gone':
        if (this.#forwarding.mayBury(link, update.nodeId) && this.#bury(update.nodeId, link)) this.#recompute()
        return
      default:
        if (this.#forwarding.maySpeakFor(link, update.nodeId)) this.#apply(link, update)
    }
  }

  /** A node has ended: everybody is told, and nobody waits for it. */
  #bury(nodeId: string, except?: Link): boolean {
    if (this.topology.bury(nodeId) !== 'news') return false
    this.neighbours.tell([{ op: 'gone', nodeId }], except)
    this.peers.gone(nodeId, new UnreachableError(`node ${nodeId} has ended`, { address: `actor://${nodeId}` }))
    return true
  }

  #apply(link: Link, update: NodeSnapshot | NodeChange): void {
    const before = this.topology.record(update.nodeId)
    const namesBefore = update.op === 'node' ? before?.names : undefined
    const applied = update.op === 'node' ? this.topology.applySnapshot(update) : this.topology.applyChange(update)
    if (applied === 'gap') this.neighbours.send(link, [{ op: 'want', nodeId: update.nodeId }])
    if (applied !== 'news') return
    this.#wantNeighboursOf(update.nodeId, link)
    this.neighbours.tell([update], link)
    if (update.op !== 'name') this.#recompute()
    const names = this.topology.record(update.nodeId)?.names
    for (const name of namesBefore?.keys() ?? []) if (!names?.has(name)) this.directory.remove(name, update.nodeId)
    const record = this.topology.member(update.nodeId)
    if (!record) return
    if (update.op === 'name') this.#indexName(record.nodeId, update.name, update.actorId)
    else if (update.op === 'node') {
      for (const [name, actorId] of record.names) this.directory.add(name, { nodeId: record.nodeId, actorId })
      if (before) this.#runtime.events.emit('memberUpdated', { member: this.#member(record) })
    }
  }

  /** Whoever joined while others were parted may have heard of a node, and never what it is. */
  #wantNeighboursOf(nodeId: string, link: Link): void {
    for (const other of this.topology.record(nodeId)?.links ?? [])
      if (!this.topology.record(other)) this.neighbours.send(link, [{ op: 'want', nodeId: other }])
  }

  #indexName(nodeId: string, name: string, actorId: string | undefined): void {
    if (actorId === undefined) this.directory.remove(name, nodeId)
    else this.directory.add(name, { nodeId, actorId })
  }

  #recompute(): void {
    const { joined, left } = this.topology.recompute()
    for (const record of left) {
      for (const name of record.names.keys()) this.directory.remove(name, record.nodeId)
      if (!record.isGone)
        this.peers.lost(
          record.nodeId,
          new UnreachableError(`no way leads to node ${record.nodeId} any more`, {
            address: `actor://${record.nodeId}`,
          }),
        )
      this.#runtime.events.emit('memberLeft', { member: this.#member(record) })
    }
    for (const record of joined) {
      this.peers.found(record.nodeId)
      for (const [name, actorId] of record.names) this.directory.add(name, { nodeId: record.nodeId, actorId })
      this.#runtime.events.emit('memberJoined', { member: this.#member(record) })
    }
  }

  #member({ nodeId, addr, kind }: NodeRecord): Member {
    return {
      nodeId,
      kind,
      status: 'online',
      isSelf: nodeId === this.#runtime.nodeId,
      ...(addr === undefined ? {} : { addr }),
    }
  }

  /** Leaves the cluster: what waits fails with `error`, neighbours are told, links end after what was sent has left. */
  async close(error: PulsingError): Promise<void> {
    this.directory.close(error)
    this.peers.close(error)
    await this.neighbours.close()
  }
}

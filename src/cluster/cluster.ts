/**
 * This node's place in the cluster: its links, what it knows of the others, and the way of every frame. A thin shell
 * around `Topology` and `Names`, which decide; here are links, events and the flooding of news.
 */

import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { Member } from '../actor/actor-system.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { describe, ProtocolError, type PulsingError, SessionResetError, UnreachableError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { Link } from '../link/link.ts'
import { noWay, Peers, type Routes } from '../remote/peers.ts'
import type { Frame } from '../wire/frame.ts'
import { FIRST_ROUTED_KIND, FRAME, UNDELIVERABLE } from '../wire/frame.ts'
import type { FrameReader } from '../wire/frame-reader.ts'
import { Attendance } from './attendance.ts'
import type { Backbone } from './backbone.ts'
import { Credibility } from './credibility.ts'
import { Directory } from './directory.ts'
import { Forwarding } from './forwarding.ts'
import { Neighbours } from './neighbours.ts'
import type { NodeRecord } from './topology.ts'
import { Topology } from './topology.ts'
import type { NodeChange, NodeSnapshot, Update } from './update.ts'
import { decodeUpdates, encodeUpdate, MAX_NAMES } from './update.ts'

/** The feature of a neighbour that looks on, and is no member. */
export const OBSERVER = 'observer'

export interface ClusterOptions {
  readonly runtime: ActorRuntime
  readonly random: Random
  readonly kind: 'relay' | 'leaf'
  readonly features: readonly string[]
  readonly classes: readonly string[]
  readonly maxMessageBytes: number
  /** How long a node no way leads to stays a member, and what is pending with it waits, in milliseconds. */
  readonly graceMs: number
  /** The same for pages that were hidden when they were last heard of. */
  readonly hiddenGraceMs: number
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
  /** On a relay: what it is among others. */
  backbone: Backbone | undefined
  readonly #runtime: ActorRuntime
  readonly #credibility: Credibility
  readonly #forwarding: Forwarding
  readonly #attendance: Attendance
  /** On a relay: nodes it heard of when they were away. They are no members, and still some leaf may not take their place. */
  readonly #strangers: Attendance
  readonly #snapshots = new WeakMap<NodeRecord, { readonly version: number; readonly bytes: Uint8Array }>()
  /** Neighbours that look on: frames go to and fro, and nobody is told of them. */
  readonly #observers = new Map<string, Link>()
  readonly #synced = new WeakMap<Link, Deferred<void>>()
  /** Members last told of as suspended. */
  readonly #toldSuspended = new WeakSet<NodeRecord>()

  constructor(options: ClusterOptions) {
    const { runtime, random, kind, features, classes, maxMessageBytes, graceMs, hiddenGraceMs } = options
    this.#runtime = runtime
    this.topology = new Topology({ nodeId: runtime.nodeId, kind, addr: undefined, features, classes })
    this.peers = new Peers(runtime, this, maxMessageBytes)
    this.directory = new Directory(runtime, random, this.peers)
    this.neighbours = new Neighbours(runtime.nodeId, this)
    this.#credibility = new Credibility(this.topology, this.#isAwaited)
    this.#forwarding = new Forwarding(this.topology, this.neighbours, this.#credibility)
    const patience = { clock: runtime.clock, graceMs, hiddenGraceMs, links: () => this.neighbours.links() }
    this.#strangers = new Attendance({ ...patience, givenUp: () => this.#askAgain() })
    this.#attendance = new Attendance({
      ...patience,
      givenUp: (nodeId) => {
        this.#tellMember('memberLeft', this.topology.record(nodeId)!)
        this.#askAgain()
      },
    })
    runtime.nameListener = {
      published: (name, cell) => this.#nameChanged(name, cell.id),
      withdrawn: (name) => this.#nameChanged(name, undefined),
    }
    for (const cell of runtime.publicCells()) this.#nameChanged(cell.name!, cell.id)
  }

  // Members and names

  members(): Member[] {
    const absent = [...this.#attendance.absent].map((nodeId) => this.topology.record(nodeId)!)
    return [...this.topology.members(), ...absent].map((record) => this.#member(record))
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
    if (actorId === undefined) this.directory.remove(name, nodeId)
    else this.directory.add(name, { nodeId, actorId })
    const { names } = this.topology.self
    const isTold = names.has(name) || (actorId !== undefined && names.size < MAX_NAMES)
    if (isTold) this.neighbours.tell([this.topology.changeSelf({ op: 'name', name, actorId })])
    else if (actorId !== undefined)
      this.#runtime.warn('names', `expected at most ${MAX_NAMES} public names of a node, got ${describe(name)} too`)
  }

  // Routes

  get waysVersion(): number {
    return this.topology.version + this.neighbours.version
  }

  linkTo(nodeId: string): Link | undefined {
    this.neighbours.tellNow()
    const hop = this.topology.nextHop(nodeId)
    return hop === undefined ? this.#observers.get(nodeId) : this.neighbours.link(hop)
  }

  /** Whether a node no way leads to is waited for, here or by others. */
  readonly #isAwaited = (nodeId: string): boolean =>
    this.#attendance.isAbsent(nodeId) || this.#strangers.isAbsent(nodeId)

  awaitedMs(nodeId: string): number {
    return this.#attendance.leftMs(nodeId)
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
    // What it could not be told while it had no link, it is told from now on.
    if (this.neighbours.size === 1) this.#attendance.cutOff()
    if (features.includes(OBSERVER)) this.#observers.set(nodeId, link)
    else if (!this.topology.record(nodeId)) {
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
        isHidden: false,
      })
    }
    if (!this.#observers.has(nodeId) && !this.topology.self.links.has(nodeId)) {
      const record = this.topology.record(nodeId)!
      record.isStale = true
      this.neighbours.tell([this.topology.changeSelf({ op: 'link', other: nodeId, isUp: true })], link)
      this.#moved(this.topology.join(record, this.#isAwaited))
    }
    // Those no way leads to from here as well: one may lead there by way of this node later. Its own comes last: no way
    // leads anywhere by this node before, and so to nobody whose record may be an old one.
    const others = [...this.topology.records()]
      .filter(({ nodeId: id, version, isGone }) => version > 0 && !isGone && id !== this.topology.self.nodeId)
      .sort(relaysFirst)
    const snapshots = [...others, this.topology.self].map((record) => this.#encoded(record))
    this.neighbours.send(link, [...snapshots, encodeUpdate({ op: 'synced' })])
    this.#runtime.events.emit('linkOpened', { nodeId, transport: link.transport })
  }

  /** A record as all new neighbours are told it: encoded once for every version of it. */
  #encoded(record: NodeRecord): Uint8Array {
    let snapshot = this.#snapshots.get(record)
    if (snapshot?.version !== record.version) {
      snapshot = { version: record.version, bytes: encodeUpdate(this.topology.snapshot(record)) }
      this.#snapshots.set(record, snapshot)
    }
    return snapshot.bytes
  }

  /** A neighbour is gone: the last link to it is over. */
  neighbourLeft(link: Link, error: PulsingError | undefined): void {
    const { nodeId } = link
    if (this.#observers.delete(nodeId)) {
      this.peers.gone(nodeId, new UnreachableError(`observer ${nodeId} has left`, { address: `actor://${nodeId}` }))
      this.#runtime.events.emit('linkClosed', { nodeId, transport: link.transport, error })
      return
    }
    const rerouted = this.#peersVia(nodeId)
    // A port ends with the node behind it; so has a node that says goodbye. Said while others still know it behind us.
    if (link.hasLeft || (link.diesWithPeer && !link.wasClosed)) this.#bury(nodeId)
    else if (link.diesWithPeer)
      this.peers.reset(
        nodeId,
        new SessionResetError(`the port to node ${nodeId} was closed`, { address: `actor://${nodeId}` }),
      )
    this.neighbours.tell([this.topology.changeSelf({ op: 'link', other: nodeId, isUp: false })])
    // Nobody waits for a neighbour that was sent away, or that this node parted from.
    this.#recompute(link.wasClosed || error instanceof ProtocolError || this.peers.closed !== undefined)
    if (this.neighbours.size === 0) this.#attendance.cutOff()
    this.#resume(rerouted)
    this.backbone?.mesh.unlinked(nodeId)
    this.#runtime.events.emit('linkClosed', { nodeId, transport: link.transport, error })
  }

  /** A neighbour's platform answers, and its program does not, as a frozen page; or does again: everybody is told. */
  neighbourSuspended(nodeId: string, isSuspended: boolean): void {
    if (this.#observers.has(nodeId)) return
    this.neighbours.tell([this.topology.changeSelf({ op: 'link', other: nodeId, isUp: true, isSuspended })])
    this.#tellIfChanged(nodeId)
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
      this.#learn(link, decodeUpdates(frame.payload))
      return
    }
    if (frame.kind < FIRST_ROUTED_KIND) return
    const from =
      this.#observers.size > 0 && this.#observers.has(link.nodeId)
        ? this.#forwarding.acceptDirect(link, frame)
        : this.#forwarding.accept(link, frame, reader)
    if (from === undefined) return
    if (frame.kind !== FRAME.undeliverable) {
      this.peers.receive(link, from, frame)
      return
    }
    // Where there is just no way now, the session finds that out by itself, and waits for one.
    if (frame.id === UNDELIVERABLE.never && this.#credibility.mayRefuse(link, from, frame.actor))
      this.peers.reset(
        frame.actor,
        new UnreachableError(`expected a way to node ${frame.actor}, got none: ${frame.reason}`, {
          address: `actor://${frame.actor}`,
        }),
      )
  }

  /** Takes in what a neighbour tells in one go; the ways are worked out once, after all of it. */
  #learn(link: Link, updates: readonly Update[]): void {
    const news: (NodeSnapshot | NodeChange)[] = []
    const before: Before[] = []
    let isMoved = false
    let isSynced = false
    for (const update of updates) {
      switch (update.op) {
        case 'synced':
          isSynced = true
          break
        case 'want': {
          const record = this.topology.member(update.nodeId)
          if (record && record.version > 0) this.neighbours.send(link, [this.#encoded(record)])
          break
        }
        case 'gone':
          isMoved = (this.#credibility.mayBury(link, update.nodeId) && this.#bury(update.nodeId, link)) || isMoved
          break
        default: {
          if (this.#observers.has(link.nodeId) || !this.#credibility.mayTell(link, update)) break
          const { names, isStale } = this.topology.record(update.nodeId) ?? {}
          if (!this.#apply(link, update)) break
          news.push(update)
          before.push({ names, isStale })
          // What a neighbour that was new or back has no links but to here by, opens no way.
          const isEnd = isStale === true && this.topology.isEnd(this.topology.record(update.nodeId)!)
          isMoved ||= (update.op === 'node' || update.op === 'link' || isStale === true) && !isEnd
        }
      }
    }
    if (isMoved) this.#recompute()
    this.neighbours.tell(this.#toBeTold(link, news), link)
    for (const [i, update] of news.entries()) this.#index(update, before[i]!)
    if (isSynced) this.#syncOf(link).resolve()
  }

  /** What others are to hear now. Of what a leaf told a relay of a node no way leads to they hear when one does. */
  #toBeTold(link: Link, news: readonly (NodeSnapshot | NodeChange)[]): readonly (NodeSnapshot | NodeChange)[] {
    if (this.topology.self.kind === 'leaf') return news
    return news.filter(({ nodeId }) => {
      const record = this.topology.record(nodeId)
      if (this.topology.member(nodeId) || this.#attendance.isAbsent(nodeId) || record?.isGone) return true
      if (link.peer.kind === 'leaf' && record) record.isUntold = true
      else if (record) this.#strangers.miss(record)
      return link.peer.kind === 'relay'
    })
  }

  /** A node has ended: everybody is told, and nobody waits for it. */
  #bury(nodeId: string, except?: Link): boolean {
    if (this.topology.bury(nodeId) !== 'news') return false
    this.neighbours.tell([{ op: 'gone', nodeId }], except)
    const record = this.topology.record(nodeId)!
    if (this.#attendance.remove(nodeId)) this.#tellMember('memberLeft', record)
    this.peers.gone(nodeId, new UnreachableError(`node ${nodeId} has ended`, { address: `actor://${nodeId}` }))
    return true
  }

  /** Whether it was news. */
  #apply(link: Link, update: NodeSnapshot | NodeChange): boolean {
    const applied =
      update.op === 'node'
        ? this.topology.applySnapshot(update, update.nodeId === link.nodeId)
        : this.topology.applyChange(update)
    if (applied === 'gap') this.#want(link, update.nodeId)
    return applied === 'news'
  }

  /** What users see of news: names, and members that changed. */
  #index(update: NodeSnapshot | NodeChange, before: Before): void {
    const { nodeId } = update
    if (update.op === 'node') {
      const names = this.topology.record(nodeId)?.names
      for (const name of before.names?.keys() ?? []) if (!names?.has(name)) this.directory.remove(name, nodeId)
    }
    // Also of one that has ended since: what it lost before is no longer in its record.
    if (update.op === 'name' && update.actorId === undefined) this.directory.remove(update.name, nodeId)
    const record = this.topology.member(nodeId)
    if (!record) return
    if (update.op === 'name' && update.actorId !== undefined)
      this.directory.add(update.name, { nodeId, actorId: update.actorId })
    if (update.op === 'link') {
      this.#tellIfChanged(update.other)
      if (!update.isUp) this.#doubt(record, update.other)
    }
    if (update.op === 'node') for (const other of record.links) this.#tellIfChanged(other)
    // What it has is certain from now on.
    if (update.op === 'node' || before.isStale)
      for (const [name, actorId] of record.names) this.directory.add(name, { nodeId, actorId })
    if (update.op === 'state' || (update.op === 'node' && before.names)) this.#tellMember('memberUpdated', record)
  }

  /** A relay lost its link to another: so might this one, with or without noticing. */
  #doubt(record: NodeRecord, other: string): void {
    const link = this.neighbours.link(other === this.#runtime.nodeId ? record.nodeId : other)
    if (record.kind === 'relay' && link?.peer.kind === 'relay') this.backbone?.sweep.doubt(link)
  }

  /** Asks a neighbour for the whole record of a node. */
  #want(link: Link, nodeId: string): void {
    this.neighbours.send(link, [encodeUpdate({ op: 'want', nodeId })])
  }

  /** Asks leaves for what they told of nodes that were waited for elsewhere, and are no more. */
  #askAgain(): void {
    for (const [link, nodeId] of this.#credibility.askable()) this.#want(link, nodeId)
  }

  /** @param isMeant whether ways were given up on purpose: nobody is awaited then */
  #recompute(isMeant = false): void {
    this.#moved(this.topology.recompute(this.#isAwaited), isMeant)
  }

  #moved({ found, lost }: ReturnType<Topology['recompute']>, isMeant = false): void {
    for (const record of lost) {
      for (const name of record.names.keys()) this.directory.remove(name, record.nodeId)
      // With the node it was behind, as a worker with its page.
      const endsToo = isMeant || this.topology.isOrphan(record)
      if (!record.isGone && !endsToo) {
        this.#miss(record)
        continue
      }
      if (!record.isGone) this.peers.reset(record.nodeId, noWay(record.nodeId))
      this.#tellMember('memberLeft', record)
    }
    for (const record of found) {
      const isBack = this.#attendance.remove(record.nodeId)
      this.#strangers.remove(record.nodeId)
      this.peers.found(record.nodeId)
      // A neighbour that is back says first what it still has.
      if (!record.isStale)
        for (const [name, actorId] of record.names) this.directory.add(name, { nodeId: record.nodeId, actorId })
      if (record.isUntold) {
        record.isUntold = false
        this.neighbours.tell([this.topology.snapshot(record)])
      }
      this.#tellMember(isBack ? 'memberUpdated' : 'memberJoined', record)
    }
    this.#askAgain()
  }

  /** No way leads to a member any more: it stays one for a while, and what is pending with it waits. */
  #miss(record: NodeRecord): void {
    this.#attendance.miss(record)
    this.peers.lost(record.nodeId)
    this.#tellMember('memberUpdated', record)
  }

  /** Whether a member answers is known by what its neighbours say of it. */
  #tellIfChanged(nodeId: string): void {
    const record = this.topology.member(nodeId)
    if (record && this.#toldSuspended.has(record) !== this.topology.isSuspended(record))
      this.#tellMember('memberUpdated', record)
  }

  #tellMember(event: 'memberJoined' | 'memberUpdated' | 'memberLeft', record: NodeRecord): void {
    const { nodeId, kind, addr } = record
    if (this.topology.isSuspended(record)) this.#toldSuspended.add(record)
    else this.#toldSuspended.delete(record)
    if (event === 'memberLeft') this.backbone?.mesh.remove(nodeId)
    else if (kind === 'relay' && addr !== undefined && record !== this.topology.self)
      this.backbone?.mesh.add(nodeId, addr)
    this.#runtime.events.emit(event, { member: this.#member(record) })
  }

  #member(record: NodeRecord): Member {
    const { nodeId, addr, kind } = record
    return {
      nodeId,
      kind,
      status: this.#status(record),
      isSelf: nodeId === this.#runtime.nodeId,
      ...(addr === undefined ? {} : { addr }),
    }
  }

  #status(record: NodeRecord): Member['status'] {
    if (this.topology.member(record.nodeId)) {
      if (this.topology.isSuspended(record)) return 'suspended'
      return record.isHidden ? 'hidden' : 'online'
    }
    return record.kind === 'leaf' && this.topology.isDetached(record) ? 'detached' : 'unreachable'
  }

  /** This page is hidden, or shown again: everybody is told. */
  set isHidden(isHidden: boolean) {
    if (this.topology.self.isHidden === isHidden) return
    this.neighbours.tell([this.topology.changeSelf({ op: 'state', isHidden })])
    this.#tellMember('memberUpdated', this.topology.self)
  }

  /** Leaves the cluster: what waits fails with `error`, neighbours are told, links end after what was sent has left. */
  async close(error: PulsingError): Promise<void> {
    this.directory.close(error)
    this.#attendance.close()
    this.#strangers.close()
    this.peers.close(error)
    await this.neighbours.close()
  }
}

/** What was known of a node before it was heard of again: its names, and whether they were waited for. */
interface Before {
  readonly names: ReadonlyMap<string, string> | undefined
  readonly isStale: boolean | undefined
}

/** What a leaf is linked to is known, then, when its record comes. */
function relaysFirst(a: NodeRecord, b: NodeRecord): number {
  return Number(b.kind === 'relay') - Number(a.kind === 'relay')
}

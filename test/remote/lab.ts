/**
 * Two nodes and the wire between them, in the hands of the test: every frame is written and read as on a real link, then
 * delivered, dropped, doubled or held back as the test says. Time is a clock the test moves.
 */

import type { ActorLike } from '../../src/actor/actor.ts'
import type { ActorRef } from '../../src/actor/actor-ref.ts'
import { ActorRuntime } from '../../src/actor/actor-runtime.ts'
import { SYSTEM_ACTOR } from '../../src/actor/system-names.ts'
import { newId } from '../../src/base/ids.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import { systemRandom } from '../../src/base/random.ts'
import { SystemActor } from '../../src/cluster/system-actor.ts'
import type { Link } from '../../src/link/link.ts'
import { proxyFactory } from '../../src/proxy/actor-proxies.ts'
import type { Association } from '../../src/remote/association.ts'
import { Peers } from '../../src/remote/peers.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'

/** How long nodes of the lab wait for a way, in milliseconds. */
export const GRACE_MS = 60_000

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

function readFrame(bytes: Uint8Array): Frame {
  const reader = new FrameReader()
  reader.open(bytes)
  const frame = new Frame()
  reader.next(frame)
  return frame
}

/** What becomes of a frame: the frames to deliver in its place. */
export type Fate = (frame: Frame, from: LabNode) => readonly Frame[]

export class LabNode {
  readonly nodeId = newId()
  readonly runtime: ActorRuntime
  readonly peers: Peers
  /** Frames this node sent, as the other reads them. */
  readonly sent: Frame[] = []
  readonly deadLetters: string[] = []
  isLinked = true
  isBlocked = false
  whenWritable: Promise<void> = Promise.resolve()
  readonly #lab: Lab
  other!: LabNode
  #awaitedUntil = 0

  constructor(lab: Lab, maxMessageBytes: number) {
    this.#lab = lab
    this.runtime = new ActorRuntime({
      nodeId: this.nodeId,
      random: systemRandom,
      clock: lab.clock,
      logger: SILENT,
      mailboxCapacity: 256,
      proxies: proxyFactory,
    })
    this.runtime.spawnSystem(new SystemActor(this.runtime, () => undefined), SYSTEM_ACTOR)
    this.runtime.events.on('deadLetter', ({ reason }) => this.deadLetters.push(reason))
    this.peers = new Peers(
      this.runtime,
      {
        // Never the same: links come and go unannounced.
        waysVersion: NaN,
        linkTo: () => (this.isLinked ? this.link : undefined),
        awaitedMs: () => Math.max(0, this.#awaitedUntil - lab.clock.now()),
        sent: () => undefined,
        signalled: () => undefined,
      },
      maxMessageBytes,
    )
  }

  /** As much of a link as associations see. */
  readonly link: Link = ((node: LabNode) => ({
    get nodeId() {
      return node.other.nodeId
    },
    transfers: false,
    maxFrameBytes: 16 * 1024 * 1024,
    get isBlocked() {
      return node.isBlocked
    },
    whenWritable: () => node.whenWritable,
    diesWithPeer: false,
    send: (frame: Frame) => node.#lab.carry(frame, node),
    sendKept: (chunk: Uint8Array, start: number, end: number) =>
      node.#lab.carry(readFrame(chunk.subarray(start, end)), node),
  }))(this) as unknown as Link

  get association(): Association {
    return this.peers.associate(this.other.nodeId)
  }

  /** The way to the other node is gone, and another is waited for. */
  lose(): void {
    this.isLinked = false
    this.#awaitedUntil = this.#lab.clock.now() + GRACE_MS
    this.peers.lost(this.other.nodeId)
  }

  /** There is a way again. */
  find(): void {
    this.isLinked = true
    this.#awaitedUntil = 0
    this.peers.found(this.other.nodeId)
  }

  /** Spawns an actor here; the ref the other node has of it. */
  async host(actor: ActorLike | ActorLike['receive']): Promise<ActorRef> {
    const like = typeof actor === 'function' ? { receive: actor } : actor
    const ref = await this.runtime.spawn(like, undefined, undefined)
    return this.other.peers.refTo(this.nodeId, ref.id, undefined)
  }
}

export class Lab {
  readonly clock = new ManualClock()
  readonly a: LabNode
  readonly b: LabNode
  /** By default every frame is delivered, once, in order. */
  fate: Fate = (frame) => [frame]
  #underway: (() => void)[] = []

  constructor({ maxMessageBytes = 1024 * 1024 }: { maxMessageBytes?: number } = {}) {
    this.a = new LabNode(this, maxMessageBytes)
    this.b = new LabNode(this, maxMessageBytes)
    this.a.other = this.b
    this.b.other = this.a
  }

  carry(frame: Frame, from: LabNode): boolean {
    const writer = new FrameWriter()
    writer.write(frame)
    const reader = new FrameReader()
    reader.open(writer.take())
    const copy = new Frame()
    reader.next(copy)
    from.sent.push(copy)
    for (const fated of this.fate(copy, from)) this.deliver(fated, from)
    return !from.isBlocked
  }

  /** Delivers a frame to the other side of `from`, in a later turn. */
  deliver(frame: Frame, from: LabNode): void {
    this.#underway.push(() => {
      const to = from.other
      to.peers.receive(to.link, from.nodeId, frame.clone())
    })
    if (this.#underway.length === 1) macrotask(() => this.#arrive())
  }

  #arrive(): void {
    for (const arrive of this.#underway.splice(0)) arrive()
  }

  /** Whether nothing is pending between the two. */
  get isClean(): boolean {
    return this.a.association.isIdle && this.b.association.isIdle
  }
}

/** Lets turns of the event loop pass, until everything underway has arrived and was answered. */
export async function settle(turns = 12): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => macrotask(resolve))
}

/** Settles when `isTrue` is; looked at after every turn. Fails after a thousand turns rather than waiting for ever. */
export async function until(isTrue: () => boolean): Promise<void> {
  for (let turns = 0; !isTrue(); turns++) {
    if (turns === 1000) throw new RangeError(`expected to come true within ${turns} turns: ${isTrue}`)
    await settle(1)
  }
}

export const isKind =
  (kind: keyof typeof FRAME) =>
  (frame: Frame): boolean =>
    frame.kind === FRAME[kind]

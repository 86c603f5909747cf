/**
 * The links of this node, one per neighbour. Of two links to the same neighbour the later one counts; both ends agree on
 * which that is, so that nodes that dial each other at once keep one, and a neighbour that comes back is heard at once.
 */
import type { PulsingError } from '../base/errors.ts'
import { macrotask } from '../base/macrotask.ts'
import type { Link, LinkHandler } from '../link/link.ts'
import { FRAME, Frame, GOAWAY } from '../wire/frame.ts'
import type { FrameReader } from '../wire/frame-reader.ts'
import type { Update } from './update.ts'
import { encodeUpdate, packUpdates } from './update.ts'

/** Bytes of a frame beside its payload. */
const FRAME_HEAD_BYTES = 16

/** What neighbours come, go and say. */
export interface NeighbourListener {
  neighbourJoined(link: Link): void
  neighbourSuspended(nodeId: string, isSuspended: boolean): void
  neighbourLeft(link: Link, error: PulsingError | undefined): void
  /** A link that was replaced ended with an error. */
  linkBroke(link: Link): void
  received(link: Link, frame: Frame, reader: FrameReader): void
}

/** What became of a new link: the one to that neighbour which counts, or why there is none. */
export type LinkOutcome = (outcome: { readonly link: Link } | { readonly error: PulsingError }) => void

export class Neighbours implements LinkHandler {
  readonly #self: string
  readonly #listener: NeighbourListener
  readonly #links = new Map<string, Link>()
  #version = 0
  /** Replaced by another link to the same neighbour; what is still on its way over them counts. */
  readonly #retiring = new Set<Link>()
  readonly #greeting = new Map<Link, LinkOutcome>()
  readonly #frame = new Frame()
  #isClosed = false
  /** What all are still to be told, and by whom all of it was told, if by one. */
  #news: Update[] = []
  #newsFrom: Link | undefined

  constructor(self: string, listener: NeighbourListener) {
    this.#self = self
    this.#listener = listener
  }

  /** All links that count, one per neighbour. */
  links(): IterableIterator<Link> {
    return this.#links.values()
  }

  /** Those of them to relays. */
  *relays(): IterableIterator<Link> {
    for (const link of this.#links.values()) if (link.peer.kind === 'relay') yield link
  }

  get size(): number {
    return this.#links.size
  }

  /** Another number whenever other links count, or there is news again: what is sent next must not overtake it. */
  get version(): number {
    return this.#version
  }

  link(nodeId: string): Link | undefined {
    return this.#links.get(nodeId)
  }

  /** Takes a new link in; `outcome` is called once, when it is up or failed. */
  add(link: Link, outcome: LinkOutcome): void {
    this.#greeting.set(link, outcome)
    if (this.#isClosed) link.abort('this node is shut down')
  }

  /** Settles when no link to a node is left. */
  async whenGone(nodeId: string): Promise<void> {
    for (let link = this.#links.get(nodeId); link !== undefined; link = this.#links.get(nodeId)) await link.over
  }

  /**
   * Tells all neighbours but the one that told it, soon: of a thousand leaves that come at once, all others hear in a few
   * frames. Who told a part of it may hear of it again. What is sent in the meantime waits for {@link tellNow}.
   */
  tell(updates: readonly Update[], from?: Link): void {
    if (updates.length === 0) return
    if (this.#news.length === 0) {
      this.#version++
      this.#newsFrom = from
      macrotask(this.#tellAll)
    } else if (this.#newsFrom !== from) this.#newsFrom = undefined
    this.#news.push(...updates)
  }

  /** Whether there is something all are still to be told. */
  get hasNews(): boolean {
    return this.#news.length > 0
  }

  /** What all are still to be told is told at once. */
  tellNow(): void {
    this.#tellAll()
  }

  readonly #tellAll = (): void => {
    const news = this.#news
    if (news.length === 0) return
    this.#news = []
    const links = [...this.#links.values()].filter((link) => link !== this.#newsFrom)
    if (links.length === 0) return
    for (const payload of packUpdates(news.map(encodeUpdate)))
      for (const link of links) this.#sendPayload(link, payload)
  }

  /** Tells one neighbour, at once, updates that are encoded already. */
  send(link: Link, updates: readonly Uint8Array[]): void {
    for (const payload of packUpdates(updates)) this.#sendPayload(link, payload)
  }

  /** Ends all links, after what was sent has left, and those not yet up at once. Links that come later are refused. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#tellAll()
    for (const link of [...this.#greeting.keys()]) link.abort('this node is shut down')
    const links = [...this.#links.values(), ...this.#retiring]
    for (const link of links) link.close(GOAWAY.leaving, 'leaving')
    await Promise.all(links.map((link) => link.over))
  }

  /** Gives up the links that may break without their neighbour ending; it is met again over another. */
  suspend(): void {
    for (const link of this.#links.values()) if (!link.diesWithPeer) link.abort('this page is put aside')
  }

  /** A record larger than the neighbour takes at once stays untold: it goes without that member. */
  #sendPayload(link: Link, payload: Uint8Array): void {
    if (payload.byteLength + FRAME_HEAD_BYTES > link.maxFrameBytes) return
    this.#frame.kind = FRAME.cluster
    this.#frame.payload = payload
    link.send(this.#frame)
  }

  opened(link: Link): void {
    const { nodeId } = link
    const existing = this.#links.get(nodeId)
    if (this.#isClosed) link.close(GOAWAY.leaving, 'leaving')
    else if (nodeId === this.#self) link.close(GOAWAY.duplicate, 'a node does not link to itself')
    else if (existing && existing.serial > link.serial) this.#retire(link)
    else {
      this.#links.set(nodeId, link)
      this.#version++
      if (existing) this.#retire(existing)
      this.#listener.neighbourJoined(link)
    }
    this.#settle(link, { link: this.#links.get(nodeId) ?? link })
  }

  #retire(link: Link): void {
    this.#retiring.add(link)
    link.retire()
  }

  received(link: Link, frame: Frame, reader: FrameReader): void {
    this.#listener.received(link, frame, reader)
  }

  suspended(link: Link, isSuspended: boolean): void {
    if (this.#links.get(link.nodeId) === link) this.#listener.neighbourSuspended(link.nodeId, isSuspended)
  }

  closed(link: Link, error: PulsingError | undefined): void {
    if (this.#retiring.delete(link)) {
      if (error) this.#listener.linkBroke(link)
    } else if (this.#links.get(link.nodeId) === link) {
      this.#links.delete(link.nodeId)
      this.#version++
      this.#listener.neighbourLeft(link, error)
    }
  }

  failed(link: Link, error: PulsingError): void {
    this.#settle(link, { error })
  }

  #settle(link: Link, outcome: { readonly link: Link } | { readonly error: PulsingError }): void {
    const settle = this.#greeting.get(link)
    this.#greeting.delete(link)
    settle?.(outcome)
  }
}

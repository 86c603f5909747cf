/**
 * The links of this node, one per neighbour. Where two nodes dial each other at once, both keep the same link; where a
 * neighbour comes back before its old link was seen to end, the new one counts.
 */
import type { PulsingError } from '../base/errors.ts'
import type { Link, LinkHandler } from '../link/link.ts'
import type { FrameReader } from '../wire/frame-reader.ts'
import { Frame, FRAME, GOAWAY } from '../wire/frame.ts'
import type { Update } from './update.ts'
import { encodeUpdates } from './update.ts'

/** Updates that go into one frame. */
const UPDATES_PER_FRAME = 64

/** What neighbours come, go and say. */
export interface NeighbourListener {
  neighbourJoined(link: Link): void
  neighbourLeft(link: Link, error: PulsingError | undefined): void
  received(link: Link, frame: Frame, reader: FrameReader): void
}

/** Why a link ended before it was of use. */
export type LinkOutcome = (outcome: { readonly link: Link } | { readonly error: PulsingError }) => void

export class Neighbours implements LinkHandler {
  readonly #self: string
  readonly #listener: NeighbourListener
  readonly #links = new Map<string, Link>()
  readonly #outcomes = new WeakMap<Link, LinkOutcome>()
  readonly #frame = new Frame()

  constructor(self: string, listener: NeighbourListener) {
    this.#self = self
    this.#listener = listener
  }

  link(nodeId: string): Link | undefined {
    return this.#links.get(nodeId)
  }

  links(): Link[] {
    return [...this.#links.values()]
  }

  /** Calls `outcome` once, when the link is up or failed. */
  expect(link: Link, outcome: LinkOutcome): void {
    this.#outcomes.set(link, outcome)
  }

  /** Tells all neighbours but one. */
  tell(updates: readonly Update[], except?: Link): void {
    if (this.#links.size === 0 || (except && this.#links.size === 1 && this.#links.has(except.nodeId))) return
    const payload = encodeUpdates(updates)
    for (const link of this.#links.values()) if (link !== except) this.#sendPayload(link, payload)
  }

  send(link: Link, updates: readonly Update[]): void {
    for (let i = 0; i < updates.length; i += UPDATES_PER_FRAME) this.#sendPayload(link, encodeUpdates(updates.slice(i, i + UPDATES_PER_FRAME)))
  }

  #sendPayload(link: Link, payload: Uint8Array): void {
    this.#frame.kind = FRAME.cluster
    this.#frame.payload = payload
    link.send(this.#frame)
  }

  opened(link: Link): void {
    const { nodeId } = link
    const existing = this.#links.get(nodeId)
    if (nodeId === this.#self) {
      link.close(GOAWAY.duplicate, 'a node does not link to itself')
    } else if (existing && !this.#replaces(link, existing)) {
      link.close(GOAWAY.duplicate, 'there is a link already')
    } else {
      this.#links.set(nodeId, link)
      if (existing) {
        existing.close(GOAWAY.duplicate, 'there is a newer link')
        this.#listener.neighbourLeft(existing, undefined)
      }
      this.#listener.neighbourJoined(link)
    }
    this.#settle(link, { link: this.#links.get(nodeId) ?? link })
  }

  /** Both ends must come to the same answer: a newer link from the same dialer wins, else the one the lower node id dialed. */
  #replaces(link: Link, existing: Link): boolean {
    return link.isDialer === existing.isDialer ? true : link.isDialer === (this.#self < link.nodeId)
  }

  received(link: Link, frame: Frame, reader: FrameReader): void {
    if (this.#links.get(link.nodeId) === link) this.#listener.received(link, frame, reader)
  }

  drained(): void {}

  closed(link: Link, error: PulsingError | undefined): void {
    if (this.#links.get(link.nodeId) !== link) return
    this.#links.delete(link.nodeId)
    this.#listener.neighbourLeft(link, error)
  }

  failed(link: Link, error: PulsingError): void {
    this.#settle(link, { error })
  }

  #settle(link: Link, outcome: { readonly link: Link } | { readonly error: PulsingError }): void {
    this.#outcomes.get(link)?.(outcome)
    this.#outcomes.delete(link)
  }
}

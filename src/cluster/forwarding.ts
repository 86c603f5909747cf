/** Frames for other nodes: passed on by their head alone, never decoded, and never before the news they depend on. */
import type { Link } from '../link/link.ts'
import { FRAME, Frame, MAX_HOPS, UNDELIVERABLE } from '../wire/frame.ts'
import type { FrameReader } from '../wire/frame-reader.ts'
import type { Credibility } from './credibility.ts'
import type { Neighbours } from './neighbours.ts'
import type { Topology } from './topology.ts'

export class Forwarding {
  readonly #topology: Topology
  readonly #neighbours: Neighbours
  readonly #credibility: Credibility
  readonly #notice = new Frame()
  #passed: Link | undefined
  #passedFrom = ''
  #passedAt = -1

  constructor(topology: Topology, neighbours: Neighbours, credibility: Credibility) {
    this.#topology = topology
    this.#neighbours = neighbours
    this.#credibility = credibility
  }

  /**
   * Looks at the head of a routed frame.
   *
   * @returns the node it is from, when it is for this node; undefined when it was passed on or dropped
   */
  accept(link: Link, frame: Frame, reader: FrameReader): string | undefined {
    const from = frame.from === '' ? link.nodeId : frame.from
    if (!this.#mayPass(link, from)) return undefined
    if (frame.to === '' || frame.to === this.#topology.self.nodeId) return from
    this.#forward(link, from, frame, reader)
    return undefined
  }

  /** Whether `from` is a member in whose name that neighbour may send. Frames come in batches: the last yes still holds. */
  #mayPass(link: Link, from: string): boolean {
    const { version } = this.#topology
    if (link === this.#passed && from === this.#passedFrom && version === this.#passedAt) return true
    const sender = this.#topology.member(from)
    // Whoever has ended does not come back, though its link may stay.
    if (!sender || sender.isGone || !this.#credibility.maySpeakFor(link, from)) return false
    this.#passed = link
    this.#passedFrom = from
    this.#passedAt = version
    return true
  }

  /** As {@link accept}, for a neighbour that is no member: it speaks to this node, for itself. */
  acceptDirect(link: Link, frame: Frame): string | undefined {
    const { from, to } = frame
    const isDirect = (from === '' || from === link.nodeId) && (to === '' || to === this.#topology.self.nodeId)
    return isDirect ? link.nodeId : undefined
  }

  #forward(link: Link, from: string, frame: Frame, reader: FrameReader): void {
    if (frame.from === '') return
    if (frame.hops === 0) {
      this.#refuse(link, from, frame, UNDELIVERABLE.never, 'there are too many relays on the way')
      return
    }
    const hop = this.#topology.nextHop(frame.to)
    const next = hop === undefined || hop === link.nodeId ? undefined : this.#neighbours.link(hop)
    if (!next) {
      this.#refuse(link, from, frame, UNDELIVERABLE.now, 'no way leads there')
      return
    }
    if (frame.attachments?.length) {
      this.#refuse(link, from, frame, UNDELIVERABLE.never, 'transferred objects go to neighbours only')
      return
    }
    if (reader.raw.byteLength > next.maxFrameBytes) {
      this.#refuse(link, from, frame, UNDELIVERABLE.never, 'the link there takes no message of this size')
      return
    }
    // Who it is from, or what it speaks of, may be news over there.
    if (this.#neighbours.hasNews) this.#neighbours.tellNow()
    next.forward(reader.raw, reader.hopsAt, frame)
  }

  /** Tells the sender that a frame ends here; a notice that cannot be delivered itself is dropped. */
  #refuse(link: Link, from: string, frame: Frame, code: number, reason: string): void {
    if (frame.kind === FRAME.undeliverable) return
    const notice = this.#notice
    const isNeighbour = from === link.nodeId
    notice.kind = FRAME.undeliverable
    notice.hops = isNeighbour ? 0 : MAX_HOPS
    notice.to = isNeighbour ? '' : from
    notice.from = isNeighbour ? '' : this.#topology.self.nodeId
    notice.session = 0
    notice.seq = 0
    notice.id = code
    notice.actor = frame.to
    notice.reason = reason
    link.send(notice)
  }
}

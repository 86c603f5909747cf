/**
 * What sessions must keep to, frame by frame: each frame delivered once, in order; nothing of a session after its end; an
 * end on both sides or on neither; an end for a reason; credit spent only as granted; memory within its bounds.
 */
import type { PulsingError } from '../../src/base/errors.ts'
import { STREAM_WINDOW_BYTES } from '../../src/remote/outbound-stream.ts'
import { MAX_LOG_BYTES, SendLog } from '../../src/remote/send-log.ts'
import { FRAME, type Frame } from '../../src/wire/frame.ts'
import type { SessionObserver, TappedSession } from './session-tap.ts'

/** What those who send at the same moment may add to a full log, in bytes. */
const LOG_SLACK_BYTES = 512 * 1024

interface Flow {
  items: number
  bytes: number
  creditedItems: number
  creditedBytes: number
}

/** One direction of a pair: what `self` knows of what `peer` sends, and its own sessions towards it. */
interface Side {
  /** The last frame delivered, of the peer's session. */
  session: number
  seq: number
  /** The peer's sessions up to this one are over here. */
  dead: number
  /** Own sessions that are over. */
  readonly ended: Set<number>
  /** Own sessions with the peer's that they were in touch with. */
  readonly bound: Map<number, Set<number>>
  lostAt: number | undefined
  graceMs: number
  flows: Map<number, Flow>
}

/** An end of a session that no other end led to. */
const ROOTS = [/^no way leads to node/, /has ended$/, /^this node was shut down$/]
/** An end that follows from one on the other side. */
const CONSEQUENCES = [/ended the session$/, /began a new session$/]

export class SessionLedger implements SessionObserver {
  readonly #sides = new Map<string, Side>()
  readonly #violate: (text: string) => void
  readonly #now: () => number
  readonly #indexOf: (nodeId: string) => string
  readonly #note: (what: string, detail: string | number) => void
  #endings = 0
  /** The session of the frame sent last; whoever wants to know clears it before. */
  lastSent: number | undefined

  constructor(options: {
    readonly violate: (text: string) => void
    readonly now: () => number
    readonly indexOf: (nodeId: string) => string
    readonly note: (what: string, detail: string | number) => void
  }) {
    this.#violate = options.violate
    this.#now = options.now
    this.#indexOf = options.indexOf
    this.#note = options.note
  }

  /** Sessions of the two nodes, either way, that have ended so far. */
  endings(a: string, b: string): number {
    return this.#side(a, b).ended.size + this.#side(b, a).ended.size
  }

  /** All sessions that have ended so far. */
  get total(): number {
    return this.#endings
  }

  /** Whether that session of `self` with `peer` is over. */
  isOver(self: string, peer: string, number: number): boolean {
    return this.#side(self, peer).ended.has(number)
  }

  sent(session: TappedSession, frame: Frame): void {
    this.lastSent = session.number
    if (frame.kind !== FRAME.item) return
    const flow = this.#flow(session, frame.id)
    if (flow.bytes - flow.creditedBytes >= STREAM_WINDOW_BYTES)
      this.#violate(
        `10 credit: expected at most ${STREAM_WINDOW_BYTES} bytes ahead of the consumer and one item, got one item more in ${this.#name(session)} stream ${frame.id}`,
      )
    flow.items++
    flow.bytes += frame.payload.byteLength
  }

  delivering(session: TappedSession, frame: Frame): void {
    const { self, peer, number } = session
    const side = this.#side(self, peer)
    if (frame.session <= side.dead)
      this.#violate(
        `3 reset: expected nothing of a session that is over, got frame ${frame.seq} in ${this.#name(session)}`,
      )
    if (frame.session !== side.session) {
      if (frame.session < side.session)
        this.#violate(`3 reset: expected session ${side.session}, got ${frame.session} in ${this.#name(session)}`)
      side.session = frame.session
      side.seq = 0
    }
    if (frame.seq !== side.seq + 1)
      this.#violate(
        `${frame.seq <= side.seq ? '2 duplicate' : '1 order'}: expected frame ${side.seq + 1}, got ${frame.seq} in ${this.#name(session)}`,
      )
    side.seq = frame.seq
    let bound = side.bound.get(number)
    if (!bound) side.bound.set(number, (bound = new Set()))
    bound.add(frame.session)
    if (frame.kind === FRAME.credit) this.#credited(session, frame)
  }

  #credited(session: TappedSession, { id, count, bytes }: Frame): void {
    const flow = this.#flow(session, id)
    if (count > flow.items || bytes > flow.bytes || count < flow.creditedItems || bytes < flow.creditedBytes)
      this.#violate(
        `10 credit: expected credit for ${flow.creditedItems} to ${flow.items} items, ${flow.creditedBytes} to ${flow.bytes} bytes, got ${count} and ${bytes} in ${this.#name(session)} stream ${id}`,
      )
    flow.creditedItems = count
    flow.creditedBytes = bytes
  }

  ended(session: TappedSession, number: number, error: PulsingError): void {
    const { self, peer } = session
    const side = this.#side(self, peer)
    this.#endings++
    this.#note(`${this.#name(session)} ended`, error.message.replace(/node \S+/, 'node'))
    side.ended.add(number)
    side.dead = Math.max(side.dead, side.session)
    side.flows = new Map()
    const isRoot = ROOTS.some((pattern) => pattern.test(error.message))
    if (!isRoot && !CONSEQUENCES.some((pattern) => pattern.test(error.message)))
      this.#violate(`3 reset: expected a session to end for a reason, got ${error} in ${this.#name(session)}`)
    if (/^no way/.test(error.message)) {
      const waitedMs = this.#now() - (side.lostAt ?? this.#now())
      if (waitedMs < side.graceMs - 1)
        this.#violate(`3 reset: expected a wait of ${side.graceMs} ms, got ${waitedMs} in ${this.#name(session)}`)
    }
    side.lostAt = undefined
  }

  lost(session: TappedSession, graceMs: number): void {
    const side = this.#side(session.self, session.peer)
    side.lostAt = this.#now()
    side.graceMs = graceMs
  }

  found(session: TappedSession): void {
    this.#side(session.self, session.peer).lostAt = undefined
  }

  logged(bytes: number, frameBytes: number): void {
    if (bytes > MAX_LOG_BYTES + LOG_SLACK_BYTES + frameBytes)
      this.#violate(
        `11 memory: expected at most ${MAX_LOG_BYTES} bytes kept for a peer, and what was on its way, got ${bytes}`,
      )
  }

  /** Says what is wrong now that everything has come to rest, between two nodes that live. */
  verify(a: string, b: string): void {
    const [there, back] = [this.#side(a, b), this.#side(b, a)]
    for (const [own, others] of there.bound) {
      for (const other of others) {
        if (there.ended.has(own) === back.ended.has(other)) continue
        const [over, alive] = there.ended.has(own) ? [a, b] : [b, a]
        this.#violate(
          `3 reset: expected an end on both sides or neither, got session ${own} of ${this.#indexOf(a)} and ${other} of ${this.#indexOf(b)} over at ${this.#indexOf(over)} only, not at ${this.#indexOf(alive)}`,
        )
      }
    }
  }

  #flow({ self, peer }: TappedSession, id: number): Flow {
    const { flows } = this.#side(self, peer)
    let flow = flows.get(id)
    if (!flow) flows.set(id, (flow = { items: 0, bytes: 0, creditedItems: 0, creditedBytes: 0 }))
    return flow
  }

  #side(self: string, peer: string): Side {
    const key = self + peer
    let side = this.#sides.get(key)
    if (!side) {
      side = {
        session: 0,
        seq: 0,
        dead: 0,
        ended: new Set(),
        bound: new Map(),
        lostAt: undefined,
        graceMs: 0,
        flows: new Map(),
      }
      this.#sides.set(key, side)
    }
    return side
  }

  #name({ self, peer }: TappedSession): string {
    return `${this.#indexOf(self)}-${this.#indexOf(peer)}`
  }
}

let watched: SessionLedger | undefined
const { add } = SendLog.prototype

/** Has `ledger` look at every log of frames that is kept. */
export function watchLogs(ledger: SessionLedger | undefined): void {
  watched = ledger
  SendLog.prototype.add = function (frame, isToNeighbour) {
    const bytes = add.call(this, frame, isToNeighbour)
    watched?.logged(this.bytes, bytes.byteLength)
    return bytes
  }
}

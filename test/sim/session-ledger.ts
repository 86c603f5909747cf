/**
 * What sessions must keep to, frame by frame: each frame delivered once, in order; nothing of a session after its end; an
 * end on both sides or on neither; an end for a reason.
 */
import type { PulsingError } from '../../src/base/errors.ts'
import type { Frame } from '../../src/wire/frame.ts'
import type { SessionObserver, TappedSession } from './session-tap.ts'

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

  sent(session: TappedSession): void {
    this.lastSent = session.number
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
  }

  ended(session: TappedSession, number: number, error: PulsingError): void {
    const { self, peer } = session
    const side = this.#side(self, peer)
    this.#endings++
    this.#note(`${this.#name(session)} ended`, error.message.replace(/node \S+/, 'node'))
    side.ended.add(number)
    side.dead = Math.max(side.dead, side.session)
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
      }
      this.#sides.set(key, side)
    }
    return side
  }

  #name({ self, peer }: TappedSession): string {
    return `${this.#indexOf(self)}-${this.#indexOf(peer)}`
  }
}

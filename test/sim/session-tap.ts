/**
 * Stands in for `src/remote/session.ts`: the same sessions, with an observer that hears what they send, deliver and end,
 * in the moment they do. A saboteur can put its own hands in the same place.
 */
import type { PulsingError } from '../../src/base/errors.ts'
import type { Session, SessionOwner } from '../../src/remote/session.ts'
import type { Frame } from '../../src/wire/frame.ts'

type SessionModule = typeof import('../../src/remote/session.ts')

/** One node's session with one peer. */
export interface TappedSession {
  readonly self: string
  readonly peer: string
  /** The number of the session that goes on. */
  readonly number: number
}

export interface SessionObserver {
  /** A frame was numbered and kept, or is about to leave. */
  sent(session: TappedSession, frame: Frame): void
  /** A frame of the peer's is next in order, and about to be acted on. */
  delivering(session: TappedSession, frame: Frame): void
  /** The session of that number is over. */
  ended(session: TappedSession, number: number, error: PulsingError): void
  /** There is no way to the peer. */
  lost(session: TappedSession, graceMs: number): void
  found(session: TappedSession): void
}

/** What a saboteur may replace of a session's surroundings. */
export type OwnerChange = (owner: SessionOwner) => Partial<SessionOwner>

let observer: SessionObserver | undefined
let change: OwnerChange | undefined

/** Who hears of all sessions made from now on. */
export function observeSessions(next: SessionObserver | undefined): void {
  observer = next
}

export function changeOwners(next: OwnerChange | undefined): void {
  change = next
}

export function tapped(original: SessionModule): SessionModule {
  class ObservedSession extends original.Session implements TappedSession {
    readonly self: string
    readonly peer: string
    readonly #observer = observer

    constructor(peer: string, owner: SessionOwner) {
      let known = 0
      const overrides: Pick<SessionOwner, 'deliver' | 'ended'> = {
        deliver: (frame) => {
          this.#observer?.delivering(this, frame)
          owner.deliver(frame)
        },
        ended: (error, sent) => {
          this.#observer?.ended(this, known, error)
          known = this.number
          owner.ended(error, sent)
        },
      }
      const observed: SessionOwner = Object.assign(Object.create(owner) as SessionOwner, overrides)
      super(peer, change ? Object.assign(Object.create(observed) as SessionOwner, change(observed)) : observed)
      known = this.number
      this.self = owner.self
      this.peer = peer
    }

    override send(...args: Parameters<Session['send']>): boolean | undefined {
      const isRoom = super.send(...args)
      this.#observer?.sent(this, args[0])
      return isRoom
    }

    override lose(...args: Parameters<Session['lose']>): void {
      if (!this.isWaiting) this.#observer?.lost(this, args[1])
      super.lose(...args)
    }

    override resume(): void {
      this.#observer?.found(this)
      super.resume()
    }
  }
  return { ...original, Session: ObservedSession as SessionModule['Session'] }
}

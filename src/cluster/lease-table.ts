/**
 * Who holds which exclusive name, as the one authority of a cluster knows it. Pure: the time is passed in, in
 * milliseconds of a monotonic clock, and wall-clock time only where a fencing token is made. Not what a holder believes
 * of its own lease: that is `LeaseHold`, which always gives up earlier than this table does.
 *
 * A table that was just made may follow another whose leases it does not know. For one lease it grants nothing new, and
 * takes its former holders' word instead.
 */
import { OverloadedError } from '../base/errors.ts'

/** How long a lease lasts unless the authority says otherwise, in milliseconds. */
export const DEFAULT_LEASE_MS = 15_000
/** Leases one authority gives at a time. */
export const MAX_LEASES = 65_536
/** Tokens begin at the wall-clock milliseconds times this: as many grants in a millisecond keep later tables ahead. */
export const TOKENS_PER_MS = 1_000
/** No token is that large before the year 2112; what claims one is wrong, and must not use the numbers up. */
export const MAX_TOKEN: number = 2 ** 52

/** Who wants a name. */
export interface Claim {
  readonly name: string
  /** Unguessable, and new for every spawn: whoever knows it is the holder. */
  readonly holder: string
  /** The node it is on, for people. */
  readonly nodeId: string
}

/** A claim that was granted before. */
export interface HeldClaim extends Claim {
  readonly token: number
}

/** It is the holder's, for `leaseMs` from now. */
export interface Granted {
  readonly outcome: 'granted'
  readonly token: number
  readonly leaseMs: number
}

/** What comes of wanting a name: it, the node that has it, or that nothing is granted for `waitMs` yet. */
export type Acquired =
  | Granted
  | { readonly outcome: 'held'; readonly nodeId: string }
  | { readonly outcome: 'wait'; readonly waitMs: number }
/** What comes of wanting to keep it. */
export type Renewed = Granted | { readonly outcome: 'lost' }

interface Lease {
  readonly holder: string
  readonly nodeId: string
  readonly token: number
  readonly expiresAt: number
}

export class LeaseTable {
  readonly #leaseMs: number
  readonly #opensAt: number
  /** In the order they expire: they all last equally long. */
  readonly #leases = new Map<string, Lease>()
  #lastToken = 0

  /** @param now when its authority began */
  constructor(leaseMs: number, now: number) {
    this.#leaseMs = leaseMs
    this.#opensAt = now + leaseMs
  }

  /** Leases that are not over. */
  get size(): number {
    return this.#leases.size
  }

  /**
   * Grants a free name. A holder that has it is granted it again, by the same token: the first answer may be lost.
   *
   * @param wallMs milliseconds since 1970, that no table before this one was ahead of
   * @throws OverloadedError when {@link MAX_LEASES} are given
   */
  acquire(claim: Claim, now: number, wallMs: number): Acquired {
    this.expire(now)
    const lease = this.#leases.get(claim.name)
    if (lease)
      return lease.holder === claim.holder
        ? this.#grant(claim, lease.token, now)
        : { outcome: 'held', nodeId: lease.nodeId }
    if (now < this.#opensAt) return { outcome: 'wait', waitMs: this.#opensAt - now }
    this.#lastToken = Math.max(this.#lastToken + 1, Math.floor(wallMs) * TOKENS_PER_MS)
    return this.#grant(claim, this.#lastToken, now)
  }

  /**
   * Begins a lease anew, for its holder. One that is over is not, even if nobody has taken the name since; one that is
   * not known is while the table is new, the latest token winning.
   *
   * @throws OverloadedError when {@link MAX_LEASES} are given
   */
  renew(claim: HeldClaim, now: number): Renewed {
    this.expire(now)
    const { name, holder, token } = claim
    const lease = this.#leases.get(name)
    const isKnown = lease?.holder === holder && lease.token === token
    const isFormer = now < this.#opensAt && token > (lease?.token ?? 0) && token < MAX_TOKEN
    if (!isKnown && !isFormer) return { outcome: 'lost' }
    this.#lastToken = Math.max(this.#lastToken, token)
    return this.#grant(claim, token, now)
  }

  /** Frees a name, if it is that holder's. */
  release(name: string, holder: string): void {
    if (this.#leases.get(name)?.holder === holder) this.#leases.delete(name)
  }

  /** Forgets what is over. */
  expire(now: number): void {
    for (const [name, { expiresAt }] of this.#leases) {
      if (expiresAt > now) return
      this.#leases.delete(name)
    }
  }

  #grant({ name, holder, nodeId }: Claim, token: number, now: number): Granted {
    if (!this.#leases.delete(name) && this.#leases.size >= MAX_LEASES)
      throw new OverloadedError(`expected at most ${MAX_LEASES} exclusive names, got one more`)
    this.#leases.set(name, { holder, nodeId, token, expiresAt: now + this.#leaseMs })
    return { outcome: 'granted', token, leaseMs: this.#leaseMs }
  }
}

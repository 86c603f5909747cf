/**
 * What a holder believes of its lease. Pure: the time is passed in, in milliseconds of its own monotonic clock. It counts
 * from when it *sent* what was granted, and ends at two thirds of the lease: the authority, which counts from when that
 * arrived, gives the name to nobody before the holder, its clock slow and its timers late, has let go of it.
 */
import type { Granted } from './lease-table.ts'

/** The share of a lease after which its holder lets go, unless it was renewed. */
export const HOLD_SHARE: number = 2 / 3
/** The share of a lease after which its holder renews it. */
export const RENEWAL_SHARE: number = 1 / 3
/** The share of a lease after which a renewal that was not answered is sent again. */
export const RETRY_SHARE: number = 1 / 10

export class LeaseHold {
  readonly token: number
  #leaseMs: number
  /** When what was granted last had been sent. */
  #confirmedAt: number
  #triedAt = -Infinity

  /** @param sentAt when the request for it was sent */
  constructor({ token, leaseMs }: Granted, sentAt: number) {
    this.token = token
    this.#leaseMs = leaseMs
    this.#confirmedAt = sentAt
  }

  /** When the holder lets go. */
  get endsAt(): number {
    return this.#confirmedAt + this.#leaseMs * HOLD_SHARE
  }

  /** When the next renewal is due, or the end if that is earlier. */
  get actsAt(): number {
    const isAnswered = this.#triedAt <= this.#confirmedAt
    const renewsAt = isAnswered
      ? this.#confirmedAt + this.#leaseMs * RENEWAL_SHARE
      : this.#triedAt + this.#leaseMs * RETRY_SHARE
    return Math.min(renewsAt, this.endsAt)
  }

  /** Whether the holder has to have let go. */
  isOver(now: number): boolean {
    return now >= this.endsAt
  }

  /** A renewal is being sent. */
  tried(now: number): void {
    this.#triedAt = now
  }

  /** A renewal sent at `sentAt` was granted. What is over stays so. */
  renewed({ leaseMs }: Granted, sentAt: number, now: number): void {
    if (this.isOver(now) || sentAt <= this.#confirmedAt) return
    this.#leaseMs = leaseMs
    this.#confirmedAt = sentAt
  }
}

/**
 * When what came from a peer is acknowledged: soon, at once after so much, and with a request to send again where
 * something is missing. Timers and counts of one session; what is acknowledged is its business.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { ACK_RESEND } from '../wire/frame.ts'

/** Frames received after which they are acknowledged. */
export const ACK_FRAMES = 32
/** Bytes received after which they are acknowledged: as much of a stream as makes its consumer give new credit, at the same time. */
export const ACK_BYTES: number = 256 * 1024
/** How long an acknowledgement may wait for more to acknowledge, in milliseconds. */
export const ACK_DELAY_MS = 250
/** How long a gap in what comes may stay open before the peer is asked to close it, in milliseconds; doubles each time. */
export const GAP_DELAY_MS = 250
/** The longest such wait, in milliseconds. */
const MAX_GAP_DELAY_MS = 16_000

/** What receipts need of their session. */
export interface Received {
  readonly clock: Clock
  /** The number of the last frame delivered. */
  readonly received: number
  /** How many frames wait for an earlier one. */
  readonly held: number
  /** Says what was received. */
  acknowledge(flags: number): void
}

export class Receipts {
  readonly #session: Received
  #frames = 0
  #bytes = 0
  #ackTimer: Timer | undefined
  #gapTimer: Timer | undefined
  #gapDelayMs = GAP_DELAY_MS
  #hasOverflowed = false

  constructor(session: Received) {
    this.#session = session
  }

  /**
   * A frame with so many bytes was delivered.
   *
   * @param isPart of a large message: little of these is on its way at a time, and its sender waits to hear of it
   */
  delivered(bytes: number, isPart: boolean): void {
    this.note(bytes)
    if (isPart || this.#frames >= ACK_FRAMES || this.#bytes >= ACK_BYTES) this.#session.acknowledge(0)
    else if (!this.#ackTimer) {
      this.#ackTimer = this.#session.clock.setTimer(this.#acknowledge, ACK_DELAY_MS)
      this.#ackTimer.hold(false)
    }
  }

  readonly #acknowledge = (): void => this.#session.acknowledge(0)

  /** As {@link delivered}, for one of many: what is due is said with the last. */
  note(bytes: number): void {
    this.#frames++
    this.#bytes += bytes
  }

  /** All of it was said. */
  acknowledged(): void {
    this.#ackTimer?.cancel()
    this.#ackTimer = undefined
    this.#frames = this.#bytes = 0
  }

  /** A frame came early: there is a gap. */
  gapOpened(): void {
    if (this.#gapTimer) return
    const { received } = this.#session
    this.#gapTimer = this.#session.clock.setTimer(() => {
      this.#gapTimer = undefined
      if (this.#session.held === 0) return
      const isStuck = received === this.#session.received
      this.#gapDelayMs = isStuck ? Math.min(MAX_GAP_DELAY_MS, 2 * this.#gapDelayMs) : GAP_DELAY_MS
      this.#session.acknowledge(ACK_RESEND)
      this.gapOpened()
    }, this.#gapDelayMs)
    this.#gapTimer.hold(false)
  }

  /** More frames came early than can be held: they are asked for as soon as the gap has closed. */
  overflowed(): void {
    this.#hasOverflowed = true
  }

  gapClosed(): void {
    this.#endGap()
    if (this.#hasOverflowed) this.#session.acknowledge(ACK_RESEND)
    this.#hasOverflowed = false
  }

  reset(): void {
    this.acknowledged()
    this.#endGap()
    this.#hasOverflowed = false
  }

  #endGap(): void {
    this.#gapTimer?.cancel()
    this.#gapTimer = undefined
    this.#gapDelayMs = GAP_DELAY_MS
  }
}

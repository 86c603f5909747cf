/**
 * Keeps a relay linked to every relay it hears of, so that no leaf is more than two relays away from another. Seeds name
 * a few relays; the others are found in what those tell. Of two relays the one with the lower id dials first, and the
 * other only when that did not help.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { AuthError, ProtocolError, type PulsingError, toActorError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { Backoff } from '../link/backoff.ts'
import { hasWildcardHost } from './wildcard.ts'

/** How other relays are reached. */
export interface RelayDialer {
  /** Whether there is a link to that node. */
  isLinked(nodeId: string): boolean
  /**
   * Settles with who answered when a link is up; rejects when it does not come up.
   *
   * @param timeoutMs how long the relay may take to answer
   */
  link(address: string, signal: AbortSignal, timeoutMs: number): Promise<{ readonly nodeId: string }>
  /** A relay could not be linked; it is tried again unless `isFinal`. */
  failed(address: string, error: PulsingError, isFinal: boolean): void
}

/** How long a relay may take to answer a call before it is called again, in milliseconds. */
const DIAL_TIMEOUT_MS = 5_000
/** The longest wait between two calls, in milliseconds. */
const MAX_WAIT_MS = 4_000

interface Other {
  address: string
  readonly backoff: Backoff
  timer: Timer | undefined
  /** Ends the call that is being made. Each has one of its own: a platform warns of signals many listen to. */
  call: AbortController | undefined
  /** The address at which this node was refused for good, or another node answered. */
  refused: string | undefined
}

export class Mesh {
  readonly #self: string
  readonly #dialer: RelayDialer
  readonly #clock: Clock
  readonly #random: Random
  #isClosed = false
  readonly #others = new Map<string, Other>()

  constructor(self: string, dialer: RelayDialer, clock: Clock, random: Random) {
    this.#self = self
    this.#dialer = dialer
    this.#clock = clock
    this.#random = random
  }

  /** A relay is a member, at that address. Said again, it is looked at again. */
  add(nodeId: string, address: string): void {
    if (hasWildcardHost(address)) return
    let other = this.#others.get(nodeId)
    if (!other) {
      other = { address, backoff: new Backoff(this.#random), timer: undefined, call: undefined, refused: undefined }
      this.#others.set(nodeId, other)
    }
    other.address = address
    this.#plan(nodeId, other, this.#self > nodeId)
  }

  /** A link to a relay is over. */
  unlinked(nodeId: string): void {
    const other = this.#others.get(nodeId)
    if (other) this.#plan(nodeId, other, true)
  }

  /** A relay is no member any more. */
  remove(nodeId: string): void {
    this.#others.get(nodeId)?.timer?.cancel()
    this.#others.delete(nodeId)
  }

  close(): void {
    this.#isClosed = true
    for (const { timer, call } of this.#others.values()) {
      timer?.cancel()
      call?.abort()
    }
    this.#others.clear()
  }

  #plan(nodeId: string, other: Other, waits: boolean): void {
    if (other.address === other.refused) return
    if (this.#isClosed || other.timer || other.call || this.#dialer.isLinked(nodeId)) return
    other.timer = this.#clock.setTimer(
      () => {
        other.timer = undefined
        if (!this.#dialer.isLinked(nodeId)) void this.#dial(nodeId, other)
      },
      waits ? Math.min(MAX_WAIT_MS, other.backoff.next()) : 0,
    )
    other.timer.hold(false)
  }

  async #dial(nodeId: string, other: Other): Promise<void> {
    const { address } = other
    const { signal } = (other.call = new AbortController())
    try {
      const answered = await this.#dialer.link(address, signal, DIAL_TIMEOUT_MS)
      // Started anew, or this node itself: it would be called, and its good link replaced, for as long as the other is missed.
      if (answered.nodeId !== nodeId)
        throw new ProtocolError(`expected node ${nodeId} at ${address}, got node ${answered.nodeId}`)
      other.backoff.reset()
    } catch (thrown) {
      if (signal.aborted) return
      const error = toActorError(thrown)
      // Neither a wrong token nor a wrong version mends itself, nor does an address that is another's.
      const isFinal = error instanceof AuthError || error instanceof ProtocolError
      if (isFinal) other.refused = address
      this.#dialer.failed(address, error, isFinal)
    } finally {
      other.call = undefined
    }
    if (this.#others.get(nodeId) === other) this.#plan(nodeId, other, true)
  }
}

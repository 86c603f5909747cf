/**
 * Keeps this node linked to its seeds for as long as it lives. A relay keeps a link to every seed; a leaf needs one, and
 * takes the next seed when it loses it. A seed that refuses this node for good, or is this node, is not tried again.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { AuthError, ProtocolError, type PulsingError, PulsingTimeoutError, toActorError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { Backoff } from '../link/backoff.ts'

/** How seeds are reached. */
export interface SeedDialer {
  /**
   * Links to a seed, and hears all it knows. Settles with a promise of the moment no link to that node is left, or with
   * undefined when the seed is this node itself; rejects when the link does not come up.
   *
   * @param timeoutMs how long the seed may take to answer
   */
  link(address: string, signal: AbortSignal, timeoutMs: number): Promise<{ readonly gone: Promise<void> } | undefined>
  /** A seed could not be linked; it is tried again unless `isFinal`. */
  failed(address: string, error: PulsingError, isFinal: boolean): void
}

/** How long a seed may take to answer before the next one is tried, in milliseconds; twice as long after every one that did not. */
const ANSWER_MS = 5_000
const MAX_ANSWER_MS = 30_000

export class Seeds {
  readonly #dialer: SeedDialer
  readonly #clock: Clock
  readonly #random: Random
  #isClosed = false
  /** One for each link that is kept: a platform warns of signals many listen to. */
  readonly #kept: AbortController[] = []
  readonly #waiting = new Set<() => void>()

  constructor(dialer: SeedDialer, clock: Clock, random: Random) {
    this.#dialer = dialer
    this.#clock = clock
    this.#random = random
  }

  /**
   * Begins. Settles when one seed is linked, or none is left that is not this node.
   *
   * @throws AuthError, ProtocolError the last refusal, when every seed refused this node for good
   */
  join(addresses: readonly string[], needsAll: boolean): Promise<void> {
    const groups = needsAll ? addresses.map((address) => [address]) : [addresses]
    return new Promise((resolve, reject) => {
      let refusal: PulsingError | undefined
      const ended = groups.map((group) => this.#keep(group, resolve, (error) => void (refusal = error)))
      void Promise.all(ended).then(() => (refusal ? reject(refusal) : resolve()))
    })
  }

  /** Tries again at once what waits to be tried again. */
  retry(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Stops trying. Links that are up stay up. */
  close(): void {
    this.#isClosed = true
    for (const kept of this.#kept) kept.abort()
  }

  /** Keeps one link to any of `addresses`. Ends when closed, or when there is none left to try. */
  async #keep(addresses: readonly string[], linked: () => void, refused: (error: PulsingError) => void): Promise<void> {
    const kept = new AbortController()
    this.#kept.push(kept)
    if (this.#isClosed) kept.abort()
    const { signal } = kept
    const backoff = new Backoff(this.#random)
    const left = [...addresses]
    let hasJoined = false
    let answerMs = ANSWER_MS
    while (!signal.aborted && left.length > 0) {
      const address = left.shift()!
      try {
        const link = await this.#dialer.link(address, signal, answerMs)
        if (!link) continue
        hasJoined = true
        linked()
        backoff.reset()
        answerMs = ANSWER_MS
        await link.gone
      } catch (thrown) {
        if (signal.aborted) return
        const error = toActorError(thrown)
        if (error instanceof PulsingTimeoutError) answerMs = Math.min(2 * answerMs, MAX_ANSWER_MS)
        // Neither a wrong token nor a wrong version mends itself; a node that was let in before may be again.
        const isFinal = !hasJoined && (error instanceof AuthError || error instanceof ProtocolError)
        this.#dialer.failed(address, error, isFinal)
        if (isFinal) {
          refused(error)
          continue
        }
      }
      left.push(address)
      await this.#wait(backoff.next(), signal)
    }
  }

  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const done = (): void => {
        timer?.cancel()
        this.#waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      if (signal.aborted) done()
      else {
        timer = this.#clock.setTimer(done, delayMs)
        this.#waiting.add(done)
        signal.addEventListener('abort', done)
      }
    })
  }
}

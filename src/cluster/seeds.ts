/**
 * Keeps this node linked to its seeds for as long as it lives. A relay keeps a link to every seed; a leaf needs one, and
 * takes the next seed when it loses it.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { AuthError, ProtocolError, type PulsingError, toActorError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { Backoff } from '../link/backoff.ts'

/** How seeds are reached. */
export interface SeedDialer {
  /** Links to a seed. Settles with the end of the link, once it is up; rejects when it does not come up. */
  link(address: string, signal: AbortSignal): Promise<Promise<void>>
  /** An attempt failed; another follows unless `isFinal`. */
  failed(address: string, error: PulsingError, isFinal: boolean): void
}

export class Seeds {
  readonly #dialer: SeedDialer
  readonly #clock: Clock
  readonly #random: Random
  readonly #closing = new AbortController()

  constructor(dialer: SeedDialer, clock: Clock, random: Random) {
    this.#dialer = dialer
    this.#clock = clock
    this.#random = random
  }

  /** Begins. Returns at once; progress is told to the dialer. */
  start(addresses: readonly string[], needsAll: boolean): void {
    if (needsAll) for (const address of addresses) void this.#keep([address])
    else if (addresses.length > 0) void this.#keep(addresses)
  }

  /** Stops trying. Links that are up stay up. */
  close(): void {
    this.#closing.abort()
  }

  /** Keeps one link to any of `addresses`. Ends when closed, or when every one of them refused this node for good. */
  async #keep(addresses: readonly string[]): Promise<void> {
    const { signal } = this.#closing
    const backoff = new Backoff(this.#random)
    const refused = new Set<string>()
    for (let turn = 0; !signal.aborted && refused.size < addresses.length; turn++) {
      const address = addresses[turn % addresses.length]!
      if (refused.has(address)) continue
      try {
        const over = await this.#dialer.link(address, signal)
        backoff.reset()
        await over
      } catch (thrown) {
        if (signal.aborted) return
        const error = toActorError(thrown)
        // Neither a wrong token nor a wrong version mends itself.
        const isFinal = error instanceof AuthError || error instanceof ProtocolError
        if (isFinal) refused.add(address)
        this.#dialer.failed(address, error, isFinal && refused.size === addresses.length)
      }
      await this.#wait(backoff.next())
    }
  }

  #wait(delayMs: number): Promise<void> {
    const { signal } = this.#closing
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve()
        return
      }
      let timer: Timer
      const done = (): void => {
        timer.cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      timer = this.#clock.setTimer(done, delayMs)
      signal.addEventListener('abort', done)
    })
  }
}

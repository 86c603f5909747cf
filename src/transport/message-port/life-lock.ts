/**
 * Seeing the other side die in a browser, where a port says nothing: each side holds a Web Lock and asks for the other's,
 * which the browser grants only when its holder is gone (3 to 54 ms after the death of a worker, frame or tab).
 *
 * Locks are seen within one origin and one storage partition. Where they are not, nothing is watched: death is then
 * noticed by the heartbeat above, later.
 */
import { ignoreRejection } from '../../base/deferred.ts'
import { newId } from '../../base/ids.ts'

interface LockManagerLike {
  request(name: string, options: { readonly signal?: AbortSignal }, granted: () => unknown): Promise<unknown>
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>
}

/** What the other side needs to watch us. */
export interface LifeToken {
  readonly lock: string
  readonly origin: string
}

/** One side's half: its own lock, and the wait for the other's. */
export class LifeLock {
  readonly #locks: LockManagerLike | undefined
  readonly #origin: string | undefined
  readonly #ended = new AbortController()

  constructor() {
    const scope = globalThis as { readonly origin?: unknown; readonly navigator?: { readonly locks?: LockManagerLike } }
    // Node.js has locks since 24, but no origin; there ports have a close event.
    this.#origin = typeof scope.origin === 'string' && scope.origin !== 'null' ? scope.origin : undefined
    this.#locks = this.#origin === undefined ? undefined : scope.navigator?.locks
  }

  /**
   * Takes a lock of our own. The token must not be told to the other side before: a lock nobody holds yet looks like a
   * death. Undefined where there are no locks.
   */
  hold(): Promise<LifeToken | undefined> {
    const locks = this.#locks
    const { signal } = this.#ended
    if (locks === undefined) return Promise.resolve(undefined)
    const lock = `pulsing-${newId()}`
    return new Promise((resolve) => {
      const untilEnd = (): Promise<void> => {
        resolve({ lock, origin: this.#origin as string })
        return new Promise((end) => {
          if (signal.aborted) end()
          else signal.addEventListener('abort', () => end(), { once: true })
        })
      }
      // Refused (a page without storage, or released first): the connection works, its death is noticed later.
      locks.request(lock, { signal }, untilEnd).then(undefined, () => resolve(undefined))
    })
  }

  /**
   * Calls `died` once when the holder of the token is gone.
   *
   * @param isSeen whether the other side's locks are certain to be visible here
   */
  watch(token: LifeToken | undefined, isSeen: boolean, died: () => void): void {
    const locks = this.#locks
    if (locks === undefined || token === undefined || token.origin !== this.#origin) return
    ignoreRejection(this.#watch(locks, token.lock, isSeen, died))
  }

  /** Gives up the own lock and the wait for the other. */
  release(): void {
    this.#ended.abort()
  }

  async #watch(locks: LockManagerLike, name: string, isSeen: boolean, died: () => void): Promise<void> {
    if (!isSeen) {
      const { held = [] } = await locks.query()
      // Not held as far as we can see: another storage partition, whose locks would be granted to us at once.
      if (!held.some((lock) => lock.name === name)) return
    }
    await locks.request(name, { signal: this.#ended.signal }, () => {
      if (!this.#ended.signal.aborted) died()
    })
  }
}

/** Typed events. A listener that throws does not keep the others from hearing; its error goes to `onListenerError`. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>()
  readonly #onListenerError: (error: unknown) => void

  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError
  }

  /** Calls `listener` for every later event of that name; the returned function ends it. */
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void {
    let listeners = this.#listeners.get(name)
    if (!listeners) this.#listeners.set(name, (listeners = new Set()))
    const entry = (event: Events[K]): void => listener(event)
    listeners.add(entry)
    return () => void listeners.delete(entry)
  }

  /** Whether anybody listens: lets a producer skip building an event nobody hears. */
  has(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0
  }

  /** How many listeners there are. */
  get size(): number {
    let size = 0
    for (const listeners of this.#listeners.values()) size += listeners.size
    return size
  }

  emit<K extends keyof Events>(name: K, event: Events[K]): void {
    const listeners = this.#listeners.get(name)
    if (!listeners) return
    for (const listener of [...listeners]) {
      try {
        ;(listener as (event: Events[K]) => void)(event)
      } catch (error) {
        this.#onListenerError(error)
      }
    }
  }
}

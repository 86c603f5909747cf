// A number everybody shares. An ordinary class; `asActor` is what lets others call its methods from afar. The page loads
// this file too: its proxy of the Node peer's counter has these methods. The type is named because minifiers rename classes.

import { asActor } from 'pulsing'

/**
 * @typedef {object} Watcher
 * @property {ReadableStreamDefaultController<number> | undefined} stream
 * @property {number | undefined} shown the value it got last
 */

export const Counter = asActor({ type: 'Counter' })(
  class Counter {
    #value = 0
    /** @type {Set<Watcher>} */
    #watchers = new Set()

    /** @param {number} step */
    add(step) {
      if (!Number.isSafeInteger(step)) throw new TypeError(`expected a whole number, got ${String(step)}`)
      this.#value += step
      for (const watcher of this.#watchers) this.#show(watcher)
      return this.#value
    }

    /** The value now and whenever it changes. A slow reader misses values in between, never the last one. */
    watch() {
      /** @type {Watcher} */
      const watcher = { stream: undefined, shown: undefined }
      return new ReadableStream({
        start: (stream) => {
          watcher.stream = stream
          this.#watchers.add(watcher)
        },
        pull: () => this.#show(watcher),
        cancel: () => void this.#watchers.delete(watcher),
      })
    }

    /** @param {Watcher} watcher */
    #show(watcher) {
      if (watcher.shown === this.#value || (watcher.stream?.desiredSize ?? 0) <= 0) return
      watcher.shown = this.#value
      watcher.stream?.enqueue(this.#value)
    }
  },
)

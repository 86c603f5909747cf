/**
 * A first-in, first-out queue in a growing ring: push and shift are constant time and allocate nothing once the ring is
 * warm. An empty queue that never held anything holds no array, so that a hundred thousand idle owners stay small.
 */
export class Fifo<T> {
  #ring: (T | undefined)[] | undefined
  #head = 0
  #size = 0

  /** How many items wait. */
  get size(): number {
    return this.#size
  }

  push(item: T): void {
    let ring = this.#ring
    if (ring === undefined) ring = this.#ring = new Array<T | undefined>(4).fill(undefined)
    else if (this.#size === ring.length) ring = this.#grow(ring)
    ring[(this.#head + this.#size) & (ring.length - 1)] = item
    this.#size++
  }

  /** Puts an item back in front of all others. */
  unshift(item: T): void {
    let ring = this.#ring
    if (ring === undefined) ring = this.#ring = new Array<T | undefined>(4).fill(undefined)
    else if (this.#size === ring.length) ring = this.#grow(ring)
    this.#head = (this.#head - 1) & (ring.length - 1)
    ring[this.#head] = item
    this.#size++
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined
    const ring = this.#ring!
    const item = ring[this.#head]
    ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (ring.length - 1)
    this.#size--
    if (this.#size === 0 && ring.length > SHRINK_ABOVE) {
      this.#ring = undefined
      this.#head = 0
    }
    return item
  }

  /** The item `index` places behind the first. */
  at(index: number): T | undefined {
    return index < this.#size ? this.#ring![(this.#head + index) & (this.#ring!.length - 1)] : undefined
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#ring![this.#head]
  }

  /** Takes everything out, in order. */
  drain(): T[] {
    const items: T[] = []
    for (let item = this.shift(); item !== undefined; item = this.shift()) items.push(item)
    return items
  }

  #grow(ring: (T | undefined)[]): (T | undefined)[] {
    const grown = new Array<T | undefined>(ring.length * 2).fill(undefined)
    for (let i = 0; i < this.#size; i++) grown[i] = ring[(this.#head + i) & (ring.length - 1)]
    this.#head = 0
    this.#ring = grown
    return grown
  }
}

/** A ring longer than this is given back when the queue runs empty, so that a burst is not remembered. */
const SHRINK_ABOVE = 1024

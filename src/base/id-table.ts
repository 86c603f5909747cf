/**
 * Values by their ids, where ids go up and most of them are gone soon: asks that wait, say. A ring of slots holds them;
 * one whose slot is needed before it is gone moves to a Map.
 *
 * A Map alone would be filled and emptied until its table is full of holes, and be given another, over and over. A
 * garbage collector that has moved one of the dead tables to its old space keeps the next one for it, and everything in
 * that, and so on, until it looks at the old space again.
 */

/** Something that is found by its id. */
export interface Identified {
  readonly id: number
}

const FIRST_SLOTS = 16
const MAX_SLOTS = 8192
/** A ring larger than this is given back when nothing is left in it, so that a burst is not remembered. */
const SHRINK_ABOVE = 1024

export class IdTable<T extends Identified> {
  #slots: (T | undefined)[] | undefined
  /** Those another has taken the slot of. */
  #moved: Map<number, T> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): T | undefined {
    const slots = this.#slots
    if (slots === undefined) return undefined
    const value = slots[id & (slots.length - 1)]
    return value !== undefined && value.id === id ? value : this.#moved?.get(id)
  }

  /** Adds a value under its id; one that is there under the same id is replaced. */
  add(value: T): void {
    this.delete(value.id)
    let slots = (this.#slots ??= new Array<T | undefined>(FIRST_SLOTS).fill(undefined))
    if (2 * this.#size >= slots.length && slots.length < MAX_SLOTS) slots = this.#grow()
    this.#place(slots, value)
    this.#size++
  }

  /** Takes the value of that id out; undefined when there is none. */
  delete(id: number): T | undefined {
    const slots = this.#slots
    if (slots === undefined) return undefined
    const at = id & (slots.length - 1)
    let value = slots[at]
    if (value !== undefined && value.id === id) slots[at] = undefined
    else {
      value = this.#moved?.get(id)
      if (value === undefined) return undefined
      this.#moved!.delete(id)
    }
    if (--this.#size === 0 && slots.length > SHRINK_ABOVE) this.#slots = undefined
    return value
  }

  /** All values, by ascending ids. */
  values(): T[] {
    const values = (this.#slots ?? []).filter((value) => value !== undefined)
    for (const value of this.#moved?.values() ?? []) values.push(value)
    return values.sort((a, b) => a.id - b.id)
  }

  clear(): void {
    this.#slots = this.#moved = undefined
    this.#size = 0
  }

  #place(slots: (T | undefined)[], value: T): void {
    const at = value.id & (slots.length - 1)
    const older = slots[at]
    if (older !== undefined) (this.#moved ??= new Map()).set(older.id, older)
    slots[at] = value
  }

  #grow(): (T | undefined)[] {
    const values = this.values()
    const slots = new Array<T | undefined>(2 * this.#slots!.length).fill(undefined)
    this.#slots = slots
    this.#moved = undefined
    for (const value of values) this.#place(slots, value)
    return slots
  }
}

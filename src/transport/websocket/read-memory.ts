/**
 * Where the next read of a connection goes, and how much it may take. Large messages of one size after the other get
 * memory of their own, exactly as long, so that none is put together from two reads, and who gets the bytes gets the
 * memory with them. All else shares slabs.
 *
 * Two guesses, of which a wrong one costs a copy and no more: a message is as long as two before it were, and a read that
 * leaves room stops where a message does.
 */

/** Messages of so many bytes get memory of their own. Smaller ones are not worth it; of larger ones too much would wait unused. */
const LARGE_BYTES = 16 * 1024
const MAX_LARGE_BYTES = 256 * 1024
/** A slab, and one for a connection that never filled it: many are idle. */
const SLAB_BYTES = 128 * 1024
const FIRST_SLAB_BYTES = 8 * 1024
/** The part of a slab that is not worth a read. */
const REST_SHARE = 2

const UNKNOWN = -1

/** Memory, and how much of it was read into. */
interface Used {
  readonly memory: Uint8Array
  bytes: number
}

export class ReadMemory {
  readonly #allocate: (bytes: number) => Uint8Array
  #slab: Used
  /** Where a large message is being read into, if one is. */
  #own: Used | undefined
  /** Which of the two the next read goes to, and how much it may take. */
  #target: Used
  #offeredBytes = 0
  /** Whether the last read left room. */
  #hasRoom = false
  /** Bytes the last message took; and those the next is expected to take, if it is large and the last two were alike. */
  #last = 0
  #size = 0
  /** Bytes read of a message that is not whole yet. */
  #begun = UNKNOWN

  constructor(allocate: (bytes: number) => Uint8Array) {
    this.#allocate = allocate
    this.#slab = this.#target = { memory: allocate(FIRST_SLAB_BYTES), bytes: 0 }
  }

  /** Memory for the next read. */
  next(): Uint8Array {
    if (this.#begun === UNKNOWN && this.#hasRoom) this.#begun = 0
    // More came than a message of that size has: it is a longer one.
    if (this.#size > 0 && this.#begun >= this.#size) this.#begun = UNKNOWN
    if (this.#size === 0 || this.#begun === UNKNOWN) return this.#shared(Infinity)
    if (this.#begun === 0) {
      this.#own = { memory: this.#allocate(this.#size), bytes: 0 }
      return this.#offer(this.#own, this.#size)
    }
    const due = this.#size - this.#begun
    return this.#own?.bytes === this.#begun ? this.#offer(this.#own, due) : this.#shared(due)
  }

  /** So many bytes were read into what {@link next} gave. @returns them */
  took(bytes: number): Uint8Array {
    const { memory, bytes: start } = this.#target
    this.#target.bytes += bytes
    if (this.#begun !== UNKNOWN) this.#begun += bytes
    this.#hasRoom = bytes < this.#offeredBytes
    return memory.subarray(start, start + bytes)
  }

  /** A message that took so many bytes, its head among them, is whole. */
  ended(bytes: number): void {
    this.#own = undefined
    this.#size = bytes === this.#last && bytes >= LARGE_BYTES && bytes <= MAX_LARGE_BYTES ? bytes : 0
    this.#last = bytes
    if (this.#begun !== UNKNOWN) this.#begun = Math.max(this.#begun - bytes, UNKNOWN)
  }

  /** What is left of the slab, or the first bytes of it. */
  #shared(most: number): Uint8Array {
    const { memory, bytes } = this.#slab
    if ((memory.byteLength - bytes) * REST_SHARE < memory.byteLength)
      this.#slab = { memory: this.#allocate(this.#hasRoom ? memory.byteLength : SLAB_BYTES), bytes: 0 }
    return this.#offer(this.#slab, Math.min(most, this.#slab.memory.byteLength - this.#slab.bytes))
  }

  #offer(target: Used, bytes: number): Uint8Array {
    this.#target = target
    this.#offeredBytes = bytes
    return target.memory.subarray(target.bytes, target.bytes + bytes)
  }
}

/**
 * Where the next read of a connection goes, and how much it may take. Large messages of one size after the other get
 * memory of their own, exactly as long, so that none is put together from two reads, and who gets the bytes gets the
 * memory with them. All else shares slabs.
 *
 * Two guesses, of which a wrong one costs a copy and no more: a message is as long as the one before, and a read that
 * leaves room stops where a message does.
 */

/** A message that takes at least as many bytes gets memory of its own. */
const LARGE_BYTES = 16 * 1024
/** A slab, and one for a connection that never filled it: many are idle. */
const SLAB_BYTES = 64 * 1024
const FIRST_SLAB_BYTES = 8 * 1024
/** The part of a slab that is not worth a read. */
const REST_SHARE = 4

const UNKNOWN = -1

export class ReadMemory {
  readonly #allocate: (bytes: number) => Uint8Array
  #slab: Uint8Array
  #slabAt = 0
  #offered: Uint8Array
  /** Whether the last read left room. */
  #hasRoom = false
  /** Bytes the last message took, if it was large. */
  #size = 0
  /** Bytes read of a message that is not whole yet. */
  #begun = UNKNOWN

  constructor(allocate: (bytes: number) => Uint8Array) {
    this.#allocate = allocate
    this.#slab = this.#offered = allocate(FIRST_SLAB_BYTES)
  }

  /** Memory for the next read. What the last one left of its own is not used again. */
  next(): Uint8Array {
    if (this.#begun === UNKNOWN && this.#hasRoom) this.#begun = 0
    const due = this.#begun === UNKNOWN || this.#size === 0 ? Infinity : this.#size - this.#begun
    // More came than a message of that size has: it is a longer one.
    if (due <= 0) this.#begun = UNKNOWN
    this.#offered = due >= LARGE_BYTES && due < Infinity ? this.#allocate(due) : this.#rest(due)
    return this.#offered
  }

  /** So many bytes were read into what {@link next} gave. @returns them */
  took(bytes: number): Uint8Array {
    const offered = this.#offered
    if (offered.buffer === this.#slab.buffer) this.#slabAt += bytes
    if (this.#begun !== UNKNOWN) this.#begun += bytes
    this.#hasRoom = bytes < offered.byteLength
    return this.#hasRoom ? offered.subarray(0, bytes) : offered
  }

  /** A message that took so many bytes, its head among them, is whole. */
  ended(bytes: number): void {
    this.#size = bytes >= LARGE_BYTES ? bytes : 0
    if (this.#begun !== UNKNOWN) this.#begun = Math.max(this.#begun - bytes, UNKNOWN)
  }

  /** What is left of the slab, or the first bytes of it. */
  #rest(most: number): Uint8Array {
    if ((this.#slab.byteLength - this.#slabAt) * REST_SHARE < this.#slab.byteLength) {
      this.#slab = this.#allocate(this.#hasRoom ? this.#slab.byteLength : SLAB_BYTES)
      this.#slabAt = 0
    }
    return this.#slab.subarray(this.#slabAt, most > 0 && most < Infinity ? this.#slabAt + most : undefined)
  }
}

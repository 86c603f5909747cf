/**
 * The short way for most of what is sent, as `cbor-plain.ts` is for what comes: small values of ASCII texts, numbers,
 * booleans, lists and objects are checked and written in one pass, as the library would write them. Everything else is left
 * to `lower` and the library.
 */
import { lowered } from './cbor.ts'

/** Longer values are the library's. */
const MAX_BYTES = 4096
/** Levels written by recursion. */
const MAX_LEVELS = 16
/** Keys of one object. */
const MAX_KEYS = 16
/** The longest text written character by character: of longer ones the platform is faster. */
const MAX_TEXT = 64
const MAX_KEY = 23
/** More than any one head, number, key or text takes. */
const ROOM_BYTES = 80

/** Views that are kept. */
const MAX_VIEWS = 512

/** What for-in finds here it finds in every object. */
const NOTHING = {}

class PlainWriter {
  readonly #bytes = new Uint8Array(MAX_BYTES)
  /** Its beginning, by length: made once, for what is written there changes and they do not. */
  readonly #views: (Uint8Array | undefined)[] = []
  readonly #float = new Float64Array(1)
  readonly #floatBytes = new Uint8Array(this.#float.buffer)
  #at = 0
  #isBusy = false

  write(value: unknown): Uint8Array | undefined {
    // A getter may send something itself.
    if (this.#isBusy) return undefined
    for (const _ in NOTHING) return undefined
    this.#isBusy = true
    this.#at = 0
    try {
      return this.#item(value, MAX_LEVELS) ? this.#written(this.#at) : undefined
    } finally {
      this.#isBusy = false
    }
  }

  #written(length: number): Uint8Array {
    if (length > MAX_VIEWS) return this.#bytes.subarray(0, length)
    return (this.#views[length] ??= this.#bytes.subarray(0, length))
  }

  #item(value: unknown, levels: number): boolean {
    if (this.#at > MAX_BYTES - ROOM_BYTES) return false
    switch (typeof value) {
      case 'string':
        return this.#text(value, MAX_TEXT)
      case 'number':
        this.#number(value)
        return true
      case 'boolean':
        return this.#byte(value ? 0xf5 : 0xf4)
      case 'undefined':
        return this.#byte(0xf7)
      case 'object':
        return value === null ? this.#byte(0xf6) : levels > 0 && this.#members(value, levels - 1)
      default:
        return false
    }
  }

  #members(value: object, levels: number): boolean {
    if (lowered in value || Symbol.asyncIterator in value) return false
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null)
      return this.#object(value as Record<string, unknown>, levels)
    return prototype === Array.prototype && this.#list(value as unknown[], levels)
  }

  #object(value: Record<string, unknown>, levels: number): boolean {
    const headAt = this.#at++
    let count = 0
    for (const key in value) {
      if (key === '__proto__' || ++count > MAX_KEYS || this.#at > MAX_BYTES - ROOM_BYTES) return false
      if (!this.#text(key, MAX_KEY) || !this.#item(value[key], levels)) return false
    }
    this.#bytes[headAt] = 0xa0 | count
    return true
  }

  #list(value: readonly unknown[], levels: number): boolean {
    const { length } = value
    if (length > 0xff) return false
    this.#head(4, length)
    for (let i = 0; i < length; i++) if (!this.#item(value[i], levels)) return false
    return true
  }

  #text(text: string, maxLength: number): boolean {
    const { length } = text
    if (length > maxLength) return false
    this.#head(3, length)
    const bytes = this.#bytes
    let at = this.#at
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) return false
      bytes[at++] = unit
    }
    this.#at = at
    return true
  }

  #number(value: number): void {
    const below = -1 - value
    if (value >>> 0 === value) this.#head(0, value)
    else if (below >>> 0 === below) this.#head(1, below)
    else {
      this.#bytes[this.#at++] = 0xfb
      this.#float[0] = value
      // Most significant byte first, which is the last one here.
      for (let i = 7; i >= 0; i--) this.#bytes[this.#at++] = this.#floatBytes[i]!
    }
  }

  /** A head, `value` up to 32 bits of it. */
  #head(major: number, value: number): void {
    const bytes = this.#bytes
    if (value < 24) bytes[this.#at++] = (major << 5) | value
    else {
      const size = value < 0x100 ? 0 : value < 0x1_0000 ? 1 : 2
      bytes[this.#at++] = (major << 5) | (24 + size)
      for (let shift = (8 << size) - 8; shift >= 0; shift -= 8) bytes[this.#at++] = value >>> shift
    }
  }

  #byte(byte: number): true {
    this.#bytes[this.#at++] = byte
    return true
  }
}

let writer: PlainWriter | undefined

/** The bytes of a small plain value, until the next call; undefined for any other. */
export function writePlain(value: unknown): Uint8Array | undefined {
  writer ??= new PlainWriter()
  return writer.write(value)
}

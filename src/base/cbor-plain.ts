/**
 * The short way for most of what travels: small values of texts, numbers, booleans, lists and objects, looked at and made
 * in one pass. Whatever else there is, and whatever is wrong, is left to the scan and the library behind it: this reader
 * makes of bytes what they would, or nothing.
 */
import { fromUtf8 } from './bytes.ts'
import { asciiText, TextCache } from './text-cache.ts'

/** What comes back for bytes that have to go the long way. */
export const NOT_PLAIN: unique symbol = Symbol('not plain')

/** Longer values are the library's: it has a native part for them where there is one. Fewer bytes are never too many items. */
const MAX_BYTES = 4096
/** Levels read by recursion; deeper values go the long way, where nothing is. */
const MAX_LEVELS = 16
/** Keys of one object, which are compared one by one. */
const MAX_KEYS = 16
/** Longest text made from its characters: of longer ones the platform is faster. */
const MAX_ASCII = 48

class PlainReader {
  readonly #keys = new TextCache()
  /** The keys of the objects that are being read, one object inside another. */
  readonly #open = new Array<string>(MAX_LEVELS * MAX_KEYS).fill('')
  #openKeys = 0
  readonly #float = new Float64Array(1)
  readonly #floatBytes = new Uint8Array(this.#float.buffer)
  #bytes!: Uint8Array
  #at = 0
  #end = 0

  /** The value of the bytes from `start` to `end`, or {@link NOT_PLAIN}. */
  read(bytes: Uint8Array, start: number, end: number): unknown {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#openKeys = 0
    const value = this.#item(MAX_LEVELS)
    this.#bytes = undefined as never
    return this.#at === end ? value : NOT_PLAIN
  }

  #item(levels: number): unknown {
    const bytes = this.#bytes
    if (this.#at >= this.#end) return NOT_PLAIN
    const initial = bytes[this.#at++]!
    const info = initial & 0x1f
    const major = initial >> 5
    let value = info
    if (info > 23) {
      const size = 1 << (info - 24)
      if (info > 27 || size > this.#end - this.#at) return NOT_PLAIN
      if (major === 7) return info === 27 ? this.#float64() : NOT_PLAIN
      if (info === 27) return NOT_PLAIN
      value = bytes[this.#at++]!
      for (let i = 1; i < size; i++) value = value * 256 + bytes[this.#at++]!
    }
    switch (major) {
      case 0:
        return value
      case 1:
        return -1 - value
      case 3:
        return this.#text(value)
      case 4:
        return this.#list(value, levels)
      case 5:
        return this.#object(value, levels)
      case 7:
        return info === 20 ? false : info === 21 ? true : info === 22 ? null : info === 23 ? undefined : NOT_PLAIN
      default:
        return NOT_PLAIN
    }
  }

  #float64(): number {
    // Most significant byte first, which is the last one here.
    for (let i = 7; i >= 0; i--) this.#floatBytes[i] = this.#bytes[this.#at++]!
    return this.#float[0]!
  }

  #text(length: number): unknown {
    const start = this.#at
    if (length > this.#end - start) return NOT_PLAIN
    this.#at += length
    const text = length <= MAX_ASCII ? asciiText(this.#bytes, start, length) : undefined
    if (text !== undefined) return text
    try {
      return fromUtf8(this.#bytes.subarray(start, start + length))
    } catch {
      // The scan says where it is no UTF-8.
      return NOT_PLAIN
    }
  }

  #list(length: number, levels: number): unknown {
    // Every item takes a byte.
    if (levels === 0 || length > this.#end - this.#at) return NOT_PLAIN
    const list = new Array<unknown>(length)
    for (let i = 0; i < length; i++) {
      const item = this.#item(levels - 1)
      if (item === NOT_PLAIN) return NOT_PLAIN
      list[i] = item
    }
    return list
  }

  #object(count: number, levels: number): unknown {
    if (levels === 0 || count > MAX_KEYS) return NOT_PLAIN
    const open = this.#open
    const first = this.#openKeys
    const object: Record<string, unknown> = {}
    for (let i = 0; i < count; i++) {
      const key = this.#key()
      if (key === undefined) return NOT_PLAIN
      for (let other = first; other < first + i; other++) if (open[other] === key) return NOT_PLAIN
      open[this.#openKeys++] = key
      const value = this.#item(levels - 1)
      if (value === NOT_PLAIN) return NOT_PLAIN
      object[key] = value
    }
    this.#openKeys = first
    return object
  }

  /** A short key of ASCII; undefined for anything else. */
  #key(): string | undefined {
    if (this.#at >= this.#end) return undefined
    const length = this.#bytes[this.#at]! - 0x60
    const start = this.#at + 1
    if (length < 0 || length > 23 || length > this.#end - start) return undefined
    this.#at = start + length
    const key = this.#keys.read(this.#bytes, start, length)
    return key === '__proto__' ? undefined : key
  }
}

let reader: PlainReader | undefined

/** The value of one CBOR item, the bytes from `start` to `end`, if it is a small plain one; otherwise {@link NOT_PLAIN}. */
export function readPlain(bytes: Uint8Array, start: number, end: number): unknown {
  if (end - start > MAX_BYTES) return NOT_PLAIN
  reader ??= new PlainReader()
  return reader.read(bytes, start, end)
}

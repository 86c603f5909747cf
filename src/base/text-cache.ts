/**
 * Short texts repeat in frame after frame: node ids, actor ids, message types. A direct-mapped table hands out the
 * string made last time, which saves decoding it and hashing it again in the maps it is looked up in.
 */
const SLOTS = 512

export class TextCache {
  readonly #slots: (string | undefined)[] = new Array<string | undefined>(SLOTS).fill(undefined)

  /** The text of `length` ASCII bytes at `start`; undefined when they are not all ASCII. */
  read(bytes: Uint8Array, start: number, length: number): string | undefined {
    if (length === 0) return ''
    let hash = length
    for (let i = 0; i < length; i++) {
      const byte = bytes[start + i]!
      if (byte > 0x7f) return undefined
      hash = (hash * 31 + byte) | 0
    }
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    const cached = this.#slots[slot]
    if (cached !== undefined && cached.length === length && equals(cached, bytes, start)) return cached
    const text = asciiText(bytes, start, length)
    this.#slots[slot] = text
    return text
  }
}

/** Room for the characters of a short text, by its length: it is filled anew for each. */
const ROOMS: (number[] | undefined)[] = []
const MAX_ROOM = 64

/** The text of `length` bytes at `start`, as many as fit a call; undefined when they are not all ASCII. */
export function asciiText(bytes: Uint8Array, start: number, length: number): string | undefined {
  const units = length > MAX_ROOM ? new Array<number>(length) : (ROOMS[length] ??= new Array<number>(length).fill(0))
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + i]!
    if (byte > 0x7f) return undefined
    units[i] = byte
  }
  return String.fromCharCode.apply(null, units)
}

function equals(text: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}

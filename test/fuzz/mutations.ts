/** Random changes to CBOR bytes, most of which keep their shape: what gets past a reader's first look. */
import type { SeededRandom } from '../../src/testkit/seeded-random.ts'

/** Where the items of well-formed bytes begin, and where they end. */
interface Span {
  readonly start: number
  readonly end: number
}

/** The items in `bytes`, as far as they go. */
export function spansOf(bytes: Uint8Array): Span[] {
  const spans: Span[] = []
  const walk = (start: number, depth: number): number => {
    const initial = bytes[start]
    if (initial === undefined || depth > 100 || spans.length > 500) return bytes.length
    const major = initial >> 5
    const info = initial & 31
    const size = info < 24 ? 0 : 2 ** (info - 24)
    let number = info
    if (size > 0) {
      number = 0
      for (let i = 1; i <= Math.min(size, 8); i++) number = number * 256 + (bytes[start + i] ?? 0)
    }
    let end = start + 1 + Math.min(size, 8)
    const index = spans.push({ start, end }) - 1
    if (major === 2 || major === 3) end += number
    const items = major === 4 ? number : major === 5 ? 2 * number : major === 6 ? 1 : 0
    for (let i = 0; i < items && end < bytes.length; i++) end = walk(end, depth + 1)
    spans[index] = { start, end: Math.min(end, bytes.length) }
    return spans[index]!.end
  }
  for (let at = 0; at < bytes.length; ) at = walk(at, 0)
  return spans
}

function join(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const TAGS = [
  ...Array.from({ length: 30 }, (_, i) => 60 + i),
  0,
  1,
  2,
  3,
  4,
  6,
  14,
  25,
  27,
  28,
  29,
  51,
  63,
  64,
  65,
  68,
  71,
  72,
  76,
  78,
  80,
  81,
  82,
  84,
  86,
  87,
  105,
  256,
  258,
  259,
  20_597,
  20_598,
  20_599,
  20_600,
  55_799,
  0xdff9,
  0xdffe,
  0xdfff,
  0xe000,
]
const TEXTS = ['__proto__', 'constructor', 'prototype', 'toString', 'RegExp', 'Error', 'then', 'v', '\\p{L}', '(', 'a']

/** A head of that major type, in as many bytes as chance wants. */
export function headOf(random: SeededRandom, major: number, number: number): number[] {
  const least = number < 24 ? 0 : number < 256 ? 1 : number < 65_536 ? 2 : 4
  const size = random.int(8) > 0 ? least : Math.max(least, random.pick([1, 2, 4, 8]))
  if (size === 0) return [(major << 5) | number]
  const bytes: number[] = []
  for (let i = size - 1; i >= 0; i--) bytes.push(Math.floor(number / 256 ** i) % 256)
  return [(major << 5) | (24 + Math.log2(size)), ...bytes]
}

/** Items that mean trouble. */
function oddItem(random: SeededRandom): Uint8Array {
  const text = random.pick(TEXTS)
  switch (random.int(9)) {
    case 0:
      return join(headOf(random, 3, text.length), [...Buffer.from(text)])
    case 1:
      return join(headOf(random, 6, random.pick(TAGS)), [random.int(256)])
    case 2:
      return join(
        headOf(random, random.pick([2, 3, 4, 5]), random.pick([1, 23, 24, 255, 65_535, 2 ** 31, 2 ** 32 - 1])),
      )
    case 3:
      return Uint8Array.of(random.pick([0x5f, 0x7f, 0x9f, 0xbf, 0xdf, 0xff, 0xfc, 0x1c, 0xf8, 0xe0, 0xf3]))
    case 4: {
      const depth = random.pick([3, 63, 64, 65, 66, 200])
      return join(new Array<number>(depth).fill(random.pick([0x81, 0xa1, 0xc1])), [random.pick([0, 0x80, 0xa0])])
    }
    case 5:
      return join([random.pick([0xf9, 0xfa, 0xfb, 0x1b, 0x3b])], random.bytes(random.pick([2, 4, 8])))
    case 6:
      return join(headOf(random, 6, random.pick([2, 3])), headOf(random, 2, 8), random.bytes(8))
    case 7:
      return join(
        headOf(random, 3, 3),
        random.pick([
          [0xed, 0xa0, 0x80],
          [0xe0, 0x80, 0x80],
          [0xf4, 0x90, 0x80],
          [0xef, 0xbb, 0xbf],
          [0xc3, 0xa9, 0x61],
        ]),
      )
    default:
      return random.bytes(1 + random.int(4))
  }
}

/** `bytes`, changed in one to four places; `pool` has other bytes to take pieces from. */
export function mutate(random: SeededRandom, bytes: Uint8Array, pool: readonly Uint8Array[]): Uint8Array {
  let changed: Uint8Array = bytes.slice()
  for (let changes = 1 + random.int(4); changes > 0; changes--) changed = mutateOnce(random, changed, pool)
  return changed
}

function mutateOnce(random: SeededRandom, bytes: Uint8Array, pool: readonly Uint8Array[]): Uint8Array {
  if (bytes.length === 0) return oddItem(random)
  const kind = random.int(14)
  if (kind < 3) {
    // Of bytes, which heads know nothing about.
    const at = random.int(bytes.length)
    const copy = bytes.slice()
    if (kind === 0) copy[at]! ^= 1 << random.int(8)
    else if (kind === 1) copy[at] = random.int(256)
    else return bytes.slice(0, at)
    return copy
  }
  const spans = spansOf(bytes)
  const { start, end } = random.pick(spans)
  const before = bytes.subarray(0, start)
  const item = bytes.subarray(start, end)
  const after = bytes.subarray(end)
  switch (kind) {
    case 3:
      return join(before, oddItem(random), after)
    case 4: {
      const other = random.pick(pool)
      const span = random.pick(spansOf(other))
      return join(before, other.subarray(span.start, span.end), after)
    }
    case 5:
      return join(before, headOf(random, 6, random.pick(TAGS)), item, after)
    case 6:
      return join(before, item, item, after)
    case 7:
      return join(before, after)
    case 8: {
      // Another number in the head, what it holds as it is.
      const initial = bytes[start]!
      const number = Math.max(0, (initial & 31) + random.pick([-1, 1, 2, 30, 100]))
      return join(before, headOf(random, initial >> 5, number), item.subarray(1), after)
    }
    case 9: {
      const copy = bytes.slice()
      copy[start] = (random.int(8) << 5) | (copy[start]! & 31)
      return copy
    }
    case 10: {
      const other = random.pick(spans)
      return join(before, bytes.subarray(other.start, other.end), after)
    }
    case 11: {
      // Of a map, another key: one that means something, or one it has.
      const maps = spans.filter((span) => bytes[span.start]! >> 5 === 5 && (bytes[span.start]! & 31) > 0)
      if (maps.length === 0) return oddItem(random)
      const map = random.pick(maps)
      const inside = spans.filter((span) => span.start > map.start && span.end <= map.end)
      const keys = inside.filter((span) => !inside.some((outer) => outer.start < span.start && outer.end >= span.end))
      if (keys.length < 2) return oddItem(random)
      const key = keys[2 * random.int(keys.length >> 1)]!
      const other = keys[2 * random.int(keys.length >> 1)]!
      const text = random.pick(TEXTS)
      const put = random.int(2)
        ? bytes.subarray(other.start, other.end)
        : join(headOf(random, 3, text.length), [...Buffer.from(text)])
      return join(bytes.subarray(0, key.start), put, bytes.subarray(key.end))
    }
    case 12: {
      // What is inside a byte string, its length put right: a payload in a frame.
      const inside = spans.filter((span) => bytes[span.start]! >> 5 === 2 && span.end - span.start > 1)
      if (inside.length === 0) return oddItem(random)
      const span = random.pick(inside)
      const info = bytes[span.start]! & 31
      const content = bytes.subarray(span.start + 1 + (info < 24 ? 0 : 2 ** (info - 24)), span.end)
      const changed = mutateOnce(random, content, pool)
      return join(bytes.subarray(0, span.start), headOf(random, 2, changed.length), changed, bytes.subarray(span.end))
    }
    default:
      return join(before, headOf(random, random.pick([4, 5, 6]), random.pick([0, 1, 1, 1, 2, 258, 259])), item, after)
  }
}

/** Random bytes that look like CBOR more often than chance would have it. */
export function likelyBytes(random: SeededRandom): Uint8Array {
  const parts: Uint8Array[] = []
  for (let i = 1 + random.int(12); i > 0; i--) {
    parts.push(
      random.int(3) === 0
        ? oddItem(random)
        : join(headOf(random, random.int(8), random.int(random.pick([4, 24, 300]))), random.bytes(random.int(5))),
    )
  }
  return join(...parts)
}

/** Whether bytes are UTF-8, without making a text of them. */

/** Texts from here on are looked at four bytes at a time. */
const LONG_TEXT = 128
const HIGH_BITS = 0x80808080 | 0

/**
 * The offset of the first byte from `start` to `end` that is not part of UTF-8, or -1. Strict: neither halves of
 * surrogate pairs, nor longer forms than needed, nor anything beyond U+10FFFF.
 */
export function findBadUtf8(bytes: Uint8Array, start: number, end: number): number {
  let at = end - start < LONG_TEXT ? start : skipAscii(bytes, start, end)
  while (at < end) {
    const first = bytes[at]!
    if (first < 0x80) {
      at++
      continue
    }
    if (first < 0xc2 || first > 0xf4) return at
    const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    if (at + length > end) return at
    const second = bytes[at + 1]!
    // The narrower of these bounds keep out longer forms than needed, surrogates, and what is beyond U+10FFFF.
    const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
    const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
    if (second < lowest || second > highest) return at
    for (let i = at + 2; i < at + length; i++) if ((bytes[i]! & 0xc0) !== 0x80) return at
    at += length
  }
  return -1
}

/** Passes over ASCII, to somewhere before the first byte that is not, or to `end`. */
function skipAscii(bytes: Uint8Array, start: number, end: number): number {
  // Words begin where the memory's own count is a multiple of four.
  const first = start + (-(bytes.byteOffset + start) & 3)
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + first, (end - first) >> 2)
  for (let at = start; at < first; at++) if (bytes[at]! >= 0x80) return at
  for (let i = 0; i < words.length; i++) if ((words[i]! & HIGH_BITS) !== 0) return first + 4 * i
  return first + 4 * words.length
}

/**
 * Replaces what some encoders make of half a surrogate pair, three bytes, by the three bytes of U+FFFD, in place, as
 * `TextEncoder` would have written it.
 *
 * @param at where {@link findBadUtf8} found something
 * @returns whether that was half a pair
 */
export function mendSurrogate(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0xed || (bytes[at + 1] ?? 0) < 0xa0 || (bytes[at + 2] ?? 0) < 0x80) return false
  bytes[at] = 0xef
  bytes[at + 1] = 0xbf
  bytes[at + 2] = 0xbd
  return true
}

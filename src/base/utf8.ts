/** Whether bytes are UTF-8, without making a text of them. */

/**
 * The offset of the first byte from `start` to `end` that is not part of UTF-8, or -1. Strict: neither halves of
 * surrogate pairs, nor longer forms than needed, nor anything beyond U+10FFFF.
 */
export function findBadUtf8(bytes: Uint8Array, start: number, end: number): number {
  let at = start
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
    if (second < LOWEST_SECOND(first) || second > HIGHEST_SECOND(first)) return at
    for (let i = 2; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return at
    at += length
  }
  return -1
}

const LOWEST_SECOND = (first: number): number => (first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80)
const HIGHEST_SECOND = (first: number): number => (first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf)

/**
 * Replaces what some encoders make of half a surrogate pair, three bytes, by the three bytes of U+FFFD, in place, as
 * `TextEncoder` does from the beginning.
 *
 * @param at where {@link findBadUtf8} found something bad
 * @returns whether that was half a pair
 */
export function mendSurrogate(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0xed || (bytes[at + 1] ?? 0) < 0xa0 || (bytes[at + 2] ?? 0) < 0x80) return false
  bytes[at] = 0xef
  bytes[at + 1] = 0xbf
  bytes[at + 2] = 0xbd
  return true
}

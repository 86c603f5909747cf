/**
 * What may follow a CBOR tag, and how much work the slow ones of its contents are: the table behind `cbor-scan.ts`.
 * Plain numbers, because the scan looks at them for every item.
 */

/** Longest big number, in bytes. The time to read one grows with its square. */
export const MAX_BIGNUM_BYTES = 1024
/** Items of the array behind a reference: an actor's node, id and name are three. */
const MAX_FIELDS = 8
/** What a character of a regular expression counts for, in items, and what `\\p{…}`, a set of characters to work out. */
const CHARACTER_COST = 25
const CLASS_COST = 1250

/** What has to follow a tag. From `ELEMENTS` on: bytes, a multiple of what is above it. */
export const NOTHING = 0
export const DATE = 1
export const BIGNUM = 2
export const NAMED = 3
export const SET = 4
export const MAP = 5
export const REFERENCE = 6
export const INDEX = 7
export const STREAM = 8
const ELEMENTS = 9

/** What has to follow a tag; nothing where the tag is not one of ours. */
export function contentOf(tag: number): number {
  switch (tag) {
    case 1:
      return DATE
    case 2:
    case 3:
      return BIGNUM
    case 27:
      return NAMED
    case 258:
      return SET
    case 259:
      return MAP
    case 0x5075:
    case 0x5078:
      return REFERENCE
    case 0x5076:
      return STREAM
    case 0x5077:
      return INDEX
    default:
  }
  // Typed arrays, RFC 8746: the lowest two bits are their size, one step up for floats, of which JavaScript has two.
  if (tag < 64 || tag > 86 || tag === 76) return NOTHING
  const isFloat = (tag & 16) !== 0
  const size = (isFloat ? 2 : 1) << (tag & 3)
  return isFloat && size !== 4 && size !== 8 ? NOTHING : ELEMENTS + size
}

/** Whether an item with that head is what has to follow a tag. */
export function isContent(content: number, major: number, info: number, value: number): boolean {
  switch (content) {
    case DATE:
      // Integers of 8 bytes are bigints to the library, of which it makes no date.
      return major < 2 ? info < 27 : major === 7 && info > 24
    case BIGNUM:
      return major === 2 && value <= MAX_BIGNUM_BYTES
    case NAMED:
      return major === 4 && (value === 2 || value === 3)
    case SET:
      return major === 4
    case MAP:
      return major === 5
    case REFERENCE:
    case STREAM:
      return major === 4 && value <= MAX_FIELDS
    case INDEX:
      return major === 0
    default:
      return major === 2 && value % (content - ELEMENTS) === 0
  }
}

/** Whether an error of that name can travel: the library looks names up where objects have their methods. */
export function isErrorName(name: string): boolean {
  return name !== 'RegExp' && !(name in Object.prototype)
}

/** What a regular expression counts for, in items; infinite where it is none, or its flags are unbounded work. */
export function regExpCost(source: string, flags: string): number {
  // Sets of strings, flag v: one of them alone takes milliseconds.
  if (flags.includes('v')) return Infinity
  const classes = flags.includes('u') ? (source.match(/\\p/gi)?.length ?? 0) : 0
  return CHARACTER_COST * source.length + CLASS_COST * classes
}

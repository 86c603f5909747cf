/**
 * A look at CBOR bytes before the library sees them: one pass, no recursion, hardly anything allocated. What it lets
 * through is one item of definite lengths whose every part the library reads as what it is: see "Values" in PROTOCOL.md.
 *
 * The library would overflow the stack on a few kilobytes of nesting, and tags for sharing turn a few bytes into
 * structures no walk comes to the end of. Things that are slow to make count for more than one item, so that the time to
 * read any bytes is bounded.
 */
import { fromUtf8 } from './bytes.ts'
import { bignumAt, CborKeys, scalarAt } from './cbor-keys.ts'
import { findBadUtf8, mendSurrogate } from './utf8.ts'

/** Arrays and maps, one in another. */
export const MAX_DEPTH = 64
/** Items of one value: every head counts for one, what is slow to make for as many as take that long. */
export const MAX_ITEMS = 100_000
/** Longest big number, in bytes. The time to read one grows with its square. */
export const MAX_BIGNUM_BYTES = 1024
const BYTES_COST = 2
const ERROR_COST = 100
const REGEXP_BYTE_COST = 25
/** For `\p{…}`, each of which is a set of characters to work out. */
const REGEXP_CLASS_COST = 2500
/** Engines find members of Sets, and keys of Maps, by hashes of numbers that are known to everybody: numbers can be chosen to collide. */
const NUMBER_MEMBER_COST = 40
const BIGINT_MEMBER_COST = 100

/** Fewer bytes than this never count for more than {@link MAX_ITEMS}. */
export const HARMLESS_BYTES = 2048
/** Texts longer than this lose a leading byte order mark where the library has them read by `TextDecoder`. */
const SHORT_TEXT = 64

/** What a scan found: where the bytes are no value, or what there is in them to take care of. */
export interface CborScan {
  /** The offset of the first byte that may not stand there, or -1. */
  readonly errorAt: number
  /** What is there instead. */
  readonly problem: string
  readonly hasReferences: boolean
  /** Where the heads of long texts are that begin with a byte order mark. */
  readonly marks: readonly number[] | undefined
}

const clean = (hasReferences: boolean): CborScan => ({ errorAt: -1, problem: '', hasReferences, marks: undefined })
const CLEAN: CborScan = /* @__PURE__ */ clean(false)
const WITH_REFERENCES: CborScan = /* @__PURE__ */ clean(true)

const bad = (errorAt: number, problem: string): CborScan => ({
  errorAt,
  problem,
  hasReferences: false,
  marks: undefined,
})

/** What an open array or map is, which says what may be in it. From `fields` on: scalars only, from `error` on: texts only. */
const LEVEL = { array: 0, set: 1, object: 2, map: 3, fields: 4, error: 5, regexp: 6 } as const
/** What has to follow a tag. From `elements` on: bytes, a multiple of what is above it. */
const CONTENT = { none: 0, date: 1, bignum: 2, named: 3, set: 4, map: 5, reference: 6, index: 7, elements: 8 } as const
/** Items of the array behind a reference: an actor's node, id and name are three. */
const MAX_FIELDS = 8

/** The levels around the current one: what they are, how many items each still misses. */
const levels = /* @__PURE__ */ new Uint8Array(MAX_DEPTH + 2)
const missing = /* @__PURE__ */ new Int32Array(MAX_DEPTH + 2)
let keys: CborKeys | undefined

/**
 * Looks at one value.
 *
 * @param isOurs these bytes were just written here: halves of surrogate pairs, which the library writes as they are, are
 * replaced in place
 */
export function scanCbor(bytes: Uint8Array, isOurs = false): CborScan {
  const { byteLength } = bytes
  const seen = (keys ??= new CborKeys(MAX_DEPTH))
  seen.reset()
  let at = 0
  let depth = 0
  let level: number = LEVEL.array
  /** Items this level, and all levels together, still miss. */
  let left = 1
  let allLeft = 1
  let count = 0
  /** The tag just read, and what has to follow it. */
  let tag = 0
  let content: number = CONTENT.none
  let hasReferences = false
  let marks: number[] | undefined
  /** Where the source of a regular expression is. */
  let sourceAt = 0
  let sourceEnd = 0

  for (;;) {
    while (left === 0) {
      if (depth === 0) {
        if (at !== byteLength) return bad(at, 'more bytes behind it')
        if (marks) return { errorAt: -1, problem: '', hasReferences, marks }
        return hasReferences ? WITH_REFERENCES : CLEAN
      }
      if (level === LEVEL.object || level === LEVEL.map) seen.close()
      left = missing[--depth]!
      level = levels[depth]!
    }

    // The head.
    const start = at
    const initial = bytes[at++]
    if (initial === undefined) return bad(start, 'the end of the bytes')
    const major = initial >> 5
    const info = initial & 0x1f
    let value = info
    if (info >= 24) {
      if (info > 27) return bad(start, info === 31 ? 'an unknown length' : 'a reserved head')
      const end = at + (1 << (info - 24))
      if (end > byteLength) return bad(start, 'the end of the bytes')
      value = 0
      while (at < end) value = value * 256 + bytes[at++]!
    }
    count++

    if (major === 6) {
      if (content !== CONTENT.none || level >= LEVEL.fields) return bad(start, 'a tag in the wrong place')
      tag = value
      content = contentOf(tag)
      if (content === CONTENT.none) return bad(start, `tag ${tag}`)
      if (content === CONTENT.reference || content === CONTENT.index) hasReferences = true
      continue
    }

    const isKey = (level === LEVEL.object || level === LEVEL.map) && (left & 1) === 0
    left--
    allLeft--
    if (level >= LEVEL.fields && (level > LEVEL.fields ? major !== 3 : major === 2 || major === 4 || major === 5))
      return bad(start, 'something else than the contents of its tag')
    if (isKey && level === LEVEL.object && (major !== 3 || content !== CONTENT.none))
      return bad(start, 'a key that is no text')
    if (content !== CONTENT.none && !isContent(content, major, info, value))
      return bad(start, 'something else than the contents of its tag')
    /** Compared by value, among others of its kind. */
    const isMember = level === LEVEL.set || (isKey && level === LEVEL.map)

    switch (major) {
      case 2: {
        if (value > byteLength - at) return bad(start, 'a length beyond the end of the bytes')
        at += value
        count += BYTES_COST
        if (content !== CONTENT.bignum) break
        count += (value * value) >> 9
        if (isMember) count += BIGINT_MEMBER_COST
        if (isKey && !seen.addScalar(bignumAt(bytes, at - value, at, tag === 3))) return bad(start, 'a key for the second time')
        break
      }
      case 3: {
        if (value > byteLength - at) return bad(start, 'a length beyond the end of the bytes')
        const textAt = at
        const end = at + value
        while (at < end && bytes[at]! < 0x80) at++
        while (at < end) {
          at = findBadUtf8(bytes, at, end)
          if (at < 0) break
          if (!isOurs || !mendSurrogate(bytes, at)) return bad(at, 'bytes that are not UTF-8')
        }
        at = end
        if (isKey) {
          if (level === LEVEL.object && value === PROTO.length && isProto(bytes, textAt))
            return bad(start, 'a key __proto__')
          if (!seen.addText(bytes, textAt, value)) return bad(start, 'a key for the second time')
        }
        if (value > SHORT_TEXT && bytes[textAt] === 0xef && bytes[textAt + 1] === 0xbb && bytes[textAt + 2] === 0xbf)
          (marks ??= []).push(start)
        if (level < LEVEL.error) break
        if (level === LEVEL.error) {
          if (left === 1 && !isErrorName(textOf(bytes, textAt, end))) return bad(start, 'a name no error may have')
        } else if (left === 2) {
          if (textOf(bytes, textAt, end) !== 'RegExp') return bad(start, 'something else than a regular expression')
        } else if (left === 1) {
          sourceAt = textAt
          sourceEnd = end
          count += regExpCost(bytes, textAt, end)
        } else if (count <= MAX_ITEMS && !isRegExp(textOf(bytes, sourceAt, sourceEnd), textOf(bytes, textAt, end)))
          return bad(start, 'no regular expression')
        break
      }
      case 4:
      case 5: {
        const items = major === 4 ? value : 2 * value
        allLeft += items
        if (allLeft > byteLength - at) return bad(start, 'more items than bytes')
        if (items === 0) break
        const next = levelOf(major, content, value)
        if (depth === MAX_DEPTH && next < LEVEL.fields) return bad(start, `more than ${MAX_DEPTH} levels`)
        levels[depth] = level
        missing[depth++] = left
        level = next
        left = items
        if (major === 5) seen.open(value)
        else if (content === CONTENT.named) count += ERROR_COST
        break
      }
      default: {
        if (major === 7 && (info < 20 || info === 24)) return bad(start, 'a simple value that is none')
        if (!isMember || content !== CONTENT.none || (major === 7 && info < 24 && !isKey)) break
        const isBigint = major < 2 && info === 27
        if (major < 2 || info > 24) count += isBigint ? BIGINT_MEMBER_COST : NUMBER_MEMBER_COST
        if (isKey && !seen.addScalar(scalarAt(bytes, start))) return bad(start, 'a key for the second time')
      }
    }
    content = CONTENT.none
    if (count > MAX_ITEMS) return bad(start, `more than ${MAX_ITEMS} items`)
  }
}

/** What has to follow a tag; none where the tag is not one of ours. */
function contentOf(tag: number): number {
  switch (tag) {
    case 1:
      return CONTENT.date
    case 2:
    case 3:
      return CONTENT.bignum
    case 27:
      return CONTENT.named
    case 258:
      return CONTENT.set
    case 259:
      return CONTENT.map
    case 0x5075:
    case 0x5076:
    case 0x5078:
      return CONTENT.reference
    case 0x5077:
      return CONTENT.index
    default:
  }
  // Typed arrays, RFC 8746: their size is in the lowest two bits, that of floats one step further.
  if (tag < 64 || tag > 86 || tag === 76) return CONTENT.none
  const isFloat = (tag & 16) !== 0
  const size = (isFloat ? 2 : 1) << (tag & 3)
  return isFloat && size !== 4 && size !== 8 ? CONTENT.none : CONTENT.elements + size
}

function isContent(content: number, major: number, info: number, value: number): boolean {
  switch (content) {
    case CONTENT.date:
      // What has 8 bytes is a bigint to the library, of which it makes no date.
      return major < 2 ? info < 27 : major === 7 && info > 24
    case CONTENT.bignum:
      return major === 2 && value <= MAX_BIGNUM_BYTES
    case CONTENT.named:
      return major === 4 && (value === 2 || value === 3)
    case CONTENT.set:
      return major === 4
    case CONTENT.map:
      return major === 5
    case CONTENT.reference:
      return major === 4 && value <= MAX_FIELDS
    case CONTENT.index:
      return major === 0
    default:
      return major === 2 && value % (content - CONTENT.elements) === 0
  }
}

function levelOf(major: number, content: number, value: number): number {
  switch (content) {
    case CONTENT.named:
      return value === 2 ? LEVEL.error : LEVEL.regexp
    case CONTENT.set:
      return LEVEL.set
    case CONTENT.map:
      return LEVEL.map
    case CONTENT.reference:
      return LEVEL.fields
    default:
      return major === 4 ? LEVEL.array : LEVEL.object
  }
}

const PROTO = '__proto__'

function isProto(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < PROTO.length; i++) if (bytes[at + i] !== PROTO.charCodeAt(i)) return false
  return true
}

/** Whether an error of that name can travel: the library looks names up where objects have their methods. */
export function isErrorName(name: string): boolean {
  return name !== 'RegExp' && !(name in Object.prototype)
}

function regExpCost(bytes: Uint8Array, start: number, end: number): number {
  let cost = (end - start) * REGEXP_BYTE_COST
  for (let i = start; i + 1 < end; i++)
    if (bytes[i] === 0x5c && (bytes[i + 1]! | 0x20) === 0x70) cost += REGEXP_CLASS_COST
  return cost
}

/** Sets of characters with sets in them, flag v, take any time to work out. */
export function isRegExp(source: string, flags: string): boolean {
  try {
    return !flags.includes('v') && new RegExp(source, flags) !== undefined
  } catch {
    return false
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return fromUtf8(bytes.subarray(start, end))
}

/**
 * A look at CBOR bytes before the library sees them: one pass, no recursion, next to nothing allocated. What it lets
 * through is one item of definite lengths, every part of which the library takes for what it is: see "Values" in
 * PROTOCOL.md.
 *
 * The library would overflow the stack on a few kilobytes of nesting, and tags for sharing turn a few bytes into
 * structures no walk comes to the end of. What is slow to make counts for many items, so that the time for any bytes is
 * bounded.
 */
import { fromUtf8 } from './bytes.ts'
import {
  BIGNUM,
  contentOf,
  INDEX,
  isContent,
  isErrorName,
  MAP,
  NAMED,
  NOTHING,
  REFERENCE,
  regExpCost,
  SET,
  STREAM,
} from './cbor-content.ts'
import { bignumAt, CborKeys, scalarAt } from './cbor-keys.ts'
import { findBadUtf8, mendSurrogate } from './utf8.ts'

/** Arrays and maps, one in another. */
export const MAX_DEPTH = 64
/** Items of one value. Every head counts for one, what is slow to make for as many as take that long. */
export const MAX_ITEMS = 100_000
const BYTES_COST = 3
const TAGGED_BYTES_COST = 4
const ERROR_COST = 100
/** A stream of more than two fields is a web stream, which is slow to make for the platform. */
const STREAM_FIELDS = 2
const WEB_STREAM_COST = 150
/** Engines find numbers in Sets, and among keys of Maps, by hashes everybody knows: numbers can be chosen to collide. */
const NUMBER_MEMBER_COST = 50
const BIGINT_MEMBER_COST = 100
/** Values of fewer bytes count for less than half of {@link MAX_ITEMS}: errors, Sets, Maps, web streams and the like in them apart. */
export const HARMLESS_BYTES = 12_000

/** Texts up to this long, in bytes, keep a leading byte order mark however the library reads them. */
const SHORT_TEXT = 64
/** Texts longer than this, in bytes, were written by the platform, which knows UTF-8. */
const PLATFORM_TEXT = 192

/** What a scan found: where the bytes are no value, or what there is in them to take care of. */
export interface CborScan {
  /** The offset of the first byte that may not stand there, or -1. */
  readonly errorAt: number
  /** What stands there instead. */
  readonly problem: string
  readonly hasReferences: boolean
  /** The heads of long texts that begin with a byte order mark. */
  readonly marks: readonly number[] | undefined
}

const CLEAN: CborScan = { errorAt: -1, problem: '', hasReferences: false, marks: undefined }
const WITH_REFERENCES: CborScan = { ...CLEAN, hasReferences: true }

/** What the array or map is that is being read. From `IN_FIELDS` on it takes scalars only, from `IN_ERROR` on texts only. */
const IN_ARRAY = 0
const IN_SET = 1
const IN_OBJECT = 2
const IN_MAP = 3
const IN_FIELDS = 4
const IN_ERROR = 5
const IN_REGEXP = 6

/** The levels around the one being read: what they are, and how many items they miss. */
const levels = /* @__PURE__ */ new Uint8Array(MAX_DEPTH + 2)
const missing = /* @__PURE__ */ new Int32Array(MAX_DEPTH + 2)
let keys: CborKeys | undefined

/**
 * Looks at one value.
 *
 * @param isOurs the library has just written these bytes here: what it makes of half a surrogate pair is mended in place
 */
export function scanCbor(bytes: Uint8Array, isOurs = false): CborScan {
  const { byteLength } = bytes
  const seen = (keys ??= new CborKeys(MAX_DEPTH))
  seen.reset()
  let at = 0
  let count = 0
  let level = IN_ARRAY
  let depth = 0
  /** Items this level, and all levels together, still miss. */
  let left = 1
  let allLeft = 1
  /** The tag just read, and what has to follow it. */
  let tag = 0
  let content = NOTHING
  let source = ''
  let hasReferences = false
  let marks: number[] | undefined

  for (;;) {
    while (left === 0) {
      if (depth === 0) {
        if (at !== byteLength) return bad(at, 'more bytes behind it')
        if (marks) return { ...CLEAN, hasReferences, marks }
        return hasReferences ? WITH_REFERENCES : CLEAN
      }
      if (level === IN_OBJECT || level === IN_MAP) seen.close()
      left = missing[--depth]!
      level = levels[depth]!
    }

    const start = at
    const initial = bytes[at++]
    if (initial === undefined) return bad(start, 'the end of the bytes')
    const major = initial >> 5
    const info = initial & 0x1f
    let value = info
    if (info >= 24) {
      if (info > 27) return bad(start, info === 31 ? 'an unknown length' : 'a reserved head')
      // The native part of the library, which Node.js has, does not read such lengths.
      if (info === 27 && major > 1 && major < 7) return bad(start, 'a length of 8 bytes')
      const end = at + (1 << (info - 24))
      if (end > byteLength) return bad(start, 'the end of the bytes')
      value = 0
      while (at < end) value = value * 256 + bytes[at++]!
    }
    count++

    if (major === 6) {
      if (content !== NOTHING || level >= IN_FIELDS) return bad(start, 'a tag in the wrong place')
      tag = value
      content = contentOf(tag)
      if (content === NOTHING) return bad(start, `tag ${tag}`)
      if (content === REFERENCE || content === INDEX || content === STREAM) hasReferences = true
      continue
    }

    const isKey = (level === IN_OBJECT || level === IN_MAP) && (left & 1) === 0
    left--
    allLeft--
    if (level > IN_FIELDS ? major !== 3 : level === IN_FIELDS && (major === 2 || major === 4 || major === 5))
      return bad(start, 'something else than the contents of its tag')
    if (content !== NOTHING && !isContent(content, major, info, value))
      return bad(start, `something else than the contents of tag ${tag}`)
    if (isKey && level === IN_OBJECT && (major !== 3 || content !== NOTHING)) return bad(start, 'a key that is no text')
    /** Looked up by its value, if it has one, when it is added. */
    const isMember = level === IN_SET || (level === IN_MAP && isKey)

    switch (major) {
      case 2:
        if (value > byteLength - at) return bad(start, 'a length beyond the end of the bytes')
        at += value
        count += BYTES_COST
        if (content === NOTHING) break
        count += TAGGED_BYTES_COST
        if (content !== BIGNUM) break
        count += (value * value) >> 9
        if (isMember) count += BIGINT_MEMBER_COST
        if (isKey && !seen.addScalar(bignumAt(bytes, at - value, at, tag === 3)))
          return bad(start, 'a key a second time')
        break
      case 3: {
        if (value > byteLength - at) return bad(start, 'a length beyond the end of the bytes')
        const textAt = at
        at += value
        if (!isOurs || value <= PLATFORM_TEXT) {
          const wrongAt = wrongText(bytes, textAt, at, isOurs)
          if (wrongAt >= 0) return bad(wrongAt, 'bytes that are not UTF-8')
        }
        if (isKey) {
          if (level === IN_OBJECT && isProto(bytes, textAt, value)) return bad(start, 'a key __proto__')
          if (!seen.addText(bytes, textAt, value)) return bad(start, 'a key a second time')
        }
        if (value > SHORT_TEXT && bytes[textAt] === 0xef && bytes[textAt + 1] === 0xbb && bytes[textAt + 2] === 0xbf)
          (marks ??= []).push(start)
        if (level < IN_ERROR) break
        const text = fromUtf8(bytes.subarray(textAt, at))
        if (level === IN_ERROR) {
          if (left === 1 && !isErrorName(text)) return bad(start, 'a name no error has')
        } else if (left === 2) {
          if (text !== 'RegExp') return bad(start, 'something else than a regular expression')
        } else if (left === 1) source = text
        else {
          count += regExpCost(source, text)
          if (count <= MAX_ITEMS && !isRegExp(source, text)) return bad(start, 'no regular expression')
        }
        break
      }
      case 4:
      case 5: {
        const items = major === 4 ? value : 2 * value
        allLeft += items
        if (allLeft > byteLength - at) return bad(start, 'more items than bytes')
        if (content === STREAM && value > STREAM_FIELDS) count += WEB_STREAM_COST
        if (items === 0) break
        levels[depth] = level
        missing[depth++] = left
        left = items
        level = levelOf(content, major, value)
        if (depth > MAX_DEPTH && level < IN_FIELDS) return bad(start, `more than ${MAX_DEPTH} levels`)
        if (major === 5) seen.open(value)
        else if (content === NAMED) count += ERROR_COST
        break
      }
      default:
        if (major === 7 && (info < 20 || info === 24)) return bad(start, 'a simple value that is none')
        if (!isMember || content !== NOTHING) break
        if (major !== 7 || info > 24) count += major !== 7 && info === 27 ? BIGINT_MEMBER_COST : NUMBER_MEMBER_COST
        if (isKey && !seen.addScalar(scalarAt(bytes, start))) return bad(start, 'a key a second time')
    }
    content = NOTHING
    if (count > MAX_ITEMS) return bad(start, `more than ${MAX_ITEMS} items`)
  }
}

function bad(errorAt: number, problem: string): CborScan {
  return { ...CLEAN, errorAt, problem }
}

function levelOf(content: number, major: number, value: number): number {
  switch (content) {
    case NAMED:
      return value === 2 ? IN_ERROR : IN_REGEXP
    case SET:
      return IN_SET
    case MAP:
      return IN_MAP
    case REFERENCE:
    case STREAM:
      return IN_FIELDS
    default:
      return major === 4 ? IN_ARRAY : IN_OBJECT
  }
}

/** Where a text is not UTF-8, mended as far as it can be, or -1. */
function wrongText(bytes: Uint8Array, start: number, end: number, isMending: boolean): number {
  let at = findBadUtf8(bytes, start, end)
  while (at >= 0 && isMending && mendSurrogate(bytes, at)) at = findBadUtf8(bytes, at, end)
  return at
}

const PROTO = '__proto__'

function isProto(bytes: Uint8Array, start: number, length: number): boolean {
  if (length !== PROTO.length || bytes[start] !== 0x5f) return false
  for (let i = 0; i < PROTO.length; i++) if (bytes[start + i] !== PROTO.charCodeAt(i)) return false
  return true
}

function isRegExp(source: string, flags: string): boolean {
  try {
    return new RegExp(source, flags) instanceof RegExp
  } catch {
    return false
  }
}

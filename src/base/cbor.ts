/**
 * Values to and from CBOR bytes: the only file that knows cbor-x. Records and structure sharing are off, so that bytes
 * mean the same to every reader.
 *
 * Before encoding, {@link lower} replaces what CBOR has no word for (references, streams, functions) by tagged values,
 * and refuses what cannot travel, naming the place. Values without any of these are not copied. What is written here is
 * read everywhere: what `cbor-scan.ts` would stop at the other end is refused at this one.
 */
import { Encoder, Tag } from '#cbor-x'
import { isErrorName, MAX_BIGNUM_BYTES, regExpCost } from './cbor-content.ts'
import { NOT_PLAIN, readPlain } from './cbor-plain.ts'
import type { CborScan } from './cbor-scan.ts'
import { HARMLESS_BYTES, MAX_DEPTH, MAX_ITEMS, scanCbor } from './cbor-scan.ts'
import { describe, NotSerialisableError, ProtocolError } from './errors.ts'

/** Values up to this long are decoded from one array. */
const SCRATCH_BYTES = 4096

let encoder: Encoder | undefined
let scratch: Uint8Array | undefined

function codec(): Encoder {
  encoder ??= new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false, copyBuffers: true })
  return encoder
}

/**
 * The bytes of a value that went through {@link lower}. A view of pooled memory: copy it before the next call.
 *
 * @throws NotSerialisableError when a reader would refuse them
 */
export function encodeCborView(value: unknown): Uint8Array {
  const mayBeTooMuch = work > MAX_ITEMS / 2
  work = 0
  const bytes = codec().encode(value)
  if (bytes.byteLength < HARMLESS_BYTES && !mayBeTooMuch && !hasSurrogate(bytes)) return bytes
  const { errorAt, problem } = scanCbor(bytes, true)
  if (errorAt >= 0)
    throw new NotSerialisableError(`expected a value others can read, got ${problem}: see "Values" in PROTOCOL.md`)
  return bytes
}

// Not the one of Buffer, which is slower.
const { indexOf } = Uint8Array.prototype

/** Whether there may be half a surrogate pair among the texts: the library writes it as the three bytes it would be in UTF-8. */
function hasSurrogate(bytes: Uint8Array): boolean {
  for (let at = indexOf.call(bytes, 0xed); at >= 0; at = indexOf.call(bytes, 0xed, at + 1))
    if ((bytes[at + 1]! & 0xe0) === 0xa0) return true
  return false
}

/** The bytes of a value, to keep; otherwise {@link encodeCborView}. */
export function encodeCbor(value: unknown): Uint8Array {
  // Not slice(): in Node.js the view is a Buffer, whose slices share its memory.
  return new Uint8Array(encodeCborView(value))
}

/**
 * The value of one CBOR item. Byte strings in it are copies: nothing keeps `bytes`.
 *
 * @throws ProtocolError with its offset when the bytes are anything else; see `cbor-scan.ts`
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  const plain = readPlain(bytes, 0, bytes.byteLength)
  return plain === NOT_PLAIN ? decodeScanned(bytes, scanCbor(bytes)) : plain
}

/** {@link decodeCbor} of the long way, for what is not plain; and whether there are references in the value to translate. */
export function decodeCborReferences(bytes: Uint8Array): { readonly value: unknown; readonly hasReferences: boolean } {
  const scan = scanCbor(bytes)
  return { value: decodeScanned(bytes, scan), hasReferences: scan.hasReferences }
}

function decodeScanned(bytes: Uint8Array, { errorAt, problem, marks }: CborScan): unknown {
  const { byteLength } = bytes
  if (errorAt >= 0)
    throw new ProtocolError(`expected one CBOR value, got ${problem} at byte ${errorAt} of ${byteLength}`, {
      offset: errorAt,
    })
  if (marks && losesMarks()) return decodeWhole(withDoubledMarks(bytes, marks))
  // cbor-x leaves a DataView on every array it is given: this one is nobody's, and a Buffer is none.
  if (byteLength > SCRATCH_BYTES) return decodeWhole(new Uint8Array(bytes.buffer, bytes.byteOffset, byteLength))
  // To make one costs more than to decode a small value: they share an array.
  scratch ??= new Uint8Array(SCRATCH_BYTES)
  scratch.set(bytes)
  return decodeWhole(scratch, byteLength)
}

function decodeWhole(bytes: Uint8Array, end?: number): unknown {
  try {
    return codec().decode(bytes, end)
  } catch (cause) {
    throw new ProtocolError('expected one CBOR value, got bytes that are none', { cause, offset: 0 })
  }
}

/** Where {@link decodeCbor} found a fault, for an error that says more about the bytes. */
export function placeOf(cause: unknown): { readonly offset?: number } {
  return cause instanceof ProtocolError && cause.offset !== undefined ? { offset: cause.offset } : {}
}

let hasLostMarks: boolean | undefined

/** Whether the library has long texts read by a `TextDecoder`, which takes a leading byte order mark for its own. */
function losesMarks(): boolean {
  hasLostMarks ??= codec().decode(codec().encode(MARKED)) !== MARKED
  return hasLostMarks
}

const MARKED = /* @__PURE__ */ '\ufeff'.padEnd(100)

/** `bytes` with a second mark in front of texts that have one, for the first to be lost. */
function withDoubledMarks(bytes: Uint8Array, marks: readonly number[]): Uint8Array {
  const doubled = new Uint8Array(bytes.byteLength + marks.length * 8)
  let from = 0
  let to = 0
  for (const mark of marks) {
    const head = 1 << ((bytes[mark]! & 0x1f) - 24)
    let length = 3
    for (let i = 0; i < head; i++) length += bytes[mark + 1 + i]! * 256 ** (head - 1 - i)
    doubled.set(bytes.subarray(from, mark), to)
    to += mark - from
    doubled.set([0x7a, length >>> 24, length >>> 16, length >>> 8, length, 0xef, 0xbb, 0xbf], to)
    to += 8
    from = mark + 1 + head
  }
  doubled.set(bytes.subarray(from), to)
  return doubled.slice(0, to + bytes.byteLength - from)
}

/** A tagged value, as CBOR has them. */
export { Tag }

/** Objects that know their tagged form have a method of this name. */
export const lowered: unique symbol = Symbol('pulsing.lowered')

/** What to do with values only an owner of links can translate. */
export interface Lowering {
  /** A tagged form for `value`, or undefined if it has none. Asked for functions and for objects that are not plain data. */
  lower(value: object): Tag | undefined
}

/** Bits of the largest integer that can travel. */
const BIGINT_BITS = 8n * BigInt(MAX_BIGNUM_BYTES)
/** The tag of errors and regular expressions. */
const NAMED_TAG = 27
/** What a bigint, an error or regular expression, a stream, a member of a Set or a key of a Map counts for at most. */
const BIGINT_WORK = 2200
const NAMED_WORK = 110
const STREAM_WORK = 160
const MEMBER_WORK = 100

/**
 * What the parts of values lowered since the last encoding count for at most that count for more than their bytes: a
 * reader may refuse so much of them, however few bytes they are.
 */
let work = 0

/**
 * `value` in terms CBOR knows. Returns the very same object when nothing in it had to be replaced.
 *
 * @throws NotSerialisableError naming the path of the first value that cannot travel
 */
export function lower(value: unknown, lowering?: Lowering): unknown {
  if (isSimple(value)) return value
  return lowerAt(value, lowering, '', 0)
}

/** Values that are always themselves. */
function isSimple(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'undefined':
      return true
    default:
      return value === null
  }
}

function lowerAt(value: unknown, lowering: Lowering | undefined, path: string, depth: number): unknown {
  switch (typeof value) {
    case 'object':
      break
    case 'function': {
      const tag = (value as { [lowered]?(): Tag })[lowered]?.() ?? tagged(value, lowering)
      if (tag) return tag
      throw refused(value, path)
    }
    case 'symbol':
      throw refused(value, path)
    case 'bigint':
      work += BIGINT_WORK
      if ((value < 0n ? ~value : value) >> BIGINT_BITS === 0n) return value
      throw new NotSerialisableError(`expected an integer of at most ${BIGINT_BITS} bits${at(path)}, got a larger one`)
    default:
      return value
  }
  if (value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  const own = (value as { [lowered]?(): Tag })[lowered]
  if (own) return own.call(value)
  if (lowering && Symbol.asyncIterator in value) return tagged(value, lowering) ?? value
  if (prototype === Object.prototype || prototype === null)
    return lowerFields(value as Record<string, unknown>, lowering, path, depth, prototype)
  if (Array.isArray(value)) return lowerItems(value, lowering, path, depth)
  if (ArrayBuffer.isView(value)) return lowering?.lower(value) ?? lowerView(value, path)
  if (value instanceof ArrayBuffer || value instanceof Date) return lowering?.lower(value) ?? value
  if (value instanceof Map) {
    expectShallow(depth, path)
    work += MEMBER_WORK * value.size
    return new Map(
      [...value].map(([key, item]) => [
        lowerAt(key, lowering, `${path}<key>`, depth + 1),
        lowerAt(item, lowering, `${path}.get(${typeof key === 'string' ? key : describe(key)})`, depth + 1),
      ]),
    )
  }
  if (value instanceof Set) {
    expectShallow(depth, path)
    work += MEMBER_WORK * value.size
    return new Set([...value].map((item) => lowerAt(item, lowering, `${path}<item>`, depth + 1)))
  }
  const tag = tagged(value, lowering)
  if (tag) return tag
  if (value instanceof Error) return lowerError(value)
  if (value instanceof RegExp) return lowerRegExp(value, path)
  if (isOpaque(value)) throw refused(value, path)
  return lowerFields({ ...value } as Record<string, unknown>, lowering, path, depth, Object.prototype)
}

/** The form `lowering` has for a value, which may be a stream. */
function tagged(value: object, lowering: Lowering | undefined): Tag | undefined {
  const tag = lowering?.lower(value)
  if (tag) work += STREAM_WORK
  return tag
}

function lowerFields(
  fields: Record<string, unknown>,
  lowering: Lowering | undefined,
  path: string,
  depth: number,
  prototype: unknown,
): unknown {
  expectShallow(depth, path)
  // What can be iterated is written as what it yields.
  let copy: Record<string, unknown> | undefined =
    Symbol.iterator in fields
      ? Object.fromEntries(Object.entries(fields))
      : prototype === null
        ? { ...fields }
        : undefined
  for (const key in fields) {
    if (key === '__proto__') throw refused(fields, path, 'an object with a field __proto__')
    const before = fields[key]
    if (isSimple(before)) continue
    const after = lowerAt(before, lowering, `${path}.${key}`, depth + 1)
    if (after !== before) (copy ??= { ...fields })[key] = after
  }
  return copy ?? fields
}

function lowerItems(items: readonly unknown[], lowering: Lowering | undefined, path: string, depth: number): unknown {
  expectShallow(depth, path)
  // Of other classes of arrays it is not known how they are written.
  let copy: unknown[] | undefined = items.constructor === Array ? undefined : Array.from(items)
  for (let i = 0; i < items.length; i++) {
    const before = items[i]
    if (isSimple(before)) continue
    const after = lowerAt(before, lowering, `${path}[${i}]`, depth + 1)
    if (after !== before) (copy ??= items.slice())[i] = after
  }
  return copy ?? items
}

function lowerView(value: ArrayBufferView, path: string): ArrayBufferView {
  // The one typed array without a tag the library knows.
  if ((value as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag] === 'Float16Array')
    throw refused(value, path)
  return value
}

/** An error as the library writes it; by another name where its own, or its message, cannot be read. */
function lowerError(error: Error): Error | Tag {
  work += NAMED_WORK
  const { name, message }: { readonly name: unknown; readonly message: unknown } = error
  if (typeof name === 'string' && typeof message === 'string' && isErrorName(name)) return error
  return new Tag(['Error', typeof message === 'string' ? message : describe(message)], NAMED_TAG)
}

function lowerRegExp(value: RegExp, path: string): RegExp {
  const cost = regExpCost(value.source, value.flags)
  if (cost === Infinity) throw refused(value, path, 'a regular expression with flag v')
  work += NAMED_WORK + cost
  return value
}

/** @throws NotSerialisableError for an array, or anything with fields or items, that is too deep in others */
function expectShallow(depth: number, path: string): void {
  if (depth < MAX_DEPTH) return
  throw new NotSerialisableError(
    `expected a value at most ${MAX_DEPTH} levels deep, without cycles, got a deeper one at ${path.slice(0, 120)}…`,
  )
}

/** Platform objects whose state is not in their fields: sending their fields would send nothing. */
function isOpaque(value: object): boolean {
  return value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || Symbol.toStringTag in value
}

function refused(value: unknown, path: string, got = describe(value)): NotSerialisableError {
  return new NotSerialisableError(
    `expected plain data, bytes, a Date, Map, Set, Error, ActorRef or stream${at(path)}, got ${got}`,
  )
}

const at = (path: string): string => ` at ${path || 'the top'}`

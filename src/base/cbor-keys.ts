/**
 * The keys of maps that are being scanned, one map inside another: is a key there a second time? Few keys are compared
 * one by one, many are looked up by a hash whose seed nobody else knows, so that nobody can make them slow.
 */
import { randomBytes } from './random.ts'

/** Maps of up to so many keys are compared one by one. */
const FEW_KEYS = 16
/** Slots of a half empty table looked at before its keys are taken for chosen to collide. Chance does not get near. */
const MAX_TRIES = 512
/** Room for tables that is kept from one scan to the next, in numbers. */
const KEPT_ROOM = 16_384

export class CborKeys {
  /** Where keys of small maps begin in the bytes, and how long they are; those of outer maps come first. */
  readonly #starts: Int32Array
  readonly #lengths: Int32Array
  #count = 0
  /** Tables of large maps: where a key begins, and how long it is, over and over; those of outer maps come first. */
  #tables: Int32Array = new Int32Array(0)
  #room = 0
  /** For every open map: where its keys, or its table, begin above; how large the table is, 0 for none; what else it has. */
  readonly #firsts: Int32Array
  readonly #sizes: Int32Array
  #scalars: (Set<unknown> | undefined)[] = []
  #depth = 0
  #seed = 0

  /** @param maxDepth how many maps may be open at a time */
  constructor(maxDepth: number) {
    this.#starts = new Int32Array(maxDepth * FEW_KEYS)
    this.#lengths = new Int32Array(maxDepth * FEW_KEYS)
    this.#firsts = new Int32Array(maxDepth + 1)
    this.#sizes = new Int32Array(maxDepth + 1)
  }

  /** Closes what a scan left open. */
  reset(): void {
    this.#count = 0
    this.#room = 0
    this.#depth = 0
    if (this.#scalars.length > 0) this.#scalars = []
    if (this.#tables.length > KEPT_ROOM) this.#tables = new Int32Array(0)
  }

  /** A map of `count` keys begins. */
  open(count: number): void {
    const depth = ++this.#depth
    if (this.#scalars.length > depth) this.#scalars[depth] = undefined
    if (count > FEW_KEYS) this.#openTable(count, depth)
    else {
      this.#firsts[depth] = this.#count
      this.#sizes[depth] = 0
    }
  }

  /** The innermost map ends. */
  close(): void {
    const depth = this.#depth--
    if (this.#sizes[depth] === 0) this.#count = this.#firsts[depth]!
    else this.#room = this.#firsts[depth]!
  }

  /** Adds a text to the keys of the innermost map; false when it is there already. */
  addText(bytes: Uint8Array, start: number, length: number): boolean {
    const depth = this.#depth
    if (this.#sizes[depth] !== 0) return this.#addToTable(bytes, start, length)
    const starts = this.#starts
    const lengths = this.#lengths
    for (let i = this.#firsts[depth]!; i < this.#count; i++)
      if (lengths[i] === length && areEqual(bytes, starts[i]!, start, length)) return false
    starts[this.#count] = start
    lengths[this.#count++] = length
    return true
  }

  /** Adds anything that is compared by its value but a text. */
  addScalar(value: unknown): boolean {
    const scalars = (this.#scalars[this.#depth] ??= new Set())
    const { size } = scalars
    return scalars.add(value).size > size
  }

  #openTable(count: number, depth: number): void {
    // At least two slots for every key, of two numbers each.
    const size = 4 << (32 - Math.clz32(count))
    const from = this.#room
    this.#room += size
    if (this.#room > this.#tables.length) {
      const larger = new Int32Array(2 * this.#room)
      larger.set(this.#tables.subarray(0, from))
      this.#tables = larger
    } else this.#tables.fill(0, from, this.#room)
    this.#firsts[depth] = from
    this.#sizes[depth] = size
  }

  #addToTable(bytes: Uint8Array, start: number, length: number): boolean {
    this.#seed ||= new DataView(randomBytes(4).slice().buffer).getInt32(0) | 1
    let hash = this.#seed
    for (let i = start; i < start + length; i++) {
      hash = Math.imul(hash ^ bytes[i]!, 0x5bd1e995)
      hash ^= hash >>> 15
    }
    const tables = this.#tables
    const first = this.#firsts[this.#depth]!
    const mask = this.#sizes[this.#depth]! - 1
    let slot = ((hash ^ (hash >>> 13)) << 1) & mask
    // No key begins at 0, where the head of the map is.
    for (let tries = 0; tables[first + slot] !== 0; slot = (slot + 2) & mask) {
      if (tables[first + slot + 1] === length && areEqual(bytes, tables[first + slot]!, start, length)) return false
      if (++tries > MAX_TRIES) return false
    }
    tables[first + slot] = start
    tables[first + slot + 1] = length
    return true
  }
}

function areEqual(bytes: Uint8Array, one: number, other: number, length: number): boolean {
  // From the end: keys of one map often begin alike.
  for (let i = length - 1; i >= 0; i--) if (bytes[one + i] !== bytes[other + i]) return false
  return true
}

/** The number, bigint or simple value whose head is at `start`, complete. */
export function scalarAt(bytes: Uint8Array, start: number): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start)
  const major = bytes[start]! >> 5
  const info = bytes[start]! & 0x1f
  if (major === 7) {
    if (info === 25) return float16(view.getUint16(1))
    return info === 26 ? view.getFloat32(1) : info === 27 ? view.getFloat64(1) : SIMPLE[info - 20]
  }
  if (info === 27) return major === 0 ? view.getBigUint64(1) : ~view.getBigUint64(1)
  const value = info < 24 ? info : info === 24 ? view.getUint8(1) : info === 25 ? view.getUint16(1) : view.getUint32(1)
  return major === 0 ? value : -1 - value
}

const SIMPLE = [false, true, null, undefined]

function float16(half: number): number {
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction
          ? NaN
          : Infinity
        : (fraction + 1024) * 2 ** (exponent - 25)
  return half & 0x8000 ? -size : size
}

/** The big number of the bytes from `start` to `end`. */
export function bignumAt(bytes: Uint8Array, start: number, end: number, isNegative: boolean): bigint {
  let digits = '0x0'
  for (let i = start; i < end; i++) digits += bytes[i]!.toString(16).padStart(2, '0')
  return isNegative ? ~BigInt(digits) : BigInt(digits)
}

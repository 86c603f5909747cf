/**
 * The keys of maps that are being scanned, one map inside another: is a key there a second time? Few keys are compared
 * one by one, many are looked up by a hash whose seed nobody else knows, so that nobody can make them slow.
 */
import { randomBytes } from './random.ts'

/** Maps of up to so many keys are compared one by one. */
const FEW_KEYS = 16
/** Slots of a half empty table looked at before its keys are taken for chosen to collide. Chance does not get near. */
const MAX_TRIES = 512

export class CborKeys {
  /** Where keys of small maps begin in the bytes, and how long they are; those of outer maps come first. */
  readonly #starts: Int32Array
  readonly #lengths: Int32Array
  #count = 0
  /** For every open map: where its keys begin above, and its table or its set where it has one. */
  readonly #firsts: Int32Array
  #tables: (Int32Array | undefined)[] = []
  #scalars: (Set<unknown> | undefined)[] = []
  #depth = 0
  #seed = 0

  /** @param maxDepth how many maps may be open at a time */
  constructor(maxDepth: number) {
    this.#starts = new Int32Array(maxDepth * FEW_KEYS)
    this.#lengths = new Int32Array(maxDepth * FEW_KEYS)
    this.#firsts = new Int32Array(maxDepth + 1)
  }

  /** Closes what a scan left open. */
  reset(): void {
    this.#count = 0
    this.#depth = 0
    if (this.#tables.length > 0) this.#tables = []
    if (this.#scalars.length > 0) this.#scalars = []
  }

  /** A map of `count` keys begins. */
  open(count: number): void {
    this.#firsts[++this.#depth] = this.#count
    if (count > FEW_KEYS) this.#tables[this.#depth] = new Int32Array(4 << (32 - Math.clz32(count)))
    else if (this.#tables.length > this.#depth) this.#tables[this.#depth] = undefined
    if (this.#scalars.length > this.#depth) this.#scalars[this.#depth] = undefined
  }

  /** The innermost map ends. */
  close(): void {
    this.#count = this.#firsts[this.#depth--]!
  }

  /** Adds a text to the keys of the innermost map; false when it is there already. */
  addText(bytes: Uint8Array, start: number, length: number): boolean {
    const table = this.#tables[this.#depth]
    if (table) return this.#addToTable(table, bytes, start, length)
    const starts = this.#starts
    const lengths = this.#lengths
    for (let i = this.#firsts[this.#depth]!; i < this.#count; i++)
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

  #addToTable(table: Int32Array, bytes: Uint8Array, start: number, length: number): boolean {
    this.#seed ||= new DataView(randomBytes(4).slice().buffer).getInt32(0) | 1
    const slots = table.length / 2
    let hash = this.#seed
    for (let i = 0; i < length; i++) {
      hash = Math.imul(hash ^ bytes[start + i]!, 0x5bd1e995)
      hash ^= hash >>> 15
    }
    let slot = (hash ^ (hash >>> 13)) & (slots - 1)
    // No key begins at 0, where the head of the map is.
    for (let tries = 0; table[2 * slot] !== 0; slot = (slot + 1) & (slots - 1)) {
      if (table[2 * slot + 1] === length && areEqual(bytes, table[2 * slot]!, start, length)) return false
      if (++tries > MAX_TRIES) return false
    }
    table[2 * slot] = start
    table[2 * slot + 1] = length
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
  const value =
    info < 24 ? info : info === 24 ? view.getUint8(1) : info === 25 ? view.getUint16(1) : view.getUint32(1)
  return major === 0 ? value : -1 - value
}

const SIMPLE = [false, true, null, undefined]

function float16(half: number): number {
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  const size =
    exponent === 0 ? fraction * 2 ** -24 : exponent === 31 ? (fraction ? NaN : Infinity) : (fraction + 1024) * 2 ** (exponent - 25)
  return half & 0x8000 ? -size : size
}

/** The big number of the bytes from `start` to `end`. */
export function bignumAt(bytes: Uint8Array, start: number, end: number, isNegative: boolean): bigint {
  let digits = '0x0'
  for (let i = start; i < end; i++) digits += bytes[i]!.toString(16).padStart(2, '0')
  return isNegative ? ~BigInt(digits) : BigInt(digits)
}

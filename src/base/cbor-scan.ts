/**
 * A look at CBOR bytes before the library sees them: one pass, no recursion, nothing allocated. What it lets through is one
 * item of definite lengths, made of the tags this package uses and no others. Tags for sharing, in particular, turn a few
 * bytes into structures no walk comes to the end of.
 */

/** Dates, big numbers, errors and regular expressions, typed arrays, Sets, Maps, and the references of `remote/`. */
const TAGS: ReadonlySet<number> = /* @__PURE__ */ new Set([
  1, 2, 3, 27, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 84, 85, 86, 258, 259, 0x5075,
  0x5076, 0x5077, 0x5078,
])
/** The first of the tags that stand for something outside the value. */
const FIRST_REFERENCE_TAG = 0x5075
/** Longest big number, in bytes: the time to read one grows with its square. */
const MAX_BIGNUM_BYTES = 1024

/** What a scan found: where the bytes are no value, or whether there is something in them to translate. */
export interface CborScan {
  /** The offset of the first byte that may not stand there, or -1. */
  readonly errorAt: number
  readonly hasReferences: boolean
}

const CLEAN: CborScan = { errorAt: -1, hasReferences: false }
const WITH_REFERENCES: CborScan = { errorAt: -1, hasReferences: true }

export function scanCbor(bytes: Uint8Array): CborScan {
  const { byteLength } = bytes
  let at = 0
  let isBignum = false
  let hasReferences = false
  // Lengths are definite, so that what is still to come is a number, not a stack.
  for (let missing = 1; missing > 0; missing--) {
    const start = at
    const initial = bytes[at++]
    if (initial === undefined) return { errorAt: start, hasReferences }
    const info = initial & 0x1f
    let value = info
    if (info >= 24) {
      if (info > 27) return { errorAt: start, hasReferences }
      const size = 1 << (info - 24)
      if (at + size > byteLength) return { errorAt: start, hasReferences }
      value = 0
      for (let i = 0; i < size; i++) value = value * 256 + bytes[at + i]!
      at += size
    }
    switch (initial >> 5) {
      case 2:
      case 3:
        if (value > byteLength - at || (isBignum && value > MAX_BIGNUM_BYTES)) return { errorAt: start, hasReferences }
        at += value
        break
      case 4:
        missing += value
        break
      case 5:
        missing += 2 * value
        break
      case 6:
        if (!TAGS.has(value)) return { errorAt: start, hasReferences }
        if (value >= FIRST_REFERENCE_TAG) hasReferences = true
        missing++
        break
      default:
    }
    isBignum = initial === 0xc2 || initial === 0xc3
    // Every missing item takes a byte at least.
    if (missing - 1 > byteLength - at) return { errorAt: start, hasReferences }
  }
  if (at !== byteLength) return { errorAt: at, hasReferences }
  return hasReferences ? WITH_REFERENCES : CLEAN
}

/** Any value that can travel arrives as it was; any other bytes are refused, and what both the reader and a second one of another make take, they take alike. */
import { Encoder } from 'cbor-x/index-no-eval'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCbor, encodeCbor, lower } from '../../src/base/cbor.ts'
import { scanCbor } from '../../src/base/cbor-scan.ts'
import { ProtocolError } from '../../src/base/errors.ts'
import { fuzz, hexOf, numericSeed } from './fuzz.ts'
import { likelyBytes, mutate } from './mutations.ts'
import { readReference } from './reference.ts'
import { isSameValue } from './same-value.ts'
import { anyValue } from './values.ts'

/** The value of some bytes as the reader has it; a ProtocolError as it must be, and nothing else, for undefined. */
function read(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: decodeCbor(bytes) }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const { offset = -1, message } = error
    if (offset < 0 || offset > bytes.length || !/^expected one CBOR value, got .* at byte/.test(message))
      throw new RangeError(`${message}, offset ${offset}`)
    return undefined
  }
}

/** The library as browsers have it, where no native part reads texts. */
const inBrowsers = new Encoder({ useRecords: false, copyBuffers: true } as object)

function expectAgreement(bytes: Uint8Array): boolean {
  const copy = bytes.slice()
  const got = read(bytes)
  const reference = readReference(copy)
  if ((got === undefined) !== (reference === undefined))
    throw new RangeError(
      `${hexOf(copy)} is ${got ? 'taken' : 'refused'}, the reference says otherwise: ${scanCbor(copy).problem}`,
    )
  if (!isSameValue(bytes, copy) || Object.keys(bytes).length !== bytes.length)
    throw new RangeError(`reading ${hexOf(copy)} changed it`)
  const { marks, hasReferences } = scanCbor(copy)
  if (got && !marks && !hasReferences && !isSameValue(inBrowsers.decode(copy), got.value))
    throw new RangeError(`${hexOf(copy)} is read as another value in browsers`)
  // What was read is nobody else's.
  bytes.fill(0xff)
  if (!isSameValue(got, reference)) throw new RangeError(`${hexOf(copy)} is read as another value`)
  return got !== undefined
}

const pool = (count: number): Uint8Array[] =>
  fc.sample(anyValue, { numRuns: count, seed: numericSeed }).map((value) => encodeCbor(lower(value)))

test('any value that can travel arrives as it was', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = encodeCbor(lower(value))
      expect(isSameValue(decodeCbor(bytes), value)).toBe(true)
      expect(expectAgreement(bytes)).toBe(true)
    }),
    { numRuns: 6_000, seed: numericSeed, endOnFailure: true },
  )
})

test('changed values are refused or read, as the reference does', () => {
  const originals = pool(400)
  let taken = 0
  const ran = fuzz('changed values are refused or read, as the reference does', 40_000, (random) => {
    if (expectAgreement(mutate(random, random.pick(originals), originals))) taken++
  })
  // Both must be reached: a fuzzer whose cases all fail alike finds nothing.
  if (ran > 1000) expect(taken / ran).toBeGreaterThan(0.02)
  if (ran > 1000) expect(taken / ran).toBeLessThan(0.6)
})

test('random bytes are refused or read, as the reference does', () => {
  fuzz('random bytes are refused or read, as the reference does', 20_000, (random) => {
    expectAgreement(random.int(3) === 0 ? random.bytes(random.int(60)) : likelyBytes(random))
  })
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

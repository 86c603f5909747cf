/** Any value that can travel arrives as it was; of any other bytes the reader takes what a second one of another make takes, for the same value. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCbor, encodeCbor, lower } from '../../src/base/cbor.ts'
import { expectAgreement } from './agreement.ts'
import { fuzz, numericSeed } from './fuzz.ts'
import { likelyBytes, mutate } from './mutations.ts'
import { isSameValue } from './same-value.ts'
import { anyValue } from './values.ts'

const pool = (count: number): Uint8Array[] =>
  fc.sample(anyValue, { numRuns: count, seed: numericSeed }).map((value) => encodeCbor(lower(value)))

test('any value that can travel arrives as it was', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = encodeCbor(lower(value))
      expect(isSameValue(decodeCbor(bytes), value)).toBe(true)
      expect(expectAgreement(bytes)).toBe(true)
    }),
    { numRuns: 6_000, seed: numericSeed, endOnFailure: true },
  )
})

test('changed values are refused or read, as the reference does', { timeout: 60_000 }, () => {
  const originals = pool(400)
  let taken = 0
  const ran = fuzz('changed values are refused or read, as the reference does', 40_000, (random) => {
    if (expectAgreement(mutate(random, random.pick(originals), originals))) taken++
  })
  // Both must be reached: a fuzzer whose cases all fail alike finds nothing.
  if (ran > 1000) expect(taken / ran).toBeGreaterThan(0.02)
  if (ran > 1000) expect(taken / ran).toBeLessThan(0.6)
})

test('random bytes are refused or read, as the reference does', { timeout: 60_000 }, () => {
  fuzz('random bytes are refused or read, as the reference does', 20_000, (random) => {
    expectAgreement(random.int(3) === 0 ? random.bytes(random.int(60)) : likelyBytes(random))
  })
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

/** Any value that can travel arrives as it was; of any other bytes the reader takes what a second one of another make takes, for the same value. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCbor, encodeCbor, lower } from '../../src/base/cbor.ts'
import { writePlain } from '../../src/base/cbor-plain-writer.ts'
import { scanCbor } from '../../src/base/cbor-scan.ts'
import { NotSerialisableError } from '../../src/base/errors.ts'
import type { SeededRandom } from '../../src/testkit/seeded-random.ts'
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
      const short = writePlain(value)?.slice()
      const bytes = encodeCbor(lower(value))
      if (short) expect(short).toEqual(bytes)
      expect(isSameValue(decodeCbor(bytes), value)).toBe(true)
      expect(expectAgreement(bytes)).toBe(true)
    }),
    { numRuns: 6_000, seed: numericSeed, endOnFailure: true },
  )
})

test('what is too much is refused where it is written, never where it is read', { timeout: 60_000 }, () => {
  /** 0, 1, 2 … up to a number below `most`, or well below. */
  const up = (random: SeededRandom, most: number): number[] =>
    Array.from({ length: random.int(random.pick([9, most >> 2, most])) }, (_, i) => i)
  const parts: readonly ((random: SeededRandom) => unknown)[] = [
    (random) => new Set(up(random, 3_000)),
    (random) => new Set(up(random, 1_500).map((i) => BigInt(i) ** 9n)),
    (random) => new Map(up(random, 3_000).map((i) => [i * 1.5, 0])),
    (random) => up(random, 1_500).map(() => new Error('')),
    (random) => up(random, 150).map(() => /\p{L}/u),
    (random) => up(random, 60).map(() => 2n ** 8_000n),
    (random) => up(random, 40_000).map(() => new Uint8Array(0)),
    (random) => up(random, 16_000).map(() => new Float32Array(0)),
    (random) => up(random, 120_000).map(() => 0),
    (random) => up(random, 60_000).map(() => new Date(0)),
    (random) => Object.fromEntries(up(random, 20_000).map((i) => [`k${i}`, 1])),
  ]
  let refused = 0
  const ran = fuzz('what is too much is refused where it is written, never where it is read', 150, (random) => {
    const value = Array.from({ length: 1 + random.int(3) }, () => random.pick(parts)(random))
    let bytes: Uint8Array
    try {
      bytes = encodeCbor(lower(value))
    } catch (error) {
      expect(error).toBeInstanceOf(NotSerialisableError)
      refused++
      return
    }
    expect(scanCbor(bytes).problem).toBe('')
  })
  if (ran > 100) expect(refused).toBeGreaterThan(ran / 10)
  if (ran > 100) expect(refused).toBeLessThan(ran / 1.2)
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

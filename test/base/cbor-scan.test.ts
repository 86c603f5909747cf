/** What the scan lets through is what the codec writes; what it stops never reaches the library. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { scanCbor } from '../../src/base/cbor-scan.ts'

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

test('everything the codec writes passes', () => {
  const value = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true })
  fc.assert(
    fc.property(value, (any) => scanCbor(encodeCbor(any)).errorAt === -1),
    { numRuns: 500 },
  )
  for (const special of [new Error('x'), /x/g, 10n ** 30n, new Float64Array(3), new Uint8ClampedArray(2)]) {
    expect(scanCbor(encodeCbor(special)).errorAt).toBe(-1)
  }
})

test('any bytes are a value or a ProtocolError with an offset, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (any) => {
      try {
        decodeCbor(any)
      } catch (error) {
        expect(error).toMatchObject({ name: 'ProtocolError' })
      }
    }),
    { numRuns: 5000 },
  )
})

test.each([
  ['sharing: a value marked to be referred to', 'd8 1c 80'],
  ['sharing: a reference', '82 d8 1c 80 d8 1d 00'],
  ['a record of the library', 'd9 df ff 83 19 e0 00 81 61 61 01'],
  ['packed values', 'd8 33 84 80 80 80 00'],
  ['bundled strings', 'd9 df f9 82 00 00'],
  ['an array of unknown length', '9f 01 ff'],
  ['a text of unknown length', '7f 61 61 ff'],
  ['a big number of two thousand bytes', `c2 59 07 d0 ${'ff'.repeat(2000)}`],
  ['an array of four billion items', '9a ff ff ff ff'],
  ['a map that ends early', 'a2 61 61 01'],
  ['two values', '01 02'],
  ['nothing', ''],
])('%s is stopped', (_what, hex) => {
  expect(scanCbor(bytes(hex)).errorAt).toBeGreaterThanOrEqual(0)
  expect(() => decodeCbor(bytes(hex))).toThrowError(expect.objectContaining({ name: 'ProtocolError' }))
})

test('a few bytes that would be a billion values are refused at once', () => {
  let nested = '80'
  for (let i = 0; i < 30; i++) nested = `d81c 82 ${nested} d81d 00`
  expect(() => decodeCbor(bytes(nested))).toThrowError(/at byte 0/)
})

test('references are reported, plain values are not said to have any', () => {
  expect(scanCbor(bytes('82 01 d9 5075 83 60 60 f6')).hasReferences).toBe(true)
  expect(scanCbor(encodeCbor({ a: [1, new Map([[1, 2]])] })).hasReferences).toBe(false)
})

/** The codec as browsers have it: without `eval`, and without the native part that reads texts in Node.js. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCbor, encodeCbor, lower } from '../../src/base/cbor.ts'
import { writePlain } from '../../src/base/cbor-plain-writer.ts'
import { isSameValue } from '../fuzz/same-value.ts'
import { anyValue } from '../fuzz/values.ts'

test('any value that can travel arrives as it was', () => {
  fc.assert(
    fc.property(anyValue, (value) => isSameValue(decodeCbor(encodeCbor(lower(value))), value)),
    { numRuns: 1_000, endOnFailure: true },
  )
})

test('what is written the short way is what the library writes here', () => {
  let short = 0
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = writePlain(value)?.slice()
      if (bytes) short++
      return !bytes || isSameValue(bytes, encodeCbor(lower(value)))
    }),
    { numRuns: 1_000, endOnFailure: true },
  )
  expect(short).toBeGreaterThan(50)
})

test.each([60, 61, 62, 100, 252, 253, 254, 5_000, 65_530, 65_540])(
  'texts of %i letters keep the mark they begin with, as keys too',
  (length) => {
    const text = `\ufeff${'a'.repeat(length)}`
    const value = { [text]: [text, 1, `\ufeff${text}`], after: new Set([`é${text}`, text]) }
    expect(decodeCbor(encodeCbor(value))).toStrictEqual(value)
  },
)

test('arrays of 16-bit floats, which nothing reads, are refused where they are sent', () => {
  const { Float16Array: Halves } = globalThis as { readonly Float16Array?: new (items: number[]) => object }
  expect(Halves).toBeDefined()
  expect(() => lower({ halves: new Halves!([1]) })).toThrow(
    expect.objectContaining({ code: 'serialization_error', message: expect.stringContaining('at .halves') }),
  )
})

test('halves of surrogate pairs become U+FFFD, in short texts and in long ones', () => {
  const read = decodeCbor(encodeCbor(['\ud800', `${'x'.repeat(100)}\udc00`]))
  expect(read).toEqual(['\ufffd', `${'x'.repeat(100)}\ufffd`])
})

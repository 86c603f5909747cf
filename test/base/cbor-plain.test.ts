/** What takes the short way, and what is left to the long one. That both make the same of any bytes is `test/fuzz`'s to say. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeCborReferences, encodeCbor } from '../../src/base/cbor.ts'
import { NOT_PLAIN, readPlain } from '../../src/base/cbor-plain.ts'

const read = (bytes: Uint8Array): unknown => readPlain(bytes, 0, bytes.byteLength)
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const nested = (levels: number): unknown => Array.from({ length: levels }).reduce((inner) => [inner], 0)

describe('small plain values take the short way', () => {
  test.each([
    ['numbers', [0, 23, 24, 255, 256, 65_535, 65_536, 0xffff_ffff, -1, -24, -25, -256, -0xffff_ffff, 1.5, 1e300, -0.1]],
    ['numbers that are none', [NaN, Infinity, -Infinity]],
    ['what is not there', [null, undefined, true, false]],
    ['texts', ['', 'a', 'x'.repeat(32), 'x'.repeat(33), 'x'.repeat(3000), 'ä', '漢字'.repeat(20), '😀', '\ufeffmark']],
    ['lists and objects', { a: { b: [{ c: [] }, {}] }, '': 1, 'with space': 2, 1: 'one' }],
    ['as many keys as are compared one by one', Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, i]))],
    ['as many levels as it goes down', nested(16)],
  ])('%s', (_, value) => {
    expect(read(encodeCbor(value))).toStrictEqual(value)
  })

  test('any of them, wherever they stand', () => {
    const plain = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, depthSize: 'small' },
        fc.string({ unit: 'grapheme' }),
        fc.double({ noDefaultInfinity: false }).map((number) => number + 0 || 0),
        fc.integer(),
        fc.constantFrom(null, undefined, true, false),
        fc.array(tie('value'), { maxLength: 6 }),
        fc.dictionary(fc.stringMatching(/^[a-z]{0,20}$/), tie('value'), { maxKeys: 6, noNullPrototype: true }),
      ),
    })).value
    fc.assert(
      fc.property(plain, fc.nat(9), fc.nat(9), (value, before, behind) => {
        const encoded = encodeCbor(value)
        const all = new Uint8Array(before + encoded.byteLength + behind).fill(0x61)
        all.set(encoded, before)
        expect(readPlain(all, before, before + encoded.byteLength)).toStrictEqual(value)
        expect(decodeCborReferences(encoded).value).toStrictEqual(value)
      }),
      { numRuns: 1000 },
    )
  })

  test('each gets objects of its own', () => {
    const encoded = encodeCbor({ list: [1], inner: { a: 1 } })
    const [one, other] = [read(encoded), read(encoded)] as { list: unknown; inner: unknown }[]
    expect(one).toStrictEqual(other)
    expect([one!.list === other!.list, one!.inner === other!.inner]).toEqual([false, false])
  })
})

describe('left to the long way is', () => {
  test.each([
    ['nothing', new Uint8Array(0)],
    ['a date', encodeCbor(new Date(0))],
    ['bytes', encodeCbor([new Uint8Array(3)])],
    ['a Map', encodeCbor(new Map([[1, 2]]))],
    ['an integer of 8 bytes', encodeCbor(2n ** 60n)],
    ['a short float', bytes('f9 3c00')],
    ['one level more', encodeCbor(nested(17))],
    ['one key more', encodeCbor(Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, i])))],
    ['a long key', encodeCbor({ ['k'.repeat(24)]: 1 })],
    ['a key that is not ASCII', encodeCbor({ ä: 1 })],
    ['a large value', encodeCbor('x'.repeat(4096))],
    ['a key a second time', bytes('a2 6161 01 6161 02')],
    ['a key __proto__', bytes('a1 69 5f5f70726f746f5f5f 01')],
    ['a key that is no text', bytes('a1 01 02')],
    ['a text cut off', bytes('62 61')],
    ['a head cut off', bytes('19 01')],
    ['a float cut off', bytes('fb 0000')],
    ['a list of more items than there are bytes', bytes('9a ffffffff')],
    ['a list cut off', bytes('82 01')],
    ['an object cut off', bytes('a1 61')],
    ['something behind it', bytes('01 02')],
    ['what is not UTF-8', bytes('62 c328')],
    ['half a surrogate pair', bytes('63 eda080')],
    ['an unknown length', bytes('9f ff')],
  ])('%s', (_, encoded) => {
    expect(read(encoded)).toBe(NOT_PLAIN)
  })

  test('what stands behind the end of a value', () => {
    expect(readPlain(bytes('82 01 02'), 0, 2)).toBe(NOT_PLAIN)
    expect(readPlain(bytes('62 6161'), 0, 2)).toBe(NOT_PLAIN)
    expect(readPlain(bytes('1901 02'), 0, 2)).toBe(NOT_PLAIN)
  })
})

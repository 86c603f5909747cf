/** What is written the short way, byte for byte as the long one writes it, and what is left to that. */
import { Encoder } from 'cbor-x/index-no-eval'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { encodeCbor, lower, lowered } from '../../src/base/cbor.ts'
import { NOT_PLAIN, readPlain } from '../../src/base/cbor-plain.ts'
import { writePlain } from '../../src/base/cbor-plain-writer.ts'

/** The library as browsers have it. */
const inBrowsers = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false } as object)

const written = (value: unknown): number[] | undefined => {
  const bytes = writePlain(value)
  return bytes && [...bytes]
}
const nested = (levels: number): unknown => Array.from({ length: levels }).reduce((inner) => [inner], 0)
const withKeys = (count: number): unknown => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))

describe('small plain values are written as the library does', () => {
  test.each([
    ['numbers', [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 0xffff_ffff, 2 ** 32, 2 ** 53]],
    [
      'numbers below',
      [
        -0,
        -1,
        -24,
        -25,
        -256,
        -257,
        -65_536,
        -65_537,
        -(2 ** 31),
        -(2 ** 31) - 1,
        -(2 ** 32),
        -(2 ** 32) - 1,
        -(2 ** 53),
      ],
    ],
    ['numbers that are no integers', [1.5, 1e300, -0.1, 5e-324, NaN, Infinity, -Infinity]],
    ['what is not there', [null, undefined, true, false]],
    ['texts', ['', 'a', 'x'.repeat(23), 'x'.repeat(24), 'x'.repeat(64), '\u0000\u007f']],
    ['lists and objects', { a: { b: [{ c: [] }, {}] }, '': 1, 'with space': 2, 1: 'one', constructor: 3 }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['lists with holes', [Object.assign(new Array(3), { 1: 1 }), new Array(30)]],
    ['long lists', [new Array(24).fill(0), new Array(255).fill(0)]],
    ['as many keys as there may be', withKeys(16)],
    ['as many levels as it goes down', nested(16)],
    [
      'frozen ones, and ones with getters',
      [Object.freeze({ a: 1 }), Object.defineProperty({}, 'x', { get: () => 7, enumerable: true })],
    ],
    ['what is not enumerable left out', Object.defineProperty({ a: 1 }, 'b', { value: 2, enumerable: false })],
    ['symbols left out', { [Symbol('s')]: 1, a: 2 }],
  ])('%s', (_, value) => {
    const bytes = written(value)
    expect(bytes).toEqual([...encodeCbor(lower(value))])
    expect(bytes).toEqual([...inBrowsers.encode(value)])
  })

  test('any of them, and they are read the short way', () => {
    const plain = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, depthSize: 'small' },
        fc.string({ unit: 'binary-ascii', maxLength: 64 }),
        fc.double(),
        fc.integer(),
        fc.maxSafeInteger(),
        fc.constantFrom(null, undefined, true, false),
        fc.array(tie('value'), { maxLength: 6 }),
        fc.dictionary(fc.stringMatching(/^[a-z]{0,20}$/), tie('value'), { maxKeys: 6 }),
      ),
    })).value
    fc.assert(
      fc.property(plain, (value) => {
        const bytes = writePlain(value)?.slice()
        expect(bytes).toEqual(encodeCbor(lower(value)))
        expect(readPlain(bytes!, 0, bytes!.byteLength)).not.toBe(NOT_PLAIN)
      }),
      { numRuns: 1000 },
    )
  })

  test('a view that is used again says what was written last', () => {
    expect(written([1, 2])).toEqual([0x82, 1, 2])
    expect(written([3, 4])).toEqual([0x82, 3, 4])
    const long = 'x'.repeat(60)
    expect(writePlain(new Array(60).fill(long))!.byteLength).toBe(2 + 60 * 62)
    expect(written([1, 2])).toEqual([0x82, 1, 2])
  })
})

class Point {
  x = 1
}

describe('left to the long way is', () => {
  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  test.each([
    ['a text that is longer', 'x'.repeat(65)],
    ['a text that is not all ASCII', 'ä'],
    ['half a surrogate pair', '\ud800'],
    ['a long key', { ['k'.repeat(24)]: 1 }],
    ['a key that is not all ASCII', { ä: 1 }],
    ['__proto__ as a key', JSON.parse('{"__proto__":1}')],
    ['one key more', withKeys(17)],
    ['one level more', nested(17)],
    ['what holds itself', cyclic],
    ['a longer list', new Array(256).fill(0)],
    ['more than there is room for', new Array(200).fill('x'.repeat(40))],
    ['keys there is no room for', new Array(200).fill({ aaaaaaaaaaaaaaaaaaaaaa: 1 })],
    ['a bigint', 1n],
    ['a symbol', Symbol('s')],
    ['a function', () => 1],
    ['bytes', new Uint8Array(1)],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['an error', new Error('x')],
    ['an object of a class', new Point()],
    ['a list of a class', new (class extends Array {})()],
    ['what knows its own form', { [lowered]: () => 1 }],
    ['a list that does', Object.assign([], { [lowered]: () => 1 })],
    ['a source of items', { async *[Symbol.asyncIterator]() {} }],
  ])('%s', (_, value) => {
    expect(writePlain(value)).toBeUndefined()
    expect(writePlain({ a: [value] })).toBeUndefined()
    expect(written(1)).toEqual([1])
  })

  afterEach(() => {
    delete (Object.prototype as { polluted?: unknown }).polluted
  })

  test('everything, where every object has keys it does not own', () => {
    Object.assign(Object.prototype, { polluted: 1 })
    expect(writePlain({ a: 1 })).toBeUndefined()
  })

  test('what is written while something is written', () => {
    let inner: unknown = 'not called'
    const value = Object.defineProperty({}, 'a', {
      get: () => {
        inner = writePlain('inner')
        return 1
      },
      enumerable: true,
    })
    expect(written(value)).toEqual([0xa1, 0x61, 0x61, 1])
    expect(inner).toBeUndefined()
  })
})

test('what a getter throws is thrown, and nothing is left open', () => {
  const value = Object.defineProperty({}, 'a', {
    get: () => {
      throw new RangeError('mine')
    },
    enumerable: true,
  })
  expect(() => writePlain(value)).toThrow('mine')
  expect(written(1)).toEqual([1])
})

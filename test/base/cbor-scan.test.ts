/** What the scan lets through is what the codec writes; what it stops never reaches the library, and it says where. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { MAX_ITEMS, scanCbor } from '../../src/base/cbor-scan.ts'

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const hexOf = (text: string): string => Buffer.from(text).toString('hex')
const REGEXP = `66${hexOf('RegExp')}`

function expectStopped(hex: string, offset: number, problem: string): void {
  const { errorAt, problem: found } = scanCbor(bytes(hex))
  expect([errorAt, found]).toEqual([offset, problem])
  expect(() => decodeCbor(bytes(hex))).toThrowError(
    expect.objectContaining({
      name: 'ProtocolError',
      offset,
      message: `expected one CBOR value, got ${problem} at byte ${offset} of ${bytes(hex).length}`,
    }),
  )
}

test('everything the codec writes passes', () => {
  const value = fc.anything({
    key: fc.string().filter((key) => key !== '__proto__'),
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
  })
  fc.assert(
    fc.property(value, (any) => scanCbor(encodeCbor(any)).errorAt === -1),
    { numRuns: 500 },
  )
  for (const special of [new Error('x'), /x/g, 10n ** 30n, new Float64Array(3), new Uint8ClampedArray(2)]) {
    expect(scanCbor(encodeCbor(special)).errorAt).toBe(-1)
  }
})

describe('the shape of bytes', () => {
  test.each([
    ['nothing', '', 0, 'the end of the bytes'],
    ['two values', '01 02', 1, 'more bytes behind it'],
    ['a map that ends early', 'a2 61 61 01', 0, 'more items than bytes'],
    ['a list that ends early, in an inner one', '82 82 01 02', 1, 'more items than bytes'],
    ['a list that ends early, after a text', '82 62 61 61', 4, 'the end of the bytes'],
    ['a head cut off', '82 00 19 01', 2, 'the end of the bytes'],
    ['a text beyond the end', '82 00 62 61', 2, 'a length beyond the end of the bytes'],
    ['bytes of four gigabytes', '5a ff ff ff ff', 0, 'a length beyond the end of the bytes'],
    ['a list of four billion items', '9a ff ff ff ff', 0, 'more items than bytes'],
    ['lists that share the bytes there are', '83 82 00 00 82 00', 4, 'more items than bytes'],
    ['a text whose length takes 8 bytes', '7b 00 00 00 00 00 00 00 01 61', 0, 'a length of 8 bytes'],
    ['a list whose length takes 8 bytes', '81 9b 00 00 00 00 00 00 00 00', 1, 'a length of 8 bytes'],
    ['a tag of 8 bytes', 'db 00 00 00 00 00 00 00 01 00', 0, 'a length of 8 bytes'],
    ['a list of unknown length', '9f 01 ff', 0, 'an unknown length'],
    ['a map of unknown length', 'bf 61 61 01 ff', 0, 'an unknown length'],
    ['a text of unknown length', '7f 61 61 ff', 0, 'an unknown length'],
    ['bytes of unknown length', '81 5f 41 00 ff', 1, 'an unknown length'],
    ['a break', '81 ff', 1, 'an unknown length'],
    ['additional information 28', '81 1c', 1, 'a reserved head'],
    ['additional information 30', '7e', 0, 'a reserved head'],
    ['a simple value that is none', '81 e0', 1, 'a simple value that is none'],
    ['false in two bytes', 'f8 14', 0, 'a simple value that is none'],
    ['a simple value in two bytes', '82 00 f8 ff', 2, 'a simple value that is none'],
  ])('%s is stopped', (_what, hex, offset, problem) => expectStopped(hex, offset, problem))

  test('lengths longer than needed, of up to 4 bytes, are fine', () => {
    expect(decodeCbor(bytes('98 02 19 0005 78 01 61'))).toEqual([5, 'a'])
    expect(decodeCbor(bytes('9a 00000001 1a 00000000'))).toEqual([0])
  })
})

describe('texts and keys', () => {
  test.each([
    ['a byte that begins nothing', '63 61 ff 61', 2, 'bytes that are not UTF-8'],
    ['a letter cut off', '82 61 c3 00', 2, 'bytes that are not UTF-8'],
    ['a letter written longer than needed', '62 c0 80', 1, 'bytes that are not UTF-8'],
    ['half a surrogate pair', '65 61 61 ed a0 80', 3, 'bytes that are not UTF-8'],
    ['a letter beyond U+10FFFF', '64 f4 90 80 80', 1, 'bytes that are not UTF-8'],
    ['a key that is not UTF-8', 'a1 61 80 00', 2, 'bytes that are not UTF-8'],
    ['a key that is a number', 'a1 01 02', 1, 'a key that is no text'],
    ['a key that is a list', 'a1 80 02', 1, 'a key that is no text'],
    ['a key that is a tag', 'a1 c1 00 02', 2, 'a key that is no text'],
    ['a key a second time', 'a2 61 61 01 61 61 02', 4, 'a key a second time'],
    ['a key a second time, written longer', 'a2 61 61 01 78 01 61 02', 4, 'a key a second time'],
    ['the empty key a second time', 'a2 60 01 78 00 02', 3, 'a key a second time'],
    ['a key a second time, around another map', 'a2 61 61 a1 61 61 00 61 61 02', 7, 'a key a second time'],
    ['a key __proto__', `a1 69 ${hexOf('__proto__')} 01`, 1, 'a key __proto__'],
    ['a key __proto__, written longer', `a1 78 09 ${hexOf('__proto__')} 01`, 1, 'a key __proto__'],
    ['a number as key of a Map twice', 'd9 0103 a2 01 00 18 01 00', 6, 'a key a second time'],
    ['a number as key of a Map twice, once as a float', 'd9 0103 a2 01 00 f9 3c00 00', 6, 'a key a second time'],
    ['not a number as key of a Map twice', 'd9 0103 a2 f9 7e00 00 fa 7fc00000 00', 8, 'a key a second time'],
    ['both zeros as keys of a Map', 'd9 0103 a2 00 00 f9 8000 00', 6, 'a key a second time'],
    ['a negative number as key of a Map twice', 'd9 0103 a2 20 00 fb bff0000000000000 00', 6, 'a key a second time'],
    ['a bigint as key of a Map twice', 'd9 0103 a2 c2 41 05 00 1b 0000000000000005 00', 8, 'a key a second time'],
    ['a negative bigint as key of a Map twice', 'd9 0103 a2 c3 40 00 3b 0000000000000000 00', 7, 'a key a second time'],
    ['null as key of a Map twice', 'd9 0103 a2 f6 00 f6 00', 6, 'a key a second time'],
    ['a text as key of a Map twice', 'd9 0103 a2 61 61 00 61 61 00', 7, 'a key a second time'],
  ])('%s is stopped', (_what, hex, offset, problem) => expectStopped(hex, offset, problem))

  test('keys that only look alike are different', () => {
    const map = new Map<unknown, unknown>([
      [1, 0],
      ['1', 0],
      [1n, 0],
      [true, 0],
      [null, 0],
      [undefined, 0],
      [1.5, 0],
      [-2, 0],
      ['__proto__', 0],
      [{}, 0],
      [[], 0],
      [[], 0],
      [new Date(1), 0],
      [new Date(1), 0],
      [new Uint8Array(1), 0],
      [new Uint8Array(1), 0],
    ])
    expect((decodeCbor(encodeCbor(map)) as typeof map).size).toBe(map.size)
    const near = { a: 1, aa: 2, b: 3, ab: 4, ba: 5, '': 6, constructor: 7, __proto: 8, __proto_: 9, _proto__x: 10 }
    expect(decodeCbor(encodeCbor(near))).toEqual(near)
  })

  test.each([15, 16, 17, 18, 40, 1_000, 20_000])(
    'of %i keys the one that is there twice is found, wherever',
    (count) => {
      const keys = Array.from({ length: count }, (_, i) => `key ${i}`)
      const encode = (names: readonly string[]): Uint8Array =>
        Uint8Array.from([
          0xba,
          0,
          0,
          names.length >> 8,
          names.length & 255,
          ...names.flatMap((name) => [...encodeCbor(name), 0]),
        ])
      expect(scanCbor(encode(keys)).errorAt).toBe(-1)
      for (const [from, to] of [
        [0, count - 1],
        [count - 2, count - 1],
        [Math.floor(count / 2), count - 1],
      ] as const) {
        const twice = keys.with(to, keys[from]!)
        expect(scanCbor(encode(twice))).toMatchObject({
          errorAt: encode(twice).length - 1 - encodeCbor(keys[from]).length,
          problem: 'a key a second time',
        })
      }
    },
  )

  test('large maps in large maps are told apart', () => {
    const names = Array.from({ length: 30 }, (_, i) => `k${i}`)
    const inner = Object.fromEntries(names.map((name) => [name, 0]))
    const outer = Object.fromEntries(names.map((name) => [name, inner]))
    expect(decodeCbor(encodeCbor({ outer, again: outer }))).toEqual({ outer, again: outer })
  })
})

describe('tags', () => {
  test.each([
    ['sharing: a value marked to be referred to', 'd8 1c 80', 0, 'tag 28'],
    ['sharing: a reference', '82 00 d8 1d 00', 2, 'tag 29'],
    ['a record of the library', 'd9 df ff 83 19 e0 00 81 61 61 01', 0, 'tag 57343'],
    ['packed values', 'd8 33 84 80 80 80 00', 0, 'tag 51'],
    ['bundled strings', 'd9 df f9 82 00 00', 0, 'tag 57337'],
    ['a date as text', 'c0 60', 0, 'tag 0'],
    ['a tag of a tag', 'c1 c1 00', 1, 'a tag in the wrong place'],
    ['a tag at the end', '81 c1', 2, 'the end of the bytes'],
    ['a date that is a text', 'c1 61 61', 1, 'something else than the contents of tag 1'],
    ['a date in 8 bytes', 'c1 1b 00 00 00 00 00 00 00 01', 1, 'something else than the contents of tag 1'],
    ['a date that is null', 'c1 f6', 1, 'something else than the contents of tag 1'],
    ['a big number of 1025 bytes', `c2 59 04 01 ${'ff'.repeat(1025)}`, 1, 'something else than the contents of tag 2'],
    ['a big number that is a number', 'c3 01', 1, 'something else than the contents of tag 3'],
    ['a typed array of half an element', 'd8 45 43 00 00 00', 2, 'something else than the contents of tag 69'],
    ['64-bit floats of 12 bytes', `d8 56 4c ${'00'.repeat(12)}`, 2, 'something else than the contents of tag 86'],
    ['a typed array that is a list', 'd8 40 81 00', 2, 'something else than the contents of tag 64'],
    ['16-bit floats', 'd8 54 42 00 00', 0, 'tag 84'],
    ['16-bit floats, the other way round', 'd8 50 42 00 00', 0, 'tag 80'],
    ['the reserved typed array', 'd8 4c 41 00', 0, 'tag 76'],
    ['128-bit floats', 'd8 53 40', 0, 'tag 83'],
    ['a set that is a map', 'd9 0102 a0', 3, 'something else than the contents of tag 258'],
    ['a set that is a text', 'd9 0102 60', 3, 'something else than the contents of tag 258'],
    ['a map that is a list', 'd9 0103 80', 3, 'something else than the contents of tag 259'],
    ['an error that is a text', 'd8 1b 60', 2, 'something else than the contents of tag 27'],
    ['an error of one text', 'd8 1b 81 60', 2, 'something else than the contents of tag 27'],
    ['an error of four texts', 'd8 1b 84 60 60 60 60', 2, 'something else than the contents of tag 27'],
    ['an error without a text', 'd8 1b 82 60 00', 4, 'something else than the contents of its tag'],
    ['an error with a tag inside', 'd8 1b 82 60 c1 00', 4, 'a tag in the wrong place'],
    ['an error named constructor', `d8 1b 82 6b ${hexOf('constructor')} 60`, 3, 'a name no error has'],
    ['an error named __proto__', `d8 1b 82 69 ${hexOf('__proto__')} 60`, 3, 'a name no error has'],
    ['an error named RegExp', `d8 1b 82 ${REGEXP} 60`, 3, 'a name no error has'],
    [
      'three texts that are no regular expression',
      'd8 1b 83 61 78 60 60',
      3,
      'something else than a regular expression',
    ],
    ['a source that is none', `d8 1b 83 ${REGEXP} 61 28 60`, 12, 'no regular expression'],
    ['flags that are none', `d8 1b 83 ${REGEXP} 61 61 61 78`, 12, 'no regular expression'],
    ['flag v', `d8 1b 83 ${REGEXP} 61 61 61 76`, 12, `more than ${MAX_ITEMS} items`],
    ['a reference of a map', 'd9 5075 a0', 3, 'something else than the contents of tag 20597'],
    [
      'a reference of nine items',
      'd9 5075 89 00 00 00 00 00 00 00 00 00',
      3,
      'something else than the contents of tag 20597',
    ],
    ['a reference with a list inside', 'd9 5076 82 60 80', 5, 'something else than the contents of its tag'],
    ['a reference with a tag inside', 'd9 5078 82 60 c1 00', 5, 'a tag in the wrong place'],
    ['an attachment that is a text', 'd9 5077 61 30', 3, 'something else than the contents of tag 20599'],
    ['a reference of a later version', 'd9 5079 80', 0, 'tag 20601'],
  ])('%s is stopped', (_what, hex, offset, problem) => expectStopped(hex, offset, problem))

  test('references are reported, plain values are not said to have any', () => {
    expect(scanCbor(bytes('82 01 d9 5075 83 60 60 f6')).hasReferences).toBe(true)
    expect(scanCbor(bytes('d9 5077 00')).hasReferences).toBe(true)
    expect(scanCbor(encodeCbor({ a: [1, new Map([[1, 2]])] })).hasReferences).toBe(false)
  })

  test('a few bytes that would be a billion values are refused at once', () => {
    let nested = '80'
    for (let i = 0; i < 30; i++) nested = `d81c 82 ${nested} d81d 00`
    expect(() => decodeCbor(bytes(nested))).toThrowError(/at byte 0/)
  })
})

describe('how deep, and how much', () => {
  const nested = (depth: number, inside = '00'): string => `${'81'.repeat(depth)}${inside}`

  test('64 levels pass, the 65th does not, whatever they are made of', () => {
    expect(scanCbor(bytes(nested(64))).errorAt).toBe(-1)
    expectStopped(nested(65), 64, 'more than 64 levels')
    expect(scanCbor(bytes(`${'a16161'.repeat(64)}00`)).errorAt).toBe(-1)
    expectStopped(`${'a16161'.repeat(65)}00`, 192, 'more than 64 levels')
    expectStopped(`${'d9010281'.repeat(65)}00`, 259, 'more than 64 levels')
    expectStopped(`${'d90103a100'.repeat(65)}00`, 323, 'more than 64 levels')
  })

  test('what only some tags have does not count as a level', () => {
    for (const inside of ['d950758160', 'd81b826060', 'c100', 'd84042ffff', 'c24101'])
      expect(scanCbor(bytes(nested(64, inside))).errorAt).toBe(-1)
  })

  test('a megabyte of nesting is stopped without a stack', () => {
    expect(scanCbor(new Uint8Array(2 ** 20).fill(0x81)).errorAt).toBe(64)
    expect(scanCbor(new Uint8Array(2 ** 20).fill(0xc1)).errorAt).toBe(1)
  })

  /** As many items as `count` says, of one kind. */
  const list = (count: number, item: string, tag = ''): Uint8Array =>
    bytes(`${tag}9a${count.toString(16).padStart(8, '0')}${item.repeat(count)}`)

  test.each([
    ['numbers', '00', '', 99_999],
    ['texts', '60', '', 99_999],
    ['bytes', '40', '', 24_999],
    ['typed arrays', 'd84040', '', 11_111],
    ['dates', 'c100', '', 49_999],
    ['errors', 'd81b826060', '', 961],
    ['streams', 'd95076820101', '', 24_999],
    ['web streams', 'd95076830101f5', '', 645],
    ['functions', 'd950788160', '', 33_333],
    ['numbers in a set', '00', 'd90102', 1_960],
    ['bigints in a set', '1b0000000000000000', 'd90102', 990],
    ['texts in a set', '60', 'd90102', 99_998],
    ['big numbers', 'c24100', '', 11_111],
    ['the largest big numbers', `c2590400${'ff'.repeat(1024)}`, '', 48],
  ])('so many %s pass, and one more does not', (_what, item, tag, most) => {
    expect(scanCbor(list(most, item, tag)).problem).toBe('')
    expect(scanCbor(list(most + 1, item, tag)).problem).toBe(`more than ${MAX_ITEMS} items`)
  })
})

test('any bytes are a value or a ProtocolError with an offset, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (any) => {
      try {
        decodeCbor(any)
      } catch (error) {
        expect(error).toMatchObject({ name: 'ProtocolError', offset: expect.any(Number) })
      }
    }),
    { numRuns: 5000 },
  )
})

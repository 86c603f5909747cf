/** What happens to a value before it becomes bytes, and that what was written can be read. */
import { describe, expect, test } from 'vitest'
import { decodeCbor, encodeCbor, encodeCborView, lower, lowered, Tag } from '../../src/base/cbor.ts'
import { scanCbor } from '../../src/base/cbor-scan.ts'

const marker = { [lowered]: () => new Tag(['m'], 1000) }

test.each([1, 'a', null, undefined, true, 5n, [], {}, [1, { a: [2] }], new Uint8Array(3), new Date(0)])(
  '%s is lowered to itself, not copied',
  (value) => {
    expect(lower(value)).toBe(value)
  },
)

test('what knows its tagged form is replaced wherever it is, and only the way to it is copied', () => {
  const untouched = { deep: [1] }
  const value = { a: [0, marker], b: untouched, c: new Map([['k', marker]]), d: new Set([marker]) }
  const result = lower(value) as { a: unknown[]; b: object; c: Map<string, unknown>; d: Set<unknown> }
  expect(result.a[1]).toBeInstanceOf(Tag)
  expect(result.b).toBe(untouched)
  expect(result.c.get('k')).toBeInstanceOf(Tag)
  expect([...result.d][0]).toBeInstanceOf(Tag)
  expect(value.a[1]).toBe(marker)
})

test('a lowering is asked for functions and for objects that are not plain data, never for plain ones', () => {
  const asked: unknown[] = []
  const lowering = {
    lower: (value: object) => {
      asked.push(value)
      return typeof value === 'function' ? new Tag(0, 1) : undefined
    },
  }
  const fn = (): void => undefined
  class Point {
    x = 1
  }
  const point = new Point()
  expect((lower({ fn, list: [1], plain: { a: 1 }, point }, lowering) as { fn: unknown }).fn).toBeInstanceOf(Tag)
  expect(asked).toEqual([fn, point])
})

test('an instance of a class without a form of its own travels as its fields', () => {
  class Point {
    x = 1
    get y(): number {
      return 2
    }
  }
  expect(decodeCbor(encodeCbor(lower({ p: new Point() })))).toEqual({ p: { x: 1 } })
})

describe('what a reader would refuse is refused where it is sent, with its place', () => {
  const nest = (levels: number): unknown => (levels === 0 ? 1 : [nest(levels - 1)])
  const refusal = (message: string) =>
    expect.objectContaining({ code: 'serialization_error', message: expect.stringContaining(message) })
  const circle: Record<string, unknown> = {}
  circle['self'] = [circle]
  class Odd {
    inside = { f: Symbol('s') }
  }

  test('64 levels are fine, one more is not', () => {
    expect(decodeCbor(encodeCbor(lower(nest(64))))).toEqual(nest(64))
    expect(() => lower(nest(65))).toThrow(refusal('64 levels'))
    expect(() => lower(new Map([['m', nest(64)]]))).toThrow(refusal('64 levels'))
    expect(() => lower({ o: nest(64) })).toThrow(refusal('64 levels'))
    expect(() => lower(new Set([nest(64)]))).toThrow(refusal('64 levels'))
  })

  test('leaves may stand on the last level', () => {
    const value = (leaf: unknown): unknown => Array.from({ length: 64 }).reduce((inner) => [inner], leaf)
    for (const leaf of [
      new Date(5),
      new Uint8Array(2),
      new Float64Array(1),
      5n,
      2n ** 90n,
      null,
      'x',
      new Error('e'),
      /x/g,
    ])
      expect(decodeCbor(encodeCbor(lower(value(leaf))))).toEqual(value(leaf))
  })

  test.each<[string, unknown, string]>([
    ['a cycle', circle, '64 levels'],
    ['a field __proto__', JSON.parse('{"a":{"__proto__":{"x":1}}}'), 'at .a, got an object with a field __proto__'],
    ['an integer of 8193 bits', { big: [2n ** 8192n] }, 'at .big[0]'],
    ['a negative integer of 8193 bits', -(2n ** 8192n) - 1n, 'at the top'],
    ['a symbol inside an instance', [new Odd()], 'at [0].inside.f, got Symbol(s)'],
    ['a function as member of a Set', new Set([() => 1]), 'at <item>'],
    [
      'a regular expression with flag v',
      new RegExp('a', 'v' as 'u'),
      'at the top, got a regular expression with flag v',
    ],
  ])('%s', (_what, value, message) => {
    expect(() => lower(value)).toThrow(refusal(message))
  })

  test.each<[string, unknown]>([
    ['more items than can be', new Array(100_000).fill(0)],
    ['a Set of 2000 numbers', new Set(Array.from({ length: 2_000 }, (_, i) => i))],
    ['a Map with 2000 numbers for keys', new Map(Array.from({ length: 2_000 }, (_, i) => [i, i]))],
    ['a regular expression that is too much work', { r: new RegExp('\\p{L}'.repeat(81), 'u') }],
    ['many that are too much work together', Array.from({ length: 40 }, () => /\p{L}\p{L}/u)],
    ['big integers', Array.from({ length: 60 }, () => 2n ** 8000n)],
    ['a thousand errors', Array.from({ length: 1_000 }, () => new Error('e'))],
    ['keys that become the same', { '\ud800': 1, '\ud801': 2 }],
  ])('%s', (_what, value) => {
    expect(() => encodeCbor(lower(value))).toThrow(refusal('expected a value others can read, got'))
  })

  test('more web streams than others read', () => {
    const lowering = { lower: () => new Tag([1, 1, true], 0x5076) }
    const streams = (count: number): Uint8Array => {
      const value = Array.from({ length: count }, () => new ReadableStream())
      return encodeCbor(lower(value, lowering))
    }
    expect(scanCbor(streams(645)).errorAt).toBe(-1)
    expect(() => streams(646)).toThrow(refusal('expected a value others can read, got'))
  })

  test('what is nearly too much is written, and read', () => {
    const much: unknown[] = [
      new Set(Array.from({ length: 800 }, (_, i) => i % 24 || i)),
      Array.from({ length: 170 }, () => new Error('')),
      Array.from({ length: 30 }, () => /\p{L}\p{L}/u),
      [2n ** 7_000n],
    ]
    for (const value of much) expect(scanCbor(encodeCbor(lower(value))).errorAt).toBe(-1)
  })
})

describe('what would be written in a way nobody reads is written in another', () => {
  class Numbers extends Array<number> {}
  class Names extends Map<string, number> {}
  class Tags extends Set<string> {}
  class Pairs {
    a = 1;
    *[Symbol.iterator](): Generator<number> {
      yield 1
    }
  }

  test.each<[string, unknown, unknown]>([
    ['an array of a class of its own', [Numbers.from([1, 2])], [[1, 2]]],
    ['a Map of a class of its own', new Names([['a', 1]]), new Map([['a', 1]])],
    ['a Set of a class of its own', new Tags(['a']), new Set(['a'])],
    ['an instance that can be iterated', new Pairs(), { a: 1 }],
    ['an object that can be iterated', { a: { b: 1, [Symbol.iterator]: 5 } }, { a: { b: 1 } }],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['a list with holes', Object.assign([1], { 2: 3 }), [1, undefined, 3]],
    ['an object with a field named constructor', { constructor: 'x' }, { constructor: 'x' }],
    ['a Map whose keys have no prototype', new Map([[Object.create(null), 1]]), new Map([[{}, 1]])],
    ['minus zero', [-0], [0]],
  ])('%s', (_what, value, expected) => {
    expect(decodeCbor(encodeCbor(lower(value)))).toStrictEqual(expected)
  })

  test('halves of surrogate pairs become U+FFFD, in short texts and in long ones', () => {
    const odd = ['\ud800', 'a\udc00b', `${'x'.repeat(100)}\ud800`, `é\ud83d`, `${'\udfff'.repeat(60)}`]
    const value = { odd, ['key \udbff']: new Map([['\ud800\ud800', 1]]) }
    const read = decodeCbor(encodeCbor(lower(value))) as typeof value
    const replaced = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, '\ufffd')
    expect(read.odd).toEqual(odd.map(replaced))
    expect(Object.keys(read)).toEqual(['odd', 'key \ufffd'])
    expect(read).toHaveProperty(['key \ufffd'], new Map([['\ufffd\ufffd', 1]]))
  })

  test('a byte 0xed in a byte string is left alone', () => {
    const bytes = Uint8Array.of(0x63, 0xed, 0xa0, 0x80)
    expect(decodeCbor(encodeCbor([bytes, 'ok\ud800']))).toEqual([bytes, 'ok\ufffd'])
  })

  test('an error whose name or message is no text, or means something else, travels as an error', () => {
    const named = (fields: object): Error => Object.assign(new Error('m'), fields)
    for (const error of [named({ name: 'constructor' }), named({ name: 'RegExp' }), named({ name: 7 })])
      expect(decodeCbor(encodeCbor(lower(error)))).toEqual(new Error('m'))
    expect(decodeCbor(encodeCbor(lower(named({ message: { a: 1 } }))))).toEqual(new Error('a Object'))
  })
})

describe('values as they were', () => {
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['not a number', Number.NaN],
    ['minus infinity', -Infinity],
    ['the smallest number', 5e-324],
    ['a number beyond 32 bits', 2 ** 40],
    ['the largest safe integer', Number.MAX_SAFE_INTEGER],
    [
      'bigints of all sizes',
      [0n, -1n, 2n ** 63n, 2n ** 64n, -(2n ** 64n), -(2n ** 64n) - 1n, 2n ** 8192n - 1n, -(2n ** 8192n)],
    ],
    ['dates', [new Date(0), new Date(-1), new Date(1.5e12 + 1), new Date(Number.NaN)]],
    ['sets and maps in each other', new Map<unknown, unknown>([[new Set([1]), new Map([[null, undefined]])]])],
    [
      'typed arrays',
      [new Float32Array([1.5]), new BigInt64Array([-1n]), new Uint8ClampedArray([9]), new Uint16Array()],
    ],
    ['errors and regular expressions', [new Error('e'), /a\/b/giu]],
    ['fields with odd names', JSON.parse('{"":1,"1":2,"then":3,"constructor":4,"toString":5,"hasOwnProperty":6}')],
    ['undefined fields', { a: undefined }],
    ['a text that begins with a mark', '\ufeffa'],
    ['texts of 64 and 65 bytes that begin with a mark', ['\ufeff'.padEnd(62), '\ufeff'.padEnd(63)]],
    ['long texts that begin with marks', { ['\ufeff'.padEnd(300)]: `\ufeff\ufeff${'é'.repeat(5_000)}` }],
  ])('%s', (_what, value) => {
    expect(decodeCbor(encodeCbor(lower(value)))).toStrictEqual(value)
  })

  test('minus zero as others may write it', () => {
    expect(decodeCbor(Uint8Array.of(0xf9, 0x80, 0))).toBe(-0)
    expect(decodeCbor(Uint8Array.of(0xfb, 0x80, 0, 0, 0, 0, 0, 0, 0))).toBe(-0)
  })
})

test('nothing that was read changes with the bytes it was read from, and reading leaves them as they were', () => {
  const value = {
    text: 'x'.repeat(300),
    b: new Uint8Array(5_000).fill(1),
    f: new Float64Array([0.5]),
    e: new Uint8Array(2),
  }
  for (const bytes of [encodeCbor(value), encodeCbor({ ...value, b: 0 })]) {
    const batch = new Uint8Array(bytes.length + 20)
    batch.set(bytes, 7)
    const view = batch.subarray(7, 7 + bytes.length)
    const read = decodeCbor(view) as typeof value
    expect([...view]).toEqual([...bytes])
    expect(Object.keys(view)).toHaveLength(bytes.length)
    const before = structuredClone(read)
    batch.fill(0xff)
    expect(read).toStrictEqual(before)
    for (const part of [read.b, read.f, read.e])
      if (ArrayBuffer.isView(part)) expect(part.buffer).not.toBe(batch.buffer)
  }
})

test('bytes to keep do not change when others are encoded, and are no view of a shared pool', () => {
  const first = encodeCbor('first')
  const copy = [...first]
  for (let i = 0; i < 2000; i++) encodeCborView(`other ${i}`)
  expect([...first]).toEqual(copy)
  expect(first.buffer.byteLength).toBeLessThan(64)
})

test('encoded and decoded bytes are plain Uint8Arrays on every platform', () => {
  const bytes = encodeCbor({ b: new Uint8Array([1, 2]) })
  expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
  const { b } = decodeCbor(bytes) as { b: Uint8Array }
  expect(Object.getPrototypeOf(b)).toBe(Uint8Array.prototype)
  expect(b).toEqual(new Uint8Array([1, 2]))
})

test.each([[''], ['ff'], ['1a00'], ['5b7fffffffffffffff'], ['9b00000001ffffffff']])(
  'the broken bytes "%s" throw instead of giving a value',
  (hex) => {
    expect(() => decodeCbor(new Uint8Array(Buffer.from(hex, 'hex')))).toThrow()
  },
)

test('two values in a row are not one', () => {
  expect(() => decodeCbor(new Uint8Array([1, 2]))).toThrow()
})

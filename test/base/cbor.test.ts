/** What happens to a value before it becomes bytes. */
import { expect, test } from 'vitest'
import { decodeCbor, encodeCbor, encodeCborView, lower, lowered, Tag } from '../../src/base/cbor.ts'

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

test('64 levels are fine, far more are refused with the place, cycles included', () => {
  const nest = (levels: number): unknown => (levels === 0 ? 1 : [nest(levels - 1)])
  expect(lower(nest(60))).toBeDefined()
  expect(() => lower(nest(100))).toThrow(
    expect.objectContaining({ code: 'serialization_error', message: expect.stringContaining('64 levels') }),
  )
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

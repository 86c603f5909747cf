/** Messages: what goes in, what comes out, and what is refused. */
import { encode } from 'cbor-x'
import fc from 'fast-check'
import { Message, NotSerialisableError, StreamMessage } from 'pulsing'
import { expect, test } from 'vitest'
import { toUtf8 } from '../../src/base/bytes.ts'

test('single has the type and the very bytes it was given', () => {
  const payload = new Uint8Array([1, 2, 3])
  const message = Message.single('raw', payload)
  expect([message.msgType, message.isStream]).toEqual(['raw', false])
  expect(message.payload).toBe(payload)
})

test.each([undefined, null, 'text', [1, 2], new ArrayBuffer(2)])('single of %s is refused', (payload) => {
  expect(() => Message.single('raw', payload as unknown as Uint8Array)).toThrow(NotSerialisableError)
})

test('fromJson has UTF-8 JSON as payload', () => {
  const message = Message.fromJson('json', { text: 'a€', list: [1, null] })
  expect(message.payload).toEqual(toUtf8('{"text":"a€","list":[1,null]}'))
  expect(message.toJson()).toEqual({ text: 'a€', list: [1, null] })
  expect(message.toObject()).toEqual({ text: 'a€', list: [1, null] })
})

const cyclic: Record<string, unknown> = {}
cyclic['self'] = cyclic

test.each([undefined, () => undefined, Symbol('x'), 5n, cyclic])('fromJson of %s is refused at once', (value) => {
  expect(() => Message.fromJson('json', value)).toThrow(expect.objectContaining({ code: 'serialization_error' }))
})

test('fromObject keeps the object itself in this process and is CBOR as bytes', () => {
  const value = { text: 'a', bytes: new Uint8Array([1]), list: [1, 2.5, true, null] }
  const message = Message.fromObject('obj', value)
  expect(message.toObject()).toBe(value)
  expect(message.toJson()).toBe(value)
  expect(message.payload).toBe(message.payload)
  expect(Message.single('', message.payload).toObject()).toEqual(value)
})

test('bytes inside a value are CBOR byte strings, neither base64 nor arrays of numbers', () => {
  const bytes = new Uint8Array(1000).fill(7)
  const { payload } = Message.fromObject('', bytes)
  expect(payload.byteLength).toBe(1003)
  expect(Message.single('', payload).toObject()).toEqual(bytes)
})

test('toJson of a payload that is no JSON, and toObject of one that is no CBOR, throw ProtocolError', () => {
  const broken = Message.single('x', new Uint8Array([0xff, 0xfe]))
  expect(() => broken.toJson()).toThrow(expect.objectContaining({ code: 'protocol_error' }))
  expect(() => broken.toObject()).toThrow(expect.objectContaining({ code: 'protocol_error' }))
})

test('a message of bytes made elsewhere can be read as JSON or CBOR', () => {
  expect(Message.single('x', toUtf8('[1]')).toJson()).toEqual([1])
  expect(Message.single('x', encode({ a: [1] })).toObject()).toEqual({ a: [1] })
})

test('empty has no type, no payload and no value', () => {
  const empty = Message.empty()
  expect([empty.msgType, empty.payload.byteLength, empty.isStream, empty.toObject()]).toEqual(['', 0, false, undefined])
})

test('undefined and null are values that survive', () => {
  for (const value of [undefined, null]) {
    const message = Message.fromObject('', value)
    expect(message.toObject()).toBe(value)
    expect(Message.single('', message.payload).toObject()).toBe(value)
  }
})

test('streamReader of a single message throws', () => {
  for (const message of [Message.empty(), Message.fromJson('x', 1), Message.fromObject('', 1)]) {
    expect(() => message.streamReader()).toThrow(
      expect.objectContaining({ name: 'PulsingUnsupportedError', message: expect.stringContaining('payload') }),
    )
  }
})

test('payload, toJson and toObject of a stream message throw and name streamReader()', () => {
  const [message] = StreamMessage.create('s')
  for (const read of [() => message.payload, () => message.toJson(), () => message.toObject()]) {
    expect(read).toThrow(
      expect.objectContaining({ name: 'PulsingUnsupportedError', message: expect.stringContaining('streamReader()') }),
    )
  }
})

test.each([
  ['a function', { a: { b: [() => undefined] } }, '.a.b[0]'],
  ['a symbol', [Symbol('x')], '[0]'],
  ['a promise', { p: Promise.resolve() }, '.p'],
  ['a WeakMap', { w: new WeakMap() }, '.w'],
  ['a function in a Map', { m: new Map([['k', () => undefined]]) }, '.m.get(k)'],
  ['a function at the top', () => undefined, 'the top'],
])('%s cannot be bytes: the error names its place', (_name, value, place) => {
  expect(() => Message.fromObject('', value).payload).toThrow(
    expect.objectContaining({ code: 'serialization_error', message: expect.stringContaining(place) }),
  )
})

test('a cycle cannot be bytes and is refused, not followed for ever', () => {
  const list: unknown[] = []
  list.push(list)
  for (const value of [cyclic, list, new Map([['x', cyclic]])]) {
    expect(() => Message.fromObject('', value).payload).toThrow(
      expect.objectContaining({ code: 'serialization_error' }),
    )
  }
})

const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'binary' }),
    // CBOR's integer zero has no sign.
    fc.double({ noNaN: true }).map((n) => (n === 0 ? 0 : n)),
    fc.integer(),
    fc
      .bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n })
      .filter((n) => n > BigInt(Number.MAX_SAFE_INTEGER) || n < BigInt(Number.MIN_SAFE_INTEGER)),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array(),
    // Far beyond these years seconds as a double no longer tell every millisecond apart.
    fc.date({ noInvalidDate: true, min: new Date('1800-01-01'), max: new Date('2300-01-01') }),
    fc.array(tie('value')),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('value'),
      { noNullPrototype: true },
    ),
    fc.array(fc.tuple(fc.string(), tie('value'))).map((entries) => new Map(entries)),
    fc.uniqueArray(fc.integer()).map((items) => new Set(items)),
  ),
})).value

test('any plain value is the same after bytes', () => {
  fc.assert(
    fc.property(values, (value) => {
      expect(Message.single('', Message.fromObject('', value).payload).toObject()).toEqual(value)
    }),
  )
})

test('any JSON value is the same after bytes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value)
      expect(JSON.stringify(Message.single('', Message.fromJson('', value).payload).toJson())).toBe(text)
    }),
  )
})

test('a key named __proto__ does not travel, and changes nobody’s prototype', () => {
  const value: unknown = JSON.parse('{"__proto__":{"admin":true},"a":1}')
  expect(() => Message.fromObject('', value).payload).toThrow(NotSerialisableError)
  expect(({} as { admin?: boolean }).admin).toBe(undefined)
})

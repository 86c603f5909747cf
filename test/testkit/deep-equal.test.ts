/** What counts as the same value, and how values read in a failure. */
import { createActorSystem, Message, StreamMessage } from 'pulsing'
import { expect, onTestFinished, test } from 'vitest'
import { deepEqual } from '../../src/testkit/deep-equal.ts'
import { MAX_TEXT_CHARACTERS, messageText, valueText } from '../../src/testkit/value-text.ts'

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

function cycle(length: number): object {
  const first: { next?: object } = {}
  let last = first
  for (let i = 1; i < length; i++) last = last.next = {}
  last.next = first
  return first
}

const bytes = (...items: number[]): Uint8Array => new Uint8Array(items)

test.each<readonly [string, unknown, unknown]>([
  ['numbers', 1, 1],
  ['NaN', Number.NaN, Number.NaN],
  ['0 and -0, which no other node can tell apart', 0, -0],
  ['bigints', 10n, 10n],
  ['nested data', { a: [1, { b: null }], c: undefined }, { c: undefined, a: [1, { b: null }] }],
  ['an instance and what is left of it behind a link', new Point(1, 2), { x: 1, y: 2 }],
  ['dates', new Date(5), new Date(5)],
  ['invalid dates', new Date(Number.NaN), new Date(Number.NaN)],
  ['patterns', /a+/gi, /a+/gi],
  [
    'maps in another order',
    new Map([
      [{ k: 1 }, 'a'],
      [{ k: 2 }, 'b'],
    ]),
    new Map([
      [{ k: 2 }, 'b'],
      [{ k: 1 }, 'a'],
    ]),
  ],
  ['sets in another order', new Set([[1], [2]]), new Set([[2], [1]])],
  ['bytes', bytes(1, 2), bytes(1, 2)],
  ['bytes that are part of a larger buffer', bytes(0, 1, 2).subarray(1), bytes(1, 2)],
  ['buffers', bytes(1, 2).buffer, bytes(1, 2).buffer],
  ['views', new DataView(bytes(1).buffer), new DataView(bytes(1).buffer)],
  ['errors', new RangeError('no', { cause: { a: 1 } }), new RangeError('no', { cause: { a: 1 } })],
  ['cycles', cycle(2), cycle(2)],
  ['cycles of different length, in which all that can be seen is the same', cycle(2), cycle(3)],
  ['messages made in different ways', Message.fromJson('a', { b: 1 }), Message.fromObject('a', { b: 1 })],
  ['what a matcher accepts', { id: 7, tags: ['a'] }, { id: expect.any(Number), tags: expect.arrayContaining(['a']) }],
])('the same: %s', (_what, actual, expected) => {
  expect(deepEqual(actual, expected)).toBe(true)
})

test.each<readonly [string, unknown, unknown]>([
  ['numbers', 1, 2],
  ['a number and its text', 1, '1'],
  ['nothing and null', undefined, null],
  ['an object and null', {}, null],
  ['a property that is not there and one that is undefined', {}, { a: undefined }],
  ['a property of another name', { a: undefined }, { b: undefined }],
  ['a property more', { a: 1, b: 2 }, { a: 1 }],
  ['an object and a list', { 0: 'a' }, ['a']],
  ['lists of different length', [1], [1, undefined]],
  ['dates', new Date(5), new Date(6)],
  ['a date and an object', new Date(5), {}],
  ['patterns', /a/g, /a/i],
  ['maps', new Map([['a', 1]]), new Map([['a', 2]])],
  ['sets of the same size', new Set([1, 1.5]), new Set([1, 2])],
  ['a set whose items could share a partner', new Set([[1], [1]]), new Set([[1], [2]])],
  ['a map and a set', new Map(), new Set()],
  ['bytes', bytes(1, 2), bytes(1, 3)],
  ['numbers of different width', bytes(1), new Uint16Array([1])],
  ['buffers', bytes(1).buffer, bytes(2).buffer],
  ['errors of different classes', new RangeError('no'), new TypeError('no')],
  ['messages of errors', new Error('yes'), new Error('no')],
  ['causes of errors', new Error('no', { cause: 1 }), new Error('no', { cause: 2 })],
  ['cycles', cycle(2), { next: { next: undefined } }],
  ['messages of different types', Message.fromObject('a', 1), Message.fromObject('b', 1)],
  ['values of messages', Message.fromObject('a', 1), Message.fromObject('a', 2)],
  ['a message and its value', Message.fromObject('', 1), 1],
  ['a stream and no stream', StreamMessage.create('a')[0], Message.single('a', bytes())],
  ['what a matcher refuses', { id: '7' }, { id: expect.any(Number) }],
])('not the same: %s', (_what, actual, expected) => {
  expect(deepEqual(actual, expected)).toBe(false)
  expect(deepEqual([{ in: actual }], [{ in: expected }])).toBe(false)
})

test('refs are the same when they lead to the same actor', async () => {
  const system = await createActorSystem()
  onTestFinished(() => system.shutdown())
  const one = await system.spawn({ receive: () => undefined }, 'one')
  const other = await system.spawn({ receive: () => undefined })
  expect(deepEqual({ to: one }, { to: await system.find('one') })).toBe(true)
  expect(deepEqual({ to: one }, { to: other })).toBe(false)
  expect(deepEqual(one, { id: one.id, nodeId: one.nodeId })).toBe(false)
  expect(valueText({ to: one, cc: [other] })).toBe(`{ to: [actor one], cc: [[actor ${other.id}]] }`)
})

test.each<readonly [unknown, string]>([
  ['a "text"', '"a \\"text\\""'],
  [undefined, 'undefined'],
  [null, 'null'],
  [-0, '0'],
  [12n, '12n'],
  [Symbol('s'), 'Symbol(s)'],
  [() => undefined, 'a function'],
  [{ a: 1, 'b c': [true, null], d: {} }, '{ a: 1, "b c": [true, null], d: {} }'],
  [new Point(1, 2), 'Point { x: 1, y: 2 }'],
  [new Map<unknown, unknown>([['a', { b: 1 }]]), 'Map {"a" => { b: 1 }}'],
  [new Set(['a']), 'Set {"a"}'],
  [new Date(0), 'Date 1970-01-01T00:00:00.000Z'],
  [new Date(Number.NaN), 'Date invalid'],
  [/a/g, '/a/g'],
  [new RangeError('no'), 'RangeError: no'],
  [bytes(1, 2), 'Uint8Array [1, 2]'],
  [bytes(1).buffer, 'ArrayBuffer [1]'],
  [cycle(2), '{ next: { next: [cycle] } }'],
  [[[[[[[['deep']]]]]]], '[[[[[[…]]]]]]'],
  [{ id: expect.any(Number) }, '{ id: Any<Number> }'],
])('%s reads as %s', (value, text) => {
  expect(valueText(value)).toBe(text)
})

test('a long value is cut, and one that refuses to be looked at is still named', () => {
  const long = valueText(bytes(...Array.from({ length: 1_000 }, (_, i) => i % 256)))
  expect(long).toHaveLength(MAX_TEXT_CHARACTERS)
  expect(long).toMatch(/^Uint8Array \[0, 1, 2, .*…$/)
  const shy = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error('no')
      },
    },
  )
  expect(valueText(shy)).toBe('a Object')
})

test.each<readonly [Message, string]>([
  [Message.empty(), 'an empty message'],
  [Message.fromObject('', { a: 1 }), '{ a: 1 }'],
  [Message.fromObject('job', { a: 1 }), 'a message of type "job" with { a: 1 }'],
  [Message.single('blob', bytes(7)), 'a message of type "blob" with Uint8Array [7]'],
  [Message.fromObject('ping', undefined), 'a message of type "ping"'],
  [StreamMessage.create('feed')[0], 'a stream message of type "feed"'],
])('a message reads as what it holds: %#', (message, text) => {
  expect(messageText(message)).toBe(text)
})

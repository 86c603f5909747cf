import fc from 'fast-check'
import { ProtocolError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { encodeCbor } from '../../src/base/cbor.ts'
import { newId } from '../../src/base/ids.ts'
import {
  decodeUpdates,
  encodeUpdate,
  encodeUpdates,
  MAX_NAMES,
  packUpdates,
  type Update,
} from '../../src/cluster/update.ts'

const id = fc.constant(null).map(() => newId())
const version = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const text = fc.string({ unit: 'binary', maxLength: 60 })
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })

const update: fc.Arbitrary<Update> = fc.oneof(
  fc.record({
    op: fc.constant('node' as const),
    nodeId: id,
    version,
    kind: fc.constantFrom('relay' as const, 'leaf' as const),
    addr: fc.option(text, { nil: undefined }),
    features: fc.array(text, { maxLength: 4 }),
    classes: fc.array(text, { maxLength: 4 }),
    links: fc.array(id, { maxLength: 4 }),
    names: fc.array(fc.tuple(name, id), { maxLength: 4 }),
    isHidden: fc.boolean(),
    suspended: fc.array(id, { maxLength: 4 }),
  }),
  fc.record({
    op: fc.constant('link' as const),
    nodeId: id,
    version,
    other: id,
    isUp: fc.boolean(),
    isSuspended: fc.boolean(),
  }),
  fc.record({
    op: fc.constant('name' as const),
    nodeId: id,
    version,
    name,
    actorId: fc.option(id, { nil: undefined }),
  }),
  fc.record({ op: fc.constant('state' as const), nodeId: id, version, isHidden: fc.boolean() }),
  fc.record({ op: fc.constant('want' as const), nodeId: id }),
  fc.constant({ op: 'synced' as const }),
)

const A = newId()
const decode = (value: unknown): unknown => decodeUpdates(encodeCbor(value))

describe('cluster updates', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(update, { maxLength: 20 }), (updates) => {
        expect(decodeUpdates(encodeUpdates(updates))).toEqual(updates)
      }),
    )
  })

  test.each<[string, unknown]>([
    ['no list', 'x'],
    ['a map', { op: 'synced' }],
    ['more than 1024 updates', Array.from({ length: 1025 }, () => ['synced'])],
    ['an entry that is no list', [7]],
    ['an unknown word', [['boss', A, 1]]],
    ['no word', [[]]],
    ['a node id that is none', [['want', 'short']]],
    ['no version', [['link', A]]],
    ['version 0', [['link', A, 0, A, true]]],
    ['a negative version', [['link', A, -1, A, true]]],
    ['a version with a fraction', [['link', A, 1.5, A, true]]],
    ['a version beyond 2^53', [['link', A, 2 ** 60, A, true]]],
    ['a link to nobody', [['link', A, 1, '', true]]],
    ['a link neither up nor down', [['link', A, 1, A, 'up']]],
    ['an empty name', [['name', A, 1, '', A]]],
    ['a name too long', [['name', A, 1, 'x'.repeat(201), A]]],
    ['a name of an actor that is none', [['name', A, 1, 'x', 'short']]],
    ['a kind that is none', [['node', A, 1, 'boss', null, [], [], [], []]]],
    ['an address that is none', [['node', A, 1, 'leaf', 7, [], [], [], []]]],
    ['an address too long', [['node', A, 1, 'leaf', 'x'.repeat(257), [], [], [], []]]],
    ['lists that are none', [['node', A, 1, 'leaf', null, 'f', [], [], []]]],
    ['a class too long', [['node', A, 1, 'leaf', null, [], ['x'.repeat(257)], [], []]]],
    ['links that are no ids', [['node', A, 1, 'leaf', null, [], [], ['x'], []]]],
    ['names that are no pairs', [['node', A, 1, 'leaf', null, [], [], [], [['x']]]]],
    ['too few fields', [['node', A, 1, 'leaf']]],
  ])('%s is a ProtocolError that says what was expected and got', (_what, value) => {
    expect(() => decode(value)).toThrow(ProtocolError)
    expect(() => decode(value)).toThrow(/^expected .* got /)
  })

  test('bytes that are no value are refused with their place', () => {
    const bytes = Uint8Array.from([...encodeUpdates([{ op: 'synced' }]).subarray(0, 3), 0xff])
    expect(() => decodeUpdates(bytes)).toThrow(expect.objectContaining({ name: 'ProtocolError', offset: 2 }))
  })

  test('fields of a later version are ignored', () => {
    expect(
      decode([
        ['want', A, 'later', 7],
        ['synced', 1],
      ]),
    ).toEqual([{ op: 'want', nodeId: A }, { op: 'synced' }])
  })

  test('random bytes are updates or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          decodeUpdates(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test('real updates with bytes changed are updates or a ProtocolError', () => {
    fc.assert(
      fc.property(
        fc.array(update, { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 5 }),
        (updates, changes) => {
          const bytes = encodeUpdates(updates)
          for (const [at, byte] of changes) bytes[at % bytes.byteLength] = byte
          try {
            decodeUpdates(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError)
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('many updates are packed', () => {
  const record = (names: number): Update => ({
    ...{ op: 'node', nodeId: newId(), version: names + 1, kind: 'leaf', addr: undefined, features: [], classes: [] },
    ...{
      links: [],
      names: Array.from({ length: names }, (_, i) => [`n${i}`, newId()]),
      isHidden: false,
      suspended: [],
    },
  })
  const packed = (...updates: Update[]): Update[][] => packUpdates(updates.map(encodeUpdate)).map(decodeUpdates)

  test('so that every frame is taken, in their order, with nothing missing', () => {
    const updates = Array.from({ length: 200 }, (_, i) => record(i % 3 === 0 ? 900 : i % 7))
    const frames = packed(...updates)
    expect(frames.flat()).toEqual(updates)
    expect(Math.max(...frames.map(({ length }) => length))).toBeLessThanOrEqual(64)
    for (const one of packUpdates(updates.map(encodeUpdate))) expect(one.byteLength).toBeLessThan(65 * 1024)
  })

  test('by 64, and the largest record alone', () => {
    const small = Array.from({ length: 130 }, () => record(0))
    expect(packed(...small).map(({ length }) => length)).toEqual([64, 64, 2])
    expect(packed(record(0), record(MAX_NAMES), record(0)).map(({ length }) => length)).toEqual([1, 1, 1])
    expect(packed()).toEqual([])
  })
})

import { Encoder } from 'cbor-x'
import fc from 'fast-check'
import { ProtocolError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { anyFrame, asArray, frameOf, KINDS } from './frame-arbitrary.ts'

const cbor = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false } as object)
const encode = (value: unknown): Uint8Array => new Uint8Array(cbor.encode(value))

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** Reads a whole batch: the kinds of its frames, or the error. Anything but a ProtocolError is thrown. */
function outcome(batch: Uint8Array): readonly number[] | ProtocolError {
  const reader = new FrameReader()
  const frame = new Frame()
  const kinds: number[] = []
  reader.open(batch)
  try {
    while (reader.next(frame)) kinds.push(frame.kind)
    return kinds
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
}

function expectRefused(batch: Uint8Array): ProtocolError {
  const error = outcome(batch)
  if (!(error instanceof ProtocolError)) throw new TypeError(`expected a ProtocolError, got frames ${error}`)
  expect(error.message).toMatch(/^expected .* got /)
  expect(error.offset).toBeGreaterThanOrEqual(0)
  expect(error.offset).toBeLessThanOrEqual(batch.byteLength)
  return error
}

describe('bytes that are no frame', () => {
  test.each(KINDS)('a frame of kind %i cut off at any byte is refused with the offset', (kind) => {
    const [frame] = fc.sample(frameOf(kind), { numRuns: 1, seed: kind })
    const writer = new FrameWriter()
    writer.write(frame!)
    const batch = writer.take().subarray(0, 2_000)
    const whole = outcome(batch) instanceof ProtocolError ? batch.byteLength : batch.byteLength - 1
    for (let length = 1; length <= whole; length++) expectRefused(batch.subarray(0, length))
  })

  test('20 000 random batches give frames or a ProtocolError with an offset, and nothing else', () => {
    const seed = Date.now() % 1_000_000
    let state = seed
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    let refused = 0
    for (let i = 0; i < 20_000; i++) {
      const batch = Uint8Array.from({ length: 1 + random(120) }, () => random(256))
      // Most begin like a frame, so that the fields behind are reached too.
      if (i % 4 !== 0) batch.set([0x80 | (1 + random(20)), KINDS[random(KINDS.length)]!].slice(0, batch.length))
      const error = outcome(batch)
      if (!(error instanceof ProtocolError)) continue
      refused++
      const { offset = -1, message } = error
      if (offset < 0 || offset > batch.length || !/^expected .* got /.test(message))
        throw new RangeError(`seed ${seed}, batch ${i}: ${message} at ${offset}`)
    }
    expect(refused).toBeGreaterThan(10_000)
  })

  test('real frames with random bytes changed give frames or a ProtocolError, and nothing else', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) })
    fc.assert(
      fc.property(
        fc.array(anyFrame, { minLength: 1, maxLength: 4 }),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        (frames, changes) => {
          const writer = new FrameWriter()
          for (const frame of frames) writer.write(frame)
          const batch = writer.take()
          for (const { at, byte } of changes) batch[at % batch.byteLength] = byte
          if (outcome(batch) instanceof ProtocolError) expectRefused(batch)
        },
      ),
      { numRuns: 3_000 },
    )
  })

  test('lengths beyond the batch are refused before anything is allocated', () => {
    for (const length of [
      [0x5a, 0xff, 0xff, 0xff, 0xff],
      [0x5b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ]) {
      const error = expectRefused(Uint8Array.of(0x82, FRAME.cluster, ...length, 1, 2, 3))
      expect(error.message).toContain('the end of the batch')
    }
  })

  test.each([
    ['a number beyond 2^53', [0x82, FRAME.ping, 0x1b, 0x00, 0x20, 0, 0, 0, 0, 0, 0]],
    ['a negative number', [0x82, FRAME.ping, 0x20]],
    ['a float', [0x82, FRAME.ping, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['an array of unknown length', [0x9f, FRAME.ping, 0, 0xff]],
    ['a text of unknown length', [0x83, FRAME.goaway, 0, 0x7f, 0x61, 0x61, 0xff]],
    ['an empty array', [0x80]],
    ['a map', [0xa1, 1, 2]],
    ['text instead of a kind', [0x82, 0x61, 0x61, 0]],
    ['a tag', [0xc1, 0x82, FRAME.ping, 0]],
    ['too few fields', [0x82, FRAME.goaway, 0]],
    ['33 items', [0x98, 33, FRAME.ping, ...new Array<number>(32).fill(0)]],
    ['bytes that are not UTF-8, short', [0x83, FRAME.goaway, 0, 0x62, 0xc3, 0x28]],
    ['bytes that are not UTF-8, long', [0x83, FRAME.goaway, 0, 0x78, 70, ...new Array<number>(70).fill(0xff)]],
    ['a surrogate half as UTF-8', [0x83, FRAME.goaway, 0, 0x63, 0xed, 0xa0, 0x80]],
    ['more than 23 hops', [0x86, 0x18, FRAME.reset, 0x18, 24, 0x60, 0x60, 1, 1]],
  ])('%s is refused', (_what, batch) => {
    expectRefused(Uint8Array.from(batch))
  })

  test('a text of 4096 bytes is fine, a longer one is refused, whatever it is good for', () => {
    const goaway = (length: number): Uint8Array => encode([FRAME.goaway, 0, 'x'.repeat(length)])
    expect(outcome(goaway(4096))).toEqual([FRAME.goaway])
    expect(expectRefused(goaway(4097)).message).toMatch(/at most 4096 bytes of reason at byte 6, got 4097/)
    // Of a field nobody knows nothing is read.
    expect(outcome(encode([FRAME.ping, 0, 'x'.repeat(5000)]))).toEqual([FRAME.ping])
  })

  test('the error tells what was expected, what was got, and where', () => {
    expect(expectRefused(join(encode([FRAME.ping, 1]), Uint8Array.of(0x41))).offset).toBe(3)
  })

  test('what stands before the garbage is still read', () => {
    const reader = new FrameReader()
    const frame = new Frame()
    reader.open(join(encode([FRAME.ping, 7]), Uint8Array.of(0xff)))
    expect(reader.next(frame)).toBe(true)
    expect(frame.id).toBe(7)
    expect(() => reader.next(frame)).toThrow(ProtocolError)
  })
})

describe('what a later version may send', () => {
  test.each([0, 2, 24, 100, 65_536])('a frame of unknown even kind %i is passed over', (kind) => {
    const unknown = encode([kind, 1, 'text', new Uint8Array(5), 2n ** 40n])
    expect(outcome(join(encode([FRAME.ping, 1]), unknown, encode([FRAME.pong, 2])))).toEqual([FRAME.ping, FRAME.pong])
  })

  test('a batch of nothing but unknown even frames holds no frames, however many they are', () => {
    const batch = new Uint8Array(400_000)
    for (let i = 0; i < batch.length; i += 2) batch.set([0x81, 0x02], i)
    expect(outcome(batch)).toEqual([])
  })

  test.each([13, 15, 101, 255, 65_537])('a frame of unknown odd kind %i is refused by name', (kind) => {
    expect(expectRefused(encode([kind, 1])).message).toContain(`${kind}`)
  })

  test('fields after those of this version are passed over', () => {
    fc.assert(
      fc.property(
        anyFrame,
        fc.array(fc.oneof(fc.nat(), fc.string(), fc.uint8Array()), { maxLength: 10 }),
        (frame, extra) => {
          const integers = asArray(frame).map((field) =>
            typeof field === 'number' && field >= 2 ** 32 ? BigInt(field) : field,
          )
          const later = join(encode([...integers, ...extra]), encode([FRAME.pong, 1]))
          expect(outcome(later)).toEqual([frame.kind, FRAME.pong])
        },
      ),
      { numRuns: 200 },
    )
  })
})

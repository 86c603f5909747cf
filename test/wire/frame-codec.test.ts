import { Encoder } from 'cbor-x'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FRAME, Frame, LAYOUTS } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { BATCH_BYTES, FrameWriter } from '../../src/wire/frame-writer.ts'
import { anyFrame, asArray, frameOf, KINDS } from './frame-arbitrary.ts'

const cbor = new Encoder({
  useRecords: false,
  variableMapSize: true,
  tagUint8Array: false,
  int64AsNumber: true,
} as object)

function write(...frames: readonly Frame[]): Uint8Array {
  const writer = new FrameWriter()
  for (const frame of frames) writer.write(frame)
  return writer.take()
}

/** Frames of a batch as arrays; every one is copied before the next is read. */
function read(batch: Uint8Array, reader = new FrameReader()): unknown[][] {
  const frames: unknown[][] = []
  const frame = new Frame()
  reader.open(batch)
  while (reader.next(frame)) frames.push(asArray(frame.clone()))
  return frames
}

/** Numbers beyond 2^32 as numbers: how a 64-bit integer is read is the library's choice, not the wire's. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint8Array) return new Uint8Array(value)
  return Array.isArray(value) ? value.map(plain) : value
}

describe('frames and their bytes', () => {
  test.each(Object.entries(FRAME))('%s frames come back with every field as it was', (_name, kind) => {
    fc.assert(
      fc.property(frameOf(kind), (frame) => {
        expect(read(write(frame))).toEqual([asArray(frame)])
      }),
      { numRuns: 60 },
    )
  })

  test('frames are plain CBOR arrays, which any CBOR library reads', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(plain(cbor.decode(Buffer.from(write(frame))))).toEqual(asArray(frame))
      }),
      { numRuns: 300 },
    )
  })

  test('frames written by any CBOR library are read alike', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        // Without BigInt, the library would write numbers beyond 2^32 as floats.
        const integers = asArray(frame).map((field) =>
          typeof field === 'number' && field >= 2 ** 32 ? BigInt(field) : field,
        )
        expect(read(new Uint8Array(cbor.encode(integers)))).toEqual([asArray(frame)])
      }),
      { numRuns: 300 },
    )
  })

  test('a batch of many frames comes back in order, whatever its size', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 60 }), (frames) => {
        expect(read(write(...frames))).toEqual(frames.map(asArray))
      }),
      { numRuns: 60 },
    )
  })

  test.each([255, 256, 65_535, 65_536, 1_000_000])('a payload of %i bytes comes back as it was', (length) => {
    const payload = new Uint8Array(length).map((_, i) => i)
    const ask = Object.assign(new Frame(), { kind: FRAME.ask, payload, type: 'big' })
    const [got] = read(write(ask))
    expect(Buffer.compare(got!.at(-1) as Uint8Array, payload)).toBe(0)
  })

  test('an empty batch holds no frames', () => {
    expect(read(new Uint8Array(0))).toEqual([])
  })

  test('a writer starts a new batch after each take, and a batch once taken never changes', () => {
    const writer = new FrameWriter()
    const batches: Uint8Array[] = []
    const copies: Uint8Array[] = []
    const frame = new Frame()
    frame.kind = FRAME.ping
    for (const size of [1, 100, BATCH_BYTES, 3, 2 * BATCH_BYTES, 1]) {
      frame.id = size
      for (let length = 0; length < size; length = writer.length) writer.write(frame)
      const batch = writer.take()
      expect(writer.length).toBe(0)
      batches.push(batch)
      copies.push(batch.slice())
    }
    expect(batches).toEqual(copies)
    for (const batch of batches) expect(read(batch).length).toBeGreaterThan(0)
  })

  test('one reader reads batch after batch; a text met before is the same text', () => {
    const reader = new FrameReader()
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 10 }), (frames) => {
        expect(read(write(...frames), reader)).toEqual(frames.map(asArray))
      }),
      { numRuns: 100 },
    )
  })

  test('a payload is a view of the batch, and a clone of the frame owns a copy', () => {
    const frame = Object.assign(new Frame(), { kind: FRAME.cluster, payload: Uint8Array.of(1, 2, 3) })
    const batch = write(frame)
    const reader = new FrameReader()
    const got = new Frame()
    reader.open(batch)
    reader.next(got)
    expect(got.payload.buffer).toBe(batch.buffer)
    const copy = got.clone()
    batch.fill(0)
    expect(copy.payload).toEqual(Uint8Array.of(1, 2, 3))
  })

  test('kinds between neighbours are below 16, kinds between nodes carry the same head', () => {
    for (const kind of KINDS) {
      const head = LAYOUTS[kind]!.slice(0, 5)
      if (kind < 16) expect(head).not.toContain('hops')
      else expect(head).toEqual(['hops', 'to', 'from', 'session', 'seq'])
    }
  })
})

describe('forwarding a frame by its head', () => {
  const routed = fc
    .constantFrom(...KINDS.filter((kind) => kind >= 16))
    .chain(frameOf)
    .filter(({ hops }) => hops > 0)

  test('a forwarded frame is the same frame with one hop less', () => {
    fc.assert(
      fc.property(fc.array(routed, { minLength: 1, maxLength: 8 }), (frames) => {
        const reader = new FrameReader()
        const writer = new FrameWriter()
        const frame = new Frame()
        reader.open(write(...frames))
        while (reader.next(frame)) writer.forward(reader.raw, reader.hopsAt)
        expect(read(writer.take())).toEqual(
          frames.map((sent) => asArray(Object.assign(sent.clone(), { hops: sent.hops - 1 }))),
        )
      }),
      { numRuns: 100 },
    )
  })

  test('fields of a later version are forwarded too', () => {
    const frame = Object.assign(new Frame(), {
      kind: FRAME.stop,
      hops: 3,
      to: 'b',
      from: 'a',
      session: 1,
      seq: 2,
      id: 5,
    })
    const later = new Uint8Array(cbor.encode([...asArray(frame), 'new', 7]))
    const reader = new FrameReader()
    reader.open(later)
    const got = new Frame()
    expect(reader.next(got)).toBe(true)
    const writer = new FrameWriter()
    writer.forward(reader.raw, reader.hopsAt)
    expect(plain(cbor.decode(Buffer.from(writer.take())))).toEqual([FRAME.stop, 2, 'b', 'a', 1, 2, 5, 'new', 7])
  })

  test.each([
    ['one byte', [0x18, 5]],
    ['two bytes', [0x19, 0, 5]],
    ['eight bytes', [0x1b, 0, 0, 0, 0, 0, 0, 0, 5]],
  ])(
    'a hop count written longer than needed, in %s, is refused: lowering it in place would break the frame',
    (_what, hops) => {
      const reader = new FrameReader()
      const canonical = write(
        Object.assign(new Frame(), { kind: FRAME.stop, hops: 5, to: 'b', from: 'a', session: 1, seq: 2, id: 3 }),
      )
      reader.open(canonical)
      reader.next(new Frame())
      const { hopsAt } = reader
      const batch = Uint8Array.from([...canonical.subarray(0, hopsAt), ...hops, ...canonical.subarray(hopsAt + 1)])
      expect(() => read(batch)).toThrow(/hop/)
    },
  )
})

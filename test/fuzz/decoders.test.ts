/** Whatever bytes come: each decoder of the protocol gives what it is for, or a ProtocolError, and leaves nothing behind. */
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { encodeCbor, lower } from '../../src/base/cbor.ts'
import { ProtocolError, PulsingBusinessError, PulsingError, StreamError } from '../../src/base/errors.ts'
import { newId } from '../../src/base/ids.ts'
import { decodeUpdates, encodeUpdates } from '../../src/cluster/update.ts'
import { decodeHello, encodeHello } from '../../src/link/hello.ts'
import { decodeError, encodeError } from '../../src/wire/error-codec.ts'
import { Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { anyFrame } from '../wire/frame-arbitrary.ts'
import { fuzz, hexOf, numericSeed } from './fuzz.ts'
import { likelyBytes, mutate } from './mutations.ts'
import { type PlainBatch, plainFrame, readBatch } from './reference-frames.ts'
import { anyValue } from './values.ts'

afterAll(() => {
  expect(Object.keys(Object.prototype)).toEqual([])
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

/** The result, or undefined for a ProtocolError; anything else is thrown. */
function total<T>(read: () => T, bytes: Uint8Array): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw new Error(`${hexOf(bytes)}: ${String(error)}`, { cause: error })
    expect(error.message).toMatch(/^expected .*, got /s)
    if (error.cause instanceof ProtocolError) expect(error.offset).toBe(error.cause.offset)
    return undefined
  }
}

function readFrames(batch: Uint8Array): PlainBatch {
  const reader = new FrameReader()
  const frame = new Frame()
  const frames: ReturnType<typeof plainFrame>[] = []
  reader.open(batch)
  try {
    while (reader.next(frame)) frames.push(plainFrame(frame))
    return { frames, isBroken: false }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const { offset = -1, message } = error
    if (offset < 0 || offset > batch.length || !/^expected .* got /.test(message))
      throw new RangeError(`${message}, ${offset}`)
    return { frames, isBroken: true }
  }
}

const values = (count: number): Uint8Array[] =>
  fc.sample(anyValue, { numRuns: count, seed: numericSeed }).map((value) => encodeCbor(lower(value)))

test('batches', { timeout: 60_000 }, () => {
  const payloads = values(100)
  const batches = fc
    .sample(fc.array(anyFrame, { minLength: 1, maxLength: 4 }), { numRuns: 300, seed: numericSeed })
    .map((frames, i) => {
      const writer = new FrameWriter()
      for (const frame of frames) {
        frame.payload = payloads[i % payloads.length]!
        writer.write(frame)
      }
      return writer.take()
    })
  let taken = 0
  const ran = fuzz('batches', 20_000, (random) => {
    const batch = random.int(8) === 0 ? likelyBytes(random) : mutate(random, random.pick(batches), batches)
    const got = readFrames(batch)
    if (JSON.stringify(got) !== JSON.stringify(readBatch(batch)))
      throw new RangeError(`${hexOf(batch)} is read in another way`)
    taken += got.frames.length
  })
  if (ran > 1000) expect(taken).toBeGreaterThan(ran / 4)
})

test('error records', { timeout: 60_000 }, () => {
  const records = fc
    .sample(anyValue, { numRuns: 100, seed: numericSeed })
    .map((details) =>
      encodeError(
        new PulsingBusinessError('m', { details, cause: new StreamError('c', { cause: new RangeError('r') }) }),
      ),
    )
  const pool = [...records, ...values(50)]
  fuzz('error records', 6_000, (random) => {
    const bytes = random.int(8) === 0 ? likelyBytes(random) : mutate(random, random.pick(pool), pool)
    const error = decodeError(bytes, 'actor://node')
    if (!(error instanceof PulsingError) || typeof error.message !== 'string' || Object.getPrototypeOf(error) === null)
      throw new RangeError(`${hexOf(bytes)} is no error`)
    // It can be sent on.
    expect(decodeError(encodeError(error), '').name).toBe(error.name)
  })
})

test('hellos', { timeout: 60_000 }, () => {
  const hellos = Array.from({ length: 40 }, (_, i) =>
    encodeHello({
      nodeId: newId(),
      kind: i % 2 ? 'leaf' : 'relay',
      versions: [1, 1 + (i % 3)],
      features: ['webrtc', 'f'.repeat(i % 33)].slice(i % 3),
      token: i % 4 ? undefined : 'secret',
      serial: i ** 6,
    }),
  )
  const pool = [...hellos, ...values(20)]
  let taken = 0
  const ran = fuzz('hellos', 6_000, (random) => {
    const bytes = mutate(random, random.pick(hellos), pool)
    const hello = total(() => decodeHello(bytes), bytes)
    if (!hello) return
    taken++
    expect(decodeHello(encodeHello(hello))).toEqual(hello)
  })
  if (ran > 1000) expect(taken).toBeGreaterThan(ran / 200)
})

test('cluster updates', { timeout: 60_000 }, () => {
  const [a, b, c] = [newId(), newId(), newId()]
  const updates = [
    encodeUpdates([{ op: 'synced' }]),
    encodeUpdates([
      { op: 'want', nodeId: a },
      { op: 'gone', nodeId: b },
    ]),
    encodeUpdates([
      {
        op: 'node',
        nodeId: a,
        version: 3,
        kind: 'relay',
        addr: 'ws://host:1',
        features: ['webrtc'],
        classes: ['C'],
        links: [b, c],
        names: [
          ['name', c],
          ['other', b],
        ],
        isHidden: true,
      },
      { op: 'link', nodeId: b, version: 2 ** 40, other: a, isUp: true },
      { op: 'name', nodeId: b, version: 2, name: 'x', actorId: undefined },
    ]),
  ]
  const pool = [...updates, ...values(20)]
  let taken = 0
  const ran = fuzz('cluster updates', 6_000, (random) => {
    const bytes = mutate(random, random.pick(updates), pool)
    const read = total(() => decodeUpdates(bytes), bytes)
    if (!read) return
    taken++
    expect(decodeUpdates(encodeUpdates(read))).toEqual(read)
  })
  if (ran > 1000) expect(taken).toBeGreaterThan(ran / 200)
})

/** The frames of a turn in one batch: in order whatever they come as, and without a copy where they may be shared. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { joinBytes } from '../../src/base/bytes.ts'
import type { Attachments } from '../../src/link/connection.ts'
import { BULK_BYTES } from '../../src/link/lanes.ts'
import { MAX_PASSING_BYTES, Outbox } from '../../src/link/outbox.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { BATCH_BYTES, FrameWriter } from '../../src/wire/frame-writer.ts'
import { turn } from '../actor/systems.ts'

interface Sent {
  readonly batch: Uint8Array
  readonly attachments: Attachments | undefined
}

/** An outbox, and the batches that have left it. */
class Desk {
  readonly sent: Sent[] = []
  readonly outbox: Outbox
  /** How many batches are taken before the connection asks to wait. */
  room = Infinity
  constructor(mayShare: boolean) {
    this.outbox = new Outbox((batch, attachments) => {
      this.sent.push({ batch, attachments })
      return --this.room > 0
    }, mayShare)
  }
  /** The connection takes so many batches more. */
  drain(room: number): void {
    this.room = room
    this.outbox.drained()
  }
  get bytes(): Uint8Array {
    return joinBytes(this.sent.map(({ batch }) => batch))
  }
  get lengths(): number[] {
    return this.sent.map(({ batch }) => batch.byteLength)
  }
}

/** Where the hop count of the frames made here stands. */
const HOPS_AT = 2

function tell(id: number, payloadBytes = 10): Frame {
  const payload = new Uint8Array(payloadBytes).fill(id)
  return Object.assign(new Frame(), { kind: FRAME.tell, hops: 5, to: 'b', from: 'a', seq: id, actor: 'c', payload })
}

function encoded(frame: Frame): Uint8Array {
  const writer = new FrameWriter()
  writer.write(frame)
  return writer.take()
}

/** Frames one after the other in one buffer, with something before and behind them, and where each begins and ends. */
function chunkOf(frames: readonly Frame[]): { chunk: Uint8Array; bounds: (readonly [number, number])[] } {
  const pieces = [Uint8Array.of(99, 99, 99), ...frames.map(encoded), Uint8Array.of(88)]
  const bounds: (readonly [number, number])[] = []
  let at = 3
  for (const { byteLength } of pieces.slice(1, -1)) bounds.push([at, (at += byteLength)])
  return { chunk: joinBytes(pieces), bounds }
}

const transfer: Attachments = { values: ['beside'], transfer: [] }

describe('where frames may be shared', () => {
  test('a run of kept ones is sent as one view of where they stand', () => {
    const desk = new Desk(true)
    const { chunk, bounds } = chunkOf([tell(1), tell(2), tell(3), tell(4)])
    for (const [start, end] of bounds.slice(1, 3)) desk.outbox.addKept(chunk, start, end, '')
    desk.outbox.flush()
    expect(desk.sent).toHaveLength(1)
    const { batch } = desk.sent[0]!
    expect([batch.buffer, batch.byteOffset, batch.byteLength]).toEqual([
      chunk.buffer,
      chunk.byteOffset + bounds[1]![0],
      bounds[2]![1] - bounds[1]![0],
    ])
    expect(batch.buffer).toBe(chunk.buffer)
  })

  test('and the next run after it is another view, not a longer one', () => {
    const desk = new Desk(true)
    const { chunk, bounds } = chunkOf([tell(1), tell(2)])
    for (const [start, end] of bounds) {
      desk.outbox.addKept(chunk, start, end, '')
      desk.outbox.flush()
    }
    expect(desk.sent.map(({ batch }) => batch.byteOffset)).toEqual(bounds.map(([start]) => start))
  })

  test.each([
    ['a gap', [0, 2]],
    ['an earlier one', [1, 0]],
    ['the same one again', [0, 0]],
  ])('%s between kept ones ends a run', (_what, order) => {
    const desk = new Desk(true)
    const { chunk, bounds } = chunkOf([tell(1), tell(2), tell(3)])
    for (const i of order) desk.outbox.addKept(chunk, ...bounds[i]!, '')
    desk.outbox.flush()
    expect(desk.sent).toHaveLength(1)
    expect(desk.bytes).toEqual(joinBytes(order.map((i) => encoded(tell(i + 1)))))
  })

  test('a kept one of another chunk ends a run, though it stands where the next of the first would', () => {
    const desk = new Desk(true)
    const one = chunkOf([tell(1), tell(2)])
    const two = chunkOf([tell(3), tell(4)])
    desk.outbox.addKept(one.chunk, ...one.bounds[0]!, '')
    desk.outbox.addKept(two.chunk, ...two.bounds[1]!, '')
    desk.outbox.flush()
    expect(one.bounds[0]![1]).toBe(two.bounds[1]![0])
    expect(desk.bytes).toEqual(joinBytes([encoded(tell(1)), encoded(tell(4))]))
  })

  test('kept ones of several chunks, and those written here, leave in order in one batch of its own memory', () => {
    const desk = new Desk(true)
    const one = chunkOf([tell(1), tell(2)])
    const two = chunkOf([tell(4), tell(6)])
    desk.outbox.addKept(one.chunk, ...one.bounds[0]!, '')
    desk.outbox.addKept(one.chunk, ...one.bounds[1]!, '')
    desk.outbox.add(tell(3))
    desk.outbox.addKept(two.chunk, ...two.bounds[0]!, '')
    addRaw(desk, tell(5))
    desk.outbox.addKept(two.chunk, ...two.bounds[1]!, '')
    desk.outbox.flush()
    expect(desk.sent).toHaveLength(1)
    const forwarded = encoded(Object.assign(tell(5), { hops: 4 }))
    expect(desk.bytes).toEqual(joinBytes([1, 2, 3, 4, 5, 6].map((id) => (id === 5 ? forwarded : encoded(tell(id))))))
    expect([one.chunk.buffer, two.chunk.buffer]).not.toContain(desk.sent[0]!.batch.buffer)
  })
})

test('where they may not, kept ones are copied', () => {
  const desk = new Desk(false)
  const { chunk, bounds } = chunkOf([tell(1), tell(2)])
  for (const [start, end] of bounds) desk.outbox.addKept(chunk, start, end, '')
  desk.outbox.flush()
  expect(desk.sent).toHaveLength(1)
  expect(desk.sent[0]!.batch.buffer).not.toBe(chunk.buffer)
  chunk.fill(0)
  expect(desk.bytes).toEqual(joinBytes([encoded(tell(1)), encoded(tell(2))]))
})

describe('a batch leaves', () => {
  test('by itself, when a turn has settled, whatever it holds', async () => {
    for (const mayShare of [true, false]) {
      const desk = new Desk(mayShare)
      const { chunk, bounds } = chunkOf([tell(1)])
      desk.outbox.addKept(chunk, ...bounds[0]!, '')
      await Promise.resolve()
      desk.outbox.add(tell(2))
      expect(desk.sent).toEqual([])
      await turn()
      expect(desk.sent).toHaveLength(1)
      desk.outbox.add(tell(3))
      await turn()
      expect(desk.bytes).toEqual(joinBytes([1, 2, 3].map((id) => encoded(tell(id)))))
      expect(desk.sent).toHaveLength(2)
    }
  })

  test.each([
    ['kept ones in a run', true, (desk: Desk, bytes: number) => addKept(desk, bytes)],
    ['kept ones copied', false, (desk: Desk, bytes: number) => addKept(desk, bytes)],
    ['those written here', true, (desk: Desk, bytes: number) => desk.outbox.add(tell(1, bytes))],
    ['those passed on', true, (desk: Desk, bytes: number) => addRaw(desk, tell(1, bytes))],
    [
      'both in turn',
      true,
      (desk: Desk, bytes: number) => {
        addKept(desk, bytes >> 1)
        desk.outbox.add(tell(1, bytes >> 1))
      },
    ],
  ])('at once when it is full of %s', async (_what, mayShare, add) => {
    const desk = new Desk(mayShare)
    for (let i = 0; i < 3; i++) {
      add(desk, BATCH_BYTES / 2 - 200)
      add(desk, BATCH_BYTES / 4)
      expect(desk.sent).toHaveLength(i)
      add(desk, BATCH_BYTES / 4 + 200)
      expect(desk.sent).toHaveLength(i + 1)
      expect(desk.lengths[i]).toBeGreaterThanOrEqual(BATCH_BYTES)
    }
    await turn()
    expect(desk.sent).toHaveLength(3)
  })

  test.each([true, false])('before it is larger than the other side takes (shared: %s)', async (mayShare) => {
    const desk = new Desk(mayShare)
    desk.outbox.maxBatchBytes = 2 * BATCH_BYTES
    const large = tell(3, 2 * BATCH_BYTES - 100)
    const { chunk, bounds } = chunkOf([large])
    const sendAll = (): void => {
      desk.outbox.add(tell(1))
      desk.outbox.addKept(chunk, ...bounds[0]!, 'b')
      desk.outbox.add(tell(1))
      addRaw(desk, large)
      desk.outbox.add(large)
    }
    sendAll()
    await turn()
    expect(Math.max(...desk.lengths)).toBeLessThanOrEqual(2 * BATCH_BYTES)
    // What waits in lanes does not gather to more, either.
    desk.room = 1
    desk.outbox.add(tell(1))
    await turn()
    sendAll()
    desk.drain(Infinity)
    expect(Math.max(...desk.lengths)).toBeLessThanOrEqual(2 * BATCH_BYTES)
    expect(desk.bytes.length).toBe(6 * encoded(large).length + 5 * encoded(tell(1)).length)
  })

  test('never empty', async () => {
    const desk = new Desk(true)
    desk.outbox.flush()
    desk.outbox.add(tell(1))
    desk.outbox.flush()
    desk.outbox.flush()
    await turn()
    expect(desk.sent).toHaveLength(1)
  })
})

function addRaw(desk: Desk, frame: Frame): void {
  desk.outbox.addRaw(encoded(frame), HOPS_AT, frame)
}

function addKept(desk: Desk, payloadBytes: number): void {
  const { chunk, bounds } = chunkOf([tell(1, payloadBytes)])
  desk.outbox.addKept(chunk, ...bounds[0]!, '')
}

describe('a frame with attachments', () => {
  test.each([true, false])(
    'goes alone, behind what was gathered and before what comes (shared: %s)',
    async (mayShare) => {
      const desk = new Desk(mayShare)
      const { chunk, bounds } = chunkOf([tell(2), tell(4)])
      desk.outbox.add(tell(1))
      desk.outbox.addKept(chunk, ...bounds[0]!, '')
      desk.outbox.sendAlone(tell(3), transfer)
      desk.outbox.addKept(chunk, ...bounds[1]!, '')
      await turn()
      expect(desk.sent.map(({ attachments }) => attachments)).toEqual([undefined, transfer, undefined])
      expect(desk.sent.map(({ batch }) => batch)).toEqual([
        joinBytes([encoded(tell(1)), encoded(tell(2))]),
        encoded(tell(3)),
        encoded(tell(4)),
      ])
    },
  )

  test('that the platform refuses throws for its caller, and leaves nothing behind', () => {
    const sent: Uint8Array[] = []
    const outbox = new Outbox((batch, attachments) => {
      if (attachments) throw new RangeError('refused')
      sent.push(batch)
      return true
    }, true)
    outbox.add(tell(1))
    expect(() => outbox.sendAlone(tell(2), transfer)).toThrow('refused')
    outbox.add(tell(3))
    outbox.flush()
    expect(sent).toEqual([encoded(tell(1)), encoded(tell(3))])
  })
})

describe('while the connection takes no more', () => {
  /** A desk whose connection asked to wait after the tell of id 0. */
  async function justBlocked(mayShare = true): Promise<Desk> {
    const desk = new Desk(mayShare)
    desk.room = 1
    desk.outbox.add(tell(0))
    await turn()
    expect([desk.outbox.isBlocked, desk.sent.length]).toEqual([true, 1])
    desk.sent.length = 0
    return desk
  }

  /** One that has been given as much as may pass what waits, too. */
  async function blocked(mayShare = true): Promise<Desk> {
    const desk = await justBlocked(mayShare)
    const headBytes = encoded(tell(0, 1000)).length - 1000
    for (let left = MAX_PASSING_BYTES; left > 0; ) {
      const length = Math.min(left, BULK_BYTES)
      addRaw(desk, tell(0, length - headBytes))
      left -= length
    }
    await turn()
    desk.sent.length = 0
    return desk
  }

  test('a little of what is small passes all the same, if nothing of its own waits, and nothing that all wait for', async () => {
    const desk = await justBlocked()
    addRaw(desk, Object.assign(tell(1, BULK_BYTES), { from: 'x' }))
    addRaw(desk, Object.assign(tell(2), { from: 'x' }))
    addRaw(desk, Object.assign(tell(3), { from: 'y' }))
    await turn()
    expect(ids(desk)).toEqual([3])
    desk.outbox.add(control(FRAME.cluster))
    addRaw(desk, Object.assign(tell(4), { from: 'y' }))
    await turn()
    expect(ids(desk)).toEqual([3])
    desk.drain(Infinity)
    expect(ids(desk)).toEqual([3, 1, 2, -FRAME.cluster, 4])
    // And again, when it has drained and asks to wait once more.
    desk.room = 1
    desk.outbox.add(tell(0))
    await turn()
    addRaw(desk, tell(5))
    await turn()
    expect(ids(desk).slice(-2)).toEqual([0, 5])
  })

  const control = (kind: number): Frame => Object.assign(new Frame(), { kind })
  const idOf = (frame: Frame): number => (frame.kind === FRAME.tell ? frame.seq : -frame.kind)

  function ids({ bytes }: Desk): number[] {
    const reader = new FrameReader()
    reader.open(bytes)
    const frame = new Frame()
    const all: number[] = []
    while (reader.next(frame)) all.push(idOf(frame))
    return all
  }

  test.each([true, false])('frames wait, and leave in batches as far as it goes on (shared: %s)', async (mayShare) => {
    const desk = await blocked(mayShare)
    const { chunk, bounds } = chunkOf([tell(2), tell(4, BATCH_BYTES / 4)])
    desk.outbox.add(tell(1))
    desk.outbox.addKept(chunk, ...bounds[0]!, 'b')
    addRaw(desk, tell(3))
    desk.outbox.addKept(chunk, ...bounds[1]!, 'b')
    await turn()
    const all = [1, 2, 3].reduce((sum, id) => sum + encoded(tell(id)).length, encoded(tell(4, BATCH_BYTES / 4)).length)
    expect([desk.sent, desk.outbox.waitingBytes]).toEqual([[], all])
    for (let i = 0; i < 4; i++) desk.outbox.add(tell(5 + i, BATCH_BYTES / 2))
    desk.drain(1)
    expect([desk.sent.length, desk.outbox.isBlocked]).toEqual([1, true])
    desk.drain(Infinity)
    expect([desk.outbox.waitingBytes, desk.outbox.isBlocked]).toEqual([0, false])
    expect(ids(desk).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    desk.outbox.add(tell(9))
    await turn()
    expect(ids(desk).at(-1)).toBe(9)
  })

  test('probes of the link and acknowledgements pass everything', async () => {
    const desk = await blocked()
    desk.outbox.add(tell(1))
    for (const kind of [FRAME.ping, FRAME.pong, FRAME.ack]) desk.outbox.add(control(kind))
    const passedOn = Object.assign(tell(0), { kind: FRAME.ack })
    desk.outbox.addRaw(encoded(passedOn), HOPS_AT + 1, passedOn)
    desk.outbox.add(tell(2))
    await turn()
    // A connection that asks to wait takes them all the same.
    expect(ids(desk)).toEqual([-FRAME.ping, -FRAME.pong, -FRAME.ack, -FRAME.ack])
    desk.drain(Infinity)
    expect(ids(desk).slice(4)).toEqual([1, 2])
  })

  test('what one node sends another keeps its order, and small frames of others pass large ones', async () => {
    const desk = await blocked()
    for (const seq of [1, 2]) addRaw(desk, Object.assign(tell(seq, BULK_BYTES), { from: 'x' }))
    addRaw(desk, Object.assign(tell(3), { from: 'x' }))
    addRaw(desk, Object.assign(tell(4), { from: 'y' }))
    addRaw(desk, Object.assign(tell(5), { from: 'y' }))
    desk.drain(Infinity)
    expect(ids(desk)).toEqual([4, 1, 5, 2, 3])
  })

  test('news of the cluster, and a goodbye, pass nothing that was sent before', async () => {
    const desk = await blocked()
    desk.outbox.add(tell(1, BULK_BYTES))
    desk.outbox.add(control(FRAME.cluster))
    desk.outbox.add(tell(2))
    desk.outbox.add(control(FRAME.goaway))
    desk.drain(Infinity)
    expect(ids(desk)).toEqual([1, -FRAME.cluster, 2, -FRAME.goaway])
  })

  test('a flush sends all the same, and so does a frame with attachments', async () => {
    const desk = await blocked()
    desk.outbox.add(tell(1))
    desk.outbox.flush()
    expect(ids(desk)).toEqual([1])
    desk.outbox.add(tell(2))
    desk.outbox.sendAlone(tell(3), transfer)
    expect(ids(desk)).toEqual([1, 2, 3])
    expect(desk.sent.map(({ attachments }) => attachments)).toEqual([undefined, undefined, transfer])
  })
})

type Step =
  | { readonly does: 'add' | 'raw' | 'alone'; readonly payloadBytes: number }
  | { readonly does: 'kept'; readonly chunk: number; readonly frame: number }
  | { readonly does: 'flush' | 'settle' }

const CHUNK_FRAMES = 8
const payloadBytes = fc.oneof({ weight: 9, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(BATCH_BYTES) })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ does: fc.constantFrom('add', 'raw', 'alone'), payloadBytes }),
  fc.record({ does: fc.constant('kept'), chunk: fc.nat(1), frame: fc.nat(CHUNK_FRAMES - 1) }),
  fc.record({ does: fc.constantFrom('flush', 'settle') }),
)
/** Most of what is kept is sent one after the other. */
const steps = fc
  .array(
    fc.oneof(
      step.map((one) => [one]),
      fc
        .record({ chunk: fc.nat(1), from: fc.nat(CHUNK_FRAMES - 1), count: fc.nat(CHUNK_FRAMES) })
        .map(({ chunk, from, count }) =>
          Array.from(
            { length: Math.min(count, CHUNK_FRAMES - from) },
            (_, i): Step => ({ does: 'kept', chunk, frame: from + i }),
          ),
        ),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.flat())

test('the bytes that leave are always those of all frames, in order, and what is kept stays as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), steps, async (mayShare, all) => {
      const desk = new Desk(mayShare)
      const chunks = [0, 1].map((n) =>
        chunkOf(Array.from({ length: CHUNK_FRAMES }, (_, i) => tell(10 * n + i, n * 9000 + i))),
      )
      const copies = chunks.map(({ chunk }) => chunk.slice())
      const expected: Uint8Array[] = []
      let alone = 0
      for (const [i, one] of all.entries()) {
        switch (one.does) {
          case 'add':
            desk.outbox.add(tell(i, one.payloadBytes))
            expected.push(encoded(tell(i, one.payloadBytes)))
            break
          case 'alone':
            desk.outbox.sendAlone(tell(i, one.payloadBytes), transfer)
            expected.push(encoded(tell(i, one.payloadBytes)))
            expect(desk.sent.at(-1)).toEqual({ batch: expected.at(-1), attachments: transfer })
            alone++
            break
          case 'raw':
            addRaw(desk, tell(i, one.payloadBytes))
            expected.push(encoded(Object.assign(tell(i, one.payloadBytes), { hops: 4 })))
            break
          case 'kept': {
            const { chunk, bounds } = chunks[one.chunk]!
            desk.outbox.addKept(chunk, ...bounds[one.frame]!, '')
            expected.push(chunk.slice(...bounds[one.frame]!))
            break
          }
          case 'flush':
            desk.outbox.flush()
            break
          default:
            await turn()
        }
      }
      await turn()
      expect(Buffer.compare(desk.bytes, joinBytes(expected))).toBe(0)
      expect(desk.sent.filter(({ attachments }) => attachments)).toHaveLength(alone)
      expect(desk.lengths.every((length) => length > 0)).toBe(true)
      for (const [i, { chunk }] of chunks.entries()) expect(Buffer.compare(chunk, copies[i]!)).toBe(0)
    }),
    { numRuns: 200 },
  )
})

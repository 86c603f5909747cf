import fc from 'fast-check'
import { Message, SessionResetError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { deferred } from '../../src/base/deferred.ts'
import { STREAM_WINDOW_BYTES } from '../../src/remote/outbound-stream.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { isKind, Lab, type LabNode, settle, until } from './lab.ts'
import { collect, outcomeOf, streaming } from './stream-ends.ts'

/** Items and bytes on their way or unread, at their highest, by what passed on the wire. */
function highWater(producer: LabNode, lab: Lab): { items: number; bytes: number } {
  const high = { items: 0, bytes: 0 }
  const now = { items: 0, bytes: 0, consumedItems: 0, consumedBytes: 0 }
  const fate = lab.fate
  lab.fate = (frame, from) => {
    if (from === producer && frame.kind === FRAME.item) {
      high.bytes = Math.max(high.bytes, now.bytes - now.consumedBytes)
      now.items++
      now.bytes += frame.payload.byteLength
      high.items = Math.max(high.items, now.items - now.consumedItems)
    } else if (from !== producer && frame.kind === FRAME.credit) {
      now.consumedItems = frame.count
      now.consumedBytes = frame.bytes
    }
    return fate(frame, from)
  }
  return high
}

describe('credit', () => {
  test.each([1, 2, 7, 32, 100])(
    'a producer is never more than its window of %i items ahead, and gets them all across',
    async (window) => {
      const lab = new Lab()
      const high = highWater(lab.b, lab)
      const { ref, writer } = await streaming(lab, window)
      const reader = ref.askStream(Message.empty())
      let written = 0
      let read = 0
      let ahead = 0
      void (async () => {
        for (let i = 0; i < 300; i++) {
          await writer.write(i)
          ahead = Math.max(ahead, ++written - read)
        }
        await writer.close()
      })()
      for await (const _ of reader) {
        read++
        if (read % 50 === 0) await settle(3)
      }
      expect(read).toBe(300)
      expect(high.items).toBeLessThanOrEqual(window)
      expect(high.items).toBeGreaterThan(0)
      expect(ahead).toBeLessThanOrEqual(window + 1)
    },
  )

  test('a consumer that pauses stops the producer, and goes on where it was', async () => {
    const lab = new Lab()
    const { ref, writer } = await streaming(lab, 4)
    let written = 0
    void (async () => {
      for (let i = 0; i < 20; i++) {
        await writer.write(i)
        written++
      }
      await writer.close()
    })()
    const reader = ref.askStream(Message.empty())
    await reader.next()
    await settle(30)
    // One was read, four are unread; nothing more may be accepted.
    expect(written).toBe(5)
    const sent = lab.b.sent.length
    await settle(30)
    expect(lab.b.sent.length).toBe(sent)
    expect((await collect(reader)).length).toBe(19)
  })

  test('bytes count too: at most 512 KiB and one item are on their way, whatever the window', async () => {
    const lab = new Lab()
    const high = highWater(lab.b, lab)
    const ref = await lab.b.host(() =>
      (async function* () {
        for (let i = 0; i < 30; i++) yield new Uint8Array(60_000)
      })(),
    )
    const reader = ref.askStream<Uint8Array>('x')
    await reader.next()
    await settle(20)
    const paused = lab.b.sent.filter(isKind('item')).length
    expect(paused).toBeLessThanOrEqual(Math.ceil(STREAM_WINDOW_BYTES / 60_000) + 2)
    expect((await collect(reader)).length).toBe(29)
    expect(high.bytes).toBeLessThan(STREAM_WINDOW_BYTES)
  })

  test('an item larger than the byte window still gets through, one at a time', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(() =>
      (async function* () {
        for (let i = 0; i < 4; i++) yield new Uint8Array(600_000).fill(i)
      })(),
    )
    const items = await collect(ref.askStream<Uint8Array>('x'))
    expect(items.map((item) => [item.byteLength, item[0]])).toEqual([0, 1, 2, 3].map((i) => [600_000, i]))
  })

  test('a consumer that reads on grants now and then, one that pauses what it has read', async () => {
    const lab = new Lab()
    const { ref, writer } = await streaming(lab, 100)
    const grants = (): number[] => lab.a.sent.filter(isKind('credit')).map(({ count }) => count)
    const reader = ref.askStream(Message.empty())
    void (async () => {
      // A few a turn, as they come from a network.
      for (let i = 0; i < 120; i++) {
        await writer.write(i)
        if (i % 3 === 2) await settle(1)
      }
    })()
    for (let read = 0; read < 120; read++) await reader.next()
    expect(grants().length).toBeLessThan(10)
    await settle(3)
    expect(grants().at(-1)).toBe(120)
    await reader.cancel()
  })

  test('a blocked link holds streams back until it has room', async () => {
    const lab = new Lab()
    const room = deferred<void>()
    lab.b.isBlocked = true
    lab.b.whenWritable = room.promise
    const ref = await lab.b.host(() =>
      (async function* () {
        yield 1
        yield 2
      })(),
    )
    const read = collect(ref.askStream<number>('x'))
    await settle(20)
    expect(lab.b.sent.filter(isKind('item'))).toEqual([])
    lab.b.isBlocked = false
    room.resolve()
    expect(await read).toEqual([1, 2])
  })

  test('a peer that sends more than it was granted breaks the protocol', async () => {
    const lab = new Lab()
    const { ref, writer } = await streaming(lab, 2)
    const reader = ref.askStream(Message.empty())
    void outcomeOf(writer.write(1))
    await until(() => lab.b.sent.some(isKind('item')))
    await settle()
    const item = lab.b.sent.find(isKind('item'))!
    expect(() => {
      for (let seq = item.seq + 1; seq < item.seq + 5; seq++)
        lab.a.association.receive(Object.assign(item.clone(), { seq }), lab.a.link)
    }).toThrow(/at most 2 unread items/)
    lab.a.association.reset(new SessionResetError('broke the protocol'))
    expect(await outcomeOf(collect(reader))).toBeInstanceOf(SessionResetError)
  })

  test('so does one that sends more bytes than it may, however wide its window is', async () => {
    const lab = new Lab()
    const { ref, writer } = await streaming(lab, 1000)
    const reader = ref.askStream(Message.empty())
    void outcomeOf(writer.write(new Uint8Array(120_000)))
    await until(() => lab.b.sent.some(isKind('item')))
    await settle()
    const item = lab.b.sent.find(isKind('item'))!
    const receive = (seq: number): void => lab.a.association.receive(Object.assign(item.clone(), { seq }), lab.a.link)
    // Four of them leave room for one byte; the one after the next is one too many.
    for (let seq = item.seq + 1; seq < item.seq + 5; seq++) receive(seq)
    expect(() => receive(item.seq + 5)).toThrow(/expected no item while 524288 bytes/)
    lab.a.association.reset(new SessionResetError('broke the protocol'))
    expect(await outcomeOf(collect(reader))).toBeInstanceOf(SessionResetError)
  })

  test('grants for more than was sent, or for less than before, change nothing', async () => {
    const lab = new Lab()
    const { ref, writer } = await streaming(lab, 2)
    const reader = ref.askStream(Message.empty())
    lab.fate = (frame, from) => {
      if (from !== lab.a || frame.kind !== FRAME.credit) return [frame]
      frame.count = 1_000_000
      return [frame]
    }
    let written = 0
    void outcomeOf(
      (async () => {
        for (;;) {
          await writer.write(0)
          written++
        }
      })(),
    )
    await settle(40)
    expect(written).toBeLessThanOrEqual(4)
    await reader.cancel()
  })
})

test('whatever sizes and pauses, every stream arrives whole and credit never runs dry', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          window: fc.integer({ min: 1, max: 40 }),
          items: fc.array(fc.integer({ min: 0, max: 50_000 }), { maxLength: 40 }),
          pauseEvery: fc.integer({ min: 1, max: 10 }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      async (streams) => {
        const lab = new Lab()
        await Promise.all(
          streams.map(async ({ window, items, pauseEvery }) => {
            const { ref, writer } = await streaming(lab, window)
            const reader = ref.askStream(Message.empty())
            void (async () => {
              for (const size of items) await writer.write(new Uint8Array(size))
              await writer.close()
            })()
            const got: number[] = []
            for await (const item of reader) {
              got.push((item as Message).toObject<Uint8Array>().byteLength)
              if (got.length % pauseEvery === 0) await settle(1)
            }
            expect(got).toEqual(items)
          }),
        )
        await until(() => lab.isClean)
      },
    ),
    { numRuns: 25 },
  )
})

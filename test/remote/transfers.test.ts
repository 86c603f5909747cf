/** Large messages travel in parts: what must not overtake them waits, everything else passes between. */
import { describe, expect, test } from 'vitest'
import { joinBytes } from '../../src/base/bytes.ts'
import { OverloadedError, ProtocolError } from '../../src/base/errors.ts'
import { StreamMessage } from '../../src/message/stream-message.ts'
import { LATELY_MS } from '../../src/remote/pace.ts'
import {
  InboundTransfers,
  MAX_TRANSFERS,
  MAX_WHOLE_BYTES,
  OutboundTransfers,
  PART_BYTES,
  PART_COST_BYTES,
} from '../../src/remote/transfers.ts'
import { FLAG, FRAME, Frame, PART } from '../../src/wire/frame.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { isKind, Lab, settle, until } from './lab.ts'

const BIG = 1024 * 1024

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31) % 251)
}

/** Not `toEqual`: it looks at every byte as at an object. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i])
}

function frameBytes(fields: Partial<Frame>): Uint8Array {
  const writer = new FrameWriter()
  writer.write(Object.assign(new Frame(), fields))
  return writer.take()
}

function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error)
}

describe('a large message', () => {
  test('arrives whole, byte for byte, as ask, reply and tell', async () => {
    const lab = new Lab({ maxMessageBytes: 4 * BIG })
    const told: Uint8Array[] = []
    const ref = await lab.b.host((msg) => {
      const value = msg.toObject<Uint8Array>()
      told.push(value)
      return value
    })
    expect(same(await ref.ask<Uint8Array>(pattern(BIG)), pattern(BIG))).toBe(true)
    await ref.tell(pattern(3 * BIG))
    await until(() => told.length === 2)
    expect(same(told[1]!, pattern(3 * BIG))).toBe(true)
    expect(lab.a.sent.every(({ payload }) => payload.byteLength <= PART_BYTES)).toBe(true)
    await until(() => lab.isClean)
  })

  test('goes in parts where the way takes less in one piece', async () => {
    const lab = new Lab()
    Object.assign(lab.a.link, { maxFrameBytes: 64 * 1024 })
    const ref = await lab.b.host((msg) => msg.toObject<Uint8Array>().byteLength)
    expect(await ref.ask(pattern(70_000))).toBe(70_000)
    expect(await ref.ask(pattern(40_000))).toBe(40_000)
    expect(lab.a.sent.filter(isKind('part'))).toHaveLength(3)
    expect(Math.max(...lab.a.sent.map(({ payload }) => payload.byteLength))).toBe(40_000)
  })

  test('is not overtaken by what the same actor sends the same actor afterwards', async () => {
    const lab = new Lab({ maxMessageBytes: 4 * BIG })
    const got: string[] = []
    const ref = await lab.b.host((msg) => {
      const value = msg.toObject()
      got.push(typeof value === 'string' ? value : 'large')
    })
    void ref.tell('first')
    void ref.tell(new Uint8Array(BIG))
    void ref.tell('second')
    const asked = ref.ask('third')
    void ref.tell(new Uint8Array(BIG))
    await ref.tell('fourth')
    await asked
    await until(() => got.length === 6)
    expect(got).toEqual(['first', 'large', 'second', 'third', 'large', 'fourth'])
  })

  test('lets messages to others pass between its parts', async () => {
    const lab = new Lab({ maxMessageBytes: 16 * BIG })
    const got: string[] = []
    const slow = await lab.b.host(() => void got.push('large'))
    const quick = await lab.b.host(() => 'quick')
    const large = slow.ask(new Uint8Array(8 * BIG))
    for (let i = 0; i < 5; i++) expect(await quick.ask(i)).toBe('quick')
    expect(got).toEqual([])
    // As much as leaves at once beside small ones; the rest is given time.
    await settle(400)
    expect(got).toEqual([])
    for (let looks = 0; looks < 2; looks++) {
      lab.clock.advance(LATELY_MS)
      await settle()
    }
    await large
    expect(got).toEqual(['large'])
  })

  test('and another one share the way: the smaller of two is not behind the whole of the larger', async () => {
    const lab = new Lab({ maxMessageBytes: 16 * BIG })
    const got: string[] = []
    const one = await lab.b.host(() => void got.push('8 MiB'))
    const two = await lab.b.host(() => void got.push('1 MiB'))
    await Promise.all([one.ask(new Uint8Array(8 * BIG)), two.ask(new Uint8Array(BIG))])
    expect(got).toEqual(['1 MiB', '8 MiB'])
  })

  test('begins its streams behind it', async () => {
    const lab = new Lab({ maxMessageBytes: 4 * BIG })
    const got: unknown[] = []
    const ref = await lab.b.host(async (msg) => {
      const { items, bytes } = msg.toObject<{ items: AsyncIterable<number>; bytes: Uint8Array }>()
      got.push(bytes.byteLength)
      for await (const item of items) got.push(item)
    })
    async function* items(): AsyncGenerator<number> {
      yield 1
      yield 2
    }
    await ref.ask({ bytes: new Uint8Array(BIG), items: items() })
    expect(got).toEqual([BIG, 1, 2])
    await until(() => lab.isClean)
  })

  test('is taken back when its ask is given up before all of it has left, its streams too', async () => {
    const lab = new Lab({ maxMessageBytes: 16 * BIG })
    let handled = 0
    const ref = await lab.b.host(() => void handled++)
    const [items, writer] = StreamMessage.create<number>()
    const controller = new AbortController()
    const asked = outcomeOf(
      ref.ask({ bytes: new Uint8Array(8 * BIG), items: items.streamReader() }, { signal: controller.signal }),
    )
    await until(() => lab.a.sent.some(isKind('part')))
    controller.abort('enough')
    expect(await asked).toBe('enough')
    await until(() => writer.signal.aborted && lab.isClean)
    await until(() => lab.a.sent.filter(isKind('part')).at(-1)!.flags === PART.dropped)
    expect(lab.a.sent.filter(isKind('part')).at(-1)!.flags).toBe(PART.dropped)
    expect(lab.a.sent.some(isKind('cancel'))).toBe(false)
    expect(handled).toBe(0)
    await ref.ask('still there')
    expect(handled).toBe(1)
  })

  test('that was not sent completely when the session ends was not sent', async () => {
    const lab = new Lab({ maxMessageBytes: 16 * BIG })
    const ref = await lab.b.host(() => 'never')
    const asked = outcomeOf(ref.ask(new Uint8Array(8 * BIG)))
    const told = outcomeOf(ref.tell(new Uint8Array(8 * BIG)))
    await until(() => lab.a.sent.filter(isKind('part')).length > 3)
    await settle(2)
    lab.b.association.reset(new ProtocolError('reset by the test'))
    expect(await asked).toMatchObject({ code: 'session_reset', outcome: 'not-sent' })
    expect(await told).toMatchObject({ code: 'session_reset', outcome: 'not-sent' })
    expect(await ref.ask('again')).toBe('never')
    await settle()
  })

  test('of more than the other node takes ends the session, typed', async () => {
    const lab = new Lab({ maxMessageBytes: BIG })
    Object.defineProperty(lab.a.peers, 'maxMessageBytes', { value: 16 * BIG })
    const ref = await lab.b.host(() => 'never')
    expect(await outcomeOf(ref.ask(new Uint8Array(4 * BIG)))).toMatchObject({ code: 'session_reset' })
    expect(await ref.ask('small')).toBe('never')
  })
})

describe('parts', () => {
  const part = (id: number, flags: number, payload: Uint8Array): Frame => {
    const frame = new Frame()
    frame.kind = FRAME.part
    frame.id = id
    frame.flags = flags
    frame.payload = payload
    return frame
  }

  test('of a frame are its bytes, cut; put together they are the frame', () => {
    const sent: Frame[] = []
    const line = { send: (frame: Frame) => sent.push(frame.clone()) > 0, whenWritable: () => undefined }
    const outbound = new OutboundTransfers(line, { partSent: () => undefined, rest: () => Promise.resolve() }, 64 * BIG)
    const frame = new Frame()
    frame.kind = FRAME.tell
    frame.actor = 'a'
    frame.type = 't'
    frame.payload = pattern(MAX_WHOLE_BYTES + 1)
    expect(outbound.mustQueue(frame)).toBe(true)
    outbound.queue(frame, {})
    return until(() => sent.at(-1)?.flags === PART.last).then(() => {
      const inbound = new InboundTransfers(BIG)
      const whole = sent.map((each) => inbound.receive(each)).at(-1)
      expect(whole).toMatchObject({ kind: FRAME.tell, actor: 'a', type: 't' })
      expect(whole!.payload).toEqual(pattern(MAX_WHOLE_BYTES + 1))
      expect(inbound.bytes).toBe(0)
    })
  })

  test('are kept up to a bound, more is an OverloadedError, and given back when the others will not come', () => {
    const inbound = new InboundTransfers(2 * PART_COST_BYTES + 100)
    inbound.receive(part(1, PART.more, new Uint8Array(60)))
    expect(() => inbound.receive(part(2, PART.more, new Uint8Array(41)))).toThrow(OverloadedError)
    inbound.receive(part(1, PART.dropped, new Uint8Array(0)))
    expect(inbound.bytes).toBe(0)
    inbound.receive(part(2, PART.more, new Uint8Array(41)))
    inbound.reset()
    expect(inbound.bytes).toBe(0)
  })

  test('of too many messages at a time are an OverloadedError, of none a ProtocolError', () => {
    const inbound = new InboundTransfers(BIG)
    for (let id = 1; id <= MAX_TRANSFERS; id++) inbound.receive(part(id, PART.more, new Uint8Array(1)))
    expect(() => inbound.receive(part(0, PART.more, new Uint8Array(1)))).toThrow(OverloadedError)
    const last = (bytes: Uint8Array) => () => new InboundTransfers(BIG).receive(part(1, PART.last, bytes))
    expect(last(pattern(10))).toThrow(ProtocolError)
    expect(() => new InboundTransfers(BIG).receive(part(1, 3, pattern(10)))).toThrow(ProtocolError)
    // Link frames, and other frames beside a message, may not come so; nor a message with attachments.
    const ping = Uint8Array.from([0x82, 0x05, 0x00])
    const cancel = frameBytes({ kind: FRAME.cancel })
    const tell = frameBytes({ kind: FRAME.tell })
    const unknown = Uint8Array.from([0x81, 0x08])
    for (const bytes of [ping, cancel, joinBytes([unknown, tell]), joinBytes([tell, ping])])
      expect(last(bytes)).toThrow(ProtocolError)
    expect(last(frameBytes({ kind: FRAME.tell, flags: 1 << FLAG.attachmentShift }))).toThrow(ProtocolError)
    expect(last(tell)()).toMatchObject({ kind: FRAME.tell })
  })

  test('of no bytes cost something, too', () => {
    const inbound = new InboundTransfers(10 * PART_COST_BYTES)
    for (let i = 0; i < 10; i++) inbound.receive(part(1, PART.more, new Uint8Array(0)))
    expect(() => inbound.receive(part(1, PART.more, new Uint8Array(0)))).toThrow(OverloadedError)
  })
})

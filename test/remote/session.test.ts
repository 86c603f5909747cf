import { NotSerialisableError, SessionResetError, UnreachableError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { ACK_BYTES, ACK_DELAY_MS, ACK_FRAMES, GAP_DELAY_MS } from '../../src/remote/receipts.ts'
import { MAX_LOG_BYTES, MAX_LOG_FRAMES, MAX_SENT_BYTES } from '../../src/remote/send-log.ts'
import { MAX_HELD_BYTES, MAX_HELD_FRAMES } from '../../src/remote/sequence.ts'
import { MAX_ANSWER_BYTES, MAX_PROBE_DELAY_MS, PROBE_DELAY_MS } from '../../src/remote/session.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { stateOf } from '../actor/systems.ts'
import type { Side } from './session-pair.ts'
import { SessionPair } from './session-pair.ts'

const RELAY = { hop: 'r'.repeat(22) }
const PORT = { diesWithPeer: true }

const texts = (count: number, from = 1): string[] => Array.from({ length: count }, (_, i) => `t${i + from}`)
const tells = (side: Side, count: number, from = 1): void => {
  for (const text of texts(count, from)) side.tell(text)
}
/** Nothing is kept or underway, nothing more is said, and the last timer runs out for nothing. */
function expectRest({ a, b, clock, wire }: SessionPair): void {
  clock.advance(MAX_PROBE_DELAY_MS)
  expect([wire, a.keptBytes, b.keptBytes, clock.pending]).toEqual([[], 0, 0, 0])
  expect([a.session.whenWritable(), b.session.whenWritable()]).toEqual([undefined, undefined])
}
/** A frame as `side` would have sent it. */
function forged(fields: Partial<Frame>): Frame {
  return Object.assign(new Frame(), fields)
}

describe('what arrived is acknowledged', () => {
  test(`${ACK_FRAMES} frames at once, one acknowledgement for all`, () => {
    const pair = new SessionPair()
    tells(pair.a, ACK_FRAMES - 1)
    pair.flush()
    expect(pair.logOf(pair.b)).toEqual([])
    tells(pair.a, 1)
    pair.flush()
    expect(pair.logOf(pair.b)).toEqual([`ack of 1 to ${ACK_FRAMES}`])
    pair.clock.advance(ACK_DELAY_MS)
    expect(pair.logOf(pair.b)).toEqual([])
  })

  test(`${ACK_BYTES / 1024} KiB at once, however few frames`, () => {
    const pair = new SessionPair()
    pair.a.tell('half', { bytes: ACK_BYTES / 2 })
    pair.flush()
    expect(pair.logOf(pair.b)).toEqual([])
    pair.a.tell('half', { bytes: ACK_BYTES / 2 })
    pair.flush()
    expect(pair.logOf(pair.b)).toEqual(['ack of 1 to 2'])
  })

  test('a part at once, however small', () => {
    const pair = new SessionPair()
    pair.a.tell('first')
    pair.a.part()
    pair.flush()
    expect(pair.logOf(pair.b)).toEqual(['ack of 1 to 2'])
  })

  test(`less within ${ACK_DELAY_MS} ms of the first, and then nothing is kept any more`, () => {
    const pair = new SessionPair()
    tells(pair.a, 1)
    pair.flush()
    pair.clock.advance(ACK_DELAY_MS - 1)
    tells(pair.a, 1)
    pair.flush()
    expect(pair.a.keptBytes).toBeGreaterThan(0)
    expect(pair.logOf(pair.b)).toEqual([])
    pair.clock.advance(1)
    expect(pair.logOf(pair.b)).toEqual(['ack of 1 to 2'])
    pair.flush()
    expect(pair.a.keptBytes).toBe(0)
    pair.pass(2 * PROBE_DELAY_MS)
    expect(pair.log()).toEqual([])
    expectRest(pair)
  })

  test('frames held behind a gap count once they are delivered', () => {
    const pair = new SessionPair()
    tells(pair.a, ACK_FRAMES)
    const [first, ...others] = pair.drop()
    for (const packet of others) pair.deliver(packet)
    expect(pair.logOf(pair.b)).toEqual([])
    pair.deliver(first!)
    expect(pair.logOf(pair.b)).toEqual([`ack of 1 to ${ACK_FRAMES}`])
  })

  test('nothing is kept for a neighbour at the other end of a port, and it acknowledges nothing', () => {
    const pair = new SessionPair(PORT)
    tells(pair.a, 2 * ACK_FRAMES)
    expect(pair.a.keptBytes).toBe(0)
    pair.pass(2 * PROBE_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(2 * ACK_FRAMES))
    expect(pair.logOf(pair.b)).toEqual([])
    expectRest(pair)
  })

  test('what came through a relay is acknowledged, also when the way back is a port', () => {
    const pair = new SessionPair()
    pair.a.find(RELAY)
    pair.b.find(PORT)
    tells(pair.a, ACK_FRAMES)
    pair.flush()
    expect(pair.a.keptBytes).toBe(0)
    expect(pair.b.delivered).toEqual(texts(ACK_FRAMES))
  })
})

describe('the window', () => {
  test(`of ${MAX_LOG_BYTES / 1024} KiB holds who sends until there is room, and no longer`, async () => {
    const pair = new SessionPair()
    expect(pair.a.tell('t1', { bytes: MAX_LOG_BYTES / 2 })).toBe(true)
    expect(pair.a.session.whenWritable()).toBeUndefined()
    expect(pair.a.tell('t2', { bytes: MAX_LOG_BYTES / 2 })).toBe(false)
    const waiting = pair.a.session.whenWritable()!
    expect(await stateOf(waiting)).toBe('pending')
    pair.deliver(pair.wire.shift()!)
    pair.flush()
    await waiting
    expect(pair.a.session.whenWritable()).toBeUndefined()
    expect(pair.a.tell('t3')).toBe(true)
  })

  test('is what may be on its way: what nobody holds back waits in order, and leaves as the other acknowledges', () => {
    const pair = new SessionPair()
    const count = 60
    for (let i = 1; i <= count; i++) pair.a.tell(`t${i}`, { bytes: MAX_LOG_BYTES / 10 })
    expect(pair.wire).toHaveLength((10 * MAX_SENT_BYTES) / MAX_LOG_BYTES)
    for (let i = 0; i < 5; i++) pair.deliver(pair.wire.shift()!)
    const underway = (): number => pair.wire.filter(({ from }) => from === pair.a).length
    while (pair.wire.length > 0) {
      pair.deliver(pair.wire.shift()!)
      expect(underway()).toBeLessThanOrEqual(21)
    }
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(count))
    expectRest(pair)
  })

  test('what is begun on a link that is ending has certainly not left with it', () => {
    const pair = new SessionPair()
    pair.a.tell('t1')
    pair.a.way!.isEnding = true
    expect(pair.a.tell('t2')).toBe(false)
    pair.flush()
    pair.a.lose(0)
    pair.a.session.reset(new UnreachableError('gone'))
    expect(pair.b.delivered).toEqual(['t1'])
    expect(pair.a.ends.map(({ sent }) => sent)).toEqual([1])
  })

  test(`of who takes no answers is given up when ${MAX_ANSWER_BYTES / 1024 / 1024} MiB of them wait, and not for what else does`, async () => {
    const pair = new SessionPair()
    const bytes = MAX_ANSWER_BYTES / 16
    for (let i = 0; i < 40; i++) pair.a.tell(`t${i}`, { bytes })
    await Promise.resolve()
    expect(pair.a.ends).toEqual([])
    for (let i = 0; i < 16; i++) pair.a.answer(`a${i}`, bytes)
    await Promise.resolve()
    expect(pair.a.ends.map(({ error }) => error.message)).toEqual([
      `expected node ${pair.b.self} to take its answers, got ${MAX_ANSWER_BYTES} bytes waiting for it`,
    ])
    expect(pair.a.ends[0]!.error).toMatchObject({ name: 'SessionResetError', cause: { code: 'overloaded' } })
  })

  test(`of ${MAX_LOG_FRAMES} frames does so too, and asks, which do not wait, leave all the same`, async () => {
    const pair = new SessionPair()
    for (let i = 1; i < MAX_LOG_FRAMES; i++) expect(pair.a.tell(`t${i}`)).toBe(true)
    expect(pair.a.tell(`t${MAX_LOG_FRAMES}`)).toBe(false)
    const waiting = pair.a.session.whenWritable()!
    expect(pair.a.tell('ask')).toBe(false)
    expect(pair.wire.at(-1)!.frame.type).toBe('ask')
    expect(await stateOf(waiting)).toBe('pending')
    pair.flush()
    await waiting
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual([...texts(MAX_LOG_FRAMES), 'ask'])
    expectRest(pair)
  })

  test('of the whole node holds every sender, and lets all go when it says so', async () => {
    const pair = new SessionPair()
    pair.a.isFull = true
    expect(pair.a.tell('t1')).toBe(false)
    const waiting = pair.a.session.whenWritable()!
    pair.pass(ACK_DELAY_MS)
    expect(pair.a.keptBytes).toBe(0)
    expect(await stateOf(waiting)).toBe('pending')
    pair.a.session.release()
    expect(await stateOf(waiting)).toBe('pending')
    pair.a.isFull = false
    pair.a.session.release()
    await waiting
  })

  test('is open while the link is not: who waits, waits for the link', async () => {
    const pair = new SessionPair()
    pair.a.way!.block()
    expect(pair.a.tell('t1')).toBe(false)
    const waiting = pair.a.session.whenWritable()!
    expect(await stateOf(waiting)).toBe('pending')
    pair.a.way!.unblock()
    await waiting
  })
})

describe('a gap in what arrives', () => {
  test('is filled after it was asked for, and everything is delivered once, in order', () => {
    const pair = new SessionPair()
    tells(pair.a, 5)
    const [, second] = pair.wire.splice(1, 1)
    pair.flush()
    expect(pair.b.delivered).toEqual(['t1'])
    pair.log()
    pair.clock.advance(GAP_DELAY_MS)
    expect(pair.log()).toContain('b: ack of 1 to 1, again')
    pair.flush()
    expect(pair.b.delivered).toEqual(texts(5))
    if (second) pair.deliver(second)
    pair.pass(PROBE_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(5))
    expectRest(pair)
  })

  test('is asked for again after twice the time, until it is filled', () => {
    const pair = new SessionPair()
    tells(pair.a, 2)
    pair.wire.shift()
    pair.flush()
    pair.log()
    const asked: number[] = []
    const until = 40_000
    while (pair.clock.now() < until) {
      pair.clock.advance(GAP_DELAY_MS)
      if (pair.wire.some(({ from, frame }) => from === pair.b && frame.kind === FRAME.ack)) asked.push(pair.clock.now())
      pair.drop()
    }
    expect(asked).toEqual([250, 750, 1_750, 3_750, 7_750, 15_750, 31_750])
    pair.pass(2 * MAX_PROBE_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(2))
    expectRest(pair)
  })

  test('asked for twice at the same time is filled once', () => {
    const pair = new SessionPair()
    tells(pair.a, 3)
    pair.drop()
    pair.log()
    const ask = forged({ kind: FRAME.ack, session: 1, id: 1, count: 0, flags: 1 })
    pair.a.session.receive(ask, true)
    pair.a.session.receive(ask, true)
    expect(pair.log()).toEqual(['a: t1 1/1', 'a: t2 1/2', 'a: t3 1/3'])
    pair.clock.advance(GAP_DELAY_MS)
    pair.a.session.receive(ask, true)
    expect(pair.log()).toEqual(['a: t1 1/1', 'a: t2 1/2', 'a: t3 1/3'])
  })

  test(`holds at most ${MAX_HELD_FRAMES} frames; the others come again`, () => {
    const pair = new SessionPair()
    const count = 2 * MAX_HELD_FRAMES
    tells(pair.a, count)
    pair.wire.shift()
    pair.pass(4 * PROBE_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(count))
    expectRest(pair)
  })

  test('what could not be held is asked for when the gap has closed, and not only when it is missed', () => {
    const pair = new SessionPair()
    const count = 2 * MAX_HELD_FRAMES
    tells(pair.a, count)
    const late = pair.wire.shift()!
    pair.flush()
    pair.drop()
    pair.deliver(late)
    // No time passes.
    pair.flush()
    expect(pair.b.delivered).toEqual(texts(count))
  })

  test(`holds at most ${MAX_HELD_BYTES / 1024} KiB, and one frame more; the others come again`, () => {
    const pair = new SessionPair()
    pair.a.tell('t1')
    for (let i = 2; i <= 10; i++) pair.a.tell(`t${i}`, { bytes: MAX_HELD_BYTES / 2 })
    pair.wire.shift()
    pair.flush()
    pair.drop()
    pair.deliver(pair.sent[0]!)
    expect(pair.b.delivered).toEqual(texts(3))
    pair.pass(4 * PROBE_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(10))
    expectRest(pair)
  })
})

describe('silence of the peer', () => {
  test('is broken by a question after 2 s, then after twice the time, at most 16 s', () => {
    const pair = new SessionPair()
    tells(pair.a, 1)
    pair.drop()
    const asked: number[] = []
    while (pair.clock.now() < 70_000) {
      pair.clock.advance(500)
      if (pair.drop().some(({ frame }) => frame.kind === FRAME.probe)) asked.push(pair.clock.now())
    }
    expect(asked).toEqual([2_000, 6_000, 14_000, 30_000, 46_000, 62_000])
    pair.pass(MAX_PROBE_DELAY_MS)
    expect(pair.b.delivered).toEqual(['t1'])
    expectRest(pair)
  })

  test('is answered with what there is, and the rest is sent again', () => {
    const pair = new SessionPair()
    tells(pair.a, 3)
    pair.deliver(pair.wire.shift()!)
    pair.drop()
    pair.log()
    pair.clock.advance(PROBE_DELAY_MS)
    pair.flush()
    expect(pair.logOf(pair.a)).toEqual(['probe of 1', 't2 1/2', 't3 1/3'])
    expect(pair.b.delivered).toEqual(texts(3))
  })

  test('is none while it acknowledges something', () => {
    const pair = new SessionPair()
    for (let i = 1; i <= 20; i++) {
      tells(pair.a, 1, i)
      pair.pass(PROBE_DELAY_MS / 2)
      tells(pair.a, 1, i)
    }
    expect(pair.logOf(pair.a).filter((what) => what.startsWith('probe'))).toEqual([])
  })

  test('says nothing while what was sent has not left', () => {
    const pair = new SessionPair()
    tells(pair.a, 1)
    pair.a.way!.block()
    pair.log()
    pair.clock.advance(10 * PROBE_DELAY_MS)
    expect(pair.log()).toEqual([])
    pair.a.way!.unblock()
    pair.clock.advance(PROBE_DELAY_MS)
    expect(pair.log()).toEqual(['a: probe of 1'])
  })

  test('after it, the next question waits 2 s again', () => {
    const pair = new SessionPair()
    tells(pair.a, 1)
    pair.drop()
    pair.clock.advance(3 * PROBE_DELAY_MS)
    pair.flush()
    pair.pass(ACK_DELAY_MS)
    pair.pass(2 * PROBE_DELAY_MS)
    pair.log()
    tells(pair.a, 1, 2)
    pair.drop()
    pair.clock.advance(PROBE_DELAY_MS)
    expect(pair.log()).toContain('a: probe of 1')
  })
})

describe('when the way is lost and found again', () => {
  test('what was lost is sent again, and what had arrived is not delivered twice', () => {
    const pair = new SessionPair()
    tells(pair.a, 6)
    for (let i = 0; i < 2; i++) pair.deliver(pair.wire.shift()!)
    pair.cut()
    pair.drop()
    pair.heal()
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(6))
    expect([pair.a.ends, pair.b.ends]).toEqual([[], []])
    expectRest(pair)
  })

  test('both directions go on, although only one side noticed', () => {
    const pair = new SessionPair()
    tells(pair.a, 1)
    tells(pair.b, 1)
    pair.flush()
    tells(pair.a, 2, 2)
    tells(pair.b, 2, 2)
    pair.drop()
    pair.a.lose()
    pair.a.find()
    pair.flush()
    expect([pair.a.delivered, pair.b.delivered]).toEqual([texts(3), texts(3)])
    expect(pair.clock.now()).toBe(0)
  })

  test('nothing numbered leaves before the peer has said what it has', async () => {
    const pair = new SessionPair()
    tells(pair.a, 2)
    pair.drop()
    pair.cut()
    pair.heal()
    pair.log()
    expect(pair.a.tell('t3')).toBe(false)
    const waiting = pair.a.session.whenWritable()!
    expect(pair.log()).toEqual([])
    expect(await stateOf(waiting)).toBe('pending')
    pair.flush()
    await waiting
    expect(pair.b.delivered).toEqual(texts(3))
  })

  test('an answer that gets lost is asked for again', () => {
    const pair = new SessionPair()
    tells(pair.a, 2)
    pair.cut()
    pair.drop()
    pair.heal()
    pair.drop()
    pair.pass(PROBE_DELAY_MS + ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(2))
    expectRest(pair)
  })

  test('through a relay, and back: heads name the new way', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(a, 2)
    pair.cut()
    pair.drop()
    pair.heal(RELAY)
    // The wire of this test refuses a head that does not fit the way.
    pair.flush()
    expect(b.delivered).toEqual(texts(2))
    const through = pair.sent.find(({ frame }) => frame.type === 't2' && frame.to !== '')!.frame
    expect([through.to, through.from, through.session, through.seq]).toEqual([b.self, a.self, 1, 2])
    tells(a, 2, 3)
    pair.cut()
    pair.drop()
    pair.heal()
    pair.pass(ACK_DELAY_MS)
    expect(b.delivered).toEqual(texts(4))
    expectRest(pair)
  })

  test('what is sent meanwhile waits, and follows in order', async () => {
    const pair = new SessionPair()
    tells(pair.a, 1)
    pair.cut()
    expect(pair.a.session.isWaiting).toBe(true)
    expect(pair.a.tell('t2')).toBe(false)
    expect(pair.a.tell('t3')).toBe(false)
    const waiting = pair.a.session.whenWritable()!
    expect(await stateOf(waiting)).toBe('pending')
    pair.drop()
    pair.heal()
    pair.flush()
    await waiting
    expect(pair.a.session.isWaiting).toBe(false)
    pair.a.tell('t4')
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(4))
    expectRest(pair)
  })

  test('what is sent again goes at the pace of the link', async () => {
    const pair = new SessionPair()
    tells(pair.a, 3)
    pair.cut()
    pair.drop()
    pair.heal()
    pair.a.way!.block()
    pair.flush()
    expect(pair.b.delivered).toEqual([])
    pair.a.tell('t4')
    expect(pair.wire).toEqual([])
    const waiting = pair.a.session.whenWritable()!
    pair.a.way!.unblock()
    await waiting
    pair.flush()
    expect(pair.b.delivered).toEqual(texts(4))
  })

  test('several times in a row, in the middle of sending again, nothing is lost or doubled', () => {
    const pair = new SessionPair()
    tells(pair.a, 40)
    for (let i = 0; i < 20; i++) {
      pair.cut()
      pair.drop()
      pair.heal(i % 2 ? RELAY : undefined)
      for (let n = 0; n < 3 + i; n++) {
        const packet = pair.wire.shift()
        if (packet) pair.deliver(packet)
      }
    }
    pair.pass(PROBE_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(40))
    expect([pair.a.ends, pair.b.ends]).toEqual([[], []])
    expectRest(pair)
  })

  test('a pair that never said anything says nothing', () => {
    const pair = new SessionPair()
    pair.cut()
    pair.heal()
    expect(pair.log()).toEqual([])
    expectRest(pair)
  })

  test('a frame larger than the new way takes ends the session, typed, on both sides', () => {
    const pair = new SessionPair()
    tells(pair.b, 1)
    pair.flush()
    pair.a.tell('large', { bytes: 10_000 })
    pair.cut()
    pair.drop()
    pair.heal({ maxFrameBytes: 5_000 })
    pair.flush()
    expect(pair.a.ends).toMatchObject([{ number: 1, error: { name: 'SessionResetError' }, sent: 1 }])
    expect(pair.a.ends[0]!.error.message).toMatch(/expected frames of at most 5000 bytes .* got 10\d\d\d/)
    expect(pair.b.ends).toHaveLength(1)
    pair.a.tell('small')
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(['small'])
    expectRest(pair)
  })
})

describe('when no way is found in time', () => {
  test('both sides are reset once, each says how much may have arrived', () => {
    const pair = new SessionPair()
    tells(pair.a, 3)
    pair.flush()
    tells(pair.a, 2, 4)
    pair.cut(1_000)
    pair.drop()
    tells(pair.a, 2, 6)
    pair.clock.advance(999)
    expect([pair.a.ends, pair.b.ends]).toEqual([[], []])
    pair.clock.advance(1)
    expect(pair.a.ends).toMatchObject([{ number: 1, error: { name: 'UnreachableError' }, sent: 5 }])
    expect(pair.b.ends).toMatchObject([{ number: 1, error: { name: 'UnreachableError' }, sent: 0 }])
    expect([pair.a.keptBytes, pair.a.session.isWaiting]).toEqual([0, false])
    pair.pass(PROBE_DELAY_MS)
    pair.heal()
    pair.pass(PROBE_DELAY_MS)
    expect([pair.a.ends.length, pair.b.ends.length]).toEqual([1, 1])
    tells(pair.a, 1)
    tells(pair.b, 1)
    pair.pass(ACK_DELAY_MS)
    expect([pair.a.delivered, pair.b.delivered]).toEqual([['t1'], ['t1', 't2', 't3', 't1']])
    expectRest(pair)
  })

  test('a way in time is in time, also a moment before, and the time begins anew at the next loss', () => {
    const pair = new SessionPair()
    tells(pair.a, 1)
    for (let i = 0; i < 5; i++) {
      pair.cut(1_000)
      pair.clock.advance(999)
      pair.heal()
    }
    pair.pass(5_000)
    expect([pair.a.ends, pair.b.ends]).toEqual([[], []])
    expect(pair.b.delivered).toEqual(['t1'])
    expectRest(pair)
  })

  test('whoever waits for room is let go', async () => {
    const pair = new SessionPair()
    tells(pair.a, 1)
    pair.cut(1_000)
    pair.a.isFull = true
    const waiting = pair.a.session.whenWritable()!
    pair.clock.advance(1_000)
    await waiting
  })

  test('the other side is told when it can be, if it waited longer', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(a, 1)
    tells(b, 1)
    pair.flush()
    tells(b, 1, 2)
    a.lose(1_000)
    b.lose(60_000)
    pair.drop()
    pair.clock.advance(1_000)
    expect([a.ends.length, b.ends.length]).toEqual([1, 0])
    pair.heal()
    pair.flush()
    expect(b.ends).toMatchObject([{ number: 1, error: { name: 'SessionResetError' }, sent: 2 }])
    tells(b, 1, 3)
    pair.pass(ACK_DELAY_MS)
    expect([a.ends.length, b.ends.length]).toEqual([1, 1])
    expect(a.delivered).toEqual(['t1', 't3'])
    expectRest(pair)
  })

  test('the other side is told also if it never sent a message, and has nothing to send now', () => {
    const pair = new SessionPair()
    tells(pair.a, 1)
    pair.pass(ACK_DELAY_MS)
    pair.a.lose(1_000)
    pair.b.lose(60_000)
    pair.clock.advance(1_000)
    pair.heal()
    pair.flush()
    expect([pair.a.ends.length, pair.b.ends.length]).toEqual([1, 1])
    pair.pass(ACK_DELAY_MS)
    expectRest(pair)
  })

  test('one side’s messages underway then do not make resets answer resets for ever', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(a, 1)
    pair.flush()
    b.tell('never heard of')
    pair.drop()
    a.lose(1_000)
    b.lose(60_000)
    pair.clock.advance(1_000)
    pair.heal()
    b.tell('in the old session')
    for (let i = 0; i < 10; i++) {
      a.tell(`a${i}`)
      pair.flush()
      b.tell(`b${i}`)
      pair.pass(PROBE_DELAY_MS)
    }
    expect([a.ends.length, b.ends.length]).toEqual([1, 1])
    expect(a.delivered).toEqual(Array.from({ length: 10 }, (_, i) => `b${i}`))
    expect(b.delivered).toEqual(['t1', ...Array.from({ length: 10 }, (_, i) => `a${i}`)])
    expectRest(pair)
  })
})

describe('a reset', () => {
  test('is told again until the other side has heard of it', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(a, 1)
    tells(b, 1)
    pair.pass(ACK_DELAY_MS)
    a.session.reset(new SessionResetError('because'))
    for (let i = 0; i < 3; i++) {
      pair.drop()
      expect(b.ends).toEqual([])
      pair.clock.advance(PROBE_DELAY_MS * 2 ** i)
    }
    pair.flush()
    expect([a.ends.length, b.ends.length]).toEqual([1, 1])
    pair.pass(ACK_DELAY_MS)
    expectRest(pair)
  })

  test('is told with the first frame, and both have begun anew without time passing', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(a, 1)
    tells(b, 1)
    pair.flush()
    pair.log()
    a.session.reset(new SessionResetError('because'))
    expect(pair.log()).toEqual(['a: reset of 1', 'a: probe of 2'])
    pair.deliver(pair.wire.shift()!)
    expect(b.ends).toHaveLength(1)
    pair.flush()
    tells(a, 1, 2)
    tells(b, 1, 2)
    pair.flush()
    expect([a.delivered, b.delivered]).toEqual([texts(2), texts(2)])
    expect([a.ends.length, b.ends.length, pair.clock.now()]).toEqual([1, 1, 0])
  })

  test('by both at the same time is one for each', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(a, 1)
    tells(b, 1)
    pair.flush()
    a.session.reset(new SessionResetError('a says'))
    b.session.reset(new SessionResetError('b says'))
    tells(a, 1, 2)
    tells(b, 1, 2)
    pair.pass(ACK_DELAY_MS)
    expect([a.ends, b.ends]).toMatchObject([[{ error: { message: 'a says' } }], [{ error: { message: 'b says' } }]])
    expect([a.delivered, b.delivered]).toEqual([texts(2), texts(2)])
    expectRest(pair)
  })

  test('holds what is sent next until the other side knows, and nothing older arrives then', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(a, 2)
    tells(b, 2)
    const old = pair.drop()
    a.session.reset(new SessionResetError('because'))
    pair.log()
    a.tell('new')
    expect(pair.log()).toEqual([])
    for (const packet of old) pair.deliver(packet)
    pair.flush()
    for (const packet of old) pair.deliver(packet)
    pair.pass(PROBE_DELAY_MS)
    expect(a.delivered).toEqual([])
    expect(b.delivered).toEqual(['t1', 't2', 'new'])
    expect([a.ends.length, b.ends.length]).toEqual([1, 1])
    expectRest(pair)
  })

  test('of a session that never spoke is told to nobody', () => {
    const pair = new SessionPair()
    pair.a.session.reset(new UnreachableError('gone'))
    expect(pair.log()).toEqual([])
    tells(pair.a, 1)
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(['t1'])
    expect(pair.b.ends).toEqual([])
    expectRest(pair)
  })

  test('of a session that was over already ends nothing', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(a, 1)
    tells(b, 1)
    pair.flush()
    a.session.reset(new SessionResetError('first'))
    pair.flush()
    a.session.receive(forged({ kind: FRAME.reset, session: 1, id: 1 }), true)
    b.session.receive(forged({ kind: FRAME.reset, session: 1, id: 1 }), true)
    expect([a.ends.length, b.ends.length]).toEqual([1, 1])
  })

  test('between neighbours at a port loses nothing of the new session, and delivers nothing of the old', () => {
    const pair = new SessionPair(PORT)
    const { a, b } = pair
    tells(a, 1)
    tells(b, 1)
    pair.flush()
    b.tell('underway')
    a.session.reset(new SessionResetError('because'))
    a.tell('a new')
    pair.flush()
    b.tell('b new')
    // What waited for the new session was kept, and a port acknowledges nothing unless asked.
    pair.pass(2 * PROBE_DELAY_MS)
    expect([a.delivered, b.delivered]).toEqual([
      ['t1', 'b new'],
      ['t1', 'a new'],
    ])
    expect([a.ends.length, b.ends.length]).toEqual([1, 1])
    expectRest(pair)
  })

  test('at a port, of which one side had heard nothing, comes to rest too', () => {
    const pair = new SessionPair(PORT)
    const { a, b } = pair
    tells(a, 1)
    pair.drop()
    b.tell('underway')
    a.session.reset(new SessionResetError('because'))
    pair.flush()
    tells(a, 1, 2)
    tells(b, 1, 2)
    pair.pass(PROBE_DELAY_MS)
    expect([a.delivered, b.delivered]).toEqual([['t2'], ['t2']])
    expect([a.ends.length, b.ends.length]).toEqual([1, 1])
    expectRest(pair)
  })
})

describe('a peer that forgot', () => {
  test('resets this side once, and both go on', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(a, 2)
    tells(b, 2)
    pair.pass(ACK_DELAY_MS)
    a.begin()
    a.tell('again')
    pair.flush()
    expect(b.delivered).toEqual(['t1', 't2', 'again'])
    expect(b.ends).toMatchObject([{ number: 1, error: { name: 'SessionResetError' }, sent: 2 }])
    b.tell('again')
    pair.pass(PROBE_DELAY_MS)
    expect([a.delivered, b.delivered]).toEqual([
      ['t1', 't2', 'again'],
      ['t1', 't2', 'again'],
    ])
    expect([a.ends.length, b.ends.length]).toEqual([0, 1])
    expectRest(pair)
  })

  test('and hears from this side first comes to rest as well', () => {
    const pair = new SessionPair()
    const { a, b } = pair
    tells(b, 1)
    tells(a, 1)
    pair.pass(ACK_DELAY_MS)
    a.begin()
    b.tell('to whom')
    for (let i = 0; i < 10; i++) {
      pair.pass(PROBE_DELAY_MS)
      b.tell(`b${i}`)
      a.tell(`a${i}`)
    }
    pair.pass(PROBE_DELAY_MS)
    expect(a.ends.length).toBeLessThanOrEqual(1)
    expect(b.ends.length).toBeLessThanOrEqual(2)
    expect(a.delivered.slice(-5)).toEqual(['b5', 'b6', 'b7', 'b8', 'b9'])
    expect(b.delivered.slice(-5)).toEqual(['a5', 'a6', 'a7', 'a8', 'a9'])
    expectRest(pair)
  })
})

describe('objects that change owner', () => {
  const attachments = { values: ['object'], transfer: [] }

  test('go once, beside their frame, in order with the others', () => {
    const pair = new SessionPair()
    pair.a.tell('t1')
    pair.a.tell('t2', { attachments })
    pair.a.tell('t3')
    let got: unknown
    pair.b.onDeliver = (frame) => (got = frame.attachments ?? got)
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(3))
    expect(got).toEqual(['object'])
    expectRest(pair)
  })

  test('and were lost cannot be sent again: both sides are reset, typed', () => {
    const pair = new SessionPair()
    tells(pair.b, 1)
    tells(pair.a, 1)
    pair.flush()
    pair.a.tell('t2', { attachments })
    pair.cut()
    pair.drop()
    pair.heal()
    pair.flush()
    expect(pair.a.ends).toMatchObject([{ error: { name: 'SessionResetError' }, sent: 2 }])
    expect(pair.a.ends[0]!.error.message).toContain('cannot be sent again')
    expect(pair.b.ends).toMatchObject([{ error: { name: 'SessionResetError' } }])
    pair.pass(ACK_DELAY_MS)
    expectRest(pair)
  })

  test('and had arrived are no reason for a reset', () => {
    const pair = new SessionPair()
    pair.a.tell('t1', { attachments })
    pair.a.tell('t2')
    pair.deliver(pair.wire.shift()!)
    pair.cut()
    pair.drop()
    pair.heal()
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(2))
    expect(pair.a.ends).toEqual([])
    expectRest(pair)
  })

  test('that the platform refuses are an error for this message alone, which takes no number', () => {
    const pair = new SessionPair()
    pair.a.tell('t1')
    pair.a.way!.refuses = new NotSerialisableError('no')
    expect(() => pair.a.tell('refused', { attachments })).toThrow(NotSerialisableError)
    pair.a.tell('t2')
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(2))
    expectRest(pair)
  })

  test('do not wait for a way: not sent, typed, and the others do not mind', () => {
    const pair = new SessionPair()
    pair.a.tell('t1')
    pair.cut()
    pair.drop()
    pair.heal()
    const error = (() => {
      try {
        pair.a.tell('too early', { attachments })
        return undefined
      } catch (thrown) {
        return thrown
      }
    })()
    expect(error).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    expect(pair.a.session.isHolding).toBe(true)
    pair.a.tell('t2')
    pair.pass(ACK_DELAY_MS)
    expect(pair.a.session.isHolding).toBe(false)
    expect(pair.b.delivered).toEqual(texts(2))
    expectRest(pair)
  })
})

describe('a peer that says what cannot be', () => {
  /** A with three frames underway to B. */
  function underway(): SessionPair {
    const pair = new SessionPair()
    tells(pair.b, 1)
    pair.pass(ACK_DELAY_MS)
    tells(pair.a, 3)
    pair.log()
    return pair
  }
  function expectUnharmed(pair: SessionPair): void {
    expect(pair.log()).toEqual([])
    expect(pair.a.keptBytes).toBeGreaterThan(0)
    pair.pass(ACK_DELAY_MS)
    expect(pair.b.delivered).toEqual(texts(3))
    expect([pair.a.ends, pair.b.ends]).toEqual([[], []])
    expectRest(pair)
  }

  test.each([
    ['to have what was never sent', { count: 4 }],
    ['to have everything there can be', { count: Number.MAX_SAFE_INTEGER, flags: 1 }],
    ['to have frames of another session', { id: 2, count: 3 }],
    ['to want frames of another session', { id: 0, count: 0, flags: 1 }],
  ])('%s changes nothing', (_what, fields) => {
    const pair = underway()
    pair.a.session.receive(forged({ kind: FRAME.ack, session: 1, id: 1, ...fields }), true)
    expectUnharmed(pair)
  })

  test.each([
    ['not to have what it had', 0],
    ['to want again what it had', 1],
  ])('%s changes nothing', (_what, flags) => {
    const pair = underway()
    pair.a.session.receive(forged({ kind: FRAME.ack, session: 1, id: 1, count: 2 }), true)
    pair.a.session.receive(forged({ kind: FRAME.ack, session: 1, id: 1, count: 1, flags }), true)
    pair.a.session.receive(forged({ kind: FRAME.ack, session: 1, id: 1, count: 0, flags }), true)
    expectUnharmed(pair)
  })

  test.each([0, 5, Number.MAX_SAFE_INTEGER])('the end of session %d, which is not ours, changes nothing', (id) => {
    const pair = underway()
    pair.a.session.receive(forged({ kind: FRAME.reset, session: 1, id }), true)
    expectUnharmed(pair)
  })

  test('a probe of a session that is over is answered with its end', () => {
    const pair = underway()
    pair.a.session.reset(new SessionResetError('because'))
    pair.flush()
    pair.log()
    pair.a.session.receive(forged({ kind: FRAME.probe, session: 1 }), true)
    expect(pair.log()).toEqual(['a: reset of 1'])
  })

  test('frames of session 0, and frames numbered 0, are not delivered', () => {
    const pair = underway()
    pair.a.session.receive(forged({ kind: FRAME.tell, session: 0, seq: 1, type: 'x' }), true)
    pair.a.session.receive(forged({ kind: FRAME.tell, session: 1, seq: 0, type: 'x' }), true)
    pair.log()
    expect(pair.a.delivered).toEqual(['t1'])
    expectUnharmed(pair)
  })

  test('new sessions one after the other are each received from the beginning, and hold nothing', () => {
    const pair = underway()
    for (let session = 2; session < 50; session++) {
      for (const seq of [3, 2, 1])
        pair.a.session.receive(forged({ kind: FRAME.tell, session, seq, type: `${session}` }), true)
    }
    pair.drop()
    expect(pair.a.delivered).toEqual(['t1'])
    expect(pair.a.keptBytes).toBe(0)
    expect(pair.a.ends).toHaveLength(1)
    expect(pair.clock.pending).toBeLessThanOrEqual(4)
  })
})

describe('timers of a session', () => {
  test('never keep a process alive', () => {
    const pair = new SessionPair()
    const timers: boolean[] = []
    const { setTimer } = pair.clock
    pair.clock.setTimer = (callback, delayMs) => {
      const at = timers.push(true) - 1
      return { ...setTimer.call(pair.clock, callback, delayMs), hold: (keepsAlive) => void (timers[at] = keepsAlive) }
    }
    tells(pair.a, 3)
    pair.wire.splice(1, 1)
    pair.flush()
    pair.cut(1_000)
    pair.clock.advance(1_000)
    pair.heal()
    tells(pair.a, 1)
    pair.pass(20_000)
    expect(timers.length).toBeGreaterThan(5)
    expect(timers).toEqual(timers.map(() => false))
  })

  test('are cancelled by a reset; without a way there are none afterwards', () => {
    const pair = new SessionPair()
    tells(pair.a, 3)
    tells(pair.b, 3)
    pair.wire.splice(1, 1)
    pair.flush()
    expect(pair.clock.pending).toBeGreaterThan(2)
    pair.cut()
    for (const side of [pair.a, pair.b]) side.session.reset(new UnreachableError('gone for good'))
    expect(pair.clock.pending).toBe(0)
    pair.clock.advance(100_000)
    expect([pair.a.ends.length, pair.b.ends.length]).toEqual([1, 1])
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_HELD_BYTES, MAX_HELD_FRAMES, Sequence } from '../../src/remote/sequence.ts'

/** Does what its owner does with every answer; what was delivered, in order. */
class Receiver {
  readonly sequence = new Sequence<string>()
  readonly delivered: string[] = []
  resets = 0

  take(session: number, seq: number): string {
    const arrival = this.sequence.arrive(session, seq)
    const frame = `${session}/${seq}`
    switch (arrival) {
      case 'deliver':
        this.delivered.push(frame)
        for (let held = this.sequence.release(); held !== undefined; held = this.sequence.release())
          this.delivered.push(held)
        break
      case 'hold':
        this.sequence.hold(seq, frame, 1)
        break
      case 'new-session':
        this.reset()
        this.take(session, seq)
        break
      default:
    }
    return arrival
  }

  reset(): void {
    this.resets++
    this.sequence.reset()
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

describe('Sequence', () => {
  test('any order and any repetition within a session is delivered once, in order', () => {
    const arrivals = fc
      .integer({ min: 1, max: 60 })
      .chain((count) =>
        fc.tuple(
          fc.constant(count),
          fc.shuffledSubarray([...upTo(count), ...upTo(count)], { minLength: 0, maxLength: 2 * count }),
        ),
      )
    fc.assert(
      fc.property(arrivals, ([count, extra]) => {
        const receiver = new Receiver()
        // `extra` in any order, then every number again, so that each comes at least once.
        for (const seq of [...extra, ...upTo(count)]) receiver.take(7, seq)
        expect(receiver.delivered).toEqual(upTo(count).map((seq) => `7/${seq}`))
        expect(receiver.sequence.held).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test('whatever arrives of whatever sessions: each session is delivered as a prefix, sessions one after the other, an older one never again', () => {
    const arrival = fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({ session: fc.integer({ min: 1, max: 4 }), seq: fc.integer({ min: 1, max: 8 }) }),
      },
      { weight: 1, arbitrary: fc.constant('reset' as const) },
    )
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 200 }), (arrivals) => {
        const receiver = new Receiver()
        for (const item of arrivals) {
          if (item === 'reset') receiver.reset()
          else receiver.take(item.session, item.seq)
        }
        let session = 0
        let seq = 0
        for (const [s, q] of receiver.delivered.map((frame) => frame.split('/').map(Number) as [number, number])) {
          if (s !== session) {
            expect(s).toBeGreaterThan(session)
            session = s
            seq = 0
          }
          expect(q).toBe(++seq)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('a frame of a session that was reset is stale, however often it comes', () => {
    const receiver = new Receiver()
    receiver.take(3, 1)
    receiver.reset()
    expect([receiver.take(3, 2), receiver.take(3, 1), receiver.take(2, 1), receiver.take(3, 99)]).toEqual([
      'stale',
      'stale',
      'stale',
      'stale',
    ])
    expect(receiver.take(4, 1)).toBe('deliver')
  })

  test('a newer session ends the older one first, and is then received from its beginning', () => {
    const receiver = new Receiver()
    receiver.take(1, 1)
    receiver.take(1, 3)
    expect(receiver.take(2, 1)).toBe('new-session')
    expect(receiver.resets).toBe(1)
    receiver.take(1, 2)
    expect(receiver.delivered).toEqual(['1/1', '2/1'])
    expect(receiver.sequence.session).toBe(2)
  })

  test('the first frames of a session may come out of order', () => {
    const receiver = new Receiver()
    expect(receiver.take(5, 2)).toBe('hold')
    expect(receiver.take(5, 1)).toBe('deliver')
    expect(receiver.delivered).toEqual(['5/1', '5/2'])
  })

  test(`at most ${MAX_HELD_FRAMES} frames are held; what comes beyond that is taken when it comes again`, () => {
    const receiver = new Receiver()
    const last = 2 + MAX_HELD_FRAMES
    for (let seq = 2; seq < last; seq++) expect(receiver.take(1, seq)).toBe('hold')
    expect(receiver.take(1, last)).toBe('overflow')
    expect(receiver.take(1, 5)).toBe('drop')
    expect(receiver.sequence.held).toBe(MAX_HELD_FRAMES)
    expect(receiver.take(1, 1)).toBe('deliver')
    expect(receiver.take(1, last)).toBe('deliver')
    expect(receiver.delivered).toEqual(upTo(last).map((seq) => `1/${seq}`))
  })

  test(`no more frames are held once ${MAX_HELD_BYTES} bytes are, and released ones make room`, () => {
    const sequence = new Sequence<number>()
    for (const seq of [2, 3]) {
      expect(sequence.arrive(1, seq)).toBe('hold')
      sequence.hold(seq, seq, MAX_HELD_BYTES - 1)
    }
    expect(sequence.heldBytes).toBe(2 * MAX_HELD_BYTES - 2)
    expect(sequence.arrive(1, 5)).toBe('overflow')
    expect(sequence.arrive(1, 1)).toBe('deliver')
    expect([sequence.release(), sequence.release(), sequence.release()]).toEqual([2, 3, undefined])
    expect(sequence.heldBytes).toBe(0)
    expect(sequence.arrive(1, 5)).toBe('hold')
    sequence.hold(5, 5, 10)
    sequence.reset()
    expect([sequence.held, sequence.heldBytes]).toEqual([0, 0])
  })

  test('what was received is the last frame delivered, held ones not counted', () => {
    const receiver = new Receiver()
    expect(receiver.sequence.received).toBe(0)
    for (const seq of [1, 2, 5, 4]) receiver.take(1, seq)
    expect(receiver.sequence.received).toBe(2)
    receiver.take(1, 3)
    expect(receiver.sequence.received).toBe(5)
    receiver.reset()
    expect(receiver.sequence.received).toBe(0)
  })

  describe('a session the peer names outside of it', () => {
    test('is known when it is the first or the current one, new when it is higher, stale when it is lower or over', () => {
      const sequence = new Sequence<number>()
      expect([sequence.meet(3), sequence.session]).toEqual(['known', 3])
      expect([sequence.meet(3), sequence.meet(2), sequence.meet(4)]).toEqual(['known', 'stale', 'new-session'])
      expect(sequence.session).toBe(3)
      sequence.reset()
      expect([sequence.meet(3), sequence.meet(2), sequence.session]).toEqual(['stale', 'stale', 0])
      expect([sequence.meet(4), sequence.session]).toEqual(['known', 4])
    })

    test('after a reset that names the next one, that one is received from its beginning, and nothing before it', () => {
      const receiver = new Receiver()
      receiver.take(3, 1)
      receiver.sequence.reset(6)
      expect(receiver.sequence.session).toBe(6)
      expect([receiver.take(3, 2), receiver.take(4, 1), receiver.take(5, 1)]).toEqual(['stale', 'stale', 'stale'])
      expect(receiver.take(6, 1)).toBe('deliver')
      // The one being received, named again, begins again.
      receiver.sequence.reset(6)
      expect([receiver.sequence.session, receiver.sequence.received]).toEqual([6, 0])
    })

    test('a reset that names an older one goes back to nothing', () => {
      const receiver = new Receiver()
      receiver.take(5, 1)
      receiver.sequence.reset(3)
      expect([receiver.sequence.session, receiver.take(4, 1)]).toEqual([5, 'stale'])
      receiver.sequence.reset()
      receiver.sequence.reset(3)
      expect([receiver.sequence.session, receiver.take(3, 1), receiver.take(5, 1)]).toEqual([0, 'stale', 'stale'])
      expect(receiver.take(6, 1)).toBe('deliver')
    })
  })

  test('a reset forgets what was held', () => {
    const receiver = new Receiver()
    receiver.take(1, 2)
    receiver.reset()
    receiver.take(2, 1)
    expect(receiver.delivered).toEqual(['2/1'])
  })
})

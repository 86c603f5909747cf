import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_LOG_BYTES, MAX_LOG_FRAMES, Readdresser, SendLog } from '../../src/remote/send-log.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'

function frame(seq: number, payloadBytes = 0, fields: Partial<Frame> = {}): Frame {
  return Object.assign(new Frame(), {
    kind: FRAME.tell,
    session: 1,
    seq,
    type: `t${seq}`,
    payload: new Uint8Array(payloadBytes).fill(seq),
    ...fields,
  })
}

/** Adds a frame addressed to the neighbour; its bytes. */
function add(log: SendLog, added: Frame): Uint8Array {
  const { chunk, start, end } = log.add(added, true)
  return chunk!.subarray(start, end)
}

function read(bytes: Uint8Array): Frame {
  const reader = new FrameReader()
  reader.open(bytes)
  const read = new Frame()
  expect(reader.next(read)).toBe(true)
  expect(reader.end).toBe(bytes.byteLength)
  return read
}

/** Takes out what is unsent, as who sends it does. */
function send(log: SendLog): number[] {
  const sent: number[] = []
  for (let next = log.unsent; next !== undefined; next = log.unsent) {
    sent.push(next.seq)
    log.markSent(next)
  }
  return sent
}

describe('SendLog', () => {
  test('what was added is unsent until it is marked, in order, once; all of it again after a rewind', () => {
    const log = new SendLog()
    for (let seq = 1; seq <= 5; seq++) log.add(frame(seq), true)
    expect(send(log)).toEqual([1, 2, 3, 4, 5])
    expect(send(log)).toEqual([])
    log.add(frame(6), true)
    expect(send(log)).toEqual([6])
    log.rewind()
    expect(send(log)).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('what was acknowledged is forgotten and never unsent again', () => {
    const log = new SendLog()
    for (let seq = 1; seq <= 5; seq++) log.add(frame(seq), true)
    send(log)
    log.acknowledge(3)
    expect([log.first, log.size]).toEqual([4, 2])
    log.rewind()
    expect(send(log)).toEqual([4, 5])
    log.rewind()
    log.acknowledge(4)
    expect(send(log)).toEqual([5])
    log.acknowledge(99)
    expect([log.first, log.size, log.bytes, log.unsent]).toEqual([undefined, 0, 0, undefined])
  })

  test('bytes are those of whole frames, as they are given out', () => {
    const log = new SendLog()
    const small = add(log, frame(1))
    const large = add(log, frame(2, 70_000))
    expect(log.bytes).toBe(small.byteLength + large.byteLength)
    expect(large.byteLength).toBeGreaterThan(70_000)
    log.acknowledge(1)
    expect(log.bytes).toBe(large.byteLength)
    log.clear()
    expect([log.bytes, log.size, log.unsent]).toEqual([0, 0, undefined])
  })

  test(`is full with ${MAX_LOG_FRAMES} frames, or ${MAX_LOG_BYTES} bytes, and takes more all the same`, () => {
    const frames = new SendLog()
    for (let seq = 1; seq < MAX_LOG_FRAMES; seq++) frames.add(frame(seq), true)
    expect(frames.isFull).toBe(false)
    frames.add(frame(MAX_LOG_FRAMES), true)
    expect(frames.isFull).toBe(true)
    frames.add(frame(MAX_LOG_FRAMES + 1), true)
    expect(frames.size).toBe(MAX_LOG_FRAMES + 1)
    frames.acknowledge(2)
    expect(frames.isFull).toBe(false)

    const bytes = new SendLog()
    bytes.add(frame(1, MAX_LOG_BYTES - 1000), true)
    expect(bytes.isFull).toBe(false)
    bytes.add(frame(2, 1000), true)
    expect(bytes.isFull).toBe(true)
  })

  test('a frame that went with its objects is known by its number alone', () => {
    const log = new SendLog()
    log.add(frame(1), true)
    send(log)
    log.addGone(2)
    log.add(frame(3), true)
    expect(log.unsent?.seq).toBe(3)
    log.rewind()
    log.acknowledge(1)
    expect(log.unsent).toEqual({ seq: 2, chunk: undefined, start: 0, end: 0, isToNeighbour: true, isAnswer: false })
    log.acknowledge(2)
    expect(log.unsent?.seq).toBe(3)
  })

  test('bytes given out stay what they were, whatever is added later', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 70_000 })), { minLength: 1, maxLength: 40 }),
        fc.nat({ max: 2_000 }),
        (sizes, nameLength) => {
          const log = new SendLog()
          const type = 'n'.repeat(nameLength)
          const given = sizes.map((size, i) => add(log, frame(i + 1, size, { type })))
          log.acknowledge(sizes.length / 2)
          log.add(frame(sizes.length + 1, 100), true)
          for (const [i, bytes] of given.entries()) {
            const { seq, type: readType, payload } = read(bytes)
            expect([seq, readType.length, payload.byteLength]).toEqual([i + 1, nameLength, sizes[i]])
            expect(payload.every((byte) => byte === ((i + 1) & 0xff))).toBe(true)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('acts as a list with a mark in it, whatever is done', () => {
    const action = fc.oneof(
      fc.constant('add' as const),
      fc.constant('send' as const),
      fc.constant('rewind' as const),
      fc.nat({ max: 40 }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
        const log = new SendLog()
        let kept: number[] = []
        let sent = 0
        let next = 1
        for (const done of actions) {
          if (done === 'add') {
            log.add(frame(next), true)
            kept.push(next++)
          } else if (done === 'send') {
            if (log.unsent) {
              log.markSent(log.unsent!)
              sent++
            }
          } else if (done === 'rewind') {
            log.rewind()
            sent = 0
          } else {
            const before = kept.length
            log.acknowledge(done)
            kept = kept.filter((seq) => seq > done)
            sent = Math.max(0, sent - (before - kept.length))
          }
          expect([log.size, log.first, log.unsent?.seq]).toEqual([kept.length, kept[0], kept[sent]])
        }
        log.acknowledge(next)
        expect(log.bytes).toBe(0)
      }),
      { numRuns: 300 },
    )
  })
})

describe('Readdresser', () => {
  test('changes the head that names the way, and nothing else', () => {
    const log = new SendLog()
    const ask = frame(7, 40_000, {
      kind: FRAME.ask,
      id: 3,
      actor: 'a'.repeat(22),
      sender: 's'.repeat(22),
      timeout: 1000,
      flags: 5,
      stream: 2,
      window: 9,
    })
    const readdresser = new Readdresser((out) => Object.assign(out, { hops: 4, to: 'you', from: 'me' }))
    const item = frame(8, 3, { kind: FRAME.item, id: 4 })
    for (const original of [ask, item]) {
      const bytes = readdresser.rewrite(add(log, original))
      const { kind, session, seq, id, actor, sender, timeout, flags, stream, window, type, payload } = original
      expect(read(bytes)).toMatchObject({
        ...{ hops: 4, to: 'you', from: 'me', kind, session, seq, id, flags, type },
        ...(original === ask ? { actor, sender, timeout, stream, window } : {}),
        payload,
      })
    }
  })

  test('what it gave out stays, whatever it rewrites next', () => {
    const log = new SendLog()
    const readdresser = new Readdresser((out) => Object.assign(out, { to: 'you' }))
    const [first, second] = [add(log, frame(1, 10)), add(log, frame(2, 10))]
    const rewritten = readdresser.rewrite(first)
    readdresser.rewrite(second)
    expect([read(rewritten).seq, read(rewritten).to]).toEqual([1, 'you'])
  })
})

describe('buffers of large frames', () => {
  const LARGE = 64 * 1024
  const chunkOf = (log: SendLog, seq: number): Uint8Array => {
    const logged = log.add(frame(seq, LARGE), true)
    log.markSent(logged)
    return logged.chunk!
  }

  test('serve again once the peer has what is in them, and the link has sent it', () => {
    const log = new SendLog()
    const first = chunkOf(log, 1)
    const second = chunkOf(log, 2)
    log.acknowledge(1, true)
    expect([chunkOf(log, 3) === first, chunkOf(log, 4) === second]).toEqual([true, false])
    expect(read(second.subarray(0, log.bytes / 3)).payload[0]).toBe(2)
  })

  test('do not where the link has not, whatever the peer says', () => {
    const log = new SendLog()
    const first = chunkOf(log, 1)
    log.acknowledge(1)
    expect(chunkOf(log, 2) === first).toBe(false)
  })

  test.each([
    ['were sent again', (log: SendLog) => log.rewind()],
    ['were on their way when another way began', (log: SendLog) => log.keepSent()],
  ])('do not where they %s', (_what, happen) => {
    const log = new SendLog()
    const chunks = [chunkOf(log, 1), chunkOf(log, 2)]
    happen(log)
    send(log)
    const third = chunkOf(log, 3)
    log.acknowledge(3, true)
    const next = chunkOf(log, 4)
    expect([chunks.includes(next), next === third]).toEqual([false, true])
  })

  test('are let go of when nothing is sent for a while', () => {
    const log = new SendLog()
    const first = chunkOf(log, 1)
    chunkOf(log, 2)
    log.acknowledge(2, true)
    log.trim()
    expect(chunkOf(log, 3) === first).toBe(false)
  })

  test('whatever happens, what is kept stays as it was', () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant('add'), bytes: fc.constantFrom(10, 31_000, 33_000, 33_100, 40_000) }),
      fc.record({ does: fc.constant('acknowledge'), count: fc.nat(4), isAllRead: fc.boolean() }),
      fc.record({ does: fc.constantFrom('rewind', 'keepSent', 'trim', 'send') }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const log = new SendLog()
        const kept = new Map<number, { view: Uint8Array; copy: Uint8Array }>()
        let seq = 0
        for (const one of steps) {
          if (one.does === 'add') {
            const view = add(log, frame(++seq, (one as { bytes: number }).bytes))
            kept.set(seq, { view, copy: view.slice() })
          } else if (one.does === 'acknowledge') {
            const { count, isAllRead } = one as { count: number; isAllRead: boolean }
            const to = Math.min(seq, (log.first ?? seq + 1) - 1 + count)
            log.acknowledge(to, isAllRead)
            for (const each of [...kept.keys()]) if (each <= to) kept.delete(each)
          } else if (one.does === 'send') send(log)
          else log[one.does as 'rewind' | 'keepSent' | 'trim']()
          for (const { view, copy } of kept.values()) expect(Buffer.compare(view, copy)).toBe(0)
        }
      }),
      { numRuns: 150 },
    )
  })
})

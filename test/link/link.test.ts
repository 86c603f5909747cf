import { AuthError, OverloadedError, ProtocolError, UnreachableError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { CHECK_EVERY_MS, GONE_AFTER_MS, PROBE_AFTER_MS } from '../../src/link/heartbeat.ts'
import { MAX_BLOCKED_BYTES } from '../../src/link/link.ts'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { FRAME, Frame, GOAWAY } from '../../src/wire/frame.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import type { Clock, Timer } from '../../src/base/clock.ts'
import { batch, hello, LinkEnd, linkPair, linkToRaw, type PairOptions, RawEnd, turn, welcome } from './link-ends.ts'

async function openPair(options?: PairOptions) {
  const pair = linkPair(options)
  await Promise.all([pair.a.whenOpen, pair.b.whenOpen])
  return pair
}

async function openToRaw(): Promise<{ clock: ManualClock; end: LinkEnd; raw: RawEnd }> {
  const ends = linkToRaw()
  ends.raw.send(hello())
  ends.raw.send(welcome())
  await ends.end.whenOpen
  await turn()
  return ends
}

const tell = (type: string, bytes = 0): Frame => Object.assign(new Frame(), { kind: FRAME.tell, actor: 'x', type, payload: new Uint8Array(bytes) })

describe('frames over a link', () => {
  test('arrive in order, both ways', async () => {
    const { a, b } = await openPair()
    for (let i = 0; i < 100; i++) {
      a.link.send(tell(`a${i}`))
      b.link.send(tell(`b${i}`))
    }
    const [atA, atB] = [await a.frames.atLeast(100), await b.frames.atLeast(100)]
    expect(atA.map(({ type }) => type)).toEqual(Array.from({ length: 100 }, (_, i) => `b${i}`))
    expect(atB.map(({ type }) => type)).toEqual(Array.from({ length: 100 }, (_, i) => `a${i}`))
  })

  test('of one turn leave in one batch, those of promises that settle in it included', async () => {
    const { end, raw } = await openToRaw()
    const before = raw.batches.all.length
    end.link.send(tell('1'))
    void Promise.resolve().then(() => end.link.send(tell('2'))).then(() => end.link.send(tell('3')))
    end.link.send(tell('4'))
    await turn()
    expect(raw.batches.all.length - before).toBe(1)
    expect(raw.frames.all.slice(-4).map(({ type }) => type)).toEqual(['1', '4', '2', '3'])
  })

  test('of later turns leave in batches of their own', async () => {
    const { end, raw } = await openToRaw()
    const before = raw.batches.all.length
    end.link.send(tell('1'))
    await turn()
    end.link.send(tell('2'))
    await turn()
    expect(raw.batches.all.length - before).toBe(2)
  })

  test('a turn that never settles does not hold its frames back', async () => {
    const { end, raw } = await openToRaw()
    let isSpinning = true
    const spin = async (): Promise<void> => {
      for (let i = 0; isSpinning && i < 10_000; i++) {
        end.link.send(tell('spin'))
        await Promise.resolve()
      }
    }
    const before = raw.batches.all.length
    const spinning = spin()
    await raw.batches.atLeast(before + 1)
    isSpinning = false
    await spinning
  })

  test('attachments arrive beside the frame they were sent with', async () => {
    const { a, b } = await openPair()
    const [first, second] = [new ArrayBuffer(1), new ArrayBuffer(2)]
    a.link.send(tell('none'))
    a.link.send(Object.assign(tell('one'), { flags: 1 << 3 }), { values: [first], transfer: [first] })
    a.link.send(tell('none'))
    a.link.send(Object.assign(tell('one'), { flags: 1 << 3 }), { values: [second], transfer: [second] })
    const frames = await b.frames.atLeast(4)
    expect(frames.map(({ attachments }) => attachments)).toEqual([undefined, [first], undefined, [second]])
  })

  test('a frame that claims attachments that are not there ends the link', async () => {
    const { end, raw } = await openToRaw()
    raw.send(batch({ kind: FRAME.tell, actor: 'x', flags: 3 << 3 }))
    expect(await end.whenOver).toBeInstanceOf(ProtocolError)
    expect(end.frames.all).toEqual([])
  })
})

describe('bad input on an open link', () => {
  test.each([
    ['garbage', Uint8Array.of(0xff, 1, 2)],
    ['a frame cut short', batch({ kind: FRAME.tell, actor: 'somebody' }).subarray(0, 9)],
    ['an unknown critical frame', Uint8Array.of(0x82, 0x18, 0xff, 0x61, 0x61)],
    ['a second hello', hello()],
    ['a second welcome', welcome()],
  ])('%s ends that link with a ProtocolError, told to the neighbour; another link goes on', async (_what, bytes) => {
    const other = await openPair()
    const { end, raw } = await openToRaw()
    raw.send(bytes)
    expect(await end.whenOver).toBeInstanceOf(ProtocolError)
    expect(end.events).toEqual(['opened', 'closed'])
    await raw.whenOver
    expect(raw.frames.all.at(-1)).toMatchObject({ kind: FRAME.goaway, id: GOAWAY.protocol })
    other.a.link.send(tell('still'))
    expect((await other.b.frames.atLeast(1))[0]).toMatchObject({ type: 'still' })
  })

  test('frames before the garbage count, frames after it do not', async () => {
    const { end, raw } = await openToRaw()
    raw.send(Uint8Array.from([...batch(tell('before')), 0xff, ...batch(tell('after'))]))
    raw.send(batch(tell('later')))
    await end.whenOver
    expect(end.frames.all.map(({ type }) => type)).toEqual(['before'])
  })

  test('unknown even frames and fields of a later version change nothing', async () => {
    const { end, raw } = await openToRaw()
    raw.send(Uint8Array.of(0x83, 0x18, 0x64, 0x63, 0x61, 0x62, 0x63, 0x42, 1, 2, 0x83, FRAME.ping, 7, 0x61, 0x61))
    raw.send(batch(tell('next')))
    expect((await end.frames.atLeast(1))[0]).toMatchObject({ type: 'next' })
    expect(raw.frames.all.at(-1)).toMatchObject({ kind: FRAME.pong, id: 7 })
  })

  test('an owner that throws ends the link, once', async () => {
    const { a, b } = await openPair()
    b.received = () => {
      throw new ProtocolError('expected something else, got this')
    }
    a.link.send(tell('1'))
    expect(await b.whenOver).toMatchObject({ name: 'ProtocolError' })
    expect(await a.whenOver).toMatchObject({ name: 'ProtocolError', message: expect.stringContaining('something else') as string })
  })
})

describe('the end of a link', () => {
  test('close lets everything sent leave, and is clean on both sides', async () => {
    const { a, b } = await openPair()
    for (let i = 0; i < 50; i++) a.link.send(tell(`${i}`, 10_000))
    a.link.close()
    expect([await a.whenOver, await b.whenOver]).toEqual([undefined, undefined])
    expect(b.frames.all.length).toBe(50)
    await Promise.all([a.link.over, b.link.over])
  })

  test.each([
    [GOAWAY.leaving, undefined],
    [GOAWAY.duplicate, undefined],
    [GOAWAY.auth, AuthError],
    [GOAWAY.unsupported, ProtocolError],
    [GOAWAY.protocol, ProtocolError],
    [GOAWAY.overloaded, UnreachableError],
    [99, UnreachableError],
  ])('a goodbye with code %i is told to the owner as what it is', async (code, Class) => {
    const { a, b } = await openPair()
    a.link.close(code, 'because of this')
    const error = await b.whenOver
    if (Class === undefined) expect(error).toBeUndefined()
    else {
      expect(error).toBeInstanceOf(Class)
      expect(error!.message).toContain('because of this')
    }
  })

  test('abort is an UnreachableError on both sides', async () => {
    const { a, b } = await openPair()
    a.link.abort('test')
    expect(await a.whenOver).toBeInstanceOf(UnreachableError)
    expect(await b.whenOver).toBeInstanceOf(UnreachableError)
  })

  test('after the end sending does nothing and waits for nothing', async () => {
    const { a, b } = await openPair()
    a.link.close()
    await Promise.all([a.whenOver, b.whenOver])
    expect(a.link.send(tell('late'))).toBe(false)
    await a.link.whenWritable()
    a.link.close()
    a.link.abort('again')
    await turn()
    expect([a.events, b.events]).toEqual([['opened', 'closed'], ['opened', 'closed']])
    expect(b.frames.all).toEqual([])
  })
})

describe('back-pressure', () => {
  test('a full connection blocks the link until the neighbour has taken what was sent', async () => {
    const { a, b } = await openPair({ windowBytes: 1000 })
    expect(a.link.isBlocked).toBe(false)
    await a.link.whenWritable()
    a.link.send(tell('big', 5000))
    await turn(1)
    const blocked = a.link.isBlocked || b.frames.all.length === 1
    expect(blocked).toBe(true)
    await a.link.whenWritable()
    await b.frames.atLeast(1)
    await turn()
    expect(a.link.isBlocked).toBe(false)
    expect(a.link.send(tell('next'))).toBe(true)
  })

  test('send answers false once a batch was too much, and everything arrives all the same', async () => {
    const { a, b } = await openPair({ windowBytes: 1000 })
    expect(a.link.send(tell('1', 100_000))).toBe(false)
    expect(a.link.isBlocked).toBe(true)
    expect(a.link.send(tell('2'))).toBe(false)
    await a.link.whenWritable()
    expect((await b.frames.atLeast(2)).map(({ type }) => type)).toEqual(['1', '2'])
  })

  test('the end of the link settles those who wait for room', async () => {
    const clock = new ManualClock()
    const [near, far] = memoryPair({ windowBytes: 1000 })
    const a = new LinkEnd(near, clock, { isDialer: true })
    const b = new LinkEnd(far, clock)
    await Promise.all([a.whenOpen, b.whenOpen])
    a.link.send(tell('1', 100_000))
    const waiting = a.link.whenWritable()
    b.link.abort('test')
    await waiting
    await a.whenOver
  })

  test('a neighbour that takes nothing is given up when 32 MiB wait for it', async () => {
    const clock = new ManualClock()
    const [near] = memoryPair({ windowBytes: 1000 })
    const [open, far] = memoryPair()
    // A connection that says hello and then never takes another byte.
    let isFull = false
    const stuck = { ...forward(open), send: (bytes: Uint8Array) => open.send(bytes) && !isFull }
    const a = new LinkEnd(stuck, clock)
    const b = new LinkEnd(far, clock)
    await Promise.all([a.whenOpen, b.whenOpen])
    isFull = true
    const count = MAX_BLOCKED_BYTES / 1_000_000
    for (let i = 0; i <= count; i++) a.link.send(tell('1', 1_000_000))
    expect(await a.whenOver).toBeInstanceOf(OverloadedError)
    near.abort()
  })
})

function forward(connection: ReturnType<typeof memoryPair>[0]): ReturnType<typeof memoryPair>[0] {
  return {
    maxBatchBytes: connection.maxBatchBytes,
    transfers: connection.transfers,
    open: (handler) => connection.open(handler),
    send: (bytes, attachments) => connection.send(bytes, attachments),
    close: () => connection.close(),
    abort: (reason) => connection.abort(reason),
  }
}

describe('the heartbeat of a link', () => {
  const countPings = (raw: RawEnd): number => raw.frames.all.filter(({ kind }) => kind === FRAME.ping).length

  /** Time passes in steps of the check, each with its turn. */
  async function pass(clock: ManualClock, ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += CHECK_EVERY_MS) {
      clock.advance(CHECK_EVERY_MS)
      await turn()
    }
  }

  test('probes after 15 s of silence and gives up after 40 s', async () => {
    const { clock, end, raw } = await openToRaw()
    await pass(clock, PROBE_AFTER_MS - CHECK_EVERY_MS)
    expect(countPings(raw)).toBe(0)
    await pass(clock, CHECK_EVERY_MS)
    expect(countPings(raw)).toBe(1)
    await pass(clock, GONE_AFTER_MS - PROBE_AFTER_MS - CHECK_EVERY_MS)
    expect(end.link.isOpen).toBe(true)
    await pass(clock, CHECK_EVERY_MS)
    expect(await end.whenOver).toMatchObject({ name: 'UnreachableError', message: expect.stringContaining('silence') as string })
    expect(countPings(raw)).toBe(1)
  })

  test('two links that have nothing to say keep each other alive for ever', async () => {
    const { clock, a, b } = await openPair()
    await pass(clock, 10 * GONE_AFTER_MS)
    expect([a.link.isOpen, b.link.isOpen]).toEqual([true, true])
  })

  test('any frame counts as life, without any probe', async () => {
    const { clock, end, raw } = await openToRaw()
    for (let i = 0; i < 20; i++) {
      await pass(clock, PROBE_AFTER_MS - CHECK_EVERY_MS)
      raw.send(batch(tell('alive')))
      await turn()
    }
    expect(end.link.isOpen).toBe(true)
    expect(countPings(raw)).toBe(0)
  })

  test('a node that slept probes before it accuses', async () => {
    const clock = new SleepyClock()
    const [near, far] = memoryPair()
    const end = new LinkEnd(near, clock)
    const raw = new RawEnd(far)
    raw.send(hello())
    raw.send(welcome())
    await end.whenOpen
    clock.sleep(3_600_000)
    await turn()
    expect(end.link.isOpen).toBe(true)
    expect(countPings(raw)).toBe(1)
    raw.send(batch({ kind: FRAME.pong, id: 0 }))
    await turn()
    clock.sleep(CHECK_EVERY_MS)
    clock.sleep(CHECK_EVERY_MS)
    expect(end.link.isOpen).toBe(true)
  })

  test('a node that slept gives up a neighbour that does not answer the probe either', async () => {
    const clock = new SleepyClock()
    const [near, far] = memoryPair()
    const end = new LinkEnd(near, clock)
    const raw = new RawEnd(far)
    raw.send(hello())
    raw.send(welcome())
    await end.whenOpen
    clock.sleep(3_600_000)
    for (let passed = 0; passed < PROBE_AFTER_MS; passed += CHECK_EVERY_MS) clock.sleep(CHECK_EVERY_MS)
    expect(await end.whenOver).toBeInstanceOf(UnreachableError)
  })
})

/** The clock of a process that freezes: time jumps, then every timer that is due runs, late. */
class SleepyClock implements Clock {
  #now = 0
  readonly #timers = new Map<object, { readonly at: number; readonly callback: () => void }>()

  now(): number {
    return this.#now
  }
  setTimer(callback: () => void, delayMs: number): Timer {
    const key = {}
    this.#timers.set(key, { at: this.#now + delayMs, callback })
    return { cancel: () => void this.#timers.delete(key), hold: () => undefined }
  }
  sleep(ms: number): void {
    this.#now += ms
    for (const [key, { at, callback }] of [...this.#timers]) {
      if (at <= this.#now && this.#timers.delete(key)) callback()
    }
  }
}

import { OverloadedError, UnreachableError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import type { Clock, Timer } from '../../src/base/clock.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import type { Connection } from '../../src/link/connection.ts'
import { CHECK_EVERY_MS, GONE_AFTER_MS, PROBE_AFTER_MS, RELAY_PATIENCE } from '../../src/link/heartbeat.ts'
import { MAX_BLOCKED_BYTES } from '../../src/link/link.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { batch, hello, LinkEnd, openPair, openToRaw, RawEnd, tell, turn, welcome } from './link-ends.ts'

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
    const a = new LinkEnd(near, clock)
    const b = new LinkEnd(far, clock)
    await Promise.all([a.whenOpen, b.whenOpen])
    a.link.send(tell('1', 100_000))
    const waiting = a.link.whenWritable()
    b.link.abort('test')
    await waiting
    await a.whenOver
  })

  test.each([
    ['a neighbour that takes nothing is given up when 32 MiB wait for it', true],
    ['a slow neighbour that takes what it is sent is not given up, however much that is in all', false],
  ])('%s', async (_promise, isStuck) => {
    const clock = new ManualClock()
    const [open, far] = memoryPair()
    // A connection that, once it is full, says so for ever; what waits in it is what the case says.
    let isFull = false
    let waiting = 0
    const full = {
      ...forward(open),
      send: (bytes: Uint8Array) => {
        if (isFull && isStuck) waiting += bytes.byteLength
        return open.send(bytes) && !isFull
      },
    }
    Object.defineProperty(full, 'waitingBytes', { get: () => waiting })
    const a = new LinkEnd(full, clock)
    const b = new LinkEnd(far, clock)
    await Promise.all([a.whenOpen, b.whenOpen])
    isFull = true
    const count = MAX_BLOCKED_BYTES / 1_000_000
    for (let i = 0; i <= count; i++) a.link.send(tell('1', 1_000_000))
    if (isStuck) expect(await a.whenOver).toBeInstanceOf(OverloadedError)
    else expect([a.link.isOpen, a.link.isBlocked]).toEqual([true, true])
    open.abort()
  })
})

function forward(connection: ReturnType<typeof memoryPair>[0]): ReturnType<typeof memoryPair>[0] {
  return {
    maxBatchBytes: connection.maxBatchBytes,
    get waitingBytes() {
      return connection.waitingBytes
    },
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
    expect(await end.whenOver).toMatchObject({
      name: 'UnreachableError',
      message: expect.stringContaining('silence') as string,
    })
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

  test.each([
    ['a leaf', 'leaf', ['suspended', 'awake']],
    ['a relay, which answers for itself or not at all,', 'relay', []],
  ] as const)('%s whose platform answers and whose program does not', async (_who, kind, told) => {
    const clock = new ManualClock()
    const [near, far] = memoryPair()
    let alive = (): void => undefined
    const answering: Connection = {
      ...forward(near),
      open: (handler) => {
        alive = () => handler.alive!()
        near.open(handler)
      },
      probe: () => alive(),
    }
    const end = new LinkEnd(answering, clock)
    const raw = new RawEnd(far)
    raw.send(hello({ kind }))
    raw.send(welcome())
    await end.whenOpen
    await pass(clock, 10 * GONE_AFTER_MS)
    expect(end.link.isOpen).toBe(kind === 'leaf')
    if (kind === 'leaf') {
      expect([end.link.isSuspended, end.suspensions]).toEqual([true, ['suspended']])
      raw.send(batch({ kind: FRAME.pong, id: 0 }))
      await turn()
      expect(end.link.isSuspended).toBe(false)
      // And is gone, as anybody is, once the platform is silent too.
      alive = () => undefined
      await pass(clock, GONE_AFTER_MS)
      expect(await end.whenOver).toBeInstanceOf(UnreachableError)
    }
    expect(end.suspensions).toEqual(told)
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
  afterTurn(callback: () => void): void {
    macrotask(callback)
  }
  sleep(ms: number): void {
    this.#now += ms
    for (const [key, { at, callback }] of [...this.#timers]) {
      if (at <= this.#now && this.#timers.delete(key)) callback()
    }
  }
}

test.each([
  ['a leaf with its relay', 'leaf', 'relay', 8_000, 20_000],
  ['a relay with another, to which it says nothing,', 'relay', 'relay', 38_000, 41_000],
  ['a relay with its leaf', 'relay', 'leaf', PROBE_AFTER_MS, GONE_AFTER_MS],
] as const)('%s waits so long for a sign of life', async (_who, own, other, probeAfterMs, goneAfterMs) => {
  const clock = new ManualClock()
  const [near, far] = memoryPair()
  const raw = new RawEnd(far)
  const end = new LinkEnd(near, clock, { kind: own })
  raw.send(hello({ kind: other }))
  raw.send(welcome())
  await end.whenOpen
  const at: { ping?: number; gone?: number } = {}
  void end.whenOver.then(() => (at.gone = clock.now() - openedAt))
  const openedAt = clock.now()
  while (at.gone === undefined) {
    clock.advance(1_000)
    await turn()
    if (raw.frames.all.some(({ kind }) => kind === FRAME.ping)) at.ping ??= clock.now() - openedAt
  }
  expect(at.ping).toBeGreaterThanOrEqual(probeAfterMs)
  expect(at.ping).toBeLessThanOrEqual(probeAfterMs + CHECK_EVERY_MS)
  expect(at.gone).toBeGreaterThanOrEqual(goneAfterMs)
  expect(at.gone).toBeLessThanOrEqual(goneAfterMs + CHECK_EVERY_MS)
})

describe('a link between relays', () => {
  async function relayToRaw(): Promise<{ clock: ManualClock; end: LinkEnd; raw: RawEnd; openedAt: number }> {
    const clock = new ManualClock()
    const [near, far] = memoryPair()
    const raw = new RawEnd(far)
    const end = new LinkEnd(near, clock, { kind: 'relay' })
    raw.send(hello({ kind: 'relay' }))
    raw.send(welcome())
    await end.whenOpen
    await turn()
    return { clock, end, raw, openedAt: clock.now() }
  }
  /** When it was over, at most `limitMs` from now. */
  async function overAfter(clock: ManualClock, end: LinkEnd, limitMs: number): Promise<number | undefined> {
    const from = clock.now()
    while (end.link.isOpen && clock.now() - from < limitMs) {
      clock.advance(RELAY_PATIENCE.checkEveryMs)
      await turn()
    }
    return end.link.isOpen ? undefined : clock.now() - from
  }
  const pings = (raw: RawEnd): number => raw.frames.all.filter(({ kind }) => kind === FRAME.ping).length

  test('over which something is sent has died after 6 s of silence', async () => {
    const { clock, end, raw } = await relayToRaw()
    end.link.send(tell('anything'))
    expect(await overAfter(clock, end, 60_000)).toBe(6_000)
    expect(pings(raw)).toBe(1)
  })

  test('that was asked for a sign of life has died when the time for it is over', async () => {
    const { clock, end, raw } = await relayToRaw()
    expect(await overAfter(clock, end, 20_000)).toBeUndefined()
    end.link.probe(3_000)
    end.link.probe(3_000)
    expect(end.link.probedAt).toBe(clock.now())
    expect(await overAfter(clock, end, 60_000)).toBe(3_000)
    expect(pings(raw)).toBe(1)
  })

  test('asked without a time has all of it', async () => {
    const { clock, end, raw } = await relayToRaw()
    end.link.probe()
    expect(end.link.probedAt).toBeUndefined()
    expect(await overAfter(clock, end, 30_000)).toBeUndefined()
    expect(pings(raw)).toBe(1)
  })

  test('owes nothing for an answer: who is only asked does not ask', async () => {
    const { clock, end, raw } = await relayToRaw()
    for (let i = 0; i < 20; i++) {
      expect(await overAfter(clock, end, 30_000)).toBeUndefined()
      raw.send(batch({ kind: FRAME.ping, id: 0 }))
      await turn()
    }
    expect(pings(raw)).toBe(0)
    expect(raw.frames.all.filter(({ kind }) => kind === FRAME.pong)).toHaveLength(20)
  })

  test('of a node that is not well has that much more time', async () => {
    const clock = new ManualClock()
    const [near, far] = memoryPair()
    const raw = new RawEnd(far)
    const end = new LinkEnd(near, clock, { kind: 'relay', awareness: { slack: 3 } })
    raw.send(hello({ kind: 'relay' }))
    raw.send(welcome())
    await end.whenOpen
    await turn()
    end.link.probe(3_000)
    expect(await overAfter(clock, end, 60_000)).toBe(9_000)
  })
})

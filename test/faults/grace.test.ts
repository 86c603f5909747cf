/** A way that stays away for longer than the grace of a session: everybody is told, once, and it goes on in a new session. */
import { type ActorSystem, Message, StreamMessage } from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { away, joined, outcomeOf } from '../system/systems.ts'
import { Network, PROMPT } from './networks.ts'
import { passUntilDialled } from './passing-time.ts'
import type { TcpProxy } from './tcp-proxy.ts'
import { asks, complaints, reads, tells, turns, upTo, writes } from './witness.ts'

const GRACE_MS = 20_000

const network = new Network()
afterEach(() => network.stop())

async function timedPair() {
  const [ofA, ofB] = [new ManualClock(), new ManualClock()]
  const config = PROMPT.withLimits({ sessionGraceMs: GRACE_MS })
  const pair = await network.pair({ a: config.withClock(ofA), b: config.withClock(ofB) })
  return { ...pair, ofA, ofB }
}

type Pair = Awaited<ReturnType<typeof timedPair>>

/** No way leads from one leaf to the other, and both have noticed. */
async function part({ a, b, nearA, nearB }: Pair): Promise<void> {
  const parted = Promise.all([away(a, b.nodeId), away(b, a.nodeId)])
  for (const proxy of [nearA, nearB]) {
    proxy.refuse()
    proxy.cut()
  }
  await parted
}

/** Both leaves are back, and know each other. Time passes only until they dial again. */
async function meet({ a, b, nearA, nearB, ofA, ofB }: Pair): Promise<void> {
  const met = Promise.all([joined(a, b), joined(b, a)])
  await Promise.all([backAt(nearA, ofA), backAt(nearB, ofB)])
  await met
}

async function backAt(proxy: TcpProxy, clock: ManualClock): Promise<void> {
  proxy.admit()
  await passUntilDialled(proxy, proxy.dialled + 1, clock)
}

/** Asks that are being handled on the other side, for as long as the test wants. */
async function hang(host: ActorSystem, caller: ActorSystem) {
  let handled = 0
  const aborted: unknown[] = []
  await host.spawn(
    {
      receive: (_msg: Message, ctx) => {
        handled++
        return new Promise((resolve) =>
          ctx.signal.addEventListener('abort', () => {
            aborted.push(ctx.signal.reason)
            resolve(undefined)
          }),
        )
      },
    },
    `hang of ${host.nodeId}`,
    { public: true, reentrant: true },
  )
  const ref = await caller.resolve(`hang of ${host.nodeId}`)
  return {
    ref,
    aborted,
    isHandled: async (count: number) => {
      while (handled < count) await turns(1)
    },
  }
}

describe('a way that stays away for longer than the grace', () => {
  test('asks fail typed, with an outcome that says whether they may have been handled; handlers are told', {
    timeout: 30_000,
  }, async () => {
    const pair = await timedPair()
    const { a, b, atA, witnessA, ofB } = pair
    const { ref, isHandled, aborted } = await hang(a, b)
    const handled = upTo(5).map(() => outcomeOf(ref.ask('x', { timeout: Infinity })))
    await isHandled(5)
    await part(pair)
    const unsent = upTo(5).map((n) => outcomeOf(atA.ask(Message.fromObject('ask', { n }), { timeout: Infinity })))
    await ofB.advanceAsync(GRACE_MS - 1)
    expect(b.census().asks).toBe(10)
    await ofB.advanceAsync(1)
    for (const outcome of await Promise.all(handled))
      expect(outcome).toMatchObject({ name: 'UnreachableError', code: 'unreachable', outcome: 'unknown' })
    for (const outcome of await Promise.all(unsent))
      expect(outcome).toMatchObject({ name: 'UnreachableError', code: 'unreachable', outcome: 'not-sent' })
    // Without a way and without a session there is nothing to wait for.
    expect(await outcomeOf(ref.ask('x'))).toMatchObject({ code: 'unreachable', outcome: 'not-sent' })

    // The grace of the other side goes on: it hears of the end when it hears anything again.
    expect(aborted).toEqual([])
    await meet(pair)
    await isHandled(5)
    while (aborted.length < 5) await turns(1)
    expect(witnessA.asked).toEqual([])
  })

  test('streams fail on both sides, writers and generators end', { timeout: 30_000 }, async () => {
    const pair = await timedPair()
    const { a, b, atA, ofA, ofB } = pair
    let isEnded = false
    await a.spawn(
      {
        receive: async function* () {
          try {
            for (let n = 0; ; n++) yield n
          } finally {
            isEnded = true
          }
        },
      },
      'endless',
      { public: true },
    )
    const reader = (await b.resolve('endless')).askStream<number>('go')
    expect(await reader.next()).toEqual({ done: false, value: 0 })
    const [message, writer] = StreamMessage.create<number>('collect')
    const collected = outcomeOf(atA.ask(message, { timeout: Infinity }))
    await writer.write(0)
    await part(pair)
    await Promise.all([ofA.advanceAsync(GRACE_MS), ofB.advanceAsync(GRACE_MS)])
    const failed = async (): Promise<unknown> => {
      for (;;) await reader.next()
    }
    expect(await outcomeOf(failed())).toMatchObject({ code: 'unreachable' })
    expect(await collected).toMatchObject({ code: 'unreachable', outcome: 'unknown' })
    const writing = async (): Promise<void> => {
      for (;;) await writer.write(1)
    }
    expect(await outcomeOf(writing())).toMatchObject({ code: 'stream_closed' })
    expect(writer.signal.aborted).toBe(true)
    while (!isEnded) await turns(1)
    expect([a.census(), b.census()]).toMatchObject([
      { asks: 0, streams: 0 },
      { asks: 0, streams: 0 },
    ])
  })

  test('those who told something that never left are told, whether they wait or not, and it is a dead letter', {
    timeout: 30_000,
  }, async () => {
    const pair = await timedPair()
    const { b, atA, witnessA, ofB } = pair
    await tells(atA, 10)
    await witnessA.hasHeard(10)
    await part(pair)
    const lost: string[] = []
    b.on('deadLetter', ({ msgType }) => lost.push(msgType))
    const waited = outcomeOf(tells(atA, 1, { from: 10 }))
    void atA.tell(Message.fromObject('note', { n: 11 }))
    void atA.tell(Message.fromObject('note', { n: 12, large: new Uint8Array(1_000_000) }))
    await ofB.advanceAsync(GRACE_MS)
    expect(await waited).toMatchObject({ code: 'unreachable', outcome: 'not-sent' })
    expect(lost).toEqual(['note', 'note', 'note'])
    await meet(pair)
    await tells(atA, 1, { from: 13 })
    await witnessA.hasHeard(11)
    expect(witnessA.told).toEqual([...upTo(10), 13])
  })

  test.each([['both sides'], ['one side']])(
    'after the grace of %s, everything works again in a new session, and nothing of the old one arrives',
    { timeout: 30_000 },
    async (whose) => {
      const pair = await timedPair()
      const { a, b, atA, atB, witnessA, witnessB, ofA, ofB } = pair
      const { ref, isHandled } = await hang(b, a)
      const handled = outcomeOf(ref.ask('x', { timeout: Infinity }))
      await isHandled(1)
      await part(pair)
      const old = [
        outcomeOf(tells(atA, 1, { from: 1000 })),
        outcomeOf(atA.ask(Message.fromObject('ask', { n: 1000 }), { timeout: Infinity })),
      ]
      await ofB.advanceAsync(GRACE_MS)
      if (whose === 'both sides') await ofA.advanceAsync(GRACE_MS)
      for (const outcome of await Promise.all(old))
        expect(outcome).toMatchObject({ code: 'unreachable', outcome: 'not-sent' })
      await meet(pair)
      // Who still waited hears that the other does not any more.
      expect(await handled).toMatchObject({
        code: whose === 'both sides' ? 'unreachable' : 'session_reset',
        outcome: 'unknown',
      })
      const amount = 200
      await Promise.all(
        [atA, atB].flatMap((each) => [
          tells(each, amount),
          asks(each, amount),
          reads(each, amount),
          writes(each, amount),
        ]),
      )
      await Promise.all([witnessA.hasHeard(amount), witnessB.hasHeard(amount)])
      for (const witness of [witnessA, witnessB]) {
        expect(witness.told).toEqual(upTo(amount))
        expect(witness.asked.length).toBe(amount)
      }
    },
  )

  test.each<[string, (pair: Pair) => Promise<unknown>]>([
    ['of nodes that know each other', ({ atA, atB }) => Promise.all([asks(atA, 1), asks(atB, 1)])],
    ['also the first messages to a node', () => Promise.resolve()],
  ])('within the grace nobody notices, what is said meanwhile waits: %s', { timeout: 30_000 }, async (_what, greet) => {
    const pair = await timedPair()
    const { a, b, atA, witnessA, ofA, ofB } = pair
    const heard = complaints(a, b)
    await greet(pair)
    await part(pair)
    const all = Promise.all([tells(atA, 300), asks(atA, 100), reads(atA, 300), writes(atA, 300)])
    await Promise.race([all, Promise.all([ofA, ofB].map((clock) => clock.advanceAsync(GRACE_MS / 2)))])
    await meet(pair)
    await all
    await witnessA.hasHeard(300)
    expect(witnessA.told).toEqual(upTo(300))
    expect(heard).toEqual([])
  })
})

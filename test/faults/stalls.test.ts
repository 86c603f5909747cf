/** Connections that stand still or crawl: senders wait, in bounded memory, and everything goes on afterwards. */
import { type ActorRef, Message, StreamMessage } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { MAX_BLOCKED_BYTES } from '../../src/link/link.ts'
import { MAX_LOG_BYTES, MAX_SENT_BYTES } from '../../src/remote/send-log.ts'
import { SOCKET_WINDOW_BYTES } from '../../src/transport/websocket/socket-connection.ts'
import { BATCH_BYTES } from '../../src/wire/frame-writer.ts'
import { event } from '../system/systems.ts'
import { Network, WatchedWebSocket } from './networks.ts'
import { asks, complaints, expectAll, reads, tells, turns, upTo, witnessOf, writes } from './witness.ts'

const network = new Network()
afterEach(() => network.stop())

/** Turns of the event loop without progress after which a sender counts as held back. */
const QUIET_TURNS = 300

async function standstill(progress: () => number): Promise<void> {
  for (let before = -1; before !== progress(); await turns(QUIET_TURNS)) before = progress()
}

/** Tells one after the other; how many were taken so far. */
function telling(ref: ActorRef, count: number, bytes: number): { taken: number; readonly all: Promise<void> } {
  const payload = new Uint8Array(bytes)
  const run = async (): Promise<void> => {
    for (let n = 0; n < count; n++) {
      await ref.tell(Message.fromObject('note', { n, payload }))
      state.taken++
    }
  }
  const state = { taken: 0, all: Promise.resolve() }
  state.all = run()
  return state
}

describe('a connection that stands still', () => {
  const tellBytes = 10_000
  const count = 2_000

  test.each(['nearA', 'nearB'] as const)(
    'holds tells and streams back, in bounded memory, and loses nothing: %s',
    { timeout: 30_000 },
    async (which) => {
      const [ofRelay, ofB] = [new WatchedWebSocket(), new WatchedWebSocket()]
      const { a, b, witnessA, atA, ...proxies } = await network.pair({ relay: ofRelay.config, b: ofB.config })
      const heard = complaints(a, b)
      const proxy = proxies[which]
      const tells = telling(atA, count, tellBytes)
      await witnessA.hasHeard(10)
      const [message, writer] = StreamMessage.create<Uint8Array>('collect')
      const collected = atA.ask(message, { timeout: Infinity })
      let written = 0
      const writing = (async () => {
        for (let n = 0; n < 500; n++) {
          await writer.write(new Uint8Array(tellBytes).fill(n))
          written++
        }
        await writer.close()
      })()

      proxy.stall()
      await standstill(() => tells.taken + written)
      expect(tells.taken).toBeLessThan(count)
      expect((tells.taken - witnessA.told.length) * tellBytes).toBeLessThanOrEqual(MAX_LOG_BYTES + 2 * tellBytes)
      expect(written).toBeLessThan(500)
      // What a session may have on its way, and what its acknowledgements and the cluster say beside it.
      expect(ofB.mostWaiting).toBeLessThanOrEqual(MAX_LOG_BYTES + BATCH_BYTES + SOCKET_WINDOW_BYTES)
      expect(ofRelay.mostWaiting).toBeLessThanOrEqual(MAX_LOG_BYTES + BATCH_BYTES + SOCKET_WINDOW_BYTES)

      proxy.flow()
      await Promise.all([tells.all, writing])
      await witnessA.hasHeard(count)
      expect(witnessA.told).toEqual(upTo(count))
      const items = (await collected).toObject<Uint8Array[]>()
      expect(items.map((item) => item[0])).toEqual(upTo(500).map((n) => n % 256))
      expect(heard).toEqual([])
      expect(proxy.dialled).toBe(1)
    },
  )

  test('stops those who send there, and nobody else', { timeout: 30_000 }, async () => {
    const { relay, a, b, nearA, witnessA, atA } = await network.pair()
    const c = await network.leaf(relay.addr)
    const [witnessC, atC] = await witnessOf(c, b)
    const [, atRelay] = await witnessOf(relay, b)
    const heard = complaints(a, b, c)
    nearA.stall()
    const stuck = telling(atA, count, tellBytes)
    await standstill(() => stuck.taken)
    expect(stuck.taken).toBeLessThan(count)
    await Promise.all([tells(atC, 500), asks(atC, 200), reads(atC, 500), writes(atC, 500), asks(atRelay, 50)])
    await witnessC.hasHeard(500)
    expectAll(witnessC, 500, 200)
    nearA.flow()
    await stuck.all
    await witnessA.hasHeard(count)
    expectAll(witnessA, count, 0)
    expect(heard).toEqual([])
  })

  test('keeps asks, which nobody holds back, where they were made, and is not given up for them', {
    timeout: 30_000,
  }, async () => {
    const ofB = new WatchedWebSocket()
    const { a, b, nearB, witnessA, atA } = await network.pair({ b: ofB.config })
    const heard = complaints(a, b)
    nearB.stall()
    const bytes = 120_000
    const amount = Math.ceil((1.5 * MAX_BLOCKED_BYTES) / bytes)
    const asked = upTo(amount).map((n) =>
      atA.ask(Message.fromObject('ask', { n, payload: new Uint8Array(bytes) }), { timeout: Infinity }),
    )
    await turns(QUIET_TURNS)
    expect(ofB.mostWaiting).toBeLessThanOrEqual(MAX_SENT_BYTES + bytes + SOCKET_WINDOW_BYTES)
    nearB.flow()
    const answers = await Promise.all(asked)
    expect(answers.map((answer) => answer.toObject())).toEqual(upTo(amount))
    expectAll(witnessA, 0, amount)
    expect(heard).toEqual([])
    expect(nearB.dialled).toBe(1)
  })
})

describe('a connection that crawls', () => {
  test.each([1, 1000])(
    '%i bytes a turn: everything arrives once, in order',
    { timeout: 30_000 },
    async (bytesPerTurn) => {
      const { a, b, nearA, nearB, witnessA, witnessB, atA, atB } = await network.pair()
      const heard = complaints(a, b)
      for (const proxy of [nearA, nearB]) proxy.throttle(bytesPerTurn)
      const amount = bytesPerTurn === 1 ? 20 : 1_000
      await Promise.all(
        [atA, atB].flatMap((ref) => [tells(ref, amount), asks(ref, amount), reads(ref, amount), writes(ref, amount)]),
      )
      await Promise.all([witnessA.hasHeard(amount), witnessB.hasHeard(amount)])
      expectAll(witnessA, amount, amount)
      expectAll(witnessB, amount, amount)
      expect([nearA.dialled, nearB.dialled, ...heard]).toEqual([1, 1])
    },
  )
})

describe('a relay that is hard to reach', () => {
  test('a leaf joins once it is let in, however often it was refused', { timeout: 30_000 }, async () => {
    const relay = await network.relay()
    const proxy = await network.proxy(relay.addr)
    proxy.refuse()
    const joining = network.leaf(proxy.url)
    for (let refused = 0; refused < 3; refused++) await proxy.nextDial()
    proxy.admit()
    const leaf = await joining
    expect(leaf.members().length).toBe(2)
  })

  test('what is pending when the connection breaks waits while new ones are refused, and then delayed', {
    timeout: 30_000,
  }, async () => {
    const { a, b, nearB, witnessA, atA } = await network.pair()
    const heard = complaints(a, b)
    nearB.refuse()
    const all = Promise.all([asks(atA, 100), reads(atA, 200), writes(atA, 200), tells(atA, 200)])
    const closed = event(b, 'linkClosed')
    nearB.cut()
    await closed
    for (let refused = 0; refused < 2; refused++) await nearB.nextDial()
    nearB.delay()
    await nearB.nextDial()
    nearB.admit()
    await all
    await witnessA.hasHeard(200)
    expectAll(witnessA, 200, 100)
    expect(heard).toEqual([])
  })
})

/** Connections that have died without a word in one direction or both: missed within 45 s, and replaced. */
import { type ActorSystem, Message } from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { away, event, memberIds } from '../system/systems.ts'
import { Network, PROMPT } from './networks.ts'
import { flag, HOUR_MS, NOTICED_WITHIN_MS, passUntil, passUntilDialled } from './passing-time.ts'
import type { Direction } from './tcp-proxy.ts'
import { asks, complaints, expectAll, reads, tells, upTo, writes } from './witness.ts'

const network = new Network()
afterEach(() => network.stop())

/** A pair of leaves and their relay on clocks of the test's. */
async function timedPair() {
  const [ofRelay, ofA, ofB] = [new ManualClock(), new ManualClock(), new ManualClock()]
  const pair = await network.pair({
    relay: PROMPT.withClock(ofRelay),
    a: PROMPT.withClock(ofA),
    b: PROMPT.withClock(ofB),
  })
  return { ...pair, ofRelay, ofA, ofB, clocks: [ofRelay, ofA, ofB] }
}

describe('a connection that has died without a word', () => {
  test.each<[string, readonly Direction[]]>([
    ['what the leaf sends is lost', ['up']],
    ['what the leaf is sent is lost', ['down']],
    ['nothing gets through', ['up', 'down']],
  ])(
    'is missed within 45 s, replaced, and nobody above notices: %s',
    { timeout: 30_000 },
    async (_what, directions) => {
      const { a, b, nearB, witnessA, witnessB, atA, atB, clocks } = await timedPair()
      const heard = complaints(a, b)
      const amount = 300
      const closed = flag(event(b, 'linkClosed'))
      const reopened = event(b, 'linkOpened')
      nearB.blackHole(...directions)
      const all = Promise.all(
        [atA, atB].flatMap((ref) => [tells(ref, amount), asks(ref, amount), reads(ref, amount), writes(ref, amount)]),
      )
      expect(await passUntil(closed, ...clocks)).toBeLessThanOrEqual(NOTICED_WITHIN_MS)
      await passUntil(flag(reopened), ...clocks)
      const done = flag(Promise.all([all, witnessA.hasHeard(amount), witnessB.hasHeard(amount)]))
      await passUntil(done, ...clocks)
      await all
      expectAll(witnessA, amount, amount)
      expectAll(witnessB, amount, amount)
      expect(heard).toEqual([])
      expect(nearB.dialled).toBe(2)
    },
  )

  test('takes its leaf out of the members within 45 s, and back in when it returns', { timeout: 30_000 }, async () => {
    const { relay, a, b, nearB, witnessA, atA, clocks } = await timedPair()
    const all: ActorSystem[] = [relay, a]
    const gone = flag(Promise.all(all.map((system) => away(system, b.nodeId))))
    nearB.blackHole('up', 'down')
    nearB.refuse()
    const pending = tells(atA, 100)
    expect(await passUntil(gone, ...clocks)).toBeLessThanOrEqual(NOTICED_WITHIN_MS)
    const back = Promise.all(
      all.map((system) => event(system, 'memberUpdated', ({ member }) => member.status === 'online')),
    )
    nearB.admit()
    await passUntilDialled(nearB, nearB.dialled + 1, ...clocks)
    await back
    for (const system of all) expect(memberIds(system)).toContain(b.nodeId)
    await Promise.all([pending, witnessA.hasHeard(100)])
    expect(witnessA.told).toEqual(upTo(100))
  })

  test('is not taken for one that is only quiet: an hour without a message keeps every link', {
    timeout: 30_000,
  }, async () => {
    const { a, b, nearA, nearB, atA, clocks } = await timedPair()
    const closed = flag(Promise.race([event(a, 'linkClosed'), event(b, 'linkClosed')]))
    expect(await passUntil(() => closed() || clocks[0]!.now() >= HOUR_MS, ...clocks)).toBe(HOUR_MS)
    expect(closed()).toBe(false)
    expect((await atA.ask(Message.fromObject('ask', { n: 1 }))).toObject()).toBe(1)
    expect([nearA.dialled, nearB.dialled]).toEqual([1, 1])
  })
})

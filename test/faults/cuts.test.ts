/** Connections that are cut: nobody above notices. */
import { Message } from 'pulsing'
import { seededRandom } from 'pulsing/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { event, outcomeOf } from '../system/systems.ts'
import { Network } from './networks.ts'
import type { Direction, Ending } from './tcp-proxy.ts'
import { asks, complaints, expectAll, reads, tells, upTo, watching, writes } from './witness.ts'

const SEED = process.env['PULSING_SEED'] ?? '1'
const network = new Network()
afterEach(() => network.stop())

describe('a cut is not noticed', () => {
  test.each<[string, Ending, 'nearA' | 'nearB' | 'both']>([
    ['a reset of the caller’s connection', 'rst', 'nearA'],
    ['a reset of the other’s connection', 'rst', 'nearB'],
    ['a reset of both connections', 'rst', 'both'],
    ['an end of the caller’s connection', 'fin', 'nearA'],
    ['an end of both connections', 'fin', 'both'],
  ])('%s: asks, tells and streams both ways arrive once, in order', { timeout: 30_000 }, async (_what, how, which) => {
    const { a, b, witnessA, witnessB, atA, atB, ...proxies } = await network.pair()
    const heard = complaints(a, b)
    const [told, asked, items] = [600, 200, 600]
    const all = Promise.all(
      [atA, atB].flatMap((ref) => [tells(ref, told), asks(ref, asked), reads(ref, items), writes(ref, items)]),
    )
    await witnessB.hasHeard(told / 4)
    for (const [name, proxy] of Object.entries({ nearA: proxies.nearA, nearB: proxies.nearB }))
      if (which === 'both' || which === name) proxy.cut(how)
    await all
    await Promise.all([witnessA.hasHeard(told), witnessB.hasHeard(told)])
    expectAll(witnessA, told, asked)
    expectAll(witnessB, told, asked)
    expect(heard).toEqual([])
    expect(proxies.nearA.dialled + proxies.nearB.dialled).toBe(which === 'both' ? 4 : 3)
  })

  test(`100 cuts during 100 000 tells and 20 streams (PULSING_SEED=${SEED})`, { timeout: 60_000 }, async () => {
    const random = seededRandom(SEED)
    const { a, b, nearA, nearB, witnessA, witnessB, atA, atB } = await network.pair()
    const heard = complaints(a, b)
    const [told, items] = [50_000, 1_500]
    let isOver = false
    const all = Promise.all([
      tells(atA, told),
      tells(atB, told),
      ...upTo(10).map((i) => (i % 2 === 0 ? reads(atA, items) : writes(atA, items))),
      ...upTo(10).map((i) => (i % 2 === 0 ? writes(atB, items) : reads(atB, items))),
    ]).then(() => (isOver = true))
    let cuts = 0
    for (; cuts < 100 && !isOver; cuts++) {
      const proxy = random.pick([nearA, nearB])
      await Promise.race([
        proxy.cutAfter(random.int(30_000), random.pick(['up', 'down']), random.pick<Ending>(['rst', 'fin'])),
        all,
      ])
    }
    expect(cuts).toBe(100)
    await all
    await Promise.all([witnessA.hasHeard(told), witnessB.hasHeard(told)])
    expectAll(witnessA, told, 0)
    expectAll(witnessB, told, 0)
    expect(heard).toEqual([])
  })

  test('by who watches: Terminated comes once, when the actor has ended, however often the way broke', {
    timeout: 30_000,
  }, async () => {
    const { a, b, nearA, nearB, atA } = await network.pair()
    const { told, isTold } = await watching(b, atA)
    for (const proxy of [nearB, nearA, nearB]) {
      const opened = event(proxy === nearA ? a : b, 'linkOpened')
      proxy.cut()
      await opened
      await asks(atA, 5)
    }
    expect(told).toEqual([])
    nearB.cut()
    await a.stop(`witness of ${a.nodeId}`)
    await isTold
    expect(await outcomeOf(atA.ask('still there?'))).toMatchObject({ code: 'actor_stopped' })
    expect(told).toEqual(['killed'])
  })

  // Every byte would be a minute: each run takes every so manieth, which follows from the seed.
  test.each<[Direction, Ending]>([
    ['up', 'rst'],
    ['up', 'fin'],
    ['down', 'rst'],
    ['down', 'fin'],
  ])(
    `at any byte of a connection's life, %s, by %s (PULSING_SEED=${SEED})`,
    { timeout: 30_000 },
    async (direction, how) => {
      const { a, b, nearB, witnessA, atA } = await network.pair()
      const heard = complaints(a, b)
      let sent = 0
      const exchange = async (): Promise<void> => {
        const n = sent++
        await tells(atA, 1, { from: n })
        expect((await atA.ask(Message.fromObject('ask', { n }), { timeout: Infinity })).toObject()).toBe(n)
      }
      const reconnected = async (): Promise<void> => {
        const opened = event(b, 'linkOpened')
        nearB.cut(how)
        await opened
      }
      // The greeting, all that is told of the cluster, what a session says when it resumes, and the exchange.
      await reconnected()
      const before = nearB.passed[direction]
      await reconnected()
      await exchange()
      const life = nearB.passed[direction] - before
      expect(life).toBeGreaterThan(500)

      const step = 37
      for (let at = seededRandom(`${SEED} ${direction} ${how}`).int(step); at < life; at += step) {
        nearB.cut(how)
        const cut = nearB.cutAfter(at, direction, how)
        const exchanged = exchange()
        await Promise.race([exchanged, cut])
        await Promise.all([exchanged, exchange()])
      }
      await witnessA.hasHeard(sent)
      expectAll(witnessA, sent, sent)
      expect(heard).toEqual([])
    },
  )
})

/** Everything that can happen to connections, in the order a seed says: nobody above notices. */
import { seededRandom } from 'pulsing/testkit'
import { afterEach, expect, test } from 'vitest'
import { Network, PROMPT } from './networks.ts'
import type { TcpProxy } from './tcp-proxy.ts'
import { asks, complaints, expectAll, reads, tells, turns, watching, writes } from './witness.ts'

const SEED = process.env['PULSING_SEED'] ?? '1'
const network = new Network()
afterEach(() => network.stop())

type Random = ReturnType<typeof seededRandom>

const FAULTS: Record<string, (proxy: TcpProxy, random: Random) => Promise<void>> = {
  async cut(proxy, random) {
    proxy.cut(random.pick(['rst', 'fin']))
  },
  async cutTwice(proxy, random) {
    const { dialled } = proxy
    proxy.cut('rst')
    while (proxy.dialled === dialled) await turns(1)
    await turns(random.int(30))
    proxy.cut('fin')
  },
  async stall(proxy, random) {
    proxy.stall()
    await turns(random.int(200))
    proxy.flow()
  },
  async crawl(proxy, random) {
    proxy.throttle(1 + random.int(2_000))
    await turns(random.int(200))
    proxy.flow()
  },
  async cutWhileStalled(proxy, random) {
    proxy.stall()
    await turns(random.int(100))
    proxy.cut('rst')
    await turns(random.int(100))
    proxy.flow()
  },
  async blackHole(proxy, random) {
    proxy.blackHole(random.pick(['up', 'down']))
    await turns(random.int(200))
    proxy.cut('rst')
  },
  async refuse(proxy, random) {
    const { dialled } = proxy
    proxy.refuse()
    proxy.cut('rst')
    while (proxy.dialled === dialled) await turns(1)
    await turns(random.int(50))
    proxy.admit()
  },
  async delay(proxy, random) {
    const { dialled } = proxy
    proxy.delay()
    proxy.cut('fin')
    while (proxy.dialled === dialled) await turns(1)
    await turns(random.int(200))
    proxy.admit()
  },
}

test(`thirty faults of all kinds, one after the other and at once, are not noticed (PULSING_SEED=${SEED})`, {
  timeout: 60_000,
}, async () => {
  const random = seededRandom(SEED)
  const config = PROMPT.withLimits({ maxMessageBytes: 8_000_000 })
  const { a, b, nearA, nearB, witnessA, witnessB, atA, atB } = await network.pair({ a: config, b: config })
  const heard = complaints(a, b)
  const { told, isTold } = await watching(b, atA)
  let rounds = 0
  let isOver = false
  const [tellsEach, asksEach, items] = [100, 40, 100]
  const work = async (): Promise<void> => {
    for (; !isOver; rounds++) {
      const large = new Uint8Array(random.int(2_000_000)).fill(rounds)
      const echoed = async (): Promise<void> => {
        const back = await random.pick([atA, atB]).ask<Uint8Array>(large, { timeout: Infinity })
        expect(Buffer.compare(back, large)).toBe(0)
      }
      await Promise.all([
        echoed(),
        ...[atA, atB].flatMap((ref) => [
          tells(ref, tellsEach, { from: rounds * tellsEach, bytes: random.int(1_000) }),
          asks(ref, asksEach, { from: rounds * asksEach }),
          reads(ref, items),
          writes(ref, items),
        ]),
      ])
    }
  }
  const working = work()
  const progress = (): number =>
    [witnessA, witnessB].reduce((sum, { told, asked }) => sum + told.length + asked.length, 0)
  const happened: string[] = []
  const trouble = async (proxy: TcpProxy, share: Random): Promise<void> => {
    for (let n = 0; n < 15; n++) {
      const fault = share.pick(Object.keys(FAULTS))
      happened.push(fault)
      await FAULTS[fault]!(proxy, share)
      const enough = progress() + share.int(300)
      while (progress() < enough) await turns(1)
    }
  }
  await Promise.race([Promise.all([trouble(nearA, random.fork('a')), trouble(nearB, random.fork('b'))]), working])
  isOver = true
  await working
  await Promise.all([witnessA.hasHeard(rounds * tellsEach), witnessB.hasHeard(rounds * tellsEach)])
  expectAll(witnessA, rounds * tellsEach, rounds * asksEach)
  expectAll(witnessB, rounds * tellsEach, rounds * asksEach)
  expect([heard, told, happened.length]).toEqual([[], [], 30])
  await a.stop(`witness of ${a.nodeId}`)
  await isTold
  expect(told).toEqual(['killed'])
  expect([a.census(), b.census()]).toMatchObject([
    { asks: 0, streams: 0 },
    { asks: 0, streams: 0 },
  ])
})

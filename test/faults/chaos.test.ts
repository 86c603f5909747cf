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

/** Somebody dials again; or does not, because it has found another way. */
async function redialled(proxy: TcpProxy, dialled: number): Promise<void> {
  for (let turn = 0; proxy.dialled === dialled && turn < 1_000; turn++) await turns(1)
}

const FAULTS: readonly ((proxy: TcpProxy, random: Random) => Promise<void>)[] = [
  async function cut(proxy, random) {
    proxy.cut(random.pick(['rst', 'fin']))
  },
  async function cutTwice(proxy, random) {
    const { dialled } = proxy
    proxy.cut('rst')
    await redialled(proxy, dialled)
    await turns(random.int(30))
    proxy.cut('fin')
  },
  async function stall(proxy, random) {
    proxy.stall()
    await turns(random.int(200))
    proxy.flow()
  },
  async function crawl(proxy, random) {
    proxy.throttle(1 + random.int(2_000))
    await turns(random.int(200))
    proxy.flow()
  },
  async function cutWhileStalled(proxy, random) {
    proxy.stall()
    await turns(random.int(100))
    proxy.cut('rst')
    await turns(random.int(100))
    proxy.flow()
  },
  async function blackHole(proxy, random) {
    proxy.blackHole(random.pick(['up', 'down']))
    await turns(random.int(200))
    proxy.cut('rst')
  },
  async function refuse(proxy, random) {
    const { dialled } = proxy
    proxy.refuse()
    proxy.cut('rst')
    await redialled(proxy, dialled)
    await turns(random.int(50))
    proxy.admit()
  },
  async function delay(proxy, random) {
    const { dialled } = proxy
    proxy.delay()
    proxy.cut('fin')
    await redialled(proxy, dialled)
    await turns(random.int(200))
    proxy.admit()
  },
]

const CONFIG = PROMPT.withLimits({ maxMessageBytes: 8_000_000 })
const [TELLS, ASKS, ITEMS] = [100, 40, 100]

test.each([
  [
    'one relay, two proxies',
    async () => {
      const { nearA, nearB, ...rest } = await network.pair({ a: CONFIG, b: CONFIG })
      return { ...rest, proxies: [nearA, nearB] }
    },
  ],
  [
    'two relays, five proxies',
    async () => {
      const { a1, a2, b1, b2, between, ...rest } = await network.square(CONFIG)
      return { ...rest, proxies: [a1, a2, b1, b2, between] }
    },
  ],
])(
  `faults of all kinds, at once and one after the other, are not noticed: %s (PULSING_SEED=${SEED})`,
  { timeout: 60_000 },
  async (_what, start) => {
    const random = seededRandom(SEED)
    const { a, b, witnessA, witnessB, atA, atB, proxies } = await start()
    const heard = complaints(a, b)
    const { told, isTold } = await watching(b, atA)

    let rounds = 0
    let isOver = false
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
            tells(ref, TELLS, { from: rounds * TELLS, bytes: random.int(1_000) }),
            asks(ref, ASKS, { from: rounds * ASKS }),
            reads(ref, ITEMS),
            writes(ref, ITEMS),
          ]),
        ])
      }
    }
    const progress = (): number =>
      [witnessA, witnessB].reduce((sum, { told, asked }) => sum + told.length + asked.length, 0)
    const faultsEach = 40 / proxies.length
    let faults = 0
    const trouble = async (proxy: TcpProxy, share: Random): Promise<void> => {
      for (let n = 0; n < faultsEach && !isOver; n++, faults++) {
        await share.pick(FAULTS)(proxy, share)
        const enough = progress() + share.int(300)
        while (progress() < enough && !isOver) await turns(1)
      }
    }
    const working = work()
    try {
      await Promise.race([Promise.all(proxies.map((proxy, i) => trouble(proxy, random.fork(i)))), working])
    } finally {
      isOver = true
    }
    await working

    await Promise.all([witnessA.hasHeard(rounds * TELLS), witnessB.hasHeard(rounds * TELLS)])
    expectAll(witnessA, rounds * TELLS, rounds * ASKS)
    expectAll(witnessB, rounds * TELLS, rounds * ASKS)
    expect([heard, told, faults]).toEqual([[], [], faultsEach * proxies.length])
    await a.stop(`witness of ${a.nodeId}`)
    await isTold
    expect(told).toEqual(['killed'])
    for (const system of [a, b]) expect(system.census()).toMatchObject({ asks: 0, streams: 0 })
  },
)

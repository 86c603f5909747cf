/** Nodes that were cut off themselves, or believed they were linked: whom they give up, and when they notice. */
import { SystemConfig } from 'pulsing'
import {
  createTestSystem,
  ManualClock,
  type SimulatedNetwork,
  simulatedNetwork,
  type TestSystem,
} from 'pulsing/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { QUIET } from '../system/systems.ts'

const GRACE_MS = 20_000

let clock: ManualClock
let network: SimulatedNetwork
let started: TestSystem[]
beforeEach(() => {
  clock = new ManualClock()
  network = simulatedNetwork({ clock })
  started = []
})
afterEach(() => network.during(Promise.all(started.map((system) => system.dispose()))))

async function start(host: string, config: SystemConfig): Promise<TestSystem> {
  const settings = config.withLogger(QUIET).withLimits({ sessionGraceMs: GRACE_MS })
  const system = await network.during(
    createTestSystem({ clock, config: settings.withTransports(network.transport(host)) }),
  )
  started.push(system)
  return system
}

const relay = (host: string): Promise<TestSystem> => start(host, SystemConfig.withAddr(`ws://${host}:1`))
const leaf = (host: string, ...seeds: string[]): Promise<TestSystem> =>
  start(host, SystemConfig.withSeeds(seeds.map((seed) => `ws://${seed}:1`)))

const statusOf = ({ system }: TestSystem, other: TestSystem): string | undefined =>
  system.members().find(({ nodeId }) => nodeId === other.system.nodeId)?.status

/** Passes time until a node sees another as it is to be. */
async function seen(by: TestSystem, other: TestSystem, status: string): Promise<void> {
  expect(await clock.advanceUntil(() => statusOf(by, other) === status, 60_000)).toBe(true)
}

async function part(host: string, from: string): Promise<void> {
  for (const link of network.links(host, from)) link.cut()
  network.part(host, from)
}

test('a node that was cut off itself gives nobody up before it had time to hear of them', async () => {
  const [home, node, other] = [await relay('home'), await leaf('node', 'home'), await leaf('other', 'home')]
  await seen(node, other, 'online')
  await part('other', 'home')
  await seen(node, other, 'detached')
  await part('node', 'home')
  await seen(node, home, 'unreachable')
  await clock.advanceAsync(GRACE_MS - 8_000)
  network.heal('node', 'home')
  await seen(node, home, 'online')
  await clock.advanceAsync(GRACE_MS - 1_000)
  expect(statusOf(node, other)).toBe('detached')
  await clock.advanceAsync(2_000)
  expect(statusOf(node, other)).toBeUndefined()
})

test('a seed that falls silent before it told anything is missed within seconds', async () => {
  const [home, node] = [await relay('home'), await leaf('node', 'home')]
  const opened: number[] = []
  const off = node.system.on('linkOpened', () => {
    opened.push(clock.now())
    if (opened.length === 1) for (const link of network.links('node')) link.silence()
  })
  for (const link of network.links('node')) link.cut()
  await seen(home, node, 'detached')
  await seen(home, node, 'online')
  off()
  expect(opened).toHaveLength(2)
  expect(opened[1]! - opened[0]!).toBeLessThan(10_000)
})

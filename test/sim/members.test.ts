/** What nodes know of each other when links between relays break and come back. */
import { SystemConfig } from 'pulsing'
import { createTestSystem, ManualClock, simulatedNetwork, type TestSystem } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { quiet } from '../actor/systems.ts'

test('a node that joins while two relays are parted learns of those behind the other one when they meet again', async () => {
  const clock = new ManualClock()
  const network = simulatedNetwork({ clock })
  const at = (host: string, config: SystemConfig): Promise<TestSystem> =>
    network.during(
      createTestSystem({ clock, config: config.withLogger(quiet).withTransports(network.transport(host)) }),
    )
  const [r, s] = await Promise.all([
    at('r', SystemConfig.withAddr('ws://r:1').withSeeds(['ws://s:1'])),
    at('s', SystemConfig.withAddr('ws://s:1').withSeeds(['ws://r:1'])),
  ])
  const y = await at('y', SystemConfig.withSeeds(['ws://s:1']))
  // Only r notices, and dials again: to s one link replaces another, and nothing has changed.
  for (const link of network.links('r', 's')) link.cut({ seenBy: 'r' })
  network.part('r', 's')
  await clock.advanceUntil(() => r.system.members().length === 1, 1_000)
  const x = await at('x', SystemConfig.withSeeds(['ws://r:1']))
  network.heal()
  await clock.advanceAsync(60_000)
  for (const { system } of [r, s, x, y]) expect(system.members()).toHaveLength(4)
  await network.during(Promise.all([r, s, x, y].map((system) => system.dispose())))
})

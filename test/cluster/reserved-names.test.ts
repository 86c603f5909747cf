/** Names the framework keeps to itself, told by a leaf that claims to have them: nobody finds its actors under them. */
import { type ActorSystem, type InstanceInfo, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { encodeUpdates, type NodeSnapshot } from '../../src/cluster/update.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { joined } from '../system/systems.ts'
import { link, Nodes, type Puppet, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

const RESERVED = ['system', 'system/core', 'system/leases', 'system/of later versions']
/** Begins like one, and is anybody's. */
const FREE = 'systems'

const record = ({ nodeId }: Puppet, version: number, links: string[], names: [string, string][]): NodeSnapshot => ({
  ...{ op: 'node', nodeId, version, kind: 'leaf', addr: undefined, features: [], classes: [] },
  ...{ links, names, isHidden: false },
})

const first = (instances: readonly InstanceInfo[]): InstanceInfo | undefined => instances[0]

/** A relay, a leaf of it, and another leaf that tells names: the reserved ones first, as a record and as changes. */
async function claimed(
  how: 'in its record' | 'one by one',
): Promise<{ seenBy: ActorSystem[]; liar: Puppet; clock: ManualClock }> {
  const clock = new ManualClock()
  const home = await nodes.start(SystemConfig.withAddr('127.0.0.1:0').withClock(clock))
  const other = await nodes.start(SystemConfig.standalone().withClock(clock))
  await link(home, other)
  const liar = await puppet(home)
  await joined(other, liar)
  const { nodeId } = liar
  const names = [...RESERVED, FREE].map((name): [string, string] => [name, newId()])
  const updates =
    how === 'in its record'
      ? [record(liar, 2, [home.nodeId], names)]
      : names.map(([name, actorId], i) => ({ op: 'name', nodeId, version: 2 + i, name, actorId }) as const)
  liar.send({ kind: FRAME.cluster, payload: encodeUpdates(updates) })
  const seenBy = [home, other]
  // The last one it told: what came before has been taken in.
  for (const system of seenBy) expect((await system.resolve(FREE)).nodeId).toBe(nodeId)
  return { seenBy, liar, clock }
}

describe.each(['in its record', 'one by one'] as const)('names under system/ that a leaf tells %s', (how) => {
  test('are found by nobody, but the own actor of whoever looks', async () => {
    const { seenBy } = await claimed(how)
    for (const system of seenBy) {
      const found = await Promise.all(RESERVED.map(async (name) => (await system.find(name))?.nodeId))
      expect(found).toEqual([undefined, system.nodeId, undefined, undefined])
      expect(await Promise.all(RESERVED.map((name) => system.hasActor(name)))).toEqual([false, true, false, false])
    }
  })

  test('are resolved to the own actor by any policy, or to none', async () => {
    const { seenBy, liar, clock } = await claimed(how)
    const policies = ['round-robin', 'random', 'prefer-local', 'least-loaded', { key: 'any' }, first] as const
    for (const system of seenBy) {
      for (const policy of policies) {
        expect(await system.resolve('system/core', { policy })).toMatchObject({ nodeId: system.nodeId })
        const resolved = expect(system.resolve('system/leases', { policy, timeout: 1 })).rejects.toMatchObject({
          code: 'actor_not_found',
        })
        await clock.advanceAsync(1)
        await resolved
      }
      // That of a node is the one every node runs, whatever it tells.
      expect(await system.resolve('system/core', { node: liar.nodeId })).toMatchObject({
        nodeId: liar.nodeId,
        id: 'system/core',
      })
      expect(await system.find(`actor:///system/leases@${liar.nodeId}`)).toBeUndefined()
    }
  })
})

test('who waits for such a name is not given the actor of a leaf that tells it', async () => {
  const clock = new ManualClock()
  const home = await nodes.start(SystemConfig.withAddr('127.0.0.1:0').withClock(clock))
  const resolved = expect(home.resolve('system/later', { timeout: 1_000 })).rejects.toMatchObject({
    code: 'actor_not_found',
  })
  const liar = await puppet(home)
  const names: [string, string][] = [
    ['system/later', newId()],
    [FREE, newId()],
  ]
  liar.send({ kind: FRAME.cluster, payload: encodeUpdates([record(liar, 2, [home.nodeId], names)]) })
  await home.resolve(FREE)
  clock.advance(1_000)
  await resolved
})

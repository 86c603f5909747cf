/** What a relay has to do for a leaf that comes does not grow with the leaves it has: a thousand may come at once. */
import { SystemConfig } from 'pulsing'
import { afterEach, expect, test, vi } from 'vitest'
import { Topology } from '../../src/cluster/topology.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { memberIds, Nodes, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(async () => {
  vi.restoreAllMocks()
  await nodes.stop()
})

test('leaves that are linked to a relay alone join, and say what they are, without all ways being worked out anew', async () => {
  const relay = await nodes.start(SystemConfig.withAddr('127.0.0.1:0'))
  const recompute = vi.spyOn(Topology.prototype, 'recompute')
  const leaves = [await puppet(relay), await puppet(relay), await puppet(relay)]
  for (const leaf of leaves) {
    // It has taken in what the leaf said of itself.
    leaf.send({ kind: FRAME.ping, id: 7 })
    await leaf.when(({ kind, id }) => kind === FRAME.pong && id === 7)
  }
  expect(memberIds(relay)).toEqual(new Set([relay.nodeId, ...leaves.map(({ nodeId }) => nodeId)]))
  expect(recompute).not.toHaveBeenCalled()
})

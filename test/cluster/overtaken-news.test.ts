/** A neighbour whose first word of itself comes after newer news of it, by another way: also after that of its end. */
import { afterEach, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { encodeUpdates, type NodeSnapshot, type Update } from '../../src/cluster/update.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { event, memberIds, Nodes, type Puppet, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

const record = (nodeId: string, version: number, more: Partial<NodeSnapshot>): NodeSnapshot => ({
  ...{ op: 'node', nodeId, version, kind: 'relay', addr: undefined, features: [], classes: [] },
  ...{ links: [], names: [], isHidden: false, ...more },
})

/** Tells a node, and settles when it has taken that in. */
async function tell(played: Puppet, ...updates: Update[]): Promise<void> {
  played.send({ kind: FRAME.cluster, payload: encodeUpdates(updates) })
  played.send({ kind: FRAME.ping, id: 77 })
  await played.when(({ kind, id }) => kind === FRAME.pong && id === 77)
}

test('it is a way to all it is linked to, and has the names it had by the newer ones', async () => {
  const node = await nodes.start()
  const [relay, leaf] = [newId(), newId()]
  const other = await puppet(node, 'relay')
  await tell(
    other,
    record(leaf, 1, { kind: 'leaf', links: [relay] }),
    record(relay, 9, { links: [leaf, node.nodeId], names: [['shop', newId()]] }),
  )
  const isThere = event(node, 'memberJoined', ({ member }) => member.nodeId === leaf)
  await puppet(node, 'relay', (near) => near, relay)
  await isThere
  expect(memberIds(node)).toEqual(new Set([node.nodeId, other.nodeId, relay, leaf]))
  expect((await node.find('shop'))?.nodeId).toBe(relay)
})

test('it stays gone when it has said goodbye, though a link to it was on its way', async () => {
  const node = await nodes.start()
  const leaving = await puppet(node, 'relay')
  const ended = event(node, 'memberLeft')
  await tell(leaving, { op: 'gone', nodeId: leaving.nodeId })
  await ended
  const late = await puppet(node, 'relay', (near) => near, leaving.nodeId)
  await tell(late)
  expect(memberIds(node)).toEqual(new Set([node.nodeId]))
})

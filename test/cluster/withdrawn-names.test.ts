/** Names that were withdrawn while a way was lost: found by nobody when it is back, not even for a moment. */
import { type ActorRef, type ActorSystem, SystemConfig } from 'pulsing'
import { afterEach, expect, test } from 'vitest'
import { event, link, Nodes } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

const idle = { receive: () => undefined }

/** What `system` finds under a name each time it hears of a member. */
function finds(system: ActorSystem, name: string): Promise<ActorRef | undefined>[] {
  const found: Promise<ActorRef | undefined>[] = []
  for (const heard of ['memberJoined', 'memberUpdated', 'linkOpened'] as const)
    system.on(heard, () => void found.push(system.find(name)))
  return found
}

test.each([
  ['by a neighbour', 0],
  ['by a node behind the neighbour', 1],
  ['by one of more nodes behind it than are told of in one frame', 70],
])('%s', async (_who, others) => {
  const [a, b] = [await nodes.start(), await nodes.start(SystemConfig.standalone())]
  const cable = await link(a, b)
  let owner = b
  for (let i = 0; i < others; i++) {
    owner = await nodes.start()
    await link(b, owner)
  }
  await owner.spawn(idle, 'shop', { public: true })
  await a.resolve('shop')
  const isLost = event(a, 'memberUpdated', ({ member }) => member.nodeId === owner.nodeId)
  cable.cut()
  await isLost
  expect(await a.find('shop')).toBeUndefined()
  await owner.stop('shop')
  await owner.spawn(idle, 'shop/2', { public: true })
  const found = finds(a, 'shop')
  await link(a, b)
  await a.resolve('shop/2')
  expect(found.length).toBeGreaterThan(0)
  expect((await Promise.all(found)).filter((ref) => ref !== undefined)).toEqual([])
})

// Workers: nodes that know their page and nobody else, reached from the whole cluster through it.

import { ask, hostProbe } from './support/probes.ts'
import { expect, test } from './support/story.ts'

const unreachable = { code: expect.stringMatching(/^(unreachable|session_reset)$/), isPulsing: true }

/** Well below the time after which a silent neighbour is given up: a worker's end is noticed, not timed out. */
const soonMs = 5_000

test('a worker asks Node.js through its page', async ({ node, openTab }) => {
  const worker = await (await openTab()).startWorker()
  await hostProbe(node, 'on-node')

  expect(await ask(worker, 'on-node')).toEqual({ nodeId: node.nodeId, value: 'to on-node' })
})

test('Node.js asks a worker', async ({ node, openTab }) => {
  const worker = await (await openTab()).startWorker()
  await hostProbe(worker, 'in-worker')

  expect(await ask(node, 'in-worker')).toEqual({ nodeId: worker.nodeId, value: 'to in-worker' })
})

test('a page and its worker ask each other', async ({ openTab }) => {
  const tab = await openTab()
  const worker = await tab.startWorker()
  await hostProbe(tab, 'in-page')
  await hostProbe(worker, 'in-worker')

  expect(await ask(worker, 'in-page')).toEqual({ nodeId: tab.nodeId, value: 'to in-page' })
  expect(await ask(tab, 'in-worker')).toEqual({ nodeId: worker.nodeId, value: 'to in-worker' })
})

test("a tab asks another tab's worker", async ({ openTab }) => {
  const [alice, bob] = [await openTab(), await openTab()]
  const worker = await bob.startWorker()
  await hostProbe(worker, 'bobs-worker')

  expect(await ask(alice, 'bobs-worker')).toEqual({ nodeId: worker.nodeId, value: 'to bobs-worker' })
})

test("a worker asks another tab's worker", async ({ openTab }) => {
  const [alice, bob] = [await openTab(), await openTab()]
  const [alices, bobs] = [await alice.startWorker(), await bob.startWorker()]
  await hostProbe(bobs, 'bobs-worker')

  expect(await ask(alices, 'bobs-worker')).toEqual({ nodeId: bobs.nodeId, value: 'to bobs-worker' })
})

test('a worker needs no relay to talk to its page', async ({ openTab }) => {
  const tab = await openTab({ seeds: [] })
  const worker = await tab.startWorker()
  await hostProbe(worker, 'in-worker')

  expect(await ask(tab, 'in-worker')).toEqual({ nodeId: worker.nodeId, value: 'to in-worker' })
  expect(await tab.run(({ system }) => system.members().length)).toBe(2)
})

test('a worker that is terminated disappears at once, and asks to it fail', async ({ node, openTab }) => {
  const tab = await openTab()
  const worker = await tab.startWorker()
  await worker.run(async ({ actors, system }) => {
    // One for each who asks: an actor handles one message at a time.
    await system.spawn(new actors.Silent(), 'silent-to-page', { public: true })
    await system.spawn(new actors.Silent(), 'silent-to-node', { public: true })
  })
  for (const [asker, name] of [
    [tab, 'silent-to-page'],
    [node, 'silent-to-node'],
  ] as const) {
    await asker.run(async (lab, name) => {
      const silent = await lab.system.resolve(name)
      lab.begin('asked', () => silent.ask('anything', { timeout: Infinity }))
    }, name)
  }
  await worker.run((lab) => lab.until(() => lab.counted('hanging') === 2))

  const begin = performance.now()
  await tab.run((lab) => lab.terminateWorker())
  const [ofTab, ofNode] = [await tab.run((lab) => lab.ended('asked')), await node.run((lab) => lab.ended('asked'))]
  await tab.run((lab) => lab.untilMembers(3))
  await node.run((lab) => lab.untilMembers(3))
  const tookMs = performance.now() - begin

  expect(ofTab.error).toMatchObject(unreachable)
  expect(ofNode.error).toMatchObject(unreachable)
  expect(tookMs).toBeLessThan(soonMs)
  const left = await node.run(({ events }) =>
    events.filter(({ name }) => name === 'memberLeft').map(({ nodeId }) => nodeId),
  )
  expect(left).toEqual([worker.nodeId])
})

test('a tab that is closed takes its worker along', async ({ node, openTab }) => {
  const tab = await openTab()
  const worker = await tab.startWorker()
  await node.run((lab) => lab.untilMembers(4))

  await tab.page.close()

  await node.run((lab) => lab.untilMembers(2))
  const left = await node.run(({ events }) =>
    events.filter(({ name }) => name === 'memberLeft').map(({ nodeId }) => nodeId),
  )
  expect(left.sort()).toEqual([tab.nodeId, worker.nodeId].sort())
})

// Nodes that leave, die, reload or come back: what others see of it, and that nothing waits for them in vain.

import type { Participant } from './support/participant.ts'
import { expect, test } from './support/story.ts'

const unreachable = {
  name: expect.stringMatching(/^(UnreachableError|SessionResetError)$/),
  code: expect.stringMatching(/^(unreachable|session_reset)$/),
  isPulsing: true,
}

/** Well below the time after which a silent neighbour is given up: whoever is gone must be noticed, not timed out. */
const soonMs = 10_000

/** Has `asker` ask an actor of `host` that never answers, and waits until the question is there. */
async function askInVain(asker: Participant, host: Participant): Promise<void> {
  await host.run(
    async ({ actors, system }) => void (await system.spawn(new actors.Silent(), 'silent', { public: true })),
  )
  await asker.run(async (lab) => {
    const silent = await lab.system.resolve('silent')
    lab.begin('asked', () => silent.ask('anything', { timeout: Infinity }))
  })
  await host.run((lab) => lab.until(() => lab.counted('hanging') === 1))
}

/** What became of the question, and how long that took. */
async function answerTo(asker: Participant): Promise<{ error: unknown; tookMs: number }> {
  const begin = performance.now()
  const { error } = await asker.run((lab) => lab.ended('asked'))
  return { error, tookMs: performance.now() - begin }
}

/** Waits until `participant` sees so many members and was told that `nodeId` left. */
async function seesDeparture(participant: Participant, nodeId: string, membersLeft: number): Promise<void> {
  const seen = await participant.run(
    async (lab, { nodeId, membersLeft }) => {
      await lab.untilMembers(membersLeft)
      await lab.until(() => lab.events.some((event) => event.name === 'memberLeft' && event.nodeId === nodeId))
      return lab.system.members().map((member) => member.nodeId)
    },
    { nodeId, membersLeft },
  )
  expect(seen).not.toContain(nodeId)
}

test('a tab that is closed leaves the members, and asks to it fail', async ({ node, openTab }) => {
  const tab = await openTab()
  await askInVain(node, tab)

  await tab.page.close()

  const { error, tookMs } = await answerTo(node)
  expect(error).toMatchObject(unreachable)
  expect(tookMs).toBeLessThan(soonMs)
  await seesDeparture(node, tab.nodeId, 2)
  expect(await node.run(({ system }) => system.hasActor('silent'))).toBe(false)
})

test('a tab that crashes leaves the members, and asks to it fail', async ({ node, openTab }) => {
  const tab = await openTab()
  await askInVain(node, tab)

  await tab.crash()

  const { error, tookMs } = await answerTo(node)
  expect(error).toMatchObject(unreachable)
  expect(tookMs).toBeLessThan(soonMs)
  await seesDeparture(node, tab.nodeId, 2)
})

test('a tab that is reloaded is another node', async ({ relay, node, openTab }) => {
  const tab = await openTab()
  await askInVain(node, tab)
  const before = tab.nodeId

  await tab.page.reload()
  await tab.start({ seeds: [relay.url] })

  expect((await answerTo(node)).error).toMatchObject(unreachable)
  await seesDeparture(node, before, 3)
  expect(tab.nodeId).not.toBe(before)
  const members = await node.run(({ system }) => system.members().map(({ nodeId }) => nodeId))
  expect(members).toContain(tab.nodeId)

  // Its old actors are gone with the old node, and the name is free.
  await tab.run(
    async ({ actors, system }) => void (await actors.Probe.options({ name: 'silent', public: true }).local(system)),
  )
  const reply = await node.run(async ({ actors, system }, host) => {
    const ref = await system.resolve('silent', { node: host })
    return ref.asType(actors.Probe).echo('anew')
  }, tab.nodeId)
  expect(reply).toEqual({ nodeId: tab.nodeId, value: 'anew' })
})

test('a ref of a tab that is gone fails typed', async ({ node, openTab }) => {
  const tab = await openTab()
  await tab.run(
    async ({ actors, system }) => void (await actors.Probe.options({ name: 'probe', public: true }).local(system)),
  )
  await node.run(async (lab) => void (lab.kept.ref = await lab.system.resolve('probe')))

  await tab.page.close()
  await seesDeparture(node, tab.nodeId, 2)

  const outcome = await node.run((lab) => lab.outcomeOf(() => lab.kept.ref?.ask('anybody there?')))
  expect(outcome.error).toMatchObject({ code: 'unreachable', outcome: 'not-sent', isPulsing: true })
})

test('a Node.js process that shuts down leaves the members, and asks to it fail', async ({ node, openTab }) => {
  const tab = await openTab()
  await askInVain(tab, node)

  await node.run(({ system }) => system.shutdown())

  const { error, tookMs } = await answerTo(tab)
  expect(error).toMatchObject({
    isPulsing: true,
    code: expect.stringMatching(/^(actor_stopped|unreachable|session_reset)$/),
  })
  expect(tookMs).toBeLessThan(soonMs)
  await seesDeparture(tab, node.nodeId, 2)
})

test('a tab that shuts its node down leaves the members, and asks to it fail', async ({ node, openTab }) => {
  const tab = await openTab()
  await askInVain(node, tab)

  await tab.run(({ system }) => system.shutdown())

  const { error, tookMs } = await answerTo(node)
  expect(error).toMatchObject({
    isPulsing: true,
    code: expect.stringMatching(/^(actor_stopped|unreachable|session_reset)$/),
  })
  expect(tookMs).toBeLessThan(soonMs)
  await seesDeparture(node, tab.nodeId, 2)
})

test('a Node.js process that is killed leaves the members, and asks to it fail', async ({ node, openTab }) => {
  const tab = await openTab()
  await askInVain(tab, node)

  await node.kill()

  const { error, tookMs } = await answerTo(tab)
  expect(error).toMatchObject(unreachable)
  expect(tookMs).toBeLessThan(soonMs)
  await seesDeparture(tab, node.nodeId, 2)
})

test('when the relay is killed every pending ask fails and each node is alone', async ({ relay, node, openTab }) => {
  const tab = await openTab()
  await askInVain(tab, node)

  await relay.kill()

  const { error, tookMs } = await answerTo(tab)
  expect(error).toMatchObject(unreachable)
  expect(tookMs).toBeLessThan(soonMs)
  await seesDeparture(tab, node.nodeId, 1)
  await seesDeparture(node, tab.nodeId, 1)
  // The handler learns it too.
  await node.run((lab) => lab.until(() => lab.counted('gaveUp') === 1))
})

test('when a relay comes back everybody joins again by themselves', async ({ relay, node, openTab }) => {
  const tab = await openTab()
  await node.run(
    async ({ actors, system }) => void (await actors.Probe.options({ name: 'probe', public: true }).local(system)),
  )
  await tab.run(async (lab) => void (lab.kept.ref = await lab.system.resolve('probe')))
  await relay.kill()
  await tab.run((lab) => lab.untilMembers(1))
  await node.run((lab) => lab.untilMembers(1))

  const again = await relay.startAgain()
  try {
    await tab.run((lab) => lab.untilMembers(3))
    await node.run((lab) => lab.untilMembers(3))
    const replies = await tab.run(async (lab) => {
      const found = await lab.actors.Probe.resolve(lab.system, 'probe')
      const kept = lab.kept.ref!.asType(lab.actors.Probe)
      return [await found.echo('found again'), await kept.echo('by the old ref')]
    })
    expect(replies).toEqual([
      { nodeId: node.nodeId, value: 'found again' },
      { nodeId: node.nodeId, value: 'by the old ref' },
    ])
  } finally {
    await again.close()
  }
})

test('a relay that ends in order lets its leaves know at once', async ({ relay, node, openTab }) => {
  const tab = await openTab()
  await askInVain(tab, node)

  await relay.close()

  expect((await answerTo(tab)).error).toMatchObject(unreachable)
  await seesDeparture(tab, node.nodeId, 1)
})

// Three relays, and tabs that know all of them, each another one first: a relay that is killed costs nobody anything, and
// what others see of a tab is what it does.

import { PatientTab } from './support/patient-tab.ts'
import { pour } from './support/pouring.ts'
import { RelayCluster } from './support/relay-cluster.ts'
import { test as base, expect } from './support/story.ts'

/** 16 MiB in chunks of 64 KiB: no more than a few of them are under way at a time. */
const chunks = { items: 256, bytes: 65_536 }
const bufferSize = 8
/** Well below the minute that a tab which is only away stays a member. */
const soonMs = 10_000

interface Cast {
  relays: RelayCluster
  /** Opens a tab with all relays as seeds, the one of that index first. */
  openTabAt: (index: number) => Promise<PatientTab>
}

const test = base.extend<Cast>({
  relays: async ({ site }, use) => {
    const relays = await RelayCluster.start(3, site.origin)
    await use(relays)
    await relays.close()
  },

  openTabAt: async ({ relays, site, context }, use) => {
    const problems: string[] = []
    await use(async (index) => {
      const seeds = [...relays.urls.slice(index), ...relays.urls.slice(0, index)]
      const tab = await PatientTab.open(context, site.origin, seeds)
      tab.page.on('pageerror', (error) => problems.push(error.stack ?? error.message))
      return tab
    })
    expect(problems).toEqual([])
  },
})

test('a stream between tabs goes on when the relay it comes through is killed', async ({ relays, openTabAt }) => {
  const [alice, bob] = [await openTabAt(1), await openTabAt(2)]
  for (const tab of [alice, bob]) await tab.seesOnline(5)
  await bob.run(async (lab, reads) => {
    lab.allowReads(reads)
    await lab.system.spawn(new lab.actors.Sink(), 'sink', { public: true })
    await lab.actors.Probe.options({ name: 'probe of Bob', public: true }).local(lab.system)
  }, chunks.items / 2)
  await pour(alice, { ...chunks, bufferSize })
  // Half has been read: of the rest no more than the buffer has been sent.
  await bob.run((lab, reads) => lab.until(() => lab.counted('read') === reads), chunks.items / 2)
  const [dead = ''] = relays.urls.slice(2)
  const relayOfBob = await bob.run(
    ({ system }, dead) => system.members().find(({ addr }) => addr === dead)!.nodeId,
    dead,
  )

  await relays.kill(dead)
  await alice.sees(relayOfBob, 'unreachable')
  await bob.run((lab) => lab.allowReads(Infinity))

  const poured = await alice.run((lab) => lab.ended('poured'))
  expect(poured.value).toMatchObject({ items: chunks.items, bytes: chunks.items * chunks.bytes })
  expect(await alice.run((lab) => lab.ended('asked'))).toEqual({ value: { value: poured.value } })

  // The same node, and its names, over another relay.
  await alice.seesOnline(4)
  await bob.seesOnline(4)
  const reply = await alice.run(async ({ actors, system }) => {
    const probe = await actors.Probe.resolve(system, 'probe of Bob')
    return probe.echo('still there')
  })
  expect(reply).toEqual({ nodeId: bob.nodeId, value: 'still there' })
  const names = (await alice.newsOf(bob.nodeId)).map(({ name }) => name)
  expect(names.filter((name) => name === 'memberLeft')).toEqual([])
  expect(names.filter((name) => name === 'memberJoined').length).toBeLessThanOrEqual(1)
})

test('a tab that is closed is no member any more at once, on all relays', async ({ openTabAt }) => {
  const [alice, bob, carol] = [await openTabAt(0), await openTabAt(1), await openTabAt(2)]
  for (const tab of [alice, bob, carol]) await tab.seesOnline(6)

  const begin = performance.now()
  await bob.page.close()
  for (const tab of [alice, carol])
    await tab.run((lab, nodeId) => {
      const isThere = (): boolean => lab.system.members().some((member) => member.nodeId === nodeId)
      return lab.until(() => !isThere())
    }, bob.nodeId)

  // It said goodbye: nobody took it for one that is only away.
  expect(performance.now() - begin).toBeLessThan(soonMs)
  for (const tab of [alice, carol]) {
    const told = (await tab.newsOf(bob.nodeId)).filter(({ name }) => name !== 'memberJoined')
    expect(told.map(({ name }) => name)).toEqual(['memberLeft'])
  }
})

test('a tab that crashes is a member still, as one that may come back', async ({ openTabAt }) => {
  const [alice, bob] = [await openTabAt(0), await openTabAt(1)]
  for (const tab of [alice, bob]) await tab.seesOnline(5)

  const crashed = bob.page.waitForEvent('crash')
  const session = await bob.page.context().newCDPSession(bob.page)
  void session.send('Page.crash').catch(() => undefined)
  await crashed

  await alice.sees(bob.nodeId, 'detached')
  expect((await alice.newsOf(bob.nodeId)).map(({ name }) => name)).not.toContain('memberLeft')
})

test('others see that a tab is hidden, and that it is shown again', async ({ openTabAt }) => {
  const [alice, bob] = [await openTabAt(0), await openTabAt(1)]
  for (const tab of [alice, bob]) await tab.seesOnline(5)
  await bob.run(
    async ({ actors, system }) => void (await actors.Probe.options({ name: 'probe', public: true }).local(system)),
  )

  await bob.show('hidden')
  for (const tab of [alice, bob]) await tab.sees(bob.nodeId, 'hidden')
  // It answers all the same.
  const reply = await alice.run(async ({ actors, system }) => {
    const probe = await actors.Probe.resolve(system, 'probe')
    return probe.echo('while hidden')
  })
  expect(reply).toEqual({ nodeId: bob.nodeId, value: 'while hidden' })

  await bob.show('visible')
  for (const tab of [alice, bob]) await tab.sees(bob.nodeId, 'online')
  const told = (await alice.newsOf(bob.nodeId)).filter(({ status }) => status === 'hidden')
  expect(told.length).toBeGreaterThan(0)
  expect((await alice.newsOf(bob.nodeId)).map(({ name }) => name)).not.toContain('memberLeft')
})

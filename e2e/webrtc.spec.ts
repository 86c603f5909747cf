// Two tabs that talk enough connect to each other directly. What they say stays in order while the way changes, and the
// relay is needed no longer.

import type { Participant } from './support/participant.ts'
import { expect, test } from './support/story.ts'
import type { Tab } from './support/tab.ts'

/** Little enough to be quick, more than what two tabs say before a story is under way. */
const upgradeAfterMessages = 30

async function hostProbe(host: Participant, name: string): Promise<void> {
  await host.run(
    async ({ actors, system }, name) => void (await actors.Probe.options({ name, public: true }).local(system)),
    name,
  )
}

/** Waits until both tabs see the direct link. */
async function untilDirect(tabs: readonly Participant[]): Promise<void> {
  for (const tab of tabs) {
    await tab.run((lab) =>
      lab.until(() => lab.events.some(({ name, transport }) => name === 'linkOpened' && transport === 'webrtc')),
    )
  }
}

/** Has `asker` ask often enough for a direct link. */
async function talk(asker: Participant, name: string): Promise<void> {
  await asker.run(
    async ({ actors, system }, { name, times }) => {
      const probe = await actors.Probe.resolve(system, name)
      for (let i = 0; i < times; i++) await probe.echo(i)
    },
    { name, times: upgradeAfterMessages + 1 },
  )
}

test.describe('two tabs with WebRTC', () => {
  let alice: Tab
  let bob: Tab

  test.beforeEach(async ({ openTab }) => {
    alice = await openTab({ upgradeAfterMessages })
    bob = await openTab({ upgradeAfterMessages })
    await hostProbe(alice, 'alice')
    await hostProbe(bob, 'bob')
  })

  test('connect directly once they talked enough, and ask on', async () => {
    await talk(alice, 'bob')
    await untilDirect([alice, bob])

    const opened = await bob.run(({ events }) => events.filter(({ transport }) => transport === 'webrtc'))
    expect(opened).toMatchObject([{ name: 'linkOpened', nodeId: alice.nodeId }])
    const replies = []
    for (const [asker, name] of [
      [alice, 'bob'],
      [bob, 'alice'],
    ] as const) {
      replies.push(
        await asker.run(
          async ({ actors, system }, name) => (await actors.Probe.resolve(system, name)).echo(name),
          name,
        ),
      )
    }
    expect(replies).toEqual([
      { nodeId: bob.nodeId, value: 'bob' },
      { nodeId: alice.nodeId, value: 'alice' },
    ])
  })

  test('stay on the relay while they talk little', async () => {
    await alice.run(async ({ actors, system }) => void (await (await actors.Probe.resolve(system, 'bob')).echo('once')))

    const links = await alice.run(({ events }) => events.filter(({ transport }) => transport === 'webrtc'))
    expect(links).toEqual([])
  })

  test('what one tells the other arrives in order and complete across the switch, both ways', async () => {
    for (const [teller, name] of [
      [alice, 'bob'],
      [bob, 'alice'],
    ] as const) {
      await teller.run(async (lab, name) => {
        const probe = await lab.actors.Probe.resolve(lab.system, name)
        lab.begin('told', async () => {
          const isDirect = () =>
            lab.events.some(({ name, transport }) => name === 'linkOpened' && transport === 'webrtc')
          let told = 0
          let toldBefore = 0
          while (told < 20) await probe.tell('note', told++)
          // Both talk before either has said enough.
          await lab.until(() => lab.notes.length >= 20)
          // As long as it takes to be direct, within reason, and well beyond.
          while (told < 500 || (told - toldBefore < 250 && told < 20_000)) {
            if (!isDirect()) toldBefore = told
            for (let i = 0; i < 10; i++) await probe.tell('note', told++)
            await probe.echo(told)
          }
          return { told, toldBefore }
        })
      }, name)
    }

    for (const [teller, hearer] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const { value } = await teller.run((lab) => lab.ended('told'))
      const { told, toldBefore } = value as { told: number; toldBefore: number }
      expect(toldBefore).toBeGreaterThan(0)
      expect(told - toldBefore).toBeGreaterThanOrEqual(250)
      const heard = await hearer.run(async (lab, told) => {
        await lab.until(() => lab.notes.length >= told)
        return lab.notes
      }, told)
      expect(heard).toEqual(Array.from({ length: told }, (_, i) => i))
    }
  })

  test('a burst at the moment of the switch arrives in order and complete', async () => {
    await alice.run(async (lab) => {
      const probe = await lab.actors.Probe.resolve(lab.system, 'bob')
      lab.begin('told', async () => {
        let told = 0
        const burst = async () => {
          const tells = []
          for (let i = 0; i < 100; i++) tells.push(probe.tell('note', told++))
          await Promise.all(tells)
        }
        const switched = new Promise<void>((resolve, reject) => {
          lab.system.on('linkOpened', ({ transport }) => {
            if (transport === 'webrtc') burst().then(burst).then(resolve, reject)
          })
        })
        await burst()
        await switched
        await burst()
        return told
      })
    })

    const { value: told } = await alice.run((lab) => lab.ended('told'))
    expect(told).toBe(400)
    const heard = await bob.run(async (lab) => {
      await lab.until(() => lab.notes.length >= 400)
      return lab.notes
    })
    expect(heard).toEqual(Array.from({ length: 400 }, (_, i) => i))
  })

  test('an ask that began before the switch is answered after it', async () => {
    await alice.run(async (lab) => {
      const probe = await lab.actors.Probe.resolve(lab.system, 'bob')
      lab.begin('asked', () => probe.answerAfter('direct', 'late'))
    })
    await bob.run(
      async ({ actors, system }) =>
        void (await actors.Probe.options({ name: 'bobs-other', public: true }).local(system)),
    )
    await talk(alice, 'bobs-other')
    await untilDirect([alice, bob])

    await bob.run((lab) => lab.count('direct'))

    expect(await alice.run((lab) => lab.ended('asked'))).toEqual({ value: 'late' })
  })

  test('a stream that began before the switch goes on, with its back-pressure', async () => {
    const chunks = { items: 200, bytes: 65_536 }
    await bob.run(async (lab) => {
      lab.allowReads(4)
      await lab.system.spawn(new lab.actors.Sink(), 'sink', { public: true })
    })
    await alice.run(async (lab, chunks) => {
      const sink = await lab.system.resolve('sink')
      const [message, writer] = lab.pulsing.StreamMessage.create('chunks', 8)
      lab.begin('asked', async () => (await sink.ask(message, { timeout: Infinity })).toObject())
      lab.begin('poured', () => lab.pour(writer, chunks))
    }, chunks)
    await alice.run((lab) => lab.until(() => lab.counted('written') === 12))
    await talk(alice, 'bob')
    await untilDirect([alice, bob])

    await bob.run((lab) => lab.allowReads(60))
    await bob.run((lab) => lab.until(() => lab.counted('read') === 60))
    await alice.run((lab) => lab.until(() => lab.counted('written') === 68))
    await talk(alice, 'bob')
    expect(await alice.run((lab) => lab.counted('written'))).toBe(68)
    await bob.run((lab) => lab.allowReads(Infinity))

    const poured = await alice.run((lab) => lab.ended('poured'))
    expect(poured.value).toMatchObject({ items: chunks.items, bytes: chunks.items * chunks.bytes })
    expect((await alice.run((lab) => lab.ended('asked'))).value).toEqual(poured)
  })

  test('go on without the relay once they are connected', async ({ relay }) => {
    await talk(alice, 'bob')
    await untilDirect([alice, bob])
    await alice.run(async (lab) => {
      const probe = await lab.actors.Probe.resolve(lab.system, 'bob')
      lab.begin('asked', () => probe.answerAfter('relay gone', 'undisturbed'))
      await lab.actors.Probe.options({ name: 'alices-other', public: true }).local(lab.system)
    })

    await relay.kill()

    for (const tab of [alice, bob]) await tab.run((lab) => lab.untilMembers(2))
    await bob.run((lab) => lab.count('relay gone'))
    expect(await alice.run((lab) => lab.ended('asked'))).toEqual({ value: 'undisturbed' })
    const replies = []
    for (const [asker, name] of [
      [alice, 'bob'],
      [bob, 'alices-other'],
    ] as const) {
      replies.push(
        await asker.run(
          async ({ actors, system }, name) => (await actors.Probe.resolve(system, name)).echo(name),
          name,
        ),
      )
    }
    expect(replies).toEqual([
      { nodeId: bob.nodeId, value: 'bob' },
      { nodeId: alice.nodeId, value: 'alices-other' },
    ])
  })

  for (const [what, end, boundMs] of [
    ['is closed', (tab: Tab) => tab.page.close(), 5_000],
    // Nothing says goodbye: the browser notices that no packets come, after some seconds.
    ['crashes', (tab: Tab) => tab.crash(), 20_000],
  ] as const) {
    test(`miss one of them that ${what}, and asks to it fail`, async () => {
      await talk(alice, 'bob')
      await untilDirect([alice, bob])
      await bob.run(async ({ actors, system }) => {
        await system.spawn(new actors.Silent(), 'silent', { public: true })
      })
      await alice.run(async (lab) => {
        const silent = await lab.system.resolve('silent')
        lab.begin('asked', () => silent.ask('anything', { timeout: Infinity }))
      })
      await bob.run((lab) => lab.until(() => lab.counted('hanging') === 1))

      const begin = performance.now()
      await end(bob)
      const asked = await alice.run((lab) => lab.ended('asked'))
      await alice.run((lab) => lab.untilMembers(2))

      expect(asked.error).toMatchObject({
        code: expect.stringMatching(/^(unreachable|session_reset)$/),
        isPulsing: true,
      })
      expect(performance.now() - begin).toBeLessThan(boundMs)
    })
  }
})

test('a tab without WebRTC is reached through the relay by one that has it', async ({ openTab }) => {
  const [alice, bob] = [await openTab({ upgradeAfterMessages }), await openTab()]
  await hostProbe(bob, 'bob')

  await talk(alice, 'bob')

  const links = await alice.run(({ events }) => events.filter(({ transport }) => transport === 'webrtc'))
  expect(links).toEqual([])
})

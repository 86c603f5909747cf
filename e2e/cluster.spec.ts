// Tabs and Node.js processes in one cluster, through a real relay: finding each other, refs in messages, what the relay
// sees, and giving up.

import { expect, test } from './support/story.ts'

test.describe('public names are found from anywhere', () => {
  test('a tab asks Node.js', async ({ node, openTab }) => {
    await node.run(async ({ actors, system }) => {
      await actors.Probe.options({ name: 'probe', public: true }).local(system)
    })
    const tab = await openTab()

    const reply = await tab.run(async ({ actors, system }) => {
      const probe = await actors.Probe.resolve(system, 'probe')
      return probe.echo('from a tab')
    })

    expect(reply).toEqual({ nodeId: node.nodeId, value: 'from a tab' })
  })

  test('Node.js asks a tab', async ({ node, openTab }) => {
    const tab = await openTab()
    await tab.run(async ({ actors, system }) => {
      await actors.Probe.options({ name: 'probe', public: true }).local(system)
    })

    const reply = await node.run(async ({ actors, system }) => {
      const probe = await actors.Probe.resolve(system, 'probe')
      return probe.echo('from Node.js')
    })

    expect(reply).toEqual({ nodeId: tab.nodeId, value: 'from Node.js' })
  })

  test('a tab asks a tab through the relay', async ({ openTab }) => {
    const [alice, bob] = [await openTab(), await openTab()]
    await bob.run(async ({ actors, system }) => {
      await actors.Probe.options({ name: 'bob', public: true }).local(system)
    })

    const reply = await alice.run(async ({ actors, system }) => {
      const probe = await actors.Probe.resolve(system, 'bob')
      return probe.echo('from Alice')
    })

    expect(reply).toEqual({ nodeId: bob.nodeId, value: 'from Alice' })
  })

  test('every node sees the same members', async ({ node, openTab }) => {
    const everybody = [node, await openTab(), await openTab()]

    const views = []
    for (const participant of everybody) {
      const members = await participant.run(async (lab) => {
        await lab.untilMembers(4)
        return lab.system.members()
      })
      expect(members[0]).toMatchObject({ nodeId: participant.nodeId, isSelf: true })
      views.push(members.map(({ nodeId, kind }) => `${nodeId} ${kind}`).sort())
    }

    expect(views[1]).toEqual(views[0])
    expect(views[2]).toEqual(views[0])
    expect(views[0]).toEqual(expect.arrayContaining(everybody.map(({ nodeId }) => `${nodeId} leaf`)))
    expect(views[0]?.filter((member) => member.endsWith(' relay'))).toHaveLength(1)
  })

  test('a name of several nodes stays found while one of them has it', async ({ node, openTab }) => {
    const [alice, bob] = [await openTab(), await openTab()]
    for (const host of [node, alice]) {
      await host.run(
        async ({ actors, system }) => void (await actors.Probe.options({ name: 'shared', public: true }).local(system)),
      )
    }

    const answeredBy = await bob.run(
      async ({ actors, system }, hosts) => {
        for (const host of hosts) await system.resolve('shared', { node: host })
        const seen = new Set<string>()
        for (let i = 0; i < 4; i++) {
          const probe = await actors.Probe.resolve(system, 'shared')
          seen.add((await probe.echo(i)).nodeId)
        }
        return [...seen].sort()
      },
      [node.nodeId, alice.nodeId],
    )
    expect(answeredBy).toEqual([node.nodeId, alice.nodeId].sort())

    await alice.page.close()
    const left = await bob.run(async (lab) => {
      await lab.untilMembers(3)
      const probe = await lab.actors.Probe.resolve(lab.system, 'shared')
      return (await probe.echo('still there')).nodeId
    })
    expect(left).toBe(node.nodeId)
  })
})

test.describe('refs inside messages', () => {
  test('a ref of a tab that another tab sends to Node.js works there', async ({ node, openTab }) => {
    const [alice, bob] = [await openTab(), await openTab()]
    await node.run(
      async ({ actors, system }) =>
        void (await actors.Probe.options({ name: 'go-between', public: true }).local(system)),
    )
    await bob.run(
      async ({ actors, system }) => void (await actors.Probe.options({ name: 'bob', public: true }).local(system)),
    )

    const reply = await alice.run(async ({ actors, system }) => {
      const bobs = await system.resolve('bob')
      const goBetween = await actors.Probe.resolve(system, 'go-between')
      return goBetween.askOther(bobs, 'by way of Node.js')
    })

    expect(reply).toEqual({ nodeId: bob.nodeId, value: 'by way of Node.js' })
  })

  test('a ref of an actor without a name works where it arrives, and comes home as the local one', async ({
    node,
    openTab,
  }) => {
    const alice = await openTab()
    await node.run(
      async ({ actors, system }) =>
        void (await actors.Probe.options({ name: 'go-between', public: true }).local(system)),
    )

    const result = await alice.run(async ({ actors, system }) => {
      const own = await actors.Probe.options({}).local(system)
      const goBetween = await system.resolve('go-between')
      const asked = await goBetween.asType(actors.Probe).askOther(own.ref, 'back to you')
      const { value } = await goBetween.asType(actors.Probe).echo({ deep: [own.ref] })
      const [home] = (value as { deep: [typeof own.ref] }).deep
      return { asked, isLocal: home.isLocal, isSame: home.id === own.ref.id }
    })

    expect(result).toEqual({ asked: { nodeId: alice.nodeId, value: 'back to you' }, isLocal: true, isSame: true })
  })
})

test.describe('the relay forwards without decoding', () => {
  test('bytes that are no CBOR pass unchanged', async ({ node, openTab }) => {
    const tab = await openTab()
    await node.run(
      async ({ actors, system }) => void (await system.spawn(new actors.Mirror(), 'mirror', { public: true })),
    )

    const result = await tab.run(async ({ system, pulsing }) => {
      const sent = Uint8Array.from({ length: 100_000 }, (_, i) =>
        i < 4 ? [0xff, 0x1c, 0xfe, 0x5d][i]! : (i * 31) % 256,
      )
      const mirror = await system.resolve('mirror')
      const reply = await mirror.ask(pulsing.Message.single('application/x-anything', sent))
      const { payload } = reply
      return {
        msgType: reply.msgType,
        length: payload.byteLength,
        isSame: payload.every((byte, i) => byte === sent[i]),
      }
    })

    expect(result).toEqual({ msgType: 'application/x-anything', length: 100_000, isSame: true })
  })

  test('payloads never reach its decoder', async ({ relay, node, openTab }) => {
    const tab = await openTab()
    await node.run(
      async ({ actors, system }) => void (await actors.Probe.options({ name: 'probe', public: true }).local(system)),
    )
    // What is for the relay itself it does decode: large values, as those below, by the decoder that is watched.
    await tab.run(async ({ system, pulsing }) => {
      const { nodeId } = system.members().find(({ kind }) => kind === 'relay')!
      const core = await system.resolve('system/core', { node: nodeId })
      await core.ask(pulsing.Message.fromObject('@ping', 'x'.repeat(8_192)))
      await system.resolve('probe')
    })

    const before = await relay.report()
    const sentBytes = await tab.run(async ({ actors, system }) => {
      const probe = await actors.Probe.resolve(system, 'probe')
      const text = 'x'.repeat(8_192)
      for (let i = 0; i < 100; i++) await probe.echo({ i, text })
      return 100 * text.length
    })
    const after = await relay.report()

    expect(before.decodedBytes).toBeGreaterThan(8_192)
    expect(after.decodedBytes - before.decodedBytes).toBeLessThan(sentBytes / 100)
  })
})

test.describe('giving up', () => {
  test('aborting an ask in a tab aborts the handler in Node.js', async ({ node, openTab }) => {
    const tab = await openTab()
    await node.run(
      async ({ actors, system }) => void (await system.spawn(new actors.Silent(), 'silent', { public: true })),
    )

    await tab.run(async (lab) => {
      const silent = await lab.system.resolve('silent')
      const controller = new AbortController()
      lab.begin('asked', () => silent.ask('anything', { signal: controller.signal }))
      lab.kept.controller = controller
    })
    await node.run((lab) => lab.until(() => lab.counted('hanging') === 1))
    expect(await node.run((lab) => lab.counted('gaveUp'))).toBe(0)

    const outcome = await tab.run((lab) => {
      lab.kept.controller?.abort(new Error('changed my mind'))
      return lab.ended('asked')
    })

    expect(outcome.error?.message).toBe('changed my mind')
    await node.run((lab) => lab.until(() => lab.counted('gaveUp') === 1))
  })

  test('an ask of a tab that times out aborts the handler in Node.js', async ({ node, openTab }) => {
    const tab = await openTab()
    await node.run(
      async ({ actors, system }) => void (await system.spawn(new actors.Silent(), 'silent', { public: true })),
    )

    const outcome = await tab.run(async (lab) => {
      const silent = await lab.system.resolve('silent')
      return lab.outcomeOf(() => silent.ask('anything', { timeout: 200 }))
    })

    expect(outcome.error).toMatchObject({ name: 'PulsingTimeoutError', code: 'timeout', isPulsing: true })
    await node.run((lab) => lab.until(() => lab.counted('gaveUp') === 1))
  })
})

// What goes wrong arrives as the documented error, in a tab as anywhere else.

import { expect, test } from './support/story.ts'

test.describe('errors of a tab are typed', () => {
  test('an unknown name is found undefined, and resolving it throws ActorNotFoundError', async ({ openTab }) => {
    const tab = await openTab()

    const result = await tab.run(async (lab) => ({
      found: await lab.system.find('nobody'),
      has: await lab.system.hasActor('nobody'),
      resolved: await lab.outcomeOf(() => lab.system.resolve('nobody', { timeout: 100 })),
    }))

    expect(result.found).toBeUndefined()
    expect(result.has).toBe(false)
    expect(result.resolved.error).toMatchObject({
      name: 'ActorNotFoundError',
      code: 'actor_not_found',
      isPulsing: true,
    })
  })

  test('an actor that is not public is not found from elsewhere', async ({ node, openTab }) => {
    const tab = await openTab()
    await node.run(async ({ actors, system }) => {
      await actors.Probe.options({ name: 'private' }).local(system)
      await actors.Probe.options({ name: 'public', public: true }).local(system)
    })

    const [isPublic, isPrivate] = await tab.run(async ({ system }) => {
      await system.resolve('public')
      return [await system.hasActor('public'), await system.hasActor('private')]
    })

    expect(isPublic).toBe(true)
    expect(isPrivate).toBe(false)
  })

  test('an argument that cannot travel throws NotSerialisableError', async ({ node, openTab }) => {
    const tab = await openTab()
    await node.run(
      async ({ actors, system }) => void (await actors.Probe.options({ name: 'probe', public: true }).local(system)),
    )

    const outcomes = await tab.run(async (lab) => {
      const probe = await lab.actors.Probe.resolve(lab.system, 'probe')
      const ring: { self?: unknown } = {}
      ring.self = ring
      const refused = []
      for (const value of [new WeakMap(), Symbol('no'), document.body, ring]) {
        refused.push(await lab.outcomeOf(() => probe.echo({ deep: [value] })))
      }
      return { refused, after: await probe.echo('still fine') }
    })

    expect(outcomes.refused).toHaveLength(4)
    for (const { error } of outcomes.refused) {
      expect(error).toMatchObject({ name: 'NotSerialisableError', code: 'serialization_error', isPulsing: true })
    }
    expect(outcomes.after).toEqual({ nodeId: node.nodeId, value: 'still fine' })
  })

  test('a message that is too large throws NotSerialisableError, and the link lives on', async ({ node, openTab }) => {
    const tab = await openTab()
    await node.run(
      async ({ actors, system }) => void (await actors.Probe.options({ name: 'probe', public: true }).local(system)),
    )

    const result = await tab.run(async (lab) => {
      const { DEFAULT_MAX_MESSAGE_BYTES, Message } = lab.pulsing
      const probe = await lab.actors.Probe.resolve(lab.system, 'probe')
      const tooLarge = new Uint8Array(DEFAULT_MAX_MESSAGE_BYTES + 1)
      return {
        asValue: await lab.outcomeOf(() => probe.ref.ask(tooLarge)),
        asMessage: await lab.outcomeOf(() => probe.ref.ask(Message.single('bytes', tooLarge))),
        asArgument: await lab.outcomeOf(() => probe.echo(tooLarge)),
        asTell: await lab.outcomeOf(() => probe.ref.tell(tooLarge)),
        after: await probe.echo('still fine'),
      }
    })

    for (const { error } of [result.asValue, result.asMessage, result.asArgument, result.asTell]) {
      expect(error).toMatchObject({ name: 'NotSerialisableError', code: 'serialization_error', isPulsing: true })
    }
    expect(result.after).toEqual({ nodeId: node.nodeId, value: 'still fine' })
  })

  test('a reply that is too large fails the ask with NotSerialisableError, and the link lives on', async ({
    node,
    openTab,
  }) => {
    const tab = await openTab()
    await node.run(async ({ actors, system, pulsing }) => {
      class Giant extends pulsing.Actor {
        receive() {
          return new Uint8Array(pulsing.DEFAULT_MAX_MESSAGE_BYTES + 1)
        }
      }
      await system.spawn(new Giant(), 'giant', { public: true })
      await actors.Probe.options({ name: 'probe', public: true }).local(system)
    })

    const result = await tab.run(async (lab) => {
      const giant = await lab.system.resolve('giant')
      const probe = await lab.actors.Probe.resolve(lab.system, 'probe')
      return { outcome: await lab.outcomeOf(() => giant.ask('grow')), after: await probe.echo('still fine') }
    })

    expect(result.outcome.error).toMatchObject({ code: 'serialization_error', isPulsing: true })
    expect(result.after).toEqual({ nodeId: node.nodeId, value: 'still fine' })
  })

  test('a TypeError thrown in Node.js arrives as PulsingBusinessError, and the actor lives on', async ({
    node,
    openTab,
  }) => {
    const tab = await openTab()
    await node.run(
      async ({ actors, system }) => void (await actors.Probe.options({ name: 'probe', public: true }).local(system)),
    )

    const result = await tab.run(async (lab) => {
      const probe = await lab.actors.Probe.resolve(lab.system, 'probe')
      return { outcome: await lab.outcomeOf(() => probe.fail('no such colour')), after: await probe.echo('still fine') }
    })

    expect(result.outcome.error).toMatchObject({
      name: 'PulsingBusinessError',
      message: 'no such colour',
      isPulsing: true,
    })
    expect(result.after).toEqual({ nodeId: node.nodeId, value: 'still fine' })
  })

  test('a method an actor does not have throws NoSuchMethodError', async ({ node, openTab }) => {
    const tab = await openTab()
    await node.run(
      async ({ actors, system }) => void (await actors.Probe.options({ name: 'probe', public: true }).local(system)),
    )

    const outcome = await tab.run(async (lab) => {
      const probe = (await lab.system.resolve('probe')).asAny()
      return lab.outcomeOf(() => probe['fly']!())
    })

    expect(outcome.error).toMatchObject({ name: 'NoSuchMethodError', code: 'no_such_method', isPulsing: true })
  })

  test('a tab that is told to listen throws ConfigError', async ({ openTab }) => {
    const tab = await openTab()

    const outcome = await tab.run((lab) => {
      const { createActorSystem, SystemConfig } = lab.pulsing
      return lab.outcomeOf(async () => (await createActorSystem(SystemConfig.withAddr('127.0.0.1:0'))).nodeId)
    })

    expect(outcome.error).toMatchObject({ name: 'ConfigError', code: 'invalid_config', isPulsing: true })
  })
})

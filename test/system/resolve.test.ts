/** What `find`, `resolve` and `hasActor` take, names and URIs, and which instance policies choose between whole nodes. */
import { type ActorSystem, asActor, ConfigError, type InstanceInfo, type ResolvePolicy, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { gate } from '../actor/systems.ts'
import { event, link, Nodes } from '../cluster/memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

/** Linked nodes, each with a public actor `ns/who` that answers with its node. */
async function three(): Promise<[ActorSystem, ActorSystem, ActorSystem]> {
  const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
  await link(a, b)
  await link(a, c)
  for (const system of [a, b, c]) await system.spawn({ receive: () => system.nodeId }, 'ns/who', { public: true })
  for (const { nodeId } of [b, c]) await a.resolve('ns/who', { node: nodeId })
  return [a, b, c]
}

describe('URIs', () => {
  test('of a name: the one here, else one elsewhere; with a node, that node’s', async () => {
    const [a, b, c] = await three()
    for (const system of [a, b, c])
      for (const find of [a.find.bind(a), a.resolve.bind(a)]) {
        expect(await (await find(`actor:///ns/who@${system.nodeId}`))!.ask('x')).toBe(system.nodeId)
      }
    expect((await a.resolve('actor:///ns/who')).isLocal).toBe(true)
    for (const here of ['localhost', '0']) expect((await a.find(`actor:///ns/who@${here}`))!.isLocal).toBe(true)
    const spread = await Promise.all([1, 2, 3].map(() => a.resolve('actor:///ns/who', { policy: 'round-robin' })))
    expect(new Set(spread.map(({ nodeId }) => nodeId)).size).toBe(3)
    expect((await a.resolve('actor:///ns/who', { node: b.nodeId })).nodeId).toBe(b.nodeId)
    expect(await a.find(`actor:///ns/who@${newId()}`)).toBeUndefined()
    expect([await a.hasActor('actor:///ns/who'), await a.hasActor('actor:///ns/nobody')]).toEqual([true, false])
    expect(await outcomeOf(a.resolve(`actor:///ns/who@${newId()}`, { timeout: 1 }))).toMatchObject({
      name: 'ActorNotFoundError',
    })
    expect(await outcomeOf(a.resolve(`actor:///ns/who@${b.nodeId}`, { node: c.nodeId }))).toBeInstanceOf(ConfigError)
  })

  test('of an actor: that one, without a look where it is elsewhere', async () => {
    const [a, b] = await three()
    const secret = await b.spawn({ receive: () => 'secret' })
    expect(await (await a.resolve(String(secret))).ask('x')).toBe('secret')
    for (const here of ['localhost', '0'])
      expect(await (await b.find(`actor://${here}/${secret.id}`))!.ask('x')).toBe('secret')
    expect((await b.find(String(secret)))!.isLocal).toBe(true)
    const nobody = newId()
    expect(await a.hasActor(`actor://${b.nodeId}/${nobody}`)).toBe(true)
    expect(await outcomeOf((await a.find(`actor://${b.nodeId}/${nobody}`))!.ask('x'))).toMatchObject({
      name: 'ActorStoppedError',
      outcome: 'not-sent',
    })
    expect(await a.find(`actor://localhost/${nobody}`)).toBeUndefined()
    expect(await outcomeOf(a.resolve(`actor://${a.nodeId}/${nobody}`))).toMatchObject({ name: 'ActorNotFoundError' })
  })

  test('that are none are refused by all three', async () => {
    const alone = await nodes.start()
    for (const refused of [alone.find('actor:///a//b'), alone.resolve('actor:///me@home'), alone.hasActor('actor://')])
      expect(await outcomeOf(refused)).toBeInstanceOf(ConfigError)
  })

  test('plain names go on to be names, with what URIs escape in them', async () => {
    const [a, b] = await three()
    for (const name of [`me@${b.nodeId}`, 'host:80', 'me@home', 'actor:/x', 'a/b']) {
      await b.spawn({ receive: () => name }, name, { public: true })
      expect(await (await a.resolve(name)).ask('x')).toBe(name)
    }
    expect(await (await a.resolve('actor:///me%40home')).ask('x')).toBe('me@home')
    expect(await outcomeOf(a.spawn({ receive: () => 1 }, 'actor://x/y'))).toBeInstanceOf(ConfigError)
  })

  test('of the framework’s own actor: the one here, or the one of a member', async () => {
    const [a, b] = await three()
    expect((await a.resolve('system/core')).isLocal).toBe(true)
    const other = await a.resolve(`actor:///system/core@${b.nodeId}`)
    expect([other.nodeId, other.id]).toEqual([b.nodeId, 'system/core'])
    expect((await a.find(`actor://${b.nodeId}/system/core`))!.nodeId).toBe(b.nodeId)
    expect(await a.find(`actor:///system/core@${newId()}`)).toBeUndefined()
    expect(await outcomeOf(a.resolve(`actor:///system/core@${newId()}`))).toMatchObject({ name: 'ActorNotFoundError' })
    expect(await a.find('system/other')).toBeUndefined()
  })
})

describe('policies', () => {
  test('least-loaded counts the asks of this node that have not settled', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    await link(a, b)
    await link(a, c)
    const { opened, open } = gate()
    for (const system of [b, c]) {
      await system.spawn({ receive: () => opened }, 'x', { public: true, reentrant: true })
      await a.resolve('x', { node: system.nodeId })
    }
    const asks: Promise<unknown>[] = []
    const next = async (): Promise<string> => {
      const ref = await a.resolve('x', { policy: 'least-loaded' })
      asks.push(ref.ask(asks.length))
      return ref.nodeId
    }
    const first = await next()
    const second = await next()
    expect(new Set([first, second])).toEqual(new Set([b.nodeId, c.nodeId]))
    const busy = await a.resolve('x', { policy: (all) => all.find(({ nodeId }) => nodeId === b.nodeId) })
    asks.push(busy.ask('one more'), busy.ask('and more'))
    expect([await next(), await next()]).toEqual([c.nodeId, c.nodeId])
    open()
    await Promise.all(asks)
    expect(new Set([await next(), await next()])).toEqual(new Set([b.nodeId, c.nodeId]))
    await Promise.all(asks)
  })

  test('a key leads every node to the same instance', async () => {
    const [a, b, c] = await three()
    for (const system of [b, c]) for (const { nodeId } of [a, b, c]) await system.resolve('ns/who', { node: nodeId })
    const chosen = new Set<string>()
    for (let i = 0; i < 20; i++) {
      const refs = await Promise.all([a, b, c].map((each) => each.resolve('ns/who', { policy: { key: `${i}` } })))
      expect(new Set(refs.map(({ nodeId }) => nodeId)).size).toBe(1)
      chosen.add(refs[0]!.nodeId)
    }
    expect(chosen.size).toBeGreaterThan(1)
  })

  test('a function that wants none is asked again when one appears; what it throws, or invents, rejects', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    await link(a, b)
    await a.spawn({ receive: () => 'a' }, 'x', { public: true })
    const remote: ResolvePolicy = (all) => all.find(({ isLocal }) => !isLocal)
    const waiting = a.resolve('x', { policy: remote })
    await b.spawn({ receive: () => 'b' }, 'x', { public: true })
    expect(await (await waiting).ask('x')).toBe('b')
    const invented = (): InstanceInfo => ({ nodeId: b.nodeId, actorId: newId(), name: 'x', isLocal: false })
    expect(await outcomeOf(a.resolve('x', { policy: invented }))).toBeInstanceOf(ConfigError)
    const late = outcomeOf(a.resolve('later', { policy: invented }))
    await b.spawn({ receive: () => 'b' }, 'later', { public: true })
    expect(await late).toBeInstanceOf(ConfigError)
  })

  test('that are none are refused at once', async () => {
    const alone = await nodes.start()
    const Made = asActor(class Made {})
    expect(await outcomeOf(alone.resolve('x', { policy: 'best' as 'random' }))).toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('got "best"') as string,
    })
    expect(await outcomeOf(Made.options({ policy: 7 as never }).remote(alone))).toBeInstanceOf(ConfigError)
  })
})

describe('creation by policy', () => {
  const Made = asActor({ type: 'Made' })(
    class Made {
      constructor(mood = 'fine') {
        if (mood === 'bad') throw new RangeError('in a bad mood')
      }
      hi(): string {
        return 'hi'
      }
    },
  )

  test('each member in turn, this one where that is preferred, and a typed error where it cannot be', async () => {
    const config = SystemConfig.standalone().withActors(Made)
    const [a, b, c] = [await nodes.start(config), await nodes.start(config), await nodes.start(config)]
    const joined = event(a, 'memberJoined', ({ member }) => member.nodeId === c.nodeId)
    await link(a, b)
    await link(a, c)
    await joined
    const on = async (policy: ResolvePolicy): Promise<string> => (await Made.options({ policy }).remote(a)).ref.nodeId
    expect(new Set([await on('round-robin'), await on('round-robin')])).toEqual(new Set([b.nodeId, c.nodeId]))
    expect(await on('prefer-local')).toBe(a.nodeId)
    expect(await on((all) => all.find(({ nodeId }) => nodeId === c.nodeId))).toBe(c.nodeId)
    expect(await on({ key: 'k' })).toBe(await on({ key: 'k' }))
    expect([b.nodeId, c.nodeId]).toContain(await on('least-loaded'))
    expect((await Made.options({ policy: 'random' }).local(a)).ref.nodeId).toBe(a.nodeId)
    expect(await outcomeOf(on(() => undefined))).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    expect(await outcomeOf(Made.options({ policy: 'round-robin' }).remote(a, 'bad'))).toMatchObject({
      name: 'PulsingBusinessError',
      message: 'in a bad mood',
    })
  })
})

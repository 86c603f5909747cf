import { createRequire } from 'node:module'
import { type ActorSystem, asActor, Message, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { SYSTEM_ACTOR } from '../../src/actor/system-names.ts'
import { VERSION } from '../../src/base/version.ts'
import { MAX_LISTED_ACTORS, SHOWN_ID_LENGTH } from '../../src/cluster/node-report.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { gate, startSystem } from '../actor/systems.ts'
import { event, link, Nodes } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

/** Asks a system actor as a program would. */
async function asks(system: ActorSystem, type: string, value?: unknown, node?: string): Promise<unknown> {
  const core = await system.resolve(SYSTEM_ACTOR, node === undefined ? {} : { node })
  return (await core.ask(Message.fromObject(type, value))).toObject()
}

const echo = { receive: (msg: Message) => msg.toObject() }
const listening = SystemConfig.withAddr('127.0.0.1:0')
const id = expect.stringMatching(new RegExp(`^[\\w-]{${SHOWN_ID_LENGTH}}$`)) as string

test('the version nodes tell each other is that of the package', () => {
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }
  expect(VERSION).toBe(version)
})

describe('the system actor', () => {
  test('is found by its name, on this node and on others; it is in no directory', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    await link(a, b)
    expect(await a.resolve(SYSTEM_ACTOR)).toMatchObject({ nodeId: a.nodeId, isLocal: true })
    expect(await a.find(SYSTEM_ACTOR)).toMatchObject({ nodeId: a.nodeId })
    expect(await a.resolve(SYSTEM_ACTOR, { node: b.nodeId })).toMatchObject({ nodeId: b.nodeId, isLocal: false })
    await expect(a.resolve(SYSTEM_ACTOR, { node: 'nobody', timeout: 0 })).rejects.toMatchObject({
      name: 'ActorNotFoundError',
    })
  })

  test('is there on a node that talks to nobody', async () => {
    const alone = await startSystem()
    expect(await asks(alone, '@ping')).toMatchObject({ nodeId: alone.nodeId })
  })

  test('cannot be stopped by its name', async () => {
    const system = await startSystem()
    await asks(system, '@ping')
    await system.stop(SYSTEM_ACTOR)
    expect(await asks(system, '@ping')).toMatchObject({ nodeId: system.nodeId })
    await expect(asks(system, '@stop', { name: SYSTEM_ACTOR })).rejects.toMatchObject({ name: 'ActorNotFoundError' })
  })

  test('@ping is answered with the node and its time', async () => {
    const system = await startSystem()
    const before = Date.now()
    const { nodeId, timestamp } = (await asks(system, '@ping')) as { nodeId: string; timestamp: number }
    expect(nodeId).toBe(system.nodeId)
    expect(timestamp).toBeGreaterThanOrEqual(before)
    expect(timestamp).toBeLessThanOrEqual(Date.now())
  })

  test('@health counts actors and the time since the node began', async () => {
    const clock = new ManualClock()
    const system = await startSystem(SystemConfig.standalone().withClock(clock))
    await system.spawn(echo)
    clock.advance(1500)
    expect(await asks(system, '@health')).toEqual({ status: 'healthy', actors: 1, uptimeMs: 1500 })
  })

  test('@info tells what the node is', async () => {
    const Listed = asActor({ type: 'Listed' })(class {})
    const leaf = await nodes.start(SystemConfig.standalone().withActors(Listed))
    const relay = await nodes.start(listening)
    expect(await asks(leaf, '@info')).toEqual({
      nodeId: leaf.nodeId,
      kind: 'leaf',
      version: VERSION,
      uptimeMs: expect.any(Number) as number,
      features: [],
      classes: ['Listed'],
    })
    expect(await asks(relay, '@info')).toMatchObject({ kind: 'relay', addr: relay.addr, classes: [] })
  })

  test('@metrics counts what happened, and what is there', async () => {
    const clock = new ManualClock()
    const system = await startSystem(SystemConfig.standalone().withClock(clock))
    const [stays, goes] = [await system.spawn(echo), await system.spawn(echo)]
    await asks(system, '@ping')
    const before = (await asks(system, '@metrics')) as { messages: number }
    expect(before).toMatchObject({ actors: 2, created: 2, stopped: 0, asks: 1, streams: 0, members: 1, uptimeMs: 0 })
    for (let i = 0; i < 40; i++) await stays.ask(i)
    await system.stop(goes)
    await goes.tell('too late')
    const isFailing = { receive: () => Promise.reject(new RangeError('no')) }
    const failing = await system.spawn(() => isFailing, { restart: { policy: 'on-failure', minBackoffMs: 0 } })
    const restarted = event(system, 'actorRestarted')
    await failing.ask('x').catch(() => undefined)
    await restarted
    // 40 echoes, one that failed, and the first question: one that is being answered is not counted yet.
    const after = (await asks(system, '@metrics')) as { messages: number }
    expect(after).toMatchObject({ actors: 2, created: 3, stopped: 1, restarted: 1, deadLetters: 1 })
    expect(after.messages - before.messages).toBe(42)
  })

  test('an actor that could not start was created, and has stopped', async () => {
    const system = await startSystem()
    const failing = { ...echo, onStart: () => Promise.reject(new RangeError('no')) }
    await system.spawn(failing).catch(() => undefined)
    expect(await asks(system, '@metrics')).toMatchObject({ actors: 0, created: 1, stopped: 1 })
  })

  test('@members are those the node sees', async () => {
    const [a, b] = [await nodes.start(), await nodes.start(listening)]
    await link(a, b)
    expect(await asks(a, '@members')).toEqual(a.members())
    expect(a.members().length).toBe(2)
  })

  test('a request it does not know, and one by tell, is not supported', async () => {
    const system = await startSystem()
    await expect(asks(system, '@fly')).rejects.toMatchObject({ name: 'PulsingUnsupportedError' })
    const failed = event(system, 'actorFailed')
    await (await system.resolve(SYSTEM_ACTOR)).tell(Message.fromObject('@ping', undefined))
    expect((await failed).error).toMatchObject({ name: 'PulsingUnsupportedError' })
  })
})

describe('@actors', () => {
  test('lists actors, oldest first, with what they say of themselves', async () => {
    const system = await startSystem()
    const worker = { ...echo, metadata: () => ({ role: 'worker', queue: 'q1' }) }
    const public_ = await system.spawn(worker, 'worker', { public: true })
    await system.spawn(echo)
    expect(await asks(system, '@actors')).toEqual([
      {
        id: public_.id.slice(0, SHOWN_ID_LENGTH),
        name: 'worker',
        isPublic: true,
        mailbox: 0,
        metadata: worker.metadata(),
      },
      { id, isPublic: false, mailbox: 0, metadata: {} },
    ])
  })

  test('tells no id that would let others send to the actor', async () => {
    const system = await startSystem()
    const ref = await system.spawn(echo)
    expect(JSON.stringify(await asks(system, '@actors', { all: true }))).not.toContain(ref.id)
  })

  test('hides actors of the framework, and names that begin with _, unless all are wanted', async () => {
    const system = await startSystem()
    await system.spawn(echo, '_hidden')
    await system.spawn(echo, 'shown')
    const names = async (value?: unknown): Promise<unknown[]> =>
      ((await asks(system, '@actors', value)) as { name?: string }[]).map(({ name }) => name)
    expect(await names()).toEqual(['shown'])
    expect(new Set(await names({ all: true }))).toEqual(new Set(['_hidden', 'shown', SYSTEM_ACTOR]))
  })

  test('counts the messages that wait', async () => {
    const system = await startSystem()
    const [isBusy, mayGoOn] = [gate(), gate()]
    const busy = await system.spawn({
      receive: () => {
        isBusy.open()
        return mayGoOn.opened
      },
    })
    const all = [1, 2, 3].map((i) => busy.ask(i))
    await isBusy.opened
    expect(await asks(system, '@actors')).toMatchObject([{ mailbox: 2 }])
    mayGoOn.open()
    await Promise.all(all)
    expect(await asks(system, '@actors')).toMatchObject([{ mailbox: 0 }])
  })

  test('metadata that throws, is too much or no text does no harm', async () => {
    const system = await startSystem()
    const throwing = (): never => {
      throw new RangeError('no')
    }
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`key ${i}`, 'x'.repeat(1000)]))
    const all = [throwing, () => 5, () => null, () => ({ a: 1, b: 'b' }), () => many] as unknown as (() => Record<
      string,
      string
    >)[]
    for (const metadata of all) await system.spawn({ ...echo, metadata })
    const facts = ((await asks(system, '@actors')) as { metadata: Record<string, string> }[]).map(
      ({ metadata }) => metadata,
    )
    expect(facts.slice(0, 4)).toEqual([{}, {}, {}, { b: 'b' }])
    expect(Object.keys(facts[4]!).length).toBe(16)
    expect(facts[4]!['key 0']).toBe('x'.repeat(200))
  })

  test('comes in parts: limit and offset, and never more than fit one reply', async () => {
    const [a, b] = [await nodes.start(), await nodes.start(listening)]
    await link(a, b)
    for (let i = 0; i < MAX_LISTED_ACTORS + 5; i++) await a.spawn(echo, `a${i}`)
    const part = async (value?: unknown): Promise<string[]> =>
      ((await asks(b, '@actors', value, a.nodeId)) as { name: string }[]).map(({ name }) => name)
    expect(await part({ offset: 3, limit: 2 })).toEqual(['a3', 'a4'])
    expect((await part({ limit: 5_000 })).length).toBe(MAX_LISTED_ACTORS)
    expect(await part({ offset: MAX_LISTED_ACTORS + 3 })).toEqual([
      `a${MAX_LISTED_ACTORS + 3}`,
      `a${MAX_LISTED_ACTORS + 4}`,
    ])
    expect(await part({ offset: 1e6 })).toEqual([])
    for (const wrong of [{ offset: -1 }, { limit: 0.5 }, { limit: 'all' }])
      await expect(part(wrong)).rejects.toMatchObject({ name: 'PulsingBusinessError' })
  })
})

describe('@actor and @stop', () => {
  test('find an actor by its name, the id that was told, or the whole one', async () => {
    const system = await startSystem()
    await system.spawn(echo, 'other')
    const ref = await system.spawn(echo, 'wanted')
    const told = { id: ref.id.slice(0, SHOWN_ID_LENGTH), name: 'wanted', isPublic: false, mailbox: 0, metadata: {} }
    for (const query of [{ name: 'wanted' }, { id: told.id }, { id: ref.id }])
      expect(await asks(system, '@actor', query)).toEqual(told)
  })

  test.each(['@actor', '@stop'])(
    '%s: one that is not there is ActorNotFoundError; a query that is none, the caller’s fault',
    async (type) => {
      const system = await startSystem()
      await system.spawn(echo, 'there')
      for (const query of [{ name: 'nobody' }, { id: 'A'.repeat(22) }, { name: '' }])
        await expect(asks(system, type, query)).rejects.toMatchObject({ name: 'ActorNotFoundError' })
      for (const query of [undefined, null, 'there', {}, { name: 5 }, { id: '' }, { id: 'short' }])
        await expect(asks(system, type, query)).rejects.toMatchObject({ name: 'PulsingBusinessError' })
    },
  )

  test('@stop answers when the actor has ended, with what it was', async () => {
    const system = await startSystem()
    const reasons: string[] = []
    await system.spawn({ ...echo, onStop: (_ctx: unknown, reason: string) => void reasons.push(reason) }, 'a', {
      public: true,
    })
    expect(await asks(system, '@stop', { name: 'a' })).toMatchObject({ name: 'a', isPublic: true })
    expect(reasons).toEqual(['killed'])
    expect(await system.hasActor('a')).toBe(false)
  })
})

describe('@on', () => {
  test('has another member answer, over any number of nodes', async () => {
    const managed = SystemConfig.standalone().withLimits({ management: true })
    const [a, b, c] = [await nodes.start(listening), await nodes.start(listening), await nodes.start(managed)]
    await link(a, b)
    const known = event(a, 'memberJoined', ({ member }) => member.nodeId === c.nodeId)
    await link(b, c)
    await known
    await c.spawn(echo, 'over there')
    expect(await asks(a, '@on', { on: c.nodeId, type: '@actors' })).toMatchObject([{ name: 'over there' }])
    expect(await asks(a, '@on', { on: a.nodeId, type: '@ping' })).toMatchObject({ nodeId: a.nodeId })
    await asks(a, '@on', { on: c.nodeId, type: '@stop', value: { name: 'over there' } })
    expect(await c.hasActor('over there')).toBe(false)
  })

  test('what the other member answers with is the answer: errors too', async () => {
    const [a, b] = [await nodes.start(listening), await nodes.start()]
    await link(a, b)
    const request = { on: b.nodeId, type: '@actor', value: { name: 'nobody' } }
    await expect(asks(a, '@on', request)).rejects.toMatchObject({ name: 'ActorNotFoundError' })
  })

  test('a node that is no member is UnreachableError, not sent', async () => {
    const system = await startSystem()
    await expect(asks(system, '@on', { on: 'nobody', type: '@ping' })).rejects.toMatchObject({
      name: 'UnreachableError',
      outcome: 'not-sent',
    })
  })

  test.each([
    undefined,
    null,
    5,
    {},
    { on: 'x' },
    { on: 'x', type: '@on' },
    { on: 'x', type: '@create' },
    { on: 'x', type: '@watch' },
  ])('%j passes on nothing', async (request) => {
    const system = await startSystem()
    await expect(asks(system, '@on', request)).rejects.toMatchObject({ name: 'PulsingBusinessError' })
  })
})

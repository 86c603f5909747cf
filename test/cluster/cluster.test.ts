import { ActorNotFoundError, type ActorRef, type ActorSystem, type Message, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import { encodeUpdates } from '../../src/cluster/update.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { gate, stateOf } from '../actor/systems.ts'
import { event, link, memberIds, Nodes, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )
const echo = { receive: (msg: Message) => msg.toObject() }
const untilStopped = {
  receive: (_msg: Message, ctx: { readonly signal: AbortSignal }) =>
    new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve(undefined))),
}
const ids = (...systems: ActorSystem[]): Set<string> => new Set(systems.map(({ nodeId }) => nodeId))
/** Members a way leads to. */
const onlineIds = (system: ActorSystem): Set<string> =>
  new Set(system.members().flatMap(({ nodeId, status }) => (status === 'online' ? [nodeId] : [])))

const isOf =
  (system: ActorSystem) =>
  ({ member }: { readonly member: { readonly nodeId: string } }): boolean =>
    member.nodeId === system.nodeId

async function turn(times = 10): Promise<void> {
  for (let i = 0; i < times; i++) await new Promise<void>((resolve) => macrotask(resolve))
}

describe('members', () => {
  test('two nodes that are linked see each other, themselves first', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    const joined = event(a, 'memberJoined')
    await link(a, b)
    expect(a.members()).toEqual([
      { nodeId: a.nodeId, kind: 'leaf', status: 'online', isSelf: true },
      { nodeId: b.nodeId, kind: 'leaf', status: 'online', isSelf: false },
    ])
    expect((await joined).member.nodeId).toBe(b.nodeId)
    expect(memberIds(b)).toEqual(ids(a, b))
  })

  test('a node that joins later is told of all, and all are told of it', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    await link(a, b)
    const joined = event(a, 'memberJoined', isOf(c))
    await link(b, c)
    await joined
    expect(memberIds(a)).toEqual(ids(a, b, c))
    expect(memberIds(c)).toEqual(ids(a, b, c))
  })

  test('two clusters become one by a single link, and two again without it', async () => {
    const [a, b, c, d] = [await nodes.start(), await nodes.start(), await nodes.start(), await nodes.start()]
    await link(a, b)
    await link(c, d)
    const joined = [event(a, 'memberJoined', isOf(d)), event(d, 'memberJoined', isOf(a))]
    const bridge = await link(b, c)
    await Promise.all(joined)
    const left = [
      event(a, 'memberUpdated', isOf(d)),
      event(d, 'memberUpdated', isOf(a)),
      event(a, 'memberUpdated', isOf(c)),
      event(d, 'memberUpdated', isOf(b)),
    ]
    bridge.cut()
    await Promise.all(left)
    expect(onlineIds(a)).toEqual(ids(a, b))
    expect(onlineIds(d)).toEqual(ids(c, d))
  })

  test('with a second way, losing a link loses no member; the other way carries on', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    const direct = await link(a, b)
    await link(b, c)
    await link(c, a)
    const ref = await b.spawn(echo, 'echo', { public: true })
    const found = await a.resolve('echo')
    expect(await found.ask(1)).toBe(1)
    let hasLeft = false
    a.on('memberLeft', () => (hasLeft = true))
    const closed = [event(a, 'linkClosed'), event(b, 'linkClosed')]
    direct.cut()
    await Promise.all(closed)
    expect(await found.ask(2)).toBe(2)
    expect(hasLeft).toBe(false)
    expect(memberIds(a)).toEqual(ids(a, b, c))
    expect(ref.isLocal).toBe(true)
  })

  test('a node that shuts down is gone everywhere at once, with its names, and asks of it fail typed', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    await link(a, b)
    await link(b, c)
    await c.spawn(untilStopped, 'slow', { public: true })
    const ref = await a.resolve('slow')
    const asked = outcomeOf(ref.ask('x'))
    await turn()
    const left = event(a, 'memberLeft', isOf(c))
    await c.shutdown()
    await left
    expect(['ActorStoppedError', 'UnreachableError', 'SessionResetError', undefined]).toContain(
      ((await asked) as Error | undefined)?.name,
    )
    expect(await a.find('slow')).toBeUndefined()
    expect(await outcomeOf(ref.ask('again'))).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    expect(memberIds(a)).toEqual(ids(a, b))
  })

  test('what is pending with a node cut off waits for it, and fails on every side, typed, when it is not back in time', async () => {
    const clock = new ManualClock()
    const config = SystemConfig.standalone().withClock(clock).withLimits({ sessionGraceMs: 20_000 })
    const [a, b, c] = [await nodes.start(config), await nodes.start(config), await nodes.start(config)]
    await link(a, b)
    const cable = await link(b, c)
    await c.spawn(untilStopped, 'slow', { public: true })
    await a.spawn(untilStopped, 'slow too', { public: true })
    const asked = [
      (await a.resolve('slow')).ask('x'),
      (await c.resolve('slow too')).ask('x'),
      (await b.resolve('slow')).ask('x'),
    ]
    const outcomes = asked.map(outcomeOf)
    await turn()
    cable.cut()
    await clock.advanceAsync(19_999)
    for (const ask of asked) expect(await stateOf(ask)).toBe('pending')
    await clock.advanceAsync(1)
    for (const error of await Promise.all(outcomes))
      expect(error).toMatchObject({ name: 'UnreachableError', outcome: 'unknown' })
  })

  test('what is pending with a node cut off goes on when it is back in time, and so does what was begun meanwhile', async () => {
    const clock = new ManualClock()
    const config = SystemConfig.standalone().withClock(clock).withLimits({ sessionGraceMs: 20_000 })
    const [a, b, c] = [await nodes.start(config), await nodes.start(config), await nodes.start(config)]
    await link(a, b)
    const cable = await link(b, c)
    const open = gate()
    const got: unknown[] = []
    const gated = {
      receive: async (msg: Message) => {
        if (msg.toObject() === 'wait') await open.opened
        else got.push(msg.toObject())
        return msg.toObject()
      },
    }
    await c.spawn(gated, 'gated', { public: true })
    const ref = await a.resolve('gated')
    const before = ref.ask('wait')
    await turn()
    cable.cut()
    await turn()
    expect(onlineIds(a)).toEqual(ids(a, b))
    const meanwhile = ref.ask('meanwhile')
    const told = ref.tell('told')
    await clock.advanceAsync(19_999)
    expect([await stateOf(before), await stateOf(meanwhile), await stateOf(told)]).toEqual(Array(3).fill('pending'))
    await link(b, c)
    await told
    open.open()
    expect([await before, await meanwhile]).toEqual(['wait', 'meanwhile'])
    await clock.advanceAsync(100_000)
    expect(got).toEqual(['meanwhile', 'told'])
  })

  test('a node that comes back is a member again, and the same actor answers', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    const cable = await link(a, b)
    await b.spawn(echo, 'echo', { public: true })
    const ref = await a.resolve('echo')
    expect(await ref.ask(1)).toBe(1)
    const lost = [event(a, 'memberUpdated'), event(b, 'memberUpdated')]
    cable.cut()
    await Promise.all(lost)
    expect(await a.find('echo')).toBeUndefined()
    await link(a, b)
    expect(await ref.ask(2)).toBe(2)
    expect(await (await a.resolve('echo')).ask(3)).toBe(3)
  })
})

describe('names', () => {
  test('appear and go everywhere as actors do', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    await link(a, b)
    await link(b, c)
    await a.spawn(echo, 'public', { public: true })
    await a.spawn(echo, 'private')
    const ref = await c.resolve('public')
    expect([ref.nodeId, ref.isLocal, ref.name]).toEqual([a.nodeId, false, 'public'])
    expect(await c.find('private')).toBeUndefined()
    await a.stop('public')
    await turn()
    expect(await c.find('public')).toBeUndefined()
    expect(await c.hasActor('public')).toBe(false)
  })

  test('of actors spawned before the node was linked are known too', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    await a.spawn(echo, 'early', { public: true })
    await link(a, b)
    expect(await (await b.find('early'))!.ask(1)).toBe(1)
  })

  test('a name not there in time is ActorNotFoundError; one that appears meanwhile is found', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    await link(a, b)
    expect(await outcomeOf(a.resolve('never', { timeout: 1 }))).toBeInstanceOf(ActorNotFoundError)
    expect(await outcomeOf(a.resolve('never', { signal: AbortSignal.abort(new RangeError('stop')) }))).toMatchObject({
      message: 'stop',
    })
    const waiting = a.resolve('soon', { timeout: Infinity })
    await b.spawn(echo, 'soon', { public: true })
    expect(await (await waiting).ask(1)).toBe(1)
  })

  test('a resolve still waiting at shutdown is rejected', async () => {
    const a = await nodes.start()
    const waiting = outcomeOf(a.resolve('never', { timeout: Infinity }))
    await turn()
    await a.shutdown()
    expect(await waiting).toMatchObject({ name: 'ActorStoppedError' })
  })

  test('several instances are balanced by policy, one node asked for is that node', async () => {
    const [a, b, c] = [await nodes.start(), await nodes.start(), await nodes.start()]
    await link(a, b)
    await link(b, c)
    for (const system of [a, b, c]) await system.spawn({ receive: () => system.nodeId }, 'who', { public: true })
    await turn()
    const ask = async (ref: Promise<ActorRef>): Promise<string> => (await ref).ask<string>('x')
    const policy = 'round-robin' as const
    expect(new Set(await Promise.all([1, 2, 3].map(() => ask(a.resolve('who', { policy })))))).toEqual(ids(a, b, c))
    expect(await ask(a.resolve('who', { policy: 'prefer-local' }))).toBe(a.nodeId)
    expect(await ask(a.resolve('who'))).toBe(a.nodeId)
    for (const { nodeId } of [a, b, c]) expect(await ask(a.resolve('who', { node: nodeId }))).toBe(nodeId)
    expect(await outcomeOf(a.resolve('who', { node: newId(), timeout: 1 }))).toBeInstanceOf(ActorNotFoundError)
  })
})

test('malformed news ends the link it came over, typed', async () => {
  const hub = await nodes.start(SystemConfig.standalone())
  const attacker = await puppet(hub)
  const closed = event(hub, 'linkClosed')
  attacker.send({ kind: FRAME.cluster, payload: Uint8Array.of(0x81, 0x81, 0x07) })
  expect(await closed).toMatchObject({ nodeId: attacker.nodeId, error: { name: 'ProtocolError' } })
})

test('a gap in a node’s news is closed by asking for all of it', async () => {
  const hub = await nodes.start()
  const leaf = await puppet(hub)
  leaf.send({
    kind: FRAME.cluster,
    payload: encodeUpdates([{ op: 'name', nodeId: leaf.nodeId, version: 7, name: 'late', actorId: newId() }]),
  })
  await leaf.when((frame) => frame.kind === FRAME.cluster && Buffer.from(frame.payload).includes('want'))
  expect(await hub.find('late')).toBeUndefined()
  leaf.send({
    kind: FRAME.cluster,
    payload: encodeUpdates([
      {
        op: 'node',
        nodeId: leaf.nodeId,
        version: 7,
        kind: 'leaf',
        addr: undefined,
        features: [],
        classes: [],
        links: [hub.nodeId],
        names: [['late', newId()]],
        isHidden: false,
      },
    ]),
  })
  expect((await hub.resolve('late')).nodeId).toBe(leaf.nodeId)
})

test('nothing is taken of a node that said it had ended, though its link stays', async () => {
  const hub = await nodes.start()
  const leaf = await puppet(hub)
  const { opened, open } = gate()
  const got: unknown[] = []
  const receive = (msg: Message): unknown => {
    got.push(msg.msgType)
    return opened
  }
  const actor = await hub.spawn({ receive }, 'stuck', { public: true })
  const ask = (session: number): void =>
    leaf.send({
      ...{ kind: FRAME.ask, session, seq: 1, id: 1, actor: actor.id },
      ...{ type: `ask ${session}`, flags: 4, stream: 1, window: 8 },
    })
  const { asks, streams } = hub.census()
  ask(1)
  await turn()
  expect([got, hub.census()]).toMatchObject([['ask 1'], { streams: streams + 1 }])
  leaf.send({ kind: FRAME.cluster, payload: encodeUpdates([{ op: 'gone', nodeId: leaf.nodeId }]) })
  ask(2)
  await turn()
  expect([got, hub.census()]).toMatchObject([['ask 1'], { asks, streams }])
  open()
})

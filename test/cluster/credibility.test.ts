/** Whose word counts: what leaves say of others, and what they say of those that are away. */
import { type ActorSystem, type Message, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import { MAX_BEHIND_LEAF } from '../../src/cluster/topology.ts'
import { decodeUpdates, encodeUpdates, type NodeSnapshot, type Update } from '../../src/cluster/update.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { FRAME, type Frame, MAX_HOPS, UNDELIVERABLE } from '../../src/wire/frame.ts'
import { gate } from '../actor/systems.ts'
import { away, joined, left } from '../system/systems.ts'
import { type Cable, event, link, memberIds, Nodes, type Puppet, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

const GRACE_MS = 20_000
const echo = { receive: (msg: Message) => msg.toObject() }
const relay = (config: SystemConfig = SystemConfig.withAddr('127.0.0.1:0')): Promise<ActorSystem> => nodes.start(config)

const record = (nodeId: string, version: number, links: string[], more: Partial<NodeSnapshot> = {}): NodeSnapshot => ({
  ...{ op: 'node', nodeId, version, kind: 'leaf', addr: undefined, features: [], classes: [] },
  ...{ links, names: [], isHidden: false, ...more },
})

const tell = (played: Puppet, ...updates: Update[]): void =>
  played.send({ kind: FRAME.cluster, payload: encodeUpdates(updates) })

/** Settles when everything a puppet sent so far has been taken, and passed on: its ping was answered. */
let pings = 100
async function fence(played: Puppet): Promise<void> {
  const id = ++pings
  played.send({ kind: FRAME.ping, id })
  await played.when((frame) => frame.kind === FRAME.pong && frame.id === id)
  await turns()
}

/** Settles when what was told has been passed on. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise<void>((resolve) => macrotask(resolve))
}

const statusOf = (system: ActorSystem, { nodeId }: { readonly nodeId: string }): string | undefined =>
  system.members().find((member) => member.nodeId === nodeId)?.status

describe('a notice that nothing ever gets to a node', () => {
  /** Two leaves of a relay, the first with an ask to the second that waits, and a third one. */
  async function asking(): Promise<{
    asked: Promise<unknown>
    answer: () => void
    home: string
    asker: string
    b: string
    thief: Puppet
  }> {
    const [middle, a, b] = [await relay(), await nodes.start(), await nodes.start()]
    await link(middle, a)
    await link(middle, b)
    const [isAsked, mayAnswer] = [gate(), gate()]
    const slow = {
      receive: async () => {
        isAsked.open()
        await mayAnswer.opened
        return 'answer'
      },
    }
    await b.spawn(slow, 'slow', { public: true })
    const asked = a.resolve('slow').then((ref) => ref.ask('x'))
    await isAsked.opened
    const thief = await puppet(middle)
    await joined(a, thief)
    return { asked, answer: mayAnswer.open, home: middle.nodeId, asker: a.nodeId, b: b.nodeId, thief }
  }
  const notice = (to: string, from: string, actor: string): Parameters<Puppet['send']>[0] => ({
    ...{ kind: FRAME.undeliverable, hops: MAX_HOPS, to, from, id: UNDELIVERABLE.never, actor, reason: 'I say so' },
  })

  test('from a third leaf ends no session', async () => {
    const { asked, answer, asker, b, thief } = await asking()
    thief.send(notice(asker, thief.nodeId, b))
    await fence(thief)
    answer()
    expect(await asked).toBe('answer')
  })

  test('from what a leaf calls a relay behind it, or claims to be linked to the node, ends none either', async () => {
    const { asked, answer, asker, b, thief } = await asking()
    const behind = newId()
    tell(
      thief,
      record(behind, 1, [thief.nodeId, b], { kind: 'relay' }),
      { op: 'link', nodeId: thief.nodeId, version: 2, other: behind, isUp: true },
      { op: 'link', nodeId: thief.nodeId, version: 3, other: b, isUp: true },
    )
    for (const from of [behind, thief.nodeId]) thief.send(notice(asker, from, b))
    await fence(thief)
    answer()
    expect(await asked).toBe('answer')
  })

  test('from a leaf that says it is a relay after all ends none: it is what its hello said', async () => {
    const { asked, answer, home, asker, b, thief } = await asking()
    tell(thief, record(thief.nodeId, 5, [home], { kind: 'relay' }))
    thief.send(notice(asker, thief.nodeId, b))
    await fence(thief)
    answer()
    expect(await asked).toBe('answer')
  })

  test('from the page a worker is behind ends the session with that worker', async () => {
    const [middle, a] = [await relay(), await nodes.start()]
    const page = await puppet(middle)
    const worker = newId()
    const isThere = event(middle, 'memberJoined', ({ member }) => member.nodeId === worker)
    tell(page, record(worker, 1, [page.nodeId], { names: [['in worker', newId()]] }), {
      ...{ op: 'link', nodeId: page.nodeId, version: 2, other: worker, isUp: true },
    })
    await isThere
    await link(middle, a)
    const asked = a.resolve('in worker').then((ref) => ref.ask('x'))
    const failed = expect(asked).rejects.toMatchObject({ name: 'UnreachableError' })
    await page.when(({ kind, to }) => kind === FRAME.ask && to === worker)
    page.send(notice(a.nodeId, page.nodeId, worker))
    await failed
  })
})

describe('a node that is waited for', () => {
  /** A leaf of a relay and of nobody else is away; another leaf is there. */
  async function detached(
    config?: SystemConfig,
  ): Promise<{ home: ActorSystem; other: ActorSystem; victim: ActorSystem; thief: Puppet; names: [string, string][] }> {
    const [home, other, victim] = [await relay(config), await nodes.start(), await nodes.start()]
    await link(home, other)
    const cable = await link(home, victim)
    const ref = await victim.spawn(echo, 'echo', { public: true })
    await other.resolve('echo')
    const thief = await puppet(home)
    cable.cut()
    await Promise.all([away(home, victim.nodeId), away(other, victim.nodeId)])
    return { home, other, victim, thief, names: [['echo', ref.id]] }
  }

  test('is nowhere else by the word of a leaf, and comes back itself', async () => {
    const { home, other, victim, thief, names } = await detached()
    tell(
      thief,
      { op: 'link', nodeId: thief.nodeId, version: 2, other: victim.nodeId, isUp: true },
      record(victim.nodeId, 50, [thief.nodeId], { names }),
      { op: 'name', nodeId: victim.nodeId, version: 51, name: 'more', actorId: newId() },
    )
    await fence(thief)
    expect([home, other].map((system) => statusOf(system, victim))).toEqual(['detached', 'detached'])
    expect(await other.find('echo')).toBeUndefined()
    await link(home, victim)
    expect(await (await other.resolve('echo')).ask('still me')).toBe('still me')
  })

  test('is not where a leaf of another relay says either', async () => {
    const { home, other, victim, names } = await detached()
    const second = await relay()
    await link(home, second)
    const thief = await puppet(second)
    await joined(other, thief)
    tell(
      thief,
      { op: 'link', nodeId: thief.nodeId, version: 2, other: victim.nodeId, isUp: true },
      record(victim.nodeId, 50, [thief.nodeId], { names }),
    )
    await fence(thief)
    expect(statusOf(other, victim)).toBe('detached')
    const isBack = event(other, 'memberUpdated', ({ member }) => member.nodeId === victim.nodeId)
    await link(second, victim)
    await isBack
    expect(await (await other.resolve('echo')).ask('moved')).toBe('moved')
  })

  test('may be behind that leaf once nobody waits for it any more: the leaf is asked', async () => {
    const clock = new ManualClock()
    const config = SystemConfig.withAddr('127.0.0.1:0').withClock(clock).withLimits({ sessionGraceMs: GRACE_MS })
    const { home, victim, thief } = await detached(config)
    tell(
      thief,
      { op: 'link', nodeId: thief.nodeId, version: 2, other: victim.nodeId, isUp: true },
      record(victim.nodeId, 50, [thief.nodeId]),
    )
    await fence(thief)
    const isGivenUp = left(home, victim.nodeId)
    for (let ms = 0; ms < GRACE_MS; ms += 1_000) {
      clock.advance(1_000)
      await fence(thief)
    }
    await isGivenUp
    const want = encodeUpdates([{ op: 'want', nodeId: victim.nodeId }])
    await thief.when(({ kind, payload }) => kind === FRAME.cluster && Buffer.compare(payload, want) === 0)
    const isBack = event(home, 'memberJoined', ({ member }) => member.nodeId === victim.nodeId)
    tell(thief, record(victim.nodeId, 50, [thief.nodeId]))
    await isBack
  })
})

describe('what a leaf says is behind it', () => {
  const ids = (count: number): string[] => Array.from({ length: count }, newId)
  /** Everything a node told another of these nodes. */
  const told = (frames: readonly Frame[], nodeIds: readonly string[]): number =>
    frames
      .filter(({ kind }) => kind === FRAME.cluster)
      .flatMap(({ payload }) => decodeUpdates(payload))
      .filter((update) => 'nodeId' in update && nodeIds.includes(update.nodeId)).length

  test(`is ${MAX_BEHIND_LEAF} nodes at most, for its relay and for all others`, async () => {
    const [home, second, other] = [await relay(), await relay(), await nodes.start()]
    await link(home, second)
    await link(second, other)
    const page = await puppet(home)
    await Promise.all([joined(home, other), joined(other, page)])
    const isThere = event(other, 'memberJoined', ({ member }) => member.nodeId === workers[MAX_BEHIND_LEAF - 1])
    const workers = ids(3 * MAX_BEHIND_LEAF)
    tell(page, record(page.nodeId, 2, [home.nodeId, ...workers]))
    for (let i = 0; i < workers.length; i += 64)
      tell(page, ...workers.slice(i, i + 64).map((nodeId) => record(nodeId, 1, [page.nodeId])))
    await Promise.all([fence(page), isThere])
    for (const system of [home, second, other]) expect(system.members().length).toBe(4 + MAX_BEHIND_LEAF)
    // One that goes makes room for another.
    const next = event(other, 'memberJoined')
    tell(page, { op: 'gone', nodeId: workers[0]! })
    await next
    for (const system of [home, second, other]) expect(system.members().length).toBe(4 + MAX_BEHIND_LEAF)
  })

  test('is told to others once a way leads there, and not before', async () => {
    const [home, other] = [await relay(), await nodes.start()]
    const cable = await link(home, other)
    const page = await puppet(home)
    const workers = ids(200)
    const names: [string, string][] = [['in worker', newId()]]
    for (let i = 0; i < workers.length; i += 100)
      tell(page, ...workers.slice(i, i + 100).map((nodeId) => record(nodeId, 1, [page.nodeId], { names })))
    await fence(page)
    expect(told(cable.passed[0], workers)).toBe(0)
    const isThere = event(other, 'memberJoined', ({ member }) => member.nodeId === workers.at(-1))
    tell(page, record(page.nodeId, 2, [home.nodeId, workers.at(-1)!]))
    await isThere
    expect(await other.find('in worker')).toMatchObject({ nodeId: workers.at(-1) })
    expect(told(cable.passed[0], workers)).toBe(1)
  })

  test('is for it to tell: nobody asks for thousands of nodes it says it is linked to', async () => {
    const page = await puppet(await relay())
    tell(page, record(page.nodeId, 2, ids(5_000)))
    await fence(page)
    const wants = page.received
      .filter(({ kind }) => kind === FRAME.cluster)
      .flatMap(({ payload }) => decodeUpdates(payload))
      .filter(({ op }) => op === 'want')
    expect(wants).toEqual([])
  })
})

describe('a node that moves', () => {
  /** Time stands still: nothing is repaired by waiting. */
  const timeless = (): SystemConfig => SystemConfig.standalone().withClock(new ManualClock())

  /** A relay, two pages there, and a worker behind the first that `home` talks to. */
  async function withWorker(): Promise<{
    home: ActorSystem
    pages: [ActorSystem, ActorSystem]
    worker: ActorSystem
    cables: { page: Cable; worker: Cable }
    ask: (what: unknown) => Promise<unknown>
  }> {
    const home = await relay(SystemConfig.withAddr('127.0.0.1:0').withClock(new ManualClock()))
    const pages: [ActorSystem, ActorSystem] = [await nodes.start(timeless()), await nodes.start(timeless())]
    const page = await link(home, pages[0])
    await link(home, pages[1])
    const worker = await nodes.start(timeless())
    const cables = { page, worker: await link(pages[0], worker) }
    await worker.spawn(echo, 'echo', { public: true })
    const ref = await home.resolve('echo')
    const ask = (what: unknown): Promise<unknown> => ref.ask(what, { timeout: Infinity })
    expect(await ask('first')).toBe('first')
    return { home, pages, worker, cables, ask }
  }

  test('from one page to another is found there, and its session goes on', async () => {
    const { home, pages, worker, cables, ask } = await withWorker()
    cables.worker.cut()
    await away(home, worker.nodeId)
    const asked = ask('second')
    await link(pages[1], worker)
    expect(await asked).toBe('second')
  })

  test('after its page has ended is found behind the next one', async () => {
    const { home, pages, worker } = await withWorker()
    await Promise.all([pages[0].shutdown(), left(home, worker.nodeId)])
    await link(pages[1], worker)
    await joined(home, worker)
    expect(await (await home.resolve('echo')).ask('second')).toBe('second')
  })

  test('with its page to another relay is found there, and its session goes on', async () => {
    const { home, pages, worker, cables, ask } = await withWorker()
    const second = await relay(SystemConfig.withAddr('127.0.0.1:0').withClock(new ManualClock()))
    await link(home, second)
    cables.page.cut()
    await away(home, worker.nodeId)
    const asked = ask('second')
    await link(second, pages[0])
    expect(await asked).toBe('second')
  })

  test('from its relay to a page it was linked to is found behind that', async () => {
    const { home, pages, worker, cables, ask } = await withWorker()
    const own = await link(home, worker)
    cables.worker.cut()
    expect(await ask('second')).toBe('second')
    const again = await link(pages[1], worker)
    await turns()
    own.cut()
    expect(await ask('third')).toBe('third')
    again.cut()
    await away(home, worker.nodeId)
    const asked = ask('fourth')
    await link(pages[1], worker)
    expect(await asked).toBe('fourth')
  })

  test('behind the only leaf that leads there is told of by that one', async () => {
    const config = SystemConfig.withAddr('127.0.0.1:0').withClock(new ManualClock())
    // The relays do not find each other: no time passes.
    const [home, far, farther] = [await relay(config), await relay(config), await relay(config)]
    const [between, mover] = [await nodes.start(timeless()), await nodes.start(timeless())]
    const way = await link(home, between)
    await link(between, far)
    await link(between, farther)
    const before = await link(far, mover)
    await joined(home, mover)
    const isLost = away(home, mover.nodeId)
    way.cut()
    await isLost
    before.cut()
    await link(farther, mover)
    await joined(between, mover)
    await mover.spawn(echo, 'echo', { public: true })
    await link(home, between)
    expect(await (await home.resolve('echo')).ask(1)).toBe(1)
  })

  test('while its page is away is not believed of another leaf, until that page is given up', async () => {
    const { home, pages, worker, cables } = await withWorker()
    cables.page.cut()
    await Promise.all([away(home, worker.nodeId), away(home, pages[0].nodeId)])
    cables.worker.cut()
    await link(pages[1], worker)
    await joined(pages[1], worker)
    await turns()
    expect(statusOf(home, worker)).toBe('unreachable')
    // The page is back, without the worker: it is where the other one says.
    await link(home, pages[0])
    await joined(home, worker)
    expect(memberIds(home)).toEqual(new Set([home, ...pages, worker].map(({ nodeId }) => nodeId)))
  })
})

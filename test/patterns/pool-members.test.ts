/** Pools whose workers live on several members: where they are created, how they are used, and what follows them. */
import {
  type ActorContext,
  type ActorRef,
  type ActorSystem,
  asActor,
  contextOf,
  Message,
  StreamMessage,
  SystemConfig,
  type SystemEvents,
} from 'pulsing'
import { DEFAULT_REPLACE_MIN_BACKOFF_MS, type PoolOptions, pool } from 'pulsing/patterns'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { STOP_GRACE_MS } from '../../src/actor/actor-cell.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { collect, type Gate, gate, stateOf } from '../actor/systems.ts'
import { type Cable, link, Nodes } from '../cluster/memory-nodes.ts'

const GRACE_MS = 5_000

const nodes = new Nodes()
let clock: ManualClock
/** What workers were told, and why they stopped. */
let diary: string[]
/** What `hold` waits for. */
let held: Gate
beforeEach(() => {
  clock = new ManualClock()
  diary = []
  held = gate()
})
afterEach(async () => {
  const ending = nodes.stop()
  await clock.advanceAsync(2 * STOP_GRACE_MS)
  await ending
})

class Clerk {
  where(_key = ''): string {
    return contextOf(this).system.nodeId
  }
  async *range(to: number) {
    for (let i = 0; i < to; i++) yield i
  }
  refuse(): never {
    throw new RangeError('closed')
  }
  async hold(): Promise<string> {
    await held.opened
    return 'done'
  }
  stop(): void {
    contextOf(this).stop()
  }
  receive(msg: Message): unknown {
    if (msg.isStream) return collect(msg.streamReader())
    diary.push(msg.toObject())
    return msg
  }
  onStop(_ctx: ActorContext, reason: string): void {
    diary.push(reason)
  }
}
const Clerks = asActor({ type: 'Clerk' })(Clerk)

const config = (): SystemConfig =>
  SystemConfig.standalone()
    .withClock(clock)
    .withLimits({ sessionGraceMs: GRACE_MS })
    .withRandom({ float: () => 0.5 })

interface Lab {
  readonly home: ActorSystem
  readonly hosts: readonly ActorSystem[]
  readonly cables: readonly Cable[]
  readonly warnings: SystemEvents['warning'][]
  start(options?: Partial<PoolOptions>): Promise<ActorRef>
}

/** A node for the pool, and two that host the workers. */
async function lab(homeHosts = false): Promise<Lab> {
  const home = await nodes.start(homeHosts ? config().withActors(Clerks) : config())
  const hosts = [await nodes.start(config().withActors(Clerks)), await nodes.start(config().withActors(Clerks))]
  const cables = [await link(home, hosts[0]!), await link(home, hosts[1]!)]
  const warnings: SystemEvents['warning'][] = []
  home.on('warning', (warning) => warnings.push(warning))
  const start: Lab['start'] = (options) =>
    pool(home, Clerks, { size: 4, name: 'pool', worker: { policy: 'round-robin' }, ...options })
  return { home, hosts, cables, warnings, start }
}

async function settled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  await clock.settle()
  return promise
}

/** The nodes of those whose turn it is. */
async function turns(ref: ActorRef, count: number): Promise<string[]> {
  const clerk = ref.asType(Clerks)
  const found: string[] = []
  for (let i = 0; i < count; i++) found.push(await settled(clerk.where()))
  return found.sort()
}
const twice = (...systems: readonly ActorSystem[]): string[] => systems.flatMap(({ nodeId }) => [nodeId, nodeId]).sort()
const actorsOf = (...systems: readonly ActorSystem[]): number[] => systems.map((system) => system.census().actors)

test('spreads its workers over the members that host the class, and uses all of them', async () => {
  const { home, hosts, start } = await lab()
  const ref = await start()
  expect(ref.isLocal).toBe(true)
  expect(actorsOf(home, ...hosts)).toEqual([1, 2, 2])
  expect(await turns(ref, 4)).toEqual(twice(...hosts))
})

test('includes its own node if that hosts the class, and only then', async () => {
  const { home, hosts, start } = await lab(true)
  const ref = await start({ size: 6 })
  expect(await turns(ref, 6)).toEqual(twice(home, ...hosts))
  expect(actorsOf(home, ...hosts)).toEqual([3, 2, 2])
  await settled(home.stop('pool'))
  expect(actorsOf(home, ...hosts)).toEqual([0, 0, 0])
})

test('takes any policy, or one node', async () => {
  const { home, hosts, start } = await lab()
  const [first, second] = hosts as [ActorSystem, ActorSystem]
  await start({ name: 'pinned', worker: { node: first.nodeId } })
  expect(actorsOf(home, ...hosts)).toEqual([1, 4, 0])
  await start({ name: 'chosen', worker: { policy: (all) => all.find(({ nodeId }) => nodeId === second.nodeId) } })
  expect(actorsOf(home, ...hosts)).toEqual([2, 4, 4])
})

test('passes on values, messages, streams and errors as with workers here', async () => {
  const { start } = await lab()
  const ref = await start()
  const clerk = ref.asType(Clerks)
  expect(await collect(clerk.range(4))).toEqual([0, 1, 2, 3])
  await expect(clerk.refuse()).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'closed' })
  const reply = await ref.ask(Message.fromObject('typed', 'asked'))
  expect([reply.msgType, reply.toObject()]).toEqual(['typed', 'asked'])
  await settled(ref.tell('told'))
  const [stream, writer] = StreamMessage.create('items')
  const collected = ref.ask(stream)
  for (const item of ['x', 'y']) await writer.write(item)
  await writer.close()
  expect((await settled(collected)).toObject()).toEqual(['x', 'y'])
  expect(diary).toEqual(['asked', 'told'])
})

test('keeps keys on their workers, and gives the busy ones less', async () => {
  const { hosts, start } = await lab()
  const byKey = (await start({ strategy: { by: 'argument' } })).asType(Clerks)
  const of = async (key: string): Promise<string> => settled(byKey.where(key))
  for (const key of ['a', 'b', 'c', 'd']) expect(await of(key)).toBe(await of(key))
  const busy = (await start({ name: 'busy', size: 2, strategy: 'least-loaded' })).asType(Clerks)
  // What was only told is no load once it is on its way.
  await settled(busy.ref.tell('told'))
  expect(await turns(busy.ref, 4)).toEqual(twice(...hosts))
  const call = busy.hold().catch(() => undefined)
  const first = await settled(busy.where())
  for (let i = 0; i < 3; i++) expect(await settled(busy.where())).toBe(first)
  expect(await stateOf(call)).toBe('pending')
})

test('replaces a worker that ended, and those of a node that left elsewhere', async () => {
  const { home, hosts, start, warnings } = await lab()
  const [first, second] = hosts as [ActorSystem, ActorSystem]
  const ref = await start()
  await settled(ref.asType(Clerks).stop())
  expect(await turns(ref, 3)).toHaveLength(3)
  await clock.advanceAsync(DEFAULT_REPLACE_MIN_BACKOFF_MS)
  expect(actorsOf(home, ...hosts).reduce((sum, n) => sum + n)).toBe(5)
  await settled(first.shutdown())
  await clock.advanceAsync(1_000)
  expect([actorsOf(home, second), warnings]).toEqual([[1, 4], []])
  expect(new Set(await turns(ref, 4))).toEqual(new Set([second.nodeId]))
})

test('replaces those of a node that was lost, once it is given up, and rejects what they had', async () => {
  const { home, hosts, cables, start } = await lab()
  const [first, second] = hosts as [ActorSystem, ActorSystem]
  const ref = await start()
  const calls = [1, 2, 3, 4].map(() =>
    ref
      .asType(Clerks)
      .hold()
      .catch((error: unknown) => error),
  )
  await clock.settle()
  cables[0]!.cut()
  await clock.advanceAsync(GRACE_MS - 1_000)
  expect(actorsOf(home, ...hosts)).toEqual([1, 2, 2])
  await clock.advanceAsync(2_000)
  expect([actorsOf(home, second), diary]).toEqual([[1, 4], []])
  const states = await Promise.all(calls.map(stateOf))
  expect(states.sort()).toEqual(['fulfilled', 'fulfilled', 'pending', 'pending'])
  const lost = await Promise.race(calls)
  expect(lost).toMatchObject({ name: 'UnreachableError', outcome: 'unknown' })
  // Over there nobody works for a pool that is lost, once what is being done is done.
  held.open()
  await clock.settle()
  expect([actorsOf(first), diary]).toEqual([[0], ['killed', 'killed']])
  expect(await turns(ref, 2)).toEqual(twice(second))
})

test('has nobody while no member hosts the class, and goes on when one does again', async () => {
  const { home, hosts, start, warnings } = await lab()
  const ref = await start({ size: 1, replace: { maxReplacements: Infinity } })
  for (const host of hosts) await settled(host.shutdown())
  await clock.advanceAsync(1_000)
  await expect(settled(ref.asType(Clerks).where())).rejects.toMatchObject({ outcome: 'not-sent' })
  expect(new Set(warnings.map(({ code }) => code))).toEqual(new Set(['worker_not_replaced']))
  const late = await nodes.start(config().withActors(Clerks))
  await link(home, late)
  await clock.advanceAsync(10_000)
  expect(await turns(ref, 2)).toEqual(twice(late))
})

test('lets workers everywhere finish, and stops them, when it is stopped', async () => {
  const { home, hosts, start } = await lab()
  const ref = await start({ size: 2 })
  const calls = [ref.asType(Clerks).hold(), ref.asType(Clerks).hold()]
  await clock.settle()
  const stopped = home.stop('pool')
  await clock.settle()
  expect([await stateOf(stopped), actorsOf(home, ...hosts)]).toEqual(['pending', [1, 1, 1]])
  held.open()
  await settled(stopped)
  expect(await Promise.all(calls)).toEqual(['done', 'done'])
  expect([actorsOf(home, ...hosts), diary]).toEqual([
    [0, 0, 0],
    ['killed', 'killed'],
  ])
})

test('starts nothing where no member hosts the class, or a start fails', async () => {
  const Picky = asActor(
    class Picky {
      onStart(ctx: ActorContext): void {
        if (ctx.system === broken) throw new Error('not here')
      }
    },
  )
  const home = await nodes.start(config())
  const options: PoolOptions = { size: 2, worker: { policy: 'round-robin' } }
  await expect(settled(pool(home, Picky, options))).rejects.toMatchObject({
    name: 'UnreachableError',
    message: expect.stringContaining('Picky') as string,
  })
  const hosts = [await nodes.start(config().withActors(Picky)), await nodes.start(config().withActors(Picky))]
  const broken = hosts[1]
  for (const host of hosts) await link(home, host)
  await expect(settled(pool(home, Picky, options))).rejects.toMatchObject({ message: 'not here' })
  await clock.settle()
  expect(actorsOf(home, ...hosts)).toEqual([0, 0, 0])
})

test('refuses workers that cannot be named elsewhere, and what is no policy', async () => {
  const { home, start } = await lab()
  const worker = { policy: 'round-robin' } as const
  await expect(pool(home, () => new Clerks(), { size: 1, worker })).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining('asActor class') as string,
  })
  await expect(settled(start({ worker: { policy: 'nearest' as never } }))).rejects.toMatchObject({
    name: 'ConfigError',
  })
  expect(actorsOf(home)).toEqual([0])
})

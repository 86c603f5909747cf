/** Actors that another node created for one of this node: they end as local children do, whatever is lost in between. */
import {
  Actor,
  type ActorContext,
  type ActorRef,
  type ActorSystem,
  asActor,
  contextOf,
  Message,
  SystemConfig,
} from 'pulsing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MessageContext } from '../../src/actor/actor-context.ts'
import { CREATE_TYPE, SYSTEM_ACTOR } from '../../src/actor/system-names.ts'
import { REMOTE_STOP_GRACE_MS } from '../../src/cluster/remote-child.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { type Gate, gate, stateOf } from '../actor/systems.ts'
import { type Cable, event, link, Nodes } from '../cluster/memory-nodes.ts'

const GRACE_MS = 5_000

const nodes = new Nodes()
let clock: ManualClock
/** What has happened, in order. */
let diary: string[]
/** What children wait for where they were told to. */
let starting: Gate
let stopping: Gate
beforeEach(() => {
  clock = new ManualClock()
  diary = []
  starting = gate()
  stopping = gate()
})
afterEach(async () => {
  starting.open()
  stopping.open()
  const ending = nodes.stop()
  await clock.advanceAsync(REMOTE_STOP_GRACE_MS)
  await ending
})

const Child = asActor(
  class Child {
    constructor(
      readonly label: string,
      readonly waits?: 'start' | 'stop',
    ) {
      if (label === 'broken') throw new TypeError('broken')
    }
    async onStart(): Promise<void> {
      diary.push(`${this.label} starts`)
      if (this.waits === 'start') await starting.opened
      if (this.label === 'broken late') throw new TypeError('broken late')
    }
    async onStop(_ctx: ActorContext, reason: string): Promise<void> {
      if (this.waits === 'stop') await stopping.opened
      diary.push(`${this.label} ${reason}`)
    }
    hi(): string {
      return `hi from ${this.label}`
    }
    fail(): never {
      throw new Error(`${this.label} fails`)
    }
    /** Has a child that does not stop by itself, and does not end itself. */
    async hang(): Promise<void> {
      await contextOf(this).spawn({ receive: () => undefined, onStop: () => stopping.opened })
      await starting.opened
    }
  },
)
type ChildProxy = Awaited<ReturnType<typeof Child.local>>

type Order = (ctx: ActorContext) => unknown

/** Does in its own turn what the test says. */
class Parent extends Actor {
  readonly #orders: Order[]
  constructor(orders: Order[]) {
    super()
    this.#orders = orders
  }
  receive(_msg: Message, ctx: ActorContext): unknown {
    return this.#orders.shift()!(ctx)
  }
  override onStart(): void {
    diary.push('parent starts')
  }
  override onStop(): void {
    diary.push('parent stopped')
  }
  override onChildFailure(): undefined {
    diary.push('parent decides')
  }
}

interface Lab {
  readonly system: ActorSystem
  readonly host: ActorSystem
  readonly cable: Cable
  readonly parent: ActorRef
  /** Runs `order` as a message of the parent. */
  run<T>(order: (ctx: ActorContext) => T): Promise<Awaited<T>>
  /** A child on the host. */
  make(label: string, waits?: 'start' | 'stop'): Promise<ChildProxy>
  settled<T>(promise: Promise<T>): Promise<T>
}

async function lab(): Promise<Lab> {
  const config = SystemConfig.standalone().withClock(clock).withLimits({ sessionGraceMs: GRACE_MS })
  const system = await nodes.start(config)
  const host = await nodes.start(config.withActors(Child))
  const cable = await link(system, host)
  const orders: Order[] = []
  const restart = { policy: 'on-failure', minBackoffMs: 0 } as const
  const parent = await system.spawn(() => new Parent(orders), 'parent', { restart })
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => undefined)
    await clock.settle()
    return promise
  }
  // Its result stays on this node: it comes by way of the test, as no message could carry it.
  const run = async <T>(order: (ctx: ActorContext) => T): Promise<Awaited<T>> => {
    let result: Awaited<T>
    orders.push(async (ctx) => {
      result = await order(ctx)
    })
    await parent.ask('run', { timeout: Infinity })
    return result!
  }
  const make: Lab['make'] = (label, waits) =>
    run((ctx) => Child.options({ node: host.nodeId }).remote(ctx, label, waits))
  return { system, host, cable, parent, run, make, settled }
}

const childrenOf = (lab: Lab): Promise<readonly string[]> => lab.run((ctx) => ctx.children.map(({ id }) => id))
/** All that runs on a node, what the framework has for itself included. */
async function cellsOf(system: ActorSystem): Promise<number> {
  let cells = 0
  const probe = await system.spawn({
    onStart: (ctx) => void (cells = [...(ctx as MessageContext).cell.runtime.actors(true)].length),
    receive: () => undefined,
  })
  await system.stop(probe)
  return cells
}
const actorsOf = (system: ActorSystem): number => system.census().actors

describe('a child on another node', () => {
  test('works there, is among the children, and has ended before its parent has', async () => {
    const here = await lab()
    const { system, host } = here
    const child = await here.make('a')
    expect([child.ref.nodeId, await child.hi()]).toEqual([host.nodeId, 'hi from a'])
    expect(await childrenOf(here)).toEqual([child.ref.id])
    await here.settled(system.stop('parent'))
    expect(diary).toEqual(['parent starts', 'a starts', 'a killed', 'parent stopped'])
    expect([actorsOf(system), actorsOf(host)]).toEqual([0, 0])
  })

  test('keeps its parent waiting as long as it takes to stop', async () => {
    const here = await lab()
    await here.make('slow', 'stop')
    const stopped = here.system.stop('parent')
    await clock.settle()
    expect([await stateOf(stopped), diary.at(-1)]).toEqual(['pending', 'slow starts'])
    stopping.open()
    await here.settled(stopped)
    expect(diary.slice(-2)).toEqual(['slow killed', 'parent stopped'])
  })

  test('keeps it waiting no longer than a local child without children of its own could', async () => {
    const here = await lab()
    const child = await here.make('outer', 'stop')
    child.hang().catch(() => undefined)
    await clock.settle()
    // Its handler, its child and its onStop take half of that time each.
    const stopped = here.system.stop('parent')
    await clock.advanceAsync(REMOTE_STOP_GRACE_MS - 1)
    expect(await stateOf(stopped)).toBe('pending')
    await clock.advanceAsync(1)
    await here.settled(stopped)
    expect([diary.at(-1), actorsOf(here.host)]).toEqual(['parent stopped', 1])
    await clock.advanceAsync(REMOTE_STOP_GRACE_MS / 2)
    expect(actorsOf(here.host)).toBe(0)
  })

  test('ends with the instance of its parent that made it: a restart waits for it, too', async () => {
    const here = await lab()
    await here.make('old')
    await here.run(() => Promise.reject(new Error('fails'))).catch(() => undefined)
    await clock.settle()
    expect(diary).toEqual(['parent starts', 'old starts', 'old killed', 'parent stopped', 'parent starts'])
    expect([await childrenOf(here), actorsOf(here.host)]).toEqual([[], 0])
    const young = await here.make('young')
    expect(await childrenOf(here)).toEqual([young.ref.id])
  })

  test('that ends by itself is no child any more', async () => {
    const here = await lab()
    const child = await here.make('a')
    await here.settled(here.host.stop(child.ref))
    expect(await childrenOf(here)).toEqual([])
    await here.settled(here.system.stop('parent'))
    expect(diary).toEqual(['parent starts', 'a starts', 'a killed', 'parent stopped'])
  })

  test('that fails is left to its own policy: its parent is not asked', async () => {
    const here = await lab()
    const options = {
      node: here.host.nodeId,
      restart: { policy: 'on-failure', minBackoffMs: 0, methodErrors: 'failure' },
    }
    const child = await here.run((ctx) => Child.options(options as never).remote(ctx, 'a'))
    await here.settled(child.fail().catch(() => undefined as never))
    expect(await here.settled(child.hi())).toBe('hi from a')
    expect(diary).toEqual(['parent starts', 'a starts', 'a failed', 'a starts'])
    expect(await childrenOf(here)).toEqual([child.ref.id])
    await here.settled(here.system.stop('parent'))
    expect(diary.slice(-2)).toEqual(['a killed', 'parent stopped'])
  })

  test('whose start fails is none, and leaves nothing there', async () => {
    const here = await lab()
    await expect(here.settled(here.make('broken'))).rejects.toMatchObject({ message: 'broken' })
    expect([await childrenOf(here), actorsOf(here.host)]).toEqual([[], 0])
  })

  test('leaves nothing behind on either side, also where the other cannot be told', async () => {
    const here = await lab()
    const before = [await cellsOf(here.system), await cellsOf(here.host)]
    const child = await here.make('a')
    const late = here.make('broken late', 'start').catch((error: unknown) => error)
    await clock.settle()
    expect([await cellsOf(here.system), await cellsOf(here.host)]).toEqual([before[0]! + 2, before[1]! + 4])
    here.cable.cut()
    await clock.settle()
    starting.open()
    await here.settled(here.host.stop(child.ref))
    expect(await cellsOf(here.host)).toBe(before[1])
    await link(here.system, here.host)
    expect(await here.settled(late)).toMatchObject({ message: 'broken late' })
    expect(await cellsOf(here.system)).toBe(before[0])
  })

  test('made without a context outlives everybody here', async () => {
    const here = await lab()
    const child = await here.settled(here.run((ctx) => Child.remote(ctx.system, 'free')))
    await here.settled(here.system.stop('parent'))
    expect([await here.settled(child.hi()), diary.at(-1)]).toEqual(['hi from free', 'parent stopped'])
  })
})

describe('a parent that stops while the creation is on its way', () => {
  test('leaves nothing there: the child is stopped as soon as it has started, and the parent waits for that', async () => {
    const here = await lab()
    let outcome: Promise<unknown>
    await here.run((ctx) => {
      outcome = Child.remote(ctx, 'late', 'start').catch((error: unknown) => error)
    })
    await clock.settle()
    const stopped = here.system.stop('parent')
    await clock.settle()
    expect([await stateOf(stopped), actorsOf(here.host)]).toEqual(['pending', 1])
    starting.open()
    await here.settled(stopped)
    expect(await outcome!).toMatchObject({ name: 'ActorStoppedError' })
    expect(diary).toEqual(['parent starts', 'late starts', 'late killed', 'parent stopped'])
    expect(actorsOf(here.host)).toBe(0)
  })

  test('leaves nothing there either when the answer, or the request itself, has to wait for a way', async () => {
    const here = await lab()
    const ctx = await here.run((own) => own)
    const outcomes = [Child.remote(ctx, 'unanswered', 'start').catch((error: unknown) => error)]
    await clock.settle()
    outcomes.push(Child.remote(ctx, 'unasked').catch((error: unknown) => error))
    for (let i = 0; i < 10; i++) await Promise.resolve()
    here.cable.cut()
    await clock.settle()
    starting.open()
    await here.settled(here.system.stop('parent'))
    expect(diary).toEqual(['parent starts', 'unanswered starts', 'parent stopped'])
    await link(here.system, here.host)
    await clock.settle()
    for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ name: 'ActorStoppedError' })
    expect(diary.slice(3)).toEqual(['unasked starts', 'unanswered killed', 'unasked killed'])
    expect(actorsOf(here.host)).toBe(0)
  })

  test('takes no children afterwards', async () => {
    const here = await lab()
    const ctx = await here.run((own) => own)
    await here.settled(here.system.stop('parent'))
    for (const create of [() => Child.remote(ctx, 'x'), () => Child.local(ctx, 'x')])
      await expect(here.settled(create())).rejects.toMatchObject({ name: 'ActorStoppedError' })
    expect(diary).toEqual(['parent starts', 'parent stopped'])
  })
})

describe('when nodes go', () => {
  test('a child is stopped when the node of its parent says goodbye', async () => {
    const here = await lab()
    const child = await here.make('a')
    // The node ends when what is being done is done; its children work until then.
    const answered = here.run(async () => {
      await starting.opened
      return child.hi()
    })
    await clock.settle()
    const shutdown = here.system.shutdown()
    await clock.settle()
    expect(diary).toEqual(['parent starts', 'a starts'])
    starting.open()
    expect(await here.settled(answered)).toBe('hi from a')
    await here.settled(shutdown)
    expect(diary.slice(2)).toEqual(['a killed', 'parent stopped'])
    expect(actorsOf(here.host)).toBe(0)
  })

  test('a child stays while that node cannot be reached, and is stopped when it is given up', async () => {
    const here = await lab()
    const child = await here.make('a')
    here.cable.cut()
    await clock.advanceAsync(GRACE_MS - 1_000)
    await link(here.system, here.host)
    await clock.advanceAsync(GRACE_MS)
    expect(await here.settled(child.hi())).toBe('hi from a')
    expect(await childrenOf(here)).toEqual([child.ref.id])
  })

  test('a child whose parent cannot be reached for good is stopped, and is a child no more', async () => {
    const here = await lab()
    await here.make('a')
    here.cable.cut()
    await clock.advanceAsync(GRACE_MS - 1_000)
    expect(actorsOf(here.host)).toBe(1)
    await clock.advanceAsync(2_000)
    expect([diary.at(-1), actorsOf(here.host)]).toEqual(['a killed', 0])
    expect(await childrenOf(here)).toEqual([])
  })

  test('a parent does not wait for a child no way leads to, which is stopped once one does', async () => {
    const here = await lab()
    await here.make('a')
    here.cable.cut()
    await clock.settle()
    await here.settled(here.system.stop('parent'))
    expect(diary).toEqual(['parent starts', 'a starts', 'parent stopped'])
    await link(here.system, here.host)
    await clock.settle()
    expect([diary.at(-1), actorsOf(here.host)]).toEqual(['a killed', 0])
  })

  test('the children of a host that shuts down end with it', async () => {
    const here = await lab()
    await here.make('a')
    await here.settled(here.host.shutdown())
    expect(diary.at(-1)).toBe('a shutdown')
    expect(await here.settled(childrenOf(here))).toEqual([])
  })
})

describe('a child where its parent is', () => {
  test('is made with the same context: by local, and by remote where nobody else hosts the class', async () => {
    const system = await nodes.start(SystemConfig.standalone().withClock(clock))
    const made: ChildProxy[] = []
    const warned = event(system, 'warning')
    const receive = async (_msg: Message, ctx: ActorContext): Promise<number> => {
      made.push(await Child.local(ctx, 'a'), await Child.remote(ctx, 'b'))
      made.push(await Child.options({ name: 'c', node: system.nodeId }).local(ctx, 'c'))
      return ctx.children.length
    }
    const parent = await system.spawn({ receive })
    expect(await parent.ask('')).toBe(3)
    expect((await warned).code).toBe('remote-creation-local')
    expect(made.map(({ ref }) => ref.isLocal)).toEqual([true, true, true])
    await system.stop(parent)
    expect([diary.slice(-3).sort(), actorsOf(system)]).toEqual([['a killed', 'b killed', 'c killed'], 0])
  })
})

test('a parent that is no ref is refused', async () => {
  const { system, host, settled } = await lab()
  const core = (await system.find(`actor://${host.nodeId}/${SYSTEM_ACTOR}`))!
  const request = { type: 'Child', args: ['x'], options: {}, parent: 'me' }
  await expect(settled(core.ask(Message.fromObject(CREATE_TYPE, request)))).rejects.toMatchObject({
    name: 'PulsingUnsupportedError',
  })
  expect(actorsOf(host)).toBe(0)
})

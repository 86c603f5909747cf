/** The workers of a pool as they come and go: who is replaced, when, and what callers see meanwhile. */
import {
  type ActorContext,
  type ActorRef,
  type ActorSystem,
  Message,
  type StopReason,
  StreamMessage,
  SystemConfig,
  type SystemEvents,
} from 'pulsing'
import { type PoolOptions, pool } from 'pulsing/patterns'
import { ManualClock } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { gate, startSystem, stateOf } from '../actor/systems.ts'

type Order = 'who' | 'stop' | 'fail' | 'hold'

/** A pool of workers that can be told to end, and what has become of each. */
class Workers {
  readonly clock = new ManualClock()
  readonly started: number[] = []
  readonly stopped: [number, StopReason][] = []
  readonly warnings: SystemEvents['warning'][] = []
  readonly hold = gate()
  system!: ActorSystem
  ref!: ActorRef
  /** The workers, by number, whose start fails. */
  readonly broken = new Set<number>()
  #count = 0

  async start(options: PoolOptions): Promise<this> {
    // Chance is 0.5 throughout: a jitter of nothing.
    const config = SystemConfig.standalone()
      .withClock(this.clock)
      .withRandom({ float: () => 0.5 })
    this.system = await startSystem(config)
    this.system.on('warning', (warning) => this.warnings.push(warning))
    this.ref = await pool(this.system, () => this.#worker(this.#count++), options)
    return this
  }

  #worker(number: number) {
    return {
      onStart: () => {
        if (this.broken.has(number)) throw new Error(`worker ${number} is broken`)
        this.started.push(number)
      },
      onStop: (_ctx: ActorContext, reason: StopReason) => void this.stopped.push([number, reason]),
      receive: async (msg: Message, ctx: ActorContext) => {
        const order = msg.toObject<Order>()
        if (order === 'stop') ctx.stop()
        if (order === 'fail') throw new Error(`worker ${number} fails`)
        if (order === 'hold') {
          ctx.stop()
          await this.hold.opened
        }
        return number
      },
    }
  }

  ask(order: Order): Promise<number> {
    return this.settled(this.ref.ask<number>(order))
  }

  /** `promise`, with everything done that needs no time. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => undefined)
    await this.clock.settle()
    return promise
  }

  /** Which workers answer, in the order of their turns. */
  async turns(count: number): Promise<number[]> {
    const answers: number[] = []
    for (let i = 0; i < count; i++) answers.push(await this.ask('who'))
    return answers
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms)
  }
}

test('a worker that has ended is replaced after the shortest wait; the others go on meanwhile', async () => {
  const workers = await new Workers().start({ size: 3 })
  expect(await workers.ask('stop')).toBe(0)
  await workers.pass(99)
  expect(workers.started).toEqual([0, 1, 2])
  expect(new Set(await workers.turns(4))).toEqual(new Set([1, 2]))
  await workers.pass(1)
  expect(workers.started).toEqual([0, 1, 2, 3])
  expect((await workers.turns(6)).sort()).toEqual([1, 1, 2, 2, 3, 3])
})

test('a worker that is stopping gets no more messages, and finishes the one it has', async () => {
  const workers = await new Workers().start({ size: 2 })
  const held = workers.ask('hold')
  await workers.clock.settle()
  expect(await workers.turns(4)).toEqual([1, 1, 1, 1])
  expect(await stateOf(held)).toBe('pending')
  workers.hold.open()
  expect(await held).toBe(0)
  await workers.pass(100)
  expect(workers.started).toEqual([0, 1, 2])
})

test('a worker that its restart policy restarts is not replaced: its messages wait for it', async () => {
  const restart = { policy: 'on-failure', maxRestarts: 1, minBackoffMs: 50 } as const
  const workers = await new Workers().start({ size: 1, worker: { restart } })
  await expect(workers.ask('fail')).rejects.toThrow('worker 0 fails')
  const waiting = workers.ask('who')
  expect(await stateOf(waiting)).toBe('pending')
  await workers.pass(50)
  expect(await waiting).toBe(1)
  // Once more than it may: it ends for good, and is replaced.
  await expect(workers.ask('fail')).rejects.toThrow('worker 1 fails')
  await workers.pass(100)
  expect(await workers.ask('who')).toBe(2)
})

test('a worker whose restart fails for good is replaced', async () => {
  const restart = { policy: 'on-failure', maxRestarts: 1, minBackoffMs: 0 } as const
  const workers = await new Workers().start({ size: 1, worker: { restart } })
  workers.broken.add(1)
  await expect(workers.ask('fail')).rejects.toThrow('worker 0 fails')
  await expect(workers.ask('who')).rejects.toMatchObject({ code: 'unreachable' })
  await workers.pass(100)
  expect(await workers.ask('who')).toBe(2)
})

test('the keys of a worker that went are answered by others, then by the one that replaces it', async () => {
  const workers = await new Workers().start({ size: 4, strategy: { by: (msg) => msg.msgType } })
  const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`)
  const who = async (key: string): Promise<number> =>
    (await workers.settled(workers.ref.ask(Message.fromObject(key, 'who')))).toObject()
  const before = await Promise.all(keys.map(who))
  const gone = before[0]!
  await workers.settled(workers.ref.ask(Message.fromObject(keys[0]!, 'stop')))
  const meanwhile = await Promise.all(keys.map(who))
  await workers.pass(100)
  const after = await Promise.all(keys.map(who))
  expect(meanwhile.every((worker, i) => (before[i] === gone ? worker !== gone : worker === before[i]))).toBe(true)
  expect(after).toEqual(before.map((worker) => (worker === gone ? 4 : worker)))
})

test('waits double with each replacement in one place, up to the longest, and begin anew after the window', async () => {
  const replace = { maxReplacements: 5, withinMs: 10_000, minBackoffMs: 100, maxBackoffMs: 300 }
  const workers = await new Workers().start({ size: 1, replace })
  for (const [i, waitMs] of [100, 200, 300, 300].entries()) {
    await workers.ask('stop')
    await workers.pass(waitMs - 1)
    expect(workers.started).toHaveLength(i + 1)
    await workers.pass(1)
    expect(workers.started).toHaveLength(i + 2)
  }
  await workers.pass(10_000)
  await workers.ask('stop')
  await workers.pass(100)
  expect(workers.started).toHaveLength(6)
  expect(workers.warnings).toEqual([])
})

test('a replacement that does not start is tried again; too often, and the pool goes on without it', async () => {
  const workers = await new Workers().start({ size: 2, replace: { maxReplacements: 3, minBackoffMs: 10 } })
  for (const number of [2, 3, 4]) workers.broken.add(number)
  await workers.ask('stop')
  for (const waitMs of [10, 20, 40]) await workers.pass(waitMs)
  expect(workers.warnings.map(({ code, message }) => [code, message.replace(String(workers.ref), 'pool')])).toEqual([
    ['worker_not_replaced', 'a worker of a pool could not be replaced: worker 2 is broken'],
    ['worker_not_replaced', 'a worker of a pool could not be replaced: worker 3 is broken'],
    ['worker_not_replaced', 'a worker of a pool could not be replaced: worker 4 is broken'],
    ['pool_shrunk', 'a pool replaced a worker too often, 1 are left: pool'],
  ])
  await workers.pass(1_000_000)
  expect([workers.started, await workers.turns(3)]).toEqual([
    [0, 1],
    [1, 1, 1],
  ])
})

test('a replacement that starts at a later attempt takes its place', async () => {
  const workers = await new Workers().start({ size: 1, replace: { minBackoffMs: 10 } })
  workers.broken.add(1)
  await workers.ask('stop')
  await workers.pass(10)
  await expect(workers.ask('who')).rejects.toMatchObject({ code: 'unreachable' })
  await workers.pass(20)
  expect(await workers.ask('who')).toBe(2)
})

test('without a worker asks reject as not sent, and tells are dead letters', async () => {
  const workers = await new Workers().start({ size: 2, replace: { maxReplacements: 0 } })
  await workers.ask('stop')
  await workers.ask('stop')
  await workers.clock.settle()
  await expect(workers.ask('who')).rejects.toMatchObject({
    name: 'UnreachableError',
    outcome: 'not-sent',
    message: 'expected a worker in the pool, got none, and 0 to come',
    address: String(workers.ref),
  })
  const dead: unknown[] = []
  workers.system.on('deadLetter', ({ recipient, reason }) => dead.push([recipient, reason]))
  await workers.ref.tell('who')
  await workers.clock.settle()
  expect(dead).toEqual([[String(workers.ref), 'unreachable']])
  const [message, writer] = StreamMessage.create()
  await workers.ref.tell(message)
  await workers.clock.settle()
  expect(writer.signal.aborted).toBe(true)
  expect(workers.warnings.map(({ code }) => code)).toEqual(['pool_shrunk', 'pool_shrunk'])
})

test('stopping the pool lets its workers finish what they were asked, and stops them', async () => {
  const workers = await new Workers().start({ size: 2 })
  const held = workers.ask('hold')
  await workers.clock.settle()
  const stopped = workers.system.stop(workers.ref)
  await expect(workers.ask('who')).rejects.toMatchObject({ code: 'actor_stopped' })
  expect(await stateOf(stopped)).toBe('pending')
  workers.hold.open()
  expect(await held).toBe(0)
  await stopped
  expect(workers.stopped).toEqual([
    [0, 'normal'],
    [1, 'killed'],
  ])
  await workers.pass(1_000_000)
  expect(workers.started).toEqual([0, 1])
})

test('workers that end with their pool are not missed', async () => {
  const workers = await new Workers().start({ size: 2, replace: { maxReplacements: 0 } })
  await workers.system.stop(workers.ref)
  expect([workers.stopped.length, workers.warnings]).toEqual([2, []])
})

test('a replacement that is due keeps no process alive', async () => {
  const workers = await new Workers().start({ size: 1 })
  const held: boolean[] = []
  const setTimer = workers.clock.setTimer.bind(workers.clock)
  workers.clock.setTimer = (callback, delayMs) => {
    const timer = setTimer(callback, delayMs)
    return delayMs === 100 ? { ...timer, hold: (isHeld) => void held.push(isHeld) } : timer
  }
  await workers.ask('stop')
  await workers.clock.settle()
  expect(held).toEqual([false])
})

test('a pool that is stopped while a replacement is due, or starts, replaces nobody and leaves nothing behind', async () => {
  const workers = await new Workers().start({ size: 2 })
  await workers.ask('stop')
  await workers.clock.settle()
  const { pending } = workers.clock
  await workers.system.stop(workers.ref)
  expect(workers.clock.pending).toBe(pending - 1)
  await workers.pass(1_000_000)
  expect([workers.started, workers.warnings]).toEqual([[0, 1], []])

  const slow = gate()
  let count = 0
  const ref = await pool(
    workers.system,
    () => ({ onStart: () => (count++ === 0 ? undefined : slow.opened), receive: (_msg, ctx) => ctx.stop() }),
    { size: 1 },
  )
  await workers.settled(ref.ask('stop'))
  await workers.pass(100)
  expect(count).toBe(2)
  const stopping = workers.system.stop(ref)
  slow.open()
  await stopping
  expect([workers.system.census().actors, workers.warnings]).toEqual([0, []])
})

test('a pool with a worker that does not start is none: the error is thrown, and the others are stopped', async () => {
  const workers = new Workers()
  workers.broken.add(1)
  await expect(workers.start({ size: 3 })).rejects.toMatchObject({
    name: 'PulsingSystemError',
    message: 'worker 1 is broken',
  })
  expect(workers.system.census().actors).toBe(0)
  expect(workers.stopped.map(([number]) => number).sort()).toEqual(workers.started.sort())
})

test('a pool spawned by an actor ends with it', async () => {
  const system = await startSystem()
  const stopped: string[] = []
  const parent = await system.spawn({
    receive: (_msg: Message, ctx: ActorContext) =>
      pool(ctx, () => ({ receive: () => 'ok', onStop: () => void stopped.push('worker') }), { size: 2 }),
  })
  const ref = await parent.ask<ActorRef>('make')
  expect(await ref.ask('x')).toBe('ok')
  await system.stop(parent)
  expect(stopped).toEqual(['worker', 'worker'])
})

test('shutting the system down ends a pool with what it does', async () => {
  const workers = await new Workers().start({ size: 3 })
  await workers.turns(3)
  await workers.system.shutdown()
  expect(workers.stopped.sort()).toEqual([
    [0, 'shutdown'],
    [1, 'shutdown'],
    [2, 'shutdown'],
  ])
})

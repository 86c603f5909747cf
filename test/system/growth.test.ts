/**
 * What comes and goes leaves nothing behind: after a hundred thousand of each the heap is where it was, and nothing is
 * counted that has to end. Across a link ten thousand of each do, to keep this short.
 */
import { MessageChannel } from 'node:worker_threads'
import { type ActorContext, type ActorSystem, asActor, type Callback, Message, StreamMessage } from 'pulsing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { macrotask } from '../../src/base/macrotask.ts'
import { Nodes } from '../cluster/memory-nodes.ts'

const CYCLES = 100_000
/** Lending starts an actor, calls it and stops it. */
const CYCLES_OF_LENDING = 30_000
const CYCLES_OVER_LINK = 10_000
/** Longer than all of them together take, on a slow machine too. */
const LIMIT_MS = 30_000
/** What the engine itself may keep: compiled code, tables that have grown once. */
const MAX_GROWTH_BYTES = 3 * 1024 * 1024
/** Cycles between which the event loop gets its turn. */
const BATCH = 1_000

declare const gc: () => void

/** What a collection may still find without there being more to find, in bytes. */
const CALM_BYTES = 16 * 1024

const turn = (): Promise<void> => new Promise((done) => macrotask(done))

/**
 * Heap in use when nothing collectable is left: what weak references met is kept to the end of the turn, and what is
 * called after a collection may let go of more.
 */
async function heapBytes(): Promise<number> {
  let least = Infinity
  for (let calm = 0; calm < 4; calm++) {
    await turn()
    gc()
    const { heapUsed } = process.memoryUsage()
    if (heapUsed < least - CALM_BYTES) calm = 0
    least = Math.min(least, heapUsed)
  }
  return least
}

/**
 * Bytes by which the heap has grown over `cycles` cycles, after as many as it takes the engine to settle: a table of what
 * is to be finalized keeps the size it once had.
 */
async function growth(
  cycles: number,
  cycle: (i: number) => Promise<unknown> | undefined,
  before = cycles / 10,
): Promise<number> {
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await cycle(i)
      if (i % BATCH === 0) await turn()
    }
  }
  await run(before)
  const bytes = await heapBytes()
  await run(cycles)
  return (await heapBytes()) - bytes
}

const nodes = new Nodes()
let system: ActorSystem
beforeEach(async () => {
  system = await nodes.start()
})
afterEach(() => nodes.stop())

const Lender = asActor(
  class Lender {
    async use(callback: Callback<(n: number) => number>, n: number): Promise<number> {
      const result = await callback(n)
      callback[Symbol.dispose]()
      return result
    }
  },
)

function expectNothing(...systems: readonly ActorSystem[]): void {
  for (const { census } of systems.map((each) => ({ census: each.census() })))
    expect(census).toMatchObject({ asks: 0, timers: 0, streams: 0 })
}

/** Not `rejects`: the runner keeps every promise it was given. */
const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )

const refuse = (i: number, what: unknown): never => {
  throw new RangeError(`cycle ${i}: got ${what}`)
}

describe(`the heap is where it was after ${CYCLES} times`, { timeout: LIMIT_MS }, () => {
  test('ask', async () => {
    const ref = await system.spawn({ receive: (msg) => msg.toObject() })
    const grown = await growth(CYCLES, async (i) => {
      if ((await ref.ask(i)) !== i) refuse(i, 'another answer')
    })
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system)
  })

  test('ask, and give up: before it is handled, and while it is', async () => {
    let begun: () => void = () => undefined
    const ref = await system.spawn({
      receive: (_msg, { signal }) => {
        begun()
        return new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    })
    const grown = await growth(CYCLES, async (i) => {
      const controller = new AbortController()
      const asked = outcome(ref.ask(i, { signal: controller.signal }))
      if (i % 2 === 0) await new Promise<void>((resolve) => (begun = resolve))
      controller.abort(i)
      if ((await asked) !== i) refuse(i, await asked)
    })
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system)
  })

  test('open a stream, and leave it', async () => {
    const ref = await system.spawn({
      receive: function* () {
        for (let i = 0; ; i++) yield i
      },
    })
    const grown = await growth(CYCLES, async (i) => {
      const reader = ref.askStream<number>('go')
      if ((await reader.next()).value !== 0) refuse(i, 'another item')
      await reader.cancel()
    })
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system)
  })

  test('open a stream, and forget it', async () => {
    const ref = await system.spawn({
      receive: () => StreamMessage.create<number>('n', 1)[0],
    })
    const grown = await growth(
      CYCLES,
      async (i) => {
        if (!(await ref.ask(Message.empty())).isStream) refuse(i, 'a single message')
      },
      2 * CYCLES,
    )
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system)
  })

  test('spawn, and stop', async () => {
    const grown = await growth(CYCLES, async () => {
      const ref = await system.spawn({ receive: () => undefined })
      await system.stop(ref)
    })
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expect(system.census().actors).toBe(0)
  })

  test('watch, stop, and be told', async () => {
    let told = 0
    let context: ActorContext | undefined
    await system.spawn({
      onStart: (ctx) => {
        context = ctx
      },
      receive: () => void told++,
    })
    const grown = await growth(CYCLES, async () => {
      const ref = await system.spawn({ receive: () => undefined })
      context!.watch(ref)
      await system.stop(ref)
    })
    await turn()
    expect(told).toBe(CYCLES + CYCLES / 10)
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expect(system.census().actors).toBe(1)
  })

  test('watch, and look away', async () => {
    let context: ActorContext | undefined
    await system.spawn({
      onStart: (ctx) => {
        context = ctx
      },
      receive: () => undefined,
    })
    const ref = await system.spawn({ receive: () => undefined })
    const grown = await growth(CYCLES, () => {
      context!.watch(ref)
      context!.unwatch(ref)
      return undefined
    })
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
  })

  test('schedule, and call it off', async () => {
    let context: ActorContext | undefined
    const ref = await system.spawn({
      onStart: (ctx) => {
        context = ctx
      },
      receive: () => undefined,
    })
    const proxy = ref.asAny()
    const grown = await growth(CYCLES, (i) => {
      context!.schedule(60_000, i, i % 2 === 0 ? {} : { everyMs: 1_000 }).cancel()
      proxy.delayed(60_000)['anything']!(i).cancel()
      return undefined
    })
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system)
  })

  test(`lend a function, and give it back (${CYCLES_OF_LENDING} times)`, async () => {
    const lender = await Lender.local(system)
    const grown = await growth(CYCLES_OF_LENDING, async (i) => {
      if ((await lender.use((n) => n + 1, i)) !== i + 1) refuse(i, 'another result')
    })
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system)
  })
})

describe(`and, across a link, after ${CYCLES_OVER_LINK} times`, { timeout: LIMIT_MS }, () => {
  async function far(receive: (msg: Message, ctx: ActorContext) => unknown) {
    const other = await nodes.start()
    const { port1, port2 } = new MessageChannel()
    await Promise.all([system.connect(port1), other.connect(port2)])
    await other.spawn({ receive }, 'far', { public: true })
    await Lender.options({ name: 'lender', public: true }).local(other)
    return { other, ref: await system.resolve('far'), lender: await Lender.resolve(system, 'lender') }
  }

  test('ask, answered and given up', async () => {
    const { other, ref } = await far((msg, { signal }) =>
      msg.toObject() === 'wait'
        ? new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined)))
        : msg.toObject(),
    )
    const grown = await growth(CYCLES_OVER_LINK, async (i) => {
      const controller = new AbortController()
      const given = outcome(ref.ask('wait', { signal: controller.signal }))
      controller.abort(i)
      if ((await given) !== i) refuse(i, await given)
      if ((await ref.ask(i)) !== i) refuse(i, 'another answer')
    })
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system, other)
  })

  test('open a stream, and leave it', async () => {
    const { other, ref } = await far(function* () {
      for (let i = 0; ; i++) yield i
    })
    const grown = await growth(CYCLES_OVER_LINK, async (i) => {
      const reader = ref.askStream<number>('go')
      if ((await reader.next()).value !== 0) refuse(i, 'another item')
      await reader.cancel()
    })
    // The last cancel is on its way.
    while (other.census().streams > 0) await turn()
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system, other)
  })

  test('open a stream, and forget it', async () => {
    const { other, ref } = await far(() => StreamMessage.create<number>('n', 1)[0])
    const grown = await growth(CYCLES_OVER_LINK, async (i) => {
      if (!(await ref.ask(Message.empty())).isStream) refuse(i, 'a single message')
      // No more of them may be open at a time than the limit; nobody but the engine closes these.
      if (i % BATCH === 0) await heapBytes()
    })
    while (other.census().streams > 0) await heapBytes()
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system, other)
  })

  test('lend a function, and give it back', async () => {
    const { other, lender } = await far(() => undefined)
    const grown = await growth(CYCLES_OVER_LINK, async (i) => {
      if ((await lender.use((n) => n + 1, i)) !== i + 1) refuse(i, 'another result')
    })
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
    expectNothing(system, other)
  })
})

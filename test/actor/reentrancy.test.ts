/** Actors that take the next message while a handler waits: what may interleave, how far, and what stays as it is. */
import {
  type ActorContext,
  type ActorProxy,
  type ActorRef,
  asActor,
  contextOf,
  MIN_MAILBOX_CAPACITY,
  type SpawnOptions,
  SystemConfig,
} from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { STOP_GRACE_MS } from '../../src/actor/actor-cell.ts'
import { collect, type Gate, gate, startSystem, stateOf, turn } from './systems.ts'

const REENTRANT: SpawnOptions = { reentrant: true }
const SMALL: SpawnOptions = { reentrant: true, mailbox: { capacity: MIN_MAILBOX_CAPACITY } }

async function start() {
  const clock = new ManualClock()
  return { clock, system: await startSystem(SystemConfig.standalone().withClock(clock)) }
}

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

/** An actor each of whose messages, a name, waits for the gate of that name. */
function waiter() {
  const gates = new Map<string, Gate>()
  const log: string[] = []
  const signals = new Map<string, AbortSignal>()
  return {
    log,
    signals,
    release: (name: string) => gates.get(name)!.open(),
    async receive(msg: { toObject<T>(): T }, ctx: ActorContext): Promise<string> {
      const name = msg.toObject<string>()
      log.push(`${name} begins`)
      const own = gate()
      gates.set(name, own)
      signals.set(name, ctx.signal)
      await own.opened
      log.push(`${name} ends`)
      return `${name} done`
    },
  }
}

test('messages interleave where a handler waits, and each is answered with its own result', async () => {
  const { clock, system } = await start()
  const actor = waiter()
  const ref = await system.spawn(actor, REENTRANT)
  const a = ref.ask('a')
  const b = ref.ask('b')
  await clock.settle()
  actor.release('b')
  expect(await b).toBe('b done')
  expect(await stateOf(a)).toBe('pending')
  actor.release('a')
  expect(await a).toBe('a done')
  expect(actor.log).toEqual(['a begins', 'b begins', 'b ends', 'a ends'])
})

test('messages do not interleave without the option, nor where a handler does not wait', async () => {
  const { system } = await start()
  const log: string[] = []
  let ref: ActorRef
  const receive = (msg: { toObject<T>(): T }): void => {
    const name = msg.toObject<string>()
    log.push(`${name} begins`)
    if (name === 'a') void ref.tell('from a')
    log.push(`${name} ends`)
  }
  for (const options of [REENTRANT, undefined]) {
    log.length = 0
    ref = await system.spawn({ receive }, options)
    await Promise.all([ref.ask('a'), ref.ask('b')])
    await ref.ask('c')
    expect(log).toEqual(['a', 'b', 'from a', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]))
  }
  const actor = waiter()
  const serial = await system.spawn(actor)
  const asked = ['a', 'b'].map((name) => serial.ask(name))
  await turn()
  expect(actor.log).toEqual(['a begins'])
  actor.release('a')
  await asked[0]
  await turn()
  actor.release('b')
  await asked[1]
  expect(actor.log).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
})

test('handlers begin in the order of the mailbox, whether they wait or not', async () => {
  const { system } = await start()
  const begun: number[] = []
  const ref = await system.spawn(
    {
      receive: (msg) => {
        const n = msg.toObject<number>()
        begun.push(n)
        if (n % 3 === 0) return n
        return n % 3 === 1 ? Promise.resolve(n) : turn().then(() => n)
      },
    },
    SMALL,
  )
  const numbers = Array.from({ length: 200 }, (_, n) => n)
  expect(await Promise.all(numbers.map((n) => ref.ask(n)))).toEqual(numbers)
  expect(begun).toEqual(numbers)
})

describe('with room for sixteen messages', () => {
  test('at most sixteen handlers wait at a time; each that ends lets the next begin', async () => {
    const { clock, system } = await start()
    const actor = waiter()
    const ref = await system.spawn(actor, SMALL)
    const asks = Array.from({ length: 40 }, (_, n) => ref.ask(String(n)))
    const begun = (): number => actor.log.filter((line) => line.endsWith('begins')).length
    await clock.settle()
    expect(begun()).toBe(MIN_MAILBOX_CAPACITY)
    for (const [released, name] of ['7', '15', '0', '3'].entries()) {
      actor.release(name)
      await clock.settle()
      expect(begun()).toBe(MIN_MAILBOX_CAPACITY + released + 1)
    }
    for (let n = 0; n < 40; n++) {
      actor.release(String(n))
      await clock.settle()
    }
    expect(await Promise.all(asks)).toEqual(asks.map((_, n) => `${n} done`))
  })

  test('senders beyond those that wait and those in the mailbox are held back until one ends', async () => {
    const { clock, system } = await start()
    const actor = waiter()
    const ref = await system.spawn(actor, SMALL)
    const tells = Array.from({ length: 2 * MIN_MAILBOX_CAPACITY + 2 }, (_, n) => ref.tell(String(n)))
    await clock.settle()
    const states = (): Promise<string[]> => Promise.all(tells.slice(-3).map(stateOf))
    expect(await states()).toEqual(['fulfilled', 'pending', 'pending'])
    actor.release('4')
    await clock.settle()
    expect(await states()).toEqual(['fulfilled', 'fulfilled', 'pending'])
    actor.release('16')
    await clock.settle()
    expect(await states()).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
    // What stands still is stopped: its handlers have to end for that.
    for (let n = 0; n < tells.length; n++) {
      if (actor.signals.has(String(n))) actor.release(String(n))
      await clock.settle()
    }
  })

  test('an actor that asks itself deeper than there is room ends with a timeout by the caller’s deadline', async () => {
    const { clock, system } = await start()
    const ref = await system.spawn(
      {
        receive: (msg, ctx) => {
          const depth = msg.toObject<number>()
          return depth === 0 ? 'bottom' : ctx.ask(ctx.self, depth - 1)
        },
      },
      SMALL,
    )
    expect(await ref.ask(MIN_MAILBOX_CAPACITY - 1)).toBe('bottom')
    const tooDeep = outcomeOf(ref.ask(MIN_MAILBOX_CAPACITY + 5, { timeout: 100 }))
    await clock.advanceAsync(100)
    expect(await tooDeep).toMatchObject({ code: 'timeout' })
    expect(await ref.ask(3)).toBe('bottom')
    expect(system.census().asks).toBe(0)
  })
})

test('an actor may ask itself, and actors each other in a circle', async () => {
  const { system } = await start()
  const refs: ActorRef[] = []
  for (let i = 0; i < 3; i++) {
    refs.push(
      await system.spawn(
        {
          receive: async (msg, ctx) => {
            const n = msg.toObject<number>()
            return n === 0 ? 1 : n * (await ctx.ask<number>(refs[n % 3]!, n - 1))
          },
        },
        REENTRANT,
      ),
    )
  }
  expect(await refs[0]!.ask(10)).toBe(3_628_800)
})

test('a handler that throws rejects its own ask and no other', async () => {
  const { clock, system } = await start()
  const free = gate()
  const ref = await system.spawn(
    {
      receive: async (msg) => {
        await (msg.toObject() === 'throw' ? turn() : free.opened)
        if (msg.toObject() === 'throw') throw new RangeError('no')
        return 'fine'
      },
    },
    REENTRANT,
  )
  const waiting = ref.ask('wait')
  await expect(ref.ask('throw')).rejects.toMatchObject({ message: 'no' })
  await clock.settle()
  expect(await stateOf(waiting)).toBe('pending')
  free.open()
  expect(await waiting).toBe('fine')
})

test('an ask that times out, or is aborted, aborts the signal of its own handler and of no other', async () => {
  const { clock, system } = await start()
  const actor = waiter()
  const ref = await system.spawn(actor, REENTRANT)
  const controller = new AbortController()
  const asks = [
    outcomeOf(ref.ask('late', { timeout: 10 })),
    outcomeOf(ref.ask('unwanted', { signal: controller.signal })),
    outcomeOf(ref.ask('wanted')),
  ]
  const aborted = (): string[] => ['late', 'unwanted', 'wanted'].filter((name) => actor.signals.get(name)!.aborted)
  await clock.advanceAsync(10)
  expect(aborted()).toEqual(['late'])
  controller.abort()
  expect(aborted()).toEqual(['late', 'unwanted'])
  for (const name of ['late', 'unwanted', 'wanted']) actor.release(name)
  expect(await asks[2]).toBe('wanted done')
})

describe('stop', () => {
  test('waits for every handler that runs, tells each to hurry, answers each, and refuses what waits', async () => {
    const { clock, system } = await start()
    const actor = waiter()
    let stops = 0
    const ref = await system.spawn(Object.assign(actor, { onStop: () => void stops++ }), SMALL)
    const running = Array.from({ length: MIN_MAILBOX_CAPACITY }, (_, n) => ref.ask(String(n)))
    const queued = outcomeOf(ref.ask('queued'))
    await clock.settle()
    const stopped = system.stop(ref)
    await clock.settle()
    expect([...actor.signals.values()].map(({ aborted }) => aborted)).toEqual(running.map(() => true))
    for (let n = running.length - 1; n > 0; n--) actor.release(String(n))
    await clock.settle()
    expect([await stateOf(stopped), stops]).toEqual(['pending', 0])
    actor.release('0')
    await stopped
    expect(await Promise.all(running)).toEqual(running.map((_, n) => `${n} done`))
    expect(await queued).toMatchObject({ code: 'actor_stopped' })
    expect([stops, actor.signals.has('queued')]).toEqual([1, false])
  })

  test('gives up every handler that has not ended after the grace', async () => {
    const { clock, system } = await start()
    const actor = waiter()
    const ref = await system.spawn(actor, REENTRANT)
    const asks = ['a', 'b', 'c'].map((name) => outcomeOf(ref.ask(name, { timeout: Infinity })))
    await clock.settle()
    const stopped = system.stop(ref)
    await clock.settle()
    actor.release('b')
    await clock.advanceAsync(STOP_GRACE_MS)
    await stopped
    expect(await Promise.all(asks)).toMatchObject([{ code: 'actor_stopped' }, 'b done', { code: 'actor_stopped' }])
    for (const name of ['a', 'c']) actor.release(name)
  })
})

test('become counts for messages that begin later, not for handlers that wait', async () => {
  const { clock, system } = await start()
  const free = gate()
  const ref = await system.spawn(
    {
      receive: async (msg, ctx) => {
        if (msg.toObject() === 'change') ctx.become((inner) => `new ${inner.toObject<string>()}`)
        else await free.opened
        return `old ${msg.toObject<string>()}`
      },
    },
    REENTRANT,
  )
  const before = ref.ask('before')
  expect(await ref.ask('change')).toBe('old change')
  expect(await ref.ask('after')).toBe('new after')
  await clock.settle()
  free.open()
  expect(await before).toBe('old before')
})

test('a message stashed by a handler that still waits is answered by the handling after unstashAll, and only once', async () => {
  const { clock, system } = await start()
  const free = gate()
  const log: string[] = []
  let isOpen = false
  const ref = await system.spawn(
    {
      receive: async (msg, ctx) => {
        const name = msg.toObject<string>()
        if (name === 'open') {
          isOpen = true
          ctx.unstashAll()
          return 'opened'
        }
        log.push(isOpen ? 'handled' : 'stashed')
        if (isOpen) return turn().then(() => 'real answer')
        ctx.stash()
        await free.opened
        return 'not this'
      },
    },
    REENTRANT,
  )
  const asked = ref.ask('a')
  await clock.settle()
  await ref.ask('open')
  free.open()
  expect(await asked).toBe('real answer')
  expect(log).toEqual(['stashed', 'handled'])
})

describe('contextOf', () => {
  const Shop = asActor(
    class Shop {
      async caller(): Promise<(string | undefined)[]> {
        const ctx = contextOf(this)
        await turn()
        return [ctx.sender?.id]
      }
      async *callers(): AsyncGenerator<string | undefined> {
        for (let i = 0; i < 3; i++) {
          const caller = contextOf(this).sender?.id
          await turn()
          yield caller
        }
      }
      async deadline(): Promise<number | undefined> {
        return contextOf(this).deadline
      }
    },
  )

  async function withCallers(receive: (shop: ActorProxy<InstanceType<typeof Shop>>, ctx: ActorContext) => unknown) {
    const { system } = await start()
    const shop = await Shop.options({ reentrant: true }).local(system)
    const callers: ActorRef[] = []
    for (let i = 0; i < 5; i++) callers.push(await system.spawn({ receive: (_msg, ctx) => receive(shop, ctx) }))
    return { shop, callers }
  }

  test('read before the first await is that of its own call, however many wait', async () => {
    const { shop, callers } = await withCallers((shop, ctx) => ctx.bind(shop).caller())
    const seen = await Promise.all([...callers.map((caller) => caller.ask('go')), shop.caller()])
    expect(seen).toEqual([...callers.map(({ id }) => [id]), [undefined]])
  })

  test('tells deadlines of calls apart that are handled at the same time', async () => {
    const { callers } = await withCallers((shop, ctx) => ctx.bind(shop).deadline())
    const timeouts = callers.map((_, n) => 10 * (n + 1))
    expect(await Promise.all(callers.map((caller, n) => caller.ask('go', { timeout: timeouts[n]! })))).toEqual(timeouts)
  })

  test('read by a generator after each yield is that of the call that made it', async () => {
    const { callers } = await withCallers((shop, ctx) => collect(ctx.bind(shop).callers()))
    const seen = await Promise.all(callers.map((caller) => caller.ask('go')))
    expect(seen).toEqual(callers.map(({ id }) => [id, id, id]))
  })
})

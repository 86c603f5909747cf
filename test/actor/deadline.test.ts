/**
 * How long an ask may take reaches the handler, and every ask nested in it: on one node, by every way of nesting. What
 * nobody waits for any more ends; what somebody waits for does not.
 */
import {
  type ActorContext,
  type ActorProxy,
  type ActorRef,
  asActor,
  contextOf,
  DEFAULT_ASK_TIMEOUT_MS,
  SystemConfig,
} from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { STOP_GRACE_MS } from '../../src/actor/actor-cell.ts'
import { gate, startSystem, stateOf } from './systems.ts'

/** Passes a call on to the next of its kind; the last one lets the test look. */
const Passing = asActor(
  class Passing {
    constructor(
      private readonly nest: Way,
      private readonly next: ActorProxy<Passes> | undefined,
      private readonly inside: (ctx: ActorContext) => unknown,
    ) {}
    pass(): unknown {
      const ctx = contextOf(this)
      return this.next ? this.nest(ctx, this.next) : this.inside(ctx)
    }
    receive(): unknown {
      return this.pass()
    }
  },
)
interface Passes {
  pass(): unknown
}
type Way = (ctx: ActorContext, next: ActorProxy<Passes>) => Promise<unknown>

const ways: [string, Way][] = [
  ['ctx.ask', (ctx, next) => ctx.ask(next.ref, 'pass')],
  ['a bound ref', (ctx, next) => ctx.bind(next.ref).ask('pass')],
  ['a bound proxy', (ctx, next) => ctx.bind(next).pass()],
]
const waysAndDepths = ways.flatMap(([name, way]) => [2, 3].map((depth) => [name, depth, way] as const))

async function start() {
  const clock = new ManualClock()
  const system = await startSystem(SystemConfig.standalone().withClock(clock))
  /** Actors in a row, `depth` of them; the first one's ref. */
  const row = async (nest: Way, depth: number, inside: (ctx: ActorContext) => unknown): Promise<ActorRef> => {
    let next: ActorProxy<Passes> | undefined
    for (let i = 0; i < depth; i++) next = await Passing.local(system, nest, next, inside)
    return next!.ref
  }
  return { clock, system, row }
}

/** What a signal aborts with. */
function reasonOf(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason)
    else signal.addEventListener('abort', () => resolve(signal.reason))
  })
}

/** An actor that lets go of a message only when its signal aborts; what it aborted with. */
function holding(): { receive(msg: unknown, ctx: ActorContext): unknown; reasons: unknown[]; started: number } {
  return {
    reasons: [],
    started: 0,
    async receive(_msg, ctx) {
      this.started++
      this.reasons.push(await reasonOf(ctx.signal))
    },
  }
}

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

describe.each(waysAndDepths)('nested with %s, %d actors deep', (_name, depth, nest) => {
  test('the innermost handler has the caller’s deadline', async () => {
    const { clock, row } = await start()
    await clock.advanceAsync(1_000)
    const first = await row(nest, depth, (ctx) => ctx.deadline)
    expect(await first.ask('go', { timeout: 250 })).toBe(1_250)
  })

  test('the caller’s timeout aborts the innermost handler with the timeout, and no ask is left', async () => {
    const { clock, system, row } = await start()
    const reason = gate<unknown>()
    const first = await row(nest, depth, async (ctx) => reason.open(await reasonOf(ctx.signal)))
    const asked = outcomeOf(first.ask('go', { timeout: 250 }))
    await clock.advanceAsync(249)
    expect(await stateOf(asked)).toBe('pending')
    await clock.advanceAsync(1)
    expect(await asked).toMatchObject({ code: 'timeout', durationMs: 250 })
    expect(await reason.opened).toMatchObject({ code: 'timeout' })
    expect(system.census().asks).toBe(0)
  })

  test('the caller’s abort reaches the innermost handler with the caller’s reason', async () => {
    const { clock, system, row } = await start()
    const reason = gate<unknown>()
    const first = await row(nest, depth, async (ctx) => reason.open(await reasonOf(ctx.signal)))
    const controller = new AbortController()
    const asked = outcomeOf(first.ask('go', { signal: controller.signal }))
    await clock.settle()
    const enough = new RangeError('enough')
    controller.abort(enough)
    expect(await asked).toBe(enough)
    expect(await reason.opened).toBe(enough)
    expect(system.census().asks).toBe(0)
  })

  test('answers and errors come back as they do without nesting', async () => {
    const { system, row } = await start()
    let isRight = true
    const first = await row(nest, depth, () => {
      if (isRight) return 'in time'
      throw new RangeError('not today')
    })
    expect(await first.ask('go')).toBe('in time')
    isRight = false
    await expect(first.ask('go')).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'not today' })
    expect(system.census().asks).toBe(0)
  })
})

test('a nested ask with a shorter timeout ends by itself; the handler goes on and answers', async () => {
  const { clock, system } = await start()
  const slow = holding()
  const inner = await system.spawn(slow)
  const outer = await system.spawn({
    receive: async (_msg, ctx) => {
      const nested = (await outcomeOf(ctx.ask(inner, 'go', { timeout: 10 }))) as { code: string; durationMs: number }
      return [nested.code, nested.durationMs, ctx.signal.aborted]
    },
  })
  const asked = outer.ask('go', { timeout: 1_000 })
  await clock.advanceAsync(10)
  expect(await asked).toEqual(['timeout', 10, false])
  expect(slow.reasons).toMatchObject([{ code: 'timeout', durationMs: 10 }])
})

test('a nested ask with a longer timeout, or none, is cut to what the caller leaves', async () => {
  const { clock, system } = await start()
  const inner = await system.spawn({ receive: (_msg, ctx) => ctx.deadline })
  const outer = await system.spawn({
    receive: async (_msg, ctx) => {
      await new Promise<void>((resolve) => void clock.setTimer(resolve, 40))
      return [await ctx.ask(inner, 'go', { timeout: 5_000 }), await ctx.ask(inner, 'go', { timeout: Infinity })]
    },
  })
  const asked = outer.ask('go', { timeout: 100 })
  await clock.advanceAsync(40)
  expect(await asked).toEqual([100, 100])
})

test('a nested ask can be aborted alone', async () => {
  const { clock, system } = await start()
  const slow = holding()
  const inner = await system.spawn(slow)
  const controller = new AbortController()
  const outer = await system.spawn({
    receive: async (_msg, ctx) => {
      const nested = await outcomeOf(ctx.ask(inner, 'go', { signal: controller.signal }))
      return [nested, ctx.signal.aborted]
    },
  })
  const asked = outer.ask('go')
  await clock.settle()
  controller.abort('just this one')
  expect(await asked).toEqual(['just this one', false])
  await clock.settle()
  expect(slow.reasons).toEqual(['just this one'])
})

test('an ask nested in a tell has a deadline of its own only', async () => {
  const { clock, system } = await start()
  const seen: unknown[] = []
  const inner = await system.spawn({ receive: (_msg, ctx) => ctx.deadline })
  const outer = await system.spawn({
    receive: async (_msg, ctx) => {
      seen.push(
        ctx.deadline,
        await ctx.ask(inner, 'go'),
        await ctx.ask(inner, 'go', { timeout: 20 }),
        await ctx.ask(inner, 'go', { timeout: Infinity }),
      )
    },
  })
  await outer.tell('go')
  await clock.settle()
  expect(seen).toEqual([undefined, DEFAULT_ASK_TIMEOUT_MS, 20, undefined])
})

test('asks nested in onStart and onStop have deadlines of their own only', async () => {
  const { system } = await start()
  const seen: unknown[] = []
  const inner = await system.spawn({ receive: (_msg, ctx) => ctx.deadline })
  const look = async (ctx: ActorContext): Promise<void> =>
    void seen.push(ctx.deadline, await ctx.ask(inner, 'go', { timeout: 20 }))
  const outer = await system.spawn({ onStart: look, receive: () => undefined, onStop: look })
  await system.stop(outer)
  expect(seen).toEqual([undefined, 20, undefined, 20])
})

test('an ask nested after the caller gave up rejects with its reason, and is not handled', async () => {
  const { clock, system } = await start()
  const dead: string[] = []
  system.on('deadLetter', ({ reason }) => dead.push(reason))
  let handled = 0
  const inner = await system.spawn({ receive: () => void handled++ })
  const nested = gate<unknown>()
  const outer = await system.spawn({
    receive: async (_msg, ctx) => {
      await reasonOf(ctx.signal)
      nested.open(await outcomeOf(ctx.ask(inner, 'too late')))
    },
  })
  const controller = new AbortController()
  const asked = outcomeOf(outer.ask('go', { signal: controller.signal }))
  await clock.settle()
  const enough = new RangeError('enough')
  controller.abort(enough)
  await asked
  expect(await nested.opened).toBe(enough)
  await clock.settle()
  expect(handled).toBe(0)
  expect(system.census().asks).toBe(0)
})

test('a nested ask that waits in a mailbox when the caller gives up is a dead letter, and is not handled', async () => {
  const { clock, system } = await start()
  const dead: string[] = []
  system.on('deadLetter', ({ reason }) => dead.push(reason))
  const handled: unknown[] = []
  const free = gate()
  const inner = await system.spawn({
    receive: async (msg) => {
      handled.push(msg.toObject())
      if (msg.toObject() === 'first') await free.opened
    },
  })
  const outer = await system.spawn(
    { receive: (msg, ctx) => outcomeOf(ctx.ask(inner, `for ${msg.toObject()}`)) },
    { reentrant: true },
  )
  const first = inner.ask('first', { timeout: Infinity })
  const controller = new AbortController()
  const late = outcomeOf(outer.ask('late', { timeout: 50 }))
  const unwanted = outcomeOf(outer.ask('unwanted', { signal: controller.signal }))
  await clock.advanceAsync(50)
  controller.abort()
  free.open()
  await Promise.all([first, late, unwanted])
  await clock.settle()
  expect(handled).toEqual(['first'])
  expect(dead).toEqual(['timeout', 'cancelled'])
})

test('stop aborts the handler’s signal, but lets its nested asks finish and answers its caller', async () => {
  const { clock, system } = await start()
  const answer = gate<string>()
  const inner = await system.spawn({ receive: async (_msg, ctx) => [await answer.opened, ctx.signal.aborted] })
  let reason: unknown
  const outer = await system.spawn({
    receive: (_msg, ctx) => {
      ctx.signal.addEventListener('abort', () => (reason = ctx.signal.reason))
      return ctx.ask(inner, 'go')
    },
  })
  const asked = outer.ask('go')
  await clock.settle()
  const stopped = system.stop(outer)
  await clock.settle()
  expect(reason).toMatchObject({ code: 'actor_stopped' })
  expect([await stateOf(asked), await stateOf(stopped)]).toEqual(['pending', 'pending'])
  answer.open('still wanted')
  expect(await asked).toEqual(['still wanted', false])
  await stopped
})

test('a handler that is given up at the end of the grace leaves no nested ask behind', async () => {
  const { clock, system } = await start()
  const slow = holding()
  const inner = await system.spawn(slow)
  const outer = await system.spawn({ receive: (_msg, ctx) => ctx.ask(inner, 'go', { timeout: Infinity }) })
  const asked = outcomeOf(outer.ask('go', { timeout: Infinity }))
  await clock.settle()
  const stopped = system.stop(outer)
  await clock.advanceAsync(STOP_GRACE_MS)
  await stopped
  expect(await asked).toMatchObject({ code: 'actor_stopped' })
  expect(slow.reasons).toMatchObject([{ code: 'actor_stopped' }])
})

describe('asks nested in the generator of a stream', () => {
  async function streaming(body: (ctx: ActorContext, inner: ActorRef) => AsyncGenerator<unknown>) {
    const { clock, system } = await start()
    const slow = holding()
    const inner = await system.spawn(slow)
    const quick = await system.spawn({ receive: (_msg, ctx) => ctx.deadline ?? 'no deadline' })
    const outer = await system.spawn({ receive: (msg, ctx) => body(ctx, msg.toObject() === 'slow' ? inner : quick) })
    return { clock, system, slow, outer }
  }

  test('are given up with a typed error when the reader leaves, and so the generator ends', async () => {
    const nested = gate<unknown>()
    const ended = gate()
    const { clock, system, slow, outer } = await streaming(async function* (ctx, inner) {
      try {
        yield 1
        yield await ctx.ask(inner, 'go', { timeout: Infinity }).catch((error: unknown) => {
          nested.open(error)
          throw error
        })
      } finally {
        ended.open()
      }
    })
    const items = outer.askStream('slow')
    await items.next()
    const next = items.next()
    await clock.settle()
    expect(slow.started).toBe(1)
    await items.cancel()
    expect(await next).toEqual({ done: true, value: undefined })
    await ended.opened
    expect(await nested.opened).toMatchObject({ code: 'stream_closed' })
    await clock.settle()
    expect(slow.reasons.length).toBe(1)
    expect(system.census()).toMatchObject({ asks: 0, streams: 0 })
  })

  test('are given up when the actor of the generator stops', async () => {
    const nested = gate<unknown>()
    const { clock, system, slow, outer } = await streaming(async function* (ctx, inner) {
      yield await ctx.ask(inner, 'go', { timeout: Infinity }).catch((error: unknown) => {
        nested.open(error)
        throw error
      })
    })
    const next = outcomeOf(outer.askStream('slow').next())
    await clock.settle()
    await system.stop(outer)
    expect(await next).toMatchObject({ code: 'actor_stopped' })
    expect(await nested.opened).toMatchObject({ code: 'actor_stopped' })
    await clock.settle()
    expect(slow.reasons.length).toBe(1)
    expect(system.census()).toMatchObject({ asks: 0, streams: 0 })
  })

  test('outlive the ask that was answered with the stream: its timeout bounds the wait for the reply only', async () => {
    const { clock, outer } = await streaming(async function* (ctx, inner) {
      for (;;) yield [ctx.deadline ?? 'none', await ctx.ask(inner, 'go', { timeout: 10 })]
    })
    const items = outer.askStream('quick', { timeout: 100 })
    onTestFinished(() => items.cancel())
    await items.next()
    await clock.advanceAsync(200)
    expect(await outcomeOf(items.next())).toEqual({ done: false, value: ['none', 210] })
  })
})

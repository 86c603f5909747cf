/** What a nested ask leaves behind when it is settled: nothing, however long the handler that made it goes on. */
import { type ActorContext, type ActorRef, SystemConfig } from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { Lab, until } from '../remote/lab.ts'
import { gate, startSystem, turn } from './systems.ts'

/** Whether the engine has let go of something by now, or does so within a few turns. */
async function isCollected(thing: WeakRef<object>): Promise<boolean> {
  for (let turns = 0; turns < 20; turns++) {
    await turn()
    globalThis.gc!()
    if (thing.deref() === undefined) return true
  }
  return false
}

async function heapUsed(): Promise<number> {
  for (let turns = 0; turns < 4; turns++) {
    await turn()
    globalThis.gc!()
  }
  return process.memoryUsage().heapUsed
}

/** Makes a nested ask of `inner` with a request of its own; what it sent, what came back, and whether it is over. */
type Nest = (ctx: ActorContext, inner: ActorRef, pass: (ms: number) => Promise<void>) => Promise<WeakRef<object>[]>

const settlements: [string, Nest][] = [
  [
    'answered',
    async (ctx, inner) => {
      const request = { do: 'answer' }
      const reply = await ctx.ask<object>(inner, request)
      return [new WeakRef(request), new WeakRef(reply)]
    },
  ],
  [
    'failed',
    async (ctx, inner) => {
      const request = { do: 'throw' }
      const error = (await ctx.ask(inner, request).catch((thrown: unknown) => thrown)) as object
      return [new WeakRef(request), new WeakRef(error)]
    },
  ],
  [
    'timed out',
    async (ctx, inner, pass) => {
      const request = { do: 'wait' }
      const asked = ctx.ask(inner, request, { timeout: 10 }).catch((thrown: unknown) => thrown) as Promise<object>
      await pass(10)
      return [new WeakRef(request), new WeakRef(await asked)]
    },
  ],
  [
    'aborted',
    async (ctx, inner) => {
      const request = { do: 'wait' }
      const controller = new AbortController()
      const asked = ctx.ask(inner, request, { signal: controller.signal }).catch(() => undefined)
      await turn()
      controller.abort()
      await asked
      return [new WeakRef(request), new WeakRef(controller)]
    },
  ],
]

const inside = async (msg: { toObject<T>(): T }, ctx: ActorContext): Promise<unknown> => {
  const step = msg.toObject<{ do: string }>().do
  if (step === 'throw') throw new RangeError('no')
  if (step === 'wait') await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
  return { answer: step }
}

describe('while the handler goes on', () => {
  test.each(settlements)('an ask that was %s is forgotten', async (_name, nest) => {
    const clock = new ManualClock()
    const system = await startSystem(SystemConfig.standalone().withClock(clock))
    const inner = await system.spawn({ receive: inside })
    const settled = gate<WeakRef<object>[]>()
    const end = gate()
    const outer = await system.spawn({
      receive: async (_msg, ctx) => {
        settled.open(await nest(ctx, inner, (ms) => clock.advanceAsync(ms)))
        await end.opened
        return ctx.signal.aborted
      },
    })
    const asked = outer.ask('go', { timeout: Infinity })
    const things = await settled.opened
    // What the inner actor handled last is still at hand there.
    await inner.ask({ do: 'answer' })
    for (const thing of things) expect(await isCollected(thing)).toBe(true)
    end.open()
    expect(await asked).toBe(false)
  })

  test.each(settlements)('an ask to another node that was %s is forgotten', async (_name, nest) => {
    const lab = new Lab()
    const inner = await lab.a.host(inside)
    const settled = gate<WeakRef<object>[]>()
    const end = gate()
    const pass = async (ms: number): Promise<void> => {
      const before = lab.b.sent.length
      await until(() => lab.b.sent.length > before || lab.b.peers.deadlines.size > 0)
      lab.clock.advance(ms)
    }
    const outer = await lab.b.host(async (_msg, ctx) => {
      settled.open(await nest(ctx, inner, pass))
      await end.opened
      return ctx.signal.aborted
    })
    const asked = outer.ask('go', { timeout: Infinity })
    for (const thing of await settled.opened) expect(await isCollected(thing)).toBe(true)
    end.open()
    expect(await asked).toBe(false)
  })

  test('ten thousand asks made under one message, with one signal, leave the heap as it was', async () => {
    const system = await startSystem()
    const inner = await system.spawn({ receive: (msg) => msg.toObject() })
    const { signal } = new AbortController()
    const outer = await system.spawn({
      receive: async (_msg, ctx) => {
        const bound = ctx.bind(inner)
        const rounds = async (count: number): Promise<void> => {
          for (let i = 0; i < count; i++) {
            await ctx.ask(inner, { i }, { signal })
            await bound.ask({ i }, { signal })
          }
        }
        await rounds(1_000)
        const before = await heapUsed()
        await rounds(10_000)
        return (await heapUsed()) - before
      },
    })
    // Kept, each would be some hundred bytes: several megabytes in all.
    expect(await outer.ask<number>('go', { timeout: Infinity })).toBeLessThan(1_000_000)
  })

  test('ten thousand asks of a generator leave the heap as it was', async () => {
    const system = await startSystem()
    const inner = await system.spawn({ receive: (msg) => msg.toObject() })
    const outer = await system.spawn({
      receive: async function* (_msg, ctx) {
        for (let i = 0; ; i++) yield await ctx.ask(inner, { i })
      },
    })
    const items = outer.askStream('go')
    const read = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await items.next()
    }
    await read(1_000)
    const before = await heapUsed()
    await read(10_000)
    expect((await heapUsed()) - before).toBeLessThan(1_000_000)
    await items.cancel()
  })
})

test('actors that hand on to each other for ever, each answering at once, keep no chain of what was', async () => {
  const system = await startSystem()
  const HOPS = 2_000
  const first = gate<WeakRef<object>[]>()
  const last = gate<ActorContext>()
  const refs: ActorRef[] = []
  let count = 0
  const receive = (_msg: unknown, ctx: ActorContext): void => {
    const token = { hop: ++count }
    if (count === 1) first.open([new WeakRef(token), new WeakRef(ctx)])
    if (count === HOPS) last.open(ctx)
    else void ctx.ask(refs[count % 2]!, token, { timeout: Infinity })
  }
  for (let i = 0; i < 2; i++) refs.push(await system.spawn({ receive }))
  await refs[0]!.tell('go')
  const context = await last.opened
  for (const thing of await first.opened) expect(await isCollected(thing)).toBe(true)
  expect(context.sender?.id).toBe(refs[0]!.id)
})

test.each([
  ['answered', 'value'],
  ['answered with a stream that is over', 'stream'],
  ['given up', 'abort'],
])('an ask that was %s is forgotten by who handled it: the context it was made in is free', async (_name, way) => {
  const system = await startSystem()
  const kept: ActorContext[] = []
  const inner = await system.spawn({
    receive: async (_msg, ctx) => {
      kept.push(ctx)
      if (way === 'abort') await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
      if (way !== 'stream') return 'value'
      return (async function* () {
        yield 1
      })()
    },
  })
  const made = gate<WeakRef<object>>()
  const outer = await system.spawn({
    receive: async (_msg, ctx) => {
      made.open(new WeakRef(ctx))
      const controller = new AbortController()
      const asked = ctx.ask(inner, 'go', { signal: controller.signal })
      await turn()
      controller.abort()
      const reply = await asked.catch(() => undefined)
      if (way === 'stream') for await (const _item of reply as AsyncIterable<unknown>);
    },
  })
  await outer.ask('go')
  await outer.ask('again')
  expect(await isCollected(await made.opened)).toBe(true)
  expect(kept.map(({ sender }) => sender?.id)).toEqual([outer.id, outer.id])
})

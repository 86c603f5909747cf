/** Refs and proxies bound to a message: the same actor, every ask and call a part of handling that message. */
import { type ActorContext, type ActorProxy, type ActorRef, asActor, contextOf, Message, SystemConfig } from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { Lab, settle } from '../remote/lab.ts'
import { collect, gate, startSystem } from './systems.ts'

const Prices = asActor(
  class Prices {
    of(item: string): number {
      return item.length
    }
    async *all(to: number): AsyncGenerator<number> {
      for (let i = 0; i < to; i++) yield i
    }
    seen(): [caller: string | undefined, deadline: number | undefined] {
      const ctx = contextOf(this)
      return [ctx.sender?.id, ctx.deadline]
    }
    note(log: unknown[]): void {
      log.push(contextOf(this).sender?.id)
    }
  },
)
type PricesProxy = ActorProxy<InstanceType<typeof Prices>>

async function start() {
  const clock = new ManualClock()
  const system = await startSystem(SystemConfig.standalone().withClock(clock))
  const prices: PricesProxy = await Prices.options({ name: 'prices' }).local(system)
  /** Runs `body` as the handler of an ask with a timeout of 100 ms; what it returned. */
  const inside = async <T>(body: (ctx: ActorContext) => T): Promise<Awaited<T>> => {
    const ref = await system.spawn({ receive: (_msg, ctx) => body(ctx) })
    return ref.ask<Awaited<T>>('go', { timeout: 100 })
  }
  return { clock, system, prices, inside }
}

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

/** What an actor sees of each message: who sent it, and until when its answer is waited for. */
const looking = { receive: (_msg: Message, ctx: ActorContext) => [ctx.sender?.id, ctx.deadline] }

test('a bound ref is the same actor’s: id, name, node, address and JSON', async () => {
  const { prices, inside } = await start()
  const { ref } = prices
  await inside((ctx) => {
    const bound = ctx.bind(ref)
    expect(bound).not.toBe(ref)
    expect([bound.id, bound.name, bound.nodeId, bound.isLocal]).toEqual([ref.id, 'prices', ref.nodeId, true])
    expect([String(bound), JSON.stringify(bound)]).toEqual([String(ref), JSON.stringify(ref)])
    const proxy = ctx.bind(prices)
    expect([String(proxy), JSON.stringify(proxy), proxy.ref.id]).toEqual([
      String(prices),
      JSON.stringify(prices),
      ref.id,
    ])
  })
})

test('ask, tell and askStream of a bound ref are this actor’s, under this message’s deadline', async () => {
  const { clock, system, inside } = await start()
  const log: unknown[] = []
  const peer = await system.spawn({
    receive: (msg, ctx) => {
      const seen = [ctx.sender?.id === msg.toObject(), ctx.deadline]
      log.push(seen)
      return (async function* () {
        yield seen
      })()
    },
  })
  const seen = await inside(async (ctx) => {
    const bound = ctx.bind(peer)
    await bound.tell(ctx.self.id)
    return [
      await collect(await bound.ask<AsyncIterable<unknown>>(ctx.self.id)),
      await collect(bound.askStream(ctx.self.id, { timeout: 10 })),
      await collect((await bound.ask(Message.fromObject('typed', ctx.self.id))).streamReader()),
    ]
  })
  await clock.settle()
  expect(seen).toEqual([[[true, 100]], [[true, 10]], [[true, 100]]])
  expect(log[0]).toEqual([true, undefined])
})

test('calls, streams and tells of a bound proxy are this actor’s, under this message’s deadline', async () => {
  const { prices, inside } = await start()
  const log: unknown[] = []
  const [self, seen, value, items] = await inside(async (ctx) => {
    const bound = ctx.bind(prices)
    await bound.tell('note', log)
    return [ctx.self.id, await bound.seen(), await bound.of('tea'), await collect(bound.all(3))] as const
  })
  expect([seen, value, items]).toEqual([[self, 100], 3, [0, 1, 2]])
  expect(log).toEqual([self])
})

test('a bound proxy has the methods of its class, and no others', async () => {
  const { prices, inside } = await start()
  await inside((ctx) => {
    const bound = ctx.bind(prices) as unknown as Record<string, () => unknown>
    expect(() => bound['haggle']).toThrow(expect.objectContaining({ code: 'no_such_method' }))
    expect('of' in bound).toBe(true)
  })
})

test('what is made of a bound ref or proxy is bound as well', async () => {
  const { prices, inside } = await start()
  const seen = await inside(async (ctx) => {
    const { ref } = ctx.bind(prices)
    const all = [
      await ref.asType(Prices).seen(),
      await ref.asAny().seen!(),
      await ctx.bind(prices.ref).asType(Prices).seen(),
      await ctx.bind(prices.ref.asAny()).seen!(),
    ]
    return all.map((one) => (one as unknown[])[0] === ctx.self.id && (one as unknown[])[1] === 100)
  })
  expect(seen).toEqual([true, true, true, true])
})

test('a delayed call of a bound proxy comes, though its message is long over', async () => {
  const { clock, prices, inside } = await start()
  const log: unknown[] = []
  await inside((ctx) => void ctx.bind(prices).delayed(5_000).note(log))
  await clock.advanceAsync(5_000)
  expect(log.length).toBe(1)
})

test.each([
  ['null', null],
  ['undefined', undefined],
  ['a string', 'prices'],
  ['an object', {}],
  ['a function', () => 1],
  ['something that looks like a ref', { id: 'x', nodeId: 'y', isLocal: true, ask: () => 1, tell: () => 1 }],
])('%s is neither ref nor proxy: PulsingUnsupportedError', async (_name, foreign) => {
  const { inside } = await start()
  const error = await outcomeOf(inside((ctx) => ctx.bind(foreign as unknown as ActorRef)))
  expect(error).toMatchObject({
    name: 'PulsingUnsupportedError',
    code: 'unsupported',
    message: expect.stringMatching(/^expected an ActorRef or a proxy of this package, got /),
  })
})

describe('bound again', () => {
  test('by another message, a ref and a proxy belong to that one', async () => {
    const { system, prices } = await start()
    const looker = await system.spawn(looking)
    let kept: { ref: ActorRef; proxy: PricesProxy } | undefined
    const keeper = await system.spawn({
      receive: async (_msg, ctx) => {
        kept = kept
          ? { ref: ctx.bind(kept.ref), proxy: ctx.bind(kept.proxy) }
          : { ref: ctx.bind(looker), proxy: ctx.bind(prices) }
        return [await kept.ref.ask('go'), await kept.proxy.seen()]
      },
    })
    await keeper.ask('first', { timeout: 1_000 })
    expect(await keeper.ask('second', { timeout: 20 })).toEqual([
      [keeper.id, 20],
      [keeper.id, 20],
    ])
  })

  test('by another actor, a ref belongs to that one: its sender, its deadline, its end', async () => {
    const { clock, system } = await start()
    const looker = await system.spawn(looking)
    const bound = gate<ActorRef>()
    const first = await system.spawn({
      receive: async (_msg, ctx) => {
        bound.open(ctx.bind(looker))
        await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
      },
    })
    const given = outcomeOf(first.ask('go', { timeout: 10 }))
    const ref = await bound.opened
    await clock.advanceAsync(10)
    await given
    const second = await system.spawn({
      receive: async (_msg, ctx) => [await ctx.ask(ref, 'go'), await ctx.bind(ref).ask('go')],
    })
    const [byAsk, byBind] = (await second.ask('go', { timeout: 50 })) as unknown[]
    expect([byAsk, byBind]).toEqual([
      [second.id, 60],
      [second.id, 60],
    ])
  })
})

describe('in a message', () => {
  test('inside this process it goes on speaking in the name of the actor that bound it, and ends with its message', async () => {
    const { clock, system } = await start()
    const looker = await system.spawn(looking)
    const arrived = gate<ActorRef>()
    const receiver = await system.spawn({ receive: (msg) => arrived.open(msg.toObject<ActorRef>()) })
    const binder = await system.spawn({
      receive: async (_msg, ctx) => {
        await ctx.tell(receiver, ctx.bind(looker))
        await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
      },
    })
    const asked = outcomeOf(binder.ask('go', { timeout: 10 }))
    const bound = await arrived.opened
    expect(await bound.ask('go')).toEqual([binder.id, 10])
    await clock.advanceAsync(10)
    await asked
    expect(await outcomeOf(bound.ask('go'))).toMatchObject({ code: 'timeout' })
  })

  test('a bound ref arrives on another node as a plain one', async () => {
    const lab = new Lab()
    const looker = await lab.b.host(looking.receive)
    const arrived = gate<ActorRef[]>()
    const receiver = await lab.b.host((msg) => arrived.open(msg.toObject<ActorRef[]>()))
    const binder = await lab.b.host(() => undefined)
    const own = await lab.a.runtime.spawn(
      { receive: (_msg, ctx) => ctx.tell(receiver, [ctx.bind(looker), ctx.bind(binder)]) },
      undefined,
      undefined,
    )
    await own.ask('go', { timeout: 10 })
    const refs = await arrived.opened
    expect(refs.map(({ id, isLocal }) => [id, isLocal])).toEqual([
      [looker.id, true],
      [binder.id, true],
    ])
    lab.clock.advance(10)
    await settle()
    expect(await refs[0]!.ask('go', { timeout: 5 })).toEqual([undefined, 15])
  })
})

test('a bound ref can be watched, and stopped, as the plain one can', async () => {
  const { system, inside } = await start()
  const target = await system.spawn(looking)
  const told = gate<unknown>()
  const watcher = await system.spawn({
    receive: (msg, ctx) => {
      if (msg.msgType === 'Terminated') told.open(msg.toObject<{ ref: ActorRef }>().ref.id)
      else ctx.watch(ctx.bind(target))
    },
  })
  await watcher.ask('watch')
  await inside((ctx) => ctx.system.stop(ctx.bind(target)))
  expect(await told.opened).toBe(target.id)
  expect(await inside((ctx) => outcomeOf(ctx.bind(target).ask('gone')))).toMatchObject({ code: 'actor_stopped' })
})

/** Asks that come back to an actor that waits for them fail at once and say how they got there; all others do not. */
import {
  type ActorContext,
  type ActorLike,
  type ActorProxy,
  type ActorRef,
  asActor,
  contextOf,
  DeadlockError,
  isPulsingError,
  type SpawnOptions,
  StreamMessage,
  SystemConfig,
} from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { decodeError, encodeError } from '../../src/wire/error-codec.ts'
import { collect, gate, startSystem } from './systems.ts'

async function start() {
  const clock = new ManualClock()
  const system = await startSystem(SystemConfig.standalone().withClock(clock))
  const refs = new Map<string, ActorRef>()
  /** A named actor; handlers find each other by `refs.get(name)`. */
  const spawn = async (name: string, actor: ActorLike | ActorLike['receive'], options?: SpawnOptions) => {
    const ref = await system.spawn(typeof actor === 'function' ? { receive: actor } : actor, name, options)
    refs.set(name, ref)
    return ref
  }
  return { clock, system, refs, spawn }
}

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

/** An actor that asks the first of the actors named in a message, and passes the rest on. */
const Walker = asActor(
  class Walker {
    constructor(
      private readonly step: Way,
      private readonly proxies: ReadonlyMap<string, ActorProxy<Walks>>,
    ) {}
    walk([next, ...rest]: string[]): unknown {
      return next === undefined ? 'arrived' : this.step(contextOf(this), this.proxies.get(next)!, rest)
    }
    receive(msg: { toObject<T>(): T }): unknown {
      return this.walk(msg.toObject<string[]>())
    }
  },
)
interface Walks {
  walk(path: string[]): unknown
}
type Way = (ctx: ActorContext, next: ActorProxy<Walks>, path: string[]) => Promise<unknown>

const ways: [string, Way][] = [
  ['ctx.ask', (ctx, next, path) => ctx.ask(next.ref, path)],
  ['a bound ref', (ctx, next, path) => ctx.bind(next.ref).ask(path)],
  ['a bound proxy', (ctx, next, path) => ctx.bind(next).walk(path)],
]

describe.each(ways)('asked with %s', (_name, step) => {
  async function walkers() {
    const { clock, system } = await start()
    const proxies = new Map<string, ActorProxy<Walks>>()
    for (const name of ['a', 'b', 'c', 'd'])
      proxies.set(name, await Walker.options({ name }).local(system, step, proxies))
    return { clock, system, first: proxies.get('a')! }
  }

  test.each([
    ['itself', ['a'], ['a', 'a']],
    ['the one that asked it', ['b', 'a'], ['a', 'b', 'a']],
    ['the first of three', ['b', 'c', 'a'], ['a', 'b', 'c', 'a']],
    ['the second of three', ['b', 'c', 'b'], ['b', 'c', 'b']],
    ['the last of four, which is itself', ['b', 'c', 'd', 'd'], ['d', 'd']],
  ])(
    'an actor that asks %s gets a DeadlockError at once, and so does every caller before',
    async (_who, path, chain) => {
      const { clock, system, first } = await walkers()
      const error = await outcomeOf(first.walk(path) as Promise<unknown>)
      expect(error).toBeInstanceOf(DeadlockError)
      expect(error).toMatchObject({ name: 'DeadlockError', code: 'deadlock', chain })
      expect((error as Error).message).toBe(
        `expected an ask that can be answered, got a cycle: ${(chain as string[]).join(' → ')}`,
      )
      expect(isPulsingError(error, 'deadlock')).toBe(true)
      expect(clock.now()).toBe(0)
      expect(system.census().asks).toBe(0)
    },
  )

  test('a path without a cycle arrives, also right after one with', async () => {
    const { first } = await walkers()
    await outcomeOf(first.walk(['b', 'a']) as Promise<unknown>)
    expect(await first.walk(['b', 'c', 'd'])).toBe('arrived')
    expect(await first.walk(['b', 'c', 'd'])).toBe('arrived')
  })
})

test('actors without a name are in the chain by their address', async () => {
  const { system } = await start()
  const inner = await system.spawn({ receive: (_msg, ctx) => ctx.ask(ctx.sender!, 'back') })
  const outer = await system.spawn({ receive: (_msg, ctx) => ctx.ask(inner, 'go') })
  expect(await outcomeOf(outer.ask('go'))).toMatchObject({ chain: [String(outer), String(inner), String(outer)] })
})

test('the error is a rejection, never a throw; the handler may catch it and answer', async () => {
  const { spawn } = await start()
  const ref = await spawn('lonely', (_msg, ctx) => {
    const asked = ctx.ask(ctx.self, 'me')
    return asked.catch((error: DeadlockError) => error.chain)
  })
  expect(await ref.ask('go')).toEqual(['lonely', 'lonely'])
})

test('a stream message whose ask was refused as a cycle is still unsent', async () => {
  const { spawn } = await start()
  const ref = await spawn('lonely', async (_msg, ctx) => {
    const [message, writer] = StreamMessage.create<number>('numbers')
    await outcomeOf(ctx.ask(ctx.self, message))
    void writer.write(1).then(() => writer.close())
    return collect(message.streamReader<number>())
  })
  expect(await ref.ask('go')).toEqual([1])
})

describe('outside of messages', () => {
  test('an actor that asks itself in onStart fails to start, at once', async () => {
    const { clock, spawn } = await start()
    const spawned = spawn('eager', {
      onStart: async (ctx) => void (await ctx.ask(ctx.self, 'me')),
      receive: () => 1,
    })
    expect(await outcomeOf(spawned)).toMatchObject({ code: 'deadlock', chain: ['eager', 'eager'] })
    expect(clock.now()).toBe(0)
  })

  test('an actor that is asked back by one it asked in onStart fails to start, at once', async () => {
    const { spawn } = await start()
    const helper = await spawn('helper', (_msg, ctx) => ctx.bind(ctx.sender!).ask('back'))
    const spawned = spawn('eager', {
      onStart: async (ctx) => void (await ctx.bind(helper).ask('help')),
      receive: () => 1,
    })
    expect(await outcomeOf(spawned)).toMatchObject({ code: 'deadlock', chain: ['eager', 'helper', 'eager'] })
  })

  test('an actor that asks itself in onStop, or is asked back, is told at once, and ends', async () => {
    const { clock, system, spawn } = await start()
    const seen: unknown[] = []
    const helper = await spawn('helper', (_msg, ctx) => ctx.ask(ctx.sender!, 'back'))
    await spawn('leaving', {
      receive: () => 1,
      onStop: async (ctx) =>
        void seen.push(await outcomeOf(ctx.ask(ctx.self, 'me')), await outcomeOf(ctx.ask(helper, 'help'))),
    })
    await system.stop('leaving')
    expect(seen).toMatchObject([
      { code: 'deadlock', chain: ['leaving', 'leaving'] },
      { code: 'deadlock', chain: ['leaving', 'helper', 'leaving'] },
    ])
    expect(clock.now()).toBe(0)
  })

  test('a restart is held up by neither: the hooks before and after it are told at once', async () => {
    const { clock, system } = await start()
    const seen: [string, unknown][] = []
    const restarted = new Promise((resolve) => system.on('actorRestarted', resolve))
    const askItself = (hook: string) => async (ctx: ActorContext) =>
      void seen.push([hook, await outcomeOf(ctx.ask(ctx.self, 'me', { timeout: 5 }))])
    const ref = await system.spawn(
      () => ({
        onStart: askItself('onStart'),
        receive: () => {
          throw new Error('burnt')
        },
        onStop: askItself('onStop'),
      }),
      'phoenix',
      { restart: { policy: 'on-failure', minBackoffMs: 0 } },
    )
    await outcomeOf(ref.ask('go'))
    await restarted
    expect(seen).toMatchObject([
      ['onStart', { code: 'deadlock', chain: ['phoenix', 'phoenix'] }],
      ['onStop', { code: 'deadlock' }],
      ['onStart', { code: 'deadlock' }],
    ])
    expect(clock.now()).toBe(0)
  })
})

describe('no false alarm', () => {
  test('when the first handler has returned already', async () => {
    const { refs, spawn } = await start()
    const answer = gate<unknown>()
    await spawn('second', async (_msg, ctx) => answer.open(await ctx.ask(refs.get('first')!, 'back')))
    await spawn('first', (msg, ctx) => {
      if (msg.toObject() === 'back') return 'first here'
      void ctx.ask(refs.get('second')!, 'go')
      return undefined
    })
    await refs.get('first')!.ask('go')
    expect(await answer.opened).toBe('first here')
  })

  test('when the first actor handles another message by now: the ask waits for that one', async () => {
    const { clock, refs, spawn } = await start()
    const answer = gate<unknown>()
    const isBusy = gate()
    const free = gate()
    await spawn('second', async (_msg, ctx) => {
      await isBusy.opened
      answer.open(await ctx.ask(refs.get('first')!, 'back'))
    })
    await spawn('first', async (msg, ctx) => {
      if (msg.toObject() === 'back') return 'first here'
      if (msg.toObject() === 'go') void ctx.ask(refs.get('second')!, 'go')
      else {
        isBusy.open()
        await free.opened
      }
      return undefined
    })
    await refs.get('first')!.ask('go')
    const busy = refs.get('first')!.ask('be busy')
    await clock.settle()
    free.open()
    await busy
    expect(await answer.opened).toBe('first here')
  })

  test('when the actor in between has answered already, and asks back on its own', async () => {
    const { clock, refs, spawn } = await start()
    const answer = gate<unknown>()
    const isAnswered = gate()
    const free = gate()
    await spawn('second', (_msg, ctx) => {
      // Goes on beside its answer, as a job in the background does.
      void isAnswered.opened.then(async () => answer.open(await outcomeOf(ctx.ask(refs.get('first')!, 'back'))))
      return 'will do'
    })
    await spawn('first', async (msg, ctx) => {
      if (msg.toObject() === 'back') return 'first here'
      await ctx.ask(refs.get('second')!, 'go')
      isAnswered.open()
      return free.opened
    })
    const asked = refs.get('first')!.ask('go')
    await clock.settle()
    free.open()
    await asked
    expect(await answer.opened).toBe('first here')
  })

  test('when the actor in between was given up: its asks end as those of any handler nobody waits for', async () => {
    const { clock, refs, spawn } = await start()
    const answer = gate<unknown>()
    const free = gate()
    await spawn('second', async (_msg, ctx) => {
      await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
      answer.open(await outcomeOf(ctx.ask(refs.get('first')!, 'back')))
    })
    await spawn('first', async (_msg, ctx) => {
      await outcomeOf(ctx.ask(refs.get('second')!, 'go', { timeout: 10 }))
      await free.opened
    })
    const asked = refs.get('first')!.ask('go')
    await clock.advanceAsync(10)
    free.open()
    await asked
    expect(await answer.opened).toMatchObject({ code: 'timeout' })
  })

  test('for a diamond: two ways to the same actor are no cycle', async () => {
    const { refs, spawn } = await start()
    const bottom = await spawn('bottom', () => 1)
    for (const side of ['left', 'right']) await spawn(side, (_msg, ctx) => ctx.ask(bottom, 'go'))
    const top = await spawn('top', async (_msg, ctx) => {
      const sides = await Promise.all(['left', 'right'].map((side) => ctx.ask<number>(refs.get(side)!, 'go')))
      return [...sides, await ctx.ask(bottom, 'go')]
    })
    expect(await top.ask('go')).toEqual([1, 1, 1])
  })

  test('for tells, to itself or back', async () => {
    const { clock, refs, spawn } = await start()
    const log: string[] = []
    await spawn('second', (_msg, ctx) => ctx.tell(refs.get('first')!, 'back'))
    const first = await spawn('first', async (msg, ctx) => {
      log.push(msg.toObject<string>())
      if (msg.toObject() !== 'go') return
      await ctx.tell(ctx.self, 'to itself')
      await ctx.bind(ctx.self).tell('to itself, bound')
      await ctx.ask(refs.get('second')!, 'go')
    })
    await first.ask('go')
    await clock.settle()
    expect(log).toEqual(['go', 'to itself', 'to itself, bound', 'back'])
  })

  test('for an ask that began with a tell that was handled', async () => {
    const { clock, refs, spawn } = await start()
    const log: unknown[] = []
    await spawn('second', async (_msg, ctx) => void log.push(await ctx.ask(refs.get('first')!, 'back')))
    const first = await spawn('first', async (msg, ctx) => {
      if (msg.toObject() === 'back') return 'first here'
      return ctx.tell(refs.get('second')!, 'go')
    })
    await first.ask('go')
    await clock.settle()
    expect(log).toEqual(['first here'])
  })

  test('for an ask made with the plain ref: nobody knows what it is a part of, and it ends by its timeout', async () => {
    const { clock, spawn } = await start()
    const ref = await spawn('lonely', (_msg, ctx) => outcomeOf(ctx.self.ask('me', { timeout: 20 })))
    const asked = ref.ask('go')
    await clock.advanceAsync(20)
    expect(await asked).toMatchObject({ code: 'timeout', durationMs: 20 })
  })

  test('for a generator that asks its own actor while its stream is read', async () => {
    const { spawn } = await start()
    const ref = await spawn('source', (msg, ctx) => {
      if (msg.toObject() === 'size') return 3
      return (async function* () {
        const size = await ctx.ask<number>(ctx.self, 'size')
        for (let i = 0; i < size; i++) yield i
      })()
    })
    expect(await collect(ref.askStream('go'))).toEqual([0, 1, 2])
  })

  test('for a generator that asks back the actor which passed its stream on', async () => {
    const { refs, spawn } = await start()
    await spawn('source', async function* (_msg, ctx) {
      yield await ctx.ask(refs.get('middle')!, 'name')
    })
    const middle = await spawn('middle', (msg, ctx) =>
      msg.toObject() === 'name' ? 'middle here' : ctx.bind(refs.get('source')!).askStream('go'),
    )
    expect(await collect(middle.askStream('go'))).toEqual(['middle here'])
  })

  test.each([
    ['itself', ['a'], []],
    ['the one that asked it', ['b', 'a'], []],
    ['the first of three', ['b', 'c', 'a'], ['b']],
  ])('for a reentrant actor that asks, or is asked by, %s', async (_who, path, others) => {
    const { refs, spawn } = await start()
    const walk: ActorLike['receive'] = (msg, ctx) => {
      const [next, ...rest] = msg.toObject<string[]>()
      return next === undefined ? 'arrived' : ctx.ask(refs.get(next)!, rest)
    }
    for (const name of ['a', 'b', 'c'])
      await spawn(name, walk, { reentrant: name === 'a' || (others as string[]).includes(name) })
    expect(await refs.get('a')!.ask(path)).toBe('arrived')
  })
})

test('a cycle that passes a reentrant actor is one for the actor in it that is not', async () => {
  const { refs, spawn } = await start()
  await spawn('open', (_msg, ctx) => ctx.ask(refs.get('closed')!, 'back'), { reentrant: true })
  const closed = await spawn('closed', (_msg, ctx) => ctx.ask(refs.get('open')!, 'go'))
  expect(await outcomeOf(closed.ask('go'))).toMatchObject({ code: 'deadlock', chain: ['closed', 'open', 'closed'] })
})

test('a generator that asks back the actor which reads its stream fails, and the stream with it', async () => {
  const { clock, refs, spawn } = await start()
  await spawn('source', async function* (_msg, ctx) {
    yield await ctx.ask(refs.get('reader')!, 'name')
  })
  const reader = await spawn('reader', (_msg, ctx) => collect(ctx.bind(refs.get('source')!).askStream('go')))
  expect(await outcomeOf(reader.ask('go'))).toMatchObject({ code: 'deadlock', chain: ['reader', 'source', 'reader'] })
  expect(clock.now()).toBe(0)
})

test('a child that asks, while it starts, the parent that waits for it in a handler ends by its timeout', async () => {
  const { clock, spawn } = await start()
  const parent = await spawn('parent', async (_msg, ctx) => {
    const child: ActorLike = {
      onStart: async (own) => void (await own.ask(ctx.self, 'ready?', { timeout: 20 })),
      receive: () => undefined,
    }
    return outcomeOf(ctx.spawn(child))
  })
  const asked = parent.ask('go')
  await clock.advanceAsync(20)
  expect(await asked).toMatchObject({ code: 'timeout' })
})

test('the error keeps its class, its code, its chain and its address on its way to another node', () => {
  const error = new DeadlockError(['a', 'b', 'a'], { address: 'actor://node/a' })
  const copy = decodeError(encodeError(error), 'actor://elsewhere/x')
  expect(copy).toBeInstanceOf(DeadlockError)
  expect(copy).toMatchObject({
    name: 'DeadlockError',
    code: 'deadlock',
    message: error.message,
    chain: ['a', 'b', 'a'],
    address: 'actor://node/a',
  })
})

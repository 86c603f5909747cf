/** Actors as functions: what they get, what their results mean, how they change, and what begins anew. */
import {
  type ActorContext,
  type ActorRef,
  type ActorSystem,
  type Behavior,
  behavior,
  Message,
  StreamMessage,
  SystemConfig,
  type Terminated,
  type TypedRef,
} from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { Lab } from '../remote/lab.ts'
import { collect, gate, startSystem, turn } from './systems.ts'

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

const counter = (count: number): Behavior<'add' | 'get', number> =>
  behavior((msg) => (msg === 'get' ? count : counter(count + 1)))

test('a plain result answers the ask, an error rejects it, and the actor goes on', async () => {
  const system = await startSystem()
  const ref = await system.spawn(
    behavior<number, number>((n) => {
      if (n < 0) throw new RangeError('negative')
      return Math.sqrt(n)
    }),
  )
  expect(await ref.ask(16)).toBe(4)
  await expect(ref.ask(-1)).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'negative' })
  expect(await ref.ask(25)).toBe(5)
})

test('a behavior as result answers nothing, and handles what comes from then on', async () => {
  const system = await startSystem()
  const ref = await system.spawn(counter(0), 'counter')
  expect(await ref.ask('add')).toBe(undefined)
  await ref.tell('add')
  expect(await ref.ask('get')).toBe(2)
  const reply = await (ref as ActorRef).ask(Message.fromObject('', 'add'))
  expect([reply.msgType, reply.toObject()]).toEqual(['', undefined])
  expect(await ref.ask('get')).toBe(3)
})

test('every actor of a behavior is one of its own', async () => {
  const system = await startSystem()
  const definition = counter(5)
  const [one, two] = [await system.spawn(definition), await system.spawn(definition)]
  await one.tell('add')
  expect([await one.ask('get'), await two.ask('get')]).toEqual([6, 5])
})

describe('what a behavior gets', () => {
  const kinds: [string, unknown, unknown][] = [
    ['a string', 'text', 'text'],
    ['an object', { deep: [1, new Date(0)] }, { deep: [1, new Date(0)] }],
    ['undefined', undefined, undefined],
    ['null', null, null],
    ['bytes', Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    ['a Message without a type made of a value', Message.fromObject('', { a: 1 }), { a: 1 }],
  ]
  const messages: [string, () => Message, string][] = [
    ['a typed Message', () => Message.fromObject('typed', { a: 1 }), 'typed'],
    ['a JSON Message', () => Message.fromJson('json', { a: 1 }), 'json'],
    ['a JSON Message without a type', () => Message.fromJson('', { a: 1 }), ''],
    ['a Message of bytes', () => Message.single('bytes', Uint8Array.of(1)), 'bytes'],
    ['a stream Message', () => StreamMessage.create('stream')[0], 'stream'],
  ]

  test.each(kinds)('%s as the plain value, here and from another node', async (_name, sent, expected) => {
    const lab = new Lab()
    const got: unknown[] = []
    const definition = behavior<unknown>((msg) => void got.push(msg))
    const own = (await lab.b.runtime.spawn(definition, undefined, undefined)) as ActorRef
    await own.ask(sent)
    await lab.a.peers.refTo(lab.b.nodeId, own.id, undefined).ask(sent)
    expect(got).toEqual([expected, expected])
  })

  test.each(messages)('%s as that Message, here and from another node', async (_name, make, type) => {
    const lab = new Lab()
    const got: unknown[] = []
    const definition = behavior<unknown>((msg) => void got.push(msg))
    const own = (await lab.b.runtime.spawn(definition, undefined, undefined)) as ActorRef
    await own.ask(make())
    await lab.a.peers.refTo(lab.b.nodeId, own.id, undefined).ask(make())
    expect(got.length).toBe(2)
    for (const msg of got) {
      expect(msg).toBeInstanceOf(Message)
      expect((msg as Message).msgType).toBe(type)
    }
  })

  test('a value that another actor looked at as bytes, and passed on, all the same as the plain value', async () => {
    const system = await startSystem()
    const got: unknown[] = []
    const last = await system.spawn(behavior<unknown>((msg) => void got.push(msg)))
    const between = await system.spawn({
      receive: (msg, ctx) => {
        expect(msg.payload.byteLength).toBeGreaterThan(0)
        return ctx.ask(last as ActorRef, msg)
      },
    })
    await between.ask({ a: 1 })
    expect(got).toEqual([{ a: 1 }])
  })

  test('the end of a watched actor as a Message of type Terminated', async () => {
    const system = await startSystem()
    const target = await system.spawn({ receive: () => undefined })
    const told = gate<Terminated>()
    const watcher = await system.spawn(
      behavior<'watch' | Message>((msg, ctx) => {
        if (msg === 'watch') ctx.watch(target)
        else told.open(msg.toObject<Terminated>())
      }),
    )
    await watcher.ask('watch')
    await system.stop(target)
    expect(await told.opened).toMatchObject({ reason: 'killed', ref: { id: target.id } })
  })

  test('the context of an actor: itself, its sender, its deadline, its timers', async () => {
    const clock = new ManualClock()
    const system = await startSystem(SystemConfig.standalone().withClock(clock))
    const seen: unknown[] = []
    const ref = await system.spawn(
      behavior<'look' | 'tick'>((msg, ctx) => {
        if (msg === 'tick') return void seen.push('tick', ctx.deadline)
        seen.push(ctx.self.id, ctx.deadline)
        ctx.schedule(10, 'tick')
      }),
    )
    await ref.ask('look', { timeout: 50 })
    await clock.advanceAsync(10)
    expect(seen).toEqual([ref.id, 50, 'tick', undefined])
  })
})

describe('a result that comes later', () => {
  test('answers when it is there, and messages wait for it', async () => {
    const system = await startSystem()
    const log: string[] = []
    const ref = await system.spawn(
      behavior<string, string>(async (msg) => {
        log.push(`${msg} begins`)
        await turn()
        log.push(`${msg} ends`)
        return msg
      }),
    )
    expect(await Promise.all([ref.ask('a'), ref.ask('b')])).toEqual(['a', 'b'])
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  })

  test('may be a behavior: the message after that is handled by it already', async () => {
    const system = await startSystem()
    const slow = (count: number): Behavior<'add' | 'get', number> =>
      behavior(async (msg) => {
        await turn()
        return msg === 'get' ? count : slow(count + 1)
      })
    const ref = await system.spawn(slow(0))
    const adds = [ref.ask('add'), ref.ask('add'), ref.tell('add')]
    expect(await ref.ask('get')).toBe(3)
    expect(await Promise.all(adds)).toEqual([undefined, undefined, undefined])
  })

  test('may be a behavior in a thenable of somebody else’s', async () => {
    const system = await startSystem()
    const next = behavior<string, string>(() => 'next')
    const ref = await system.spawn(
      behavior<string, string>(
        () =>
          ({
            // biome-ignore lint/suspicious/noThenProperty: a thenable that is no promise is the point
            then: (resolve: (value: unknown) => void) => resolve(next),
          }) as unknown as Promise<Behavior<string, string>>,
      ),
    )
    expect(await ref.ask('go')).toBe(undefined)
    expect(await ref.ask('go')).toBe('next')
  })

  test('rejects the ask when it fails, and changes nothing', async () => {
    const system = await startSystem()
    let fails = true
    const ref: TypedRef<'go', string> = await system.spawn(
      behavior<'go', string>(async () => {
        await turn()
        if (fails) throw new TypeError('not yet')
        return 'first'
      }),
    )
    await expect(ref.ask('go')).rejects.toMatchObject({ message: 'not yet' })
    fails = false
    expect(await ref.ask('go')).toBe('first')
  })
})

describe('streams', () => {
  const upTo = behavior<number, AsyncGenerator<number>>(async function* (to) {
    for (let i = 0; i < to; i++) yield i
  })

  test('a generator answers with a stream', async () => {
    const system = await startSystem()
    const ref = await system.spawn(upTo)
    expect(await collect(ref.askStream<number>(3))).toEqual([0, 1, 2])
    expect(await collect(await ref.ask(2))).toEqual([0, 1])
  })

  test('a stream Message answers as one, and one can be the request', async () => {
    const system = await startSystem()
    const ref = (await system.spawn(
      behavior<Message, Message>(async (msg) => {
        const [reply, writer] = StreamMessage.create<number>('doubled')
        void (async () => {
          for await (const n of msg.streamReader<number>()) await writer.write(2 * n)
          await writer.close()
        })()
        return reply
      }),
    )) as ActorRef
    const [request, writer] = StreamMessage.create<number>('numbers')
    const doubled = ref.askStream(request)
    await writer.write(1)
    await writer.write(2)
    await writer.close()
    expect((await collect(doubled)).map((item) => item.toObject())).toEqual([2, 4])
  })

  test('a generator goes on while the behavior changes', async () => {
    const system = await startSystem()
    const answering = (word: string): Behavior<string, unknown> =>
      behavior((msg) =>
        msg === 'stream'
          ? (async function* () {
              yield word
              yield word
            })()
          : msg === 'word'
            ? word
            : answering(msg),
      )
    const ref = await system.spawn(answering('old'))
    const items = ref.askStream<string>('stream')
    const first = await items.next()
    await ref.ask('new')
    expect([first.value, (await items.next()).value, await ref.ask('word')]).toEqual(['old', 'old', 'new'])
    await items.cancel()
  })
})

describe('hooks', () => {
  test('run as an actor’s do: onStart before the first message, onStop after the last, with the reason', async () => {
    const system = await startSystem()
    const log: unknown[] = []
    const ref = await system.spawn(
      behavior<string>((msg) => void log.push(msg), {
        onStart: async (ctx) => {
          await turn()
          log.push(['onStart', ctx.self.name])
        },
        onStop: (_ctx, reason) => void log.push(['onStop', reason]),
        metadata: () => ({ kind: 'logger' }),
      }),
      'logger',
    )
    await ref.ask('message')
    await system.stop('logger')
    expect(log).toEqual([['onStart', 'logger'], 'message', ['onStop', 'killed']])
  })

  test('an onStart that throws fails spawn', async () => {
    const system = await startSystem()
    const spawned = system.spawn(
      behavior<string>(() => undefined, {
        onStart: () => {
          throw new RangeError('no')
        },
      }),
      'failing',
    )
    await expect(spawned).rejects.toMatchObject({ message: 'no' })
    expect(await system.hasActor('failing')).toBe(false)
  })

  test('onChildFailure decides about children', async () => {
    const system = await startSystem()
    const stopped = new Promise<string>((resolve) =>
      system.on('actorStopped', ({ ref, reason }) => void (ref.name === 'child' && resolve(reason))),
    )
    const parent = await system.spawn(
      behavior<'spawn', ActorRef>(
        (_msg, ctx) =>
          ctx.spawn(
            behavior<string>(() => {
              throw new Error('child failed')
            }),
            'child',
          ) as Promise<ActorRef>,
        { onChildFailure: () => 'stop' },
      ),
    )
    const child = await parent.ask('spawn')
    await expect(child.ask('go')).rejects.toMatchObject({ message: 'child failed' })
    expect(await stopped).toBe('failed')
  })

  test('are those of the behavior that was spawned; one that takes over brings none', async () => {
    const system = await startSystem()
    const log: string[] = []
    const hooks = (name: string) => ({
      onStart: () => void log.push(`${name} started`),
      onStop: () => void log.push(`${name} stopped`),
    })
    const second = behavior<string, string>(() => 'second', hooks('second'))
    const ref = await system.spawn(behavior<string, string>(() => second, hooks('first')))
    await ref.ask('change')
    expect(await ref.ask('who')).toBe('second')
    await system.stop(ref as ActorRef)
    expect(log).toEqual(['first started', 'first stopped'])
  })
})

describe('a restart', () => {
  async function failing(
    definition: Behavior<'add' | 'get' | 'fail', number> | (() => Behavior<'add' | 'get' | 'fail', number>),
  ) {
    const clock = new ManualClock()
    const system = await startSystem(SystemConfig.standalone().withClock(clock))
    const ref = await system.spawn(definition, 'subject', { restart: { policy: 'on-failure', minBackoffMs: 0 } })
    return { clock, ref }
  }

  const counting = (count: number): Behavior<'add' | 'get' | 'fail', number> =>
    behavior((msg) => {
      if (msg === 'fail') throw new Error('failed')
      return msg === 'get' ? count : counting(count + 1)
    })

  test('begins with the first behavior, and loses no message that waits', async () => {
    const { clock, ref } = await failing(counting(10))
    await ref.ask('add')
    expect(await ref.ask('get')).toBe(11)
    const failed = outcomeOf(ref.ask('fail'))
    const after = [ref.ask('get'), ref.ask('add'), ref.ask('get')]
    await clock.settle()
    expect(await failed).toMatchObject({ message: 'failed' })
    expect(await Promise.all(after)).toEqual([10, undefined, 11])
  })

  test('of a function that makes behaviors makes another one, with state of its own', async () => {
    let made = 0
    const { clock, ref } = await failing(() => {
      made++
      let count = 0
      return behavior((msg) => {
        if (msg === 'fail') throw new Error('failed')
        return msg === 'get' ? count : ++count
      })
    })
    await ref.ask('add')
    await outcomeOf(ref.ask('fail'))
    await clock.settle()
    expect([await ref.ask('get'), made]).toEqual([0, 2])
  })

  test('needs no function: a behavior is a definition already', async () => {
    const system = await startSystem()
    await expect(system.spawn(counting(0), { restart: { policy: 'always' } })).resolves.toMatchObject({ isLocal: true })
  })
})

test('children are behaviors as well, and their refs are typed', async () => {
  const system = await startSystem()
  const parent = await system.spawn(
    behavior<'sum', number>(async (_msg, ctx) => {
      const child = await ctx.spawn(counter(40), 'child')
      expectTypeOf(child).toEqualTypeOf<TypedRef<'add' | 'get', number>>()
      await child.tell('add')
      await child.tell('add')
      return child.ask('get')
    }),
  )
  expect(await parent.ask('sum')).toBe(42)
  expect(await system.hasActor('child')).toBe(true)
})

test('become and unbecome stand before the behavior, which goes on changing behind them', async () => {
  const system = await startSystem()
  const word = (current: string): Behavior<string, string> =>
    behavior((msg, ctx) => {
      if (msg === 'cover') {
        ctx.become((inner, own) => {
          if (inner.toObject() === 'uncover') own.unbecome()
          return 'covered'
        })
        return word('changed while covering')
      }
      return current
    })
  const ref = await system.spawn(word('first'))
  const answers: unknown[] = []
  for (const msg of ['word', 'cover', 'word', 'uncover', 'word']) answers.push(await ref.ask(msg))
  expect(answers).toEqual(['first', undefined, 'covered', 'covered', 'changed while covering'])
})

test('a reentrant behavior takes the next message while one waits', async () => {
  const system = await startSystem()
  const free = gate()
  const ref = await system.spawn(
    behavior<'wait' | 'open', string>(async (msg) => {
      if (msg === 'open') free.open()
      else await free.opened
      return msg
    }),
    { reentrant: true },
  )
  expect(await Promise.all([ref.ask('wait'), ref.ask('open')])).toEqual(['wait', 'open'])
})

test.each([undefined, null, 'handle', {}, []])('%j is no function: ConfigError', (handle) => {
  expect(() => behavior(handle as never)).toThrow(
    expect.objectContaining({
      name: 'ConfigError',
      message: expect.stringMatching(/^expected a function of message and context, got /),
    }),
  )
})

describe('what the compiler says', () => {
  /** Compiled, never run. */
  const compiled = (_body: (system: ActorSystem, ctx: ActorContext) => unknown): void => undefined

  test('spawn gives a ref of the behavior’s messages and answers, and takes a function that makes one', () => {
    compiled(async (system, ctx) => {
      expectTypeOf(await system.spawn(counter(0), 'name')).toEqualTypeOf<TypedRef<'add' | 'get', number>>()
      expectTypeOf(await system.spawn(() => counter(0))).toEqualTypeOf<TypedRef<'add' | 'get', number>>()
      const ref = await ctx.spawn(counter(0))
      expectTypeOf(ref.ask('get')).toEqualTypeOf<Promise<number>>()
      // @ts-expect-error not a message of this behavior
      void ref.ask('subtract')
      // @ts-expect-error not a message of this behavior
      void ref.tell(1)
      // @ts-expect-error the answer is a number
      void (ref.ask('get') satisfies Promise<string>)
    })
  })

  test('a handler has its message’s type, and must answer with its own', () => {
    compiled(() => {
      behavior<{ readonly n: number }, string>((msg) => {
        expectTypeOf(msg).toEqualTypeOf<{ readonly n: number }>()
        return String(msg.n)
      })
      // @ts-expect-error the answer is a string
      behavior<number, string>((n) => n)
      // @ts-expect-error the next behavior answers with something else
      behavior<number, string>(() => behavior<number, number>(() => 1))
      // @ts-expect-error the next behavior takes less
      behavior<'a' | 'b', number>(() => behavior<'a', number>(() => 1))
      behavior<'a', number>(() => behavior<'a' | 'b', number>(() => 1))
      // @ts-expect-error no hook
      behavior<number>(() => 1, { onBegin: () => undefined })
    })
  })

  test('a typed ref goes everywhere a ref goes', () => {
    compiled(async (system, ctx) => {
      const ref = await system.spawn(counter(0))
      expectTypeOf(ctx.ask(ref, 'get')).toEqualTypeOf<Promise<number>>()
      expectTypeOf(ctx.bind(ref).ask('get')).toEqualTypeOf<Promise<number>>()
      // @ts-expect-error not a message of this behavior
      void ctx.ask(ref, 'subtract')
      ctx.watch(ref)
      ctx.unwatch(ref)
      return [ctx.tell(ref, 'add'), system.stop(ref)]
    })
  })

  test('an inline factory knows the types of its handler', () => {
    compiled(async (system, ctx) => {
      const always = { restart: { policy: 'always' } } as const
      const ref = await system.spawn(() => ({ receive: (msg, own) => [msg.msgType, own.self] }), 'name', always)
      expectTypeOf(ref).toEqualTypeOf<ActorRef>()
      const child = await ctx.spawn(() => ({ receive: (msg, own) => [msg.msgType, own.self] }), always)
      expectTypeOf(child).toEqualTypeOf<ActorRef>()
      return system.spawn(() => ({
        onStart: (own) => void own.children,
        receive: (msg) => msg.msgType,
        onStop: (_own, reason) => void (reason === 'killed'),
      }))
    })
  })
})

/** A pool seen from outside: that it is like any other actor, and which of its workers is asked. */
import {
  type ActorContext,
  type ActorRef,
  asActor,
  ConfigError,
  contextOf,
  Message,
  PulsingBusinessError,
  StreamMessage,
  SystemConfig,
} from 'pulsing'
import { type PoolOptions, type PoolStrategy, pool } from 'pulsing/patterns'
import { seededRandom } from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { collect, type Gate, gate, manualTime, startSystem, turn } from '../actor/systems.ts'

/** A worker that says which of them it is. */
function numbered(): () => { receive(msg: Message): unknown } {
  let count = 0
  return () => {
    const number = count++
    return { receive: () => number }
  }
}

describe('which worker', () => {
  test('round-robin: each in turn, unless said otherwise', async () => {
    const system = await startSystem()
    const ref = await pool(system, numbered(), { size: 3 })
    const answers: unknown[] = []
    for (let i = 0; i < 7; i++) answers.push(await ref.ask('who'))
    expect(answers).toEqual([0, 1, 2, 0, 1, 2, 0])
  })

  test('random: as the chance of the system has it', async () => {
    const run = async (seed: string): Promise<unknown[]> => {
      const system = await startSystem(SystemConfig.standalone().withRandom(seededRandom(seed)))
      const ref = await pool(system, numbered(), { size: 4, strategy: 'random' })
      return Promise.all(Array.from({ length: 400 }, () => ref.ask('who')))
    }
    const answers = await run('a')
    expect(await run('a')).toEqual(answers)
    expect(await run('b')).not.toEqual(answers)
    for (const worker of [0, 1, 2, 3]) expect(answers.filter((answer) => answer === worker).length).toBeGreaterThan(60)
  })

  test('least-loaded: asks and tells go where the fewest are not over', async () => {
    const system = await startSystem()
    const handled: number[] = []
    const gates: Gate[] = []
    let count = 0
    const ref = await pool(
      system,
      () => {
        const number = count++
        return {
          async receive(msg: Message) {
            handled.push(number)
            if (msg.toObject() === 'quick') return number
            const busy = gate()
            gates.push(busy)
            await busy.opened
            return number
          },
        }
      },
      { size: 3, strategy: 'least-loaded' },
    )
    await ref.tell('slow')
    const slow = [ref.ask('slow'), ref.ask('slow')]
    await turn()
    expect([...handled].sort()).toEqual([0, 1, 2])
    gates[1]!.open()
    const free = await slow[0]
    for (let i = 0; i < 3; i++) expect(await ref.ask('quick')).toBe(free)
    gates[0]!.open()
    await turn()
    const both = new Set([await ref.ask('quick'), await ref.ask('quick')])
    expect(both).toEqual(new Set([free, handled[0]]))
    gates[2]!.open()
    await slow[1]
  })

  test('least-loaded: a message that failed is over, and one that was refused too', async () => {
    const system = await startSystem()
    const busy = gate()
    const events: string[] = []
    system.on('deadLetter', ({ recipient, reason }) => events.push(recipient === String(ref) ? 'pool' : reason))
    let count = 0
    const ref: ActorRef = await pool(
      system,
      () => {
        const number = count++
        return {
          async receive(msg: Message) {
            const order = msg.toObject()
            if (order === 'fail') throw new Error('fails')
            if (order === 'hold') await busy.opened
            return number
          },
        }
      },
      { size: 2, strategy: 'least-loaded', worker: { mailbox: { capacity: 16, overflow: 'fail' } } },
    )
    for (let i = 0; i < 9; i++) await ref.tell('fail')
    await turn()
    for (let i = 0; i < 36; i++) await ref.tell('hold')
    const failed: string[] = []
    system.on('actorFailed', () => failed.push('failed'))
    await turn()
    expect([events, failed]).toEqual([['actor_mailbox_full', 'actor_mailbox_full'], []])
    busy.open()
    await turn()
    expect(new Set([await ref.ask('who'), await ref.ask('who')])).toEqual(new Set([0, 1]))
  })

  test('least-loaded: equals have their turns', async () => {
    const system = await startSystem()
    const ref = await pool(system, numbered(), { size: 3, strategy: 'least-loaded' })
    const answers = await Promise.all(Array.from({ length: 9 }, () => ref.ask('who')))
    for (const worker of [0, 1, 2]) expect(answers.filter((answer) => answer === worker)).toHaveLength(3)
  })

  test('by a key of the message: always the same one', async () => {
    const system = await startSystem()
    const strategy: PoolStrategy = { by: (msg) => msg.msgType }
    const ref = await pool(system, numbered(), { size: 5, strategy })
    const who = async (key: string): Promise<unknown> => (await ref.ask(Message.fromObject(key, undefined))).toObject()
    const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`)
    const first = await Promise.all(keys.map(who))
    expect(new Set(first).size).toBe(5)
    expect(await Promise.all(keys.map(who))).toEqual(first)
  })

  test('by argument: the first argument of a method call is the key, a text or a number', async () => {
    const system = await startSystem()
    const Cart = asActor(
      class Cart {
        readonly #items = new Map<unknown, number>()
        add(user: unknown, n: number) {
          this.#items.set(user, (this.#items.get(user) ?? 0) + n)
          return this.#items.get(user)
        }
        size() {
          return this.#items.size
        }
      },
    )
    const ref = await pool(system, Cart, { size: 4, strategy: { by: 'argument' } })
    const carts = ref.asType(Cart)
    for (const user of ['ada', 'bob', 'cyd', 7, 8n]) {
      expect([await carts.add(user, 1), await carts.add(user, 2)]).toEqual([1, 3])
    }
    await expect(carts.size()).rejects.toMatchObject({
      name: 'PulsingBusinessError',
      message: 'expected a call whose first argument, the key, is a text or a number, got size(undefined)',
    })
    await expect(ref.ask('no call')).rejects.toThrow('got a message of type ""')
  })

  test('a strategy that returns no key is told so', async () => {
    const system = await startSystem()
    const ref = await pool(system, numbered(), { size: 2, strategy: { by: () => 7 as never } })
    await expect(ref.ask('x')).rejects.toThrow("expected the pool's strategy.by to return a text, got 7")
  })
})

describe('like any actor', () => {
  test('plain in, plain out; a Message in, a Message out', async () => {
    const system = await startSystem()
    const ref = await pool(system, () => ({ receive: (msg) => (msg.msgType ? msg : msg.toObject()) }), { size: 1 })
    const value = { any: 'value' }
    expect(await ref.ask(value)).toBe(value)
    expect(await ref.ask(undefined)).toBe(undefined)
    const reply = await ref.ask(Message.fromObject('typed', value))
    expect([reply.msgType, reply.toObject()]).toEqual(['typed', value])
    const untyped = await ref.ask(Message.fromObject('', value))
    expect(untyped).toBeInstanceOf(Message)
    expect(untyped.toObject()).toBe(value)
    expect((await ref.ask(Message.fromObject('', undefined))).payload.byteLength).toBe(0)
  })

  test('streams pass through: replies, requests, and both; leaving one ends its producer', async () => {
    const system = await startSystem()
    const ended = gate()
    const Source = asActor(
      class Source {
        async *count(to: number) {
          try {
            for (let i = 0; i < to; i++) yield i
          } finally {
            ended.open()
          }
        }
        async receive(msg: Message) {
          const items = await collect(msg.streamReader<number>())
          return items.reduce((sum, item) => sum + item, 0)
        }
      },
    )
    const ref = await pool(system, Source, { size: 2 })
    expect(await collect(ref.asType(Source).count(4))).toEqual([0, 1, 2, 3])
    for await (const i of ref.asType(Source).count(Infinity)) if (i === 2) break
    await ended.opened
    const reader = ref.askStream(Message.fromObject('@call', ['count', [2]]))
    expect((await collect(reader)).map((msg) => msg.toObject())).toEqual([0, 1])
    const [message, writer] = StreamMessage.create('numbers')
    const sum = ref.ask(message)
    for (const i of [1, 2, 3]) await writer.write(i)
    await writer.close()
    expect((await sum).toObject()).toBe(6)
  })

  test('workers see the deadline of the caller, none of one that waits for ever, and who sent it', async () => {
    const time = manualTime()
    const system = await startSystem()
    const seen: [number | undefined, ActorRef | undefined][] = []
    const ref = await pool(system, () => ({ receive: (_msg, ctx) => void seen.push([ctx.deadline, ctx.sender]) }), {
      size: 2,
    })
    const sender = await system.spawn({
      async receive(_msg: Message, ctx: ActorContext) {
        await ctx.ask(ref, 'ask', { timeout: Infinity })
        await ctx.tell(ref, 'tell')
      },
    })
    await time.advance(500)
    const now = performance.now()
    await ref.ask('bounded', { timeout: 40_000 })
    await ref.ask('for ever', { timeout: Infinity })
    await sender.ask('go', { timeout: 70_000 })
    await turn()
    expect(seen.map(([deadline, by]) => [deadline, by?.id])).toEqual([
      [now + 40_000, undefined],
      [undefined, undefined],
      [now + 70_000, sender.id],
      [undefined, sender.id],
    ])
  })

  test('giving up reaches the worker, and is no failure of the pool', async () => {
    const system = await startSystem()
    const failed: unknown[] = []
    system.on('actorFailed', (event) => failed.push(event))
    const aborted = gate<unknown>()
    const started = gate()
    const ref = await pool(
      system,
      () => ({
        receive: (_msg, ctx) =>
          new Promise((resolve) => {
            ctx.signal.addEventListener('abort', () => {
              aborted.open(ctx.signal.reason)
              resolve(undefined)
            })
            started.open()
          }),
      }),
      { size: 1 },
    )
    const giveUp = new AbortController()
    const call = ref.ask('x', { signal: giveUp.signal })
    await started.opened
    const reason = new Error('no longer wanted')
    giveUp.abort(reason)
    await expect(call).rejects.toBe(reason)
    expect(await aborted.opened).toBe(reason)
    await turn()
    expect(failed).toEqual([])
  })

  test('errors of a worker reach the caller as they are, and only the caller', async () => {
    const system = await startSystem()
    const error = new PulsingBusinessError('sold out', { code: 'sold_out' })
    const asked: string[] = []
    const parent = await system.spawn({
      onChildFailure: () => {
        asked.push('parent')
        return 'stop' as const
      },
      receive: (_msg: Message, ctx: ActorContext) =>
        pool(
          ctx,
          () => ({
            receive: () => {
              throw error
            },
          }),
          { size: 2 },
        ),
    })
    const ref = await parent.ask<ActorRef>('make')
    for (let i = 0; i < 3; i++) await expect(ref.ask('buy')).rejects.toBe(error)
    expect(asked).toEqual([])
  })

  test('messages of one sender for one worker stay in order', async () => {
    const system = await startSystem()
    const seen: number[] = []
    const done = gate()
    const ref = await pool(
      system,
      () => ({
        receive: async (msg: Message) => {
          const i = msg.toObject<number>()
          if (i % 7 === 0) await turn()
          if (seen.push(i) === 300) done.open()
        },
      }),
      { size: 1, worker: { mailbox: { capacity: 16 } } },
    )
    for (let i = 0; i < 300; i++) await (i % 3 === 0 ? void ref.ask(i) : ref.tell(i))
    await done.opened
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i))
  })

  test('back-pressure: when workers and pool are full a tell waits until a worker goes on', async () => {
    const system = await startSystem()
    const step: Gate[] = []
    const mailbox = { capacity: 16 }
    const ref = await pool(
      system,
      () => ({
        receive: async () => {
          const busy = gate()
          step.push(busy)
          await busy.opened
        },
      }),
      { size: 2, mailbox, worker: { mailbox } },
    )
    let accepted = 0
    for (let i = 0; i < 100; i++) void ref.tell(i).then(() => accepted++)
    for (let i = 0; i < 5; i++) await turn()
    // Each worker handles one and holds 16; 16 wait for room in them, and 16 in the pool.
    expect(accepted).toBe(2 * 17 + 16 + 16)
    step[0]!.open()
    for (let i = 0; i < 5; i++) await turn()
    expect(accepted).toBe(2 * 17 + 16 + 16 + 1)
    for (let i = 1; i < 100; i++) {
      while (!step[i]) await turn()
      step[i]!.open()
    }
  })

  test('a worker that asks its own pool for what only itself can answer is told so instead of waiting', async () => {
    const system = await startSystem()
    const Node = asActor(
      class Node {
        constructor(private pool: () => ActorRef) {}
        async visit(_key: string): Promise<unknown> {
          const ctx = contextOf(this)
          return ctx.ask(this.pool(), Message.fromObject('@call', ['visit', ['same']]))
        }
      },
    )
    let ref!: ActorRef
    ref = await pool(system, () => new Node(() => ref), { size: 3, strategy: { by: 'argument' } })
    await expect(ref.asType(Node).visit('same')).rejects.toMatchObject({ code: 'deadlock' })
  })

  test('it can have a name, which is taken then', async () => {
    const system = await startSystem()
    const ref = await pool(system, numbered(), { size: 2, name: 'workers' })
    expect(ref.name).toBe('workers')
    expect((await system.find('workers'))?.id).toBe(ref.id)
    await expect(pool(system, numbered(), { size: 2, name: 'workers' })).rejects.toMatchObject({
      code: 'actor_already_exists',
    })
  })
})

describe('wrong options', () => {
  test('are named in one error, all of them', async () => {
    const system = await startSystem()
    const wrong: PoolOptions = {
      size: 0,
      strategy: 'first' as never,
      replace: { maxReplacements: -1, withinMs: 0, minBackoffMs: 10, maxBackoffMs: 5 },
    }
    await expect(pool(system, { receive: () => undefined }, wrong)).rejects.toEqual(
      new ConfigError([
        'expected size as a whole number above 0, got 0',
        'expected spawnable as a class or a function that makes a worker, got a Object',
        'expected strategy as round-robin, least-loaded, random or { by }, got "first"',
        'expected replace.maxReplacements as a whole number above 0, got -1',
        'expected replace.withinMs as milliseconds above 0, got 0',
        'expected replace.maxBackoffMs as milliseconds, minBackoffMs or more, got 5',
      ]),
    )
    await expect(pool(system, numbered(), { size: 1, public: true })).rejects.toThrow('expected a name')
  })
})

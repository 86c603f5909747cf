/**
 * Nobody is starved by actors at full load: the event loop, timers, I/O, other actors. What is counted is events, not time; a
 * load gives up by itself before it hangs the test it was to let through.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type ActorContext, type ActorRef, type ActorSystem, asActor, type Message, SystemConfig } from 'pulsing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MAX_SLICE_MS, MESSAGES_PER_TURN } from '../../src/actor/dispatcher.ts'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { startSystem } from './systems.ts'

/** Messages after which a load ends by itself; what it must not hold up has happened long before. */
const LIMIT = 3_000_000
/** Turns of the event loop, timers, reads that have to get through. */
const ROUNDS = 20

class Load {
  handled = 0
  #isOver = false

  constructor() {
    onTestFinished(() => this.end())
  }

  /** Counts one message; whether to go on. */
  goesOn(): boolean {
    if (++this.handled >= LIMIT) this.#isOver = true
    return !this.#isOver
  }

  end(): void {
    this.#isOver = true
  }
}

type StartLoad = (system: ActorSystem, load: Load) => Promise<void>

const loads: [string, StartLoad][] = [
  [
    'two actors that tell each other',
    async (system, load) => {
      const bounce = (msg: Message, ctx: ActorContext): void => {
        if (load.goesOn()) void ctx.tell(msg.toObject<ActorRef>(), ctx.self)
      }
      const [a, b] = [await system.spawn({ receive: bounce }), await system.spawn({ receive: bounce })]
      await a.tell(b)
    },
  ],
  [
    'an actor that tells itself',
    async (system, load) => {
      const ref = await system.spawn({
        receive: (_msg, ctx) => (load.goesOn() ? void ctx.self.tell(0) : undefined),
      })
      await ref.tell(0)
    },
  ],
  [
    'an actor that tells itself and waits for a promise in between',
    async (system, load) => {
      const ref = await system.spawn({
        receive: async (_msg, ctx) => {
          await undefined
          if (load.goesOn()) void ctx.self.tell(0)
        },
      })
      await ref.tell(0)
    },
  ],
  [
    'an actor that asks another in one endless handler',
    async (system, load) => {
      const other = await system.spawn({ receive: async () => 'pong' })
      const ref = await system.spawn({
        receive: async (_msg, ctx) => {
          while (load.goesOn()) await ctx.ask(other, 'ping', { timeout: Infinity })
        },
      })
      await ref.tell(0)
    },
  ],
  [
    'a hundred pairs of actors that ask each other',
    async (system, load) => {
      for (let i = 0; i < 100; i++) {
        const answer = await system.spawn({ receive: () => 'pong' })
        const ref = await system.spawn({
          receive: async (_msg, ctx) => {
            await ctx.ask(answer, 'ping', { timeout: Infinity })
            if (load.goesOn()) void ctx.self.tell(0)
          },
        })
        await ref.tell(0)
      }
    },
  ],
  [
    'a program that calls a class actor over and over',
    async (system, load) => {
      const Counter = asActor(
        class Counter {
          #value = 0
          add(): number {
            return ++this.#value
          }
        },
      )
      const counter = await Counter.local(system)
      void (async () => {
        while (load.goesOn()) await counter.add()
      })()
    },
  ],
  [
    'a program that floods one actor with tells',
    async (system, load) => {
      const ref = await system.spawn({ receive: () => undefined })
      void (async () => {
        while (load.goesOn()) await ref.tell(0)
      })()
    },
  ],
  [
    'a reentrant actor that tells itself while its handlers wait',
    async (system, load) => {
      const ref = await system.spawn(
        {
          receive: async (_msg, ctx) => {
            if (load.goesOn()) void ctx.self.tell(0)
            await undefined
          },
        },
        { reentrant: true },
      )
      await ref.tell(0)
    },
  ],
  [
    'a stream that is read as fast as it is written',
    async (system, load) => {
      const ref = await system.spawn({
        receive: async function* () {
          while (load.goesOn()) yield 0
        },
      })
      void (async () => {
        for await (const _item of ref.askStream<number>('go'));
      })()
    },
  ],
  [
    'actors that watch an actor that has ended over and over',
    async (system, load) => {
      const dead = await system.spawn({ receive: () => undefined })
      await system.stop(dead)
      const watch = (ctx: ActorContext): void => (load.goesOn() ? ctx.watch(dead) : undefined)
      for (let i = 0; i < 2; i++) await system.spawn({ onStart: watch, receive: (_msg, ctx) => watch(ctx) })
    },
  ],
]

const rounds: [string, () => Promise<void>][] = [
  ['timers', () => new Promise((resolve) => setTimeout(resolve, 0))],
  ['turns of the event loop', () => new Promise((resolve) => setImmediate(resolve))],
  [
    'messages of a port',
    async () => {
      const { port1, port2 } = new MessageChannel()
      const arrived = once(port2 as unknown as NodeJS.EventEmitter, 'message')
      port1.postMessage('hello')
      await arrived
      port1.close()
    },
  ],
  ['files that are read', async () => void (await readFile(new URL(import.meta.url)))],
]

describe.each(loads)('beside %s', (_name, start) => {
  test.each(rounds)('%s get through', async (_what, round) => {
    const load = new Load()
    await start(await startSystem(), load)
    const handled: number[] = []
    for (let i = 0; i < ROUNDS; i++) {
      await round()
      handled.push(load.handled)
    }
    expect(load.handled).toBeLessThan(LIMIT)
    // It did go on meanwhile.
    expect(handled.at(-1)).toBeGreaterThan(handled[0]!)
  })
})

test('beside actors at full load a socket is served', async () => {
  const load = new Load()
  const system = await startSystem()
  for (const [, start] of loads) await start(system, load)
  const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  for (let i = 0; i < ROUNDS; i++) {
    socket.write(`${i}`)
    const [echo] = await once(socket, 'data')
    expect(String(echo)).toBe(`${i}`)
  }
  expect(load.handled).toBeLessThan(LIMIT)
  socket.destroy()
  server.close()
})

test('beside actors at full load scheduled messages come, and asks time out', async () => {
  const load = new Load()
  const system = await startSystem()
  for (const [, start] of loads) await start(system, load)
  let beats = 0
  const done = new Promise<void>((resolve) => {
    void system.spawn({
      onStart: (ctx) => void ctx.schedule(1, 'beat', { everyMs: 1 }),
      receive: () => (++beats === ROUNDS ? resolve() : undefined),
    })
  })
  const silent = await system.spawn({ receive: () => new Promise(() => undefined) })
  await expect(silent.ask('anyone?', { timeout: 5 })).rejects.toMatchObject({ code: 'timeout' })
  await done
  expect(load.handled).toBeLessThan(LIMIT)
})

test('beside actors at full load another is served every time it is asked, soon', async () => {
  const load = new Load()
  const system = await startSystem()
  for (const [, start] of loads) await start(system, load)
  const other = await system.spawn({ receive: () => load.handled })
  for (let i = 0; i < 100; i++) {
    const before = load.handled
    // Between two turns of an actor each of the others has one at most, of so many messages; and the sender has its own.
    expect((await other.ask<number>('go')) - before).toBeLessThan(2 * 250 * MESSAGES_PER_TURN)
  }
  expect(load.handled).toBeLessThan(LIMIT)
})

test('actors that are equally busy handle equally much', async () => {
  const load = new Load()
  const system = await startSystem()
  const handled = Array.from({ length: 10 }, () => 0)
  for (const i of handled.keys()) {
    const ref = await system.spawn({
      receive: (_msg, ctx) => {
        handled[i]!++
        if (load.goesOn()) void ctx.self.tell(0)
      },
    })
    // One has a hundred times as many messages waiting as another: no more than a turn's worth are handled in a turn.
    for (let waiting = 0; waiting < (i % 2 ? 200 : MESSAGES_PER_TURN); waiting++) void ref.tell(0)
  }
  for (let i = 0; i < ROUNDS; i++) await new Promise((resolve) => setImmediate(resolve))
  const [least, most] = [Math.min(...handled), Math.max(...handled)]
  expect(least).toBeGreaterThan(10 * MESSAGES_PER_TURN)
  expect(most - least).toBeLessThanOrEqual(2 * MESSAGES_PER_TURN)
})

/** A clock on which handlers say how long they took, with timers and turns of the platform. */
function tellingClock(): Clock & { take(ms: number): void } {
  let now = 0
  return {
    now: () => now,
    take: (ms) => {
      now += ms
    },
    setTimer: (callback, delayMs) => systemClock.setTimer(callback, delayMs),
    afterTurn: (callback) => systemClock.afterTurn(callback),
  }
}

/** Messages handled between turns of the event loop, `turns` of them, by ten actors whose handlers take `ms` each. */
async function messagesPerTurn(clock: Clock, take: () => void, turns: number): Promise<number[]> {
  const load = new Load()
  const system = await startSystem(SystemConfig.standalone().withClock(clock))
  const most = 20_000
  for (let i = 0; i < 10; i++) {
    const ref = await system.spawn({
      receive: (_msg, ctx) => {
        take()
        if (load.goesOn() && load.handled < most) void ctx.self.tell(0)
      },
    })
    for (let waiting = 0; waiting < MESSAGES_PER_TURN; waiting++) void ref.tell(0)
  }
  const counts: number[] = []
  for (let i = 0; i < turns; i++) {
    const before = load.handled
    await new Promise((resolve) => setImmediate(resolve))
    counts.push(load.handled - before)
  }
  load.end()
  return counts
}

test.each([0.1, 1, 3])(
  'the event loop gets its turn after a few milliseconds of work also where each handler takes %s of them',
  async (ms) => {
    const clock = tellingClock()
    const counts = await messagesPerTurn(clock, () => clock.take(ms), 20)
    // How slow they are has to be noticed first; a turn that has begun is finished.
    const longestMs = Math.max(...counts.slice(4)) * ms
    expect(longestMs).toBeGreaterThan(0)
    expect(longestMs).toBeLessThanOrEqual(2 * MAX_SLICE_MS + 2 * MESSAGES_PER_TURN * ms)
  },
)

test('the event loop gets its turn also where the clock stands still, as a test’s clock does', async () => {
  const counts = await messagesPerTurn({ ...tellingClock() }, () => undefined, 3)
  expect(Math.max(...counts)).toBeLessThan(20_000)
})

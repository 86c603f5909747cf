/**
 * Nobody is starved by actors at full load: the event loop, timers, I/O, other actors. What is counted is events, not time; a
 * load gives up by itself before it hangs the test it was to let through.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type ActorContext, type ActorRef, type ActorSystem, asActor, type Message, SystemConfig } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { MAX_SLICE_MS, MESSAGES_PER_TURN } from '../../src/actor/dispatcher.ts'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { startSystem } from './systems.ts'

/** Turns of the event loop, timers, messages that have to get through. */
const ROUNDS = 10

class Load {
  handled = 0
  readonly limit: number
  #isOver = false

  /** @param limit messages after which it ends by itself; what it must not hold up has happened long before */
  constructor(limit: number) {
    this.limit = limit
  }

  /** Counts one message; whether to go on. */
  goesOn(): boolean {
    if (++this.handled >= this.limit) this.#isOver = true
    return !this.#isOver
  }

  end(): void {
    this.#isOver = true
  }
}

type StartLoad = (system: ActorSystem, load: Load) => Promise<void>

/** Nobody awaits what a load is told when its system is shut down. */
function inBackground(run: () => Promise<void>): void {
  run().catch(() => undefined)
}

const loads: [string, StartLoad, limit?: number][] = [
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
          while (load.goesOn()) await ctx.ask(other, 'ping')
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
            await ctx.ask(answer, 'ping')
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
      inBackground(async () => {
        while (load.goesOn()) await counter.add()
      })
    },
  ],
  [
    'a program that floods one actor with tells',
    async (system, load) => {
      const ref = await system.spawn({ receive: () => undefined })
      inBackground(async () => {
        while (load.goesOn()) await ref.tell(0)
      })
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
      inBackground(async () => {
        for await (const _item of ref.askStream<number>('go'));
      })
    },
    500_000,
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

/** Runs `loads` on a system of their own while `meanwhile` runs, which has to end before they do. */
async function beside(
  loads: readonly [string, StartLoad, limit?: number][],
  meanwhile: (system: ActorSystem, handled: () => number) => Promise<void>,
): Promise<void> {
  const system = await startSystem()
  const running: Load[] = []
  try {
    for (const [, start, limit = 3_000_000] of loads) {
      const load = new Load(limit)
      running.push(load)
      await start(system, load)
    }
    await meanwhile(system, () => running.reduce((sum, { handled }) => sum + handled, 0))
    const exhausted = loads.flatMap(([name], i) => (running[i]!.handled < running[i]!.limit ? [] : [name]))
    expect(exhausted).toEqual([])
  } finally {
    for (const load of running) load.end()
  }
}

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
]

describe.each(loads)('beside %s', (...load) => {
  test.each(rounds)('%s get through', async (_what, round) => {
    await beside([load], async (_system, handled) => {
      const counts: number[] = []
      for (let i = 0; i < ROUNDS; i++) {
        await round()
        counts.push(handled())
      }
      // It did go on meanwhile.
      expect(counts.at(-1)).toBeGreaterThan(counts[0]!)
    })
  })
})

describe('beside all of these at once', () => {
  test('files are read', async () => {
    await beside(loads, async () => {
      for (let i = 0; i < 3; i++) expect(await readFile(new URL(import.meta.url), 'utf8')).toContain('files are read')
    })
  })

  test('a socket is served', async () => {
    await beside(loads, async () => {
      const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
      for (let i = 0; i < ROUNDS; i++) {
        socket.write(`${i}`)
        const [echo] = await once(socket, 'data')
        expect(String(echo)).toBe(`${i}`)
      }
      socket.destroy()
      server.close()
    })
  })

  test('scheduled messages come, and asks time out', async () => {
    await beside(loads, async (system) => {
      let beats = 0
      const done = new Promise<void>((resolve) => {
        void system.spawn({
          onStart: (ctx) => void ctx.schedule(1, 'beat', { everyMs: 1 }),
          receive: () => (++beats === ROUNDS ? resolve() : undefined),
        })
      })
      const silent = await system.spawn({
        receive: (_msg, ctx) => new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve())),
      })
      await expect(silent.ask('anyone?', { timeout: 5 })).rejects.toMatchObject({ code: 'timeout' })
      await done
    })
  })

  test('another actor is served every time it is asked, soon', async () => {
    // Items of a stream are no messages, and have no turns.
    const actors = loads.filter(([name]) => !name.startsWith('a stream'))
    await beside(actors, async (system, handled) => {
      const other = await system.spawn({ receive: () => handled() })
      for (let i = 0; i < 100; i++) {
        const before = handled()
        // Each of the others, some 220, has one turn at most, of so many messages, before it is this one's.
        expect((await other.ask<number>('go')) - before).toBeLessThan(2 * 220 * MESSAGES_PER_TURN)
      }
    })
  })
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

const WORK = 50_000

/** Messages handled between turns of the event loop, by ten actors that handle {@link WORK} together, `take` at each. */
async function messagesPerTurn(clock: Clock, take: () => void): Promise<number[]> {
  const load = new Load(WORK)
  const system = await startSystem(SystemConfig.standalone().withClock(clock))
  const receive = (_msg: Message, ctx: ActorContext): void => {
    take()
    if (load.goesOn()) void ctx.self.tell(0)
  }
  const refs = await Promise.all(Array.from({ length: 10 }, () => system.spawn({ receive })))
  for (const ref of refs) for (let waiting = 0; waiting < MESSAGES_PER_TURN; waiting++) void ref.tell(0)
  const counts: number[] = []
  for (let before = 0; before < WORK; before = load.handled) {
    await new Promise((resolve) => setImmediate(resolve))
    counts.push(load.handled - before)
  }
  return counts
}

test.each([0.1, 1, 3])(
  'the event loop gets its turn after a few milliseconds of work also where each handler takes %s of them',
  async (ms) => {
    const clock = tellingClock()
    const counts = await messagesPerTurn(clock, () => clock.take(ms))
    // How slow they are has to be noticed first; and an actor's turn that has begun is finished.
    const longestMs = Math.max(...counts.slice(4)) * ms
    expect(longestMs).toBeGreaterThan(0)
    expect(longestMs).toBeLessThanOrEqual(2 * MAX_SLICE_MS + 2 * MESSAGES_PER_TURN * ms)
  },
)

test('the event loop gets its turn also where the clock stands still, as a test’s clock does', async () => {
  const counts = await messagesPerTurn(tellingClock(), () => undefined)
  expect(counts.length).toBeGreaterThan(2)
})

test.each([0, 1 / 20, 1 / 17, 0.3, 1])(
  'actors that are equally busy handle equally much, however much waits for them, where a handler takes %f ms',
  async (ms) => {
    const clock = tellingClock()
    const system = await startSystem(ms === 0 ? undefined : SystemConfig.standalone().withClock(clock))
    const load = new Load(WORK)
    const handled = Array.from({ length: 10 }, () => 0)
    const refs = await Promise.all(
      handled.map((_, i) =>
        system.spawn({
          receive: (_msg, ctx) => {
            clock.take(ms)
            if (!load.goesOn()) return
            handled[i]!++
            void ctx.self.tell(0)
          },
        }),
      ),
    )
    for (const [i, ref] of refs.entries())
      for (let waiting = 0; waiting < (i % 2 ? 200 : MESSAGES_PER_TURN); waiting++) void ref.tell(0)
    while (load.handled < WORK) await new Promise((resolve) => setImmediate(resolve))
    const [least, most] = [Math.min(...handled), Math.max(...handled)]
    expect(least).toBeGreaterThan(WORK / 20)
    expect(most - least).toBeLessThanOrEqual(4 * MESSAGES_PER_TURN)
  },
)

/** Messages an actor sends itself later: when they come, how often, what calls them off, and what they hold. */
import {
  type ActorContext,
  type Cancellable,
  Message,
  MIN_MAILBOX_CAPACITY,
  type ScheduleOptions,
  SystemConfig,
} from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { gate, startSystem } from './systems.ts'

/** An actor that logs when a message came; `schedule` and `fail` and `stop` are messages as well. */
async function start({ restarts = false } = {}) {
  const clock = new ManualClock()
  const system = await startSystem(SystemConfig.standalone().withClock(clock))
  const log: [unknown, number][] = []
  const scheduled: Cancellable[] = []
  let onTick: (tick: unknown) => void = () => undefined
  const ref = await system.spawn(
    () => ({
      receive: (msg, ctx) => {
        const value = msg.toObject<unknown>()
        if (typeof value === 'object') {
          const { in: delayMs, say, ...options } = value as { in: number; say: string } & ScheduleOptions
          scheduled.push(ctx.schedule(delayMs, say, options))
          return
        }
        if (value === 'fail') throw new Error('failed')
        if (value === 'stop') return ctx.stop()
        log.push([value, clock.now()])
        onTick(value)
      },
    }),
    restarts ? { restart: { policy: 'on-failure', minBackoffMs: 0 } } : {},
  )
  const schedule = async (delayMs: number, say: string, options: ScheduleOptions = {}): Promise<Cancellable> => {
    await ref.ask({ in: delayMs, say, ...options })
    return scheduled.at(-1)!
  }
  return { clock, system, ref, log, schedule, onTick: (listener: typeof onTick) => void (onTick = listener) }
}

test('a message comes once, after its delay; a delay of 0 after the current message and those that wait', async () => {
  const { clock, system, ref, log, schedule } = await start()
  const scheduled = schedule(0, 'at once')
  void ref.tell('waiting')
  await scheduled
  await schedule(50, 'later')
  await clock.advanceAsync(1_000)
  expect(log).toEqual([
    ['waiting', 0],
    ['at once', 0],
    ['later', 50],
  ])
  expect(system.census().timers).toBe(0)
})

test('messages of the same moment come in the order they were scheduled', async () => {
  const { clock, log, schedule } = await start()
  for (const say of ['a', 'b', 'c']) await schedule(10, say)
  await schedule(5, 'earlier')
  await clock.advanceAsync(10)
  expect(log.map(([say]) => say)).toEqual(['earlier', 'a', 'b', 'c'])
})

test('a Message comes with its type, everything else as a plain value', async () => {
  const { clock, system } = await start()
  const seen: [string, unknown][] = []
  await system.spawn({
    onStart: (ctx) => {
      ctx.schedule(1, Message.fromJson('typed', { n: 1 }))
      ctx.schedule(2, { n: 2 })
      ctx.schedule(3, undefined)
    },
    receive: (msg) => void seen.push([msg.msgType, msg.toObject()]),
  })
  await clock.advanceAsync(3)
  expect(seen).toEqual([
    ['typed', { n: 1 }],
    ['', { n: 2 }],
    ['', undefined],
  ])
})

describe('with everyMs', () => {
  test('a message comes after the delay, and then again and again', async () => {
    const { clock, log, schedule, system } = await start()
    await schedule(5, 'tick', { everyMs: 10 })
    await clock.advanceAsync(36)
    expect(log.map(([, at]) => at)).toEqual([5, 15, 25, 35])
    expect(system.census().timers).toBe(1)
  })

  test('it is called off by cancel, also by the handler of one of them, and twice is no more than once', async () => {
    const { clock, log, schedule, onTick, system } = await start()
    const ticks = await schedule(10, 'tick', { everyMs: 10 })
    onTick(() => {
      if (log.length < 3) return
      ticks.cancel()
      ticks.cancel()
    })
    await clock.advanceAsync(100)
    expect(log.map(([, at]) => at)).toEqual([10, 20, 30])
    expect(system.census().timers).toBe(0)
    ticks.cancel()
    await clock.advanceAsync(100)
    expect(log.length).toBe(3)
  })

  test('cancelling one leaves the others', async () => {
    const { clock, log, schedule } = await start()
    const first = await schedule(10, 'first', { everyMs: 10 })
    await schedule(10, 'second', { everyMs: 10 })
    await clock.advanceAsync(10)
    first.cancel()
    await clock.advanceAsync(20)
    expect(log.map(([say]) => say)).toEqual(['first', 'second', 'second', 'second'])
  })

  test('an error of the handler ends none of it', async () => {
    const { clock, log, schedule, onTick } = await start()
    await schedule(10, 'tick', { everyMs: 10 })
    onTick(() => {
      throw new Error('not this time')
    })
    await clock.advanceAsync(30)
    expect(log.length).toBe(3)
  })
})

describe('when the actor ends', () => {
  test.each([
    ['stops itself', (ref: { tell(msg: unknown): Promise<void> }) => ref.tell('stop')],
    ['is stopped', undefined],
  ])('nothing comes any more and nothing is held, if it %s', async (_how, end) => {
    const { clock, system, ref, log, schedule } = await start()
    const dead: string[] = []
    system.on('deadLetter', ({ reason }) => dead.push(reason))
    const once = await schedule(10, 'once')
    await schedule(10, 'tick', { everyMs: 10, survivesRestart: true })
    if (end) await end(ref)
    else await system.stop(ref)
    await clock.advanceAsync(100)
    expect([log, dead, system.census().timers]).toEqual([[], [], 0])
    once.cancel()
  })

  test('a context of it schedules nothing more', async () => {
    const { clock, system } = await start()
    const contexts: ActorContext[] = []
    const dead: string[] = []
    system.on('deadLetter', ({ reason }) => dead.push(reason))
    const ref = await system.spawn({ receive: () => undefined, onStart: (ctx) => void contexts.push(ctx) })
    await system.stop(ref)
    contexts[0]!.schedule(10, 'too late').cancel()
    contexts[0]!.schedule(10, 'too late', { everyMs: 1 })
    await clock.advanceAsync(100)
    expect([dead, system.census().timers]).toEqual([[], 0])
  })
})

describe('a restart', () => {
  test('calls off what does not say that it survives, and leaves what does, once and periodic', async () => {
    const { clock, system, ref, log, schedule } = await start({ restarts: true })
    const restarted = new Promise((resolve) => system.on('actorRestarted', resolve))
    await schedule(30, 'once')
    await schedule(30, 'tick', { everyMs: 30 })
    await schedule(30, 'once, kept', { survivesRestart: true })
    const kept = await schedule(30, 'tick, kept', { everyMs: 30, survivesRestart: true })
    await ref.ask('fail').catch(() => undefined)
    await restarted
    await clock.advanceAsync(60)
    expect(log).toEqual([
      ['once, kept', 30],
      ['tick, kept', 30],
      ['tick, kept', 60],
    ])
    kept.cancel()
    await clock.advanceAsync(60)
    expect(log.length).toBe(3)
    expect(system.census().timers).toBe(0)
  })

  test('does not lose what comes meanwhile: it waits for the new instance', async () => {
    const clock = new ManualClock()
    const system = await startSystem(SystemConfig.standalone().withClock(clock))
    const log: unknown[] = []
    let instances = 0
    const ref = await system.spawn(
      () => {
        const instance = ++instances
        return {
          receive: (msg, ctx) => {
            log.push([instance, msg.toObject()])
            if (msg.toObject() !== 'fail') return
            ctx.schedule(10, 'tick', { survivesRestart: true })
            throw new Error('failed')
          },
        }
      },
      { restart: { policy: 'on-failure', minBackoffMs: 1_000 } },
    )
    await ref.ask('fail').catch(() => undefined)
    await clock.advanceAsync(500)
    expect(log).toEqual([[1, 'fail']])
    await clock.advanceAsync(1_000)
    expect(log).toEqual([
      [1, 'fail'],
      [2, 'tick'],
    ])
  })
})

describe('a number that is none', () => {
  test.each([-1, Number.NaN, '5', null, {}])('as delay %j is a ConfigError that names it', async (delayMs) => {
    const { clock, system } = await start()
    const ref = await system.spawn({ receive: (_msg, ctx) => void ctx.schedule(delayMs as number, 'never') })
    await expect(ref.ask('go')).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/^expected delayMs as a number of milliseconds.*, got /),
    })
    await clock.advanceAsync(10)
    expect(system.census().timers).toBe(0)
  })

  test.each([0, -1, Number.NaN, '5', null])('as everyMs %j is a ConfigError that names it', async (everyMs) => {
    const { clock, system } = await start()
    const ref = await system.spawn({
      receive: (_msg, ctx) => void ctx.schedule(1, 'never', { everyMs: everyMs as number }),
    })
    await expect(ref.ask('go')).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/^expected everyMs as a number of milliseconds.*, got /),
    })
    await clock.advanceAsync(10)
    expect(system.census().timers).toBe(0)
  })

  test('as delay Infinity is none of them: it never comes', async () => {
    const { clock, log, schedule } = await start()
    const never = await schedule(Infinity, 'never')
    await clock.advanceAsync(1e9)
    expect(log).toEqual([])
    never.cancel()
  })
})

test('scheduled messages keep a Node.js process alive, until they are called off', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const system = await startSystem()
  const counts: number[] = []
  const ref = await system.spawn({
    receive: (_msg, ctx) => {
      counts.push(timers())
      const once = ctx.schedule(60_000, 'once')
      const ticks = ctx.schedule(60_000, 'tick', { everyMs: 60_000 })
      counts.push(timers())
      once.cancel()
      ticks.cancel()
      counts.push(timers())
    },
  })
  await ref.ask('go')
  expect(counts.map((count) => count - counts[0]!)).toEqual([0, 2, 0])
})

test('a periodic message of an actor that does not keep up fills its mailbox, and not the memory', async () => {
  const clock = new ManualClock()
  const system = await startSystem(SystemConfig.standalone().withClock(clock))
  const free = gate()
  let handled = 0
  const ref = await system.spawn(
    {
      receive: async (msg, ctx) => {
        if (msg.toObject() === 'tick') return void handled++
        const ticks = ctx.schedule(1, 'tick', { everyMs: 1 })
        await free.opened
        ticks.cancel()
      },
    },
    { mailbox: { capacity: MIN_MAILBOX_CAPACITY } },
  )
  const busy = ref.ask('go', { timeout: Infinity })
  await clock.settle()
  clock.advance(10_000)
  free.open()
  await clock.settle()
  await busy
  // Those in the mailbox, and the one that waits for room.
  expect(handled).toBe(MIN_MAILBOX_CAPACITY + 1)
})

/** What an instance leaves behind when it is replaced: timers, generators, messages to itself, and work that goes on. */
import type { ActorContext, ActorRef, Cancellable, RestartPolicy, StreamReader } from 'pulsing'
import { asActor, StreamMessage } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { type Lab, obedient, outcomeOf, startLab } from './supervision-lab.ts'
import { gate, stateOf } from './systems.ts'

type Parts = Parameters<typeof obedient>[1]

const atOnce: RestartPolicy = { policy: 'on-failure', minBackoffMs: 0, maxRestarts: Infinity }

async function obey(lab: Lab, parts: Parts, restart: RestartPolicy = atOnce): Promise<ActorRef> {
  const ref = await lab.system.spawn(obedient(lab.log, parts), 'a', { restart })
  lab.take()
  return ref
}

const handled = (lab: Lab): string[] => lab.log.filter((line) => /^\d /.test(line))

describe('scheduled messages', () => {
  test('of the old instance do not come', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { handle: (_text, ctx) => void ctx.schedule(1_000, 'tick') })
    await ref.ask('schedule')
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(lab.system.census().timers).toBe(0)
    await lab.clock.advanceAsync(10_000)
    expect(handled(lab)).toEqual(['1 schedule', '1 fail'])
    expect(lab.dead).toEqual([])
  })

  test('that survive a restart come, at their time, to the instance of then', async () => {
    const lab = await startLab()
    const ref = await obey(lab, {
      handle: (text, ctx) => void (text === 'schedule' && ctx.schedule(1_000, 'tick', { survivesRestart: true })),
    })
    await ref.ask('schedule')
    await lab.clock.advanceAsync(600)
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(399)
    expect(handled(lab)).toEqual(['1 schedule', '1 fail'])
    await lab.clock.advanceAsync(1)
    expect(handled(lab)).toEqual(['1 schedule', '1 fail', '2 tick'])
    expect(lab.system.census().timers).toBe(0)
  })

  test('that come again and again go on, also while the actor waits to be restarted', async () => {
    const lab = await startLab()
    const ref = await obey(
      lab,
      {
        handle: (text, ctx) =>
          void (text === 'schedule' && ctx.schedule(100, 'tick', { everyMs: 100, survivesRestart: true })),
      },
      { policy: 'on-failure', minBackoffMs: 250 },
    )
    await ref.ask('schedule')
    await lab.clock.advanceAsync(100)
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(250)
    expect(handled(lab)).toEqual(['1 schedule', '1 tick', '1 fail', '2 tick', '2 tick'])
    await lab.clock.advanceAsync(50)
    expect(handled(lab).slice(-1)).toEqual(['2 tick'])
    expect(handled(lab)).toHaveLength(6)
    await lab.system.stop('a')
    expect(lab.system.census().timers).toBe(0)
    await lab.clock.advanceAsync(1_000)
    expect(handled(lab)).toHaveLength(6)
    expect(lab.dead).toEqual([])
  })

  test('can still be called off by who kept what schedule returned', async () => {
    const lab = await startLab()
    const kept: Cancellable[] = []
    const ref = await obey(lab, {
      handle: (text, ctx) =>
        void (text === 'schedule' && kept.push(ctx.schedule(500, 'tick', { everyMs: 500, survivesRestart: true }))),
    })
    await ref.ask('schedule')
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(500)
    expect(handled(lab).slice(-1)).toEqual(['2 tick'])
    kept[0]!.cancel()
    await lab.clock.advanceAsync(5_000)
    expect(handled(lab).filter((line) => line.endsWith('tick'))).toEqual(['2 tick'])
    expect(lab.system.census().timers).toBe(0)
  })

  test('called off after their instance is gone take nothing of the next one’s with them', async () => {
    const lab = await startLab()
    const kept: Cancellable[] = []
    const ref = await obey(lab, {
      handle: (text, ctx) => void (text === 'schedule' && kept.push(ctx.schedule(500, 'tick'))),
    })
    await ref.ask('schedule')
    await outcomeOf(ref.ask('fail'))
    await ref.ask('schedule')
    kept[0]!.cancel()
    await lab.clock.advanceAsync(500)
    expect(handled(lab).slice(-1)).toEqual(['2 tick'])
  })

  test('that are in the mailbox already are messages like any other: they come', async () => {
    const lab = await startLab()
    const hold = gate()
    const ref = await obey(lab, {
      handle: async (text, ctx, instance) => {
        if (text !== 'first' || instance > 1) return
        ctx.schedule(10, 'tick')
        await hold.opened
        throw new Error('broken')
      },
    })
    const asked = outcomeOf(ref.ask('first'))
    await lab.clock.advanceAsync(10)
    hold.open()
    await asked
    await lab.clock.settle()
    expect(handled(lab)).toEqual(['1 first', '2 tick'])
  })
})

describe('generators the old instance returned', () => {
  async function endless(lab: Lab): Promise<{ ref: ActorRef; reader: StreamReader<number>; closed: string[] }> {
    const closed: string[] = []
    const ref = await obey(lab, {
      handle: (text, _ctx, instance) => {
        if (text !== 'count') return `${instance} ${text}`
        return (async function* () {
          try {
            for (let i = 0; ; i++) yield i
          } finally {
            closed.push(`closed ${instance}`)
          }
        })()
      },
    })
    const reader = await ref.ask<StreamReader<number>>('count')
    expect(await reader.next()).toEqual({ done: false, value: 0 })
    return { ref, reader, closed }
  }

  test('end: their reader gets ActorStoppedError with the actor’s address, then nothing for ever, and finally runs', async () => {
    const lab = await startLab()
    const { ref, reader, closed } = await endless(lab)
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(closed).toEqual(['closed 1'])
    await expect(reader.next()).rejects.toMatchObject({
      name: 'ActorStoppedError',
      code: 'actor_stopped',
      address: String(ref),
      message: expect.stringContaining('restarted'),
    })
    expect(await reader.next()).toEqual({ done: true, value: undefined })
    expect(lab.system.census().streams).toBe(0)
    expect(await ref.ask('there?')).toBe('2 there?')
  })

  test('end also for a reader that waits for an item which never comes', async () => {
    const lab = await startLab()
    const ref = await obey(lab, {
      handle: (text, ctx) => {
        if (text !== 'wait') return 'x'
        return (async function* () {
          await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
          lab.log.push('woken')
          yield 'too late'
        })()
      },
    })
    const reader = await ref.ask<StreamReader<string>>('wait')
    const next = outcomeOf(reader.next())
    expect(await stateOf(next)).toBe('pending')
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(await next).toBe('error actor_stopped')
    expect(lab.log).toContain('woken')
  })

  test('end before the old onStop runs: nothing of the old instance works beside it', async () => {
    const lab = await startLab()
    const ref = await obey(lab, {
      handle: (_text, _ctx, instance) =>
        (async function* () {
          try {
            for (;;) yield instance
          } finally {
            lab.log.push(`closed ${instance}`)
          }
        })(),
      stop: async (_ctx, _reason, instance) => {
        await lab.clock.settle()
        lab.log.push(`torn down ${instance}`)
      },
    })
    const reader = await ref.ask<StreamReader<number>>('count')
    await reader.next()
    lab.take()
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(lab.log.slice(0, 5)).toEqual(['1 fail', 'failed a: broken', 'stop 1 failed', 'closed 1', 'torn down 1'])
  })

  test('which were read to their end are no more', async () => {
    const lab = await startLab()
    const ref = await obey(lab, {
      handle: function* () {
        yield 1
      },
    })
    const reader = await ref.ask<StreamReader<number>>('one')
    expect([await reader.next(), await reader.next()]).toEqual([
      { done: false, value: 1 },
      { done: true, value: undefined },
    ])
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(await reader.next()).toEqual({ done: true, value: undefined })
  })

  test('of a class end the same way', async () => {
    const lab = await startLab()
    const Clock = asActor(
      class {
        async *ticks(): AsyncGenerator<number> {
          for (let i = 0; ; i++) yield i
        }
        fail(): void {
          throw new Error('broken')
        }
      },
    )
    const clock = await Clock.options({ restart: { ...atOnce, methodErrors: 'failure' } }).local(lab.system)
    const ticks = clock.ticks()
    expect(await ticks.next()).toEqual({ done: false, value: 0 })
    await outcomeOf(clock.fail())
    await lab.clock.settle()
    await expect(ticks.next()).rejects.toMatchObject({ code: 'actor_stopped' })
  })

  test('do not end with a failure that brings no restart about', async () => {
    const lab = await startLab()
    const endlessly = function* (): Generator<number> {
      for (let i = 0; ; i++) yield i
    }
    const ref = await obey(lab, { handle: endlessly }, { policy: 'never' })
    const reader = await ref.ask<StreamReader<number>>('count')
    await reader.next()
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(await reader.next()).toEqual({ done: false, value: 1 })
    await reader.cancel()
  })
})

describe('what else was going on', () => {
  test('a stream that came with a queued message is there for the next instance', async () => {
    const lab = await startLab()
    const items: unknown[] = []
    let made = 0
    const ref = await lab.system.spawn(
      () => {
        const instance = ++made
        return {
          receive: async (msg) => {
            if (!msg.isStream) throw new Error('broken')
            for await (const item of msg.streamReader<number>()) items.push([instance, item])
          },
        }
      },
      { restart: atOnce },
    )
    const failing = outcomeOf(ref.ask('fail'))
    const [message, writer] = StreamMessage.create<number>()
    const asked = ref.ask(message)
    await failing
    await writer.write(1)
    await writer.close()
    await asked
    expect(items).toEqual([[2, 1]])
  })

  test('a stream that came with the message that failed is cancelled', async () => {
    const lab = await startLab()
    const ref = await lab.system.spawn(
      () => ({
        receive: () => {
          throw new Error('broken')
        },
      }),
      { restart: atOnce },
    )
    const [message, writer] = StreamMessage.create<number>()
    await outcomeOf(ref.ask(message))
    await lab.clock.settle()
    expect(writer.signal.aborted).toBe(true)
  })

  test('what the old instance had asked others for still settles, and nothing of it reaches the new one', async () => {
    const lab = await startLab()
    const reply = gate<string>()
    const other = await lab.system.spawn({ receive: () => reply.opened })
    const answers: string[] = []
    const ref = await obey(lab, {
      handle: (text, ctx, instance) => {
        if (text === 'ask')
          void ctx.system.resolve('a').then(() => other.ask('x').then((r) => answers.push(`${instance} ${r}`)))
        return `${instance} ${text}`
      },
    })
    await ref.ask('ask')
    await lab.clock.settle()
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    reply.open('late answer')
    await lab.clock.settle()
    expect(answers).toEqual(['1 late answer'])
    expect(await ref.ask('there?')).toBe('2 there?')
  })

  test('a message the old instance told itself reaches the next', async () => {
    const lab = await startLab()
    const ref = await obey(lab, {
      handle: (text, ctx) => {
        if (text !== 'leave a note') return
        void ctx.tell(ctx.self, 'a note')
        throw new Error('broken')
      },
    })
    await outcomeOf(ref.ask('leave a note'))
    await lab.clock.settle()
    expect(handled(lab)).toEqual(['1 leave a note', '2 a note'])
  })

  test('become by what goes on of the old instance is undone with it, as long as it is not replaced yet', async () => {
    const lab = await startLab()
    const contexts: ActorContext[] = []
    const ref = await obey(lab, {
      handle: (text, ctx, instance) => {
        contexts.push(ctx)
        return `${instance} ${text}`
      },
      stop: () => contexts[0]!.become(() => 'became'),
    })
    await ref.ask('x')
    await outcomeOf(ref.ask('fail'))
    expect(await ref.ask('y')).toBe('2 y')
  })

  test('a hundred restarts leave nothing behind', async () => {
    const lab = await startLab()
    const ref = await obey(lab, {
      start: async (ctx) => {
        await ctx.spawn({ receive: () => undefined })
        ctx.schedule(1_000, 'tick', { everyMs: 1_000 })
      },
      handle: function* () {
        for (;;) yield 1
      },
    })
    const before = lab.system.census()
    const timersBefore = lab.clock.pending
    for (let i = 0; i < 100; i++) {
      const reader = await ref.ask<StreamReader<number>>('count')
      await reader.next()
      await outcomeOf(ref.ask('fail'))
      await lab.clock.settle()
    }
    expect(lab.system.census()).toEqual(before)
    // The one of the asks, which has its time.
    expect(lab.clock.pending).toBeLessThanOrEqual(timersBefore + 1)
  })
})

/** How long an actor waits to be restarted, how often it is, and what becomes of those who wait with it. */
import type { ActorRef, RestartPolicy, StopReason } from 'pulsing'
import { createActorSystem, SystemConfig } from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Lab, obedient, outcomeOf, startLab } from './supervision-lab.ts'
import { quiet, stateOf } from './systems.ts'

type Parts = Parameters<typeof obedient>[1]

async function obey(lab: Lab, restart: RestartPolicy, parts?: Parts): Promise<ActorRef> {
  const ref = await lab.system.spawn(obedient(lab.log, parts), 'a', { restart })
  lab.take()
  return ref
}

/** Lets the actor fail, and tells how long it took to be restarted; undefined when it was not. */
async function failAndWait(lab: Lab, ref: ActorRef, text = 'fail'): Promise<number | undefined> {
  lab.take()
  await outcomeOf(ref.ask(text))
  const failedAt = lab.clock.now()
  const isRestarted = (): boolean => lab.log.some((line) => line.startsWith('restarted'))
  return (await lab.clock.advanceUntil(isRestarted, 1_000_000)) ? lab.clock.now() - failedAt : undefined
}

describe('the wait before a restart', () => {
  test('doubles from minBackoffMs to maxBackoffMs', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure', maxRestarts: 5, minBackoffMs: 50, maxBackoffMs: 300 })
    const waited: unknown[] = []
    for (let i = 0; i < 6; i++) waited.push(await failAndWait(lab, ref))
    expect(waited).toEqual([50, 100, 200, 300, 300, undefined])
  })

  test('is over to the millisecond, not before', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure' })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(99)
    expect(lab.log.slice(-1)).toEqual(['stop 1 failed'])
    await lab.clock.advanceAsync(1)
    expect(lab.log.slice(-1)).toEqual(['restarted a #1: broken'])
  })

  test('counts from the end of the old onStop', async () => {
    const lab = await startLab()
    const ref = await obey(
      lab,
      { policy: 'on-failure' },
      {
        stop: (_ctx, _reason, instance) =>
          instance === 1 ? new Promise<void>((resolve) => void lab.clock.setTimer(resolve, 5_000)) : undefined,
      },
    )
    expect(await failAndWait(lab, ref)).toBe(5_100)
  })

  test('is none with minBackoffMs 0: no time has to pass', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'always', maxRestarts: Infinity, minBackoffMs: 0 })
    for (let i = 1; i <= 30; i++) {
      expect(await failAndWait(lab, ref, i % 2 ? 'fail' : 'stop')).toBe(0)
      expect(await ref.ask('there?')).toBe(`${i + 1} there?`)
    }
  })

  test('is 20 % shorter to 20 % longer by the chance of the system', async () => {
    for (const [chance, expectedMs] of [
      [0, 80],
      [0.25, 90],
      [0.75, 110],
    ] as const) {
      const clock = new ManualClock()
      const config = SystemConfig.standalone().withClock(clock).withLogger(quiet)
      const system = await createActorSystem(config.withRandom({ float: () => chance }))
      onTestFinished(() => system.shutdown())
      let restartedAt: number | undefined
      system.on('actorRestarted', () => (restartedAt = clock.now()))
      const ref = await system.spawn(obedient([]), { restart: { policy: 'on-failure' } })
      await outcomeOf(ref.ask('fail'))
      await clock.advanceUntil(() => restartedAt !== undefined, 1_000)
      expect(restartedAt).toBeCloseTo(expectedMs, 6)
    }
  })

  test('begins anew when the restarts before are out of the window', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure', maxRestarts: 2, withinMs: 10_000 })
    const waited: unknown[] = [await failAndWait(lab, ref), await failAndWait(lab, ref)]
    await lab.clock.advanceAsync(10_000)
    waited.push(await failAndWait(lab, ref), await failAndWait(lab, ref), await failAndWait(lab, ref))
    expect(waited).toEqual([100, 200, 100, 200, undefined])
  })
})

describe('too many restarts', () => {
  test('stop the actor as failed: onStop once, watchers told once, queued asks rejected, queued tells dead letters, the name free', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure', maxRestarts: 1 })
    const ends: unknown[] = []
    await lab.system.spawn({
      onStart: (ctx) => ctx.watch(ref),
      receive: (msg) => void ends.push([msg.msgType, msg.toObject<{ reason: StopReason }>().reason]),
    })
    await failAndWait(lab, ref)
    lab.take()
    const asked = [outcomeOf(ref.ask('fail')), outcomeOf(ref.ask('queued'))]
    await ref.tell('told')
    await lab.clock.settle()
    expect(await Promise.all(asked)).toEqual(['error system_error', 'error actor_stopped'])
    expect(lab.log).toEqual(['2 fail', 'failed a: broken', 'stop 2 failed', 'stopped a: failed'])
    expect(ends).toEqual([['Terminated', 'failed']])
    expect(lab.dead).toEqual(['actor_stopped', 'actor_stopped'])
    expect(await lab.system.hasActor('a')).toBe(false)
    await expect(ref.ask('late')).rejects.toMatchObject({ code: 'actor_stopped' })
    await lab.system.spawn(obedient([]), 'a')
    await lab.clock.advanceAsync(1_000_000)
    expect(lab.log).toEqual(['2 fail', 'failed a: broken', 'stop 2 failed', 'stopped a: failed'])
  })

  test('within no window are those of its whole life', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure', maxRestarts: 2 })
    const waited: unknown[] = []
    for (let i = 0; i < 3; i++) {
      waited.push(await failAndWait(lab, ref))
      await lab.clock.advanceAsync(24 * 60 * 60 * 1000)
    }
    expect(waited).toEqual([100, 200, undefined])
  })

  test('within a window are those in it: failures far apart go on for ever', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure', maxRestarts: 1, withinMs: 1_000 })
    for (let i = 0; i < 20; i++) {
      expect(await failAndWait(lab, ref)).toBe(100)
      await lab.clock.advanceAsync(1_000)
    }
    expect(await ref.ask('there?')).toBe('21 there?')
  })

  test('maxRestarts 0 stops it at the first failure', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure', maxRestarts: 0 })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(lab.log).toEqual(['1 fail', 'failed a: broken', 'stop 1 failed', 'stopped a: failed'])
  })

  test('of an actor that stops itself count as well', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'always', maxRestarts: 1 })
    await ref.ask('stop')
    await lab.clock.advanceAsync(100)
    lab.take()
    await ref.ask('stop')
    await lab.clock.advanceAsync(60_000)
    expect(lab.log).toEqual(['2 stop', 'stop 2 failed', 'stopped a: failed'])
    expect(lab.system.census().actors).toBe(0)
  })
})

describe('an instance that cannot start', () => {
  const notBefore = (instances: number) => (_ctx: unknown, instance: number) => {
    if (instance > 1 && instance < instances) throw new Error(`cannot start ${instance}`)
  }

  test('counts as a restart, is reported, and backs off; its onStop does not run', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure' }, { start: notBefore(4) })
    const failedAt = lab.clock.now()
    await outcomeOf(ref.ask('fail'))
    const asked = ref.ask('there?')
    await lab.clock.advanceUntil(() => lab.log.includes('start 4'), 10_000)
    expect(lab.clock.now() - failedAt).toBe(100 + 200 + 400)
    expect(await asked).toBe('4 there?')
    expect(lab.log).toEqual([
      '1 fail',
      'failed a: broken',
      'stop 1 failed',
      'make 2',
      'start 2',
      'failed a: cannot start 2',
      'make 3',
      'start 3',
      'failed a: cannot start 3',
      'make 4',
      'start 4',
      'restarted a #3: cannot start 3',
      '4 there?',
    ])
  })

  test('too often ends the actor as failed, without another onStop, and rejects who waits', async () => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure', maxRestarts: 2 }, { start: notBefore(10) })
    await outcomeOf(ref.ask('fail'))
    const asked = outcomeOf(ref.ask('there?'))
    await lab.clock.advanceAsync(60_000)
    expect(await asked).toBe('error actor_stopped')
    expect(lab.log.slice(2)).toEqual([
      'stop 1 failed',
      'make 2',
      'start 2',
      'failed a: cannot start 2',
      'make 3',
      'start 3',
      'failed a: cannot start 3',
      'stopped a: failed',
    ])
    expect(await lab.system.hasActor('a')).toBe(false)
  })

  test.each<[string, Parts]>([
    [
      'because its constructor throws',
      {
        construct: (instance) => {
          if (instance === 2) throw new Error('cannot start 2')
        },
      },
    ],
    [
      'because its onStart throws',
      {
        start: (_ctx, instance) => {
          if (instance === 2) throw new Error('cannot start 2')
        },
      },
    ],
    [
      'because its onStart rejects',
      {
        start: async (_ctx, instance) => {
          if (instance === 2) throw new Error('cannot start 2')
        },
      },
    ],
  ])('%s is replaced by the next, after twice the wait', async (_why, parts) => {
    const lab = await startLab()
    const ref = await obey(lab, { policy: 'on-failure' }, parts)
    expect(await failAndWait(lab, ref)).toBe(300)
    expect(lab.log.filter((line) => !line.startsWith('start'))).toEqual([
      '1 fail',
      'failed a: broken',
      'stop 1 failed',
      'make 2',
      'failed a: cannot start 2',
      'make 3',
      'restarted a #2: cannot start 2',
    ])
  })

  test('because the function made something else is reported as ConfigError, and tried again', async () => {
    const lab = await startLab()
    let made = 0
    const errors: unknown[] = []
    lab.system.on('actorFailed', ({ error }) => errors.push(error.name))
    const ref = await lab.system.spawn(
      () => {
        if (++made === 2) return 'no actor' as never
        return {
          receive: () => {
            throw new Error('broken')
          },
        }
      },
      { restart: { policy: 'on-failure' } },
    )
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(300)
    expect([made, errors]).toEqual([3, ['PulsingSystemError', 'ConfigError']])
  })

  test('leaves what its onStart had set up behind: children are stopped, timers called off', async () => {
    const lab = await startLab()
    const kids: string[] = []
    const ref = await obey(
      lab,
      { policy: 'on-failure' },
      {
        start: async (ctx, instance) => {
          ctx.schedule(250, `from ${instance}`)
          await ctx.spawn(
            { receive: () => undefined, onStop: (_ctx, reason) => void kids.push(`${instance} ${reason}`) },
            'kid',
          )
          if (instance === 2) throw new Error('cannot start 2')
        },
      },
    )
    expect(await failAndWait(lab, ref)).toBe(300)
    expect(kids).toEqual(['1 killed', '2 killed'])
    expect(lab.system.census()).toMatchObject({ actors: 2, timers: 1 })
    await lab.clock.advanceAsync(250)
    expect(lab.log.filter((line) => line.includes('from'))).toEqual(['3 from 3'])
  })
})

describe('a stop while the actor waits to be restarted', () => {
  async function inBackoff(lab: Lab): Promise<{ ref: ActorRef; asked: Promise<unknown>[] }> {
    const ref = await obey(lab, { policy: 'on-failure', minBackoffMs: 10_000 })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(lab.take()).toEqual(['1 fail', 'failed a: broken', 'stop 1 failed'])
    return { ref, asked: [outcomeOf(ref.ask('one')), outcomeOf(ref.ask('two'))] }
  }

  test('ends it at once, without another onStop; what waits is rejected, and no time has to pass', async () => {
    const lab = await startLab()
    const { ref, asked } = await inBackoff(lab)
    await ref.tell('told')
    const [first, second] = [lab.system.stop('a'), lab.system.stop(ref)]
    expect(lab.log).toEqual(['stopped a: killed'])
    await Promise.all([first, second])
    expect(await Promise.all(asked)).toEqual(['error actor_stopped', 'error actor_stopped'])
    expect(lab.dead).toEqual(['actor_stopped', 'actor_stopped', 'actor_stopped'])
    expect(await lab.system.hasActor('a')).toBe(false)
    await lab.clock.advanceAsync(60_000)
    expect(lab.log).toEqual(['stopped a: killed'])
  })

  test('leaves no timer', async () => {
    const lab = await startLab()
    const { asked } = await inBackoff(lab)
    await lab.system.stop('a')
    await Promise.all(asked)
    await lab.system.shutdown()
    expect(lab.clock.pending).toBe(0)
  })

  test('as a shutdown of the system ends it as promptly', async () => {
    const lab = await startLab()
    const { asked } = await inBackoff(lab)
    await lab.system.shutdown()
    expect(await Promise.all(asked)).toEqual(['error actor_stopped', 'error actor_stopped'])
    expect(lab.log).toEqual(['stopped a: shutdown'])
    expect(lab.clock.pending).toBe(0)
  })

  test('as its parent’s stop ends a child as promptly', async () => {
    const lab = await startLab()
    const parent = await lab.system.spawn({
      receive: (_msg, ctx) =>
        ctx.spawn(obedient(lab.log), 'kid', { restart: { policy: 'on-failure', minBackoffMs: 10_000 } }),
    })
    const kid = await parent.ask<ActorRef>('spawn')
    await outcomeOf(kid.ask('fail'))
    lab.take()
    const stopped = lab.system.stop(parent)
    expect(await stateOf(stopped)).toBe('fulfilled')
    expect(lab.log).toEqual(['stopped kid: killed', 'stopped anonymous: killed'])
  })

  test('tells those who watch it the reason of the stop', async () => {
    const lab = await startLab()
    const { ref } = await inBackoff(lab)
    const reasons: unknown[] = []
    await lab.system.spawn({
      onStart: (ctx) => ctx.watch(ref),
      receive: (msg) => void reasons.push(msg.toObject<{ reason: StopReason }>().reason),
    })
    await lab.system.stop('a')
    await lab.clock.settle()
    expect(reasons).toEqual(['killed'])
  })
})

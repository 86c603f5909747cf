/** What a system reports of failures, restarts and ends: each once, in the order things happen, with all it promises. */
import type { ActorLike, ActorRef, RestartPolicy, SystemEvents } from 'pulsing'
import { createActorSystem, LINES_PER_WINDOW, SystemConfig } from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Lab, obedient, outcomeOf, startLab } from './supervision-lab.ts'
import { gate, quiet } from './systems.ts'

const atOnce: RestartPolicy = { policy: 'on-failure', minBackoffMs: 0 }

type Reported = { [K in keyof SystemEvents]: readonly [K, SystemEvents[K]] }[keyof SystemEvents]

/** Everything reported about actors, from now on. */
function reported(lab: Lab): Reported[] {
  const events: Reported[] = []
  for (const name of ['actorStarted', 'actorFailed', 'actorRestarted', 'actorStopped'] as const)
    lab.system.on(name, (event) => events.push([name, event] as Reported))
  return events
}

describe('events of one life', () => {
  test('are started, failed and restarted for each restart, then failed and stopped', async () => {
    const lab = await startLab()
    const events = reported(lab)
    const ref = await lab.system.spawn(obedient(lab.log), 'a', { restart: { ...atOnce, maxRestarts: 2 } })
    for (let i = 0; i < 3; i++) {
      await outcomeOf(ref.ask('fail'))
      await lab.clock.settle()
    }
    const error = { code: 'system_error', message: 'broken', cause: { message: 'broken' } }
    expect(events).toMatchObject([
      ['actorStarted', {}],
      ['actorFailed', { error }],
      ['actorRestarted', { error, restarts: 1 }],
      ['actorFailed', { error }],
      ['actorRestarted', { error, restarts: 2 }],
      ['actorFailed', { error }],
      ['actorStopped', { reason: 'failed' }],
    ])
    expect(new Set(events.map(([, event]) => (event as { ref: ActorRef }).ref.id))).toEqual(new Set([ref.id]))
  })

  test('have the very error the caller got, in failed and in restarted', async () => {
    const lab = await startLab()
    const events = reported(lab)
    const ref = await lab.system.spawn(obedient(lab.log), { restart: atOnce })
    const error = await ref.ask('fail').catch((thrown: unknown) => thrown)
    await lab.clock.settle()
    expect(events.slice(1).map(([, event]) => (event as { error: unknown }).error === error)).toEqual([true, true])
  })

  test('have no error where the actor stopped itself', async () => {
    const lab = await startLab()
    const events = reported(lab)
    const ref = await lab.system.spawn(obedient(lab.log), { restart: { ...atOnce, policy: 'always' } })
    await ref.ask('stop')
    await lab.clock.settle()
    expect(events.slice(1)).toEqual([['actorRestarted', { ref: expect.anything(), error: undefined, restarts: 1 }]])
  })

  test('count the restarts of the window, not of the life', async () => {
    const lab = await startLab()
    const events = reported(lab)
    const ref = await lab.system.spawn(obedient(lab.log), { restart: { ...atOnce, withinMs: 1_000 } })
    for (const passesMs of [0, 500, 600, 2_000]) {
      await lab.clock.advanceAsync(passesMs)
      await outcomeOf(ref.ask('fail'))
      await lab.clock.settle()
    }
    const counts = events.flatMap(([name, event]) => (name === 'actorRestarted' ? [event.restarts] : []))
    expect(counts).toEqual([1, 2, 2, 1])
  })

  test('tell of a restart when the new onStart is over, of an end when onStop is', async () => {
    const lab = await startLab()
    const [start, stop] = [gate(), gate()]
    const ref = await lab.system.spawn(
      obedient(lab.log, {
        start: (_ctx, instance) => (instance === 2 ? start.opened : undefined),
        stop: (_ctx, _reason, instance) => (instance === 2 ? stop.opened : undefined),
      }),
      'a',
      { restart: atOnce },
    )
    const events = reported(lab)
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(events.map(([name]) => name)).toEqual(['actorFailed'])
    start.open()
    await lab.clock.settle()
    expect(events.map(([name]) => name)).toEqual(['actorFailed', 'actorRestarted'])
    const stopped = lab.system.stop('a')
    await lab.clock.settle()
    expect(events).toHaveLength(2)
    stop.open()
    await stopped
    expect(events.map(([name]) => name)).toEqual(['actorFailed', 'actorRestarted', 'actorStopped'])
  })

  test('tell of an actor that runs: a listener of actorRestarted may ask it', async () => {
    const lab = await startLab()
    const answers: Promise<unknown>[] = []
    lab.system.on('actorRestarted', ({ ref }) => answers.push(ref.ask('from the listener')))
    const ref = await lab.system.spawn(obedient(lab.log), { restart: atOnce })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.settle()
    expect(await Promise.all(answers)).toEqual(['2 from the listener'])
  })

  test('tell of failures of every onStart after the first, and of onStop, beside those of handlers', async () => {
    const lab = await startLab()
    await lab.system
      .spawn(
        obedient(lab.log, {
          start: (_ctx, instance) => {
            if (instance === 2) throw new Error('cannot start')
          },
          stop: (_ctx, _reason, instance) => {
            if (instance === 1) throw new Error('cannot stop')
          },
        }),
        'a',
        { restart: atOnce },
      )
      .then((ref) => outcomeOf(ref.ask('fail')))
    await lab.clock.settle()
    expect(lab.log.filter((line) => /^(failed|restarted)/.test(line))).toEqual([
      'failed a: broken',
      'failed a: cannot stop',
      'failed a: cannot start',
      'restarted a #2: cannot start',
    ])
  })

  test('are none but failed where the policy is never', async () => {
    const lab = await startLab()
    const events = reported(lab)
    const ref = await lab.system.spawn(obedient(lab.log), { restart: { policy: 'never' } })
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(60_000)
    expect(events.map(([name]) => name)).toEqual(['actorStarted', 'actorFailed'])
  })

  test('are told before those who watch the actor, and before stop() settles', async () => {
    const lab = await startLab()
    const ref = await lab.system.spawn(obedient([]), 'a')
    await lab.system.spawn({
      onStart: (ctx) => ctx.watch(ref),
      receive: () => void lab.log.push('watcher told'),
    })
    await lab.system.stop('a').then(() => lab.log.push('stop over'))
    await lab.clock.settle()
    expect(lab.log[0]).toBe('stopped a: killed')
    expect(lab.log.slice(1).sort()).toEqual(['stop over', 'watcher told'])
  })

  test('go on for others when a listener throws, and the restart does too', async () => {
    const clock = new ManualClock()
    const logged: unknown[] = []
    const config = SystemConfig.standalone()
      .withClock(clock)
      .withLogger({ ...quiet, error: (message) => logged.push(message) })
    const system = await createActorSystem(config)
    onTestFinished(() => system.shutdown())
    const heard: string[] = []
    for (const name of ['actorFailed', 'actorRestarted'] as const) {
      system.on(name, () => {
        throw new Error('a listener’s own affair')
      })
      system.on(name, () => heard.push(name))
    }
    const ref = await system.spawn(obedient([]), { restart: atOnce })
    await outcomeOf(ref.ask('fail'))
    expect(await ref.ask('there?')).toBe('2 there?')
    expect(heard).toEqual(['actorFailed', 'actorRestarted'])
    expect(logged).toEqual(['an event listener threw', 'an event listener threw'])
  })
})

describe('the log', () => {
  async function lines(handle: (ref: ActorRef, clock: ManualClock) => Promise<void>): Promise<[string, string][]> {
    const clock = new ManualClock()
    const written: [string, string][] = []
    const line = (level: string) => (message: string) => void written.push([level, message])
    const logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
    const system = await createActorSystem(SystemConfig.standalone().withClock(clock).withLogger(logger))
    onTestFinished(() => system.shutdown())
    const restart: RestartPolicy = { ...atOnce, maxRestarts: Infinity }
    await handle(await system.spawn(obedient([]) satisfies () => ActorLike, { restart }), clock)
    await clock.settle()
    return written
  }

  test('has a line for every restart, and one for a failure nobody was told of', async () => {
    const told = await lines(async (ref) => void (await outcomeOf(ref.ask('fail'))))
    expect(told).toEqual([['info', expect.stringMatching(/^an actor was restarted: /)]])
    const untold = await lines((ref) => ref.tell('fail'))
    expect(untold).toEqual([
      ['warn', expect.stringMatching(/^an actor failed with nobody to tell: .*broken/)],
      ['info', expect.stringMatching(/^an actor was restarted: /)],
    ])
  })

  test('does not drown in an actor that fails all the time', async () => {
    const written = await lines(async (ref, clock) => {
      for (let i = 0; i < 200; i++) await ref.tell('fail')
      await clock.settle()
    })
    expect(written.filter(([level]) => level === 'warn')).toHaveLength(LINES_PER_WINDOW)
    expect(written.filter(([level]) => level === 'info')).toHaveLength(LINES_PER_WINDOW)
  })
})

/** Stopping an actor, or its whole system, at every point of a life with restarts: who waits, how long, and what still runs. */
import type { ActorContext, ActorRef, RestartPolicy } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { STOP_GRACE_MS } from '../../src/actor/actor-cell.ts'
import { type Lab, obedient, outcomeOf, startLab } from './supervision-lab.ts'
import { type Gate, gate, stateOf } from './systems.ts'

type Parts = Parameters<typeof obedient>[1]

const atOnce: RestartPolicy = { policy: 'on-failure', minBackoffMs: 0 }

async function obey(lab: Lab, parts?: Parts, options: { reentrant?: boolean } = {}): Promise<ActorRef> {
  const ref = await lab.system.spawn(obedient(lab.log, parts), 'a', { restart: atOnce, ...options })
  lab.take()
  return ref
}

/** Ends the actor, one way or the other. */
const ENDS = [
  ['stop', 'killed', (lab: Lab) => lab.system.stop('a')],
  ['shutdown', 'shutdown', (lab: Lab) => lab.system.shutdown()],
] as const

/** A place in an actor's life at which it can be held. */
interface Place {
  /** What of the actor waits at this place. */
  parts(hold: Gate): Parts
  /** Brings the actor there. */
  reach(lab: Lab, ref: ActorRef): Promise<void>
  /** What is written from the end being asked for until it is over, once the actor may go on; `reason` is the end's. */
  written(reason: string): string[]
  /** What is written when it never goes on. */
  givenUp(reason: string): string[]
  readonly reentrant?: boolean
}

const fail = async (lab: Lab, ref: ActorRef): Promise<void> => {
  await outcomeOf(ref.ask('fail'))
  await lab.clock.settle()
}

const places: Record<string, Place> = {
  'its handler': {
    parts: (hold) => ({ handle: () => hold.opened }),
    reach: async (lab, ref) => {
      void outcomeOf(ref.ask('wait', { timeout: Infinity }))
      await lab.clock.settle()
    },
    written: (reason) => [`stop 1 ${reason}`, `stopped a: ${reason}`],
    givenUp: (reason) => [`stop 1 ${reason}`, `stopped a: ${reason}`],
  },
  'a handler beside one that failed': {
    reentrant: true,
    parts: (hold) => ({ handle: () => hold.opened }),
    reach: async (lab, ref) => {
      void outcomeOf(ref.ask('wait', { timeout: Infinity }))
      await fail(lab, ref)
      expect(lab.log).not.toContain('stop 1 failed')
    },
    written: (reason) => [`stop 1 ${reason}`, `stopped a: ${reason}`],
    givenUp: (reason) => [`stop 1 ${reason}`, `stopped a: ${reason}`],
  },
  'the onStop of the instance that failed': {
    parts: (hold) => ({ stop: (_ctx, _reason, instance) => (instance === 1 ? hold.opened : undefined) }),
    reach: fail,
    written: (reason) => [`stopped a: ${reason}`],
    givenUp: (reason) => [`stopped a: ${reason}`],
  },
  'the onStart of the next instance': {
    parts: (hold) => ({ start: (_ctx, instance) => (instance === 2 ? hold.opened : undefined) }),
    reach: fail,
    written: (reason) => [`stop 2 ${reason}`, `stopped a: ${reason}`],
    givenUp: (reason) => [`stopped a: ${reason}`],
  },
}

describe.each(ENDS)('%s', (_end, reason, end) => {
  describe.each(Object.entries(places))('while the actor is in %s', (_place, place) => {
    async function held(): Promise<{ lab: Lab; hold: Gate; queued: Promise<unknown>; ended: Promise<void> }> {
      const lab = await startLab()
      const hold = gate()
      const ref = await obey(lab, place.parts(hold), place.reentrant ? { reentrant: true } : {})
      await place.reach(lab, ref)
      const queued = outcomeOf(ref.ask(place.reentrant ? 'wait' : 'queued', { timeout: Infinity }))
      lab.take()
      const ended = end(lab)
      await lab.clock.settle()
      return { lab, hold, queued, ended }
    }

    test('waits for it, ends the actor once, and settles what was asked', async () => {
      const { lab, hold, queued, ended } = await held()
      expect(await stateOf(ended)).toBe('pending')
      hold.open()
      await lab.clock.settle()
      expect(await stateOf(ended)).toBe('fulfilled')
      expect(lab.log).toEqual(place.written(reason))
      expect(await queued).toBe('error actor_stopped')
      expect(lab.system.census()).toMatchObject({ actors: 0, asks: 0, timers: 0, streams: 0 })
      await lab.clock.advanceAsync(10 * STOP_GRACE_MS)
      expect(lab.log).toEqual(place.written(reason))
    })

    test('gives it up after 30 seconds if it hangs, and goes on as if it had ended', async () => {
      const { lab, hold, queued, ended } = await held()
      const from = lab.clock.now()
      let endedAt: number | undefined
      void ended.then(() => (endedAt = lab.clock.now()))
      await lab.clock.advanceAsync(STOP_GRACE_MS - 1)
      expect(endedAt).toBe(undefined)
      await lab.clock.advanceAsync(1)
      expect(endedAt! - from).toBe(STOP_GRACE_MS)
      expect(lab.log).toEqual(place.givenUp(reason))
      expect(await queued).toBe('error actor_stopped')
      // What comes after all changes nothing any more.
      hold.open()
      await lab.clock.advanceAsync(10 * STOP_GRACE_MS)
      expect(lab.log).toEqual(place.givenUp(reason))
      expect(lab.system.census()).toMatchObject({ actors: 0, asks: 0, timers: 0, streams: 0 })
    })

    test('takes no new messages', async () => {
      const { lab, hold, ended } = await held()
      const found = await lab.system.find('a')
      const late = found ? await outcomeOf(found.ask('late')) : 'error actor_stopped'
      expect(late).toBe('error actor_stopped')
      hold.open()
      await ended
    })
  })
})

describe('a stop while the first onStart runs', () => {
  async function starting(hold: Promise<void>) {
    const lab = await startLab()
    const spawned = outcomeOf(lab.system.spawn(obedient(lab.log, { start: () => hold }), 'a', { restart: atOnce }))
    await lab.clock.settle()
    lab.take()
    return { lab, spawned }
  }

  test.each(ENDS)('(%s) lets it end, runs onStop with reason %s, and spawn rejects', async (_end, reason, end) => {
    const hold = gate()
    const { lab, spawned } = await starting(hold.opened)
    const ended = end(lab)
    expect(await stateOf(ended)).toBe('pending')
    hold.open()
    await ended
    expect(await spawned).toBe('error actor_stopped')
    expect(lab.log).toEqual([`stop 1 ${reason}`, `stopped a: ${reason}`])
  })

  test.each(ENDS)('(%s) gives it up after 30 seconds with reason %s; spawn rejects then', async (_end, reason, end) => {
    const { lab, spawned } = await starting(new Promise(() => undefined))
    const ended = end(lab)
    await lab.clock.advanceAsync(STOP_GRACE_MS - 1)
    expect([await stateOf(ended), await stateOf(spawned)]).toEqual(['pending', 'pending'])
    await lab.clock.advanceAsync(1)
    expect(await stateOf(ended)).toBe('fulfilled')
    expect(await spawned).toBe('error actor_stopped')
    expect(lab.log).toEqual([`stopped a: ${reason}`])
    expect(await lab.system.hasActor('a')).toBe(false)
  })

  test('an onStart that throws after it was given up is nobody’s business', async () => {
    const hold = gate()
    const { lab, spawned } = await starting(hold.opened.then(() => Promise.reject(new Error('too late'))))
    const ended = lab.system.stop('a')
    await lab.clock.advanceAsync(STOP_GRACE_MS)
    await ended
    hold.open()
    await lab.clock.settle()
    expect(await spawned).toBe('error actor_stopped')
    expect(lab.log).toEqual(['stopped a: killed'])
  })
})

describe('a stop while a restart is under way', () => {
  test('and its onStart throws then, ends the actor with the reason of the stop, without another try', async () => {
    const lab = await startLab()
    const hold = gate()
    const ref = await obey(lab, {
      start: async (_ctx, instance) => {
        if (instance === 1) return
        await hold.opened
        throw new Error('cannot start')
      },
    })
    await fail(lab, ref)
    lab.take()
    const stopped = lab.system.stop('a')
    hold.open()
    await stopped
    await lab.clock.advanceAsync(10 * STOP_GRACE_MS)
    expect(lab.log).toEqual(['failed a: cannot start', 'stopped a: killed'])
  })

  test('and a child takes its time to end: onStop, which has yet to run, is told the reason of the stop', async () => {
    const lab = await startLab()
    const hold = gate()
    const ref = await obey(lab, {
      start: (ctx) => ctx.spawn({ receive: () => undefined, onStop: () => hold.opened }, 'kid').then(() => undefined),
    })
    await fail(lab, ref)
    expect(lab.take()).toEqual(['1 fail', 'failed a: broken'])
    const stopped = lab.system.stop('a')
    await lab.clock.settle()
    expect(lab.log).toEqual([])
    hold.open()
    await stopped
    expect(lab.log).toEqual(['stopped kid: killed', 'stop 1 killed', 'stopped a: killed'])
  })

  test.each([
    ['actorFailed', ['1 fail', 'failed a: broken', 'stop 1 killed', 'stopped a: killed']],
    [
      'actorRestarted',
      [
        '1 fail',
        'failed a: broken',
        'stop 1 failed',
        'make 2',
        'start 2',
        'restarted a #1: broken',
        'stop 2 killed',
        'stopped a: killed',
      ],
    ],
  ] as const)('by a listener of %s ends it there and then', async (event, written) => {
    const lab = await startLab()
    const ref = await obey(lab)
    let stopped: Promise<void> | undefined
    lab.system.on(event, () => {
      stopped = lab.system.stop('a')
    })
    await fail(lab, ref)
    expect(await stateOf(stopped!)).toBe('fulfilled')
    await lab.clock.advanceAsync(10 * STOP_GRACE_MS)
    expect(lab.log).toEqual(written)
  })

  test('by a listener of actorStopped changes nothing', async () => {
    const lab = await startLab()
    await obey(lab)
    let again: Promise<void> | undefined
    lab.system.on('actorStopped', ({ ref }) => {
      again = lab.system.stop(ref)
    })
    await lab.system.stop('a')
    await again
    expect(lab.log).toEqual(['stop 1 killed', 'stopped a: killed'])
  })

  test('from the old onStop itself ends it after that, without another instance', async () => {
    const lab = await startLab()
    let stopped: Promise<void> | undefined
    const ref = await obey(lab, {
      stop: () => {
        stopped ??= lab.system.stop('a')
      },
    })
    await fail(lab, ref)
    await stopped
    expect(lab.log).toEqual(['1 fail', 'failed a: broken', 'stop 1 failed', 'stopped a: killed'])
  })

  test('from the function that makes the next instance ends it after that one has started and stopped', async () => {
    const lab = await startLab()
    let stopped: Promise<void> | undefined
    const ref = await obey(lab, {
      construct: (instance) => {
        if (instance === 2) stopped = lab.system.stop('a')
      },
    })
    await fail(lab, ref)
    await stopped
    expect(lab.log.slice(-4)).toEqual(['make 2', 'start 2', 'stop 2 killed', 'stopped a: killed'])
  })

  test('by ctx.stop() in the new onStart ends it, under always as well', async () => {
    const lab = await startLab()
    const ref = await lab.system.spawn(
      obedient(lab.log, { start: (ctx, instance) => (instance === 2 ? ctx.stop() : undefined) }),
      'a',
      { restart: { policy: 'always', minBackoffMs: 0 } },
    )
    lab.take()
    await outcomeOf(ref.ask('fail'))
    await lab.clock.advanceAsync(60_000)
    expect(lab.log.slice(-4)).toEqual(['make 2', 'start 2', 'stop 2 normal', 'stopped a: normal'])
  })

  test('aborts the signals of onStart and of the messages being handled; a restart alone aborts neither', async () => {
    const lab = await startLab()
    const hold = gate()
    const contexts: ActorContext[] = []
    const ref = await obey(
      lab,
      {
        start: (ctx) => void contexts.push(ctx),
        handle: (_text, ctx) => {
          contexts.push(ctx)
          return hold.opened
        },
      },
      { reentrant: true },
    )
    void outcomeOf(ref.ask('wait', { timeout: Infinity }))
    await fail(lab, ref)
    expect(contexts.map(({ signal }) => signal.aborted)).toEqual([false, false])
    const stopped = lab.system.stop('a')
    expect(contexts.map(({ signal }) => signal.aborted)).toEqual([true, true])
    hold.open()
    await stopped
  })
})

/** Restarts of actors that handle several messages at a time: the other handlers end first. */
import type { ActorRef, RestartPolicy } from 'pulsing'
import { expect, test } from 'vitest'
import { STOP_GRACE_MS } from '../../src/actor/actor-cell.ts'
import { type Lab, obedient, outcomeOf, startLab } from './supervision-lab.ts'
import { type Gate, gate, stateOf } from './systems.ts'

const atOnce: RestartPolicy = { policy: 'on-failure', minBackoffMs: 0 }

/** A reentrant actor whose messages other than `fail` and `stop` wait at a gate of their own, of that name. */
async function reentrant(lab: Lab, restart: RestartPolicy = atOnce) {
  const gates = new Map<string, Gate<unknown>>()
  const hold = (name: string): Gate<unknown> => {
    if (!gates.has(name)) gates.set(name, gate())
    return gates.get(name)!
  }
  const ref: ActorRef = await lab.system.spawn(
    obedient(lab.log, {
      handle: async (text, _ctx, instance) => {
        const said = await hold(text).opened
        if (said instanceof Error) throw said
        lab.log.push(`${instance} ${text} over`)
        return `${instance} ${text}`
      },
    }),
    'a',
    { restart, reentrant: true },
  )
  lab.take()
  return { ref, open: (name: string, value?: unknown) => hold(name).open(value) }
}

test('handlers in flight finish, and are answered, before the failed instance is stopped', async () => {
  const lab = await startLab()
  const { ref, open } = await reentrant(lab)
  const asked = ['x', 'y'].map((text) => ref.ask(text))
  await lab.clock.settle()
  await outcomeOf(ref.ask('fail'))
  await lab.clock.settle()
  expect(lab.take()).toEqual(['1 x', '1 y', '1 fail', 'failed a: broken'])
  open('y')
  expect(await asked[1]).toBe('1 y')
  await lab.clock.settle()
  expect(lab.take()).toEqual(['1 y over'])
  open('x')
  expect(await asked[0]).toBe('1 x')
  await lab.clock.settle()
  expect(lab.take()).toEqual(['1 x over', 'stop 1 failed', 'make 2', 'start 2', 'restarted a #1: broken'])
})

test('no further message is handled by the failed instance; those that come wait for the next, in order', async () => {
  const lab = await startLab()
  const { ref, open } = await reentrant(lab)
  const inFlight = ref.ask('x')
  const failing = outcomeOf(ref.ask('fail'))
  const queued = ['q1', 'q2'].map((text) => ref.ask(text))
  await failing
  await lab.clock.settle()
  const late = ref.ask('q3')
  await lab.clock.settle()
  expect(lab.log.filter((line) => line.includes('q'))).toEqual([])
  for (const name of ['q1', 'q2', 'q3', 'x']) open(name)
  expect(await Promise.all([inFlight, ...queued, late])).toEqual(['1 x', '2 q1', '2 q2', '2 q3'])
  expect(lab.log.filter((line) => /^2 q\d$/.test(line))).toEqual(['2 q1', '2 q2', '2 q3'])
})

test('several that fail at once are one restart, for the first of them; all callers have their errors', async () => {
  const lab = await startLab()
  const { ref, open } = await reentrant(lab)
  const asked = ['x', 'y', 'z'].map((text) => ref.ask(text).catch((error: Error) => error.message))
  await lab.clock.settle()
  for (const name of ['y', 'x', 'z']) open(name, new Error(`${name} broke`))
  expect(await Promise.all(asked)).toEqual(['x broke', 'y broke', 'z broke'])
  await lab.clock.settle()
  expect(lab.log.slice(3)).toEqual([
    'failed a: y broke',
    'failed a: x broke',
    'failed a: z broke',
    'stop 1 failed',
    'make 2',
    'start 2',
    'restarted a #1: y broke',
  ])
})

test('one that hangs is given up after 30 seconds, its ask rejected, and the restart goes on', async () => {
  const lab = await startLab()
  const { ref, open } = await reentrant(lab)
  const hanging = outcomeOf(ref.ask('x', { timeout: Infinity }))
  await outcomeOf(ref.ask('fail'))
  await lab.clock.advanceAsync(STOP_GRACE_MS - 1)
  expect(await stateOf(hanging)).toBe('pending')
  expect(lab.log).not.toContain('stop 1 failed')
  await lab.clock.advanceAsync(1)
  expect(await hanging).toBe('error actor_stopped')
  expect(lab.log.slice(-4)).toEqual(['stop 1 failed', 'make 2', 'start 2', 'restarted a #1: broken'])
  // What it comes to in the end is nobody's business, and no failure of the new instance.
  open('x', new Error('late'))
  await lab.clock.advanceAsync(60_000)
  expect(lab.log.slice(-1)).toEqual(['restarted a #1: broken'])
})

test('one that waits for a message to its own actor is given up as well: that message is for the next instance', async () => {
  const lab = await startLab()
  const outcomes: unknown[] = []
  const ref: ActorRef = await lab.system.spawn(
    obedient(lab.log, {
      handle: async (text, ctx, instance) => {
        if (text !== 'outer') return `${instance} ${text}`
        await lab.clock.settle()
        outcomes.push(await outcomeOf(ctx.self.ask('inner', { timeout: Infinity })))
        return undefined
      },
    }),
    'a',
    { restart: atOnce, reentrant: true },
  )
  const outer = outcomeOf(ref.ask('outer', { timeout: Infinity }))
  await outcomeOf(ref.ask('fail'))
  await lab.clock.advanceAsync(STOP_GRACE_MS)
  expect(await outer).toBe('error actor_stopped')
  expect(outcomes).toEqual(['2 inner'])
})

test('ctx.stop() by one of several under always is one restart, when all have finished', async () => {
  const lab = await startLab()
  const { ref, open } = await reentrant(lab, { policy: 'always', minBackoffMs: 0 })
  const asked = ref.ask('x')
  await lab.clock.settle()
  await ref.ask('stop')
  await lab.clock.settle()
  expect(lab.log).toEqual(['1 x', '1 stop'])
  open('x')
  await asked
  await lab.clock.settle()
  expect(lab.log.slice(2)).toEqual(['1 x over', 'stop 1 normal', 'make 2', 'start 2', 'restarted a #1: no error'])
})

test('ctx.stop() while another’s failure already leads to a restart ends nothing under always', async () => {
  const lab = await startLab()
  const hold = gate()
  const ref: ActorRef = await lab.system.spawn(
    obedient(lab.log, {
      handle: async (_text, ctx) => {
        await hold.opened
        ctx.stop()
      },
    }),
    'a',
    { restart: { policy: 'always', minBackoffMs: 0 }, reentrant: true },
  )
  lab.take()
  const asked = ref.ask('slow stop')
  await lab.clock.settle()
  await outcomeOf(ref.ask('fail'))
  hold.open()
  await asked
  await lab.clock.settle()
  expect(lab.log.slice(-4)).toEqual(['stop 1 failed', 'make 2', 'start 2', 'restarted a #1: broken'])
})

test('ctx.stop() while another’s failure already leads to a restart ends the actor under on-failure', async () => {
  const lab = await startLab()
  const hold = gate()
  const ref: ActorRef = await lab.system.spawn(
    obedient(lab.log, {
      handle: async (_text, ctx) => {
        await hold.opened
        ctx.stop()
      },
    }),
    'a',
    { restart: atOnce, reentrant: true },
  )
  lab.take()
  const asked = ref.ask('slow stop')
  await lab.clock.settle()
  await outcomeOf(ref.ask('fail'))
  hold.open()
  await asked
  await lab.clock.settle()
  expect(lab.log.slice(-2)).toEqual(['stop 1 normal', 'stopped a: normal'])
})

test('a message that stashed itself and still runs when another fails comes back in front', async () => {
  const lab = await startLab()
  const hold = gate()
  const ref: ActorRef = await lab.system.spawn(
    obedient(lab.log, {
      handle: async (text, ctx, instance) => {
        if (instance > 1) return `${instance} ${text}`
        ctx.stash()
        await hold.opened
        return 'not this'
      },
    }),
    'a',
    { restart: atOnce, reentrant: true },
  )
  const stashed = ref.ask('stashed')
  await lab.clock.settle()
  const failing = outcomeOf(ref.ask('fail'))
  const queued = ref.ask('queued')
  await failing
  hold.open()
  expect(await Promise.all([stashed, queued])).toEqual(['2 stashed', '2 queued'])
  expect(lab.log.filter((line) => line.startsWith('2 '))).toEqual(['2 stashed', '2 queued'])
})

test('a message that stashed itself and hangs when another fails is given up once, and not handled again', async () => {
  const lab = await startLab()
  const ref: ActorRef = await lab.system.spawn(
    obedient(lab.log, {
      handle: (text, ctx, instance) => {
        if (instance > 1) return `${instance} ${text}`
        ctx.stash()
        return new Promise(() => undefined)
      },
    }),
    'a',
    { restart: atOnce, reentrant: true },
  )
  const stashed = outcomeOf(ref.ask('stashed', { timeout: Infinity }))
  await lab.clock.settle()
  await outcomeOf(ref.ask('fail'))
  await lab.clock.advanceAsync(STOP_GRACE_MS)
  expect(await stashed).toBe('error actor_stopped')
  expect(await ref.ask('there?')).toBe('2 there?')
  expect(lab.log.filter((line) => line.endsWith(' stashed'))).toEqual(['1 stashed'])
})

/** A system for one test: its time, its chance, its probes, and its end. */
import { SystemConfig } from 'pulsing'
import { createTestSystem, DEFAULT_SEED, LeakError, ManualClock, seededRandom, TestProbe } from 'pulsing/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { quiet } from '../actor/systems.ts'
import { rejection } from '../transport/owner.ts'

async function* naturals(): AsyncGenerator<number> {
  for (let n = 0; ; n++) yield n
}

const config = SystemConfig.standalone().withLogger(quiet)

test("its time is the test's", async () => {
  await using test = await createTestSystem()
  const probe = await test.probe()
  await test.system.spawn({
    onStart: (ctx) => void ctx.schedule(24 * 60 * 60_000, 'tomorrow'),
    receive: (msg, ctx) => ctx.tell(probe.ref, msg),
  })
  await probe.expectNone(24 * 60 * 60_000 - 1)
  await probe.expectMessage('tomorrow', { within: 1 })
})

test('what is left to chance happens again with the same seed', async () => {
  const restartsOf = async (seed: number | string | undefined): Promise<number[]> => {
    await using test = await createTestSystem({ config, ...(seed === undefined ? {} : { seed }) })
    const restarts: number[] = []
    const off = test.system.on('actorRestarted', () => restarts.push(test.clock.now()))
    const flaky = () => ({
      receive: () => {
        throw new Error('flaky')
      },
    })
    const actor = await test.system.spawn(flaky, { restart: { policy: 'on-failure', minBackoffMs: 1_000 } })
    for (let i = 0; i < 3; i++) {
      await actor.tell('fail')
      await test.clock.advanceAsync(10_000)
    }
    off()
    return restarts
  }
  const restarts = await restartsOf(7)
  expect(restarts).toHaveLength(3)
  expect(await restartsOf('7')).toEqual(restarts)
  expect(await restartsOf(8)).not.toEqual(restarts)
  expect(await restartsOf(undefined)).toEqual(await restartsOf(DEFAULT_SEED))
})

test("its chance is at hand for the test's own values, with the seed to print", async () => {
  await using test = await createTestSystem({ seed: 'night 12' })
  expect(test.random.seed).toBe('night 12')
  expect(test.random.fork('mine').float()).toBe(seededRandom('night 12').fork('mine').float())
})

test('everything else is as configured', async () => {
  const lines: string[] = []
  const logger = { ...quiet, warn: (line: string) => void lines.push(line) }
  await using test = await createTestSystem({ config: SystemConfig.standalone().withLogger(logger) })
  const actor = await test.system.spawn({
    receive: () => {
      throw new Error('of no use')
    },
  })
  await actor.tell('go')
  await test.clock.settle()
  expect(lines).toEqual([expect.stringContaining('of no use')])
})

test('several share a clock, and a cluster', async () => {
  const clock = new ManualClock()
  const here = await createTestSystem({ clock })
  const there = await createTestSystem({ clock, seed: 2 })
  onTestFinished(() => Promise.all([here.dispose(), there.dispose()]).then(() => undefined))
  const { port1, port2 } = new MessageChannel()
  await Promise.all([here.system.connect(port1), there.system.connect(port2)])
  const service = await there.probe()
  const bell = await here.system.spawn(
    {
      onStart: (ctx) => void ctx.schedule(500, 'ring'),
      receive: (msg, ctx) => ctx.tell(service.ref, msg),
    },
    'bell',
    { public: true },
  )
  await service.expectMessage('ring')
  expect([clock.now(), here.clock, there.clock]).toEqual([500, clock, clock])
  expect((await there.system.resolve('bell')).id).toBe(bell.id)
})

test('a probe is found by other nodes when it is public, and only then', async () => {
  const here = await createTestSystem()
  const there = await createTestSystem({ clock: here.clock })
  onTestFinished(() => Promise.all([here.dispose(), there.dispose()]).then(() => undefined))
  const { port1, port2 } = new MessageChannel()
  await Promise.all([here.system.connect(port1), there.system.connect(port2)])
  const probe = await TestProbe.create(there.system, { name: 'service', public: true })
  const reply = (await here.system.resolve('service')).ask({ at: new Date(0), set: new Set([1]) })
  ;(await probe.expectMessage({ at: new Date(0), set: new Set([1]) })).reply('taken')
  expect(await reply).toBe('taken')
  await there.probe('hidden')
  const outcome = rejection(here.system.resolve('hidden', { timeout: 0 }))
  await here.clock.advanceAsync(0)
  expect(await outcome).toMatchObject({ name: 'ActorNotFoundError' })
})

test('its end stops probes and actors, and lets them take the time they need', async () => {
  const test = await createTestSystem()
  const stopped: string[] = []
  await test.system.spawn({
    receive: () => undefined,
    onStop: (_ctx, reason) =>
      new Promise((resolve) => {
        test.clock.setTimer(() => {
          stopped.push(reason)
          resolve()
        }, 5_000)
      }),
  })
  const stuck = await test.system.spawn({ receive: () => new Promise(() => undefined) })
  await stuck.tell('never done')
  const probe = await test.probe()
  const reply = rejection(probe.ref.ask('unanswered'))
  await test.dispose()
  expect(stopped).toEqual(['shutdown'])
  expect(await reply).toMatchObject({ name: 'ActorStoppedError' })
  expect(await rejection(test.system.spawn({ receive: () => undefined }))).toMatchObject({ name: 'ActorStoppedError' })
})

test('actors and what they have scheduled may be left at its end', async () => {
  const test = await createTestSystem()
  await test.system.spawn({ onStart: (ctx) => void ctx.schedule(10, 'x'), receive: () => undefined })
  await test.dispose()
})

test.each(['asks', 'streams', 'listeners'] as const)(
  '%s that are left at its end are a LeakError, and it ends all the same',
  async (kind) => {
    const test = await createTestSystem()
    const actor = await test.system.spawn({
      receive: (msg, ctx) =>
        msg.toObject() === 'numbers'
          ? naturals()
          : new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)),
    })
    if (kind === 'listeners') test.system.on('warning', () => undefined)
    if (kind === 'asks') actor.ask('question').catch(() => undefined)
    if (kind === 'streams') await actor.askStream('numbers').next()
    const error = await rejection(test.dispose())
    expect(error).toBeInstanceOf(LeakError)
    expect((error as LeakError).leaks).toEqual([{ kind, before: 0, after: 1 }])
    expect(await rejection(actor.ask('over?'))).toMatchObject({ name: 'ActorStoppedError' })
    expect(await rejection(test.dispose())).toBe(error)
  },
)

test('what it cannot be made of is refused with ConfigError', async () => {
  expect(await rejection(createTestSystem({ config: {} as never, clock: systemClock as never }))).toMatchObject({
    name: 'ConfigError',
    problems: ['expected clock as a ManualClock, got a Object', 'expected config as a SystemConfig, got a Object'],
  })
  expect(await rejection(createTestSystem({ seed: null as never }))).toMatchObject({ name: 'ConfigError' })
})

/** A clock the test moves: what runs when, and what has happened when it stands still again. */
import { type ActorLike, type ActorRef, createActorSystem, SystemConfig } from 'pulsing'
import { ManualClock, QUIET_TURNS } from 'pulsing/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { macrotask } from '../../src/base/macrotask.ts'

/** Notes what happens, with the time at which it does. */
function diary(clock: ManualClock): { note(what: string): void; readonly lines: string[] } {
  const lines: string[] = []
  return { lines, note: (what) => void lines.push(`${clock.now()} ${what}`) }
}

function turns(count: number): Promise<void> {
  return new Promise((resolve) => {
    const next = (left: number): void => (left === 0 ? resolve() : macrotask(() => next(left - 1)))
    next(count)
  })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
}

test('time stands still until it is moved, and moves by what was said', async () => {
  const clock = new ManualClock()
  await turns(3)
  expect(clock.now()).toBe(0)
  clock.advance(5)
  await clock.advanceAsync(7.5)
  expect(clock.now()).toBe(12.5)
})

test.each(['advance', 'advanceAsync'] as const)(
  '%s runs timers at their own time, those of one moment in the order they were set, those set meanwhile too',
  async (advance) => {
    const clock = new ManualClock()
    const { note, lines } = diary(clock)
    clock.setTimer(() => note('late'), 30)
    clock.setTimer(() => {
      note('first')
      clock.setTimer(() => note('nested'), 5)
      clock.setTimer(() => note('out of reach'), 100)
    }, 10)
    clock.setTimer(() => note('second'), 10)
    clock.setTimer(() => note('cancelled'), 20).cancel()
    await clock[advance](30)
    expect(lines).toEqual(['10 first', '10 second', '15 nested', '30 late'])
    expect([clock.now(), clock.pending]).toEqual([30, 1])
  },
)

test('what a timer begins with promises is done before the next timer runs', async () => {
  const clock = new ManualClock()
  const { note, lines } = diary(clock)
  clock.setTimer(async () => {
    note('begins')
    for (let i = 0; i < 50; i++) await undefined
    await turns(QUIET_TURNS - 1)
    note('done')
  }, 10)
  clock.setTimer(() => note('next'), 10.5)
  await clock.advanceAsync(100)
  expect(lines).toEqual(['10 begins', '10 done', '10.5 next'])
})

test('what the last timer begins is done when advanceAsync ends', async () => {
  const clock = new ManualClock()
  let isDone = false
  clock.setTimer(() => void turns(3).then(() => (isDone = true)), 10)
  await clock.advanceAsync(10)
  expect(isDone).toBe(true)
})

test('settle runs what waits for the end of the turn, and what that asks for in turn, without moving time', async () => {
  const clock = new ManualClock()
  const { note, lines } = diary(clock)
  const again = (left: number): void => {
    note(`turn ${left}`)
    if (left > 0) void turns(2).then(() => clock.afterTurn(() => again(left - 1)))
  }
  clock.afterTurn(() => again(QUIET_TURNS))
  clock.setTimer(() => note('timer'), 0)
  await clock.settle()
  expect(lines).toHaveLength(QUIET_TURNS + 1)
  expect(lines.at(-1)).toBe('0 turn 0')
  clock.advance(0)
  expect(lines.at(-1)).toBe('0 timer')
})

test('settle gives up on what never comes to rest, and says so', async () => {
  const clock = new ManualClock()
  let isOver = false
  const forever = (): void => {
    if (!isOver) clock.afterTurn(forever)
  }
  forever()
  await expect(clock.settle()).rejects.toMatchObject({
    name: 'PulsingSystemError',
    message: expect.stringMatching(/^expected quiet within 100000 turns of the event loop, got something that goes on/),
  })
  isOver = true
})

test('advanceUntil stops at the timer that brought what was waited for', async () => {
  const clock = new ManualClock()
  const { note, lines } = diary(clock)
  for (const at of [10, 20, 30]) clock.setTimer(() => void turns(2).then(() => note('tick')), at)
  expect(await clock.advanceUntil(() => lines.length === 2, 1_000)).toBe(true)
  expect([clock.now(), ...lines]).toEqual([20, '10 tick', '20 tick'])
})

test('advanceUntil does not move for what needs no time', async () => {
  const clock = new ManualClock()
  let isDone = false
  clock.setTimer(() => undefined, 0)
  void turns(3).then(() => (isDone = true))
  expect(await clock.advanceUntil(() => isDone, 1_000)).toBe(true)
  expect([clock.now(), clock.pending]).toEqual([0, 1])
})

test('advanceUntil that is not reached ends at its limit, and without a limit when no timer is left', async () => {
  const clock = new ManualClock()
  clock.setTimer(() => undefined, 10)
  expect(await clock.advanceUntil(() => false, 4)).toBe(false)
  expect(clock.now()).toBe(4)
  expect(await clock.advanceUntil(() => false, Infinity)).toBe(false)
  expect(clock.now()).toBe(10)
})

test('several who move the clock share its steps: none overtakes the work of a timer', async () => {
  const clock = new ManualClock()
  const { note, lines } = diary(clock)
  for (const at of [1, 2, 3]) {
    clock.setTimer(() => {
      note('begins')
      void turns(3).then(() => note('done'))
    }, at)
  }
  await Promise.all([clock.advanceAsync(3), clock.advanceAsync(2), clock.advanceUntil(() => lines.length === 6, 9)])
  expect(lines).toEqual(['1 begins', '1 done', '2 begins', '2 done', '3 begins', '3 done'])
  expect(clock.now()).toBe(3)
})

test('a timer that throws rejects the advance at its own time, and the rest is still to come', async () => {
  const clock = new ManualClock()
  const { note, lines } = diary(clock)
  const error = new Error('thrown by a timer')
  clock.setTimer(() => {
    throw error
  }, 10)
  clock.setTimer(() => note('after'), 20)
  expect(await clock.advanceAsync(100).catch((thrown: unknown) => thrown)).toBe(error)
  expect(clock.now()).toBe(10)
  await clock.advanceAsync(10)
  expect(lines).toEqual(['20 after'])
})

test.each([-1, Number.NaN, Infinity, '5'])('%s is no time to advance by', async (ms) => {
  const clock = new ManualClock()
  const refusal = { name: 'ConfigError', message: expect.stringMatching(/^expected .*milliseconds/) }
  expect(await clock.advanceAsync(ms as number).catch((error: unknown) => error)).toMatchObject(refusal)
  expect(() => clock.advance(ms as number)).toThrow(expect.objectContaining(refusal))
  expect(clock.now()).toBe(0)
})

test('a system on the clock: asks time out, and scheduled messages come, when the clock says so', async () => {
  const clock = new ManualClock()
  const system = await createActorSystem(SystemConfig.standalone().withClock(clock))
  onTestFinished(() => system.shutdown())
  const ticks: number[] = []
  const actor = await system.spawn(
    {
      onStart: (ctx) => void ctx.schedule(100, 'tick', { everyMs: 100 }),
      receive: (msg, ctx) => (msg.toObject() === 'tick' ? void ticks.push(clock.now()) : aborted(ctx.signal)),
    },
    { reentrant: true },
  )
  const outcome = actor.ask('never answered', { timeout: 250 }).catch((error: unknown) => [clock.now(), error])
  await clock.advanceAsync(1_000)
  expect(ticks).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000])
  expect(await outcome).toEqual([250, expect.objectContaining({ name: 'PulsingTimeoutError', durationMs: 250 })])
})

test('work that yields to the event loop goes on in settle', async () => {
  const clock = new ManualClock()
  clock.advance(1_000) // a slice that began at 0 is over: the dispatcher yields
  const system = await createActorSystem(SystemConfig.standalone().withClock(clock))
  onTestFinished(() => system.shutdown())
  let handled = 0
  const actors = await Promise.all(Array.from({ length: 100 }, () => system.spawn({ receive: () => void handled++ })))
  for (const actor of actors) void actor.tell('go')
  await clock.settle()
  expect(handled).toBe(100)
})

test('what goes between nodes needs no time', async () => {
  const clock = new ManualClock()
  const config = SystemConfig.standalone().withClock(clock)
  const [here, there] = await Promise.all([createActorSystem(config), createActorSystem(config)])
  onTestFinished(() => Promise.all([here.shutdown(), there.shutdown()]).then(() => undefined))
  const { port1, port2 } = new MessageChannel()
  await Promise.all([here.connect(port1), there.connect(port2)])
  const paddle: ActorLike = {
    receive: async (msg, ctx) => {
      const [left, partner] = msg.toObject<[number, ActorRef]>()
      return left === 0 ? 'out' : partner.ask([left - 1, ctx.self])
    },
  }
  const far = await there.spawn(paddle, 'far', { public: true })
  const near = await here.spawn(paddle, { reentrant: true })
  let outcome: unknown
  void near.ask([1, await here.resolve(far.name!)]).then((reply) => (outcome = reply))
  await clock.advanceUntil(() => outcome !== undefined, 0)
  expect([outcome, clock.now()]).toEqual(['out', 0])
})

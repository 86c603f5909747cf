/** What a test leaves behind is found, kind by kind; what only takes a moment to end is not. */
import type { ActorSystem } from 'pulsing'
import { asActor } from 'pulsing'
import { createTestSystem, LeakError, type LeakKind, leakCheck, type TestSystem } from 'pulsing/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { gate, manualTime, startSystem, stateOf } from '../actor/systems.ts'
import { rejection } from '../transport/owner.ts'

async function start(): Promise<TestSystem> {
  const test = await createTestSystem()
  onTestFinished(() => test.dispose().catch(() => undefined))
  return test
}

const Numbers = asActor(
  class {
    async *from(first: number) {
      for (let n = first; ; n++) yield n
    }
  },
)

/** How one of a kind comes to live, and how it ends. */
const ways: Readonly<Record<LeakKind, (system: ActorSystem) => Promise<() => unknown>>> = {
  actors: async (system) => {
    const actor = await system.spawn({ receive: () => undefined })
    return () => system.stop(actor)
  },
  asks: async (system) => {
    const answer = gate()
    const actor = await system.spawn({ receive: () => answer.opened })
    actor.ask('question').catch(() => undefined)
    return async () => {
      answer.open()
      await system.stop(actor)
    }
  },
  timers: async (system) => {
    const actor = await system.spawn({
      onStart: (ctx) => void ctx.schedule(60_000, 'tick'),
      receive: () => undefined,
    })
    return () => system.stop(actor)
  },
  streams: async (system) => {
    const numbers = await Numbers.local(system)
    const items = numbers.from(1)
    await items.next()
    return async () => {
      await items.return?.()
      await system.stop(numbers.ref)
    }
  },
  listeners: async (system) => system.on('deadLetter', () => undefined),
}

test.each(Object.entries(ways))(
  '%s that stay are found, with both counts, and no longer when they have ended',
  async (kind, begin) => {
    const { system, clock } = await start()
    const end = await begin(system)
    const later = leakCheck(system, { clock })
    const endOther = await begin(system)
    const error = await rejection(later.verify({ kinds: [kind as LeakKind] }))
    expect(error).toBeInstanceOf(LeakError)
    expect(error).toMatchObject({
      name: 'LeakError',
      code: 'ERR_ASSERTION',
      message: `expected nothing left over, got more ${kind} (1 before, 2 now)`,
      leaks: [{ kind, before: 1, after: 2 }],
      expected: { [kind]: 1 },
      actual: { [kind]: 2 },
    })
    await end()
    await endOther()
    await later.verify()
  },
)

test('all that is left over is named in one error', async () => {
  const { system, clock } = await start()
  const check = leakCheck(system, { clock })
  for (const begin of Object.values(ways)) await begin(system)
  const error = await rejection(check.verify())
  expect((error as LeakError).leaks.map(({ kind }) => kind)).toEqual([
    'actors',
    'asks',
    'timers',
    'streams',
    'listeners',
  ])
})

test('what ends without time passing is no leak', async () => {
  const { system, clock } = await start()
  const check = leakCheck(system, { clock })
  const actor = await system.spawn({ receive: (msg) => msg.toObject() })
  void actor.ask('question').catch(() => undefined)
  void system.stop(actor)
  await check.verify()
  expect(clock.now()).toBe(0)
})

test('fewer than before is no leak', async () => {
  const { system, clock } = await start()
  const actor = await system.spawn({ receive: () => undefined })
  const check = leakCheck(system, { clock })
  await system.stop(actor)
  await check.verify()
})

test("on the platform's clock, what takes a moment to end is waited for, and what does not end for a second", async () => {
  const time = manualTime()
  const system = await startSystem()
  const check = leakCheck(system)
  const end = await ways.actors(system)
  const verified = check.verify()
  await time.advance(500)
  expect(await stateOf(verified)).toBe('pending')
  await end()
  await time.advance(10)
  await verified
  await ways.listeners(system)
  const failed = rejection(check.verify())
  await time.advance(1_000)
  expect(await failed).toMatchObject({ leaks: [{ kind: 'listeners', before: 0, after: 1 }] })
  expect(await rejection(check.verify({ within: 0 }))).toBeInstanceOf(LeakError)
})

/** A probe on the platform's clock: it wakes for messages and for its limit, and looks at nothing in between. */
import type { ActorSystem } from 'pulsing'
import { DEFAULT_EXPECT_MS, TestProbe } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { manualTime, startSystem, stateOf, type Time } from '../actor/systems.ts'
import { rejection } from '../transport/owner.ts'

async function start(): Promise<{ time: Time; system: ActorSystem; probe: TestProbe }> {
  const time = manualTime()
  const system = await startSystem()
  return { time, system, probe: await TestProbe.create(system) }
}

test('a wait ends with its message, and leaves no timer behind', async () => {
  const { time, probe } = await start()
  const expected = probe.expectMessage('hello')
  expect(time.pending).toBe(1)
  expect(await stateOf(expected)).toBe('pending')
  await probe.ref.tell('hello')
  await expected
  expect(time.pending).toBe(0)
})

test('a message that is there already needs no timer', async () => {
  const { time, probe } = await start()
  await probe.ref.tell('hello')
  const waiting = probe.waiting.length
  await probe.expectMessage('hello')
  expect([waiting, time.pending]).toEqual([1, 0])
})

test('a wait without a limit has no timer', async () => {
  const { time, probe } = await start()
  const expected = probe.expectMessage('at last', { within: Infinity })
  expect(time.pending).toBe(0)
  await probe.ref.tell('at last')
  await expected
})

test('a wait for nothing that comes ends at its limit', async () => {
  const { time, probe } = await start()
  const outcome = rejection(probe.expectMessage('hello'))
  await time.advance(DEFAULT_EXPECT_MS - 1)
  expect(await stateOf(outcome)).toBe('pending')
  await time.advance(1)
  expect(await outcome).toMatchObject({ name: 'ProbeError', message: 'expected "hello" within 3000 ms, got nothing' })
})

test('expectNone passes after its time, and fails as soon as something comes', async () => {
  const { time, probe } = await start()
  const silence = probe.expectNone(50)
  await time.advance(50)
  await silence
  const noise = rejection(probe.expectNone(50))
  await time.advance(20)
  await probe.ref.tell('noise')
  expect(await noise).toMatchObject({ message: 'expected no message within 50 ms, got 1: "noise" after 20 ms' })
  expect(time.pending).toBe(0)
})

test('the end of an actor is waited for', async () => {
  const { system, probe } = await start()
  const actor = await system.spawn({ receive: () => undefined })
  const ended = probe.expectTerminated(actor)
  await system.stop(actor)
  expect(await ended).toBe('killed')
})

test('what is expected within a time says what was missing when it is over', async () => {
  const { time, probe } = await start()
  const outcome = rejection(
    probe.within(100, async () => {
      await probe.expectMessage('first')
      await probe.expectMessage('second')
    }),
  )
  await time.advance(60)
  await probe.ref.tell('first')
  await time.advance(41)
  expect(await outcome).toMatchObject({ message: 'expected "second" within 40 ms, got nothing' })
  expect(time.pending).toBe(0)
})

test('what is done within a time and never ends is over with it', async () => {
  const { time, probe } = await start()
  const outcome = rejection(probe.within(100, () => new Promise(() => undefined)))
  await time.advance(101)
  expect(await outcome).toMatchObject({
    message: 'expected what is done within 100 ms to be over by then, got it unfinished',
  })
})

test('an ask to a probe waits for its answer', async () => {
  const { probe } = await start()
  const reply = probe.ref.ask('question')
  ;(await probe.expectMessage('question')).reply('answer')
  expect(await reply).toBe('answer')
})

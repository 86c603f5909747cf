/** Whose turn it is, without actors: fairness, order, and room for the event loop. */
import { ManualClock } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { Dispatcher, MAX_SLICE_MS, MESSAGES_PER_TURN, type Runnable } from '../../src/actor/dispatcher.ts'
import { turn } from './systems.ts'

const unexpected = (error: unknown): never => {
  throw error
}

test('what is scheduled runs after the caller’s turn, in the order it was scheduled, with the same limit for all', async () => {
  const dispatcher = new Dispatcher(new ManualClock(), unexpected)
  const log: [string, number][] = []
  const runnable = (name: string): Runnable => ({ run: (limit) => log.push([name, limit]) && 1 })
  for (const name of ['a', 'b', 'c']) dispatcher.schedule(runnable(name))
  expect(log).toEqual([])
  await turn()
  expect(log).toEqual(['a', 'b', 'c'].map((name) => [name, MESSAGES_PER_TURN]))
})

test('one that schedules itself again runs after those that wait', async () => {
  const dispatcher = new Dispatcher(new ManualClock(), unexpected)
  const log: string[] = []
  let left = 2
  const again: Runnable = {
    run: () => {
      log.push('again')
      if (left-- > 0) dispatcher.schedule(again)
      return 1
    },
  }
  dispatcher.schedule(again)
  dispatcher.schedule({ run: () => log.push('other') && 1 })
  await turn()
  await turn()
  expect(log).toEqual(['again', 'other', 'again', 'again'])
})

test('after a slice of work the event loop gets its turn before the rest', async () => {
  const clock = new ManualClock()
  const dispatcher = new Dispatcher(clock, unexpected)
  const log: string[] = []
  let isOver = false
  const busy: Runnable = {
    run: () => {
      clock.advance(MAX_SLICE_MS)
      log.push('work')
      if (!isOver) dispatcher.schedule(busy)
      return 1
    },
  }
  dispatcher.schedule(busy)
  await turn()
  log.push('event loop')
  isOver = true
  const before = log.length
  await turn()
  await turn()
  expect(log.indexOf('event loop')).toBe(before - 1)
  expect(before).toBeLessThan(20)
})

test('one that throws is reported, and does not keep the others from running, now or later', async () => {
  const errors: unknown[] = []
  const dispatcher = new Dispatcher(new ManualClock(), (error) => errors.push(error))
  const log: string[] = []
  const broken = new Error('a broken promise never to throw')
  dispatcher.schedule({
    run: () => {
      throw broken
    },
  })
  dispatcher.schedule({ run: () => log.push('second') && 1 })
  await turn()
  await turn()
  dispatcher.schedule({ run: () => log.push('later') && 1 })
  await turn()
  await turn()
  expect(log).toEqual(['second', 'later'])
  expect(errors).toEqual([broken])
})

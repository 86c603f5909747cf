/** How long attempts wait: spread over all of a ceiling that doubles, never nothing at all. */
import { expect, test } from 'vitest'
import { Backoff, MAX_BACKOFF_MS, MIN_BACKOFF_MS, SHORTEST_WAIT_MS } from '../../src/link/backoff.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'

const always = (part: number): Backoff => new Backoff({ float: () => part })
const next = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.next())

test('the ceiling doubles to its end, and begins anew after a success', () => {
  const backoff = always(1)
  const ceilings = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
  expect(next(backoff, ceilings.length)).toEqual(ceilings)
  backoff.reset()
  expect(backoff.next()).toBe(MIN_BACKOFF_MS)
})

test('attempts of many are spread evenly over all of the ceiling', () => {
  const random = seededRandom(1)
  const TENTH = MAX_BACKOFF_MS / 10
  const perTenth = new Array<number>(10).fill(0)
  for (let i = 0; i < 1000; i++) {
    const wait = next(new Backoff(random), 9).at(-1)!
    perTenth[Math.floor(wait / TENTH)]!++
  }
  expect(Math.min(...perTenth)).toBeGreaterThan(60)
  expect(Math.max(...perTenth)).toBeLessThan(140)
})

test('whatever chance says, there is a pause', () => {
  for (const wait of next(always(0), 100)) expect(wait).toBe(SHORTEST_WAIT_MS)
})

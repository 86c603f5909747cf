/** How long attempts wait: spread over all of a ceiling that doubles, never nothing at all. */
import fc from 'fast-check'
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

test('every wait is between the shortest and a ceiling that doubles', () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.array(chance, { minLength: 1, maxLength: 30 }), (numbers) => {
      let at = 0
      const backoff = new Backoff({ float: () => numbers[at++]! })
      for (let attempt = 0; attempt < numbers.length; attempt++) {
        const wait = backoff.next()
        expect(wait).toBeGreaterThanOrEqual(SHORTEST_WAIT_MS)
        expect(wait).toBeLessThanOrEqual(Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** attempt))
      }
    }),
  )
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
  for (const wait of next(always(0), 1000)) expect(wait).toBe(SHORTEST_WAIT_MS)
})

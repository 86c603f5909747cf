/** Rendezvous hashing: keys stay where they are when others go, and spread evenly. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rendezvous } from '../../src/patterns/rendezvous.ts'

const slots = (...numbers: readonly number[]): { slot: number }[] => numbers.map((slot) => ({ slot }))
const present = fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 12 })

test('a key goes to the same slot whatever order the slots are in', () => {
  fc.assert(
    fc.property(fc.string(), present, fc.nat(), (key, numbers, turn) => {
      const at = turn % numbers.length
      const turned = [...numbers.slice(at), ...numbers.slice(0, at)].reverse()
      expect(rendezvous(key, slots(...turned))).toEqual(rendezvous(key, slots(...numbers)))
    }),
  )
})

test('a slot that goes moves its own keys only, and gets them again when it is back', () => {
  let moved = 0
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 20 }), present, fc.nat(), (keys, numbers, which) => {
      const gone = numbers[which % numbers.length]!
      const left = numbers.filter((number) => number !== gone)
      fc.pre(left.length > 0)
      for (const key of keys) {
        const before = rendezvous(key, slots(...numbers)).slot
        const after = rendezvous(key, slots(...left)).slot
        if (before === gone) moved++
        else expect(after).toBe(before)
      }
    }),
  )
  expect(moved).toBeGreaterThan(50)
})

test('keys spread evenly, and those of a slot that goes do so too', () => {
  const keys = Array.from({ length: 12_000 }, (_, i) => `user ${i}`)
  const count = (numbers: readonly number[], of = keys): number[] =>
    numbers.map((number) => of.filter((key) => rendezvous(key, slots(...numbers)).slot === number).length)
  for (const share of count([0, 1, 2, 3, 4, 5])) expect(Math.abs(share - 2000)).toBeLessThan(200)
  const orphans = keys.filter((key) => rendezvous(key, slots(0, 1, 2, 3)).slot === 2)
  for (const share of count([0, 1, 3], orphans)) expect(Math.abs(share - orphans.length / 3)).toBeLessThan(150)
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Awareness, MAX_SCORE } from '../../src/cluster/awareness.ts'

test('a node that is well has the usual patience', () => {
  const awareness = new Awareness()
  awareness.wasWell()
  expect(awareness.slack).toBe(1)
})

test.each(['wasLate', 'wasDeaf'] as const)('%s: it gives others more time, and no more than that', (sign) => {
  const awareness = new Awareness()
  for (let times = 1; times <= MAX_SCORE; times++) {
    awareness[sign]()
    expect(awareness.slack).toBe(1 + times)
  }
  awareness[sign]()
  expect(awareness.slack).toBe(1 + MAX_SCORE)
})

test('whatever it went through, its patience is bounded, and the usual one again after it was well for as often', () => {
  const signs = fc.array(fc.constantFrom('wasLate', 'wasDeaf', 'wasWell'))
  fc.assert(
    fc.property(signs, (all) => {
      const awareness = new Awareness()
      for (const sign of all) {
        const before = awareness.slack
        awareness[sign]()
        expect(Math.sign(awareness.slack - before)).not.toBe(sign === 'wasWell' ? 1 : -1)
        expect(awareness.slack).toBeGreaterThanOrEqual(1)
        expect(awareness.slack).toBeLessThanOrEqual(1 + MAX_SCORE)
      }
      for (let times = 0; times < MAX_SCORE; times++) awareness.wasWell()
      expect(awareness.slack).toBe(1)
    }),
  )
})

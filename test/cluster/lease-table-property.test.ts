/** Exclusive names under loss, delay, skew and restarts of the authority: one holder at a time, tokens only grow. */
import { type SeededRandom, seededRandom } from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { LEASE_MS, LeaseLab } from './lease-lab.ts'

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed + 1)
const HOUR_MS = 3_600_000

function run(random: SeededRandom, sabotage: { isHasty?: boolean; isStubborn?: boolean } = {}): LeaseLab {
  const lab = new LeaseLab({
    random: random.fork('lab'),
    holders: 2 + random.int(5),
    maxDelayMs: random.pick([10, 500, 3_000]),
    loss: random.pick([0, 0.1, 0.5]),
    ...sabotage,
  })
  for (let atMs = 0; atMs < HOUR_MS; ) {
    const forMs = 1_000 + random.int(120_000)
    lab.clock.advance(forMs)
    atMs += forMs
    if (random.float() < 0.7) lab.cut(random.int(120_000))
    if (random.float() < 0.5) lab.restart(random.int(2 * LEASE_MS))
  }
  return lab
}

describe('exclusive names in a bad network', () => {
  test.each(SEEDS)('have one holder at a time, with growing tokens, and are free after the fact: seed %i', (seed) => {
    const lab = run(seededRandom(seed))
    expect(lab.violations).toEqual([])
    expect(lab.grants.length).toBeGreaterThan(5)
    // Quiet: every name finds a holder again before long.
    lab.loss = 0
    lab.maxDelayMs = 10
    lab.clock.advance(120_000)
    const before = lab.grants.length
    lab.clock.advance(HOUR_MS)
    expect(lab.violations).toEqual([])
    for (const name of lab.names)
      expect(lab.grants.slice(before).filter((grant) => grant.startsWith(name)).length).toBeGreaterThan(5)
  })

  test('an authority that forgets its leases and grants at once is found out', () => {
    const found = SEEDS.filter((seed) => run(seededRandom(seed), { isHasty: true }).violations.length > 0)
    expect(found.length).toBeGreaterThan(SEEDS.length / 4)
  })

  test('holders that do not let go in time are found out', () => {
    const found = SEEDS.filter((seed) => run(seededRandom(seed), { isStubborn: true }).violations.length > 0)
    expect(found.length).toBeGreaterThan(SEEDS.length / 4)
  })
})

/** Invariants 5 to 8 of clusters whose network misbehaves: nobody alive is missed, nobody gone returns, names converge. */
import { describe, expect, test, vi } from 'vitest'
import { type Mode, simulateCluster } from './membership.ts'
import { seedsFrom } from './seeds.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))

/** Runs this seed alone, from the environment, and prints what happened when it fails. */
const SEED: string | undefined = process.env['PULSING_SEED']

async function simulateAll(mode: Mode, count: number): Promise<void> {
  for (const seed of SEED === undefined ? seedsFrom(1, count) : [SEED]) {
    const { violations, trace } = await simulateCluster(seed, mode)
    if (SEED !== undefined && violations.length > 0) console.info(trace.join('\n'))
    const replay = `replay with PULSING_SEED=${seed} npx vitest run --project node test/sim/membership.test.ts`
    expect(violations, `seed ${seed}: ${replay}`).toEqual([])
    const again = await simulateCluster(seed, mode)
    expect(again.trace, `seed ${seed} does the same again: ${replay}`).toEqual(trace)
  }
}

describe('a cluster of relays and leaves', { timeout: 120_000 }, () => {
  test('whose links break misses nobody who lives, and knows all names in the end: 30 seeds, each twice', () =>
    simulateAll('mild', 30))

  test('whose nodes die, leave and come back knows in the end who is there, and what they have: 30 seeds, each twice', () =>
    simulateAll('wild', 30))

  test('parted 2 from 3 serves what each side has, and is one again within 10 s: 30 seeds, each twice', () =>
    simulateAll('parted', 30))

  test('on a bad network for an hour gives nobody up: 2 seeds, each twice', () => simulateAll('lossy', 2))
})

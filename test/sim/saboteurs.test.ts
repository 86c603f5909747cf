/** What proves that the simulation finds what it is there for. */
import { describe, expect, test, vi } from 'vitest'
import { Backoff } from '../../src/link/backoff.ts'
import { saboteurs } from './saboteurs.ts'
import { seedsFrom, simulateSeeds } from './seeds.ts'
import { simulate } from './simulation.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))
vi.mock('../../src/remote/session.ts', async (original) => (await import('./session-tap.ts')).tapped(await original()))

/** Seeds in which one of them must be found. */
const MAX_SEEDS = 400

const TOPOLOGIES = ['star', 'pair', 'ring', 'mesh'] as const

async function found(): Promise<string | undefined> {
  for (let seed = 1; seed <= MAX_SEEDS; seed++) {
    const { violations } = await simulate(String(seed), TOPOLOGIES[seed % 4]!)
    if (violations.length > 0) return violations[0]
  }
  return undefined
}

describe(`within ${MAX_SEEDS} seeds the simulation finds a node that`, () => {
  test.for(saboteurs)('$name', { timeout: 120_000 }, async ({ begin }) => {
    const end = begin()
    expect(await found().finally(end)).toBeDefined()
  })
})

test('a seed that fails says how to replay it', { timeout: 120_000 }, async () => {
  const end = saboteurs[0]!.begin()
  await expect(simulateSeeds('star', seedsFrom(1, MAX_SEEDS)).finally(end)).rejects.toThrow(
    /^seed (\S+): [\s\S]*\nreplay with PULSING_SEED=\1 npx vitest run --project node test\/sim\/star\.test\.ts$/,
  )
})

test('chance that does not follow from the seed is found', { timeout: 120_000 }, async () => {
  const next = vi.spyOn(Backoff.prototype, 'next').mockImplementation(() => 100 * Math.random())
  await expect(simulateSeeds('star', seedsFrom(1, MAX_SEEDS)).finally(() => next.mockRestore())).rejects.toThrow(
    'expected the same to happen again',
  )
})

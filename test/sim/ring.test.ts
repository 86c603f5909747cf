/** Three relays, each linked to both others. */
import { test, vi } from 'vitest'
import { seedsFrom, simulateSeeds } from './seeds.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))
vi.mock('../../src/remote/session.ts', async (original) => (await import('./session-tap.ts')).tapped(await original()))

const SEEDS = 600

test(`three relays, each linked to both others, keep what the protocol promises, whatever happens between them: ${SEEDS} seeds, each twice`, {
  timeout: 300_000,
}, async () => {
  await simulateSeeds('ring', seedsFrom(1, SEEDS))
})

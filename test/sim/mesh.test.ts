/** Two relays that dial each other, and a leaf of each that knows both. */
import { test, vi } from 'vitest'
import { seedsFrom, simulateSeeds } from './seeds.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))
vi.mock('../../src/remote/session.ts', async (original) => (await import('./session-tap.ts')).tapped(await original()))

const SEEDS = 400

test(`two relays that dial each other, and a leaf of each that knows both keep what the protocol promises, whatever happens between them: ${SEEDS} seeds, each twice`, {
  timeout: 300_000,
}, async () => {
  await simulateSeeds('mesh', seedsFrom(1, SEEDS))
})

/** Seeds nobody has seen before. */
import { test, vi } from 'vitest'
import { simulateSeeds } from './seeds.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))
vi.mock('../../src/remote/session.ts', async (original) => (await import('./session-tap.ts')).tapped(await original()))

const SEEDS = Number(process.env['PULSING_SEEDS'] ?? 5_000)
const base = crypto.randomUUID().slice(0, 8)

test.for(['pair', 'star', 'ring', 'mesh'] as const)(
  `%s: ${SEEDS} new seeds, ${base}-0 and on, each twice`,
  async (topology) => {
    await simulateSeeds(
      topology,
      Array.from({ length: SEEDS }, (_, index) => `${base}-${index}`),
    )
  },
)

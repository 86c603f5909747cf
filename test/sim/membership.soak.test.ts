/** Clusters nobody has seen before, and hours on a bad network. */
import { test, vi } from 'vitest'
import { simulateClusters } from './membership-seeds.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))

const SEEDS = Number(process.env['PULSING_CLUSTERS'] ?? 500)
const HOURS = Math.max(10, SEEDS / 50)
const base = crypto.randomUUID().slice(0, 8)

test.for([
  ['mild', SEEDS],
  ['wild', SEEDS],
  ['parted', SEEDS],
  ['lossy', HOURS],
] as const)(`%s: %d new seeds, ${base}-0 and on, each twice`, async ([mode, count]) => {
  const seeds = Array.from({ length: count }, (_, index) => `${base}-${index}`)
  await simulateClusters(mode, seeds)
})

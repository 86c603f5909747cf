import { describe, expect, test, vi } from 'vitest'
import { saboteurs } from './saboteurs.ts'
import { simulate } from './simulation.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))
vi.mock('../../src/remote/session.ts', async (original) => (await import('./session-tap.ts')).tapped(await original()))

/** Seeds in which one of them must be found. */
const MAX_SEEDS = 200

const TOPOLOGIES = ['star', 'pair', 'mesh'] as const

async function find(): Promise<{ readonly seeds: number; readonly violation: string } | undefined> {
  for (let seeds = 1; seeds <= MAX_SEEDS; seeds++) {
    const { violations } = await simulate(String(seeds), TOPOLOGIES[seeds % 3]!)
    if (violations.length > 0) return { seeds, violation: violations[0]! }
  }
  return undefined
}

describe('the simulation finds a node that', () => {
  test.for(saboteurs)('$name', { timeout: 120_000 }, async ({ name, begin }) => {
    const end = begin()
    const found = await find().finally(end)
    console.log(name, found)
    expect(found).toBeDefined()
  })
})

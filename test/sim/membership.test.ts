/** Invariants 5 to 8 of clusters whose network misbehaves: nobody alive is missed, nobody gone returns, names converge. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Absences } from '../../src/cluster/absences.ts'
import { Topology } from '../../src/cluster/topology.ts'
import { type Mode, simulateCluster } from './membership.ts'
import { simulateClusters } from './membership-seeds.ts'
import { seedsFrom } from './seeds.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))

describe('a cluster of relays and leaves', { timeout: 120_000 }, () => {
  test('whose links break misses nobody who lives, and knows all names in the end: 30 seeds, each twice', () =>
    simulateClusters('mild', seedsFrom(1, 30)))

  test('whose nodes die, leave and come back knows in the end who is there, and what they have: 30 seeds, each twice', () =>
    simulateClusters('wild', seedsFrom(1, 30)))

  test('parted 2 from 3 serves what each side has, and is one again within 10 s: 30 seeds, each twice', () =>
    simulateClusters('parted', seedsFrom(1, 30)))

  test('on a bad network for an hour gives nobody up: 2 seeds, each twice', () =>
    simulateClusters('lossy', seedsFrom(1, 2)))
})

afterEach(() => void vi.restoreAllMocks())

/** Seeds in which what is broken on purpose must be found. */
const MAX_SEEDS = 50

/** Breaks what ships, in one place each. */
const saboteurs: readonly (readonly [name: string, mode: Mode, begin: () => void])[] = [
  [
    'takes a neighbour that is back for one that said nothing yet, for good',
    'mild',
    () => {
      const { applySnapshot } = Topology.prototype
      vi.spyOn(Topology.prototype, 'applySnapshot').mockImplementation(function (this: Topology, snapshot, isOwn) {
        const isStale = this.record(snapshot.nodeId)?.isStale === true
        const applied = applySnapshot.call(this, snapshot, isOwn)
        if (isStale && snapshot.version > 1) this.record(snapshot.nodeId)!.isStale = true
        return applied
      })
    },
  ],
  [
    'forgets that a name was withdrawn',
    'wild',
    () => {
      const { applyChange } = Topology.prototype
      vi.spyOn(Topology.prototype, 'applyChange').mockImplementation(function (this: Topology, change) {
        const names = [...(this.record(change.nodeId)?.names ?? [])]
        const applied = applyChange.call(this, change)
        if (applied === 'news') for (const [name, id] of names) this.record(change.nodeId)!.names.set(name, id)
        return applied
      })
    },
  ],
  [
    'waits for nobody',
    'mild',
    () => {
      const { add } = Absences.prototype
      vi.spyOn(Absences.prototype, 'add').mockImplementation(function (this: Absences, nodeId) {
        add.call(this, nodeId, 0)
      })
    },
  ],
  ['gives nobody up', 'wild', () => vi.spyOn(Absences.prototype, 'next', 'get').mockReturnValue(undefined)],
]

describe(`within ${MAX_SEEDS} seeds the simulation finds a node that`, { timeout: 120_000 }, () => {
  test.for(saboteurs)('%s', async ([, mode, begin]) => {
    begin()
    let found: string | undefined
    for (const seed of seedsFrom(1, MAX_SEEDS)) {
      found = (await simulateCluster(seed, mode)).violations[0]
      if (found !== undefined) break
    }
    expect(found).toBeDefined()
  })
})

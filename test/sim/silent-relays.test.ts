/** Relays that die, are parted from one other, or pause, without a word: who is missed, by whom, and when. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Awareness, MAX_SCORE } from '../../src/cluster/awareness.ts'
import { Sweep } from '../../src/cluster/sweep.ts'
import { Link } from '../../src/link/link.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { framesOf } from '../cluster/memory-nodes.ts'
import { RelayMesh } from './relay-mesh.ts'
import { seedsFrom } from './seeds.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))

afterEach(() => void vi.restoreAllMocks())

/** By when all miss a relay that died. */
const MISSED_WITHIN_MS = 10_000
/** By when a link over which nothing is said is missed, and there is another. */
const REPLACED_WITHIN_MS = 45_000
/** By when what is said goes another way. */
const LED_AROUND_WITHIN_MS = 8_000
const LIMIT_MS = 120_000
/** Seeds of a cluster of which one relay dies. */
const DEATHS = 10

async function meshOf(count: number, seed: string): Promise<RelayMesh> {
  const mesh = new RelayMesh(count, seed)
  await mesh.start()
  return mesh
}

/** How long it took until all others missed one that died. */
async function killed(count: number, seed: string): Promise<{ readonly tookMs: number; readonly mesh: RelayMesh }> {
  const mesh = await meshOf(count, seed)
  const dead = mesh.hosts[1]!
  const others = mesh.hosts.filter((host) => host !== dead)
  mesh.kill(dead)
  const tookMs = await mesh.until(() => mesh.agree(others, dead, 'unreachable'), LIMIT_MS)
  return { tookMs, mesh }
}

describe('a relay that dies without a word', () => {
  test.each([
    [3, DEATHS],
    [12, DEATHS],
    [24, 1],
  ])(
    `of %d is missed by all within ${MISSED_WITHIN_MS / 1_000} s, and nobody else by anybody: %d seeds`,
    async (count, seeds) => {
      for (const seed of seedsFrom(1, seeds)) {
        const { tookMs, mesh } = await killed(count, seed)
        expect(tookMs, `seed ${seed}`).toBeLessThanOrEqual(MISSED_WITHIN_MS)
        const [, dead] = mesh.hosts
        expect(
          mesh.notices.filter(({ host, other }) => host !== dead && other !== dead),
          `seed ${seed}`,
        ).toEqual([])
      }
    },
    LIMIT_MS,
  )
})

/** Breaks what ships, in one place each. */
const saboteurs: readonly (readonly [name: string, begin: () => void])[] = [
  ['asks nobody on hearing that another relay lost it', () => vi.spyOn(Sweep.prototype, 'doubt').mockReturnValue()],
  ['asks nobody in turn', () => vi.spyOn(Link.prototype, 'probe').mockReturnValue()],
  [
    'waits longer for an answer, though nothing is wrong with itself',
    () => vi.spyOn(Awareness.prototype, 'slack', 'get').mockReturnValue(1 + MAX_SCORE),
  ],
]

describe(`within ${DEATHS} deaths the simulation finds a relay that`, { timeout: LIMIT_MS }, () => {
  test.for(saboteurs)('%s', async ([, begin]) => {
    begin()
    let slowestMs = 0
    for (const seed of seedsFrom(1, DEATHS)) slowestMs = Math.max(slowestMs, (await killed(12, seed)).tookMs)
    expect(slowestMs).toBeGreaterThan(MISSED_WITHIN_MS)
  })
})

describe('a link between two of 12 relays that fell silent', { timeout: LIMIT_MS }, () => {
  const ways = [
    ['both ways', undefined],
    ['one way', 'r3'],
    ['the other way', 'r7'],
  ] as const

  test.each(ways)(
    `is replaced within ${REPLACED_WITHIN_MS / 1_000} s though nothing is said, and nobody is missed: %s`,
    async (_way, from) => {
      for (const seed of seedsFrom(1, 5)) {
        const mesh = await meshOf(12, seed)
        mesh.link('r3', 'r7')!.silence(from)
        expect(
          await mesh.until(() => mesh.link('r3', 'r7') !== undefined, LIMIT_MS),
          `seed ${seed}`,
        ).toBeLessThanOrEqual(REPLACED_WITHIN_MS)
        await mesh.pass(REPLACED_WITHIN_MS)
        expect(mesh.notices.filter(({ what }) => what !== 'closed')).toEqual([])
        expect(mesh.notices.every(({ host, other }) => ['r3 r7', 'r7 r3'].includes(`${host} ${other}`))).toBe(true)
      }
    },
  )

  test.each(ways)(
    `is led around within ${LED_AROUND_WITHIN_MS / 1_000} s where something is said, and nobody is missed: %s`,
    async (_way, from) => {
      for (const seed of seedsFrom(1, 5)) {
        const mesh = await meshOf(12, seed)
        await mesh.within(mesh.system('r7').spawn({ receive: () => 'heard' }, 'echo', { public: true }))
        const echo = await mesh.within(mesh.system('r3').resolve('echo'))
        await mesh.within(echo.ask('before'))
        mesh.link('r3', 'r7')!.silence(from)
        const silentAt = mesh.now
        while (mesh.now < silentAt + 2 * LED_AROUND_WITHIN_MS) {
          const asked = mesh.now
          expect((await mesh.within(echo.ask('now'))) as unknown, `seed ${seed}`).toBeDefined()
          expect(mesh.now - asked, `seed ${seed}`).toBeLessThanOrEqual(LED_AROUND_WITHIN_MS)
          await mesh.pass(100)
        }
        expect(mesh.notices.filter(({ what }) => what !== 'closed')).toEqual([])
      }
    },
  )
})

describe('a relay that is paused while it waits for an answer', { timeout: LIMIT_MS }, () => {
  test.each([2, 4, 30])('accuses nobody, for %d s', async (seconds) => {
    for (const seed of seedsFrom(1, 5)) {
      const mesh = await meshOf(12, seed)
      for (let isAsking = false; !isAsking; ) {
        const { batch } = await mesh.nextSent('r3')
        isAsking = framesOf(batch!).some(({ kind }) => kind === FRAME.ping)
      }
      mesh.pause('r3', seconds * 1_000)
      await mesh.pass(seconds * 1_000 + LIMIT_MS)
      expect(
        mesh.notices.filter(({ host, why }) => host === 'r3' && why.startsWith('expected a sign of life')),
        `seed ${seed}`,
      ).toEqual([])
      expect(
        mesh.notices.filter(({ host, other, what }) => (host !== 'r3' && other !== 'r3') || what === 'lost'),
        `seed ${seed}`,
      ).toEqual([])
      for (const host of mesh.hosts) expect(mesh.agree(mesh.hosts, host, 'online'), `seed ${seed}: ${host}`).toBe(true)
    }
  })
})

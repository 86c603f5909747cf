/** How long a node waits for each of its seeds, and for which it goes on to the next. */
import { PulsingTimeoutError, SystemConfig } from 'pulsing'
import { createTestSystem, ManualClock, seededRandom, simulatedNetwork, type TestSystem } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { UnreachableError } from '../../src/base/errors.ts'
import { type SeedDialer, Seeds } from '../../src/cluster/seeds.ts'
import { QUIET } from '../system/systems.ts'

test.each([
  ['leaf', SystemConfig.standalone()],
  ['relay', SystemConfig.withAddr('ws://joining:1')],
])('a %s whose first seed hangs joins by the next one within 10 s', async (_kind, config) => {
  const clock = new ManualClock()
  const network = simulatedNetwork({ clock })
  const start = (host: string, to: SystemConfig): Promise<TestSystem> =>
    network.during(createTestSystem({ clock, config: to.withLogger(QUIET).withTransports(network.transport(host)) }))
  const [hung, other] = [
    await start('hung', SystemConfig.withAddr('ws://hung:1')),
    await start('other', SystemConfig.withAddr('ws://other:1')),
  ]
  network.part('hung', 'joining')
  const before = clock.now()
  const joining = await start('joining', config.withSeeds(['ws://hung:1', 'ws://other:1']))
  expect(clock.now() - before).toBeLessThan(10_000)
  expect(joining.system.members().map(({ nodeId }) => nodeId)).toContain(other.system.nodeId)
  await network.during(Promise.all([hung, other, joining].map((system) => system.dispose())))
})

test('seeds that do not answer are given more time, up to a bound, until one does; those that refuse are not', async () => {
  const clock = new ManualClock()
  const outcomes = ['hangs', 'refuses', 'hangs', 'hangs', 'hangs', 'answers', 'hangs', 'hangs']
  const waited: number[] = []
  const dialer: SeedDialer = {
    link: async (_address, _signal, timeoutMs) => {
      const outcome = outcomes[waited.length]
      waited.push(timeoutMs)
      if (outcome === 'refuses') throw new UnreachableError('refused', { outcome: 'not-sent' })
      if (outcome === 'hangs') throw new PulsingTimeoutError('connecting', timeoutMs)
      return outcome === 'answers' ? { gone: Promise.resolve() } : { gone: new Promise<void>(() => undefined) }
    },
    failed: () => undefined,
  }
  const seeds = new Seeds(dialer, clock, seededRandom('seeds'))
  const joined = seeds.join(['ws://a', 'ws://b'], false)
  await clock.advanceAsync(3_600_000)
  await joined
  expect(waited).toEqual([5, 10, 10, 20, 30, 30, 5, 10, 20].map((seconds) => 1_000 * seconds))
  seeds.close()
})

test('every link has a signal of its own, and all end together', () => {
  const signals: AbortSignal[] = []
  const dialer: SeedDialer = {
    link: (_address, signal) => {
      signals.push(signal)
      return new Promise(() => undefined)
    },
    failed: () => undefined,
  }
  const seeds = new Seeds(dialer, new ManualClock(), seededRandom('seeds'))
  void seeds.join(['ws://a', 'ws://b', 'ws://c'], true)
  expect(new Set(signals).size).toBe(3)
  seeds.close()
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true])
})

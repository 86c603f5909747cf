/** A thousand leaves whose relay is killed. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Cli } from '../system/built-cli.ts'
import { memberIds, Systems } from '../system/systems.ts'
import { killed, LightLeaves } from './light-leaves.ts'

const COUNT = 1_000
const FOUND_WITHIN_MS = 10_000

const systems = new Systems()
const cli = new Cli()
beforeAll(async () => {
  await Promise.all([cli.build(), LightLeaves.bundle()])
}, 60_000)
afterEach(async () => {
  await LightLeaves.stop()
  await systems.stop()
  await cli.stop()
})
afterAll(() => cli.dispose())

test(`${COUNT} leaves of a relay that is killed are found over another one before long`, async () => {
  const first = cli.start(['relay', '--port', '0'])
  const firstUrl = await first.url()
  const secondUrl = await cli.start(['relay', '--port', '0', '--seed', firstUrl]).url()
  const watcher = await systems.leaf(secondUrl)
  const firstId = watcher.members().find(({ addr }) => addr === firstUrl)!.nodeId
  const t0 = performance.now()
  const leaves = await LightLeaves.start(COUNT, [firstUrl, secondUrl])
  console.log('started', performance.now() - t0)
  const { foundAfterMs, p99Ms } = await killed(leaves, watcher, { nodeId: firstId, kill: () => first.kill('SIGKILL') })
  console.log('all', foundAfterMs.length, foundAfterMs[0], foundAfterMs.at(-1), p99Ms, performance.now() - t0)
  expect(foundAfterMs).toHaveLength(COUNT)
  expect(p99Ms).toBeLessThan(FOUND_WITHIN_MS)
  expect(memberIds(watcher).size).toBe(COUNT + 3)
})

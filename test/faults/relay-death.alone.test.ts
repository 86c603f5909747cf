/** A thousand leaves whose relay is killed. */
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { Cli } from '../system/built-cli.ts'
import { Systems } from '../system/systems.ts'
import { expectReturn, LightLeaves } from './light-leaves.ts'

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

test('1000 leaves of a relay that is killed are found over another one within 10 s', { timeout: 120_000 }, () =>
  expectReturn({ count: 1_000, withinMs: 10_000 }, cli, systems),
)

/** Two thousand leaves whose relay is killed, twice as many as return within 10 s: on two cores the last take some 40 s. */
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

test('2000 leaves of a relay that is killed are found over another one before anybody gives them up', () =>
  expectReturn({ count: 2_000, withinMs: 60_000 }, cli, systems))

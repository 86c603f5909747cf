import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { app } from './installed.mjs'

// The testkit as somebody uses it whose tests run in node:test.

const load = createRequire(join(app, 'package.json'))
const { asActor } = await import(pathToFileURL(load.resolve('pulsing')))
const { createTestSystem, LeakError, ProbeError, seededRandom } = await import(
  pathToFileURL(load.resolve('pulsing/testkit'))
)

const Cart = asActor({ type: 'Cart' })(
  class {
    items = []
    constructor(warehouse) {
      this.warehouse = warehouse
    }
    async add(item) {
      if (!(await this.warehouse.ask({ reserve: item }, { timeout: 1_000 }))) throw new RangeError(`no ${item} left`)
      return this.items.push(item)
    }
  },
)

let system
beforeEach(async () => {
  system = await createTestSystem({ seed: 3 })
})
afterEach(() => system.dispose())

test('an actor is tested against a probe in the place of its neighbour', async () => {
  const warehouse = await system.probe('warehouse')
  const cart = await Cart.local(system.system, warehouse.ref)
  const added = cart.add('tea')
  const request = await warehouse.expectMessage({ reserve: 'tea' })
  request.reply(true)
  assert.equal(await added, 1)
  warehouse.autoReply(() => false)
  await assert.rejects(cart.add('tea'), { name: 'PulsingBusinessError', message: 'no tea left' })
})

test('what takes long takes no time', async () => {
  const warehouse = await system.probe()
  const cart = await Cart.local(system.system, warehouse.ref)
  const refused = assert.rejects(cart.add('tea'), { code: 'timeout', durationMs: 1_000 })
  const begin = performance.now()
  await system.clock.advanceAsync(1_000)
  await refused
  assert.ok(performance.now() - begin < 1_000)
})

test('what is expected and does not come is an assertion error', async () => {
  const probe = await system.probe()
  await probe.ref.tell({ total: 3 })
  await assert.rejects(probe.expectMessage({ total: 4 }), (error) => {
    assert.ok(error instanceof ProbeError)
    assert.deepEqual([error.expected, error.actual], [{ total: 4 }, { total: 3 }])
    return true
  })
  await probe.expectNone()
})

test('what is left behind is found', async () => {
  const off = system.system.on('warning', () => undefined)
  await assert.rejects(system.leaks.verify(), (error) => error instanceof LeakError && error.leaks.length === 1)
  off()
  await system.leaks.verify()
})

test('chance is the same in every process', () => {
  assert.equal(seededRandom(42).float(), 0.39581843757451207)
})

test('the runner prints what differs', () => {
  const folder = join(app, 'testkit')
  mkdirSync(folder)
  const file = join(folder, 'failing.test.mjs')
  writeFileSync(
    file,
    `import { test } from 'node:test'
import { createTestSystem } from 'pulsing/testkit'
test('fails', async () => {
  const system = await createTestSystem()
  const probe = await system.probe()
  await probe.ref.tell({ total: 3 })
  await probe.expectMessage({ total: 4 }).finally(() => system.dispose())
})
`,
  )
  // Told that it runs inside a test, the runner would report to it instead of printing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { status, stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', file], {
    cwd: app,
    env,
    encoding: 'utf8',
    timeout: 30_000,
  })
  assert.equal(status, 1, stdout)
  assert.match(stdout, /error: 'expected \{ total: 4 \}, got \{ total: 3 \}'/)
  assert.match(stdout, /expected:\s+total: 4\s+actual:\s+total: 3/)
  assert.match(stdout, /failing\.test\.mjs:7:/)
})

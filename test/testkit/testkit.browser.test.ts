/** The testkit in a page: its turns of the event loop are other ones, its promises the same. */
import { createTestSystem, seededRandom, TestProbe } from 'pulsing/testkit'
import { expect, test } from 'vitest'

test('time moves only when it is moved, and everything that needs none happens before', async () => {
  const test = await createTestSystem()
  const probe = await test.probe()
  await test.system.spawn({
    onStart: (ctx) => void ctx.schedule(1_000, 'tick', { everyMs: 1_000 }),
    receive: (msg, ctx) => ctx.tell(probe.ref, [msg.toObject(), test.clock.now()]),
  })
  const times = (await probe.receive<[string, number]>(3)).map(({ value }) => value[1])
  expect(times).toEqual([1_000, 2_000, 3_000])
  await probe.expectNone(999)
  await probe.expectMessage(['tick', 4_000], { within: 1 })
  await test.dispose()
})

test('nodes on one clock meet over a port', async () => {
  const here = await createTestSystem()
  const there = await createTestSystem({ clock: here.clock })
  const { port1, port2 } = new MessageChannel()
  await Promise.all([here.system.connect(port1), there.system.connect(port2)])
  const probe = await TestProbe.create(there.system, { name: 'service', public: true })
  const reply = (await here.system.resolve('service')).ask({ bytes: new Uint8Array([1, 2]) })
  ;(await probe.expectMessage({ bytes: new Uint8Array([1, 2]) })).reply('taken')
  expect(await reply).toBe('taken')
  await probe.stop()
  await Promise.all([here.dispose(), there.dispose()])
})

test('chance is the same as in Node.js', () => {
  expect(seededRandom(42).float()).toBe(0.39581843757451207)
})

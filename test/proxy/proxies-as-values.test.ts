/** Proxies and refs in the hands of the language and of tools: awaited, logged, compared, serialised, assigned to. */
import { inspect, isDeepStrictEqual } from 'node:util'
import { expect, test, vi } from 'vitest'
import { startSystem } from '../actor/systems.ts'
import { Counter } from './counter.ts'

test('proxies can be awaited, returned from async functions and resolved with', async () => {
  const proxy = await Counter.local(await startSystem(), 1)
  const same = await (async () => proxy)()
  expect(same).toBe(proxy)
  expect(await Promise.resolve(proxy)).toBe(proxy)
  expect((proxy as unknown as { then?: unknown }).then).toBe(undefined)
  const untyped = proxy.ref.asAny()
  expect(await (async () => untyped)()).toBe(untyped)
})

test('proxies and refs can be logged, inspected and compared', async () => {
  const proxy = await Counter.local(await startSystem())
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  console.log(proxy, proxy.ref)
  log.mockRestore()
  expect(inspect(proxy)).toContain(proxy.ref.id)
  expect(inspect(proxy, { showProxy: true })).toContain('Proxy')
  expect(`${proxy as unknown as string}`).toContain(proxy.ref.id)
  expect(isDeepStrictEqual(proxy, proxy)).toBe(true)
  expect(proxy).toEqual(proxy)
  expect('get' in proxy).toBe(true)
  expect('nope' in proxy).toBe(false)
  expect(Object.prototype.toString.call(proxy)).toBe('[object Object]')
  expect(Array.isArray(proxy)).toBe(false)
})

test('inspecting a ref shows the ref, not the system behind it', async () => {
  const { ref } = await Counter.local(await startSystem())
  const text = inspect(ref, { depth: 5 })
  expect(text).toContain(ref.id)
  expect(text.length).toBeLessThan(400)
})

test('proxies and refs can be turned into JSON', async () => {
  const proxy = await Counter.local(await startSystem())
  expect(JSON.stringify(proxy.ref)).toContain(proxy.ref.id)
  expect(JSON.stringify({ deep: [proxy] })).toContain(proxy.ref.id)
})

test('assigning to a proxy is refused', async () => {
  const proxy = (await Counter.local(await startSystem())) as unknown as Record<string, unknown>
  expect(() => {
    proxy['get'] = 1
  }).toThrow(expect.objectContaining({ code: 'unsupported' }))
})

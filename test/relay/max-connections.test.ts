/** How many connections a relay takes. */
import { once } from 'node:events'
import { startRelay } from 'pulsing/node'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { QUIET } from '../cluster/memory-nodes.ts'

test('more than maxConnections are refused with 503', async () => {
  await using relay = await startRelay({ port: 0, maxConnections: 1, logger: QUIET })
  const first = new WebSocket(relay.url)
  await once(first, 'open')
  const second = new WebSocket(relay.url)
  second.on('error', () => undefined)
  const [, response] = (await once(second, 'unexpected-response')) as [unknown, { readonly statusCode: number }]
  expect(response.statusCode).toBe(503)
  first.terminate()
})

test.each([0, -1, 1.5, Number.NaN, '7', Infinity])('maxConnections %s is a ConfigError', async (maxConnections) => {
  await expect(startRelay({ port: 0, maxConnections: maxConnections as number })).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining('expected maxConnections as a whole number from 1, got'),
  })
})

/** Which connections a listener knows to come from its own machine: what it tells them depends on it. */
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { deferred } from '../../src/base/deferred.ts'
import type { Connection } from '../../src/link/connection.ts'
import { webSocketListener } from '../../src/transport/websocket/listener.node.ts'
import { isLocal } from '../../src/transport/websocket/origin-policy.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** What a listener that lets in everybody makes of a request with these headers, from 127.0.0.1. */
async function isFromThisMachine(headers: Readonly<Record<string, string>>): Promise<boolean | undefined> {
  const accepted = deferred<Connection>()
  const { listen } = webSocketListener({ origins: '*' })
  const listener = await listen!('ws://127.0.0.1:0', (connection) => accepted.resolve(connection))
  const socket = new WebSocket(listener.address, { headers })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const connection = await accepted.promise
  cleanups.push(async () => {
    connection.abort()
    await closed
    await listener.close()
  })
  return connection.isFromThisMachine
}

describe('a connection from 127.0.0.1 is from this machine', () => {
  test.each([{}, { origin: 'http://localhost:5173' }, { origin: 'https://127.0.0.1' }])(
    'with headers %j',
    async (headers) => {
      expect(await isFromThisMachine(headers)).toBe(true)
    },
  )
})

describe('a connection from 127.0.0.1 may be from anywhere', () => {
  test.each([
    { origin: 'https://elsewhere.example' },
    { origin: 'null' },
    { 'x-forwarded-for': '203.0.113.7' },
    { forwarded: 'for=203.0.113.7' },
    { via: '1.1 proxy' },
    { origin: 'http://localhost', 'x-forwarded-for': '127.0.0.1' },
  ])('with headers %j', async (headers) => {
    expect(await isFromThisMachine(headers as Record<string, string>)).toBe(false)
  })
})

test.each([
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['192.0.2.1', false],
  ['::ffff:192.0.2.1', false],
  ['2001:db8::1', false],
  [undefined, false],
])('a program at %s: %s', (remoteAddress, is) => {
  expect(isLocal({ origin: undefined, remoteAddress })).toBe(is)
})

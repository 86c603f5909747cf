/** What is masked: whatever a proxy could read along, and nothing else. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { deferred } from '../../src/base/deferred.ts'
import { ConfigError } from '../../src/base/errors.ts'
import type { WebSocketClientOptions, WebSocketConstructor } from '../../src/transport/websocket/web-socket-like.ts'
import { webSocket } from '../../src/transport/websocket/websocket-transport.ts'
import { NEVER } from '../conformance/listening-pair.ts'
import { rejection } from './owner.ts'

/** What a class of sockets is given to dial that URL with. */
async function optionsFor(url: string): Promise<WebSocketClientOptions> {
  let given: WebSocketClientOptions | undefined
  class Refusing {
    constructor(_url: string, _protocols?: string[], options?: WebSocketClientOptions) {
      given = options
      throw new Error('seen enough')
    }
  }
  const { dial } = webSocket({ WebSocket: Refusing as unknown as WebSocketConstructor })
  expect(await rejection(dial!(url, { signal: NEVER }))).toBeInstanceOf(ConfigError)
  return given!
}

test.each([
  'ws://relay.example',
  'ws://192.0.2.1:8080/',
  'ws://localhost.example',
  'ws://127.0.0.1.example/',
  'ws://127.example',
  'ws://[2001:db8::1]:80',
  'ws://user@192.0.2.1/127.0.0.1',
])('with keys nobody can foresee: %s', async (url) => {
  expect((await optionsFor(url)).generateMask).toBeUndefined()
})

test.each([
  'wss://relay.example',
  'WSS://192.0.2.1:8080/path',
  'ws://localhost',
  'ws://localhost:8080/path',
  'ws://127.0.0.1:8080',
  'ws://127.1.2.3?query',
  'ws://[::1]:8080/',
])('not at all: %s', async (url) => {
  const { generateMask } = await optionsFor(url)
  const key = Uint8Array.of(1, 2, 3, 4)
  generateMask!(key)
  expect(key).toEqual(new Uint8Array(4))
})

test('bytes leave this machine for itself as they are', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const seen = deferred<Buffer>()
  server.on('connection', (_socket, request) => request.socket.once('data', seen.resolve))
  const { port } = server.address() as AddressInfo
  const connection = await webSocket().dial!(`ws://127.0.0.1:${port}`, { signal: NEVER })
  connection.send(Uint8Array.of(1, 2, 3))
  // One binary message of three bytes, masked with the key zero.
  expect([...(await seen.promise)]).toEqual([0x82, 0x83, 0, 0, 0, 0, 1, 2, 3])
  connection.abort()
  server.close()
})

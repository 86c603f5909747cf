/** WebSockets in Node.js: addresses, who may connect, what a hostile client achieves, what a dialler learns. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { deferred } from '../../src/base/deferred.ts'
import type { Connection } from '../../src/link/connection.ts'
import {
  listenOn,
  MAX_STRANGER_BYTES,
  type WebSocketListenerOptions,
  webSocketListener,
} from '../../src/transport/websocket/listener.node.ts'
import { admits } from '../../src/transport/websocket/origin-policy.ts'
import { webSocket } from '../../src/transport/websocket/websocket-transport.ts'
import { NEVER } from '../conformance/listening-pair.ts'
import { Owner, rejection } from './owner.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A listener and what it accepts, in order. */
async function listening(options: WebSocketListenerOptions = {}, address = 'ws://127.0.0.1:0') {
  const accepted: Connection[] = []
  const waiting: ((connection: Connection) => void)[] = []
  const listener = await webSocketListener(options).listen!(address, (connection) => {
    accepted.push(connection)
    waiting.shift()?.(connection)
  })
  cleanups.push(() => {
    for (const connection of accepted) connection.abort()
    return listener.close()
  })
  const next = (): Promise<Connection> => {
    const { promise, resolve } = deferred<Connection>()
    waiting.push(resolve)
    return promise
  }
  return { listener, address: listener.address, accepted, next }
}

async function dial(address: unknown, signal = NEVER): Promise<Connection> {
  const connection = await webSocket().dial!(address, { signal })
  cleanups.push(() => connection.abort())
  return connection
}

async function plainServer(): Promise<{ server: Server; port: number }> {
  const server = createServer((_request, response) => void response.end('a web page'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** A client that has done its handshake and may now send any bytes at all. */
async function rawClient(address: string): Promise<Socket> {
  const { hostname, port } = new URL(address)
  const socket = connect(Number(port), hostname)
  cleanups.push(() => socket.destroy())
  socket.write(
    `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  )
  await once(socket, 'data')
  return socket
}

/** Settles when a client's connection is over, however rudely. */
function closing(client: Socket): Promise<void> {
  client.on('error', () => undefined)
  return new Promise((resolve) => client.once('close', () => resolve()))
}

/** The HTTP status of a handshake, 101 when it succeeds. */
async function handshake(address: string, headers: Record<string, string>): Promise<number | undefined> {
  const client = new WebSocket(address, { headers })
  const status = deferred<number | undefined>()
  client.on('unexpected-response', (_request, response) => status.resolve(response.statusCode))
  client.on('error', status.reject)
  client.on('upgrade', () => status.resolve(101))
  try {
    return await status.promise
  } finally {
    client.on('error', () => undefined)
    client.terminate()
  }
}

describe('addresses', () => {
  test('port 0 becomes a real one, with the path', async () => {
    const { address } = await listening({}, 'ws://127.0.0.1:0/actors')
    expect(address).toMatch(/^ws:\/\/127\.0\.0\.1:[1-9]\d*\/actors$/)
    await dial(address)
    expect(await rejection(dial(address.replace('/actors', '/other')))).toMatchObject({ name: 'UnreachableError' })
  })

  test('IPv6 and names', async () => {
    const { address } = await listening({}, 'ws://localhost:0')
    await dial(address)
  })

  test('a port in use is a ConfigError that names the address', async () => {
    const { address } = await listening()
    expect(await rejection(listening({}, address))).toMatchObject({
      name: 'ConfigError',
      message: `expected a free address, got one that is already in use: ${address}`,
    })
  })

  test.each(['http://127.0.0.1:0', 'tcp://x', 'nonsense', 'ws://127.0.0.1:0/?query', 'ws://user@127.0.0.1:0'])(
    'listening at %s is a ConfigError that says what is expected',
    async (address) => {
      expect(await rejection(listening({}, address))).toMatchObject({
        name: 'ConfigError',
        message: `expected an address like ws://host:port/path, got ${JSON.stringify(address)}`,
      })
    },
  )

  test('listening at wss:// points to startRelay', async () => {
    expect(await rejection(listening({}, 'wss://127.0.0.1:0'))).toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('startRelay({ server })'),
    })
  })

  test('dialling anything but ws:// and wss:// is a ConfigError', async () => {
    expect(['ws://a', 'wss://a', 'WS://a', 'http://a', 7, undefined].map(webSocket().handles)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ])
    expect(await rejection(dial('http://a'))).toMatchObject({
      name: 'ConfigError',
      message: 'expected a ws:// or wss:// URL, got "http://a"',
    })
    expect(await rejection(dial('ws://'))).toMatchObject({ name: 'ConfigError' })
  })
})

describe('dialling', () => {
  test('where nobody listens', async () => {
    const { listener, address } = await listening()
    await listener.close()
    expect(await rejection(dial(address))).toMatchObject({
      name: 'UnreachableError',
      outcome: 'not-sent',
      message: expect.stringContaining(address),
    })
  })

  test('where a web server listens that knows no WebSocket', async () => {
    const { port } = await plainServer()
    expect(await rejection(dial(`ws://127.0.0.1:${port}`))).toMatchObject({
      name: 'UnreachableError',
      outcome: 'not-sent',
      message: expect.stringContaining('got Unexpected server response: 200'),
    })
  })

  test('where the server never answers, until the signal gives up', async () => {
    const { server, port } = await plainServer()
    const asked = once(server, 'upgrade')
    const controller = new AbortController()
    const dialling = dial(`ws://127.0.0.1:${port}`, controller.signal)
    const [, socket] = (await asked) as [unknown, Socket]
    const left = once(socket, 'end')
    controller.abort(new RangeError('too slow'))
    expect(await rejection(dialling)).toBe(controller.signal.reason)
    socket.resume()
    await left
  })

  test('with an aborted signal dials nothing', async () => {
    const { address, accepted } = await listening()
    const signal = AbortSignal.abort()
    expect(await rejection(dial(address, signal))).toBe(signal.reason)
    expect(accepted).toEqual([])
  })

  test('hands over plain Uint8Arrays, which copy when they are sliced', async () => {
    const { address, next } = await listening()
    const [connection, other] = await Promise.all([dial(address), next()])
    const owner = new Owner(other)
    connection.send(new Uint8Array([1, 2, 3]))
    await owner.arrived(1)
    const batch = owner.batches[0]!
    expect(batch.constructor).toBe(Uint8Array)
    batch.slice().fill(9)
    expect(batch).toEqual(new Uint8Array([1, 2, 3]))
  })
})

const NEVER_CALLED = (): never => {
  throw new RangeError('expected nothing to arrive')
}

describe('a probe', () => {
  test('is answered by the platform, before the program there has even begun to read', async () => {
    const { address, next } = await listening()
    const accepted = next()
    await dial(address)
    const near = await accepted
    const alive = deferred<void>()
    near.open({ received: NEVER_CALLED, drained: NEVER_CALLED, closed: () => undefined, alive: () => alive.resolve() })
    near.probe!()
    await alive.promise
  })
})

describe('who may connect', () => {
  test.each([
    ['no browser, no list', undefined, undefined, '10.0.0.9', true],
    ['no browser, a list', ['https://app.example'], undefined, '10.0.0.9', true],
    ['a local page from this machine', undefined, 'http://localhost:5173', '127.0.0.1', true],
    ['a local page, IPv4 in IPv6', undefined, 'http://127.0.0.1:5173', '::ffff:127.0.0.1', true],
    ['a local page, IPv6', undefined, 'http://[::1]:5173', '::1', true],
    ['a local page from another machine', undefined, 'http://localhost:5173', '10.0.0.9', false],
    ['a foreign page from this machine', undefined, 'http://evil.example', '127.0.0.1', false],
    ['a page whose name only begins like a local one', undefined, 'http://localhost.evil.example', '127.0.0.1', false],
    ['a page without an origin', undefined, 'null', '127.0.0.1', false],
    ['a listed page', ['https://app.example'], 'https://app.example', '10.0.0.9', true],
    ['a listed host with another port', ['https://app.example'], 'https://app.example:444', '10.0.0.9', false],
    ['a listed host with another scheme', ['https://app.example'], 'http://app.example', '10.0.0.9', false],
    ['a subdomain of a listed host', ['https://app.example'], 'https://x.app.example', '10.0.0.9', false],
    ['a local page, not listed', ['https://app.example'], 'http://localhost', '127.0.0.1', false],
    ['any page, if so wished', '*' as const, 'http://evil.example', '10.0.0.9', true],
  ])('%s', (_name, allowed, origin, remoteAddress, expected) => {
    expect(admits(allowed, { origin, remoteAddress })).toBe(expected)
  })

  test('a page from elsewhere gets 403, by either name of the header', async () => {
    const { address, accepted } = await listening()
    expect(await handshake(address, { Origin: 'https://evil.example' })).toBe(403)
    expect(await handshake(address, { 'Sec-WebSocket-Origin': 'https://evil.example' })).toBe(403)
    expect(accepted).toEqual([])
    expect(await handshake(address, { Origin: 'http://localhost:5173' })).toBe(101)
  })

  test('other paths get 404, plain requests 426', async () => {
    const { address } = await listening()
    expect(await handshake(`${address}/elsewhere`, {})).toBe(404)
    expect((await fetch(address.replace('ws:', 'http:'))).status).toBe(426)
  })

  test('more than maxConnections get 503', async () => {
    const { address } = await listening({ maxConnections: 1 })
    const connection = await dial(address)
    expect(await handshake(address, {})).toBe(503)
    connection.close()
    await new Owner(connection).ended
    await dial(address)
  })
})

describe('a hostile or broken client closes its own connection only:', () => {
  const masked = (opcode: number, length: number): Buffer => Buffer.from([0x80 | opcode, 0x80 | length, 0, 0, 0, 0])
  test.each([
    ['noise', Buffer.from('garbage garbage garbage'), 'ProtocolError'],
    ['an unmasked frame', Buffer.from([0x82, 1, 7]), 'ProtocolError'],
    ['a text frame', Buffer.concat([masked(1, 2), Buffer.from('hi')]), 'ProtocolError'],
    ['a frame that announces too much', Buffer.from([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), 'ProtocolError'],
  ])('%s', async (_name, bytes, expected) => {
    const { address, next } = await listening()
    const [neighbour, atNeighbour] = await Promise.all([dial(address), next()])
    const [hostile, client] = await Promise.all([next(), rawClient(address)])
    const owner = new Owner(hostile)
    client.write(bytes)
    expect(await owner.ended).toMatchObject({ name: expected })
    expect(owner.batches).toEqual([])
    const neighbourOwner = new Owner(atNeighbour)
    neighbour.send(new Uint8Array([1]))
    await neighbourOwner.arrived(1)
  })

  test('vanishing is an UnreachableError', async () => {
    const { address, next } = await listening()
    const [connection, client] = await Promise.all([next(), rawClient(address)])
    const owner = new Owner(connection)
    client.destroy()
    expect(await owner.ended).toMatchObject({ name: 'UnreachableError' })
  })

  test('a batch too large for the listener ends both sides with a ProtocolError', async () => {
    const { address, next } = await listening({ maxBatchBytes: 1000 })
    const [connection, other] = await Promise.all([dial(address), next()])
    const owners = [new Owner(connection), new Owner(other)]
    connection.send(new Uint8Array(1001))
    for (const owner of owners) expect(await owner.ended).toMatchObject({ name: 'ProtocolError' })
    expect(owners[1]!.batches).toEqual([])
  })
})

describe('somebody who is not let in yet', () => {
  class Doorkeeper extends Owner {
    isStranger = true
  }

  /** A listener whose connections are opened as they come, as those of links are. */
  async function guarded() {
    const first = deferred<Doorkeeper>()
    const listener = await webSocketListener().listen!('ws://127.0.0.1:0', (connection) => {
      cleanups.push(() => connection.abort())
      first.resolve(new Doorkeeper(connection))
    })
    cleanups.push(() => listener.close())
    return { address: listener.address, first: first.promise }
  }

  test.each([
    ['one message that never ends', [0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], 0],
    ['many whole messages', [0x82, 0xfe, 0x03, 0xf8, 0, 0, 0, 0], 1016],
    ['many pongs', [0x8a, 0xfd, 0, 0, 0, 0], 125],
  ])('may not send more than a greeting: %s', async (_name, head, length) => {
    const { address, first } = await guarded()
    const client = await rawClient(address)
    const owner = await first
    const over = closing(client)
    const message = Buffer.concat([Buffer.from(head), Buffer.alloc(length)])
    if (length === 0) client.write(Buffer.concat([message, Buffer.alloc(4 * MAX_STRANGER_BYTES)]))
    else for (let sent = 0; sent < 4 * MAX_STRANGER_BYTES; sent += message.length) client.write(message)
    expect(await owner.ended).toMatchObject({
      name: 'ProtocolError',
      message: expect.stringMatching(
        /^expected at most 65536 bytes from 127\.0\.0\.1:\d+ before it is let in, got \d+$/,
      ),
    })
    await over
  })

  test('is cut off although the connection was given up already, and is only waited for', async () => {
    const { address, first } = await guarded()
    const client = await rawClient(address)
    const owner = await first
    const over = closing(client)
    client.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61]))
    expect(await owner.ended).toMatchObject({ name: 'ProtocolError', message: expect.stringContaining('got text') })
    client.write(Buffer.concat([Buffer.from([0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(262_144)]))
    await over
  })

  test('may send all it likes once it is let in, however much it was before', async () => {
    const { address, first } = await guarded()
    const connection = await dial(address)
    const owner = await first
    connection.send(new Uint8Array(60_000))
    await owner.arrived(1)
    owner.isStranger = false
    connection.send(new Uint8Array(10_000))
    connection.send(new Uint8Array(1_000_000).fill(7))
    await owner.arrived(3)
    expect(owner.batches.map(({ byteLength }) => byteLength)).toEqual([60_000, 10_000, 1_000_000])
  })
})

describe('closing the listener', () => {
  test('leaves open connections and frees the port', async () => {
    const { listener, address, next } = await listening()
    const [connection, other] = await Promise.all([dial(address), next()])
    await listener.close()
    expect(await rejection(dial(address))).toMatchObject({ name: 'UnreachableError' })
    const again = await listening({}, address)
    expect(again.address).toBe(address)
    const owner = new Owner(other)
    connection.send(new Uint8Array([1]))
    await owner.arrived(1)
  })
})

describe('on a server of the application', () => {
  test('takes its path and leaves the others', async () => {
    const { server, port } = await plainServer()
    const accepted = deferred<Connection>()
    const listener = listenOn(server, accepted.resolve, { path: '/actors' })
    server.on('upgrade', (request, socket) => {
      if (request.url === '/mine') socket.end('HTTP/1.1 418 Mine\r\n\r\n')
    })
    expect(listener.address).toBe(`ws://127.0.0.1:${port}/actors`)
    expect(await handshake(`ws://127.0.0.1:${port}/mine`, {})).toBe(418)
    const [connection, other] = await Promise.all([dial(listener.address), accepted.promise])
    const owner = new Owner(other)
    connection.send(new Uint8Array([1]))
    await owner.arrived(1)
    await listener.close()
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('a web page')
  })
})

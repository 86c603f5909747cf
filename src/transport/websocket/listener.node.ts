/**
 * Accepting WebSockets in Node.js, on a port of its own or on paths of an HTTP server the application already has. The
 * only file that knows `ws` as a server.
 */

import type { IncomingMessage, Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { ConfigError, describe, ProtocolError } from '../../base/errors.ts'
import { macrotask } from '../../base/macrotask.ts'
import type { Connection, Listener, Transport } from '../../link/connection.ts'
import { admits, isLocal } from './origin-policy.ts'
import { DEFAULT_MAX_BATCH_BYTES, SocketConnection } from './socket-connection.ts'
import type { WebSocketLike } from './web-socket-like.ts'

/** How long a client may take for its HTTP request, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 5_000
/** The largest HTTP request head: room for a proxy's headers and cookies. */
const MAX_HEADER_BYTES = 16 * 1024
/** How long a closed socket waits for the other side's close frame. */
const CLOSE_TIMEOUT_MS = 5_000
/** WebSocket fragments one message may come in, and network reads one frame may be spread over: tiny ones cost memory far beyond their bytes. */
const MAX_FRAGMENTS = 4_096
const MAX_BUFFERED_CHUNKS = 65_536
/** Bytes taken of somebody who is not let in yet, whatever they are: a greeting is far less, a batch may be far more. */
export const MAX_STRANGER_BYTES: number = 64 * 1024
/** Connections at a time, unless the listener is told otherwise. */
export const DEFAULT_MAX_CONNECTIONS = 10_000

export interface WebSocketListenerOptions {
  /**
   * Exact origins of the web pages that may connect (`https://app.example`), or `'*'` for all. Requests without an
   * `Origin` header (Node.js, native programs) are always let through to authentication. Default: pages of `localhost`,
   * `127.0.0.1` and `[::1]` connecting from this machine, and no others.
   */
  readonly origins?: readonly string[] | '*'
  /** The largest batch taken and sent; a larger one closes its connection. Default {@link DEFAULT_MAX_BATCH_BYTES}. */
  readonly maxBatchBytes?: number
  /** Most connections at a time; more are refused with 503. Default {@link DEFAULT_MAX_CONNECTIONS}. */
  readonly maxConnections?: number
}

export interface ListenOnOptions extends WebSocketListenerOptions {
  /** Requests for other paths are left to the server's other listeners. Default `/`. */
  readonly path?: string
}

/** Listens at `ws://host:port/path`; port 0 picks a free one. Dials nothing: put `webSocket()` beside it. */
export function webSocketListener(options: WebSocketListenerOptions = {}): Transport {
  return {
    name: 'websocket',
    handles: () => false,
    listen: (address, accept) => listenAt(parseAddress(address), accept, options),
  }
}

/** Accepts WebSockets on an HTTP or HTTPS server of the application, which stays the application's to start and to close. */
export function listenOn(
  server: Server,
  accept: (connection: Connection) => void,
  options: ListenOnOptions = {},
): Listener {
  const path = options.path ?? '/'
  const upgrades = new Upgrades(accept, options)
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (pathOf(request) === path) upgrades.handle(request, socket, head)
  }
  server.on('upgrade', onUpgrade)
  return {
    get address() {
      const bound = server.address()
      if (bound === null || typeof bound === 'string')
        throw new ConfigError('expected a server that listens on a port, got one that does not')
      const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
      return `${'setSecureContext' in server ? 'wss' : 'ws'}://${host}:${bound.port}${path === '/' ? '' : path}`
    },
    async close() {
      server.off('upgrade', onUpgrade)
      upgrades.close()
    },
  }
}

interface Place {
  readonly address: string
  readonly host: string
  readonly port: number
  readonly path: string
}

function parseAddress(address: string): Place {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol === 'wss:')
    throw new ConfigError(
      `expected ws://host:port, or an https server given to startRelay({ server }), got ${describe(address)}`,
    )
  if (url?.protocol !== 'ws:' || url.search || url.hash || url.username)
    throw new ConfigError(`expected an address like ws://host:port/path, got ${describe(address)}`)
  return { address, host: url.hostname, port: url.port === '' ? 80 : Number(url.port), path: url.pathname }
}

async function listenAt(
  place: Place,
  accept: (connection: Connection) => void,
  options: WebSocketListenerOptions,
): Promise<Listener> {
  const { host, path } = place
  const upgrades = new Upgrades(accept, options)
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HANDSHAKE_TIMEOUT_MS,
    requestTimeout: HANDSHAKE_TIMEOUT_MS,
    connectionsCheckingInterval: HANDSHAKE_TIMEOUT_MS / 5,
  })
  server.on('request', (_request, response) =>
    response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end(),
  )
  server.on('upgrade', (request, socket, head) => {
    if (pathOf(request) === path) upgrades.handle(request, socket, head)
    else refuse(socket, '404 Not Found')
  })
  await new Promise<void>((resolve, reject) => {
    // Stays for good: a connection that could not be accepted (no file handles left) must not end the process.
    server.on('error', (error) => reject(listenError(place, error)))
    // Brackets are how a URL writes an IPv6 address; sockets want it without.
    server.listen({ host: host.replace(/^\[|\]$/g, ''), port: place.port }, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    address: `ws://${host}:${port}${path === '/' ? '' : path}`,
    async close() {
      upgrades.close()
      // Its callback would wait for the connections that stay open; the port is free one turn later.
      server.close()
      server.closeIdleConnections()
      await new Promise<void>((resolve) => macrotask(resolve))
    },
  }
}

function listenError({ address }: Place, error: NodeJS.ErrnoException): ConfigError {
  const got = error.code === 'EADDRINUSE' ? 'one that is already in use' : error.message
  return new ConfigError(`expected a free address, got ${got}: ${address}`, { cause: error })
}

/** HTTP requests on their way to being connections. */
class Upgrades {
  readonly #server: WebSocketServer
  readonly #accept: (connection: Connection) => void
  readonly #options: WebSocketListenerOptions
  readonly #maxBatchBytes: number

  constructor(accept: (connection: Connection) => void, options: WebSocketListenerOptions) {
    this.#accept = accept
    this.#options = options
    this.#maxBatchBytes = options.maxBatchBytes ?? DEFAULT_MAX_BATCH_BYTES
    this.#server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: this.#maxBatchBytes,
      maxFragments: MAX_FRAGMENTS,
      maxBufferedChunks: MAX_BUFFERED_CHUNKS,
      closeTimeout: CLOSE_TIMEOUT_MS,
    } as ConstructorParameters<typeof WebSocketServer>[0])
  }

  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { remoteAddress, remotePort } = request.socket
    // Two names: version 8 of the protocol, which `ws` still speaks, called it differently.
    const origin = request.headers.origin ?? request.headers['sec-websocket-origin']?.toString()
    const isFull = this.#server.clients.size >= (this.#options.maxConnections ?? DEFAULT_MAX_CONNECTIONS)
    if (isFull || !admits(this.#options.origins, { origin, remoteAddress })) {
      refuse(socket, isFull ? '503 Service Unavailable' : '403 Forbidden')
      return
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const peer = `${remoteAddress}:${remotePort}`
      const isFromThisMachine = isLocal({ origin, remoteAddress }) && !isForwarded(request)
      const options = { maxBatchBytes: this.#maxBatchBytes, peer, isFromThisMachine }
      const connection = new SocketConnection(webSocket as unknown as WebSocketLike, options)
      this.#accept(connection)
      if (connection.isFromStranger) watchStranger(socket, connection, peer)
    })
  }

  close(): void {
    this.#server.close()
  }
}

/** Counts what is read from the network until the other side is let in: `ws` keeps all of a message that is not whole yet. */
function watchStranger(socket: Duplex, connection: SocketConnection, peer: string): void {
  let bytes = 0
  const count = (chunk: Buffer): void => {
    bytes += chunk.byteLength
    if (!connection.isFromStranger) socket.off('data', count)
    else if (bytes > MAX_STRANGER_BYTES)
      connection.cutOff(
        new ProtocolError(
          `expected at most ${MAX_STRANGER_BYTES} bytes from ${peer} before it is let in, got ${bytes}`,
        ),
      )
  }
  socket.on('data', count)
}

/** Whether a proxy sent the request on: its address is not that of who asks. */
function isForwarded({ headers }: IncomingMessage): boolean {
  return headers.forwarded !== undefined || headers.via !== undefined || headers['x-forwarded-for'] !== undefined
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
}

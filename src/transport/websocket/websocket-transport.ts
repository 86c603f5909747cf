/**
 * WebSocket as a transport, the dialling half: the same in browsers, workers and Node.js. Listening needs Node.js and
 * is in `listener.node.ts`.
 */
import { ConfigError, describe } from '../../base/errors.ts'
import type { Connection, DialOptions, Transport } from '../../link/connection.ts'
import { dialSocket } from './socket.ts'
import { DEFAULT_MAX_BATCH_BYTES } from './socket-connection.ts'
import type { WebSocketConstructor } from './web-socket-like.ts'

export interface WebSocketOptions {
  /** The class to dial with. Default: the platform's own; in Node.js the one of `ws`. */
  readonly WebSocket?: WebSocketConstructor
  /** The largest batch sent, and in Node.js the largest taken; the other side must take it. Default {@link DEFAULT_MAX_BATCH_BYTES}. */
  readonly maxBatchBytes?: number
}

/** Dials `ws://` and `wss://` URLs. */
export function webSocket(options: WebSocketOptions = {}): Transport {
  const maxBatchBytes = options.maxBatchBytes ?? DEFAULT_MAX_BATCH_BYTES
  return {
    name: 'websocket',
    handles: isWebSocketUrl,
    async dial(endpoint: unknown, { signal }: DialOptions): Promise<Connection> {
      if (!isWebSocketUrl(endpoint)) throw new ConfigError(`expected a ws:// or wss:// URL, got ${describe(endpoint)}`)
      return await dialSocket(endpoint, { WebSocket: options.WebSocket, maxBatchBytes, signal })
    },
  }
}

function isWebSocketUrl(endpoint: unknown): endpoint is string {
  return typeof endpoint === 'string' && /^wss?:\/\//i.test(endpoint)
}

/**
 * Dialling a WebSocket: from a URL to an open `SocketConnection`, or to an error that says why not. The only file that
 * knows isomorphic-ws, which is `ws` in Node.js and the platform's own WebSocket elsewhere.
 */
import IsomorphicWebSocket from 'isomorphic-ws'
import { ConfigError, PulsingUnsupportedError, UnreachableError } from '../../base/errors.ts'
import { SocketConnection } from './socket-connection.ts'
import type { WebSocketConstructor, WebSocketLike } from './web-socket-like.ts'

/** The class the platform dials with; none where it has no WebSocket. */
export const PlatformWebSocket: WebSocketConstructor | null | undefined = IsomorphicWebSocket

export interface DialSocketOptions {
  readonly WebSocket: WebSocketConstructor | undefined
  readonly maxBatchBytes: number
  readonly signal: AbortSignal
}

/**
 * Opens a connection to a `ws:` or `wss:` URL.
 *
 * @throws UnreachableError (`not-sent`) when no WebSocket server answers there
 * @throws ConfigError when the platform refuses the URL
 */
export function dialSocket(url: string, options: DialSocketOptions): Promise<SocketConnection> {
  const { signal, maxBatchBytes } = options
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = createSocket(url, options)
    let problem: unknown
    const giveUp = (): void => {
      // `onerror` stays: `ws` reports the end of an unfinished handshake as an error, which somebody must hear.
      socket.onopen = socket.onclose = null
      if (socket.terminate) socket.terminate()
      else socket.close()
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    socket.onopen = () => {
      signal.removeEventListener('abort', giveUp)
      socket.onopen = null
      resolve(new SocketConnection(socket, { maxBatchBytes, peer: url }))
    }
    socket.onerror = (event) => {
      problem = (event as { readonly error?: unknown }).error
    }
    socket.onclose = (event) => {
      signal.removeEventListener('abort', giveUp)
      const got = problem instanceof Error && problem.message ? problem.message : `close code ${event.code}`
      const message = `expected a WebSocket server at ${url}, got ${got}`
      reject(
        new UnreachableError(message, { outcome: 'not-sent', ...(problem === undefined ? {} : { cause: problem }) }),
      )
    }
  })
}

function createSocket(url: string, options: DialSocketOptions): WebSocketLike {
  const WebSocketClass = options.WebSocket ?? PlatformWebSocket
  if (!WebSocketClass)
    throw new PulsingUnsupportedError('expected a platform with WebSocket, or one passed as `WebSocket`, got neither')
  try {
    return new WebSocketClass(url, [], {
      perMessageDeflate: false,
      maxPayload: options.maxBatchBytes,
      ...(isOutOfSight(url) && { generateMask: maskNothing }),
    })
  } catch (error) {
    throw new ConfigError(`expected a WebSocket URL this platform accepts, got ${url}`, { cause: error })
  }
}

/**
 * Whether nobody between here and there can read along: the bytes are encrypted, or never leave this machine. Masks are
 * for those who would (RFC 6455, 10.3): no proxy is to take them for HTTP. Where there is none, the key is zero, which
 * spares both sides a copy.
 */
function isOutOfSight(url: string): boolean {
  return /^(wss:|ws:\/\/(localhost|127(\.\d+){3}|\[::1])([:/?#]|$))/i.test(url)
}

/** Masks nothing. */
function maskNothing(mask: Uint8Array): void {
  mask.fill(0)
}

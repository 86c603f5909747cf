/**
 * The part of a WebSocket this transport uses, stated structurally: browsers, `ws`, Node.js 22, Deno and Bun all have
 * it, and none of their types need be known here.
 */

/** A WebSocket, of whatever make. */
export interface WebSocketLike {
  binaryType: string
  readonly readyState: number
  readonly bufferedAmount: number
  send(data: Uint8Array, sent?: (error?: Error) => void): void
  close(code?: number, reason?: string): void
  /** Only where a program can ask for a pong (`ws`), and hear it. */
  ping?(): void
  on?(event: 'message' | 'ping' | 'pong', listener: (payload: Uint8Array) => void): void
  /** Only where the platform can end a socket at once (`ws`); such sockets also call `sent` back. */
  terminate?(): void
  onopen: ((event: unknown) => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onerror: ((event: unknown) => void) | null
  onclose: ((event: { readonly code: number; readonly reason: string; readonly wasClean: boolean }) => void) | null
}

/** Settings `ws` takes as a third argument; browsers ignore it. */
export interface WebSocketClientOptions {
  readonly perMessageDeflate: boolean
  readonly maxPayload: number
  /** Fills in the key the next frame is masked with, of four bytes; by default a random one. Zero masks nothing. */
  readonly generateMask?: (mask: Uint8Array) => void
}

/** A class of WebSockets: the browser's, the default export of `ws`, or the global one of a newer Node.js. */
export interface WebSocketConstructor {
  new (url: string, protocols?: string[], options?: WebSocketClientOptions): WebSocketLike
}

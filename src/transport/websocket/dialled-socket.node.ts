/** The WebSocket Node.js dials with: the platform's, which is the one of `ws`, reading into memory of our choice. */
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { ReadMemory } from './read-memory.ts'
import { PlatformWebSocket } from './socket.ts'
import type { WebSocketClientOptions, WebSocketConstructor } from './web-socket-like.ts'

/**
 * Left to itself Node.js takes new memory of 64 KiB for every read, in which no message of that size ever lies whole, and
 * `ws` copies its parts together into as much again: garbage that an engine collects all memory for. Of `wss:` nothing
 * changes: TLS hands out what it decrypted, 16 KiB at a time.
 */
export class DialledSocket extends (PlatformWebSocket as WebSocketConstructor) {
  constructor(url: string, protocols?: string[], options?: WebSocketClientOptions) {
    if (!/^ws:/i.test(url)) {
      super(url, protocols, options)
      return
    }
    const memory = new ReadMemory((bytes) => Buffer.allocUnsafeSlow(bytes))
    const createConnection = (args: object): Socket => connectInto(memory, args)
    super(url, protocols, { ...options, createConnection } as WebSocketClientOptions)
    const ended = ({ byteLength }: Uint8Array): void => memory.ended(byteLength + headBytes(byteLength))
    this.on?.('message', ended)
    this.on?.('ping', ended)
    this.on?.('pong', ended)
  }
}

/** As `ws` connects: the path of the arguments is the one of the URL, which here would name a local socket. */
function connectInto(memory: ReadMemory, args: object): Socket {
  const onread = {
    buffer: () => memory.next(),
    callback: (bytes: number) => socket.push(memory.took(bytes)),
  }
  const socket = connect({ ...args, path: undefined, onread } as unknown as NetConnectOpts)
  return socket
}

/** Bytes of a frame's head that a server sends, which masks nothing. */
function headBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return 2
  return payloadBytes < 65_536 ? 4 : 10
}

/** The WebSocket Node.js dials with: the one of `ws`, which reads into memory of our choice. */
import type { ClientRequestArgs } from 'node:http'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { ReadMemory } from './read-memory.ts'
import type { WebSocketClientOptions, WebSocketConstructor } from './web-socket-like.ts'

/**
 * Left to itself Node.js takes new memory of 64 KiB for every read, in which no message of that size ever lies whole, and
 * `ws` copies its parts together into as much again: garbage that an engine collects all memory for. Of `wss:` nothing
 * changes: TLS hands out what it decrypted, 16 KiB at a time.
 */
class ReadingSocket extends WebSocket {
  constructor(url: string, protocols?: string[], options?: WebSocketClientOptions) {
    if (!/^ws:/i.test(url)) {
      super(url, protocols, options)
      return
    }
    const memory = new ReadMemory((bytes) => Buffer.allocUnsafeSlow(bytes))
    super(url, protocols, { ...options, createConnection: (args: ClientRequestArgs) => connectInto(memory, args) })
    const ended = (payload: { readonly byteLength: number }): void =>
      memory.ended(payload.byteLength + headBytes(payload.byteLength))
    this.on('message', (payload) => ended(payload as Buffer))
    this.on('ping', ended)
    this.on('pong', ended)
  }
}

/** Its events are typed more narrowly than those of other makes. */
export const DialledSocket = ReadingSocket as unknown as WebSocketConstructor

/** As `ws` connects: the path of the arguments is the one of the URL, which here would name a local socket. */
function connectInto(memory: ReadMemory, args: ClientRequestArgs): Socket {
  const onread = {
    buffer: () => memory.next(),
    callback: (bytes: number) => socket.push(memory.took(bytes)),
  }
  const socket = connect({ ...args, path: undefined, onread } as NetConnectOpts)
  return socket
}

/** Bytes of a frame's head that a server sends, which masks nothing. */
function headBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return 2
  return payloadBytes < 65_536 ? 4 : 10
}

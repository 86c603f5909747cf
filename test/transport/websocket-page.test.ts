/** A WebSocket as browsers have it, played by hand: no callback when a message has left, and no way to end it at once. */
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { SOCKET_WINDOW_BYTES, SocketConnection } from '../../src/transport/websocket/socket-connection.ts'
import type { WebSocketLike } from '../../src/transport/websocket/web-socket-like.ts'
import { webSocket } from '../../src/transport/websocket/websocket-transport.ts'
import { Owner, rejection } from './owner.ts'

class PageSocket implements WebSocketLike {
  binaryType = 'blob'
  readyState = 1
  bufferedAmount = 0
  closedWith: (string | number | undefined)[] | undefined
  onopen: WebSocketLike['onopen'] = null
  onmessage: WebSocketLike['onmessage'] = null
  onerror: WebSocketLike['onerror'] = null
  onclose: WebSocketLike['onclose'] = null
  send(data: Uint8Array): void {
    this.bufferedAmount += data.byteLength
  }
  close(code?: number, reason?: string): void {
    this.closedWith = [code, reason]
  }
}

function connected(): { socket: PageSocket; connection: SocketConnection; clock: ManualClock; owner: Owner } {
  const [socket, clock] = [new PageSocket(), new ManualClock()]
  const connection = new SocketConnection(socket, { maxBatchBytes: 1_000_000, peer: 'ws://page', clock })
  return { socket, clock, connection, owner: new Owner(connection) }
}

/** What is delivered by microtask has been. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve()
}

describe('back-pressure', () => {
  test('asks the socket again only while there is no room, and says drained at half the window', async () => {
    const { socket, connection, clock, owner } = connected()
    const batch = new Uint8Array(SOCKET_WINDOW_BYTES / 4)
    expect([1, 2, 3, 4, 5, 6].map(() => connection.send(batch))).toEqual([true, true, true, true, false, false])
    clock.advance(100)
    await settled()
    expect(owner.drains).toBe(0)
    socket.bufferedAmount = SOCKET_WINDOW_BYTES / 2
    clock.advance(100)
    await settled()
    expect(owner.drains).toBe(1)
    expect(clock.pending).toBe(0)
    expect(connection.send(batch)).toBe(true)
  })

  test('leaves no timer behind when it ends while blocked', async () => {
    const { connection, clock, owner } = connected()
    connection.send(new Uint8Array(SOCKET_WINDOW_BYTES + 1))
    connection.abort()
    await owner.ended
    expect(clock.pending).toBe(0)
  })
})

describe('the end', () => {
  test('abort does not wait for the other side', async () => {
    const { socket, connection, owner } = connected()
    connection.abort('enough')
    expect(await owner.ended).toMatchObject({ name: 'UnreachableError', message: expect.stringContaining('enough') })
    expect(socket.closedWith).toEqual([4000, 'enough'])
  })

  test('a reason is cut to what a close frame takes, between characters', () => {
    const { socket, connection } = connected()
    connection.abort('é'.repeat(100))
    const bytes = new TextEncoder().encode(String(socket.closedWith![1]))
    expect(bytes.byteLength).toBeLessThanOrEqual(123)
    expect(bytes.byteLength).toBeGreaterThan(115)
  })

  test.each([
    [1000, undefined],
    [1001, 'UnreachableError'],
    [1006, 'UnreachableError'],
    [4000, 'UnreachableError'],
    [1002, 'ProtocolError'],
    [1009, 'ProtocolError'],
    [4002, 'ProtocolError'],
  ])('close code %i is %s', async (code, name) => {
    const { socket, owner } = connected()
    socket.onclose!({ code, reason: 'why', wasClean: true })
    const error = await owner.ended
    expect(error?.name).toBe(name)
    if (error) expect(error.message).toContain(`${code} (why)`)
  })

  test('text is a ProtocolError, and the other side is told', async () => {
    const { socket, owner } = connected()
    socket.onmessage!({ data: 'text' })
    expect(await owner.ended).toMatchObject({
      name: 'ProtocolError',
      message: 'expected binary messages from ws://page, got text',
    })
    expect(socket.closedWith![0]).toBe(4002)
  })
})

describe('dialling with a given class', () => {
  test('uses it', async () => {
    const sockets: PageSocket[] = []
    class Given extends PageSocket {
      constructor() {
        super()
        sockets.push(this)
        queueMicrotask(() => this.onopen?.({}))
      }
    }
    const signal = new AbortController().signal
    const connection = await webSocket({ WebSocket: Given, maxBatchBytes: 77 }).dial!('ws://given', { signal })
    expect([sockets.length, sockets[0]!.binaryType, connection.maxBatchBytes]).toEqual([1, 'arraybuffer', 77])
  })

  test('a URL the class refuses is a ConfigError with the cause', async () => {
    const cause = new SyntaxError('refused')
    class Refusing extends PageSocket {
      constructor() {
        super()
        throw cause
      }
    }
    const dialling = webSocket({ WebSocket: Refusing }).dial!('ws://x', { signal: new AbortController().signal })
    expect(await rejection(dialling)).toMatchObject({ name: 'ConfigError', cause })
  })
})

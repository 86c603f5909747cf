/** Where network reads go: what is read stays what it was, and large messages come to lie in memory of their own. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { seededRandom } from 'pulsing/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { DialledSocket } from '../../src/transport/websocket/dialled-socket.node.ts'
import { ReadMemory } from '../../src/transport/websocket/read-memory.ts'

const LARGE = 65_564

function memory(): ReadMemory {
  return new ReadMemory((bytes) => new Uint8Array(bytes))
}

/** A read that fills what it is offered. */
function fill(reading: ReadMemory): number {
  return reading.took(reading.next().byteLength).byteLength
}

/** A message that comes as fast as it can be read, whole, or from where it began elsewhere. */
function read(reading: ReadMemory, size: number, begun = 0): void {
  for (let left = size - begun; left > 0; ) left -= reading.took(Math.min(left, reading.next().byteLength)).byteLength
  reading.ended(size)
}

/** Two messages of as many bytes were read, and the network is empty. */
function readTwice(size: number): ReadMemory {
  const reading = memory()
  reading.next()
  reading.took(100)
  read(reading, size)
  read(reading, size)
  return reading
}

describe('reads', () => {
  test('small ones share a slab until half of it is left', () => {
    const reading = memory()
    const first = reading.next()
    reading.took(1000)
    const second = reading.next()
    expect(second.buffer).toBe(first.buffer)
    expect(second.byteOffset).toBe(1000)
    reading.took(first.byteLength / 2 - 1000)
    expect(reading.next().byteOffset).toBe(first.byteLength / 2)
    reading.took(1)
    expect(reading.next().buffer).not.toBe(first.buffer)
  })

  test('one that fills its slab is followed by a larger one, others are not', () => {
    const reading = memory()
    const size = reading.next().byteLength
    reading.took(size - 1)
    expect(reading.next().byteLength).toBe(size)
    reading.took(size)
    expect(reading.next().byteLength).toBeGreaterThan(size)
  })

  test('after two large messages of one size, the next has memory of its own, one after the other', () => {
    const reading = readTwice(LARGE)
    for (let i = 0; i < 3; i++) {
      const own = reading.next()
      expect(own.buffer.byteLength).toBe(LARGE)
      expect(reading.took(LARGE).buffer).toBe(own.buffer)
      reading.ended(LARGE)
    }
  })

  test('a message that comes in parts is read into the same memory, up to its end', () => {
    const reading = readTwice(LARGE)
    const own = reading.next()
    reading.took(30_000)
    const rest = reading.next()
    expect(rest.buffer).toBe(own.buffer)
    expect(rest).toMatchObject({ byteOffset: 30_000, byteLength: LARGE - 30_000 })
    reading.took(LARGE - 30_000)
    reading.ended(LARGE)
    expect(reading.next().byteLength).toBe(LARGE)
  })

  test('what began elsewhere is read up to its end, and no further', () => {
    const reading = readTwice(LARGE)
    reading.next()
    // A small message, and the begin of one that is large again.
    reading.took(1_050)
    reading.ended(50)
    expect(reading.next().byteLength).not.toBe(LARGE)
    read(reading, LARGE, 1_000)
    // One after a small one is not yet two of a size.
    expect(reading.next().byteLength).not.toBe(LARGE)
    reading.took(1_000)
    read(reading, LARGE, 1_000)
    expect(reading.next().byteLength).toBe(LARGE)
  })

  test('no memory is taken for messages of more than 256 KiB, however little of the next comes', () => {
    const reading = readTwice(16 * 1024 * 1024)
    for (let i = 0; i < 100; i++) {
      expect(reading.next().buffer.byteLength).toBeLessThanOrEqual(256 * 1024)
      reading.took(1)
    }
  })

  test('after a small message, or within a longer one, reads share slabs again', () => {
    const small = readTwice(LARGE)
    small.next()
    small.took(50)
    small.ended(50)
    expect(small.next().buffer.byteLength).not.toBe(LARGE)

    const longer = readTwice(LARGE)
    expect(fill(longer)).toBe(LARGE)
    expect(longer.next().buffer.byteLength).not.toBe(LARGE)
    // It ends with a read that leaves room: from there on its size is expected.
    longer.took(5_000)
    longer.ended(LARGE + 5_000)
    read(longer, LARGE + 5_000)
    expect(longer.next().buffer.byteLength).toBe(LARGE + 5_000)
  })

  test('whatever comes, in whatever pieces, nothing that was read is written over', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed)
      const upTo = (most: number): number => 1 + random.int(most)
      const reading = memory()
      const read: Uint8Array[] = []
      let sent = 0
      let ended = 0
      const ends: { readonly at: number; readonly bytes: number }[] = []
      for (let at = 0, bytes = upTo(70_000); ends.length < 40; ) {
        if (random.float() < 0.3) bytes = upTo(70_000)
        at += bytes
        ends.push({ at, bytes })
      }
      const total = ends.at(-1)!.at
      while (sent < total) {
        const offered = reading.next()
        const count = Math.min(offered.byteLength, total - sent, random.float() < 0.5 ? Infinity : upTo(70_000))
        for (let i = 0; i < count; i++) offered[i] = (sent + i) % 251
        sent += count
        read.push(reading.took(count))
        for (; ended < ends.length && ends[ended]!.at <= sent; ended++) reading.ended(ends[ended]!.bytes)
      }
      let at = 0
      for (const bytes of read)
        for (const byte of bytes) if (byte !== at++ % 251) expect.fail(`seed ${seed}, byte ${at}`)
      expect(at).toBe(total)
    }
  })
})

describe('a dialled socket', () => {
  const servers: WebSocketServer[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      for (const client of server.clients) client.terminate()
      server.close()
    }
  })

  /** A server that answers every message with as many bytes as it asks for. */
  async function dialled(): Promise<WebSocket> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
    servers.push(server)
    server.on('connection', (socket) =>
      socket.on('message', (text) => socket.send(new Uint8Array(Number(text)).fill(Number(text) % 256))),
    )
    await once(server, 'listening')
    const socket = new DialledSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`) as unknown as WebSocket
    await once(socket, 'open')
    return socket
  }

  async function ask(socket: WebSocket, bytes: number): Promise<Buffer> {
    socket.send(String(bytes))
    const [data] = (await once(socket, 'message')) as [Buffer]
    expect(data.byteLength).toBe(bytes)
    expect(data.every((byte) => byte === bytes % 256)).toBe(true)
    return data
  }

  test('has small messages of one slab, and large ones read in place', async () => {
    const socket = await dialled()
    const [first, second] = [await ask(socket, 10), await ask(socket, 20)]
    expect(first.buffer).toBe(second.buffer)
    // Most of the time the second of a size is; the network may always deliver one in parts.
    for (let inPlace = false; !inPlace; ) {
      const { byteOffset, byteLength, buffer } = await ask(socket, 40_000)
      inPlace = byteOffset === 4 && buffer.byteLength === byteLength + 4
    }
  })

  test('brings messages of all sizes whole', async () => {
    const socket = await dialled()
    for (const bytes of [0, 125, 126, 65_535, 65_536, 70_000, 70_000, 70_000, 10, 1_000_000, 1_000_000, 3, 70_000])
      await ask(socket, bytes)
  })
})

/** The proxy does to bytes what the tests beside it believe it does. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TcpProxy } from './tcp-proxy.ts'
import { turns, until } from './witness.ts'

/** One end of a TCP connection, and what became of it. */
class End {
  readonly socket: Socket
  received = Buffer.alloc(0)
  end: 'fin' | 'rst' | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes])
    })
    socket.on('end', () => (this.end ??= 'fin'))
    socket.on('error', () => (this.end ??= 'rst'))
  }
}

let server: Server
let proxy: TcpProxy
let ends: End[] = []

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => ends.push(new End(socket))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await TcpProxy.before(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
afterEach(async () => {
  await proxy.close()
  for (const { socket } of ends) socket.destroy()
  ends = []
  await new Promise((resolve) => server.close(resolve))
})

function dial(): End {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(proxy.url).port), allowHalfOpen: true })
  const end = new End(socket)
  ends.push(end)
  return end
}

/** Both ends of a connection through the proxy. */
async function pair(): Promise<[End, End]> {
  const near = dial()
  await until(() => ends.length % 2 === 0)
  return [near, ends.at(-1)!]
}

const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, (_, i) => i % 251))

test('forwards both ways, and either side’s end', async () => {
  const [near, far] = await pair()
  near.socket.end(bytes(300_000))
  far.socket.write(bytes(200_000))
  await until(() => far.end !== undefined && near.received.length === 200_000)
  expect([far.received.equals(bytes(300_000)), near.received.equals(bytes(200_000)), far.end]).toEqual([
    true,
    true,
    'fin',
  ])
  expect(proxy.passed).toEqual({ up: 300_000, down: 200_000 })
  far.socket.resetAndDestroy()
  await until(() => near.end !== undefined)
  expect(near.end).toBe('rst')
})

test.each(['rst', 'fin'] as const)('cuts by %s, and lets the next connection through', async (how) => {
  const [near, far] = await pair()
  proxy.cut(how)
  await until(() => near.end !== undefined && far.end !== undefined)
  expect([near.end, far.end]).toEqual([how, how])
  const [next, other] = await pair()
  next.socket.write('x')
  await until(() => other.received.length === 1)
  expect(proxy.dialled).toBe(2)
})

test.each(['rst', 'fin'] as const)('cuts by %s after exactly as many bytes as it was told', async (how) => {
  for (const count of [0, 1, 1000, 70_000]) {
    const [near, far] = await pair()
    near.socket.write('before')
    await until(() => far.received.length === 6)
    const cut = proxy.cutAfter(count, 'up', how)
    near.socket.write(bytes(100_000))
    await cut
    await until(() => near.end !== undefined && far.end !== undefined)
    // Node.js may call a reset an end where bytes came with it: the side that got none tells.
    expect([far.received.length, near.end]).toEqual([6 + count, how])
  }
})

test('a stall passes nothing and ends nothing, and loses nothing either', async () => {
  const [near, far] = await pair()
  proxy.stall()
  near.socket.end(bytes(1000))
  far.socket.write(bytes(1000))
  await turns(50)
  expect([near.received.length, far.received.length, far.end]).toEqual([0, 0, undefined])
  proxy.flow()
  await until(() => far.end === 'fin' && near.received.length === 1000)
  expect(far.received.equals(bytes(1000))).toBe(true)
})

test('a throttle passes so many bytes a turn, in order', async () => {
  const [near, far] = await pair()
  proxy.throttle(10)
  near.socket.write(bytes(1000))
  await until(() => far.received.length > 0)
  expect(far.received.length).toBeLessThan(1000)
  await until(() => far.received.length === 1000)
  expect(far.received.equals(bytes(1000))).toBe(true)
})

test.each([
  ['up', 'down'],
  ['down', 'up'],
] as const)('a black hole %s swallows bytes and ends that way, and lets the other way through', async (hole, open) => {
  const [near, far] = await pair()
  const [lost, heard] = hole === 'up' ? [near, far] : [far, near]
  proxy.blackHole(hole)
  lost.socket.write('swallowed')
  heard.socket.write('heard')
  await until(() => lost.received.length === 5)
  lost.socket.end()
  await turns(50)
  expect([heard.received.length, heard.end]).toEqual([0, undefined])
  expect(proxy.passed[open]).toBe(5)
  heard.socket.end()
  await until(() => lost.end === 'fin')
})

test('delayed connections come up when they are admitted, with what was sent on them', async () => {
  proxy.delay()
  const near = dial()
  near.socket.write('early')
  await proxy.nextDial()
  await turns(50)
  expect(ends).toEqual([near])
  proxy.admit()
  await until(() => ends[1]?.received.toString() === 'early')
})

test('refused connections are reset', async () => {
  proxy.refuse()
  const near = dial()
  await until(() => near.end !== undefined)
  expect([near.end, ends.length]).toEqual(['rst', 1])
})

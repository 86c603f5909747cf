import { connect as tcpConnect } from 'node:net'
import { type ActorSystem, DEFAULT_MAX_MESSAGE_BYTES } from 'pulsing'
import type { Relay } from 'pulsing/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { FRAME } from '../../src/wire/frame.ts'
import { batch, hello, welcome } from '../link/link-ends.ts'
import { Echo, event, memberIds, outcomeOf, rawSocket, Systems } from './systems.ts'

const systems = new Systems()
let relay: Relay
let leaf: ActorSystem
beforeEach(async () => {
  relay = await systems.relay()
  leaf = await systems.leaf(relay.url)
  await relay.system.spawn(new Echo(), 'echo', { public: true })
})
afterEach(() => systems.stop())

/** The relay still serves those it served, and takes new ones. */
async function expectAlive(): Promise<void> {
  expect(await (await leaf.resolve('echo')).ask('alive')).toBe('alive')
  const another = await systems.leaf(relay.url)
  expect(await (await another.resolve('echo')).ask('new')).toBe('new')
}

describe('a socket that speaks something else', () => {
  test.each<[string, (socket: WebSocket) => void]>([
    ['garbage', (socket) => socket.send(Uint8Array.of(0xff, 0xfe, 0xfd))],
    ['text', (socket) => socket.send('hello?')],
    ['JSON text', (socket) => socket.send('{"type":"hello"}')],
    ['half a hello', (socket) => socket.send(hello().subarray(0, 30))],
    ['5 MB before its hello', (socket) => socket.send(new Uint8Array(5_000_000))],
    ['20 MB before its hello', (socket) => socket.send(new Uint8Array(20_000_000))],
    ['a frame before its hello', (socket) => socket.send(batch({ kind: FRAME.tell, actor: 'x' }))],
    ['a hello of another version', (socket) => socket.send(hello({ versions: [77, 99] }))],
    [
      'frames before its welcome',
      (socket) => socket.send(Uint8Array.from([...hello(), ...batch({ kind: FRAME.ping })])),
    ],
    [
      'garbage after a good handshake',
      (socket) => {
        socket.send(hello())
        socket.send(welcome())
        socket.send(Uint8Array.of(0xff))
      },
    ],
    [
      'an unknown critical frame',
      (socket) => {
        socket.send(hello())
        socket.send(welcome())
        socket.send(Uint8Array.of(0x81, 0x18, 0xfd))
      },
    ],
    [
      '400 000 bytes of unknown frames, then garbage',
      (socket) => {
        socket.send(hello())
        socket.send(welcome())
        const many = new Uint8Array(400_000)
        for (let i = 0; i < many.length; i += 2) many.set([0x81, 0x02], i)
        socket.send(many)
        socket.send(Uint8Array.of(0xff))
      },
    ],
    ['random bytes', (socket) => socket.send(crypto.getRandomValues(new Uint8Array(1000)))],
  ])('%s: that socket is closed, the relay lives', async (_what, speak) => {
    const { socket, closed } = await rawSocket(relay.url)
    speak(socket)
    await closed
    await expectAlive()
  })

  test('an empty message is nothing', async () => {
    const { socket } = await rawSocket(relay.url)
    socket.send(new Uint8Array(0))
    const opened = event(relay.system, 'linkOpened')
    socket.send(hello())
    socket.send(welcome())
    await opened
    socket.terminate()
    await expectAlive()
  })

  test('a socket cut in the middle of its handshake leaves nothing behind', async () => {
    const { socket, closed } = await rawSocket(relay.url)
    const warned = event(relay.system, 'warning', ({ code }) => code === 'handshake-failed')
    socket.send(hello())
    socket.terminate()
    await closed
    expect((await warned).error).toBeDefined()
    expect(memberIds(relay.system).size).toBe(2)
    await expectAlive()
  })

  test('the operator is told what was expected and what was got', async () => {
    const { socket, closed } = await rawSocket(relay.url)
    const warned = event(relay.system, 'warning', ({ code }) => code === 'handshake-failed')
    socket.send('hello?')
    await closed
    const { message, error } = await warned
    expect(error).toMatchObject({ name: 'ProtocolError' })
    expect(message).toMatch(/expected .* got text/)
  })

  test('plain HTTP is answered, garbage on the port is dropped', async () => {
    const response = await fetch(relay.url.replace('ws', 'http'))
    expect(response.status).toBe(426)
    const { port } = new URL(relay.url)
    const socket = tcpConnect(Number(port), '127.0.0.1')
    const ended = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => undefined)
    socket.write(Buffer.from([0xff, 0xff, 0x00, 0x0d, 0x0a, 0x0d, 0x0a]))
    socket.resume()
    await ended
    await expectAlive()
  })

  test('a hundred sockets that speak nonsense at once disturb nobody', async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => rawSocket(relay.url)))
    for (const [i, { socket }] of sockets.entries())
      socket.send(crypto.getRandomValues(new Uint8Array(1 + i * 10)).fill(0xff, 0, 1))
    await Promise.all(sockets.map(({ closed }) => closed))
    await expectAlive()
  })
})

describe('a node told nonsense by its user', () => {
  test('gives a typed error each time, and goes on', async () => {
    const ref = await leaf.resolve('echo')
    for (const value of [
      Symbol('x'),
      { a: [Promise.resolve()] },
      new WeakMap(),
      new Uint8Array(DEFAULT_MAX_MESSAGE_BYTES + 1),
    ]) {
      expect(await outcomeOf(ref.ask(value))).toMatchObject({
        name: 'NotSerialisableError',
        message: expect.stringMatching(/expected .* got/) as string,
      })
    }
    expect(await outcomeOf(ref.ask('x', { timeout: -1 }))).toMatchObject({ name: 'ConfigError' })
    expect(await outcomeOf(ref.ask('x', { timeout: Number.NaN }))).toMatchObject({ name: 'ConfigError' })
    expect(await leaf.find('no such name')).toBeUndefined()
    expect(await outcomeOf(leaf.resolve('no such name', { timeout: 1 }))).toMatchObject({ name: 'ActorNotFoundError' })
    expect(await outcomeOf(leaf.resolve('x', { timeout: -1 }))).toMatchObject({ name: 'ConfigError' })
    expect(await outcomeOf(relay.system.spawn(new Echo(), 'echo'))).toMatchObject({ name: 'ActorAlreadyExistsError' })
    await leaf.stop('no such name')
    await expectAlive()
  })

  test('an item of 20 MB ends its stream with a typed error and nothing else', async () => {
    await relay.system.spawn(
      {
        receive: () =>
          (async function* () {
            yield 'fine'
            yield new Uint8Array(20_000_000)
          })(),
      },
      'huge',
      { public: true },
    )
    const got: unknown[] = []
    const reader = (await leaf.resolve('huge')).askStream('x')
    expect(
      await outcomeOf(
        (async () => {
          for await (const item of reader) got.push(item)
        })(),
      ),
    ).toMatchObject({ name: 'NotSerialisableError' })
    expect(got).toEqual(['fine'])
    await expectAlive()
  })

  test('an error with 20 MB of details still arrives as an error', async () => {
    await relay.system.spawn(
      {
        receive: () => {
          throw new RangeError('x'.repeat(20_000_000))
        },
      },
      'loud',
      { public: true },
    )
    expect(await outcomeOf((await leaf.resolve('loud')).ask('x'))).toMatchObject({ name: 'PulsingBusinessError' })
    await expectAlive()
  })
})

/** Message ports in Node.js: meeting in any order, the user's own messages, what travels how, faults. */
import { once } from 'node:events'
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { macrotask } from '../../src/base/macrotask.ts'
import type { Connection } from '../../src/link/connection.ts'
import { messagePort } from '../../src/transport/message-port/message-port-transport.ts'
import { MAX_BATCH_BYTES } from '../../src/transport/message-port/port-connection.ts'
import { NEVER } from '../conformance/listening-pair.ts'
import { startWorker } from '../conformance/node-worker.ts'
import { Owner, rejection } from './owner.ts'

function dial(endpoint: unknown, { name = '', signal = NEVER } = {}): Promise<Connection> {
  return messagePort({ name }).dial!(endpoint, { signal })
}

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

function channel(): [MessagePort, MessagePort] {
  const { port1, port2 } = new MessageChannel()
  cleanups.push(() => port1.close())
  return [port1, port2]
}

/** Looks like a worker's scope: something others post to as well. */
function shared(port: MessagePort): object {
  return {
    postMessage: port.postMessage.bind(port),
    addEventListener: port.addEventListener.bind(port),
    removeEventListener: port.removeEventListener.bind(port),
  }
}

async function connectedPair(): Promise<[Connection, Connection]> {
  const [one, other] = channel()
  return Promise.all([dial(one), dial(other)])
}

/** Over a port whose other end the test holds: plays the other side by hand. */
async function connectedByHand(): Promise<{ connection: Connection; port: MessagePort }> {
  const [one, port] = channel()
  const dialling = dial(one)
  port.postMessage({ pulsing: 'pulsing.port/1', kind: 'hello', name: '', from: 'by-hand', hasOwnPort: true })
  return { connection: await dialling, port }
}

async function worker(): Promise<Worker> {
  const started = await startWorker()
  cleanups.push(() => started.terminate())
  return started
}

describe('what it dials', () => {
  test('ports and workers, and nothing else', async () => {
    const { handles } = messagePort()
    const [port] = channel()
    expect([port, await worker(), { port }].map(handles)).toEqual([true, true, true])
    expect(['ws://x', undefined, null, {}, { postMessage() {} }, 7].map(handles)).toEqual(Array(6).fill(false))
  })

  test('anything else is a ConfigError that says what it got', async () => {
    expect(await rejection(dial('ws://x'))).toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/^expected a MessagePort, .* got "ws:\/\/x"$/),
    })
  })
})

describe('meeting', () => {
  test('a port whose other side dials later', async () => {
    const [one, other] = channel()
    const early = dial(one)
    await new Promise<void>((resolve) => macrotask(resolve))
    expect((await Promise.all([early, dial(other)])).length).toBe(2)
  })

  test('a worker that dials first', async () => {
    const thread = await worker()
    thread.postMessage({ command: 'echo' })
    await once(thread, 'message')
    await expectEcho(await dial(thread))
  })

  test('a worker that dials last', async () => {
    const thread = await worker()
    await once(thread, 'online')
    const dialling = dial(thread)
    // The thread has heard our hello, as it hears any message, before it begins to dial.
    thread.postMessage({ command: 'say', text: 'I am here' })
    await heard(thread, 'I am here')
    thread.postMessage({ command: 'echo' })
    await expectEcho(await dialling)
  })

  test('a worker again, after the first connection has ended', async () => {
    const thread = await worker()
    for (let round = 0; round < 3; round++) {
      thread.postMessage({ command: 'echo' })
      await expectEcho(await dial(thread))
    }
  })

  test('names keep several connections over one endpoint apart', async () => {
    const [one, other] = channel().map(shared)
    const [a1, b1, b2, a2] = await Promise.all([
      dial(one, { name: 'a' }),
      dial(one, { name: 'b' }),
      dial(other, { name: 'b' }),
      dial(other, { name: 'a' }),
    ])
    const [ownerOfA, ownerOfB] = [new Owner(a2), new Owner(b2)]
    a1.send(new Uint8Array([1]))
    b1.send(new Uint8Array([2]))
    await Promise.all([ownerOfA.arrived(1), ownerOfB.arrived(1)])
    expect([ownerOfA.batches, ownerOfB.batches]).toEqual([[new Uint8Array([1])], [new Uint8Array([2])]])
    for (const connection of [a1, b1]) connection.close()
  })

  test('an abort gives up with its reason, and the other side learns of it', async () => {
    const [one, other] = channel()
    const controller = new AbortController()
    const early = dial(one, { signal: controller.signal })
    await new Promise<void>((resolve) => macrotask(resolve))
    controller.abort(new RangeError('no longer wanted'))
    expect(await rejection(early)).toBe(controller.signal.reason)
    const error = await new Owner(await dial(other)).ended
    expect(error).toMatchObject({ name: 'UnreachableError', message: expect.stringContaining('gave up') })
  })

  test('an aborted signal dials nothing', async () => {
    const [port] = channel()
    const signal = AbortSignal.abort()
    expect(await rejection(dial(port, { signal }))).toBe(signal.reason)
  })

  test('a worker that exits first', async () => {
    const thread = await worker()
    const dialling = dial(thread)
    thread.postMessage({ command: 'die' })
    expect(await rejection(dialling)).toMatchObject({
      name: 'UnreachableError',
      outcome: 'not-sent',
      message: expect.stringContaining('exited with code 3'),
    })
  })

  test('a port that closes first', async () => {
    const [one, other] = channel()
    const dialling = dial(one)
    other.close()
    expect(await rejection(dialling)).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
  })
})

describe("the user's own messages", () => {
  test('pass beside the connection, both ways', async () => {
    const thread = await worker()
    thread.postMessage({ command: 'echo' })
    const connection = await dial(thread)
    const owner = new Owner(connection)
    thread.postMessage({ command: 'say', text: 'mine' })
    connection.send(new Uint8Array([1]))
    await Promise.all([heard(thread, 'mine'), owner.arrived(1)])
    connection.close()
  })

  test('are ignored while meeting, even when they look alike', async () => {
    const [one, other] = channel()
    const dialling = dial(one)
    for (const message of [1, null, 'hello', { kind: 'hello' }, { pulsing: 1, kind: 'hello' }, new Uint8Array(3)]) {
      other.postMessage(message)
    }
    await Promise.all([dialling, dial(other)])
  })
})

describe('what travels', () => {
  test('a batch of 1 KiB that fills its buffer changes owner, a part of a buffer is copied', async () => {
    const [near, far] = await connectedPair()
    const owner = new Owner(far)
    const [whole, part] = [new Uint8Array(1024).fill(1), new Uint8Array(4096).fill(2)]
    near.send(whole)
    near.send(part.subarray(0, 2048))
    await owner.arrived(2)
    expect([whole.byteLength, part.byteLength]).toEqual([0, 4096])
    expect(owner.batches.map((batch) => [batch.constructor, batch.byteLength, batch.buffer.byteLength])).toEqual([
      [Uint8Array, 1024, 1024],
      [Uint8Array, 2048, 2048],
    ])
    near.close()
  })

  test('attachments are cloned or transferred, not shared', async () => {
    const [near, far] = await connectedPair()
    const owner = new Owner(far)
    const [cloned, buffer] = [{ deep: [1] }, new ArrayBuffer(8)]
    near.send(new Uint8Array([1]), { values: [cloned, buffer], transfer: [buffer] })
    await owner.arrived(1)
    expect(owner.attachments).toEqual([[cloned, new ArrayBuffer(8)]])
    expect(owner.attachments[0]![0]).not.toBe(cloned)
    expect(buffer.byteLength).toBe(0)
    near.close()
  })

  test('attachments that cannot travel are the sender’s error and end nothing', async () => {
    const [near, far] = await connectedPair()
    const owner = new Owner(far)
    new Owner(near)
    expect(() => near.send(new Uint8Array([1]), { values: [() => 1], transfer: [] })).toThrow(
      expect.objectContaining({ name: 'NotSerialisableError' }),
    )
    near.send(new Uint8Array([2]))
    await owner.arrived(1)
    expect(owner.batches).toEqual([new Uint8Array([2])])
    near.close()
  })
})

describe('faults', () => {
  test.each([
    ['garbage', { some: 'object' }],
    ['text', 'batch'],
    ['a batch without attachments where some are announced', [new Uint8Array(1)]],
    ['a batch of more than 16 MiB', new Uint8Array(MAX_BATCH_BYTES + 1)],
    ['a batch of more than 16 MiB with attachments', [new Uint8Array(MAX_BATCH_BYTES + 1), []]],
    ['numbers that are no bytes', new Float64Array(1)],
    ['a view that is no array', [new DataView(new ArrayBuffer(8)), []]],
    ['more credit than was sent', 1],
    ['negative credit', -1],
    ['no number as credit', Number.NaN],
  ])('%s closes the connection with a ProtocolError', async (_name, message) => {
    const { connection, port } = await connectedByHand()
    port.postMessage(message)
    const owner = new Owner(connection)
    expect(await owner.ended).toMatchObject({ name: 'ProtocolError' })
    expect(owner.batches).toEqual([])
    expect(connection.send(new Uint8Array(1))).toBe(false)
  })

  test('a batch of 16 MiB is none', async () => {
    const { connection, port } = await connectedByHand()
    const owner = new Owner(connection)
    port.postMessage(new Uint8Array(MAX_BATCH_BYTES))
    await owner.arrived(1)
    connection.close()
  })

  test('a port that closes without goodbye is an UnreachableError', async () => {
    const { connection, port } = await connectedByHand()
    port.close()
    expect(await new Owner(connection).ended).toMatchObject({ name: 'UnreachableError' })
  })

  test.each(['terminate', 'exit'])('a worker that ends by %s is noticed', async (way) => {
    const thread = await worker()
    thread.postMessage({ command: 'echo' })
    const owner = new Owner(await dial(thread))
    if (way === 'terminate') void thread.terminate()
    else thread.postMessage({ command: 'die' })
    expect(await owner.ended).toMatchObject({ name: 'UnreachableError' })
  })

  test('a close from the other side while this one is not open yet is kept', async () => {
    const [near, far] = await connectedPair()
    near.send(new Uint8Array([1]))
    near.close()
    await new Owner(near).ended
    const owner = new Owner(far)
    expect(await owner.ended).toBeUndefined()
    expect(owner.batches.length).toBe(1)
  })

  test('open twice is a ConfigError', async () => {
    const [near] = await connectedPair()
    new Owner(near)
    expect(() => new Owner(near)).toThrow(expect.objectContaining({ name: 'ConfigError' }))
    near.close()
  })
})

describe('the process', () => {
  test('is kept alive by an open connection and released by its end', async () => {
    const thread = await worker()
    const exited = once(thread, 'exit')
    thread.postMessage({ command: 'echo' })
    const connection = await dial(thread)
    const owner = new Owner(connection)
    thread.postMessage({ command: 'ignore' })
    // Alive: nothing but the connection holds the thread now, and it still answers.
    for (let round = 1; round <= 3; round++) {
      connection.send(new Uint8Array([round]))
      await owner.arrived(round)
    }
    connection.close()
    expect(await exited).toEqual([0])
  })
})

async function expectEcho(connection: Connection): Promise<void> {
  const owner = new Owner(connection)
  connection.send(new Uint8Array([1, 2, 3]))
  await owner.arrived(1)
  expect(owner.batches[0]).toEqual(new Uint8Array([1, 2, 3]))
  connection.close()
  await owner.ended
}

async function heard(thread: Worker, text: string): Promise<void> {
  for (;;) {
    const [message] = await once(thread, 'message')
    if (message === text) return
  }
}

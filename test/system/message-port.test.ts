import { MessageChannel } from 'node:worker_threads'
import { type ActorRef, type ActorSystem, Message, StreamMessage, type StreamReader } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { Echo, event, ids, joined, left, memberIds, outcomeOf, Systems } from './systems.ts'

const systems = new Systems()
afterEach(() => systems.stop())

async function portPair(): Promise<{
  a: ActorSystem
  b: ActorSystem
  peers: Awaited<ReturnType<ActorSystem['connect']>>[]
}> {
  const [a, b] = [await systems.start(), await systems.start()]
  const { port1, port2 } = new MessageChannel()
  const peers = await Promise.all([a.connect(port1), b.connect(port2)])
  return { a, b, peers }
}

/** An actor at `b` that tells what it got, and the ref `a` has of it. */
async function hosted(a: ActorSystem, b: ActorSystem, receive: (msg: Message) => unknown): Promise<ActorRef> {
  await b.spawn(() => ({ receive }), 'hosted', { public: true })
  return a.resolve('hosted')
}

describe('two systems over a MessageChannel', () => {
  test('become members of each other, ask both ways, and part cleanly', async () => {
    const { a, b, peers } = await portPair()
    expect(peers.map(({ nodeId }) => nodeId)).toEqual([b.nodeId, a.nodeId])
    expect([memberIds(a), memberIds(b)]).toEqual([ids(a, b), ids(a, b)])
    await a.spawn(new Echo(), 'at a', { public: true })
    await b.spawn(new Echo(), 'at b', { public: true })
    expect(await (await a.resolve('at b')).ask({ n: 1 })).toEqual({ n: 1 })
    expect(await (await b.resolve('at a')).ask('x')).toBe('x')
    const gone = [left(a, b.nodeId), left(b, a.nodeId)]
    await peers[0]!.close()
    await Promise.all([...gone, peers[1]!.closed])
  })

  test('one side shutting down is seen by the other at once', async () => {
    const { a, b } = await portPair()
    const gone = left(a, b.nodeId)
    await b.shutdown()
    await gone
    expect(memberIds(a)).toEqual(ids(a))
  })

  test('a node with a port and a relay carries frames between the two', async () => {
    const { a, b } = await portPair()
    const relay = await systems.relay()
    const far = await systems.leaf(relay.url)
    await b.connect(relay.url)
    await joined(a, far)
    await far.spawn(new Echo(), 'far', { public: true })
    expect(await (await a.resolve('far')).ask({ hello: 1 })).toEqual({ hello: 1 })
  })

  test('streams cross with back-pressure', async () => {
    const { a, b } = await portPair()
    const ref = await hosted(a, b, async (msg) => {
      let sum = 0
      for await (const item of msg.streamReader<number>()) sum += item
      return sum
    })
    const [request, writer] = StreamMessage.create<number>('n', 2)
    const asked = ref.ask(request)
    for (let i = 1; i <= 100; i++) await writer.write(i)
    await writer.close()
    expect((await asked).toObject()).toBe(5050)
  })
})

describe('transfer over a port', () => {
  test('moves an ArrayBuffer: it is empty here and whole there', async () => {
    const { a, b } = await portPair()
    const ref = await hosted(a, b, (msg) => {
      const { buffer } = msg.toObject<{ buffer: ArrayBuffer }>()
      return [buffer instanceof ArrayBuffer, buffer.byteLength, new Uint8Array(buffer)[999]]
    })
    const buffer = new Uint8Array(1000).fill(7).buffer
    expect(await ref.ask({ buffer }, { transfer: [buffer] })).toEqual([true, 1000, 7])
    expect(buffer.byteLength).toBe(0)
  })

  test('a view whose buffer is transferred arrives with its bytes', async () => {
    const { a, b } = await portPair()
    const ref = await hosted(a, b, (msg) => [...msg.toObject<{ view: Uint8Array }>().view])
    const view = Uint8Array.of(1, 2, 3)
    expect(await ref.ask({ view }, { transfer: [view.buffer] })).toEqual([1, 2, 3])
  })

  test('a MessagePort arrives as a port that works', async () => {
    const { a, b } = await portPair()
    const ref = await hosted(
      a,
      b,
      (msg) => void msg.toObject<{ port: MessagePort }>().port.postMessage('through the port'),
    )
    const { port1, port2 } = new MessageChannel()
    const heard = new Promise((resolve) => port1.once('message', resolve))
    await ref.ask({ port: port2 }, { transfer: [port2 as unknown as Transferable] })
    expect(await heard).toBe('through the port')
    port1.close()
  })

  test('of what cannot be transferred rejects that ask alone; the link and the process go on', async () => {
    const { a, b } = await portPair()
    const ref = await hosted(a, b, (msg) => msg.toObject())
    const closed = event(a, 'linkClosed').then(() => 'closed')
    for (const bad of [new Date(), new Uint8Array(4), new WeakMap(), () => 1]) {
      const outcome = await outcomeOf(ref.ask({ bad }, { transfer: [bad as unknown as Transferable] }))
      expect(outcome).toMatchObject({ name: 'NotSerialisableError' })
    }
    const once = new ArrayBuffer(8)
    await ref.ask({ once }, { transfer: [once] })
    await outcomeOf(ref.ask({ once }, { transfer: [once] }))
    expect(await ref.ask('still here')).toBe('still here')
    expect(await Promise.race([closed, Promise.resolve('open')])).toBe('open')
  })

  test('beyond the neighbour is a copy: nothing is lost on a way that cannot carry objects', async () => {
    const { a, b } = await portPair()
    const relay = await systems.relay()
    const far = await systems.leaf(relay.url)
    await b.connect(relay.url)
    await far.spawn(
      () => ({ receive: (msg: Message) => msg.toObject<{ buffer: ArrayBuffer | Uint8Array }>().buffer.byteLength }),
      'far',
      { public: true },
    )
    const buffer = new ArrayBuffer(100)
    expect(await (await a.resolve('far')).ask({ buffer }, { transfer: [buffer] })).toBe(100)
  })

  test('a message with a transferred object passed on over a link that cannot carry it is whole, or a typed error', async () => {
    const { a, b } = await portPair()
    const relay = await systems.relay()
    await b.connect(relay.url)
    await relay.system.spawn(
      () => ({ receive: (msg: Message) => msg.toObject<{ buffer: ArrayBuffer | Uint8Array }>().buffer.byteLength }),
      'end',
      { public: true },
    )
    const end = await b.resolve('end')
    const ref = await hosted(a, b, (msg) => end.ask(msg))
    const buffer = new ArrayBuffer(100)
    const reply = await ref.ask(Message.fromObject('pass', { buffer }), { transfer: [buffer] })
    expect(reply.toObject()).toBe(100)
  })

  test('a web stream inside a message is read by the receiver', async () => {
    const { a, b } = await portPair()
    const ref = await hosted(a, b, async (msg) => {
      const all: unknown[] = []
      for await (const item of msg.toObject<{ items: StreamReader }>().items) all.push(item)
      return all
    })
    const items = new ReadableStream({
      start: (controller) => {
        controller.enqueue(1)
        controller.enqueue('two')
        controller.close()
      },
    })
    expect(await ref.ask({ items })).toEqual([1, 'two'])
  })
})

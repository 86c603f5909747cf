import {
  type ActorRef,
  asActor,
  createActorSystem,
  DEFAULT_MAX_MESSAGE_BYTES,
  Message,
  StreamMessage,
  SystemConfig,
} from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { Echo, ids, joined, left, memberIds, outcomeOf, Slow, Systems } from './systems.ts'

const systems = new Systems()
afterEach(() => systems.stop())

const Counter = asActor(
  class Counter {
    constructor(public value = 0) {}
    get(): number {
      return this.value
    }
    increment(n = 1): number {
      return (this.value += n)
    }
    fail(): never {
      throw new RangeError('out of counters')
    }
    async *count(to: number): AsyncGenerator<number> {
      for (let i = 0; i < to; i++) yield i
    }
  },
)

describe('two leaves of one relay', () => {
  test('ask, stream, call methods and pass refs to each other', async () => {
    const relay = await systems.relay()
    const [a, b] = [await systems.leaf(relay.url), await systems.leaf(relay.url)]
    await a.spawn(new Echo(), 'echo', { public: true })
    const ref = await b.resolve('echo')
    expect([ref.isLocal, ref.nodeId, ref.name]).toEqual([false, a.nodeId, 'echo'])
    const value = { x: [1, 2], bytes: new Uint8Array([1, 2]), at: new Date(5) }
    expect(await ref.ask(value)).toEqual(value)
    expect((await ref.ask(Message.fromJson('ping', [1]))).toJson()).toEqual([1])

    const counter = await Counter.options({ name: 'counter', public: true }).local(b, 5)
    const remote = await Counter.resolve(a, 'counter')
    expect(await remote.increment(2)).toBe(7)
    expect(await counter.get()).toBe(7)
    await expect(remote.fail()).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'out of counters' })
    const counted: number[] = []
    for await (const i of remote.count(100)) counted.push(i)
    expect(counted).toEqual(Array.from({ length: 100 }, (_, i) => i))

    const passed = await ref.ask<{ ref: ActorRef }>({ ref: counter.ref })
    expect(await passed.ref.asType(Counter).get()).toBe(7)
  })

  test('see the same members, each with its kind and address', async () => {
    const relay = await systems.relay()
    const [a, b] = [await systems.leaf(relay.url), await systems.leaf(relay.url)]
    await joined(a, b)
    expect(a.members()).toEqual([
      { nodeId: a.nodeId, kind: 'leaf', status: 'online', isSelf: true },
      { nodeId: relay.system.nodeId, kind: 'relay', status: 'online', isSelf: false, addr: relay.url },
      { nodeId: b.nodeId, kind: 'leaf', status: 'online', isSelf: false },
    ])
    expect(relay.system.addr).toBe(relay.url)
    expect(a.addr).toBeUndefined()
    for (const system of [a, b, relay.system]) expect(memberIds(system)).toEqual(ids(a, b, relay.system))
  })

  test('a ref passed on to a third node works there', async () => {
    const relay = await systems.relay()
    const [a, b, c] = [await systems.leaf(relay.url), await systems.leaf(relay.url), await systems.leaf(relay.url)]
    const secret = await a.spawn(() => ({ receive: () => `of ${a.nodeId}` }))
    await c.spawn(() => ({ receive: (msg: Message) => msg.toObject<ActorRef>().ask('who') }), 'asker', { public: true })
    await b.spawn(
      () => ({ receive: async (msg: Message) => (await b.resolve('asker')).ask(msg.toObject()) }),
      'middleman',
      { public: true },
    )
    expect(await (await a.resolve('middleman')).ask(secret)).toBe(`of ${a.nodeId}`)
  })

  test('a writer waits for a reader two nodes away', async () => {
    const relay = await systems.relay()
    const [a, b] = [await systems.leaf(relay.url), await systems.leaf(relay.url)]
    let written = 0
    const spawned = {
      receive: () => {
        const [reply, writer] = StreamMessage.create<number>('n', 4)
        void (async () => {
          for (let i = 0; i < 1000; i++) {
            await writer.write(i)
            written++
          }
          await writer.close()
        })()
        return reply
      },
    }
    await a.spawn(spawned, 'stream', { public: true })
    await a.spawn(new Echo(), 'echo', { public: true })
    const reader = (await b.resolve('stream')).askStream(Message.empty())
    await reader.next()
    // An ask there and back on the same association passes everything the stream could have sent.
    for (let i = 0; i < 5; i++) await (await b.resolve('echo')).ask(i)
    expect(written).toBeLessThanOrEqual(6)
    let read = 1
    for await (const _ of reader) read++
    expect(read).toBe(1000)
  })

  test('a large message arrives whole, one beyond the limit is refused before it is sent', async () => {
    const relay = await systems.relay()
    const [a, b] = [await systems.leaf(relay.url), await systems.leaf(relay.url)]
    await a.spawn(new Echo(), 'echo', { public: true })
    const ref = await b.resolve('echo')
    const big = new Uint8Array(DEFAULT_MAX_MESSAGE_BYTES).fill(7)
    expect(Buffer.compare(await ref.ask<Uint8Array>(big), big)).toBe(0)
    expect(await outcomeOf(ref.ask(new Uint8Array(DEFAULT_MAX_MESSAGE_BYTES + 1)))).toMatchObject({
      name: 'NotSerialisableError',
    })
    expect(await ref.ask('still here')).toBe('still here')
  })

  test('withLimits: each node keeps its own bound, on the way out and on the way back', async () => {
    const relay = await systems.relay()
    const small = await systems.start(SystemConfig.withSeeds([relay.url]).withLimits({ maxMessageBytes: 1000 }))
    const other = await systems.leaf(relay.url)
    await other.spawn(new Echo(), 'echo', { public: true })
    await small.spawn(() => ({ receive: () => 'x'.repeat(2000) }), 'talker', { public: true })
    expect(await outcomeOf((await small.resolve('echo')).ask('x'.repeat(2000)))).toMatchObject({
      name: 'NotSerialisableError',
      message: expect.stringContaining('1000') as string,
    })
    expect(await outcomeOf((await other.resolve('talker')).ask('x'))).toMatchObject({ name: 'NotSerialisableError' })
  })
})

describe('two relays', () => {
  test('a leaf on each: names are found across, and all see all', async () => {
    const first = await systems.relay()
    const second = await systems.relay({ seeds: [first.url] })
    const [a, b] = [await systems.leaf(first.url), await systems.leaf(second.url)]
    await a.spawn(new Echo(), 'far', { public: true })
    const ref = await b.resolve('far')
    expect(await ref.ask('hello')).toBe('hello')
    await joined(a, b)
    expect(memberIds(a)).toEqual(ids(a, b, first.system, second.system))
  })

  test('that have each other as seed link once, and stay linked', async () => {
    const first = await systems.relay()
    const second = await systems.relay({ seeds: [first.url] })
    let events = 0
    for (const relay of [first, second]) relay.system.on('memberLeft', () => events++)
    await Promise.all([first.system.connect(second.url), second.system.connect(first.url)])
    await first.system.spawn(new Echo(), 'echo', { public: true })
    expect(await (await second.system.resolve('echo')).ask(1)).toBe(1)
    expect(events).toBe(0)
  })

  test('reached under two names by one node link once, and stay linked', async () => {
    const first = await systems.relay({ host: '127.0.0.1' })
    const alias = first.url.replace('127.0.0.1', 'localhost')
    const second = await systems.relay({ seeds: [first.url, alias] })
    await joined(first.system, second.system)
    let opened = 0
    second.system.on('linkOpened', () => opened++)
    await first.system.spawn(new Echo(), 'echo', { public: true })
    const ref = await second.system.resolve('echo')
    for (let i = 0; i < 200; i++) expect(await ref.ask(i)).toBe(i)
    expect(opened).toBeLessThanOrEqual(1)
  })
})

describe('leaving', () => {
  test('a leaf that shuts down is gone for all at once; asks of it are typed errors', async () => {
    const relay = await systems.relay()
    const [a, b] = [await systems.leaf(relay.url), await systems.leaf(relay.url)]
    let started: () => void = () => undefined
    const isAsked = new Promise<void>((resolve) => (started = resolve))
    await a.spawn(new Slow(started), 'slow', { public: true })
    const ref = await b.resolve('slow')
    const asked = outcomeOf(ref.ask('x'))
    await isAsked
    const gone = [left(b, a.nodeId), left(relay.system, a.nodeId)]
    await a.shutdown()
    await Promise.all(gone)
    await asked
    expect(await b.find('slow')).toBeUndefined()
    expect(await outcomeOf(ref.ask('x'))).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
  })

  test('shutdown settles the asks of the node that ends, typed', async () => {
    const relay = await systems.relay()
    const [a, b] = [await systems.leaf(relay.url), await systems.leaf(relay.url)]
    let started: () => void = () => undefined
    const isAsked = new Promise<void>((resolve) => (started = resolve))
    await a.spawn(new Slow(started), 'slow', { public: true })
    const asked = outcomeOf((await b.resolve('slow')).ask('x', { timeout: Infinity }))
    await isAsked
    await b.shutdown()
    expect(await asked).toMatchObject({ name: 'ActorStoppedError' })
  })

  test('shutdown twice is one shutdown; afterwards nothing can be begun', async () => {
    const relay = await systems.relay()
    const a = await systems.leaf(relay.url)
    const ref = await a.spawn(new Echo())
    const [first, second] = [a.shutdown(), a.shutdown()]
    await Promise.all([first, second])
    expect(await outcomeOf(a.spawn(new Echo()))).toMatchObject({ name: 'ActorStoppedError' })
    expect(await outcomeOf(a.connect(relay.url))).toMatchObject({ name: 'ActorStoppedError' })
    expect(await outcomeOf(ref.ask(1))).toMatchObject({ name: 'ActorStoppedError' })
  })

  test('await using ends a system', async () => {
    const system = await createActorSystem()
    await system[Symbol.asyncDispose]()
    expect(await outcomeOf(system.spawn(new Echo()))).toMatchObject({ name: 'ActorStoppedError' })
  })
})

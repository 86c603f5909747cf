import { MessageChannel } from 'node:worker_threads'
import { type ActorSystem, type Message, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { macrotask } from '../../src/base/macrotask.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { gate, stateOf } from '../actor/systems.ts'
import { event, link, memberIds, Nodes } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )
const echo = { receive: (msg: Message) => msg.toObject() }
const ids = (...systems: ActorSystem[]): Set<string> => new Set(systems.map(({ nodeId }) => nodeId))

async function turn(times = 10): Promise<void> {
  for (let i = 0; i < times; i++) await new Promise<void>((resolve) => macrotask(resolve))
}

describe('links between the same two nodes', () => {
  test('both linking at once end up with one, nobody leaves, and it works both ways', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    let leaves = 0
    a.on('memberLeft', () => leaves++)
    b.on('memberLeft', () => leaves++)
    await a.spawn(echo, 'at a', { public: true })
    await b.spawn(echo, 'at b', { public: true })
    await Promise.all([link(a, b), link(b, a), link(a, b)])
    await turn()
    expect(await (await a.resolve('at b')).ask(1)).toBe(1)
    expect(await (await b.resolve('at a')).ask(2)).toBe(2)
    expect(leaves).toBe(0)
    expect(memberIds(a)).toEqual(ids(a, b))
  })

  test('a new link takes over from an old one without losing, repeating or reordering anything', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    const got: number[] = []
    await b.spawn({ receive: (msg: Message) => void got.push(msg.toObject<number>()) }, 'sink', { public: true })
    await link(a, b)
    const sink = await a.resolve('sink')
    const tells: Promise<void>[] = []
    const linking = link(a, b)
    for (let i = 0; i < 300; i++) {
      tells.push(sink.tell(i))
      if (i % 10 === 0) await turn(1)
    }
    await Promise.all([linking, ...tells])
    await sink.ask(300)
    expect(got).toEqual(Array.from({ length: 301 }, (_, i) => i))
  })

  test('a node does not link to itself', async () => {
    const a = await nodes.start()
    await outcomeOf(link(a, a))
    await turn()
    expect(memberIds(a)).toEqual(ids(a))
  })
})

describe('a port that one of two living nodes closes', () => {
  test('leaves both members where another way leads there, and they go on over it', async () => {
    const [a, relay, b] = [await nodes.start(), await nodes.start(), await nodes.start()]
    await b.spawn(echo, 'echo', { public: true })
    await link(a, relay)
    await link(relay, b)
    const { port1, port2 } = new MessageChannel()
    const [peer] = await Promise.all([a.connect(port1), b.connect(port2)])
    const ref = await a.resolve('echo')
    expect(await ref.ask('over the port')).toBe('over the port')
    const closed = event(b, 'linkClosed')
    await Promise.all([peer.close(), closed])
    expect([memberIds(a), memberIds(b)]).toEqual([ids(a, relay, b), ids(a, relay, b)])
    expect(await ref.ask('over the relay')).toBe('over the relay')
  })

  test('can be followed by another one', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    await b.spawn(echo, 'echo', { public: true })
    for (let i = 0; i < 3; i++) {
      const { port1, port2 } = new MessageChannel()
      const [peer] = await Promise.all([a.connect(port1), b.connect(port2)])
      expect(await (await a.resolve('echo')).ask(i)).toBe(i)
      const closed = event(b, 'linkClosed')
      await Promise.all([peer.close(), closed])
    }
  })
})

describe('a link that broke for one side only', () => {
  test('when that side comes back, what waits on the other side is answered, without time passing', async () => {
    const config = SystemConfig.standalone().withClock(new ManualClock())
    const [a, b] = [await nodes.start(config), await nodes.start(config)]
    const cable = await link(a, b)
    const [isAsked, mayAnswer] = [gate(), gate()]
    const slow = {
      receive: async (msg: Message) => {
        isAsked.open()
        await mayAnswer.opened
        return msg.toObject()
      },
    }
    await a.spawn(slow, 'slow', { public: true })
    await a.spawn(echo, 'echo', { public: true })
    const ref = await b.resolve('slow')
    const asked = ref.ask('x', { timeout: Infinity })
    await isAsked.opened
    const closed = event(a, 'linkClosed')
    cable.cutUnseen()
    await closed
    mayAnswer.open()
    await turn()
    expect(await stateOf(asked)).toBe('pending')
    await link(a, b)
    expect(await asked).toBe('x')
    expect(await (await b.resolve('echo')).ask('again')).toBe('again')
  })

  test('one-way messages sent into the void arrive when that side comes back, once, before later ones', async () => {
    const [a, b] = [await nodes.start(), await nodes.start()]
    const cable = await link(a, b)
    const got: unknown[] = []
    await a.spawn({ receive: (msg: Message) => void got.push(msg.toObject()) }, 'sink', { public: true })
    await a.spawn(echo, 'echo', { public: true })
    const sink = await b.resolve('sink')
    await sink.tell(1)
    await turn()
    const closed = event(a, 'linkClosed')
    cable.cutUnseen()
    void sink.tell('into the void')
    await closed
    await link(a, b)
    void sink.tell(3)
    await turn()
    void sink.tell(4)
    await turn()
    expect(await outcomeOf((await b.resolve('echo')).ask('through'))).toBe('through')
    expect(got).toEqual([1, 'into the void', 3, 4])
  })
})

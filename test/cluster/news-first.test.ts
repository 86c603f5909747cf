/** Frames never overtake the news they depend on: whoever is new is answered at once, and no timer has to repair it. */
import { type ActorRef, type ActorSystem, type Message, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { REF_TAG } from '../../src/actor/actor-ref.ts'
import { encodeCbor, Tag } from '../../src/base/cbor.ts'
import { newId } from '../../src/base/ids.ts'
import { encodeUpdates, type NodeSnapshot } from '../../src/cluster/update.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { joined, Systems } from '../system/systems.ts'
import { link, Nodes, type Puppet, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
const systems = new Systems()
afterEach(() => Promise.all([nodes.stop(), systems.stop()]))

/** No time passes: what is lost stays lost. */
const timeless = (): SystemConfig => SystemConfig.standalone().withClock(new ManualClock())
const echo = { receive: (msg: Message) => msg.toObject() }

const record = (nodeId: string, version: number, links: string[]): NodeSnapshot => ({
  ...{ op: 'node', nodeId, version, kind: 'leaf', addr: undefined, features: [], classes: [] },
  ...{ links, names: [], isHidden: false },
})

/** One batch of a puppet: it has a node behind it from now on, and that node asks, with a ref to an actor of its own. */
function introduceAndAsk(page: Puppet, home: ActorSystem, { nodeId, id }: ActorRef): string {
  const worker = newId()
  const writer = new FrameWriter()
  const news = encodeUpdates([record(worker, 1, [page.nodeId]), record(page.nodeId, 2, [home.nodeId, worker])])
  writer.write(Object.assign(new Frame(), { kind: FRAME.cluster, payload: news }))
  const ask = { kind: FRAME.ask, hops: 4, to: nodeId, from: worker, session: 1, seq: 1, id: 1, actor: id }
  const payload = encodeCbor(new Tag([worker, newId(), null], REF_TAG))
  writer.write(Object.assign(new Frame(), ask, { flags: 2, payload }))
  page.sendBytes(writer.take())
  return worker
}

describe('an ask that comes with the news of who asks', () => {
  test.each([1, 2, 3])('is answered over %i nodes on the way', async (count) => {
    const way: ActorSystem[] = []
    for (let i = 0; i <= count; i++) {
      way.push(await nodes.start(timeless()))
      if (i > 0) await link(way[i - 1]!, way[i]!)
    }
    await joined(way[0]!, way[count]!)
    const ref = await way[count]!.spawn({ receive: () => 'answer' })
    const page = await puppet(way[0]!)
    const worker = introduceAndAsk(page, way[0]!, ref)
    const reply = await page.when(({ kind, to }) => kind === FRAME.reply && to === worker)
    expect(reply.from).toBe(way[count]!.nodeId)
  })

  test('can be handed on at once: whoever gets its ref knows the node', async () => {
    const [home, other] = [await nodes.start(timeless()), await nodes.start(timeless())]
    await link(home, other)
    const calls = {
      receive: (msg: Message) =>
        void msg
          .toObject<ActorRef>()
          .ask('back')
          .catch(() => undefined),
    }
    await other.spawn(calls, 'calls', { public: true })
    const atOther = await home.resolve('calls')
    const host = await home.spawn({ receive: (msg: Message) => atOther.ask(msg.toObject<ActorRef>()) })
    const page = await puppet(home)
    const worker = introduceAndAsk(page, home, host)
    const asked = await page.when(({ kind, to }) => kind === FRAME.ask && to === worker)
    expect(asked.from).toBe(other.nodeId)
  })
})

describe('the first ask of a leaf that has just joined', () => {
  test('is answered by a leaf of the same relay', async () => {
    const relay = await systems.relay()
    const first = await systems.start(SystemConfig.withSeeds([relay.url]).withClock(new ManualClock()))
    await first.spawn(echo, 'echo', { public: true })
    for (let i = 0; i < 5; i++) {
      const next = await systems.start(SystemConfig.withSeeds([relay.url]).withClock(new ManualClock()))
      expect(await (await next.resolve('echo')).ask(i)).toBe(i)
    }
  })

  test('is answered by a leaf of another relay', async () => {
    const near = await systems.relay()
    const far = await systems.relay({ seeds: [near.url] })
    await joined(near.system, far.system)
    const first = await systems.start(SystemConfig.withSeeds([far.url]).withClock(new ManualClock()))
    await first.spawn(echo, 'echo', { public: true })
    for (let i = 0; i < 5; i++) {
      const next = await systems.start(SystemConfig.withSeeds([near.url]).withClock(new ManualClock()))
      expect(await (await next.resolve('echo')).ask(i)).toBe(i)
    }
  })
})

/** Refs found by a name, between whole nodes: they go on to another instance when theirs has not handled a message. */
import { type ActorRef, type ActorSystem, asActor, type Message, StreamMessage, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { gate, turn } from '../actor/systems.ts'
import { type Cable, event, link, Nodes } from '../cluster/memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await turn()
}

interface Lab {
  readonly a: ActorSystem
  readonly b: ActorSystem
  readonly c: ActorSystem
  /** The link between `a` and `b`. */
  readonly cable: Cable
  readonly got: ReadonlyMap<ActorSystem, unknown[]>
  /** Lets those go on that handle `wait`. */
  readonly open: () => void
  /** To the instance on `b`. */
  readonly ref: ActorRef
}

/** `b` and `c`, linked to `a`, each with an instance of `x` that keeps what it gets and answers with its node. */
async function lab(config = SystemConfig.standalone()): Promise<Lab> {
  const [a, b, c] = [await nodes.start(config), await nodes.start(config), await nodes.start(config)]
  const cable = await link(a, b)
  await link(a, c)
  const got = new Map<ActorSystem, unknown[]>()
  const { opened, open } = gate()
  for (const system of [b, c]) {
    got.set(system, [])
    const receive = async (msg: Message): Promise<unknown> => {
      const value = msg.isStream ? 'a stream' : msg.toObject()
      got.get(system)!.push(value)
      if (value === 'wait') await opened
      return system.nodeId
    }
    await system.spawn({ receive }, 'x', { public: true })
    await a.resolve('x', { node: system.nodeId })
  }
  const ref = await a.resolve('x', { policy: (all) => all.find(({ nodeId }) => nodeId === b.nodeId) ?? all[0] })
  expect(ref.nodeId).toBe(b.nodeId)
  return { a, b, c, cable, got, open, ref }
}

describe('an actor that stops', () => {
  test('answers what it handles; what waits for it goes to another instance, in order, and so does all that follows', async () => {
    const { b, c, got, open, ref } = await lab()
    const first = ref.id
    const handled = ref.ask('wait')
    await until(() => got.get(b)!.length === 1)
    const waiting = [1, 2, 3].map((n) => ref.ask(n))
    const stopping = b.stop('x')
    open()
    await stopping
    expect(await handled).toBe(b.nodeId)
    expect(await Promise.all(waiting)).toEqual([c.nodeId, c.nodeId, c.nodeId])
    await ref.tell('told')
    expect(await ref.ask('last')).toBe(c.nodeId)
    expect(got.get(b)).toEqual(['wait'])
    expect(got.get(c)).toEqual([1, 2, 3, 'told', 'last'])
    expect([ref.nodeId, ref.isLocal, ref.name, ref.id === first]).toEqual([c.nodeId, false, 'x', false])
  })

  test('takes a stream that was sent to it along; a node asked for, and an actor’s id, have no other instance', async () => {
    const { a, b, c, got, open, ref } = await lab()
    const pinned = [await a.resolve('x', { node: b.nodeId }), (await a.find(String(ref)))!]
    void ref.ask('wait')
    await until(() => got.get(b)!.length === 1)
    const [stream, writer] = StreamMessage.create('s')
    const streamed = outcomeOf(ref.ask(stream))
    const refused = pinned.map((each) => outcomeOf(each.ask(1)))
    await turn()
    const stopping = b.stop('x')
    open()
    await stopping
    for (const outcome of [streamed, ...refused])
      expect(await outcome).toMatchObject({ name: 'ActorStoppedError', outcome: 'not-sent' })
    await expect(writer.write(1)).rejects.toThrow()
    expect(got.get(c)).toEqual([])
  })

  test('is followed by one of the same name on this node, without any other node', async () => {
    const alone = await nodes.start()
    const spawn = (n: number) => alone.spawn({ receive: () => n }, 'x')
    await spawn(1)
    const ref = (await alone.find('x'))!
    expect(await ref.ask('who')).toBe(1)
    await alone.stop('x')
    expect(await outcomeOf(ref.ask('who'))).toMatchObject({ name: 'ActorStoppedError', outcome: 'not-sent' })
    await spawn(2)
    expect(await ref.ask('who')).toBe(2)
  })

  test('here is followed by one elsewhere, tells included, from the moment it is told to stop', async () => {
    const { a, got } = await lab()
    const { opened, open } = gate()
    await a.spawn({ receive: () => opened, onStop: () => opened }, 'x', { public: true })
    const ref = await a.resolve('x', { policy: 'prefer-local' })
    expect(ref.isLocal).toBe(true)
    const stopping = a.stop('x')
    await ref.tell('told')
    await ref.ask('asked')
    open()
    await stopping
    expect(ref.isLocal).toBe(false)
    expect([...got.values()].flat()).toEqual(['told', 'asked'])
  })

  test('on another node takes no tells any more once that node has said so', async () => {
    const { a, b, c, got, ref } = await lab()
    await b.stop('x')
    // Said after the end of `x`, on the same link.
    await b.spawn({ receive: () => undefined }, 'news', { public: true })
    await a.resolve('news')
    await ref.tell('told')
    await until(() => got.get(c)!.length > 0)
    expect([got.get(b), got.get(c)]).toEqual([[], ['told']])
  })

  test('and handed on that it asked itself in vain has handled the message all the same', async () => {
    const { a, b, c } = await lab()
    let handled = 0
    for (const system of [b, c])
      await system.spawn(
        {
          receive: async (msg: Message, ctx) => {
            if (msg.toObject() === 'inner') return 'inner'
            handled++
            const self = ctx.self
            ctx.stop()
            return self.ask('inner')
          },
        },
        'selfish',
        { public: true, reentrant: true },
      )
    await a.resolve('selfish', { node: c.nodeId })
    const ref = await a.resolve('selfish', { node: b.nodeId }).then(() => a.resolve('selfish'))
    expect(await outcomeOf(ref.ask('outer'))).toMatchObject({
      name: 'ActorStoppedError',
      outcome: 'unknown',
      cause: { name: 'ActorStoppedError', outcome: 'not-sent' },
    })
    expect(handled).toBe(1)
  })
})

describe('a node that cannot be reached', () => {
  const config = () => {
    const clock = new ManualClock()
    return { clock, config: SystemConfig.standalone().withClock(clock).withLimits({ sessionGraceMs: 5_000 }) }
  }

  test('what never left goes elsewhere, within its deadline; what had left is not known', async () => {
    const time = config()
    const { a, c, cable, got, open, ref } = await lab(time.config)
    const sent = outcomeOf(ref.ask('wait'))
    await turn()
    await time.clock.settle()
    cable.cut()
    await time.clock.settle()
    const meanwhile = ref.ask('meanwhile', { timeout: 10_000 })
    const told = ref.tell('told')
    const tooShort = outcomeOf(ref.ask('too short', { timeout: 4_000 }))
    await time.clock.advanceAsync(5_000)
    expect(await sent).toMatchObject({ name: 'UnreachableError', outcome: 'unknown' })
    expect(await meanwhile).toBe(c.nodeId)
    await told
    expect(await tooShort).toMatchObject({ name: 'PulsingTimeoutError' })
    await time.clock.settle()
    expect(new Set(got.get(c))).toEqual(new Set(['meanwhile', 'told']))
    expect(got.get(c)).toHaveLength(2)
    expect(a.census().asks).toBe(0)
    open()
  })

  test('a node that has ended is left at once, by proxies too', async () => {
    const Named = asActor(
      class Named {
        constructor(readonly of: string) {}
        who(): string {
          return this.of
        }
        *items(): Generator<string> {
          yield this.of
        }
        call(back: () => number): number {
          return back()
        }
      },
    )
    const { a, b, c } = await lab()
    for (const system of [b, c]) {
      await Named.options({ name: 'named', public: true }).local(system, system.nodeId)
      await a.resolve('named', { node: system.nodeId })
    }
    const proxies = await Promise.all([1, 2].map(() => Named.resolve(a, 'named', { policy: 'round-robin' })))
    const [proxy] = proxies.filter(({ ref }) => ref.nodeId === b.nodeId)
    expect(await proxy!.who()).toBe(b.nodeId)
    const left = event(a, 'memberLeft', ({ member }) => member.nodeId === b.nodeId)
    await b.shutdown()
    await left
    expect(await outcomeOf(Promise.resolve(proxy!.call(() => 1)))).toMatchObject({ outcome: 'not-sent' })
    const items: string[] = []
    for await (const item of proxy!.items()) items.push(item)
    expect([items, await proxy!.who(), proxy!.ref.nodeId]).toEqual([[c.nodeId], c.nodeId, c.nodeId])
    expect(await proxy!.call(() => 2)).toBe(2)
  })
})

test('a watch of a named ref is one of the instance it leads to', async () => {
  const { a, b, c, ref } = await lab()
  const seen: string[] = []
  const watcher = await a.spawn({
    receive: (msg: Message, ctx) => {
      if (msg.msgType === 'Terminated') seen.push(msg.toObject<{ ref: ActorRef }>().ref.nodeId)
      else if (msg.toObject() === 'unwatch') ctx.unwatch(ref)
      else ctx.watch(ref)
    },
  })
  await watcher.ask('watch')
  await b.stop('x')
  await until(() => seen.length === 1)
  expect(await ref.ask('go on')).toBe(c.nodeId)
  await watcher.ask('watch')
  await watcher.ask('unwatch')
  await c.stop('x')
  await turn()
  expect(seen).toEqual([b.nodeId])
})

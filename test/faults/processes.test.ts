/** Processes that are killed without a word, and stopped and continued. */
import { type ActorSystem, Message } from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { away, event, freePort, left, memberIds, onlineIds, outcomeOf } from '../system/systems.ts'
import { Network, PROMPT } from './networks.ts'
import { NodeProcess } from './node-process.ts'
import { flag, NOTICED_WITHIN_MS, passUntil, passUntilDialled } from './passing-time.ts'
import { asks, complaints, expectAll, reads, tells, turns, upTo, watching, witnessOf, writes } from './witness.ts'

const network = new Network()
beforeAll(() => NodeProcess.bundle(), 60_000)
afterEach(async () => {
  await NodeProcess.stop()
  await network.stop()
})

/** Two leaves of this process, each with a witness the other knows. */
async function leaves([urlOfA, urlOfB]: readonly [string, string], ofA = PROMPT, ofB = PROMPT) {
  const [a, b] = [await network.leaf(urlOfA, ofA), await network.leaf(urlOfB, ofB)]
  const [witnessA, atA] = await witnessOf(a, b)
  const [witnessB, atB] = await witnessOf(b, a)
  return { a, b, witnessA, witnessB, atA, atB }
}

describe('a relay process', () => {
  test('killed with SIGKILL and started again, again and again, is not noticed by its leaves', {
    timeout: 60_000,
  }, async () => {
    const port = await freePort()
    let relay = await NodeProcess.relay(port)
    const { a, b, witnessA, witnessB, atA, atB } = await leaves([relay.url, relay.url])
    const heard = complaints(a, b)
    // Handled on the other side all the while.
    let answer!: (value: string) => void
    await a.spawn({ receive: () => new Promise((resolve) => (answer = resolve)) }, 'patient', { public: true })
    const patient = (await b.resolve('patient')).ask('anything', { timeout: Infinity })
    const open = (await b.resolve(`witness of ${a.nodeId}`)).askStream(Message.fromObject('count', 100))
    expect((await open.next()).value?.toObject()).toBe(0)

    const [told, asked, items] = [300, 100, 300]
    for (let round = 0; round < 3; round++) {
      const all = Promise.all(
        [atA, atB].flatMap((ref) => [
          tells(ref, told, { from: round * told }),
          asks(ref, asked, { from: round * asked }),
          reads(ref, items),
          writes(ref, items),
        ]),
      )
      await witnessA.hasHeard(round * told + told / 4)
      const { nodeId } = relay
      const lost = [away(a, nodeId), away(b, nodeId)]
      await relay.kill()
      await Promise.all(lost)
      relay = await NodeProcess.relay(port)
      await all
      expect(onlineIds(a)).toEqual(new Set([a.nodeId, b.nodeId, relay.nodeId]))
    }
    await Promise.all([witnessA.hasHeard(3 * told), witnessB.hasHeard(3 * told)])
    expectAll(witnessA, 3 * told, 3 * asked)
    expectAll(witnessB, 3 * told, 3 * asked)
    answer('still there')
    expect(await patient).toBe('still there')
    let next = 1
    for await (const item of open) expect(item.toObject()).toBe(next++)
    expect(next).toBe(100)
    expect(heard).toEqual([])
  })

  test('stopped for a moment and continued loses nothing', { timeout: 30_000 }, async () => {
    const relay = await NodeProcess.relay(0)
    const { a, b, witnessA, witnessB, atA, atB } = await leaves([relay.url, relay.url])
    const heard = complaints(a, b)
    const closed: unknown[] = []
    for (const leaf of [a, b]) leaf.on('linkClosed', (event) => closed.push(event))
    const amount = 6_000
    const all = Promise.all(
      [atA, atB].flatMap((ref) => [
        tells(ref, amount, { bytes: 500 }),
        asks(ref, 200),
        reads(ref, 1_000),
        writes(ref, 1_000),
      ]),
    )
    await witnessA.hasHeard(500)
    relay.freeze()
    for (let before = -1; before !== witnessA.told.length; await turns(300)) before = witnessA.told.length
    expect(witnessA.told.length).toBeLessThan(amount)
    relay.resume()
    await all
    await Promise.all([witnessA.hasHeard(amount), witnessB.hasHeard(amount)])
    expectAll(witnessA, amount, 200)
    expectAll(witnessB, amount, 200)
    expect([closed, heard]).toEqual([[], []])
  })

  test('stopped until its leaves gave it up, and continued then, is linked again, and has lost nothing', {
    timeout: 30_000,
  }, async () => {
    const relay = await NodeProcess.relay(0)
    const clocks = [new ManualClock(), new ManualClock()]
    const [nearA, nearB] = [await network.proxy(relay.url), await network.proxy(relay.url)]
    const [ofA, ofB] = clocks.map((clock) => PROMPT.withClock(clock))
    const { a, b, witnessA, witnessB, atA, atB } = await leaves([nearA.url, nearB.url], ofA, ofB)
    const heard = complaints(a, b)
    const closed = flag(Promise.all([event(a, 'linkClosed'), event(b, 'linkClosed')]))
    const reopened = Promise.all([event(a, 'linkOpened'), event(b, 'linkOpened')])
    relay.freeze()
    const amount = 300
    const all = Promise.all(
      [atA, atB].flatMap((ref) => [tells(ref, amount), asks(ref, amount), reads(ref, amount), writes(ref, amount)]),
    )
    expect(await passUntil(closed, ...clocks)).toBeLessThanOrEqual(NOTICED_WITHIN_MS)
    await Promise.all([passUntilDialled(nearA, 2, clocks[0]!), passUntilDialled(nearB, 2, clocks[1]!)])
    relay.resume()
    await reopened
    await all
    await Promise.all([witnessA.hasHeard(amount), witnessB.hasHeard(amount)])
    expectAll(witnessA, amount, amount)
    expectAll(witnessB, amount, amount)
    expect(heard).toEqual([])
  })
})

describe('a leaf process', () => {
  async function withChild(
    config = PROMPT,
  ): Promise<{ relay: ActorSystem & { addr: string }; leaf: ActorSystem; child: NodeProcess }> {
    const relay = await network.relay()
    const leaf = await network.leaf(relay.addr, config)
    const child = await NodeProcess.leaf(relay.addr, 'child')
    return { relay, leaf, child }
  }

  test('killed with SIGKILL is no member any more, and what is pending with it fails typed when the grace is over', {
    timeout: 30_000,
  }, async () => {
    const { relay, leaf, child } = await withChild(PROMPT.withLimits({ sessionGraceMs: 200 }))
    const ref = await leaf.resolve('child')
    const { told, isTold } = await watching(leaf, ref)
    const asked = outcomeOf(ref.ask(Message.fromObject('hang', 1), { timeout: Infinity }))
    const items = ref.askStream<number>(Message.fromObject('endless', 1))
    await items.next()
    await child.printed(/hanging/)
    const gone = [left(leaf, child.nodeId), away(relay, child.nodeId)]
    await child.kill()
    await Promise.all(gone)
    const late = outcomeOf(ref.ask(Message.fromObject('echo', 1), { timeout: Infinity }))
    expect(await asked).toMatchObject({ name: 'UnreachableError', code: 'unreachable', outcome: 'unknown' })
    await isTold
    expect(await late).toMatchObject({ name: 'UnreachableError', code: 'unreachable', outcome: 'not-sent' })
    const drained = async (): Promise<void> => {
      while (!(await items.next()).done);
    }
    expect(await outcomeOf(drained())).toMatchObject({ code: 'unreachable' })
    expect(memberIds(leaf)).toEqual(new Set([leaf.nodeId, relay.nodeId]))
    expect(await leaf.find('child')).toBeUndefined()
    expect(await outcomeOf(ref.ask('again'))).toMatchObject({ code: 'unreachable', outcome: 'not-sent' })
    expect(leaf.census()).toMatchObject({ asks: 0, streams: 0 })
    expect(told).toEqual(['unreachable'])
  })

  test('killed with SIGKILL: an ask is not kept from its own timeout by the grace', { timeout: 30_000 }, async () => {
    const { leaf, child } = await withChild()
    const ref = await leaf.resolve('child')
    const asked = outcomeOf(ref.ask(Message.fromObject('hang', 1), { timeout: 1_000 }))
    await child.printed(/hanging/)
    await child.kill()
    expect(await asked).toMatchObject({ name: 'PulsingTimeoutError', code: 'timeout' })
  })

  test('killed and started anew under the same name is found again, as another node', { timeout: 30_000 }, async () => {
    const { relay, leaf, child } = await withChild()
    const ref = await leaf.resolve('child')
    await ref.tell(Message.fromObject('note', 1))
    expect((await ref.ask(Message.fromObject('told', 0))).toObject()).toBe(1)
    const lost = away(leaf, child.nodeId)
    await child.kill()
    expect((await lost).status).toBe('detached')
    const successor = await NodeProcess.leaf(relay.addr, 'child')
    const found = await leaf.resolve('child', { timeout: 30_000 })
    expect([found.nodeId, successor.nodeId]).not.toContain(child.nodeId)
    expect((await found.ask(Message.fromObject('told', 0))).toObject()).toBe(0)
  })

  test('stopped for a moment and continued has lost nothing', { timeout: 30_000 }, async () => {
    const { leaf, child } = await withChild()
    const ref = await leaf.resolve('child')
    expect(await ref.ask('before')).toBe('before')
    child.freeze()
    const amount = 1_000
    const answers = Promise.all(upTo(amount).map((n) => ref.ask(n, { timeout: Infinity })))
    for (let n = 0; n < amount; n++) await ref.tell(Message.fromObject('note', n))
    child.resume()
    expect(await answers).toEqual(upTo(amount))
    expect((await ref.ask(Message.fromObject('told', 0))).toObject()).toBe(amount)
  })
})

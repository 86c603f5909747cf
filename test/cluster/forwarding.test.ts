import { type ActorRef, type ActorSystem, isPulsingError, type Message } from 'pulsing'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { encodeCbor } from '../../src/base/cbor.ts'
import { newId } from '../../src/base/ids.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import { Names } from '../../src/cluster/names.ts'
import { Topology } from '../../src/cluster/topology.ts'
import { encodeUpdates } from '../../src/cluster/update.ts'
import { FLAG, FRAME, MAX_HOPS } from '../../src/wire/frame.ts'
import { event, link, memberIds, Nodes, type Puppet, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )
const echo = { receive: (msg: Message) => (msg.msgType === '' ? msg.toObject() : msg) }

/** Nodes in a row, each linked to the next. */
async function row(count: number): Promise<ActorSystem[]> {
  const systems = await Promise.all(Array.from({ length: count }, () => nodes.start()))
  for (let i = 1; i < count; i++) await link(systems[i - 1]!, systems[i]!)
  return systems
}

/** A node with two puppets for neighbours: the first attacks, the second is who it names. */
async function between(): Promise<{ relay: ActorSystem; attacker: Puppet; victim: Puppet }> {
  const relay = await nodes.start()
  return { relay, attacker: await puppet(relay), victim: await puppet(relay) }
}

/** Settles when everything a puppet sent so far has been taken: its ping was answered. */
let pings = 100
async function fence(played: Puppet): Promise<void> {
  const id = ++pings
  played.send({ kind: FRAME.ping, id })
  await played.when((frame) => frame.kind === FRAME.pong && frame.id === id)
  for (let i = 0; i < 4; i++) await new Promise<void>((resolve) => macrotask(resolve))
}

describe('forwarding', () => {
  test(`asks, streams and refs pass up to ${MAX_HOPS} nodes between two others`, async () => {
    const systems = await row(MAX_HOPS + 2)
    const [first, last] = [systems[0]!, systems.at(-1)!]
    await last.spawn(echo, 'echo', { public: true })
    const own = await first.spawn({ receive: () => 'me' })
    const ref = await first.resolve('echo')
    expect(await ref.ask({ deep: [1] })).toEqual({ deep: [1] })
    const back = await ref.ask<{ ref: ActorRef }>({ ref: own })
    expect(await back.ref.ask('who')).toBe('me')
  })

  test('costs the same however many names there are: none of them is looked at, at either end or between', async () => {
    const [first, , last] = await row(3)
    await last!.spawn(echo, 'echo', { public: true })
    for (let i = 0; i < 300; i++) await last!.spawn(echo, `other ${i}`, { public: true })
    const ref = await first!.resolve('echo')
    expect(await ref.ask(0)).toBe(0)
    const looks = [
      ...(['add', 'remove', 'has', 'pick'] as const).map((what) => vi.spyOn(Names.prototype, what)),
      ...(['recompute', 'members', 'records'] as const).map((what) => vi.spyOn(Topology.prototype, what)),
    ]
    for (let i = 1; i <= 100; i++) expect(await ref.ask(i)).toBe(i)
    expect(looks.map((spy) => spy.mock.calls.length)).toEqual(looks.map(() => 0))
    for (const spy of looks) spy.mockRestore()
  })

  test('a way over too many nodes is a typed error at once, not silence', async () => {
    const systems = await row(MAX_HOPS + 3)
    const [first, last] = [systems[0]!, systems.at(-1)!]
    await last.spawn(echo, 'echo', { public: true })
    const ref = await first.resolve('echo')
    const error = await outcomeOf(ref.ask('x', { timeout: 3_000 }))
    expect(isPulsingError(error, 'unreachable')).toBe(true)
  })

  test('payloads nobody on the way can decode arrive byte for byte', async () => {
    const { attacker, victim } = await between()
    const payload = Uint8Array.of(0xff, 0x5f, 0x00, 0xc1, 0xff)
    attacker.send({
      kind: FRAME.tell,
      hops: 4,
      to: victim.nodeId,
      from: attacker.nodeId,
      session: 1,
      seq: 1,
      actor: 'a',
      type: '\u0000',
      flags: 3,
      payload,
    })
    const got = await victim.when(({ kind }) => kind === FRAME.tell)
    expect(got).toMatchObject({
      hops: 3,
      to: victim.nodeId,
      from: attacker.nodeId,
      session: 1,
      seq: 1,
      flags: 3,
      payload,
    })
  })

  test('a frame for nobody comes back as undeliverable, naming the node', async () => {
    const { attacker } = await between()
    const nobody = newId()
    attacker.send({ kind: FRAME.ask, hops: 4, to: nobody, from: attacker.nodeId, session: 1, seq: 1, id: 1 })
    expect(await attacker.when(({ kind }) => kind === FRAME.undeliverable)).toMatchObject({ actor: nobody })
  })

  test('a frame that may pass no more nodes comes back as undeliverable', async () => {
    const { attacker, victim } = await between()
    attacker.send({ kind: FRAME.ask, hops: 0, to: victim.nodeId, from: attacker.nodeId, session: 1, seq: 1, id: 1 })
    expect(await attacker.when(({ kind }) => kind === FRAME.undeliverable)).toMatchObject({ actor: victim.nodeId })
    expect(victim.received.some(({ kind }) => kind === FRAME.ask)).toBe(false)
  })

  test('a hop count that cannot be lowered in place never reaches another node', async () => {
    const { attacker, victim } = await between()
    const text = (value: string): number[] => [...encodeCbor(value)]
    attacker.sendBytes(
      Uint8Array.from([0x87, 0x18, FRAME.stop, 0x18, 5, ...text(victim.nodeId), ...text(attacker.nodeId), 1, 1, 1]),
    )
    await attacker.over
    await fence(victim)
    expect(victim.isOver).toBe(false)
  })
})

describe('who may speak for whom', () => {
  test('a frame in the name of another leaf is dropped', async () => {
    const { relay, attacker, victim } = await between()
    const seen: unknown[] = []
    const ref = await relay.spawn({ receive: (msg: Message) => void seen.push(msg.toObject()) })
    const forged = {
      kind: FRAME.tell,
      session: 1,
      seq: 1,
      actor: ref.id,
      flags: FLAG.plain | 2,
      payload: encodeCbor('forged'),
    }
    attacker.send({ ...forged, hops: 4, to: relay.nodeId, from: victim.nodeId })
    attacker.send({ ...forged, hops: 4, to: relay.nodeId, from: relay.nodeId })
    attacker.send({ ...forged, hops: 4, to: victim.nodeId, from: victim.nodeId })
    attacker.send({ ...forged, payload: encodeCbor('own') })
    await fence(attacker)
    await fence(victim)
    expect(seen).toEqual(['own'])
    expect(victim.received.some(({ kind }) => kind === FRAME.tell)).toBe(false)
  })

  test('news in the name of another leaf, or of the node itself, is dropped', async () => {
    const { relay, attacker, victim } = await between()
    const left = event(relay, 'memberLeft', ({ member }) => member.nodeId !== attacker.nodeId).then(() => 'left')
    for (const nodeId of [victim.nodeId, relay.nodeId]) {
      attacker.send({
        kind: FRAME.cluster,
        payload: encodeUpdates([
          {
            op: 'node',
            nodeId,
            version: 1_000,
            kind: 'leaf',
            addr: undefined,
            features: [],
            classes: [],
            links: [],
            names: [['stolen', newId()]],
            isHidden: false,
          },
        ]),
      })
      attacker.send({
        kind: FRAME.cluster,
        payload: encodeUpdates([{ op: 'name', nodeId, version: 1, name: 'stolen', actorId: newId() }]),
      })
    }
    await fence(attacker)
    expect(await relay.find('stolen')).toBeUndefined()
    expect(memberIds(relay)).toEqual(new Set([relay.nodeId, attacker.nodeId, victim.nodeId]))
    expect(await Promise.race([left, Promise.resolve('nothing')])).toBe('nothing')
  })

  test('a leaf may speak for nodes behind it, as a page does for its workers', async () => {
    const [worker, page, other] = (await row(3)) as [ActorSystem, ActorSystem, ActorSystem]
    await worker.spawn(echo, 'in worker', { public: true })
    expect(await (await other.resolve('in worker')).ask('hello')).toBe('hello')
    expect(memberIds(other)).toEqual(new Set([worker, page, other].map(({ nodeId }) => nodeId)))
  })

  test('a leaf that says somebody is undeliverable does not end the sessions of others', async () => {
    const { relay, attacker, victim } = await between()
    const ref = await relay.spawn({
      receive: (_msg, ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve(undefined))),
    })
    victim.send({
      kind: FRAME.ask,
      session: 1,
      seq: 1,
      id: 1,
      actor: ref.id,
      flags: FLAG.plain | 2,
      payload: encodeCbor('wait'),
    })
    await fence(victim)
    attacker.send({ kind: FRAME.undeliverable, actor: victim.nodeId, reason: 'I say so' })
    await fence(attacker)
    victim.send({ kind: FRAME.ask, session: 1, seq: 2, id: 2, actor: newId() })
    expect(await victim.when(({ kind, id }) => kind === FRAME.fail && id === 2)).toBeDefined()
    expect(victim.received.some(({ kind }) => kind === FRAME.reset)).toBe(false)
  })

  test('nonsense from a far node ends the session with it, not the link it came over', async () => {
    const { relay, attacker } = await between()
    const far = await nodes.start()
    await fence(attacker)
    await link(relay, far)
    const ref = await far.spawn(echo)
    expect(memberIds(far)).toContain(attacker.nodeId)
    let isCut = false
    far.on('linkClosed', () => (isCut = true))
    const frame = { hops: 4, to: far.nodeId, from: attacker.nodeId, session: 1, actor: ref.id }
    attacker.send({ ...frame, kind: FRAME.tell, seq: 1, flags: 3 })
    attacker.send({ ...frame, kind: FRAME.tell, seq: 2, stream: 1, window: 0 })
    await attacker.when(({ kind, id }) => kind === FRAME.reset && id === 1)
    // Both begin new sessions; far takes nothing of it before it was told that its own is known.
    const { session } = await attacker.when(({ kind }) => kind === FRAME.probe)
    attacker.send({ ...frame, kind: FRAME.ack, session: 2, id: session, flags: 1 })
    attacker.send({
      ...frame,
      kind: FRAME.ask,
      session: 2,
      seq: 1,
      id: 1,
      flags: FLAG.plain | 2,
      payload: encodeCbor('still there?'),
    })
    await attacker.when(({ kind, id }) => kind === FRAME.reply && id === 1)
    expect(isCut).toBe(false)
  })

  test('garbage from a neighbour ends its link alone', async () => {
    const { relay, attacker, victim } = await between()
    const closed = event(relay, 'linkClosed')
    attacker.sendBytes(Uint8Array.of(0xff, 0xff))
    expect(await closed).toMatchObject({ nodeId: attacker.nodeId, error: { name: 'ProtocolError' } })
    await fence(victim)
    expect(memberIds(relay)).toEqual(new Set([relay.nodeId, victim.nodeId]))
  })
})

import { type ActorSystem, Message, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { STOP_TYPE, SYSTEM_ACTOR } from '../../src/actor/system-names.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import { newId } from '../../src/base/ids.ts'
import type { InspectionRule } from '../../src/cluster/inspection-rule.ts'
import { encodeUpdates, type NodeSnapshot } from '../../src/cluster/update.ts'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { decodeError } from '../../src/wire/error-codec.ts'
import { FRAME, type Frame } from '../../src/wire/frame.ts'
import { connect, event, link, Nodes, type Puppet, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

const standalone = SystemConfig.standalone()
const listening = SystemConfig.withAddr('127.0.0.1:0')
const echo = { receive: (msg: Message) => msg.toObject() }
const READING = ['@ping', '@health', '@info', '@metrics', '@actors', '@members'] as const
const denied = (option: string): object => ({
  name: 'PermissionDeniedError',
  message: expect.stringContaining(`option ${option}`) as string,
})

/** Asks the system actor of `to` from `from`. */
async function asks(from: ActorSystem, to: ActorSystem, type: string, value?: unknown): Promise<unknown> {
  const core = await from.resolve(SYSTEM_ACTOR, { node: to.nodeId })
  return (await core.ask(Message.fromObject(type, value))).toObject()
}

/** A leaf, or a relay, beside a node with an actor, linked by a port of this machine or by a wire to anywhere. */
async function beside(config: SystemConfig, { kind = 'leaf', isNear }: { kind?: 'leaf' | 'relay'; isNear: boolean }) {
  const node = await nodes.start(config)
  const { auth } = config.settings
  const own = kind === 'leaf' ? standalone : listening
  const other = await nodes.start(auth ? own.withAuth({ token: 'secret' }) : own)
  const { port1, port2 } = new MessageChannel()
  await (isNear ? Promise.all([node.connect(port1), other.connect(port2)]) : link(node, other))
  await node.spawn(echo, 'an actor')
  return { node, other }
}

async function whatMay(from: ActorSystem, node: ActorSystem): Promise<{ reads: boolean; stops: boolean }> {
  const may = (request: Promise<unknown>): Promise<boolean> =>
    request.then(
      () => true,
      (error: Error) => {
        expect(error.name).toBe('PermissionDeniedError')
        return false
      },
    )
  const reads = await Promise.all([
    ...READING.map((type) => may(asks(from, node, type))),
    may(asks(from, node, '@actor', { name: 'an actor' })),
    may(asks(from, node, '@on', { on: node.nodeId, type: '@ping' })),
  ])
  expect(new Set(reads).size).toBe(1)
  return { reads: reads[0]!, stops: await may(asks(from, node, STOP_TYPE, { name: 'an actor' })) }
}

describe('a node tells about itself', () => {
  const nothing = { reads: false, stops: false }
  const reading = { reads: true, stops: false }
  const both = { reads: true, stops: true }
  test.each<[inspect: InspectionRule, management: boolean, isNear: boolean, may: object]>([
    ['this-machine', false, true, reading],
    ['this-machine', false, false, nothing],
    ['this-machine', true, true, both],
    ['this-machine', true, false, nothing],
    ['all', false, true, reading],
    ['all', false, false, reading],
    ['all', true, false, both],
    ['relays', true, true, nothing],
    ['none', false, true, nothing],
    ['none', true, true, nothing],
  ])(
    'inspect %s, management %s: a leaf whose link is from this machine (%s) may %j',
    async (inspect, management, isNear, may) => {
      const { node, other } = await beside(standalone.withLimits({ inspect, management }), { isNear })
      expect(await whatMay(other, node)).toEqual(may)
    },
  )

  test('by default to leaves of this machine, who may stop nothing', async () => {
    const near = await beside(standalone, { isNear: true })
    expect(await whatMay(near.other, near.node)).toEqual(reading)
    const far = await beside(standalone, { isNear: false })
    expect(await whatMay(far.other, far.node)).toEqual(nothing)
  })

  const locked = standalone.withAuth({ token: 'secret' })
  test.each<[inspect: InspectionRule, management: boolean, who: string, config: SystemConfig, may: object]>([
    ['this-machine', false, 'everybody', standalone, reading],
    ['relays', false, 'everybody', standalone, reading],
    ['all', false, 'everybody', standalone, reading],
    ['relays', true, 'everybody', standalone, both],
    ['relays', false, 'holders of a token', locked, both],
    ['none', true, 'everybody', standalone, nothing],
    ['none', true, 'holders of a token', locked, nothing],
  ])(
    'inspect %s, management %s, open to %s: a relay may as it should',
    async (inspect, management, _who, config, may) => {
      const { node, other } = await beside(config.withLimits({ inspect, management }), { kind: 'relay', isNear: false })
      expect(await whatMay(other, node)).toEqual(may)
    },
  )

  test.each(['none', 'all'] as const)('inspect %s: always to itself', async (inspect) => {
    const { node } = await beside(standalone.withLimits({ inspect }), { isNear: false })
    expect(await whatMay(node, node)).toEqual(both)
  })

  test('a refusal names the option, and the nodes', async () => {
    const { node, other } = await beside(standalone, { isNear: false })
    await expect(asks(other, node, '@ping')).rejects.toMatchObject(denied(`inspect is 'this-machine'`))
    await expect(asks(other, node, STOP_TYPE, {})).rejects.toMatchObject(denied('management is false'))
    await expect(asks(other, node, '@ping')).rejects.toThrow(`${node.nodeId}, got node ${other.nodeId}`)
  })

  test('a leaf on this machine is near its relay, not every node behind it', async () => {
    const relay = await nodes.start(listening)
    const [near, far] = [await nodes.start(), await nodes.start()]
    const { port1, port2 } = new MessageChannel()
    await Promise.all([near.connect(port1), relay.connect(port2)])
    const known = event(near, 'memberJoined', ({ member }) => member.nodeId === far.nodeId)
    await link(far, relay)
    await known
    await expect(asks(near, far, '@ping')).rejects.toMatchObject(denied('inspect'))
    // The relay decides what it asks for others.
    expect(await asks(near, relay, '@on', { on: far.nodeId, type: '@ping' })).toMatchObject({ nodeId: far.nodeId })
    await expect(
      asks(near, relay, '@on', { on: far.nodeId, type: STOP_TYPE, value: { name: 'x' } }),
    ).rejects.toMatchObject(denied('management'))
    await expect(asks(far, relay, '@on', { on: near.nodeId, type: '@ping' })).rejects.toMatchObject(denied('inspect'))
    await expect(asks(near, relay, '@on', { on: 'nobody', type: '@ping' })).rejects.toMatchObject({
      name: 'UnreachableError',
    })
    await expect(asks(far, relay, '@on', { on: 'nobody', type: '@ping' })).rejects.toMatchObject(denied('inspect'))
  })

  test('a relay two relays away is a relay', async () => {
    const relays = await Promise.all([0, 1, 2].map(() => nodes.start(listening)))
    const [first, second, third] = relays as [ActorSystem, ActorSystem, ActorSystem]
    const known = event(first, 'memberJoined', ({ member }) => member.nodeId === third.nodeId)
    await link(first, second)
    await link(second, third)
    await known
    await first.spawn(echo, 'an actor')
    expect(await whatMay(third, first)).toEqual(reading)
  })
})

describe('a neighbour that speaks for others', () => {
  /** What a node answers to an ask of a puppet's, in its own name or in that of `from`. */
  async function answered(asker: Puppet, node: ActorSystem, from?: string): Promise<Frame> {
    asker.send({
      kind: FRAME.ask,
      ...(from === undefined ? {} : { hops: 4, to: node.nodeId, from }),
      session: 1,
      seq: 1,
      id: 1,
      actor: SYSTEM_ACTOR,
      timeout: 10_000,
      type: '@ping',
      flags: 2,
      payload: encodeCbor(undefined),
    })
    const to = from ?? ''
    return asker.when((frame) => (frame.kind === FRAME.reply || frame.kind === FRAME.fail) && frame.to === to)
  }

  /** The puppet's word that there is a relay behind it. */
  function invent(inventor: Puppet, kind: 'relay' | 'leaf', node: ActorSystem): string {
    const nodeId = newId()
    const record = {
      op: 'node',
      version: 2,
      addr: undefined,
      features: [],
      classes: [],
      names: [],
      isHidden: false,
    } as const
    const records: NodeSnapshot[] = [
      { ...record, nodeId: inventor.nodeId, kind, links: [node.nodeId, nodeId] },
      { ...record, nodeId, kind: 'relay', links: [inventor.nodeId, node.nodeId] },
    ]
    inventor.send({ kind: FRAME.cluster, payload: encodeUpdates(records) })
    return nodeId
  }

  test('a leaf that invents a relay behind it gains nothing by it', async () => {
    const node = await nodes.start()
    const leaf = await puppet(node, 'leaf')
    const joined = event(node, 'memberJoined', ({ member }) => member.kind === 'relay')
    const nodeId = invent(leaf, 'leaf', node)
    await joined
    const { kind, payload } = await answered(leaf, node, nodeId)
    expect(kind).toBe(FRAME.fail)
    expect(decodeError(payload, '')).toMatchObject(denied('inspect'))
  })

  test('a relay vouches for another behind it', async () => {
    const node = await nodes.start()
    const relay = await puppet(node, 'relay')
    const joined = event(node, 'memberJoined', ({ member }) => member.nodeId !== relay.nodeId)
    const nodeId = invent(relay, 'relay', node)
    await joined
    expect((await answered(relay, node, nodeId)).kind).toBe(FRAME.reply)
  })

  test('what the request says of its sender counts for nothing', async () => {
    const node = await nodes.start()
    const leaf = await puppet(node, 'leaf')
    expect(decodeError((await answered(leaf, node)).payload, '')).toMatchObject(denied('inspect'))
  })
})

test('a wire inside this process is not known to be of this machine', async () => {
  const [a, b] = [await nodes.start(), await nodes.start()]
  await connect(a, b, memoryPair())
  await expect(asks(a, b, '@ping')).rejects.toMatchObject(denied('inspect'))
})

describe('withLimits', () => {
  test.each([{ inspect: 'everybody' }, { inspect: true }, { inspect: '' }, { management: 1 }, { management: 'yes' }])(
    'refuses %j',
    (limits) => {
      const [name] = Object.keys(limits)
      expect(() => standalone.withLimits(limits as object)).toThrow(`expected limit ${name} as`)
    },
  )
})

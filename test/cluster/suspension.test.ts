/** Pages put aside: their relay hears their browser and not them, and says so; everybody sees it, and when it is over. */
import { type ActorSystem, type Connection, type Member, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { encodeUpdates, type Update } from '../../src/cluster/update.ts'
import { CHECK_EVERY_MS, GONE_AFTER_MS, SUSPENDED_AFTER_MS } from '../../src/link/heartbeat.ts'
import { createTestSystem } from '../../src/testkit/test-system.ts'
import { webSocketListener } from '../../src/transport/websocket/listener.node.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { byHand, event, Nodes, type Puppet, puppet } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

const statusOf = (system: ActorSystem, nodeId: string): Member['status'] | undefined =>
  system.members().find((member) => member.nodeId === nodeId)?.status

const tell = (relay: Puppet, ...updates: Update[]): void =>
  relay.send({ kind: FRAME.cluster, payload: encodeUpdates(updates) })

describe('what a relay says of its leaf', () => {
  const leaf = newId()
  const record = (nodeId: string, links: string[], more: object = {}): Update =>
    ({
      ...{ op: 'node', nodeId, version: 2, kind: nodeId === leaf ? 'leaf' : 'relay', addr: undefined },
      ...{ features: [], classes: [], links, names: [], isHidden: false, ...more },
    }) as Update

  async function behindRelay(): Promise<{ system: ActorSystem; relay: Puppet; statuses: string[] }> {
    const system = await nodes.start()
    const relay = await puppet(system, 'relay')
    const statuses: string[] = []
    const isLeaf = event(system, 'memberJoined', ({ member }) => member.nodeId === leaf)
    system.on('memberUpdated', ({ member }) => {
      if (member.nodeId === leaf) statuses.push(member.status)
    })
    tell(relay, record(leaf, [relay.nodeId]), record(relay.nodeId, [system.nodeId, leaf]))
    await isLeaf
    return { system, relay, statuses }
  }
  const linked = (relay: Puppet, version: number, isSuspended: boolean): Update => ({
    ...{ op: 'link', nodeId: relay.nodeId, version, other: leaf, isUp: true, isSuspended },
  })

  test('is its status for everybody, until the relay takes it back', async () => {
    const { system, relay, statuses } = await behindRelay()
    expect(statusOf(system, leaf)).toBe('online')
    tell(relay, linked(relay, 3, true))
    await event(system, 'memberUpdated')
    expect(statusOf(system, leaf)).toBe('suspended')
    tell(relay, linked(relay, 4, false))
    await event(system, 'memberUpdated')
    expect(statusOf(system, leaf)).toBe('online')
    expect(statuses).toEqual(['suspended', 'online'])
  })

  test('comes with the whole record of the relay too', async () => {
    const { system, relay, statuses } = await behindRelay()
    tell(relay, record(relay.nodeId, [system.nodeId, leaf], { version: 9, suspended: [leaf] }))
    await event(system, 'memberUpdated', ({ member }) => member.nodeId === leaf)
    expect([statusOf(system, leaf), statuses]).toEqual(['suspended', ['suspended']])
  })

  test('ends with its link: then it is detached', async () => {
    const { system, relay } = await behindRelay()
    tell(relay, linked(relay, 3, true))
    await event(system, 'memberUpdated')
    tell(relay, { op: 'link', nodeId: relay.nodeId, version: 4, other: leaf, isUp: false })
    await event(system, 'memberUpdated', ({ member }) => member.status === 'detached')
    expect(statusOf(system, leaf)).toBe('detached')
  })

  test('counts only if all relays it is linked to say so', async () => {
    const { system, relay } = await behindRelay()
    const second = await puppet(system, 'relay')
    tell(second, record(second.nodeId, [system.nodeId, leaf]))
    tell(relay, record(leaf, [relay.nodeId, second.nodeId], { version: 5 }), linked(relay, 3, true))
    tell(second, { op: 'name', nodeId: second.nodeId, version: 3, name: 'after', actorId: newId() })
    await system.resolve('after')
    expect(statusOf(system, leaf)).toBe('online')
    tell(second, linked(second, 4, true))
    await event(system, 'memberUpdated', ({ member }) => member.status === 'suspended')
  })
})

test('a relay hears the platform of a silent leaf, and tells everybody; a word of the leaf ends it', async () => {
  const config = SystemConfig.withAddr('ws://127.0.0.1:0').withTransports(byHand, webSocketListener())
  await using relay = await createTestSystem({ config })
  let alive = (): void => undefined
  const answering = (connection: Connection): Connection =>
    Object.assign(Object.create(connection) as Connection, {
      maxBatchBytes: connection.maxBatchBytes,
      transfers: connection.transfers,
      open: (handler: Parameters<Connection['open']>[0]) => {
        alive = () => handler.alive!()
        connection.open(handler)
      },
      send: (batch: Uint8Array) => connection.send(batch),
      close: () => connection.close(),
      abort: (reason?: string) => connection.abort(reason),
      probe: () => alive(),
    })
  const leaf = await puppet(relay.system, 'leaf', answering)
  const other = await puppet(relay.system)
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += CHECK_EVERY_MS) {
      // The other one answers for itself.
      other.send({ kind: FRAME.pong, id: 0 })
      await relay.clock.advanceAsync(CHECK_EVERY_MS)
    }
  }
  await pass(SUSPENDED_AFTER_MS - CHECK_EVERY_MS)
  expect(statusOf(relay.system, leaf.nodeId)).toBe('online')
  await pass(CHECK_EVERY_MS)
  expect(statusOf(relay.system, leaf.nodeId)).toBe('suspended')
  const saysSo = (text: string) => (frame: { readonly kind: number; readonly payload: Uint8Array }) =>
    frame.kind === FRAME.cluster && Buffer.from(frame.payload).includes(text)
  await other.when(saysSo('suspended'))
  await pass(5 * GONE_AFTER_MS)
  expect([leaf.isOver, statusOf(relay.system, leaf.nodeId)]).toEqual([false, 'suspended'])
  leaf.send({ kind: FRAME.pong, id: 0 })
  await event(relay.system, 'memberUpdated', ({ member }) => member.nodeId === leaf.nodeId)
  expect(statusOf(relay.system, leaf.nodeId)).toBe('online')
})

/** Promises of PROTOCOL.md about sessions that no exchange of two well-behaved nodes on one way puts to the test. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ACK_RESEND, FRAME, Frame } from '../../src/wire/frame.ts'
import { isKind, Lab, settle } from '../remote/lab.ts'
import { Echo, event, joined, memberIds, Systems } from '../system/systems.ts'

let lab: Lab
beforeEach(() => {
  lab = new Lab()
})

const ack = (session: number, count: number, flags: number): Frame =>
  Object.assign(new Frame(), { kind: FRAME.ack, session: 1, id: session, count, flags })

describe('an acknowledgement that was overtaken by a later one', () => {
  test.each([
    ['while frames wait for theirs', 1],
    ['when all have theirs', 0],
  ])('%s: changes nothing, though it asks to send again', async (_when, unacknowledged) => {
    const got: unknown[] = []
    const ref = await lab.b.host((msg) => void got.push(msg.toObject()))
    for (let i = 1; i <= 4; i++) await ref.tell(i)
    await settle()
    const { association, sent } = lab.a
    const { session } = sent[0]!
    association.receive(ack(session, 4 - unacknowledged, 0), lab.a.link)
    association.receive(ack(session, 1, ACK_RESEND), lab.a.link)
    await ref.tell(5)
    await settle()
    expect(got).toEqual([1, 2, 3, 4, 5])
    expect(lab.a.sent.filter(isKind('reset'))).toEqual([])
    expect(new Set(lab.a.sent.filter(isKind('tell')).map((frame) => frame.session)).size).toBe(1)
  })
})

test('a way that is lost again before the answer to a probe came does not hold up what is sent after that', async () => {
  const got: unknown[] = []
  const ref = await lab.b.host((msg) => void got.push(msg.toObject()))
  await ref.tell(1)
  await settle()
  // The first way back: the probe's answer is lost, but what was sent is acknowledged all the same.
  lab.fate = (frame) => (frame.kind === FRAME.probe ? [] : [frame])
  lab.a.association.resume()
  lab.a.association.receive(ack(lab.a.sent[0]!.session, 1, 0), lab.a.link)
  // The second one, whole.
  lab.fate = (frame) => [frame]
  lab.a.association.resume()
  void ref.tell(2)
  await settle()
  expect(got).toEqual([1, 2])
})

describe('a node that closes one of its links', () => {
  const systems = new Systems()
  afterEach(() => systems.stop())

  test('is still a member for those it can reach by another', async () => {
    const first = await systems.relay()
    const second = await systems.relay({ seeds: [first.url] })
    const node = await systems.leaf(first.url)
    await joined(second.system, node)
    await node.spawn(new Echo(), 'echo', { public: true })
    const peer = await node.connect(second.url)
    const closed = event(second.system, 'linkClosed', ({ nodeId }) => nodeId === node.nodeId)
    await peer.close()
    await closed
    expect(memberIds(second.system)).toContain(node.nodeId)
    expect(await (await second.system.resolve('echo', { timeout: 1_000 })).ask('still here')).toBe('still here')
  })
})

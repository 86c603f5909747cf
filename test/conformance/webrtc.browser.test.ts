/** The WebRTC transport between two peer connections in one page. Needs an ICE host candidate: a network interface. */
import { describe, expect, test } from 'vitest'
import type { Connection } from '../../src/link/connection.ts'
import { transportCases } from '../../src/testkit/transport-cases.ts'
import { webRTC } from '../../src/transport/webrtc/webrtc-transport.ts'
import { equalBytes } from '../transport/equal-bytes.ts'
import { pattern, Recorder, signalingPair } from '../transport/webrtc-fake.ts'

/** Longer than the cases wait for an event, so that they say which one was missing. */
const CASE_LIMIT_MS = 30_000

const transport = webRTC({ maxCreated: 400 })

async function connect(): Promise<{ near: Connection; far: Connection; log: unknown[] }> {
  const signaling = signalingPair()
  const { signal } = new AbortController()
  const [near, far] = await Promise.all([
    transport.negotiation!.connect(signaling.near, { isInitiator: true, signal }),
    transport.negotiation!.connect(signaling.far, { isInitiator: false, signal }),
  ])
  return { near, far, log: signaling.log }
}

describe('the contract of a connection', () => {
  for (const { name, run } of transportCases) test(name, () => run(connect), CASE_LIMIT_MS)
})

describe('webrtc in a page', () => {
  test('signals are plain data', async () => {
    const { near, log } = await connect()
    expect(log.length).toBeGreaterThan(2)
    expect(log).toEqual(JSON.parse(JSON.stringify(log)))
    near.abort()
  })

  test('batches of all sizes arrive whole and in order, and a close loses none', async () => {
    const { near, far } = await connect()
    const [atNear, atFar] = [new Recorder(near), new Recorder(far)]
    const sizes = [1, 0, 16_383, 16_384, 65_536, 262_144, 5]
    for (let round = 0; round < 20; round++) for (const size of sizes) near.send(pattern(size, round))
    far.send(pattern(7))
    near.close()
    await Promise.all([atNear.ended, atFar.ended])
    expect([atNear.error, atFar.error]).toEqual([undefined, undefined])
    expect(atFar.batches.length).toBe(140)
    expect(atFar.batches.findIndex((batch, i) => !equalBytes(batch, pattern(sizes[i % 7]!, Math.floor(i / 7))))).toBe(
      -1,
    )
    expect(atNear.batches).toEqual([pattern(7)])
  })

  test('the send queue of the browser never overflows, whatever the owner ignores', async () => {
    const { near, far } = await connect()
    const [atNear, atFar] = [new Recorder(near), new Recorder(far)]
    const batch = new Uint8Array(262_144)
    for (let i = 0; i < 96; i++) near.send(batch)
    await atFar.arrived(96)
    expect(atNear.events).toContain('drained')
    expect(atNear.error).toBe(undefined)
    far.close()
    await Promise.all([atNear.ended, atFar.ended])
    expect(atNear.events.at(-1)).toBe('closed')
  })

  test('the other side sees an abort', async () => {
    const { near, far } = await connect()
    const [atNear, atFar] = [new Recorder(near), new Recorder(far)]
    near.abort('done')
    await Promise.all([atNear.ended, atFar.ended])
    expect([atNear.error?.code, atFar.error?.code]).toEqual(['unreachable', 'unreachable'])
  })

  test('ended connections make room for new ones', async () => {
    for (let i = 0; i < 40; i++) {
      const { near, far } = await connect()
      const owners = [new Recorder(near), new Recorder(far)]
      near.close()
      await Promise.all(owners.map((owner) => owner.ended))
    }
  })
})

/** The WebRTC transport between two peer connections of node-datachannel, over loopback. */
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Connection } from '../../src/link/connection.ts'
import { createNodePeerConnection } from '../../src/transport/webrtc/peer-connection.node.ts'
import { webRTC } from '../../src/transport/webrtc/webrtc-transport.ts'
import { equalBytes } from './equal-bytes.ts'
import { pattern, Recorder, signalingPair } from './webrtc-fake.ts'

async function connect(): Promise<{ near: Connection; far: Connection }> {
  const { negotiation } = webRTC({ createPeerConnection: createNodePeerConnection })
  const signaling = signalingPair()
  const { signal } = new AbortController()
  const [near, far] = await Promise.all([
    negotiation!.connect(signaling.near, { isInitiator: true, signal }),
    negotiation!.connect(signaling.far, { isInitiator: false, signal }),
  ])
  return { near, far }
}

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
  const wrong = atFar.batches.findIndex((batch, i) => !equalBytes(batch, pattern(sizes[i % 7]!, Math.floor(i / 7))))
  expect(wrong).toBe(-1)
  expect(atNear.batches).toEqual([pattern(7)])
})

test('the other side sees an abort at once', async () => {
  const { near, far } = await connect()
  const [atNear, atFar] = [new Recorder(near), new Recorder(far)]
  const start = systemClock.now()
  near.abort('done')
  await Promise.all([atNear.ended, atFar.ended])
  expect(atFar.error?.code).toBe('unreachable')
  expect(systemClock.now() - start).toBeLessThan(2000)
})

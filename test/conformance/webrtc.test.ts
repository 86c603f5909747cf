/** The WebRTC transport between two peer connections of node-datachannel, over loopback. */
import { describe, test } from 'vitest'
import type { Connection } from '../../src/link/connection.ts'
import { transportCases } from '../../src/testkit/transport-cases.ts'
import { createNodePeerConnection } from '../../src/transport/webrtc/peer-connection.node.ts'
import { webRTC } from '../../src/transport/webrtc/webrtc-transport.ts'
import { signalingPair } from '../transport/webrtc-fake.ts'

/** Longer than the cases wait for an event, so that they say which one was missing. */
const CASE_LIMIT_MS = 30_000

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

describe('the contract of a connection', () => {
  for (const { name, run } of transportCases) test(name, () => run(connect), CASE_LIMIT_MS)
})

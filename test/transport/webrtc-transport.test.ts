/** Opening: order of signals, limits, timeouts, aborts and hostile signals, on fake peer connections. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Connection } from '../../src/link/connection.ts'
import { MAX_CANDIDATES } from '../../src/transport/webrtc/opening.ts'
import type { RtcConfigurationLike, RtcLike } from '../../src/transport/webrtc/rtc-like.ts'
import { DEFAULT_CONNECT_TIMEOUT_MS, type WebRtcOptions, webRTC } from '../../src/transport/webrtc/webrtc-transport.ts'
import {
  candidate,
  FakeClock,
  FakePeer,
  fakePeers,
  pattern,
  Recorder,
  settle,
  signalingPair,
  turn,
} from './webrtc-fake.ts'

const { signal } = new AbortController()
const offer = { description: { type: 'offer', sdp: 'x' } }

/** The answering side alone, with the test as the other. */
function answerer(options: WebRtcOptions = {}): {
  peer: FakePeer
  clock: FakeClock
  say: (signal: unknown) => void
  result: Promise<Connection>
  log: unknown[]
} {
  const peer = new FakePeer()
  const clock = new FakeClock()
  const signaling = signalingPair()
  const transport = webRTC({ createPeerConnection: () => peer, clock, ...options })
  const result = transport.negotiation!.connect(signaling.far, { isInitiator: false, signal })
  result.catch(() => undefined)
  return { peer, clock, say: (value) => signaling.near.send(value), result, log: signaling.log }
}

describe('opening', () => {
  test('both sides get a connection that works', async () => {
    const [a, b] = fakePeers()
    const signaling = signalingPair()
    const configurations: RtcConfigurationLike[] = []
    const connect = (peer: FakePeer, end: typeof signaling.near, isInitiator: boolean): Promise<Connection> =>
      webRTC({
        iceServers: [{ urls: 'stun:stun.example' }],
        createPeerConnection: (configuration) => {
          configurations.push(configuration)
          return peer
        },
      }).negotiation!.connect(end, { isInitiator, signal })
    const both = Promise.all([connect(a, signaling.near, true), connect(b, signaling.far, false)])
    await turn()
    expect(a.calls).toEqual(['createDataChannel', 'local offer', 'remote answer', 'candidate of answer'])
    expect(b.calls).toEqual(['remote offer', 'createDataChannel', 'local answer', 'candidate of offer'])
    expect(configurations[0]).toEqual({ iceServers: [{ urls: 'stun:stun.example' }] })
    a.channel.open()
    b.channel.open()
    const [near, far] = await both
    const owner = new Recorder(far)
    near.send(pattern(20_000))
    await settle(a.channel, b.channel)
    expect(owner.batches).toEqual([pattern(20_000)])
    expect(signaling.log).toEqual(JSON.parse(JSON.stringify(signaling.log)))
  })

  test('a batch that comes in the turn the channel opens is not missed', async () => {
    const { peer, say, result } = answerer()
    say(offer)
    await turn()
    peer.channel.open()
    peer.channel.arrive(Uint8Array.of(3, 42))
    const owner = new Recorder(await result)
    await owner.arrived(1)
    expect(owner.batches).toEqual([Uint8Array.of(42)])
  })

  test('candidates that come before the description wait for it', async () => {
    const { peer, say } = answerer()
    say({ candidate: candidate('one') })
    say({ candidate: candidate('two') })
    await turn()
    expect(peer.calls).toEqual([])
    say(offer)
    say({ candidate: candidate('three') })
    await turn()
    expect(peer.calls).toEqual([
      'remote offer',
      'createDataChannel',
      'local answer',
      'candidate one',
      'candidate two',
      'candidate three',
    ])
  })

  test('a candidate the platform refuses is passed over, and more than the limit are ignored', async () => {
    const { peer, say } = answerer()
    say(offer)
    say({ candidate: candidate('bad') })
    for (let i = 0; i < 2 * MAX_CANDIDATES; i++) say({ candidate: candidate(`n${i}`) })
    await turn()
    expect(peer.calls.filter((call) => call.startsWith('candidate n')).length).toBe(MAX_CANDIDATES - 1)
    expect(peer.isClosed).toBe(false)
  })

  test('what the transport says of itself', () => {
    const transport = webRTC()
    expect(transport.name).toBe('webrtc')
    expect(transport.handles('webrtc:x')).toBe(false)
    expect(transport.negotiation?.feature).toBe('webrtc')
    expect(transport.negotiation?.upgradeAfter).toEqual({ messages: 50, bytes: 262_144 })
    expect(webRTC({ upgradeAfter: { messages: 1, bytes: 2 } }).negotiation?.upgradeAfter).toEqual({
      messages: 1,
      bytes: 2,
    })
  })
})

describe('an attempt that fails closes its peer connection and tells the other side', () => {
  test('by time', async () => {
    const { peer, clock, result, log } = answerer()
    await turn()
    clock.advance(DEFAULT_CONNECT_TIMEOUT_MS)
    await expect(result).rejects.toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    expect(peer.isClosed).toBe(true)
    expect(log).toEqual([{ gaveUp: true }])
    expect(clock.size).toBe(0)
  })

  test('by its caller', async () => {
    const controller = new AbortController()
    const peer = new FakePeer()
    const result = webRTC({ createPeerConnection: () => peer }).negotiation!.connect(signalingPair().near, {
      isInitiator: true,
      signal: controller.signal,
    })
    await turn()
    controller.abort(new TypeError('enough'))
    await expect(result).rejects.toThrow('enough')
    expect(peer.isClosed).toBe(true)
  })

  test('by its caller, before it began', async () => {
    const made: unknown[] = []
    const transport = webRTC({ createPeerConnection: (): RtcLike => made.push(1) as never })
    const connecting = transport.negotiation!.connect(signalingPair().near, {
      isInitiator: true,
      signal: AbortSignal.abort(),
    })
    await expect(connecting).rejects.toThrow()
    expect(made).toEqual([])
  })

  test('by the state of the peer connection', async () => {
    const { peer, result } = answerer()
    await turn()
    peer.become('failed')
    await expect(result).rejects.toMatchObject({ name: 'UnreachableError' })
  })

  test('by the other side giving up', async () => {
    const { say, result } = answerer()
    say({ gaveUp: true })
    await expect(result).rejects.toThrow('gave up')
  })

  test('by the platform refusing a description', async () => {
    const { peer, say, result } = answerer()
    const refusal = new Error('bad sdp')
    peer.setRemoteDescription = () => Promise.reject(refusal)
    say(offer)
    await expect(result).rejects.toMatchObject({ name: 'UnreachableError', cause: refusal })
  })

  const hostile: Record<string, unknown[]> = {
    'no object': [7],
    'an unknown signal': [{ hello: 1 }],
    'an inherited key only': [JSON.parse('{"__proto__":{"description":{}}}')],
    'a description without type': [{ description: { sdp: 'x' } }],
    'a rollback': [{ description: { type: 'rollback', sdp: '' } }],
    'a description that is too long': [{ description: { type: 'offer', sdp: 'x'.repeat(20_000) } }],
    'an answer where an offer is due': [{ description: { type: 'answer', sdp: 'x' } }],
    'a second offer': [offer, offer],
    'a candidate that is no text': [{ candidate: { candidate: {} } }],
    'a candidate that is too long': [{ candidate: { candidate: 'x'.repeat(2000) } }],
    'a line index that is no index': [{ candidate: { candidate: 'x', sdpMLineIndex: -1 } }],
  }
  for (const [name, signals] of Object.entries(hostile)) {
    test(`by ${name}`, async () => {
      const { peer, say, result } = answerer()
      for (const value of signals) say(value)
      await expect(result).rejects.toMatchObject({ name: 'ProtocolError' })
      expect(peer.isClosed).toBe(true)
    })
  }
})

describe('limits', () => {
  test('live connections: an ended one makes room', async () => {
    const peers: FakePeer[] = []
    const transport = webRTC({ createPeerConnection: () => peers[peers.push(new FakePeer()) - 1]!, maxConnections: 2 })
    const connect = (): Promise<Connection> =>
      transport.negotiation!.connect(signalingPair().near, { isInitiator: true, signal })
    const open = async (): Promise<Connection> => {
      const connecting = connect()
      await turn()
      peers.at(-1)!.channel.open()
      return connecting
    }
    const first = await open()
    const second = await open()
    await expect(connect()).rejects.toMatchObject({ name: 'OverloadedError' })
    expect(peers.length).toBe(2)
    first.abort()
    await open()
    await expect(connect()).rejects.toMatchObject({ name: 'OverloadedError' })
    second.abort()
  })

  test('created connections: an ended one stays counted', async () => {
    const clock = new FakeClock()
    const transport = webRTC({ createPeerConnection: () => new FakePeer(), maxCreated: 2, clock })
    for (const expected of ['UnreachableError', 'UnreachableError', 'OverloadedError']) {
      const result = transport.negotiation!.connect(signalingPair().near, { isInitiator: true, signal })
      const checked = expect(result).rejects.toMatchObject({ name: expected })
      await turn()
      clock.advance(DEFAULT_CONNECT_TIMEOUT_MS)
      await checked
    }
  })
})

describe('where there is no RTCPeerConnection', () => {
  const platform = globalThis as { RTCPeerConnection?: unknown }
  afterEach(() => {
    delete platform.RTCPeerConnection
  })

  test('the error says what to do', async () => {
    const connecting = webRTC().negotiation!.connect(signalingPair().near, { isInitiator: true, signal })
    await expect(connecting).rejects.toThrow(/createNodePeerConnection/)
    await expect(connecting).rejects.toMatchObject({ name: 'PulsingUnsupportedError' })
  })

  test('what its constructor throws is the cause of a clear error', async () => {
    const cause = new Error('Cannot create so many PeerConnections')
    const transport = webRTC({
      createPeerConnection: () => {
        throw cause
      },
    })
    const connecting = transport.negotiation!.connect(signalingPair().near, { isInitiator: true, signal })
    await expect(connecting).rejects.toMatchObject({ name: 'UnreachableError', outcome: 'not-sent', cause })
  })

  test('where there is one, it is used', async () => {
    const peers: FakePeer[] = []
    platform.RTCPeerConnection = class extends FakePeer {
      constructor() {
        super()
        peers.push(this)
      }
    }
    const connecting = webRTC().negotiation!.connect(signalingPair().near, { isInitiator: true, signal })
    await turn()
    peers[0]!.channel.open()
    ;(await connecting).abort()
    expect(peers.length).toBe(1)
  })
})

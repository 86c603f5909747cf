/** The connection over a data channel: window, order, close, abort, loss and hostile messages, on a fake channel. */
import { describe, expect, test } from 'vitest'
import { UnreachableError } from '../../src/base/errors.ts'
import {
  ChannelConnection,
  CLOSE_STALL_MS,
  DISCONNECT_GRACE_MS,
  HIGH_WATER_BYTES,
  LOW_WATER_BYTES,
} from '../../src/transport/webrtc/channel-connection.ts'
import { MAX_BATCH_BYTES, MAX_MESSAGE_BYTES } from '../../src/transport/webrtc/chunks.ts'
import { equalBytes } from './equal-bytes.ts'
import { FakeClock, type FakePeer, fakePeers, pattern, Recorder, settle, turn } from './webrtc-fake.ts'

interface Side {
  readonly peer: FakePeer
  readonly connection: ChannelConnection
  readonly released: () => number
}

function pair(): { near: Side; far: Side; clock: FakeClock; settle: () => Promise<void> } {
  const clock = new FakeClock()
  const [near, far] = fakePeers().map((peer): Side => {
    let releases = 0
    peer.channel.open()
    const connection = new ChannelConnection(peer.channel, { peer, clock, released: () => releases++ })
    return { peer, connection, released: () => releases }
  }) as [Side, Side]
  return { near, far, clock, settle: () => settle(near.peer.channel, far.peer.channel) }
}

function expectFreed({ peer, released }: Side): void {
  expect(released()).toBe(1)
  expect(peer.isClosed).toBe(true)
  const { onmessage, onclose, onopen, onbufferedamountlow } = peer.channel
  expect([peer.onicecandidate, peer.onconnectionstatechange, onmessage, onclose, onopen, onbufferedamountlow]).toEqual(
    Array(6).fill(null),
  )
}

describe('delivery', () => {
  test('what arrives before open is kept, delivered in order and not inside open', async () => {
    const { near, far, settle } = pair()
    for (let i = 0; i < 5; i++) near.connection.send(pattern(10 + i))
    await settle()
    const owner = new Recorder(far.connection)
    expect(owner.events).toEqual([])
    await turn()
    expect(owner.batches).toEqual([10, 11, 12, 13, 14].map((size) => pattern(size)))
  })

  test('an end that came before open is told after what arrived', async () => {
    const { near, far, settle } = pair()
    near.connection.send(pattern(3))
    near.connection.close()
    await settle()
    const owner = new Recorder(far.connection)
    await turn()
    expect(owner.events).toEqual(['received 3', 'closed'])
  })

  test('an owner who never opens does not cost more than its bound', async () => {
    const { near, far, settle } = pair()
    for (let i = 0; i < 70; i++) near.connection.send(new Uint8Array(262_144))
    await settle()
    const owner = new Recorder(far.connection)
    await owner.ended
    expect(owner.error?.code).toBe('overloaded')
    expectFreed(far)
  })

  test('a large batch and small ones keep their order', async () => {
    const { near, far, settle } = pair()
    const owner = new Recorder(far.connection)
    const sizes = [5, 200_000, 1, 16_384, 0, 16_383]
    for (const size of sizes) near.connection.send(pattern(size, size))
    await settle()
    expect(owner.events).toEqual(sizes.map((size) => `received ${size}`))
    expect(owner.batches.every((batch) => equalBytes(batch, pattern(batch.byteLength, batch.byteLength)))).toBe(true)
  })
})

describe('window', () => {
  test('the channel is never given more than the window and one message; drained comes once per refusal', async () => {
    const { near, far, settle } = pair()
    const [sender, receiver] = [new Recorder(near.connection), new Recorder(far.connection)]
    let answers = 0
    for (let i = 0; i < 200; i++) if (near.connection.send(pattern(65_536, i))) answers++
    expect(answers).toBeGreaterThan(10)
    expect(answers).toBeLessThan(20)
    expect(sender.events).toEqual([])
    await settle()
    expect(near.peer.channel.highestBufferedAmount).toBeLessThan(HIGH_WATER_BYTES + MAX_MESSAGE_BYTES)
    expect(sender.events).toEqual(['drained'])
    expect(receiver.batches.length).toBe(200)
    expect(near.connection.send(pattern(1))).toBe(true)
    await settle()
    expect(sender.events).toEqual(['drained'])
  })

  test('drained comes when the low mark is passed and nothing waits', () => {
    const { near } = pair()
    const sender = new Recorder(near.connection)
    while (near.connection.send(pattern(65_536)));
    const { channel } = near.peer
    while (sender.events.length === 0 && channel.carry());
    expect(sender.events).toEqual(['drained'])
    expect(channel.bufferedAmount).toBeGreaterThan(LOW_WATER_BYTES - MAX_MESSAGE_BYTES)
  })

  test('a batch that is too large is refused', () => {
    const { near } = pair()
    expect(() => near.connection.send(new Uint8Array(MAX_BATCH_BYTES + 1))).toThrowError(
      expect.objectContaining({ name: 'ProtocolError' }),
    )
  })
})

describe('close', () => {
  test('everything sent arrives first, far more than the window, and both sides end cleanly', async () => {
    const { near, far, clock, settle } = pair()
    const [sender, receiver] = [new Recorder(near.connection), new Recorder(far.connection)]
    for (let i = 0; i < 100; i++) near.connection.send(pattern(65_536))
    near.connection.close()
    expect(near.connection.send(pattern(1))).toBe(false)
    await settle()
    expect(receiver.events).toEqual([...Array(100).fill('received 65536'), 'closed'])
    expect(sender.events).toEqual(['closed'])
    expectFreed(near)
    expectFreed(far)
    expect(clock.size).toBe(0)
  })

  test('what the other side had sent still arrives', async () => {
    const { near, far, settle } = pair()
    const [sender, receiver] = [new Recorder(near.connection), new Recorder(far.connection)]
    for (let i = 0; i < 40; i++) far.connection.send(pattern(65_536))
    near.connection.close()
    await settle()
    expect(sender.events).toEqual([...Array(40).fill('received 65536'), 'closed'])
    expect(receiver.events).toEqual(['closed'])
  })

  test('both at once', async () => {
    const { near, far, settle } = pair()
    const owners = [new Recorder(near.connection), new Recorder(far.connection)]
    near.connection.send(pattern(1))
    far.connection.send(pattern(2))
    near.connection.close()
    far.connection.close()
    await settle()
    expect(owners.map((owner) => owner.events)).toEqual([
      ['received 2', 'closed'],
      ['received 1', 'closed'],
    ])
    expectFreed(near)
    expectFreed(far)
  })

  test('without an answer it ends with an error, but not while bytes leave', async () => {
    const { near, clock } = pair()
    const owner = new Recorder(near.connection)
    await turn()
    near.connection.send(pattern(100_000))
    near.connection.close()
    near.peer.channel.other = undefined
    for (let i = 0; i < 8; i++) {
      near.peer.channel.carry()
      clock.advance(CLOSE_STALL_MS)
      await turn()
    }
    expect(owner.events).toEqual([])
    clock.advance(CLOSE_STALL_MS)
    await turn()
    expect(owner.events).toEqual(['closed unreachable'])
    expectFreed(near)
  })

  test('the answering side does not wait for ever for the last word', async () => {
    const { near, far, clock } = pair()
    const owner = new Recorder(far.connection)
    near.connection.close()
    near.peer.channel.carry()
    await turn()
    expect(owner.events).toEqual(['closed'])
    expect(far.released()).toBe(0)
    clock.advance(CLOSE_STALL_MS)
    expectFreed(far)
    await turn()
    expect(owner.events).toEqual(['closed'])
  })
})

describe('abort and loss', () => {
  test('abort ends both sides, each told once and not inside the call', async () => {
    const { near, far, settle } = pair()
    const owners = [new Recorder(near.connection), new Recorder(far.connection)]
    await turn()
    near.connection.send(pattern(9))
    near.connection.abort('no longer wanted')
    near.connection.abort()
    near.connection.close()
    expect(owners[0]!.events).toEqual([])
    await settle()
    expect(owners.map((owner) => owner.events)).toEqual([['closed unreachable'], ['closed unreachable']])
    expect(owners[0]!.error?.message).toContain('no longer wanted')
    expect(near.connection.send(pattern(1))).toBe(false)
    expectFreed(near)
    expectFreed(far)
  })

  for (const state of ['failed', 'closed']) {
    test(`state ${state} ends it`, async () => {
      const { near } = pair()
      const owner = new Recorder(near.connection)
      near.peer.become(state)
      await owner.ended
      expect(owner.error).toBeInstanceOf(UnreachableError)
      expectFreed(near)
    })
  }

  test('a disconnect has its grace', async () => {
    const { near, clock } = pair()
    const owner = new Recorder(near.connection)
    await turn()
    near.peer.become('disconnected')
    clock.advance(DISCONNECT_GRACE_MS - 1)
    near.peer.become('connected')
    clock.advance(DISCONNECT_GRACE_MS)
    await turn()
    expect(owner.events).toEqual([])
    near.peer.become('disconnected')
    clock.advance(DISCONNECT_GRACE_MS)
    await turn()
    expect(owner.events).toEqual(['closed unreachable'])
  })

  test('a channel that throws ends it, outside of send', async () => {
    const { near } = pair()
    const owner = new Recorder(near.connection)
    await turn()
    near.peer.channel.readyState = 'closing'
    expect(near.connection.send(pattern(1))).toBe(false)
    expect(owner.events).toEqual([])
    await turn()
    expect(owner.events).toEqual(['closed unreachable'])
  })
})

describe('hostile messages', () => {
  const messages: Record<string, unknown> = {
    text: 'hello',
    nothing: new Uint8Array(0),
    'a wrong header': Uint8Array.of(77, 1),
    'a chunk out of place': Uint8Array.of(2, 1),
    'an oversized chunk': new Uint8Array(65_536).fill(3),
    'something else': null,
  }
  for (const [name, message] of Object.entries(messages)) {
    test(`${name} ends the connection with a protocol error`, async () => {
      const { near } = pair()
      const owner = new Recorder(near.connection)
      await turn()
      near.peer.channel.arrive(message)
      near.peer.channel.arrive(Uint8Array.of(3, 1))
      await turn()
      expect(owner.events).toEqual(['closed protocol_error'])
      expectFreed(near)
    })
  }

  test('an answer to an end nobody sent changes nothing', async () => {
    const { near, far, settle } = pair()
    const owner = new Recorder(near.connection)
    near.peer.channel.arrive(Uint8Array.of(8))
    far.connection.send(pattern(2))
    await settle()
    expect(owner.events).toEqual(['received 2'])
  })
})

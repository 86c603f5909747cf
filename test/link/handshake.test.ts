import { AuthError, ProtocolError, UnreachableError } from 'pulsing'
import { describe, expect, test, vi } from 'vitest'
import { encodeCbor } from '../../src/base/cbor.ts'
import { MIN_BATCH_BYTES } from '../../src/link/hello.ts'
import { HANDSHAKE_TIMEOUT_MS } from '../../src/link/link.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { FRAME, Frame, GOAWAY, PROTOCOL_VERSION } from '../../src/wire/frame.ts'
import { batch, hello, helloPayload, LinkEnd, linkPair, linkToRaw, RawEnd, turn, welcome } from './link-ends.ts'

describe('the handshake', () => {
  test('opens the link on both sides, each knowing who the other is', async () => {
    const { a, b } = linkPair()
    const [linkA, linkB] = await Promise.all([a.whenOpen, b.whenOpen])
    expect(linkA.nodeId).toBe(b.nodeId)
    expect(linkB.nodeId).toBe(a.nodeId)
    expect(linkA.peer).toMatchObject({ kind: 'leaf', features: ['f1'], versions: [PROTOCOL_VERSION, PROTOCOL_VERSION] })
    expect([linkA.isOpen, linkB.isOpen]).toEqual([true, true])
  })

  test('gives the link the same number at both ends, so that both know which of two is the later one', async () => {
    const pairs = [linkPair(), linkPair()]
    for (const { a, b } of pairs) {
      const [linkA, linkB] = await Promise.all([a.whenOpen, b.whenOpen])
      expect(linkA.serial).toBe(linkB.serial)
    }
  })

  test('says how large a batch each side takes: neither is sent a larger frame', async () => {
    const { a, b } = linkPair()
    const [{ maxFrameBytes }] = await Promise.all([a.whenOpen, b.whenOpen])
    for (const [batch, taken] of [
      [100_000, 100_000],
      [2 * maxFrameBytes, maxFrameBytes],
      [undefined, maxFrameBytes],
    ] as const) {
      const { end, raw } = linkToRaw()
      raw.send(hello({ maxBatchBytes: batch }))
      raw.send(welcome())
      expect((await end.whenOpen).maxFrameBytes).toBe(taken)
    }
  })

  test('tells a stranger nothing: who accepted a connection says hello only when it has let the other in', async () => {
    const clock = new ManualClock()
    const [near, far] = memoryPair()
    const raw = new RawEnd(far)
    const end = new LinkEnd(near, clock, { auth: { token: 'sesame' }, isAccepted: true })
    await turn()
    expect([raw.batches.all, end.link.isStranger]).toEqual([[], true])
    raw.send(hello({ token: 'guess' }))
    await end.whenOver
    await raw.whenOver
    expect(raw.frames.all.map(({ kind }) => kind)).toEqual([FRAME.goaway])

    const [near2, far2] = memoryPair()
    const friend = new RawEnd(far2)
    const other = new LinkEnd(near2, clock, { auth: { token: 'sesame' }, isAccepted: true })
    friend.send(hello({ token: 'sesame' }))
    friend.send(welcome())
    await other.whenOpen
    await turn()
    expect(friend.frames.all.map(({ kind }) => kind)).toEqual([FRAME.hello, FRAME.welcome])
    expect(other.link.isStranger).toBe(false)
  })

  test('says nothing about tokens where there is no auth', async () => {
    const { b } = linkPair()
    expect((await b.whenOpen).peer.token).toBeUndefined()
  })

  test('gives up a neighbour that says nothing for 5 s, and not before', async () => {
    const { clock, end, raw } = linkToRaw()
    await turn()
    clock.advance(HANDSHAKE_TIMEOUT_MS - 1)
    await turn()
    expect(end.events).toEqual([])
    clock.advance(1)
    const error = await end.whenOver
    expect(error).toBeInstanceOf(UnreachableError)
    expect(error).toMatchObject({ outcome: 'not-sent', message: expect.stringContaining('5000 ms') as string })
    expect(end.events).toEqual(['failed'])
    await raw.whenOver
    expect(clock.pending).toBe(0)
  })

  test('gives up a neighbour that says hello and no more', async () => {
    const { clock, end, raw } = linkToRaw()
    raw.send(hello())
    await turn()
    clock.advance(HANDSHAKE_TIMEOUT_MS)
    expect(await end.whenOver).toBeInstanceOf(UnreachableError)
  })

  test('leaves no timer behind once the link is open but that of the heartbeat', async () => {
    const { clock, a, b } = linkPair()
    await Promise.all([a.whenOpen, b.whenOpen])
    expect(clock.pending).toBe(2)
    a.link.close()
    await Promise.all([a.whenOver, b.whenOver])
    expect(clock.pending).toBe(0)
  })

  test('of a version this node does not speak ends with a typed error on both sides', async () => {
    const { end, raw } = linkToRaw()
    raw.send(hello({ versions: [PROTOCOL_VERSION + 1, PROTOCOL_VERSION + 3] }))
    const error = await end.whenOver
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error!.message).toBe(
      `expected protocol version ${PROTOCOL_VERSION}, got ${PROTOCOL_VERSION + 1} to ${PROTOCOL_VERSION + 3}`,
    )
    await raw.whenOver
    expect(raw.frames.all.at(-1)).toMatchObject({ kind: FRAME.goaway, id: GOAWAY.unsupported, reason: error!.message })
  })

  test('takes a neighbour that speaks this version among others', async () => {
    const { end, raw } = linkToRaw()
    raw.send(hello({ versions: [1, PROTOCOL_VERSION + 5] }))
    raw.send(welcome())
    await end.whenOpen
  })

  test('refused by the neighbour for its version, is a ProtocolError that says why', async () => {
    const { end, raw } = linkToRaw()
    raw.send(batch({ kind: FRAME.goaway, id: GOAWAY.unsupported, reason: 'expected version 9' }))
    raw.close()
    expect(await end.whenOver).toMatchObject({
      name: 'ProtocolError',
      message: expect.stringContaining('expected version 9') as string,
    })
  })

  test('a connection that closes during the handshake is an UnreachableError, not sent', async () => {
    for (const end of ['close', 'abort'] as const) {
      const { end: link, raw } = linkToRaw()
      raw[end]()
      expect(await link.whenOver).toMatchObject({ name: 'UnreachableError' })
      expect(link.events).toEqual(['failed'])
    }
  })
})

describe('what is no hello', () => {
  const huge = new Uint8Array(5_000_000)
  test.each([
    ['another frame', batch({ kind: FRAME.ping })],
    ['a routed frame', batch({ kind: FRAME.tell, actor: 'x' })],
    ['a welcome', welcome()],
    ['garbage', Uint8Array.of(0xff, 0xff, 0xff)],
    ['text in bytes', new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n')],
    ['half a hello', hello().subarray(0, 40)],
    ['two hellos', Uint8Array.from([...hello(), ...hello()])],
    [
      'a hello of more than 4096 bytes',
      batch({ kind: FRAME.hello, payload: helloPayload({ token: 'x'.repeat(4096) }) }),
    ],
    ['5 MB', batch({ kind: FRAME.hello, payload: huge })],
    ['5 MB of zeros', huge],
    ['a hello that is no CBOR', batch({ kind: FRAME.hello, payload: Uint8Array.of(0x5f) })],
    ['a hello that is no map', batch({ kind: FRAME.hello, payload: encodeCbor([1, 2]) })],
    ['an empty hello', batch({ kind: FRAME.hello })],
    ['a node id that is none', hello({ nodeId: 'short' })],
    ['a kind that is none', hello({ kind: 'boss' as 'leaf' })],
    ['a batch of fewer bytes than parts need', hello({ maxBatchBytes: MIN_BATCH_BYTES - 1 })],
    ['17 features', hello({ features: Array.from({ length: 17 }, () => 'f') })],
    ['a feature of 33 characters', hello({ features: ['f'.repeat(33)] })],
    ['a token that is no text', hello({ token: 7 as unknown as string })],
    ['versions that are none', hello({ versions: ['1', '2'] as unknown as [number, number] })],
    ['a lowest version below 1', hello({ versions: [-1, 1] })],
    ['versions that begin at 0', hello({ versions: [0, 1] })],
    ['versions that are no integers', hello({ versions: [1, 1.5] })],
    ['versions beyond all integers', hello({ versions: [1, 1e300] })],
    ['an unknown critical frame', Uint8Array.of(0x81, 0x0d)],
  ])('%s ends the link with a ProtocolError, and the neighbour is told', async (_what, bytes) => {
    const { end, raw } = linkToRaw()
    raw.send(bytes)
    const error = await end.whenOver
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error!.message).toMatch(/expected .*, got/)
    expect(end.events).toEqual(['failed'])
    await raw.whenOver
    expect(raw.frames.all.at(-1)).toMatchObject({ kind: FRAME.goaway, id: GOAWAY.protocol })
  })

  test('unknown even frames before the hello are ignored', async () => {
    const { end, raw } = linkToRaw()
    raw.send(Uint8Array.from([0x82, 0x02, 0x61, 0x61, ...hello()]))
    raw.send(welcome())
    await end.whenOpen
  })

  test('frames before the welcome end the link: nobody may send before being let in', async () => {
    const { end, raw } = linkToRaw()
    raw.send(Uint8Array.from([...hello(), ...batch({ kind: FRAME.tell, actor: 'x' })]))
    expect(await end.whenOver).toBeInstanceOf(ProtocolError)
    expect(end.frames.all).toEqual([])
  })
})

describe('admission', () => {
  test('the right token is let in, on both sides', async () => {
    const { a, b } = linkPair({ a: { token: 'secret' }, b: { token: () => Promise.resolve('secret') } })
    await Promise.all([a.whenOpen, b.whenOpen])
  })

  test.each([
    ['a wrong token', { token: 'guess' }],
    ['a longer token', { token: 'secret+' }],
    ['an empty token', { token: '' }],
    ['no token', undefined],
  ])('%s is an AuthError on both sides, and neither opens', async (_what, auth) => {
    const { a, b } = linkPair({ ...(auth ? { a: { ...auth, verify: () => true } } : {}), b: { token: 'secret' } })
    const [errorA, errorB] = await Promise.all([a.whenOver, b.whenOver])
    expect(errorA).toBeInstanceOf(AuthError)
    expect(errorB).toBeInstanceOf(AuthError)
    expect([a.events, b.events]).toEqual([['failed'], ['failed']])
    expect(`${errorA} ${errorB}`).not.toContain('secret')
  })

  test('verify sees who asks, and its answer counts', async () => {
    const verify = vi.fn(() => Promise.resolve(true))
    const { a, b } = linkPair({ a: { token: 'mine', verify: () => true }, b: { verify } })
    await Promise.all([a.whenOpen, b.whenOpen])
    expect(verify).toHaveBeenCalledWith(expect.objectContaining({ nodeId: a.nodeId, kind: 'leaf', token: 'mine' }))
  })

  test.each([
    ['false', () => false],
    ['a promise of false', () => Promise.resolve(false)],
    ['something truthy', () => 'yes' as unknown as boolean],
    [
      'a throw',
      () => {
        throw new RangeError('no database')
      },
    ],
    ['a rejection', () => Promise.reject(new RangeError('no database'))],
  ])('verify that answers with %s refuses with an AuthError', async (_what, verify) => {
    const { a, b } = linkPair({ a: { token: 't', verify: () => true }, b: { verify } })
    expect(await a.whenOver).toBeInstanceOf(AuthError)
    expect(await b.whenOver).toBeInstanceOf(AuthError)
  })

  test('a refusal that arrives while our own verify is pending is an AuthError all the same', async () => {
    let admit: (isIn: boolean) => void = () => undefined
    const { a } = linkPair({
      a: { token: 'wrong', verify: () => new Promise((resolve) => (admit = resolve)) },
      b: { token: 'right', verify: () => false },
    })
    expect(await a.whenOver).toBeInstanceOf(AuthError)
    admit(true)
    await turn()
    expect(a.events).toEqual(['failed'])
  })

  test('nothing sent at the first moment is lost while the neighbour is still verifying, however long and large', async () => {
    let admit: (isIn: boolean) => void = () => undefined
    const { a, b } = linkPair({ b: { verify: () => new Promise((resolve) => (admit = resolve)) } })
    const payload = new Uint8Array(1_000_000).fill(7)
    const sent = a.whenOpen.then((link) => link.send(Object.assign(new Frame(), { kind: FRAME.cluster, payload })))
    await turn()
    expect(a.events).toEqual([])
    admit(true)
    await sent
    const [frame] = await b.frames.atLeast(1)
    expect(Buffer.compare(frame!.payload, payload)).toBe(0)
  })

  test('a verify that never answers ends with the handshake deadline', async () => {
    const { clock, a, b } = linkPair({ b: { verify: () => new Promise(() => undefined) } })
    await turn()
    clock.advance(HANDSHAKE_TIMEOUT_MS)
    expect(await a.whenOver).toBeInstanceOf(UnreachableError)
    expect(await b.whenOver).toBeInstanceOf(UnreachableError)
  })

  test('a token source that throws ends the link with its error', async () => {
    const { a, b } = linkPair({ a: { token: () => Promise.reject(new TypeError('no keychain')), verify: () => true } })
    expect(await a.whenOver).toMatchObject({ message: expect.stringContaining('no keychain') as string })
    expect(await b.whenOver).toBeInstanceOf(UnreachableError)
  })
})

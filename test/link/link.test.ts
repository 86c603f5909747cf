import { AuthError, ProtocolError, UnreachableError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { FRAME, GOAWAY } from '../../src/wire/frame.ts'
import { batch, hello, type LinkEnd, linkToRaw, openPair, openToRaw, tell, turn, welcome } from './link-ends.ts'

describe('frames over a link', () => {
  test('arrive in order, both ways', async () => {
    const { a, b } = await openPair()
    for (let i = 0; i < 100; i++) {
      a.link.send(tell(`a${i}`))
      b.link.send(tell(`b${i}`))
    }
    const [atA, atB] = [await a.frames.atLeast(100), await b.frames.atLeast(100)]
    expect(atA.map(({ type }) => type)).toEqual(Array.from({ length: 100 }, (_, i) => `b${i}`))
    expect(atB.map(({ type }) => type)).toEqual(Array.from({ length: 100 }, (_, i) => `a${i}`))
  })

  test('of one turn leave in one batch, those of promises that settle in it included', async () => {
    const { end, raw } = await openToRaw()
    const before = raw.batches.all.length
    end.link.send(tell('1'))
    void Promise.resolve()
      .then(() => end.link.send(tell('2')))
      .then(() => end.link.send(tell('3')))
    end.link.send(tell('4'))
    await turn()
    expect(raw.batches.all.length - before).toBe(1)
    expect(raw.frames.all.slice(-4).map(({ type }) => type)).toEqual(['1', '4', '2', '3'])
  })

  test('of later turns leave in batches of their own', async () => {
    const { end, raw } = await openToRaw()
    const before = raw.batches.all.length
    end.link.send(tell('1'))
    await turn()
    end.link.send(tell('2'))
    await turn()
    expect(raw.batches.all.length - before).toBe(2)
  })

  test('a turn that never settles does not hold its frames back', async () => {
    const { end, raw } = await openToRaw()
    let isSpinning = true
    const spin = async (): Promise<void> => {
      for (let i = 0; isSpinning && i < 10_000; i++) {
        end.link.send(tell('spin'))
        await Promise.resolve()
      }
    }
    const before = raw.batches.all.length
    const spinning = spin()
    await raw.batches.atLeast(before + 1)
    isSpinning = false
    await spinning
  })

  test('attachments arrive beside the frame they were sent with', async () => {
    const { a, b } = await openPair()
    const [first, second] = [new ArrayBuffer(1), new ArrayBuffer(2)]
    a.link.send(tell('none'))
    a.link.send(Object.assign(tell('one'), { flags: 1 << 3 }), { values: [first], transfer: [first] })
    a.link.send(tell('none'))
    a.link.send(Object.assign(tell('one'), { flags: 1 << 3 }), { values: [second], transfer: [second] })
    const frames = await b.frames.atLeast(4)
    expect(frames.map(({ attachments }) => attachments)).toEqual([undefined, [first], undefined, [second]])
  })

  test('a frame that claims attachments that are not there ends the link', async () => {
    const { end, raw } = await openToRaw()
    raw.send(batch({ kind: FRAME.tell, actor: 'x', flags: 3 << 3 }))
    expect(await end.whenOver).toBeInstanceOf(ProtocolError)
    expect(end.frames.all).toEqual([])
  })
})

describe('bad input on an open link', () => {
  test.each([
    ['garbage', Uint8Array.of(0xff, 1, 2)],
    ['a frame cut short', batch({ kind: FRAME.tell, actor: 'somebody' }).subarray(0, 9)],
    ['an unknown critical frame', Uint8Array.of(0x82, 0x18, 0xff, 0x61, 0x61)],
    ['a second hello', hello()],
    ['a second welcome', welcome()],
  ])('%s ends that link with a ProtocolError, told to the neighbour; another link goes on', async (_what, bytes) => {
    const other = await openPair()
    const { end, raw } = await openToRaw()
    raw.send(bytes)
    expect(await end.whenOver).toBeInstanceOf(ProtocolError)
    expect(end.events).toEqual(['opened', 'closed'])
    await raw.whenOver
    expect(raw.frames.all.at(-1)).toMatchObject({ kind: FRAME.goaway, id: GOAWAY.protocol })
    other.a.link.send(tell('still'))
    expect((await other.b.frames.atLeast(1))[0]).toMatchObject({ type: 'still' })
  })

  test('frames before the garbage count, frames after it do not', async () => {
    const { end, raw } = await openToRaw()
    raw.send(Uint8Array.from([...batch(tell('before')), 0xff, ...batch(tell('after'))]))
    raw.send(batch(tell('later')))
    await end.whenOver
    expect(end.frames.all.map(({ type }) => type)).toEqual(['before'])
  })

  test('unknown even frames and fields of a later version change nothing', async () => {
    const { end, raw } = await openToRaw()
    raw.send(Uint8Array.of(0x83, 0x18, 0x64, 0x63, 0x61, 0x62, 0x63, 0x42, 1, 2, 0x83, FRAME.ping, 7, 0x61, 0x61))
    raw.send(batch(tell('next')))
    expect((await end.frames.atLeast(1))[0]).toMatchObject({ type: 'next' })
    await turn()
    expect(raw.frames.all.at(-1)).toMatchObject({ kind: FRAME.pong, id: 7 })
  })

  test('an owner that throws ends the link, once', async () => {
    const { a, b } = await openPair()
    b.received = () => {
      throw new ProtocolError('expected something else, got this')
    }
    a.link.send(tell('1'))
    expect(await b.whenOver).toMatchObject({ name: 'ProtocolError' })
    expect(await a.whenOver).toMatchObject({
      name: 'ProtocolError',
      message: expect.stringContaining('something else') as string,
    })
  })
})

describe('the end of a link', () => {
  test('close lets everything sent leave, and is clean on both sides', async () => {
    const { a, b } = await openPair()
    for (let i = 0; i < 50; i++) a.link.send(tell(`${i}`, 10_000))
    a.link.close()
    expect([await a.whenOver, await b.whenOver]).toEqual([undefined, undefined])
    expect(b.frames.all.length).toBe(50)
    await Promise.all([a.link.over, b.link.over])
  })

  test.each([
    [GOAWAY.leaving, undefined],
    [GOAWAY.duplicate, undefined],
    [GOAWAY.auth, AuthError],
    [GOAWAY.unsupported, ProtocolError],
    [GOAWAY.protocol, ProtocolError],
    [GOAWAY.overloaded, UnreachableError],
    [99, UnreachableError],
  ])('a goodbye with code %i is told to the owner as what it is', async (code, Class) => {
    const { a, b } = await openPair()
    a.link.close(code, 'because of this')
    const error = await b.whenOver
    if (Class === undefined) expect(error).toBeUndefined()
    else {
      expect(error).toBeInstanceOf(Class)
      expect(error!.message).toContain('because of this')
    }
  })

  test('abort is an UnreachableError on both sides', async () => {
    const { a, b } = await openPair()
    a.link.abort('test')
    expect(await a.whenOver).toBeInstanceOf(UnreachableError)
    expect(await b.whenOver).toBeInstanceOf(UnreachableError)
  })

  test('after the end sending does nothing and waits for nothing', async () => {
    const { a, b } = await openPair()
    a.link.close()
    await Promise.all([a.whenOver, b.whenOver])
    expect(a.link.send(tell('late'))).toBe(false)
    await a.link.whenWritable()
    a.link.close()
    a.link.abort('again')
    await turn()
    expect([a.events, b.events]).toEqual([
      ['opened', 'closed'],
      ['opened', 'closed'],
    ])
    expect(b.frames.all).toEqual([])
  })
})

describe('a neighbour that takes nothing', () => {
  const tells = (end: LinkEnd, count: number, bytes: number): void => {
    for (let i = 0; i < count; i++) end.link.send(tell('x', bytes))
  }
  const MB = 1024 * 1024

  test('is given up when too much waits for it', async () => {
    const { a } = await openPair({ windowBytes: 1 })
    tells(a, 40, MB)
    expect(await a.whenOver).toMatchObject({ code: 'overloaded' })
  })

  test('is not where that would be the end of it, as behind a port: this node’s own frames wait, others are dropped', async () => {
    const { a, b } = await openPair({ windowBytes: 1, diesWithPeer: true })
    tells(a, 40, MB)
    const head = Object.assign(tell('passed on', MB), { to: b.nodeId, from: 'x', hops: 3 })
    a.link.forward(batch({ ...head, kind: FRAME.tell, payload: head.payload }), 2, head)
    const frames = await b.frames.atLeast(40)
    tells(a, 1, 0)
    await b.frames.atLeast(41)
    expect(frames.map(({ type }) => type)).toEqual(Array.from({ length: 41 }, () => 'x'))
    expect([a.events, b.events]).toEqual([['opened'], ['opened']])
  })
})

test('an owner that fails when a link opens ends that link, and nothing else', async () => {
  const { end, raw } = linkToRaw()
  end.opened = () => {
    throw new RangeError('cannot take it')
  }
  raw.send(hello())
  raw.send(welcome())
  expect(await end.whenOver).toMatchObject({ message: 'cannot take it' })
})

describe('a link that is ending', () => {
  test.each([
    ['leaving', GOAWAY.leaving, true],
    ['closing', GOAWAY.closing, true],
    ['duplicate', GOAWAY.duplicate, false],
  ])('says so once the neighbour has said goodbye: %s', async (_name, code, isEnding) => {
    const { end, raw } = await openToRaw()
    expect(end.link.isEnding).toBe(false)
    raw.send(batch({ kind: FRAME.goaway, id: code }))
    await turn()
    expect([end.link.isEnding, end.link.isOpen]).toEqual([isEnding, true])
  })

  test('answers no ping once it is replaced', async () => {
    const { end, raw } = await openToRaw()
    end.link.retire()
    raw.send(batch({ kind: FRAME.ping, id: 7 }))
    await turn()
    expect(raw.frames.all.filter(({ kind }) => kind === FRAME.pong)).toEqual([])
  })
})

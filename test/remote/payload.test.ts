import { type ActorRef, Message } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { encodeCbor, Tag } from '../../src/base/cbor.ts'
import { newId } from '../../src/base/ids.ts'
import { FLAG, FRAME, Frame } from '../../src/wire/frame.ts'
import { Lab, settle } from './lab.ts'
import { outcomeOf } from './stream-ends.ts'

class Point {
  constructor(
    public x: number,
    public y: number,
  ) {}
}

describe('values that travel', () => {
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['booleans', [true, false]],
    ['numbers', [0, -1, 1.5, 2 ** 31, 2 ** 53 - 1, -(2 ** 53), 1e300, Infinity, -Infinity]],
    ['NaN', NaN],
    ['text', ['', 'a', 'ü', '漢字', '🎭', '\0', 'x'.repeat(70_000)]],
    ['nested plain data', { a: [{ b: { c: [1, [2, [3]]] } }], d: {} }],
    ['keys with odd names', { '': 1, constructor: 2, toString: 3, length: 4, valueOf: 5 }],
    ['bytes', Uint8Array.of(0, 1, 255)],
    ['bytes inside', { bytes: [new Uint8Array(0), new Uint8Array(1000).fill(7)] }],
    ['a Date', new Date(1_234_567_890_123)],
    [
      'a Map',
      new Map<unknown, unknown>([
        ['a', 1],
        [2, { deep: new Map([[1, 2]]) }],
      ]),
    ],
    ['a Set', new Set([1, 'two', 3])],
    ['other typed arrays', { f: Float64Array.of(1.5, -2), i: Int32Array.of(-1, 2) }],
    ['undefined inside', { a: undefined, b: [undefined] }],
    ['a class instance, as its fields', { ...new Point(1, 2) }],
  ])('%s', async (_what, value) => {
    const { b } = new Lab()
    const ref = await b.host((msg) => msg.toObject())
    expect(await ref.ask(value)).toEqual(value)
    expect((await ref.ask(Message.fromObject('typed', value))).toObject()).toEqual(value)
  })

  test('bigints keep their value', async () => {
    const { b } = new Lab()
    const ref = await b.host((msg) => msg.toObject())
    for (const value of [0n, -5n, 2n ** 60n, -(2n ** 63n), 2n ** 70n])
      expect(BigInt((await ref.ask<bigint | number>(value)) as bigint)).toBe(value)
  })

  test('an Error inside a value is an Error with its name and message', async () => {
    const { b } = new Lab()
    const ref = await b.host((msg) => msg.toObject())
    const got = await ref.ask<{ error: Error }>({ error: new RangeError('too far') })
    expect(got.error).toBeInstanceOf(Error)
    expect(got.error.message).toBe('too far')
  })

  test('bytes that arrive do not pin or share the batch they came in', async () => {
    const { b } = new Lab()
    const kept: Uint8Array[] = []
    const ref = await b.host((msg) => void kept.push(msg.payload))
    for (let i = 0; i < 3; i++) await ref.ask(Message.single('bytes', new Uint8Array(10).fill(i)))
    expect(kept.map((bytes) => [...bytes])).toEqual([0, 1, 2].map((i) => new Array<number>(10).fill(i)))
    for (const bytes of kept) expect(bytes.buffer.byteLength).toBeLessThan(1000)
  })

  test('a message passed on as it came is the same message at the next node', async () => {
    const { a, b } = new Lab()
    const end = await a.host((msg) => [msg.msgType, msg.toObject()])
    const middle = await b.host((msg) => end.ask(msg).then((reply) => reply.toObject()))
    const own = await a.runtime.spawn({ receive: () => 'me' }, undefined, undefined)
    const [type, value] = await middle
      .ask<[string, { n: number; ref: ActorRef }]>(Message.fromObject('kept', { n: 1, ref: own }))
      .then((reply) => (reply as unknown as Message).toObject<[string, { n: number; ref: ActorRef }]>())
    expect([type, value.n]).toEqual(['kept', 1])
    expect(value.ref.isLocal).toBe(true)
    expect(await value.ref.ask('who')).toBe('me')
  })
})

describe('refs in values', () => {
  test('arrive as working refs at any depth, in Maps, Sets and arrays; at home they are local again', async () => {
    const { a, b } = new Lab()
    const own = await a.runtime.spawn({ receive: () => 'me' }, undefined, undefined)
    const ref = await b.host(async (msg) => {
      const { map, set, list } = msg.toObject<{
        map: Map<string, ActorRef>
        set: Set<ActorRef>
        list: [{ deep: ActorRef }]
      }>()
      const refs = [map.get('k')!, [...set][0]!, list[0].deep]
      return {
        answers: await Promise.all(refs.map((each) => each.ask('who'))),
        isLocal: refs.map((each) => each.isLocal),
        back: refs[0],
      }
    })
    const reply = await ref.ask<{ answers: string[]; isLocal: boolean[]; back: ActorRef }>({
      map: new Map([['k', own]]),
      set: new Set([own]),
      list: [{ deep: own }],
    })
    expect(reply.answers).toEqual(['me', 'me', 'me'])
    expect(reply.isLocal).toEqual([false, false, false])
    expect(reply.back).toBe(own)
  })

  test('a ref to an actor of the receiver that has stopped is a ref that says so', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(async (msg) => {
      const given = msg.toObject<ActorRef>()
      await given.tell('into the void')
      return outcomeOf(given.ask('x')).then((error) => (error as Error).name)
    })
    const gone = lab.a.peers.refTo(lab.b.nodeId, newId(), 'gone')
    expect(await ref.ask(gone)).toBe('ActorStoppedError')
    expect(lab.b.deadLetters).toEqual(['actor_stopped', 'actor_stopped'])
  })

  test('the sender of a message told in an actor’s name can be answered', async () => {
    const lab = new Lab()
    const answers: unknown[] = []
    const echo = await lab.b.host((msg, ctx) => void ctx.sender?.tell(`${msg.toObject<string>()}!`))
    const asker = await lab.a.runtime.spawn(
      { receive: (msg, ctx) => (msg.toObject() === 'go' ? ctx.tell(echo, 'hi') : void answers.push(msg.toObject())) },
      undefined,
      undefined,
    )
    await asker.tell('go')
    await settle()
    expect(answers).toEqual(['hi!'])
  })
})

describe('values that cannot travel', () => {
  test.each<[string, unknown, string]>([
    ['a symbol', { a: [Symbol('s')] }, '.a[0]'],
    ['a promise', { p: Promise.resolve() }, '.p'],
    ['a WeakMap', { w: new WeakMap() }, '.w'],
    ['a cycle', cycle(), 'deep'],
    ['65 levels', nested(66), 'deep'],
    ['a symbol as Map value', new Map([['k', Symbol('s')]]), 'k'],
  ])('%s is refused by name and place, and nothing is sent', async (_what, value, place) => {
    const { a, b } = new Lab()
    const ref = await b.host((msg) => msg.toObject())
    const error = await outcomeOf(ref.ask(value))
    expect(error).toMatchObject({ name: 'NotSerialisableError', code: 'serialization_error' })
    expect((error as Error).message).toContain(place)
    expect(a.sent).toEqual([])
  })
})

describe('payloads from a hostile node', () => {
  const payloads: [string, Uint8Array][] = [
    ['bytes that are no CBOR', Uint8Array.of(0xff)],
    ['a value cut short', encodeCbor({ a: 'text' }).subarray(0, 4)],
    ['an unknown tag', encodeCbor(new Tag(1, 0x5099))],
    ['a ref without ids', encodeCbor(new Tag(['x', 'y'], 0x5075))],
    ['a ref that is no list', encodeCbor(new Tag(7, 0x5075))],
    ['a stream without numbers', encodeCbor(new Tag(['1', null], 0x5076))],
    ['a stream with window 0', encodeCbor(new Tag([1, 0], 0x5076))],
    ['the same stream twice', encodeCbor([new Tag([1, 1], 0x5076), new Tag([1, 1], 0x5076)])],
    ['an attachment that is not there', encodeCbor(new Tag(0, 0x5077))],
    ['ten thousand arrays in each other', new Uint8Array(10_001).fill(0x81)],
  ]

  test.each(payloads)(
    '%s as a request is a typed error for the caller or the session, and the actor lives',
    async (_what, payload) => {
      const lab = new Lab()
      const ref = await lab.b.host((msg) => msg.toObject())
      const ask = Object.assign(new Frame(), {
        kind: FRAME.ask,
        session: 1,
        seq: 1,
        id: 1,
        actor: ref.id,
        flags: 2 | FLAG.plain,
        payload,
      })
      try {
        lab.b.association.receive(ask, lab.b.link)
      } catch (error) {
        expect(error).toMatchObject({ name: 'ProtocolError' })
      }
      await settle()
      expect(await lab.b.peers.refTo(lab.b.nodeId, ref.id, undefined).ask('alive')).toBe('alive')
    },
  )

  test.each(payloads)('%s as a reply rejects the ask with a ProtocolError', async (_what, payload) => {
    const lab = new Lab()
    const ref = await lab.b.host((msg) => msg.toObject())
    lab.fate = (frame) => [
      frame.kind === FRAME.reply ? Object.assign(frame.clone(), { payload, flags: 2 | FLAG.plain }) : frame,
    ]
    expect(await outcomeOf(ref.ask('x'))).toMatchObject({ name: 'ProtocolError' })
  })

  test('a __proto__ key in a payload changes no prototype', async () => {
    const lab = new Lab()
    const payload = Uint8Array.from([
      0xa1,
      0x69,
      ...Buffer.from('__proto__'),
      0xa1,
      0x68,
      ...Buffer.from('polluted'),
      0xf5,
    ])
    const ref = await lab.b.host((msg) => msg.toObject())
    lab.fate = (frame) => [
      frame.kind === FRAME.reply ? Object.assign(frame.clone(), { payload, flags: 2 | FLAG.plain }) : frame,
    ]
    const got = await outcomeOf(ref.ask('x'))
    expect((got as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

function cycle(): unknown {
  const value: Record<string, unknown> = {}
  value['self'] = value
  return value
}

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

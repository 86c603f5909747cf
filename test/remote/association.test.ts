import { isPulsingError, Message, PulsingTimeoutError, SessionResetError, StreamMessage } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { deferred } from '../../src/base/deferred.ts'
import { MAX_PENDING_ASK_BYTES } from '../../src/remote/peer-messages.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { isKind, Lab, settle, until } from './lab.ts'
import { outcomeOf } from './stream-ends.ts'

describe('asks and tells between two nodes', () => {
  test('values and messages arrive as they were sent, and so do the answers', async () => {
    const { b } = new Lab()
    const seen: unknown[] = []
    const ref = await b.host((msg) => {
      seen.push([msg.msgType, msg.msgType === 'raw' ? msg.payload : msg.toObject()])
      return msg.msgType === '' ? { got: msg.toObject() } : Message.fromJson('pong', 1)
    })
    expect(await ref.ask({ n: 1 })).toEqual({ got: { n: 1 } })
    const reply = await ref.ask(Message.fromJson('ping', [1]))
    expect([reply.msgType, reply.toJson()]).toEqual(['pong', 1])
    await ref.tell(Message.single('raw', Uint8Array.of(1, 2)))
    await until(() => seen.length === 3)
    expect(seen).toEqual([
      ['', { n: 1 }],
      ['ping', [1]],
      ['raw', Uint8Array.of(1, 2)],
    ])
  })

  test('an answer of nothing is undefined to a plain caller and an empty message to a Message', async () => {
    const { b } = new Lab()
    const ref = await b.host(() => undefined)
    expect(await ref.ask('x')).toBeUndefined()
    const reply = await ref.ask(Message.fromJson('x', 1))
    expect([reply.msgType, reply.payload.byteLength]).toEqual(['', 0])
  })

  test('an ask that fails rejects with the category, the cause and the remote stack', async () => {
    const { b } = new Lab()
    const ref = await b.host(function failHere() {
      throw new TypeError('bad input')
    })
    const error = await outcomeOf(ref.ask('x'))
    expect(error).toMatchObject({ name: 'PulsingBusinessError', message: 'bad input', cause: { name: 'TypeError' } })
    expect((error as { cause: Error }).cause.stack).toContain('failHere')
  })

  test('an id no actor has is an ActorStoppedError', async () => {
    const { a, b } = new Lab()
    const ref = a.peers.refTo(b.nodeId, a.nodeId, undefined)
    expect(await outcomeOf(ref.ask('x'))).toMatchObject({ name: 'ActorStoppedError' })
    await ref.tell('x')
    await settle()
    expect(b.deadLetters).toEqual(['actor_stopped', 'actor_stopped'])
  })

  test('without a way there an ask is UnreachableError, not sent, at once; a tell too, and a dead letter', async () => {
    const { a, b } = new Lab()
    const ref = await b.host(() => 1)
    a.isLinked = false
    expect(await outcomeOf(ref.ask('x'))).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    expect(await outcomeOf(ref.tell('x'))).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    expect(a.deadLetters).toEqual(['unreachable'])
    expect(a.sent).toEqual([])
  })

  test('an aborted ask rejects with the reason, and the handler’s signal aborts', async () => {
    const lab = new Lab()
    const handlerAborted = deferred<void>()
    const started = deferred<void>()
    const ref = await lab.b.host((_msg, ctx) => {
      ctx.signal.addEventListener('abort', () => handlerAborted.resolve())
      started.resolve()
      return new Promise(() => undefined)
    })
    const controller = new AbortController()
    const asked = outcomeOf(ref.ask('x', { signal: controller.signal }))
    await started.promise
    controller.abort(new RangeError('enough'))
    expect(await asked).toMatchObject({ message: 'enough' })
    await handlerAborted.promise
    expect(lab.isClean).toBe(true)
  })

  test('an ask whose signal is aborted already sends nothing', async () => {
    const { a, b } = new Lab()
    const ref = await b.host(() => 1)
    expect(await outcomeOf(ref.ask('x', { signal: AbortSignal.abort(new RangeError('before')) }))).toMatchObject({
      message: 'before',
    })
    expect(a.sent).toEqual([])
  })

  test('an ask out of time is PulsingTimeoutError, the handler’s signal aborts, and a late answer is nothing', async () => {
    const lab = new Lab()
    const answer = deferred<string>()
    const signals: AbortSignal[] = []
    const ref = await lab.b.host((_msg, ctx) => {
      signals.push(ctx.signal)
      return answer.promise
    })
    const asked = outcomeOf(ref.ask('x', { timeout: 1000 }))
    await until(() => signals.length === 1)
    lab.clock.advance(1000)
    expect(await asked).toBeInstanceOf(PulsingTimeoutError)
    await until(() => signals[0]!.aborted)
    answer.resolve('late')
    await settle()
    expect(lab.isClean).toBe(true)
  })

  test.each([Infinity, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, 2 ** 40, 0.001])(
    'a timeout of %d is a timeout the wire can carry',
    async (timeout) => {
      const { b } = new Lab()
      const ref = await b.host((msg) => msg.toObject())
      expect(await ref.ask('x', { timeout })).toBe('x')
    },
  )

  test('an ask with an id that is not answered yet breaks the protocol: the session ends', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(() => new Promise(() => undefined))
    const asks: Frame[] = []
    lab.fate = (frame) => {
      if (frame.kind === FRAME.ask) asks.push(frame)
      return asks.length < 2 ? [frame] : []
    }
    const asked = [outcomeOf(ref.ask('x')), outcomeOf(ref.ask('y'))]
    await settle()
    const again = Object.assign(asks[1]!.clone(), { id: asks[0]!.id })
    expect(() => lab.b.peers.receive(lab.b.link, lab.a.nodeId, again)).toThrow(/an id of its own/)
    lab.fate = (frame) => [frame]
    await settle()
    expect(lab.b.association.pending.handling).toBe(0)
    lab.a.peers.gone(lab.b.nodeId, new SessionResetError('over'))
    await Promise.all(asked)
  })

  test('asks of one node that weigh too much together are refused, until some are answered', async () => {
    const maxMessageBytes = 16 * 1024 * 1024
    const lab = new Lab({ maxMessageBytes })
    const free = deferred<void>()
    const handled: number[] = []
    const ref = await lab.b.host(async (msg) => {
      handled.push(msg.toObject<Uint8Array>().byteLength)
      await free.promise
    })
    const bytes = 125_000
    const count = Math.ceil((MAX_PENDING_ASK_BYTES + maxMessageBytes) / bytes)
    const asked = Array.from({ length: count }, () => outcomeOf(ref.ask(new Uint8Array(bytes))))
    await until(() => lab.b.association.pending.handling === count - 1)
    free.resolve()
    const outcomes = await Promise.all(asked)
    expect(outcomes.slice(0, -1)).toEqual(Array.from({ length: count - 1 }, () => undefined))
    expect(outcomes.at(-1)).toMatchObject({ code: 'overloaded' })
    expect(await outcomeOf(ref.ask(new Uint8Array(1)))).toBeUndefined()
    expect(handled).toHaveLength(count)
  })

  test('the handler’s deadline is that of the caller', async () => {
    const lab = new Lab()
    const ref = await lab.b.host((_msg, ctx) => ctx.deadline)
    lab.clock.advance(500)
    expect(await ref.ask('x', { timeout: 1000 })).toBe(1500)
  })

  test('values that cannot travel reject the ask and send nothing; the next ask is fine', async () => {
    const lab = new Lab({ maxMessageBytes: 1000 })
    const ref = await lab.b.host((msg) => msg.toObject())
    for (const value of [
      Symbol('s'),
      { deep: [Promise.resolve()] },
      new Uint8Array(1001),
      'x'.repeat(1001),
      Message.single('t'.repeat(20_000_000), new Uint8Array(0)),
    ]) {
      expect(await outcomeOf(ref.ask(value))).toMatchObject({
        name: 'NotSerialisableError',
        message: expect.stringMatching(/expected .* got/) as string,
      })
      expect(await outcomeOf(ref.tell(value))).toMatchObject({ name: 'NotSerialisableError' })
    }
    expect(lab.a.sent).toEqual([])
    expect(await ref.ask('fine')).toBe('fine')
  })

  test('an answer that cannot travel rejects the ask', async () => {
    const lab = new Lab({ maxMessageBytes: 1000 })
    const ref = await lab.b.host((msg) => (msg.toObject() === 'big' ? 'x'.repeat(2000) : Symbol('x')))
    expect(await outcomeOf(ref.ask('big'))).toMatchObject({ name: 'NotSerialisableError' })
    expect(await outcomeOf(ref.ask('symbol'))).toMatchObject({ name: 'NotSerialisableError' })
    expect(lab.isClean).toBe(true)
  })

  test.each([
    ['an object without prototype', () => Object.create(null) as unknown],
    [
      'a number CBOR cannot hold, as details',
      () => Object.assign(new RangeError('x'), { cause: Object.create(null) as unknown }),
    ],
  ])('a handler that throws %s still answers', async (_what, thrown) => {
    const { b } = new Lab()
    const ref = await b.host(() => {
      throw thrown()
    })
    expect(isPulsingError(await outcomeOf(ref.ask('x')))).toBe(true)
  })
})

describe('late answers', () => {
  test.each([
    [
      'a stream message',
      (): { result: unknown; gone: Promise<void> } => {
        const [message, writer] = StreamMessage.create('s', 1)
        return {
          result: message,
          gone: new Promise((resolve) => writer.signal.addEventListener('abort', () => resolve())),
        }
      },
    ],
    [
      'a web stream',
      (): { result: unknown; gone: Promise<void> } => {
        const gone = deferred<void>()
        return { result: new ReadableStream({ cancel: () => gone.resolve() }), gone: gone.promise }
      },
    ],
  ])('%s nobody waits for any more is cancelled at its producer', async (_what, produce) => {
    const lab = new Lab()
    const { result, gone } = produce()
    const answer = deferred<unknown>()
    const started = deferred<void>()
    const ref = await lab.b.host(() => {
      started.resolve()
      return answer.promise
    })
    const controller = new AbortController()
    const asked = outcomeOf(ref.ask(Message.empty(), { signal: controller.signal }))
    await started.promise
    controller.abort()
    await asked
    await until(() => lab.a.sent.some(isKind('cancel')))
    await settle()
    answer.resolve(result)
    await gone
    await until(() => lab.isClean)
  })

  test('a stream in an answer that crossed the caller’s goodbye is cancelled', async () => {
    const lab = new Lab()
    const [message, writer] = StreamMessage.create('s', 1)
    const gone = new Promise<void>((resolve) => writer.signal.addEventListener('abort', () => resolve()))
    const ref = await lab.b.host(() => message)
    const controller = new AbortController()
    const asked = outcomeOf(ref.ask(Message.empty(), { signal: controller.signal }))
    await until(() => lab.b.sent.some(isKind('reply')))
    controller.abort()
    await asked
    await gone
    await until(() => lab.isClean)
  })

  test('a request’s stream is cancelled when its ask is given up before it was handled', async () => {
    const lab = new Lab()
    const busy = deferred<void>()
    const ref = await lab.b.host(() => busy.promise)
    void outcomeOf(ref.ask('keeps the actor busy'))
    const [message, writer] = StreamMessage.create('s', 1)
    const gone = new Promise<void>((resolve) => writer.signal.addEventListener('abort', () => resolve()))
    const controller = new AbortController()
    const asked = outcomeOf(ref.ask(message, { signal: controller.signal }))
    await settle()
    controller.abort()
    await asked
    await settle()
    busy.resolve()
    await gone
    await until(() => lab.isClean)
  })
})

describe('frames that make no sense', () => {
  test.each([
    ['an unknown payload format', { kind: FRAME.tell, flags: 3 }],
    ['a stream without a window', { kind: FRAME.tell, stream: 1, window: 0 }],
    ['a stream with a huge window', { kind: FRAME.tell, stream: 1, window: 70_000 }],
    ['an item of no stream', { kind: FRAME.item, id: 99 }],
    ['credit for no stream', { kind: FRAME.credit, id: 99, count: 5, bytes: 5 }],
    ['the end of no stream', { kind: FRAME.end, id: 99 }],
    ['a reply to nobody', { kind: FRAME.reply, id: 99 }],
    ['a failure of nothing', { kind: FRAME.fail, id: 99, payload: Uint8Array.of(0xff) }],
    ['a cancel of nothing', { kind: FRAME.cancel, id: 99 }],
    ['a reset of another session', { kind: FRAME.reset, id: 99 }],
  ])('%s is ignored or a ProtocolError, never another error', async (_what, fields) => {
    const lab = new Lab()
    const frame = Object.assign(new Frame(), { session: 1, seq: 1, actor: lab.a.nodeId }, fields)
    const thrown = (() => {
      try {
        lab.b.association.receive(frame, lab.b.link)
        return undefined
      } catch (error) {
        return error as Error
      }
    })()
    if (thrown) expect(thrown.name).toBe('ProtocolError')
    lab.b.association.reset(new SessionResetError('test'))
    await settle()
    expect(lab.isClean).toBe(true)
  })
})

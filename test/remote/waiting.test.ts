/** Two nodes between which the way is lost: what waits, for how long, and what becomes of it. */
import { Message, StreamMessage } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { deferred } from '../../src/base/deferred.ts'
import { stateOf } from '../actor/systems.ts'
import { GRACE_MS, isKind, Lab, settle, until } from './lab.ts'
import { collect, outcomeOf } from './stream-ends.ts'

/** The way between the two is lost, and what is on it. */
function lose(lab: Lab): void {
  lab.fate = () => []
  for (const node of [lab.a, lab.b]) node.lose()
}

function find(lab: Lab): void {
  lab.fate = (frame) => [frame]
  for (const node of [lab.a, lab.b]) node.find()
}

describe('while there is no way', () => {
  test('asks and messages wait, and arrive in order when there is one', async () => {
    const lab = new Lab()
    const got: unknown[] = []
    const ref = await lab.b.host((msg) => {
      got.push(msg.toObject())
      return msg.toObject()
    })
    await ref.ask('before')
    lose(lab)
    const [told, asked] = [ref.tell('told'), ref.ask('asked')]
    const again = ref.tell('told again')
    await settle()
    expect(got).toEqual(['before'])
    expect([await stateOf(told), await stateOf(asked), await stateOf(again)]).toEqual(Array(3).fill('pending'))
    find(lab)
    expect([await told, await asked, await again]).toEqual([undefined, 'asked', undefined])
    await settle()
    expect(got).toEqual(['before', 'told', 'asked', 'told again'])
  })

  test('an answer waits too, and so does the end of a handler’s stream', async () => {
    const lab = new Lab()
    const answer = deferred<string>()
    const ref = await lab.b.host((msg) => (msg.toObject() === 'stream' ? items : answer.promise))
    async function* items(): AsyncGenerator<number> {
      yield 1
      await answer.promise
      yield 2
    }
    const asked = ref.ask('x')
    const stream = (await lab.b.host(() => items())).askStream<number>('stream')
    expect((await stream.next()).value).toBe(1)
    lose(lab)
    answer.resolve('answer')
    const rest = collect(stream)
    await settle()
    expect([await stateOf(asked), await stateOf(rest)]).toEqual(['pending', 'pending'])
    find(lab)
    expect([await asked, await rest]).toEqual(['answer', [2]])
    await until(() => lab.isClean)
  })

  test('a stream written to waits, and goes on', async () => {
    const lab = new Lab()
    const ref = await lab.b.host(async (msg) => collect(msg.streamReader<number>()))
    const [message, writer] = StreamMessage.create<number>('numbers', 2)
    const asked = ref.ask(message)
    for (let i = 0; i < 5; i++) await writer.write(i)
    await settle()
    lose(lab)
    const writes = (async () => {
      for (let i = 5; i < 20; i++) await writer.write(i)
      await writer.close()
    })()
    await settle()
    expect(await stateOf(writes)).toBe('pending')
    find(lab)
    await writes
    expect((await asked).toObject()).toEqual(Array.from({ length: 20 }, (_, i) => i))
    await until(() => lab.isClean)
  })

  test('an ask can be out of time or given up, and its handler hears of it when there is a way', async () => {
    const lab = new Lab()
    const signals: AbortSignal[] = []
    const ref = await lab.b.host((_msg, ctx) => {
      signals.push(ctx.signal)
      return new Promise(() => undefined)
    })
    const controller = new AbortController()
    const asked = outcomeOf(ref.ask('x', { signal: controller.signal, timeout: Infinity }))
    await until(() => signals.length === 1)
    lose(lab)
    const late = outcomeOf(ref.ask('late', { timeout: 1_000 }))
    controller.abort(new RangeError('given up'))
    expect(await asked).toMatchObject({ message: 'given up' })
    await settle()
    lab.clock.advance(1_000)
    expect(await late).toMatchObject({ name: 'PulsingTimeoutError' })
    expect(signals[0]!.aborted).toBe(false)
    find(lab)
    await until(() => signals[0]!.aborted)
    await until(() => lab.isClean)
  })
})

describe('when there is no way in time', () => {
  test('each ask says whether its message left; each message held back is a dead letter, not sent', async () => {
    const lab = new Lab()
    const ref = await lab.b.host((msg) => (msg.toObject() === 'hello' ? 'hello' : new Promise(() => undefined)))
    await ref.ask('hello')
    const before = outcomeOf(ref.ask('before', { timeout: Infinity }))
    await ref.tell('sent')
    await settle()
    lose(lab)
    const meanwhile = outcomeOf(ref.ask('meanwhile', { timeout: Infinity }))
    const told = outcomeOf(ref.tell('held'))
    const letters = lab.a.deadLetters.length
    lab.clock.advance(GRACE_MS)
    expect(await before).toMatchObject({ name: 'UnreachableError', outcome: 'unknown' })
    expect(await meanwhile).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    expect(await told).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
    expect(lab.a.deadLetters.slice(letters)).toEqual(['unreachable'])
    expect(lab.isClean).toBe(true)
    // From here on nobody waits.
    expect(await outcomeOf(ref.ask('after'))).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
  })

  test('streams end with the error at both ends, and producers are told', async () => {
    const lab = new Lab()
    const over = deferred<void>()
    async function* endless(): AsyncGenerator<number> {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        over.resolve()
      }
    }
    const stream = (await lab.b.host(() => endless())).askStream<number>('go')
    await stream.next()
    await settle()
    lose(lab)
    lab.clock.advance(GRACE_MS)
    expect(await outcomeOf(collect(stream))).toMatchObject({ name: 'UnreachableError' })
    await over.promise
    await until(() => lab.isClean)
  })

  test('nothing that waited arrives when there is a way after all, and both go on', async () => {
    const lab = new Lab()
    const got: unknown[] = []
    const ref = await lab.b.host((msg) => void got.push(msg.toObject()))
    await ref.ask('before')
    lose(lab)
    void outcomeOf(ref.tell('held'))
    void outcomeOf(ref.ask(Message.fromJson('held', 'held too')))
    lab.clock.advance(GRACE_MS)
    await settle()
    find(lab)
    await ref.ask('after')
    expect(got).toEqual(['before', 'after'])
    expect(lab.a.sent.filter(isKind('tell'))).toEqual([])
  })

  test('one side’s end is the other’s, when they meet again', async () => {
    const lab = new Lab()
    const waits = await lab.a.host((msg, ctx) =>
      msg.toObject() === 'hello'
        ? 'hello'
        : new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve(undefined))),
    )
    const echo = await lab.b.host((msg) => msg.toObject())
    expect([await waits.ask('hello'), await echo.ask('hello')]).toEqual(['hello', 'hello'])
    const pendingAtB = outcomeOf(waits.ask('x', { timeout: Infinity }))
    await settle()
    // Only a notices, and for too long.
    lab.a.lose()
    lab.clock.advance(GRACE_MS)
    lab.a.find()
    expect(await pendingAtB).toMatchObject({ name: 'SessionResetError', outcome: 'unknown' })
    expect(await echo.ask('again')).toBe('again')
    expect(await waits.ask('hello')).toBe('hello')
    await until(() => lab.isClean)
  })
})

/** A probe on a clock the test moves: what it keeps, what it expects, what it answers, and what it says when it fails. */
import { type ActorRef, type ActorSystem, Message, StreamMessage } from 'pulsing'
import { createTestSystem, DEFAULT_EXPECT_MS, ProbeError, type TestProbe, type TestSystem } from 'pulsing/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { collect } from '../actor/systems.ts'
import { rejection } from '../transport/owner.ts'

async function start(): Promise<{ test: TestSystem; system: ActorSystem; probe: TestProbe }> {
  const test = await createTestSystem()
  onTestFinished(() => test.dispose())
  return { test, system: test.system, probe: await test.probe('probe') }
}

/** An actor that tells `to` each text at its time. */
function teller(system: ActorSystem, to: ActorRef, texts: Readonly<Record<number, string>>): Promise<ActorRef> {
  return system.spawn({
    onStart: (ctx) => {
      for (const [at, text] of Object.entries(texts)) ctx.schedule(Number(at), text)
    },
    receive: (msg, ctx) => ctx.tell(to, msg),
  })
}

async function tellAll(probe: TestProbe, ...messages: readonly unknown[]): Promise<void> {
  for (const message of messages) await probe.ref.tell(message)
}

/** What a rejection says. */
async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await rejection(promise)
  expect(error).toBeInstanceOf(ProbeError)
  return (error as ProbeError).message
}

// What is expected of a message.

test('messages are expected in the order they came, each once', async () => {
  const { probe } = await start()
  await tellAll(probe, 1, 2, 3)
  expect((await probe.expectMessage()).value).toBe(1)
  expect((await probe.expectMessage(2)).value).toBe(2)
  expect((await probe.receive(1)).map(({ value }) => value)).toEqual([3])
  expect(probe.waiting).toEqual([])
})

test('a message is expected by value, by message, by predicate, by guard, or as any', async () => {
  const { probe } = await start()
  const isText = (value: unknown): value is string => typeof value === 'string'
  await tellAll(probe, 'plain text', { id: 1 }, Message.fromJson('job', { n: 1 }), { at: 5 }, 'guarded', undefined)
  await probe.expectMessage('plain text')
  await probe.expectMessage({ id: expect.any(Number) })
  await probe.expectMessage(Message.fromObject('job', { n: 1 }))
  const late = await probe.expectMessage((value: { at: number }, message) => value.at > 4 && message.msgType === '')
  expect(late.value.at).toBe(5)
  expect((await probe.expectMessage(isText)).value.length).toBe(7)
  expect((await probe.expectMessage<undefined>()).value).toBe(undefined)
})

test('what is received has the message, its value, its sender, and whether it was asked', async () => {
  const { system, probe } = await start()
  const sender = await teller(system, probe.ref, { 0: 'from an actor' })
  const told = await probe.expectMessage('from an actor')
  expect([told.sender?.id, told.isAsk]).toEqual([sender.id, false])
  void probe.ref.ask(Message.single('bytes', new Uint8Array([1])))
  const asked = await probe.expectMessage(new Uint8Array([1]))
  expect([asked.sender, asked.isAsk, asked.message.msgType]).toEqual([undefined, true, 'bytes'])
  asked.reply()
})

test('a stream is received as a message to be read', async () => {
  const { probe } = await start()
  const [message, writer] = StreamMessage.create('numbers')
  await probe.ref.tell(message)
  const received = await probe.expectMessage((_value, { isStream }) => isStream)
  const reader = received.message.streamReader<number>()
  void writer.write(1).then(() => writer.close())
  expect(received.value).toBe(undefined)
  expect(await collect(reader)).toEqual([1])
})

test('a message of another value fails with what came instead, what waits behind it, and both values to compare', async () => {
  const { probe } = await start()
  await tellAll(probe, { total: 3 }, 'x', Message.fromObject('job', 1))
  const error = await rejection(probe.expectMessage({ total: 4 }))
  expect(error).toBeInstanceOf(ProbeError)
  expect(error).toMatchObject({
    name: 'ProbeError',
    code: 'ERR_ASSERTION',
    message: 'expected { total: 4 }, got { total: 3 }, and behind it 2: "x"; a message of type "job" with 1',
    expected: { total: 4 },
    actual: { total: 3 },
  })
  await probe.expectMessage('x')
})

test('a message of another type fails with both types to compare', async () => {
  const { probe } = await start()
  await tellAll(probe, Message.fromObject('a', 1))
  expect(await rejection(probe.expectMessage(Message.fromObject('b', 1)))).toMatchObject({
    message: 'expected a message of type "b" with 1, got a message of type "a" with 1',
    expected: { msgType: 'b', value: 1 },
    actual: { msgType: 'a', value: 1 },
  })
})

test('a message a predicate refuses fails with its name, and with nothing to compare', async () => {
  const { probe } = await start()
  await tellAll(probe, 1, 2)
  const error = await rejection(
    probe.expectMessage(function isEven(n: number) {
      return n % 2 === 0
    }),
  )
  expect(error).toMatchObject({ message: 'expected a message that isEven accepts, got 1' })
  expect(Object.keys(error as object)).not.toContain('expected')
})

test('what a predicate throws is what the expectation rejects with', async () => {
  const { probe } = await start()
  await tellAll(probe, 1)
  const thrown = new Error('an assertion of the test')
  expect(
    await rejection(
      probe.expectMessage(() => {
        throw thrown
      }),
    ),
  ).toBe(thrown)
})

// Time.

test('a wait moves the clock to the message it waits for, and no further', async () => {
  const { test, system, probe } = await start()
  await teller(system, probe.ref, { 700: 'first', 900: 'second' })
  await probe.expectMessage('first')
  expect(test.clock.now()).toBe(700)
  await probe.expectMessage('second', { within: 200 })
  expect(test.clock.now()).toBe(900)
})

test('a message that needs no time moves no clock', async () => {
  const { test, system, probe } = await start()
  await teller(system, probe.ref, { 5: 'later' })
  const echo = await system.spawn({ receive: (msg, ctx) => ctx.tell(ctx.sender!, msg) })
  await probe.tell(echo, 'there and back')
  await probe.expectMessage('there and back')
  expect(test.clock.now()).toBe(0)
})

test('a wait for nothing that comes ends at its limit: 3 seconds unless told otherwise', async () => {
  const { test, system, probe } = await start()
  await teller(system, probe.ref, { [DEFAULT_EXPECT_MS + 1]: 'too late' })
  expect(await failure(probe.expectMessage('now', { within: 10 }))).toBe('expected "now" within 10 ms, got nothing')
  expect(test.clock.now()).toBe(10)
  expect(await failure(probe.expectMessage(undefined, { within: DEFAULT_EXPECT_MS - 10 }))).toMatch(
    /^expected a message/,
  )
  expect(await failure(probe.expectMessage(Number.isFinite, { within: 0 }))).toBe(
    'expected a message that isFinite accepts within 0 ms, got nothing',
  )
  expect(test.clock.now()).toBe(DEFAULT_EXPECT_MS)
  const { value } = await probe.expectMessage()
  expect([value, test.clock.now()]).toEqual(['too late', DEFAULT_EXPECT_MS + 1])
  expect(DEFAULT_EXPECT_MS).toBe(3_000)
})

test('a message at the very limit is in time', async () => {
  const { system, probe } = await start()
  const expected = probe.expectMessage('just', { within: 100 })
  await teller(system, probe.ref, { 100: 'just' })
  await expected
})

test('a message past the limit is not, also when the test moves the clock itself', async () => {
  const { test, system, probe } = await start()
  await teller(system, probe.ref, { 101: 'missed' })
  const missed = failure(probe.expectMessage('missed', { within: 100 }))
  await test.clock.advanceAsync(500)
  expect(await missed).toBe('expected "missed" within 100 ms, got nothing')
  await probe.expectMessage('missed', { within: 0 })
})

test('several who wait get their messages in the order they began to wait', async () => {
  const { system, probe } = await start()
  const waiting = [probe.expectMessage(), probe.receive(2), probe.expectMessage()]
  await teller(system, probe.ref, { 1: 'a', 2: 'b', 3: 'c', 4: 'd' })
  const values = (await Promise.all(waiting)).flat().map(({ value }) => value)
  expect(values).toEqual(['a', 'b', 'c', 'd'])
})

test('what somebody gives up on is there for those behind', async () => {
  const { system, probe } = await start()
  const many = rejection(probe.receive(9, { within: 10 }))
  const one = probe.expectMessage('a', { within: 20 })
  await teller(system, probe.ref, { 5: 'a' })
  expect(await many).toBeInstanceOf(ProbeError)
  await one
})

test('two probes that wait at the same time share the time', async () => {
  const { test, system, probe } = await start()
  const other = await test.probe()
  await teller(system, probe.ref, { 2000: 'slow' })
  await teller(system, other.ref, { 10: 'fast' })
  await Promise.all([probe.expectMessage('slow'), other.expectMessage('fast', { within: 10 })])
  expect(test.clock.now()).toBe(2_000)
})

test('receive waits for all, and leaves in the line what came of too few', async () => {
  const { test, system, probe } = await start()
  await teller(system, probe.ref, { 10: 'a', 20: 'b' })
  expect(await failure(probe.receive(3, { within: 50 }))).toBe('expected 3 messages within 50 ms, got 2: "a"; "b"')
  expect(test.clock.now()).toBe(50)
  expect((await probe.receive(2)).map(({ value }) => value)).toEqual(['a', 'b'])
  expect(await failure(probe.receive(1, { within: 1 }))).toBe('expected 1 messages within 1 ms, got none')
})

test('expectNone passes when nothing comes, after that time', async () => {
  const { test, system, probe } = await start()
  await teller(system, probe.ref, { 201: 'later' })
  await probe.expectNone()
  expect(test.clock.now()).toBe(100)
  await probe.expectNone(100)
  expect(test.clock.now()).toBe(200)
})

test('expectNone fails with what comes, as soon as it does, and leaves it in the line', async () => {
  const { test, system, probe } = await start()
  await teller(system, probe.ref, { 60: 'noise' })
  expect(await failure(probe.expectNone(100))).toBe('expected no message within 100 ms, got 1: "noise" after 60 ms')
  expect(test.clock.now()).toBe(60)
  expect(await failure(probe.expectNone(0))).toBe('expected no message within 0 ms, got 1: "noise" after 0 ms')
  await probe.expectMessage('noise')
})

test.each([-1, Number.NaN, '5'])('%s is no time to wait, and refused with ConfigError', async (ms) => {
  const { probe } = await start()
  const within = ms as number
  const calls = [
    probe.expectMessage(1, { within }),
    probe.receive(1, { within }),
    probe.expectNone(within),
    probe.expectTerminated(probe.ref, { within }),
    probe.within(within, () => undefined),
    probe.receive(within),
  ]
  for (const call of calls) expect(await rejection(call)).toMatchObject({ name: 'ConfigError' })
})

// within

test('within bounds all that is expected inside together, and answers what is done inside', async () => {
  const { test, system, probe } = await start()
  await teller(system, probe.ref, { 40: 'a', 80: 'b', 120: 'c' })
  const answer = await probe.within(80, async () => {
    await probe.expectMessage('a')
    await probe.expectMessage('b')
    return 'both'
  })
  expect([answer, test.clock.now()]).toEqual(['both', 80])
  const missing = probe.within(39, () => probe.expectMessage('c'))
  expect(await failure(missing)).toBe('expected "c" within 39 ms, got nothing')
  expect(test.clock.now()).toBe(119)
  await probe.expectMessage('c')
})

test('within inside within ends with the shorter of the two, and what follows is bounded by neither', async () => {
  const { test, system, probe } = await start()
  await teller(system, probe.ref, { 1000: 'late' })
  await probe.within(50, async () => {
    expect(await failure(probe.within(20, () => probe.expectMessage()))).toBe(
      'expected a message within 20 ms, got nothing',
    )
    expect(await failure(probe.within(90, () => probe.expectMessage()))).toBe(
      'expected a message within 30 ms, got nothing',
    )
  })
  expect(test.clock.now()).toBe(50)
  await probe.expectMessage('late')
})

test('bounds that overlap are both gone when they have ended', async () => {
  const { test, probe } = await start()
  const first = probe.within(20, () => probe.expectNone(10))
  const second = probe.within(30, () => probe.expectNone(20))
  await Promise.all([first, second])
  await probe.expectNone(100)
  expect(test.clock.now()).toBe(120)
})

test('within fails when what is done inside takes longer, whatever it is', async () => {
  const { test, probe } = await start()
  const message = 'expected what is done within 10 ms to be over by then, got it unfinished'
  expect(await failure(probe.within(10, () => test.clock.advance(11)))).toBe(message)
  const never = failure(probe.within(10, () => new Promise(() => undefined)))
  await test.clock.advanceAsync(11)
  expect(await never).toBe(message)
})

test('what is thrown inside within is what it rejects with', async () => {
  const { probe } = await start()
  const thrown = new Error('of the test')
  expect(
    await rejection(
      probe.within(10, () => {
        throw thrown
      }),
    ),
  ).toBe(thrown)
})

// Answers.

test('an ask waits for its answer while other messages come in', async () => {
  const { probe } = await start()
  const first = probe.ref.ask('first')
  const second = probe.ref.ask(Message.fromObject('second', 2))
  await probe.ref.tell('third')
  const [one, two, three] = await probe.receive(3)
  expect([one, two, three].map((received) => received!.isAsk)).toEqual([true, true, false])
  two!.reply(Message.fromObject('answer', 22))
  one!.reply(11)
  expect(await first).toBe(11)
  expect((await second).msgType).toBe('answer')
})

test('more asks wait than a mailbox usually holds', async () => {
  const { probe } = await start()
  const replies = Array.from({ length: 1_000 }, (_, i) => probe.ref.ask(i))
  for (const received of await probe.receive<number>(1_000)) received.reply(-received.value)
  expect((await Promise.all(replies)).at(-1)).toBe(-999)
})

test('an ask is failed like a handler that throws', async () => {
  const { probe } = await start()
  const reply = rejection(probe.ref.ask('please'))
  ;(await probe.expectMessage()).fail(new RangeError('out of it'))
  expect(await reply).toMatchObject({ name: 'PulsingBusinessError', message: 'out of it' })
})

test('an ask is answered once, a tell never', async () => {
  const { probe } = await start()
  const reply = probe.ref.ask('please')
  const ask = await probe.expectMessage()
  ask.reply(1)
  expect(() => ask.fail(2)).toThrow(new ProbeError('expected one answer to an ask, got a second to "please"'))
  expect(await reply).toBe(1)
  await probe.ref.tell('thanks')
  const tell = await probe.expectMessage()
  expect(() => tell.reply(1)).toThrow(new ProbeError('expected an ask to answer, got a tell: "thanks"'))
})

test('an answer to a caller that gave up goes nowhere', async () => {
  const { test, system, probe } = await start()
  const failures: unknown[] = []
  onTestFinished(system.on('actorFailed', (event) => failures.push(event)))
  const reply = rejection(probe.ref.ask('please', { timeout: 50 }))
  const ask = await probe.expectMessage()
  await test.clock.advanceAsync(50)
  expect(await reply).toMatchObject({ code: 'timeout' })
  ask.reply('too late')
  await test.clock.settle()
  expect(failures).toEqual([])
})

test('autoReply answers what waits and what comes, as a handler would, until it is ended', async () => {
  const { probe } = await start()
  const early = probe.ref.ask<number>(20)
  await probe.expectMessage(20)
  probe.autoReply((value, { message }) =>
    message.msgType === '' ? (value as number) + 1 : Promise.reject(new Error('no')),
  )
  expect(await early).toBe(21)
  expect(await probe.ref.ask(1)).toBe(2)
  expect(await rejection(probe.ref.ask(Message.empty()))).toBeUndefined()
  probe.autoReply(undefined)
  const open = probe.ref.ask('open')
  const [, , last] = await probe.receive(3)
  last!.reply('by hand')
  expect(await open).toBe('by hand')
})

test('autoReply leaves tells, and asks that were answered, alone', async () => {
  const { probe } = await start()
  const reply = probe.ref.ask('answered')
  ;(await probe.expectMessage()).reply('by hand')
  expect(await reply).toBe('by hand')
  await probe.ref.tell('told')
  const seen: unknown[] = []
  probe.autoReply((value) => void seen.push(value))
  await probe.ref.tell('told again')
  await probe.ref.ask('asked')
  expect(seen).toEqual(['asked'])
})

test('what autoReply throws is the answer', async () => {
  const { probe } = await start()
  probe.autoReply(() => {
    throw new TypeError('not me')
  })
  expect(await rejection(probe.ref.ask(1))).toMatchObject({ name: 'PulsingBusinessError', message: 'not me' })
})

// Ends.

test('the end of an actor is told with its reason, whoever watched it when', async () => {
  const { system, probe } = await start()
  const [killed, ends] = [await system.spawn({ receive: () => undefined }), await teller(system, probe.ref, {})]
  probe.watch(killed)
  await system.stop(killed)
  await system.stop(ends)
  expect(await probe.expectTerminated(killed)).toBe('killed')
  expect(await probe.expectTerminated(ends)).toBe('killed')
})

test('the end of an actor is waited for, and takes nothing else out of the line', async () => {
  const { test, system, probe } = await start()
  const worker = await system.spawn({
    onStart: (ctx) => void ctx.schedule(500, 'end'),
    receive: (_msg, ctx) => {
      void ctx.tell(probe.ref, 'last words')
      ctx.stop()
    },
  })
  expect(await probe.expectTerminated(worker)).toBe('normal')
  expect(test.clock.now()).toBe(500)
  await probe.expectMessage('last words')
  await probe.expectNone()
})

test('the end of a watched actor is a message in its order, too', async () => {
  const { system, probe } = await start()
  const worker = await teller(system, probe.ref, { 1: 'work' })
  probe.watch(worker)
  await probe.expectMessage('work')
  await system.stop(worker)
  await probe.expectMessage(Message.fromObject('Terminated', { ref: worker, reason: 'killed' }))
})

test('an actor that goes on fails with its name and with what came instead', async () => {
  const { system, probe } = await start()
  const actor = await system.spawn({ receive: () => undefined }, 'survivor')
  await tellAll(probe, 'news')
  expect(await failure(probe.expectTerminated(actor, { within: 5 }))).toBe(
    'expected [actor survivor] to end within 5 ms, got no such news, but 1: "news"',
  )
})

// The probe itself.

test('a probe is found by its name, which it has for itself', async () => {
  const { test, system, probe } = await start()
  expect((await system.resolve('probe')).id).toBe(probe.ref.id)
  expect(await rejection(test.probe('probe'))).toMatchObject({ name: 'ActorAlreadyExistsError' })
})

test('a probe that stops refuses asks, fails who waits at it, and cancels streams nobody read', async () => {
  const { system, probe } = await start()
  const failures: unknown[] = []
  onTestFinished(system.on('actorFailed', ({ error }) => failures.push(error.code)))
  const [message, writer] = StreamMessage.create('unread')
  await probe.ref.tell('unread')
  await probe.ref.tell(message)
  const reply = rejection(probe.ref.ask('unanswered', { timeout: Infinity }))
  await probe.receive(1)
  const waiting = rejection(probe.receive(5))
  await probe.stop()
  expect(await reply).toMatchObject({ name: 'ActorStoppedError' })
  expect(await waiting).toMatchObject({ name: 'ActorStoppedError' })
  expect(await rejection(probe.receive(5))).toMatchObject({ name: 'ActorStoppedError' })
  expect(probe.waiting).toHaveLength(2)
  expect(writer.signal.aborted).toBe(true)
  expect(failures).toEqual(['actor_stopped'])
  await probe[Symbol.asyncDispose]()
})

/** What must not harm a system, however oddly one actor or its surroundings behave. */
import { type ActorContext, type ActorRef, StreamMessage, SystemConfig } from 'pulsing'
import { expect, onTestFinished, test } from 'vitest'
import { collect, gate, manualTime, quiet, startSystem, stateOf, turn } from './systems.ts'

test('a result whose `then` throws rejects the ask and leaves the system running', async () => {
  const system = await startSystem()
  const odd = await system.spawn({
    receive: () => ({
      // biome-ignore lint/suspicious/noThenProperty: the point of the test
      get then(): never {
        throw new Error('no then for you')
      },
    }),
  })
  const sane = await system.spawn({ receive: () => 'fine' })
  await expect(odd.ask('go', { timeout: 1000 })).rejects.toMatchObject({ name: 'PulsingSystemError' })
  expect(await sane.ask('go', { timeout: 1000 })).toBe('fine')
})

test('a thenable that calls back twice is one result: the next message is still handled alone', async () => {
  const system = await startSystem()
  const release = gate()
  const log: string[] = []
  const ref = await system.spawn({
    receive: (msg) => {
      const step = msg.toObject<string>()
      log.push(`begin ${step}`)
      if (step === 'odd') {
        // biome-ignore lint/suspicious/noThenProperty: the point of the test
        return { then: (resolve: (value: string) => void) => void [resolve('x'), setImmediate(resolve, 'y')] }
      }
      return release.opened.then(() => void log.push(`end ${step}`))
    },
  })
  const replies = [ref.ask('odd'), ref.ask('one'), ref.ask('two')]
  expect(await replies[0]).toBe('x')
  await turn()
  await turn()
  release.open()
  await Promise.all(replies)
  expect(log).toEqual(['begin odd', 'begin one', 'end one', 'begin two', 'end two'])
})

test('a logger that throws does not stop the actors', async () => {
  const system = await startSystem(
    SystemConfig.standalone().withLogger({
      ...quiet,
      warn: () => {
        throw new Error('disk full')
      },
    }),
  )
  const ref = await system.spawn({
    receive: (msg) => {
      if (msg.toObject() === 'fail') throw new Error('reported by the logger')
      return 'alive'
    },
  })
  await ref.tell('fail')
  expect(await ref.ask('go', { timeout: 1000 })).toBe('alive')
})

test('an event listener that throws does not stop the actors', async () => {
  const system = await startSystem()
  system.on('actorFailed', () => {
    throw new Error('listener')
  })
  const ref = await system.spawn({
    receive: (msg) => {
      if (msg.toObject() === 'fail') throw new Error('x')
      return 'alive'
    },
  })
  await expect(ref.ask('fail')).rejects.toThrow('x')
  expect(await ref.ask('go')).toBe('alive')
})

test('a scheduled message that finds a failing mailbox full is a dead letter, not an unhandled rejection', async () => {
  const time = manualTime()
  const system = await startSystem()
  const release = gate()
  const reasons: string[] = []
  system.on('deadLetter', ({ reason }) => reasons.push(reason))
  const unhandled: unknown[] = []
  const onUnhandled = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', onUnhandled)
  onTestFinished(() => void process.off('unhandledRejection', onUnhandled))
  let context: ActorContext | undefined
  const ref = await system.spawn(
    {
      onStart: (ctx) => {
        context = ctx
      },
      receive: () => release.opened,
    },
    { mailbox: { capacity: 16, overflow: 'fail' } },
  )
  context!.schedule(10, 'late')
  await ref.tell('held')
  await turn()
  for (let i = 0; i < 16; i++) await ref.tell(i)
  await time.advance(10)
  await turn()
  expect(reasons).toEqual(['actor_mailbox_full'])
  expect(unhandled).toEqual([])
  release.open()
})

test('asks made under a deadline leave no timer each behind', async () => {
  const time = manualTime()
  const system = await startSystem()
  const inner = await system.spawn({ receive: () => 'ok' })
  const outer = await system.spawn({ receive: (_msg, ctx) => ctx.ask(inner, 'go') })
  for (let i = 0; i < 200; i++) {
    const reply = outer.ask('go', { timeout: 1000 + i / 7 })
    await time.advance(1)
    expect(await reply).toBe('ok')
  }
  expect(time.pending).toBeLessThan(20)
})

test('a child spawned under an actor that has ended is refused, so that no actor outlives the shutdown', async () => {
  const system = await startSystem()
  let context: ActorContext | undefined
  let stopped = false
  const ref = await system.spawn({ receive: (_msg, ctx) => void (context = ctx) })
  await ref.ask('go')
  await system.stop(ref)
  const child = context!.spawn({ receive: () => undefined, onStop: () => void (stopped = true) })
  const outcome = await child.then(
    () => 'spawned',
    (error: unknown) => (error as { name: string }).name,
  )
  await system.shutdown()
  expect(outcome === 'ActorStoppedError' || stopped).toBe(true)
})

test('stopping a busy actor leaves no timer behind', async () => {
  const time = manualTime()
  const system = await startSystem()
  const release = gate()
  const ref = await system.spawn({ receive: () => release.opened })
  await ref.tell('go')
  await turn()
  const before = time.pending
  const stopped = system.stop(ref)
  release.open()
  await stopped
  expect(time.pending).toBe(before)
})

test('a stream in an ask that expired unread is cancelled: its writer does not wait for ever', async () => {
  const time = manualTime()
  const system = await startSystem()
  const release = gate()
  const ref = await system.spawn({ receive: () => release.opened })
  await ref.tell('busy')
  const [message, writer] = StreamMessage.create('items', 1)
  const reply = ref.ask(message, { timeout: 50 })
  reply.catch(() => undefined)
  await writer.write(1)
  const blocked = writer.write(2)
  blocked.catch(() => undefined)
  await time.advance(50)
  await expect(reply).rejects.toMatchObject({ code: 'timeout' })
  release.open()
  await turn()
  expect(await stateOf(blocked)).toBe('rejected')
  expect(writer.signal.aborted).toBe(true)
})

test('a stream in an ask given up before it was sent is cancelled', async () => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: () => undefined })
  const [message, writer] = StreamMessage.create('items', 1)
  await expect(ref.ask(message, { signal: AbortSignal.abort(new Error('given up')) })).rejects.toThrow('given up')
  await writer.write(1).catch(() => undefined)
  await expect(Promise.race([writer.write(2), turn().then(() => 'still waiting')])).rejects.toMatchObject({
    code: 'stream_closed',
  })
})

test('a handler that throws before it reads a request stream leaves no writer waiting', async () => {
  const system = await startSystem()
  const ref = await system.spawn({
    receive: () => {
      throw new TypeError('not this one')
    },
  })
  const [message, writer] = StreamMessage.create('items', 1)
  await expect(ref.ask(message)).rejects.toThrow('not this one')
  await writer.write(1).catch(() => undefined)
  await expect(Promise.race([writer.write(2), turn().then(() => 'still waiting')])).rejects.toMatchObject({
    code: 'stream_closed',
  })
})

test('a stream given in answer to a tell is cancelled: nobody reads it', async () => {
  const system = await startSystem()
  const done = gate<unknown>()
  const ref = await system.spawn({
    receive: () => {
      const [reply, writer] = StreamMessage.create<number>('items', 1)
      void (async () => {
        for (let i = 0; ; i++) await writer.write(i)
      })().catch((error: unknown) => done.open(error))
      return reply
    },
  })
  await ref.tell('go')
  expect(
    await Promise.race([
      done.opened,
      turn()
        .then(turn)
        .then(() => 'still writing'),
    ]),
  ).toMatchObject({
    code: 'stream_closed',
  })
})

test('an actor can answer with a proxy or hand one to a third actor', async () => {
  const system = await startSystem()
  const target: ActorRef = await system.spawn({ receive: () => 'reached' })
  const ref = await system.spawn({ receive: () => ({ inner: target.asAny(), bare: target.asAny() }) })
  const bare = await system.spawn({ receive: () => target.asAny() })
  expect(await ref.ask<{ inner: { ref: ActorRef } }>('go').then(({ inner }) => inner.ref.ask(1))).toBe('reached')
  const proxy = await bare.ask<{ ref: ActorRef }>('go')
  expect(await proxy.ref.ask(1)).toBe('reached')
})

test('a web stream that is in use already rejects the ask as any wrong result does', async () => {
  const system = await startSystem()
  const stream = new ReadableStream()
  stream.getReader()
  const ref = await system.spawn({ receive: () => stream })
  await expect(ref.ask('go')).rejects.toMatchObject({ name: 'PulsingBusinessError' })
})

test('an actor that awaits its own stop in a handler is not stuck', async () => {
  const time = manualTime()
  const system = await startSystem()
  const ref = await system.spawn({
    receive: async (_msg, ctx) => {
      await Promise.race([system.stop(ctx.self), turn()])
      return 'done'
    },
  })
  expect(await ref.ask('go')).toBe('done')
  await time.advance(0)
  await expect(ref.ask('again')).rejects.toMatchObject({ code: 'actor_stopped' })
})

test('items reach the consumer of a generator beside later messages', async () => {
  const system = await startSystem()
  const ref = await system.spawn({
    receive: async function* () {
      yield 1
      yield 2
    },
  })
  const [one, two] = [ref.askStream<number>('a'), ref.askStream<number>('b')]
  expect(await collect(two)).toEqual([1, 2])
  expect(await collect(one)).toEqual([1, 2])
})

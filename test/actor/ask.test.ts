/** Asking: what goes out, what comes back, and how long it may take. */
import { DEFAULT_ASK_TIMEOUT_MS, Message, StreamMessage } from 'pulsing'
import { expect, test } from 'vitest'
import { gate, manualTime, startSystem, stateOf, turn } from './systems.ts'

test('an ask waits 30 seconds unless told otherwise', () => {
  expect(DEFAULT_ASK_TIMEOUT_MS).toBe(30_000)
})

test('the default timeout rejects with the operation, the duration and the address', async () => {
  const time = manualTime()
  const system = await startSystem()
  const ref = await system.spawn({
    receive: (_msg, ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)),
  })
  const reply = ref.ask('go')
  const outcome = expect(reply).rejects.toMatchObject({
    name: 'PulsingTimeoutError',
    code: 'timeout',
    durationMs: DEFAULT_ASK_TIMEOUT_MS,
    address: String(ref),
  })
  await time.advance(DEFAULT_ASK_TIMEOUT_MS - 1)
  expect(await stateOf(reply)).toBe('pending')
  await time.advance(1)
  await outcome
})

test('a timeout of its own is kept to the millisecond', async () => {
  const time = manualTime()
  const system = await startSystem()
  const ref = await system.spawn({
    receive: (_msg, ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)),
  })
  const reply = ref.ask('go', { timeout: 250 })
  const outcome = expect(reply).rejects.toMatchObject({ code: 'timeout', durationMs: 250 })
  await time.advance(249)
  expect(await stateOf(reply)).toBe('pending')
  await time.advance(1)
  await outcome
})

test('an ask with timeout Infinity waits for as long as it takes, and holds no timer', async () => {
  const time = manualTime()
  const system = await startSystem()
  const release = gate<string>()
  const ref = await system.spawn({ receive: () => release.opened })
  const reply = ref.ask('go', { timeout: Infinity })
  expect(time.pending).toBe(0)
  await time.advance(1_000_000_000)
  expect(await stateOf(reply)).toBe('pending')
  release.open('at last')
  expect(await reply).toBe('at last')
})

test.each([0, -1, Number.NaN, '5', null])(
  'a timeout of %s is refused by a rejection with ConfigError',
  async (timeout) => {
    const system = await startSystem()
    const ref = await system.spawn({ receive: () => 'handled' })
    let reply: Promise<unknown> | undefined
    expect(() => {
      reply = ref.ask('go', { timeout: timeout as number })
    }).not.toThrow()
    await expect(reply).rejects.toMatchObject({ name: 'ConfigError', code: 'invalid_config' })
  },
)

test('a stream message is still unsent after its ask was refused for a wrong option', async () => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: (msg) => msg })
  const [message, writer] = StreamMessage.create<number>('n')
  await expect((async () => ref.ask(message, { timeout: -1 }))()).rejects.toMatchObject({ code: 'invalid_config' })
  const echoed = await ref.ask(message)
  await writer.write(1)
  expect(await echoed.streamReader().next()).toEqual({ done: false, value: 1 })
})

test('a message whose ask timed out in the mailbox never reaches the handler', async () => {
  const time = manualTime()
  const system = await startSystem()
  const release = gate()
  const handled: unknown[] = []
  const ref = await system.spawn({
    receive: async (msg) => {
      handled.push(msg.toObject())
      await release.opened
    },
  })
  const first = ref.ask('first', { timeout: Infinity })
  const second = ref.ask('second', { timeout: 10 })
  const third = ref.ask('third', { timeout: Infinity })
  const outcome = expect(second).rejects.toMatchObject({ code: 'timeout' })
  await turn()
  await time.advance(10)
  await outcome
  release.open()
  await Promise.all([first, third])
  expect(handled).toEqual(['first', 'third'])
})

test('a message whose ask was aborted in the mailbox never reaches the handler', async () => {
  const system = await startSystem()
  const release = gate()
  const handled: unknown[] = []
  const ref = await system.spawn({
    receive: async (msg) => {
      handled.push(msg.toObject())
      await release.opened
    },
  })
  const controller = new AbortController()
  const first = ref.ask('first')
  const second = ref.ask('second', { signal: controller.signal })
  await turn()
  controller.abort(new Error('changed my mind'))
  await expect(second).rejects.toThrow('changed my mind')
  release.open()
  await first
  await ref.ask('third')
  expect(handled).toEqual(['first', 'third'])
})

test('the handler’s signal aborts when the ask times out', async () => {
  const time = manualTime()
  const system = await startSystem()
  const aborted = gate<unknown>()
  const ref = await system.spawn({
    receive: async (_msg, ctx) => {
      expect(ctx.signal.aborted).toBe(false)
      await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
      aborted.open(ctx.signal.reason)
    },
  })
  const reply = expect(ref.ask('go', { timeout: 20 })).rejects.toMatchObject({ code: 'timeout' })
  await turn()
  await time.advance(20)
  await reply
  expect(await aborted.opened).toMatchObject({ code: 'timeout' })
})

test('the handler’s signal aborts with the caller’s reason', async () => {
  const system = await startSystem()
  const started = gate()
  const aborted = gate<unknown>()
  const ref = await system.spawn({
    receive: async (_msg, ctx) => {
      ctx.signal.addEventListener('abort', () => aborted.open(ctx.signal.reason))
      started.open()
      await aborted.opened
    },
  })
  const controller = new AbortController()
  const reply = ref.ask('go', { signal: controller.signal })
  await started.opened
  const reason = new Error('not needed')
  controller.abort(reason)
  await expect(reply).rejects.toBe(reason)
  expect(await aborted.opened).toBe(reason)
})

test('an ask with a signal that is aborted already rejects with its reason and is never handled', async () => {
  const system = await startSystem()
  const handled: unknown[] = []
  const ref = await system.spawn({ receive: (msg) => void handled.push(msg.toObject()) })
  const reason = new Error('too late')
  await expect(ref.ask('go', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  await ref.ask('after')
  expect(handled).toEqual(['after'])
})

test('a settled ask leaves no listener on its signal', async () => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: () => 'ok' })
  const { signal } = new AbortController()
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<AbortSignal['addEventListener']>) => {
    listeners++
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<AbortSignal['removeEventListener']>) => {
    listeners--
    remove(...args)
  }
  await ref.ask('go', { signal })
  expect(listeners).toBe(0)
})

test('an actor that answers after the caller gave up goes on with the next message', async () => {
  const system = await startSystem()
  const started = gate()
  const release = gate()
  const ref = await system.spawn({
    receive: async (msg) => {
      started.open()
      await release.opened
      return msg.toObject()
    },
  })
  const controller = new AbortController()
  const reply = ref.ask('first', { signal: controller.signal })
  await started.opened
  controller.abort(new Error('bye'))
  await expect(reply).rejects.toThrow('bye')
  release.open()
  expect(await ref.ask('second')).toBe('second')
})

test('an actor that asks itself by its ref, and lets go, is answered in its turn', async () => {
  const system = await startSystem()
  const log: string[] = []
  const ref = await system.spawn({
    receive: (msg, ctx) => {
      const step = msg.toObject<string>()
      log.push(step)
      if (step === 'first') void ctx.self.ask('third').then((answer) => log.push(answer as string))
      return `answer to ${step}`
    },
  })
  await Promise.all([ref.ask('first'), ref.ask('second')])
  await turn()
  expect(log).toEqual(['first', 'second', 'third', 'answer to third'])
})

test('a reply that is a stream and comes too late is cancelled', async () => {
  const system = await startSystem()
  const started = gate()
  const release = gate()
  const [reply, writer] = StreamMessage.create('late')
  const ref = await system.spawn({
    receive: async () => {
      started.open()
      await release.opened
      return reply
    },
  })
  const controller = new AbortController()
  const asked = ref.ask(Message.empty(), { signal: controller.signal })
  await started.opened
  controller.abort(new Error('gone'))
  await expect(asked).rejects.toThrow('gone')
  release.open()
  await turn()
  expect(writer.signal.aborted).toBe(true)
  await expect(writer.write(1)).rejects.toMatchObject({ code: 'stream_closed' })
})

/** Promises told to actors: what arrives, in whose name, and what becomes of it when nobody is left. */
import { type ActorContext, type ActorRef, Message, SystemConfig } from 'pulsing'
import { type Piped, type PipeOptions, pipeTo, pipeToSelf } from 'pulsing/patterns'
import { expect, onTestFinished, test } from 'vitest'
import { gate, startSystem, turn } from '../actor/systems.ts'

interface Received {
  readonly msg: Message
  readonly sender: ActorRef | undefined
}

async function listener() {
  const system = await startSystem()
  const received: Received[] = []
  const ref = await system.spawn({ receive: (msg, ctx) => void received.push({ msg, sender: ctx.sender }) })
  return { system, ref, values: () => received.map(({ msg }) => msg.toObject()), received }
}

/** Fails the test for any rejection nobody handled until it ends. */
function expectNoUnhandledRejection(): void {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(async () => {
    await turn()
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })
}

test('pipeTo tells the value or the error of a promise, when there is one', async () => {
  const { ref, values } = await listener()
  const value = gate<number>()
  const error = new Error('away')
  const told = pipeTo(value.opened, ref)
  await turn()
  expect(values()).toEqual([])
  value.open(42)
  await told
  await pipeTo(Promise.reject(error), ref)
  await turn()
  expect(values()).toEqual([
    { ok: true, value: 42 },
    { ok: false, error },
  ])
  expect((values()[1] as { error: unknown }).error).toBe(error)
})

test('map makes another message of an outcome, mapError another error', async () => {
  const { ref, received } = await listener()
  const options: PipeOptions<string> = {
    map: (outcome) => Message.fromObject('page', outcome.ok ? outcome.value : String(outcome.error)),
    mapError: (error) => `no page: ${(error as Error).message}`,
  }
  await pipeTo(Promise.resolve('text'), ref, options)
  await pipeTo(Promise.reject(new Error('404')), ref, options)
  await turn()
  expect(received.map(({ msg }) => [msg.msgType, msg.toObject()])).toEqual([
    ['page', 'text'],
    ['page', 'no page: 404'],
  ])
})

test('what map or mapError throws is told as an error', async () => {
  expectNoUnhandledRejection()
  const { ref, values } = await listener()
  const mistake = new Error('a bug in map')
  const fail = (): never => {
    throw mistake
  }
  await pipeTo(Promise.resolve(1), ref, { map: fail })
  await pipeTo(Promise.reject(new Error('away')), ref, { mapError: fail })
  await turn()
  expect(values()).toEqual([
    { ok: false, error: mistake },
    { ok: false, error: mistake },
  ])
})

test('the sender is nobody, or who was said', async () => {
  const { system, ref, received } = await listener()
  const sender = await system.spawn({ receive: () => undefined })
  await pipeTo(Promise.resolve(1), ref)
  await pipeTo(Promise.resolve(2), ref, { sender })
  await turn()
  expect(received.map((each) => each.sender?.id)).toEqual([undefined, sender.id])
})

test('a message that is refused rejects for who looks, and is unhandled for nobody', async () => {
  expectNoUnhandledRejection()
  const system = await startSystem()
  const busy = gate()
  const ref = await system.spawn({ receive: () => busy.opened }, { mailbox: { capacity: 16, overflow: 'fail' } })
  const tells = Array.from({ length: 20 }, (_, i) => pipeTo(Promise.resolve(i), ref))
  const results = await Promise.allSettled(tells)
  const refused: unknown[] = []
  system.on('deadLetter', ({ reason }) => refused.push(reason))
  for (let i = 0; i < 5; i++) void pipeTo(Promise.resolve('nobody looks'), ref)
  await turn()
  expect(refused.length).toBeGreaterThan(0)
  expect(results.filter(({ status }) => status === 'rejected')).not.toEqual([])
  expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'actor_mailbox_full' } })
  busy.open()
})

test('pipeToSelf lets the handler go on, and tells the outcome in turn, with the actor itself as sender', async () => {
  const system = await startSystem()
  const value = gate<string>()
  const log: string[] = []
  const done = gate()
  const ref = await system.spawn({
    receive(msg: Message, ctx: ActorContext) {
      if (ctx.sender?.id === ctx.self.id) {
        const outcome = msg.toObject<Piped<string>>()
        log.push(outcome.ok ? outcome.value : 'failed')
        done.open()
      } else {
        log.push(msg.toObject<string>())
        if (log.length === 1) pipeToSelf(ctx, value.opened)
      }
    },
  })
  await ref.ask('first')
  await ref.ask('second')
  value.open('piped')
  await done.opened
  expect(log).toEqual(['first', 'second', 'piped'])
})

test('pipeToSelf takes a map for both outcomes', async () => {
  const system = await startSystem()
  const told: unknown[] = []
  const both = gate()
  const ref = await system.spawn({
    receive(msg: Message, ctx: ActorContext) {
      if (msg.msgType === 'outcome') {
        if (told.push(msg.toObject()) === 2) both.open()
        return
      }
      const map = ({ ok }: Piped<number>): Message => Message.fromObject('outcome', ok)
      pipeToSelf(ctx, Promise.resolve(1), map)
      pipeToSelf(ctx, Promise.reject(new Error('away')), map)
    },
  })
  await ref.ask('go')
  await both.opened
  expect(told.sort()).toEqual([false, true])
})

test('what is piped to an actor that has stopped is a dead letter', async () => {
  expectNoUnhandledRejection()
  const system = await startSystem(SystemConfig.standalone())
  const dead: unknown[] = []
  const value = gate<number>()
  const lost = new Promise<void>((resolve) => {
    system.on('deadLetter', ({ recipient, reason }) => {
      dead.push([recipient, reason])
      resolve()
    })
  })
  const ref = await system.spawn({ receive: (_msg, ctx) => pipeToSelf(ctx, value.opened) })
  await ref.ask('go')
  await system.stop(ref)
  value.open(1)
  await lost
  expect(dead).toEqual([[String(ref), 'actor_stopped']])
})

/** Whose turn it is: one message at a time, in order, and nobody starves. */
import { type ActorRef, Message } from 'pulsing'
import { expect, test } from 'vitest'
import { gate, startSystem, turn } from './systems.ts'

test('one message is handled at a time, also while an async handler waits', async () => {
  const system = await startSystem()
  const log: string[] = []
  const ref = await system.spawn({
    receive: async (msg) => {
      const n = msg.toObject<number>()
      log.push(`begin ${n}`)
      await turn()
      log.push(`end ${n}`)
    },
  })
  await Promise.all([1, 2, 3].map((n) => ref.ask(n)))
  expect(log).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3'])
})

test('asks and tells from one sender are handled in the order they were sent', async () => {
  const system = await startSystem()
  const handled: unknown[] = []
  const ref = await system.spawn({ receive: (msg) => void handled.push(msg.toObject()) })
  const sent: Promise<unknown>[] = []
  for (let i = 0; i < 200; i++)
    sent.push(i % 3 === 0 ? ref.ask(i) : i % 3 === 1 ? ref.tell(i) : ref.ask(Message.fromObject('', i)))
  await Promise.all(sent)
  await ref.ask('end')
  expect(handled).toEqual([...Array.from({ length: 200 }, (_, i) => i), 'end'])
})

test('sync and async handlers mixed keep the order', async () => {
  const system = await startSystem()
  const handled: number[] = []
  const ref = await system.spawn({
    receive: (msg) => {
      const n = msg.toObject<number>()
      if (n % 2) return void handled.push(n)
      return turn().then(() => void handled.push(n))
    },
  })
  await Promise.all(Array.from({ length: 60 }, (_, i) => ref.ask(i)))
  expect(handled).toEqual(Array.from({ length: 60 }, (_, i) => i))
})

test('an actor that waits does not hold up another', async () => {
  const system = await startSystem()
  const release = gate<string>()
  const stuck = await system.spawn({ receive: () => release.opened })
  const free = await system.spawn({ receive: () => 'free' })
  const waiting = stuck.ask('go')
  expect(await free.ask('go')).toBe('free')
  release.open('released')
  expect(await waiting).toBe('released')
})

test('two actors that tell each other for ever starve neither the event loop nor a third actor', async () => {
  const system = await startSystem()
  let bounces = 0
  const make = () =>
    system.spawn({
      receive: (msg, ctx) => {
        bounces++
        void ctx.tell(msg.toObject<ActorRef>(), ctx.self)
      },
    })
  const [a, b] = [await make(), await make()]
  await a.tell(b)
  const other = await system.spawn({ receive: () => 'served' })
  await turn()
  expect(await other.ask('go')).toBe('served')
  await turn()
  expect(bounces).toBeGreaterThan(100)
  await Promise.all([system.stop(a), system.stop(b)])
})

test('an actor with a thousand messages waiting lets another run long before its last', async () => {
  const system = await startSystem()
  let handled = 0
  const busy = await system.spawn({ receive: () => void handled++ }, { mailbox: { capacity: 1000 } })
  const quick = await system.spawn({ receive: () => handled })
  for (let i = 0; i < 1000; i++) void busy.tell(i)
  expect(await quick.ask('how many?')).toBeLessThan(100)
})

test('a handler starts after the sender’s own turn, never inside ask or tell', async () => {
  const system = await startSystem()
  const log: string[] = []
  const ref = await system.spawn({ receive: () => void log.push('handled') })
  const asked = ref.ask('go')
  void ref.tell('go')
  log.push('sent')
  await asked
  await turn()
  expect(log).toEqual(['sent', 'handled', 'handled'])
})

test('a message told to itself comes after those that wait already', async () => {
  const system = await startSystem()
  const log: unknown[] = []
  const done = gate()
  const ref = await system.spawn({
    receive: (msg, ctx) => {
      log.push(msg.toObject())
      if (msg.toObject() === 1) void ctx.self.tell(3)
      if (msg.toObject() === 3) done.open()
    },
  })
  await Promise.all([ref.tell(1), ref.tell(2)])
  await done.opened
  expect(log).toEqual([1, 2, 3])
})

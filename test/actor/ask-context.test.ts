/** What the handler of an ask sees of it: its deadline and its sender, and how both bind the asks it makes itself. */
import { type ActorContext, type ActorRef, Message } from 'pulsing'
import { expect, test } from 'vitest'
import { gate, manualTime, startSystem } from './systems.ts'

test('ctx.deadline is when the caller stops waiting, and undefined for a tell and for an endless ask', async () => {
  const time = manualTime()
  const system = await startSystem()
  const deadlines: (number | undefined)[] = []
  const ref = await system.spawn({ receive: (_msg, ctx) => void deadlines.push(ctx.deadline) })
  await time.advance(1000)
  const now = performance.now()
  await ref.ask('a', { timeout: 40 })
  await ref.ask('b', { timeout: Infinity })
  await ref.tell('c')
  await ref.ask('d', { timeout: 50 })
  expect(deadlines).toEqual([now + 40, undefined, undefined, now + 50])
})

test('ctx.ask and ctx.tell show the actor as sender; asks from outside have none', async () => {
  const system = await startSystem()
  const senders: (ActorRef | undefined)[] = []
  const inner = await system.spawn({ receive: (_msg, ctx) => void senders.push(ctx.sender) })
  const outer = await system.spawn({
    receive: async (_msg, ctx: ActorContext) => {
      await ctx.ask(inner, 'ask')
      await ctx.ask(inner, Message.empty())
      await ctx.tell(inner, 'tell')
    },
  })
  await outer.ask('go')
  await inner.ask('from outside')
  expect(senders.map((sender) => sender?.id)).toEqual([outer.id, outer.id, outer.id, undefined])
})

test('ctx.ask ends no later than the ask it is made for', async () => {
  const time = manualTime()
  const system = await startSystem()
  const deadlines: (number | undefined)[] = []
  const inner = await system.spawn({ receive: (_msg, ctx) => void deadlines.push(ctx.deadline) })
  const outer = await system.spawn({
    receive: async (_msg, ctx) => {
      await ctx.ask(inner, 'bounded')
      await ctx.ask(inner, 'shorter', { timeout: 10 })
    },
  })
  await time.advance(500)
  const now = performance.now()
  await outer.ask('go', { timeout: 100 })
  expect(deadlines).toEqual([now + 100, now + 10])
})

test('ctx.deadline stays what it was when it has passed, and asks made under it then fail', async () => {
  const time = manualTime()
  const system = await startSystem()
  const done = gate<unknown[]>()
  const inner = await system.spawn({ receive: () => 'too late' })
  const outer = await system.spawn({
    receive: async (_msg, ctx) => {
      const before = ctx.deadline
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
      const asked = await ctx.ask(inner, 'go').catch((error: { code: string }) => error.code)
      done.open([before === ctx.deadline, asked])
    },
  })
  const reply = expect(outer.ask('go', { timeout: 20 })).rejects.toMatchObject({ code: 'timeout' })
  await time.advance(20)
  await reply
  await time.advance(20)
  expect(await done.opened).toEqual([true, 'timeout'])
})

/** What a handler can do with its context: children, timers, changes of behaviour, messages set aside. */
import { type ActorContext, type ActorRef, type Cancellable, Message } from 'pulsing'
import { expect, test } from 'vitest'
import { gate, manualTime, startSystem, stateOf, turn } from './systems.ts'

test('self is the actor’s own ref and system its system', async () => {
  const system = await startSystem()
  const seen: [ActorRef, unknown][] = []
  const ref = await system.spawn({
    onStart: (ctx) => void seen.push([ctx.self, ctx.system]),
    receive: (_msg, ctx) => void seen.push([ctx.self, ctx.system]),
    onStop: (ctx) => void seen.push([ctx.self, ctx.system]),
  })
  await ref.ask('go')
  await system.stop(ref)
  expect(seen.length).toBe(3)
  for (const [self, own] of seen) {
    expect(self.id).toBe(ref.id)
    expect(own).toBe(system)
  }
})

test('a child has a name like any other actor and can outlive the message, not the parent', async () => {
  const system = await startSystem()
  const parent = await system.spawn({ receive: (_msg, ctx) => ctx.spawn({ receive: () => 'child here' }, 'kid') })
  const child = await parent.ask<ActorRef>('spawn')
  expect(await (await system.resolve('kid')).ask('go')).toBe('child here')
  await system.stop(parent)
  await expect(child.ask('go')).rejects.toMatchObject({ code: 'actor_stopped' })
})

test('a child that stops by itself leaves its parent running', async () => {
  const system = await startSystem()
  const parent = await system.spawn({
    receive: (msg, ctx) =>
      msg.toObject() === 'spawn' ? ctx.spawn({ receive: (_m, own) => own.stop() }) : 'parent here',
  })
  const child = await parent.ask<ActorRef>('spawn')
  await child.ask('stop')
  await expect(child.ask('gone?')).rejects.toMatchObject({ code: 'actor_stopped' })
  expect(await parent.ask('there?')).toBe('parent here')
})

test('a scheduled message arrives after the delay, in its place among the others, with no sender', async () => {
  const time = manualTime()
  const system = await startSystem()
  const log: unknown[] = []
  const ref = await system.spawn({
    receive: (msg, ctx) => {
      log.push(msg.toObject())
      if (msg.toObject() === 'start') ctx.schedule(100, Message.fromObject('tick', 'tick'))
    },
  })
  await ref.ask('start')
  await time.advance(99)
  await ref.ask('before')
  await time.advance(1)
  await ref.ask('after')
  expect(log).toEqual(['start', 'before', 'tick', 'after'])
})

test('a cancelled schedule sends nothing; cancelling twice or too late does nothing', async () => {
  const time = manualTime()
  const system = await startSystem()
  const log: unknown[] = []
  const timers: Cancellable[] = []
  const ref = await system.spawn({
    receive: (msg, ctx) => {
      log.push(msg.toObject())
      if (msg.toObject() === 'start') timers.push(ctx.schedule(10, 'never'), ctx.schedule(20, 'tick'))
    },
  })
  await ref.ask('start')
  timers[0]!.cancel()
  timers[0]!.cancel()
  await time.advance(20)
  timers[1]!.cancel()
  await ref.ask('end')
  expect(log).toEqual(['start', 'tick', 'end'])
})

test('scheduled messages are dropped when the actor stops first, and hold no timer', async () => {
  const time = manualTime()
  const system = await startSystem()
  const ref = await system.spawn({ receive: (_msg, ctx) => void ctx.schedule(1000, 'late') })
  let dead = 0
  system.on('deadLetter', () => dead++)
  await ref.ask('start')
  await system.stop(ref)
  const before = time.pending
  await time.advance(1000)
  expect(dead).toBe(0)
  expect(before).toBe(1) // the queue of the ask's own deadline, nothing of the schedule's
})

test('a schedule longer than a platform timer holds does not come early', async () => {
  const time = manualTime()
  const system = await startSystem()
  const log: unknown[] = []
  const days = 24 * 60 * 60 * 1000
  const ref = await system.spawn({
    receive: (msg, ctx) =>
      msg.toObject() === 'start' ? void ctx.schedule(30 * days, 'late') : void log.push(msg.toObject()),
  })
  await ref.ask('start')
  await time.advance(29 * days)
  expect(log).toEqual([])
  await time.advance(days)
  expect(log).toEqual(['late'])
})

test('become handles later messages with another function until unbecome', async () => {
  const system = await startSystem()
  const ref = await system.spawn({
    receive: (msg, ctx) => {
      if (msg.toObject() === 'change')
        ctx.become((inner, own) => {
          if (inner.toObject() === 'back') own.unbecome()
          return `changed ${inner.toObject<string>()}`
        })
      return `first ${msg.toObject<string>()}`
    },
  })
  const answers: unknown[] = []
  for (const message of ['a', 'change', 'b', 'back', 'c']) answers.push(await ref.ask(message))
  expect(answers).toEqual(['first a', 'first change', 'changed b', 'changed back', 'first c'])
})

test('stashed asks wait and are answered, in order, after unstashAll and before anything that arrived later', async () => {
  const system = await startSystem()
  const log: string[] = []
  let isOpen = false
  const ref = await system.spawn({
    receive: (msg, ctx) => {
      const name = msg.toObject<string>()
      if (name === 'open') {
        isOpen = true
        ctx.unstashAll()
      } else if (!isOpen) return ctx.stash()
      log.push(name)
      return `${name} answered`
    },
  })
  const early = ['a', 'b', 'c'].map((name) => ref.ask<string>(name))
  await turn()
  expect(await Promise.all(early.map(stateOf))).toEqual(['pending', 'pending', 'pending'])
  const opened = ref.ask('open')
  const late = ref.ask('d')
  expect(await Promise.all(early)).toEqual(['a answered', 'b answered', 'c answered'])
  await Promise.all([opened, late])
  expect(log).toEqual(['open', 'a', 'b', 'c', 'd'])
})

test('the result of a handler that stashed its message is not the answer', async () => {
  const system = await startSystem()
  let isOpen = false
  const ref = await system.spawn({
    receive: async (msg, ctx) => {
      if (msg.toObject() === 'open') {
        isOpen = true
        ctx.unstashAll()
        return 'opened'
      }
      await turn()
      if (isOpen) return 'real answer'
      ctx.stash()
      return 'not this'
    },
  })
  const asked = ref.ask('a')
  await ref.ask('open')
  expect(await asked).toBe('real answer')
})

test('a message that is stashed and unstashed in one go is handled again, and answered then', async () => {
  const system = await startSystem()
  let times = 0
  const ref = await system.spawn({
    receive: (_msg, ctx) => {
      if (++times === 1) {
        ctx.stash()
        ctx.unstashAll()
        return 'first time'
      }
      return 'second time'
    },
  })
  expect(await ref.ask('go')).toBe('second time')
  expect(times).toBe(2)
})

test('a stashed ask times out like any other and is not handled afterwards', async () => {
  const time = manualTime()
  const system = await startSystem()
  const handled: unknown[] = []
  const ref = await system.spawn({
    receive: (msg, ctx) => {
      if (msg.toObject() === 'open') return ctx.unstashAll()
      handled.push(msg.toObject())
      if (handled.length === 1) ctx.stash()
    },
  })
  const asked = expect(ref.ask('a', { timeout: 10 })).rejects.toMatchObject({ code: 'timeout' })
  await turn()
  await time.advance(10)
  await asked
  await ref.ask('open')
  expect(handled).toEqual(['a'])
})

test('stashed asks reject with ActorStoppedError when the actor stops', async () => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: (_msg, ctx) => ctx.stash() })
  const asked = expect(ref.ask('a')).rejects.toMatchObject({ code: 'actor_stopped' })
  await turn()
  await system.stop(ref)
  await asked
})

test('stash outside of a message throws', async () => {
  const system = await startSystem()
  const errors: unknown[] = []
  await system.spawn({
    receive: () => undefined,
    onStart: (ctx) => {
      try {
        ctx.stash()
      } catch (error) {
        errors.push(error)
      }
    },
  })
  expect(errors).toMatchObject([{ code: 'unsupported' }])
})

test('the context of onStart and onStop has a signal that aborts when the actor is told to stop', async () => {
  const system = await startSystem()
  let context: ActorContext | undefined
  const stopping = gate<boolean>()
  const ref = await system.spawn({
    receive: () => undefined,
    onStart: (ctx) => void (context = ctx),
    onStop: (ctx) => stopping.open(ctx.signal.aborted),
  })
  const { signal } = context!
  expect(signal.aborted).toBe(false)
  await system.stop(ref)
  expect(signal.aborted).toBe(true)
  expect(await stopping.opened).toBe(true)
})

/** What a handler can do with its context: children, timers, changes of behaviour, messages set aside. */
import {
  type ActorContext,
  type ActorLike,
  type ActorRef,
  type ActorSystem,
  type Cancellable,
  Message,
  MIN_MAILBOX_CAPACITY,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
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

describe('children', () => {
  const idle = { receive: () => undefined }
  const names = (refs: readonly ActorRef[]): (string | undefined)[] => refs.map(({ name }) => name)

  /** An actor that lets the test do something with the context of a message. */
  async function parentOf(system: ActorSystem, hooks: Partial<ActorLike> = {}) {
    const ref = await system.spawn({
      ...hooks,
      receive: (msg, ctx) => msg.toObject<(own: ActorContext) => unknown>()(ctx),
    })
    return { ref, inside: <T>(body: (ctx: ActorContext) => T) => ref.ask<Awaited<T>>(body) }
  }

  test('are those it spawned and that live, in the order they were spawned, and no grandchildren', async () => {
    const system = await startSystem()
    const { inside } = await parentOf(system)
    expect(await inside((ctx) => ctx.children)).toEqual([])
    await inside(async (ctx) => {
      await ctx.spawn(idle, 'c')
      await ctx.spawn({ onStart: async (own) => void (await own.spawn(idle, 'grandchild')), receive: () => 1 }, 'a')
      await ctx.spawn(idle, 'b')
    })
    expect(names(await inside((ctx) => ctx.children))).toEqual(['c', 'a', 'b'])
    await system.stop('a')
    expect(names(await inside((ctx) => ctx.children))).toEqual(['c', 'b'])
    await inside((ctx) => ctx.spawn(idle, 'a'))
    expect(names(await inside((ctx) => ctx.children))).toEqual(['c', 'b', 'a'])
  })

  test('are a list of their own at every look: it does not change, nor does changing it', async () => {
    const system = await startSystem()
    const { inside } = await parentOf(system)
    await inside((ctx) => ctx.spawn(idle, 'a'))
    await inside(async (ctx) => {
      const before = ctx.children
      await ctx.spawn(idle, 'b')
      expect([names(before), names(ctx.children)]).toEqual([['a'], ['a', 'b']])
      ;(before as ActorRef[]).length = 0
      expect(ctx.children.length).toBe(2)
    })
  })

  test('that fail to start are none, and their name is free again', async () => {
    const system = await startSystem()
    const { inside } = await parentOf(system)
    const failing = {
      ...idle,
      onStart: () => {
        throw new RangeError('not today')
      },
    }
    await expect(inside((ctx) => ctx.spawn(failing, 'kid'))).rejects.toMatchObject({ message: 'not today' })
    expect(await inside((ctx) => ctx.children)).toEqual([])
    expect(await inside(async (ctx) => (await ctx.spawn(idle, 'kid')).name)).toBe('kid')
  })

  test('have stopped when their parent’s onStop runs, and it can have no new ones', async () => {
    const system = await startSystem()
    const seen: unknown[] = []
    const { ref, inside } = await parentOf(system, {
      onStart: async (ctx) => void (await ctx.spawn(idle, 'a')),
      onStop: async (ctx) =>
        void seen.push(ctx.children, await ctx.spawn(idle).catch((error: { code: string }) => error.code)),
    })
    expect(names(await inside((ctx) => ctx.children))).toEqual(['a'])
    await system.stop(ref)
    expect(seen).toEqual([[], 'actor_stopped'])
    expect(await system.hasActor('a')).toBe(false)
  })

  test('that stop themselves are gone for their parent’s next message', async () => {
    const system = await startSystem()
    const { inside } = await parentOf(system)
    const kid = await inside((ctx) => ctx.spawn({ receive: (_msg, own) => own.stop() }, 'kid'))
    await kid.ask('go')
    await expect(kid.ask('gone?')).rejects.toMatchObject({ code: 'actor_stopped' })
    expect(await inside((ctx) => ctx.children)).toEqual([])
  })
})

describe('stash', () => {
  const isOpening = (msg: Message): boolean => msg.toObject() === 'open'

  test('takes tells as well, keeps the order of both, and a message stashed twice comes once', async () => {
    const system = await startSystem()
    const log: unknown[] = []
    let isOpen = false
    const ref = await system.spawn({
      receive: (msg, ctx) => {
        if (isOpening(msg)) {
          isOpen = true
          ctx.unstashAll()
        } else if (isOpen) log.push(msg.toObject())
        else {
          ctx.stash()
          ctx.stash()
        }
      },
    })
    await ref.tell(1)
    const asked = ref.ask(2)
    await ref.tell(3)
    await ref.ask('open')
    await asked
    await ref.ask(4)
    expect(log).toEqual([1, 2, 3, 4])
  })

  test('leaves room in the mailbox: what is stashed counts no more, and comes back though the mailbox is full', async () => {
    const system = await startSystem()
    const handled: unknown[] = []
    let isOpen = false
    const ref = await system.spawn(
      {
        receive: (msg, ctx) => {
          if (isOpening(msg)) {
            isOpen = true
            ctx.unstashAll()
          } else if (isOpen) handled.push(msg.toObject())
          else ctx.stash()
        },
      },
      { mailbox: { capacity: MIN_MAILBOX_CAPACITY, overflow: 'fail' } },
    )
    const count = 10 * MIN_MAILBOX_CAPACITY
    for (let n = 0; n < count; n++) {
      await ref.tell(n)
      if (n % MIN_MAILBOX_CAPACITY === MIN_MAILBOX_CAPACITY - 1) await turn()
    }
    await ref.ask('open')
    await ref.ask('last')
    expect(handled).toEqual([...Array.from({ length: count }, (_, n) => n), 'last'])
  })

  test('may be used again by a message that came back, and unstashAll with nothing stashed does nothing', async () => {
    const system = await startSystem()
    const handled: unknown[] = []
    let opened = 0
    const ref = await system.spawn({
      receive: (msg, ctx) => {
        if (isOpening(msg)) {
          opened++
          ctx.unstashAll()
        } else if (opened < 3) ctx.stash()
        else handled.push(msg.toObject())
      },
    })
    await ref.ask('open')
    const asked = ref.ask('patient')
    await ref.ask('open')
    expect(await stateOf(asked)).toBe('pending')
    await ref.ask('open')
    await asked
    expect(handled).toEqual(['patient'])
  })

  test('is a typed error once its message has been handled: it was answered, and does not come twice', async () => {
    const system = await startSystem()
    const handled: unknown[] = []
    let late: ActorContext | undefined
    const ref = await system.spawn({
      receive: (msg, ctx) => {
        handled.push(msg.toObject())
        late ??= ctx
        if (isOpening(msg)) ctx.unstashAll()
      },
    })
    await ref.ask('once')
    expect(() => late!.stash()).toThrow(expect.objectContaining({ code: 'unsupported' }))
    await ref.ask('open')
    expect(handled).toEqual(['once', 'open'])
  })

  test('keeps the sender, the deadline and the signal a message came with', async () => {
    const time = manualTime()
    const system = await startSystem()
    const seen: unknown[] = []
    let isOpen = false
    const ref = await system.spawn({
      receive: (msg, ctx) => {
        if (isOpening(msg)) {
          isOpen = true
          ctx.unstashAll()
          return
        }
        seen.push([ctx.sender?.id, ctx.deadline, ctx.signal])
        if (!isOpen) ctx.stash()
      },
    })
    const asker = await system.spawn({ receive: (_msg, ctx) => ctx.ask(ref, 'look') })
    const asked = asker.ask('go', { timeout: 500 })
    await time.advance(100)
    await ref.ask('open')
    await asked
    const [before, after] = seen as [unknown[], unknown[]]
    expect(before[0]).toBe(asker.id)
    expect(after).toEqual(before)
    expect(after[2]).toBe(before[2])
  })

  test('works in a function set by become as in receive', async () => {
    const system = await startSystem()
    const ref = await system.spawn({
      receive: (msg, ctx) => {
        if (msg.toObject() !== 'close') return `open ${msg.toObject<string>()}`
        ctx.become((inner, own) => {
          if (!isOpening(inner)) return own.stash()
          own.unbecome()
          own.unstashAll()
        })
        return 'closed'
      },
    })
    expect(await ref.ask('close')).toBe('closed')
    const asked = ['a', 'b'].map((name) => ref.ask(name))
    await ref.ask('open')
    expect(await Promise.all(asked)).toEqual(['open a', 'open b'])
  })

  test('is undone by a restart: the new instance gets what the old one set aside', async () => {
    const system = await startSystem()
    let instances = 0
    const ref = await system.spawn(
      () => {
        const instance = ++instances
        return {
          receive: (msg: Message, ctx: ActorContext) => {
            if (msg.toObject() === 'fail') throw new Error('failed')
            if (instance === 1) return ctx.stash()
            return `${instance}: ${msg.toObject<string>()}`
          },
        }
      },
      { restart: { policy: 'on-failure', minBackoffMs: 0 } },
    )
    const asked = ['a', 'b'].map((name) => ref.ask(name))
    await ref.ask('fail').catch(() => undefined)
    expect(await Promise.all(asked)).toEqual(['2: a', '2: b'])
  })
})

describe('become', () => {
  test('takes the last of several functions, and unbecome goes back to receive at once', async () => {
    const system = await startSystem()
    const ref = await system.spawn({
      receive: (_msg, ctx) => {
        ctx.become(() => 'first')
        ctx.become((msg, own) => {
          if (msg.toObject() === 'back') {
            own.become(() => 'never')
            own.unbecome()
          }
          return 'second'
        })
        return 'receive'
      },
    })
    const answers: unknown[] = []
    for (const message of ['a', 'b', 'back', 'c']) answers.push(await ref.ask(message))
    expect(answers).toEqual(['receive', 'second', 'second', 'receive'])
  })

  test('counts in onStart, for the very first message, and ends with a restart', async () => {
    const system = await startSystem()
    let instances = 0
    const ref = await system.spawn(
      () => {
        const isFirst = ++instances === 1
        return {
          onStart: (ctx: ActorContext) => {
            if (!isFirst) return
            ctx.become(() => {
              throw new Error('failed')
            })
          },
          receive: () => 'receive',
        }
      },
      { restart: { policy: 'on-failure', minBackoffMs: 0 } },
    )
    await expect(ref.ask('go')).rejects.toMatchObject({ message: 'failed' })
    expect(await ref.ask('go')).toBe('receive')
  })

  test('changes the next message while an async handler that called it still runs', async () => {
    const system = await startSystem()
    const ref = await system.spawn({
      receive: async (_msg, ctx) => {
        ctx.become(() => 'new')
        await turn()
        return 'old'
      },
    })
    expect(await Promise.all([ref.ask('a'), ref.ask('b')])).toEqual(['old', 'new'])
  })
})

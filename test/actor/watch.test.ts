/** What a watcher is told when a watched actor ends: once, why, by whatever ref it watched, and whatever kind of actor it is. */
import {
  type ActorContext,
  type ActorRef,
  asActor,
  behavior,
  contextOf,
  isPulsingError,
  Message,
  type StopReason,
  type Terminated,
} from 'pulsing'
import { expect, test } from 'vitest'
import { gate, manualTime, startSystem, turn } from './systems.ts'
import { ended, noted, observe, subject, watchersOf } from './watchers.ts'

const ways: [
  StopReason,
  string,
  (ref: ActorRef, system: Awaited<ReturnType<typeof startSystem>>) => Promise<unknown>,
][] = [
  ['normal', 'stops itself', (ref) => ref.tell((ctx: ActorContext) => ctx.stop())],
  ['failed', 'fails and may not be restarted', (ref) => ref.tell('fail')],
  ['failed', 'says that it has failed', (ref) => ref.tell((ctx: ActorContext) => ctx.stop('failed'))],
  ['killed', 'is stopped', (ref, system) => system.stop(ref)],
  ['shutdown', 'stops for a shutdown', (ref) => ref.tell((ctx: ActorContext) => ctx.stop('shutdown'))],
]

test.each(ways)('a watcher is told once that the actor ended with reason %s when it %s', async (reason, _how, end) => {
  const system = await startSystem()
  const watched = await subject(system, { restart: { policy: 'on-failure', maxRestarts: 0 } })
  const { heard } = await observe(system, { watch: [watched] })
  await turn()
  expect(heard).toEqual([])
  await end(watched, system)
  await turn()
  await turn()
  expect(heard).toEqual([ended(watched, reason)])
})

test.each(ways)(
  'watching an actor that ended long ago with reason %s tells so at once, with that reason, when it %s',
  async (reason, _how, end) => {
    const system = await startSystem()
    const watched = await subject(system, { restart: { policy: 'on-failure', maxRestarts: 0 } })
    await end(watched, system)
    await turn()
    const { heard, ctx } = await observe(system, { watch: [watched] })
    await turn()
    expect(heard).toEqual([ended(watched, reason)])
    ctx.watch(watched)
    await turn()
    expect(heard).toEqual([ended(watched, reason), ended(watched, reason)])
  },
)

test('Terminated is a message of its own: no sender, nobody waits for it, and its ref is the actor’s', async () => {
  const system = await startSystem()
  const watched = await system.spawn({ receive: () => undefined }, 'watched')
  const seen = gate<[Message, ActorContext]>()
  await observe(system, { watch: [watched], handle: (msg, ctx) => seen.open([msg, ctx]) })
  await system.stop(watched)
  const [msg, ctx] = await seen.opened
  expect(msg.msgType).toBe('Terminated')
  expect(msg.toObject<Terminated>().ref).toBe(watched)
  expect(msg.toObject<Terminated>().ref.name).toBe('watched')
  expect([ctx.sender, ctx.deadline, ctx.signal.aborted]).toEqual([undefined, undefined, false])
})

test('a parent that watches its child is told of its end; a child that its parent stops for is not', async () => {
  const system = await startSystem()
  const { ref, heard, ctx } = await observe(system)
  const [one, two] = [await ctx.spawn({ receive: (_msg, own) => own.stop() }), await ctx.spawn({ receive: () => 1 })]
  ctx.watch(one)
  ctx.watch(two)
  await one.tell('go')
  await turn()
  expect(heard).toEqual([ended(one, 'normal')])
  await system.stop(ref)
  await turn()
  expect(heard).toEqual([ended(one, 'normal')])
})

test('children stopped with their parent are told of as killed, to others', async () => {
  const system = await startSystem()
  let child: ActorRef | undefined
  const parent = await system.spawn({
    onStart: async (ctx) => void (child = await ctx.spawn({ receive: () => undefined })),
    receive: () => undefined,
  })
  const { heard } = await observe(system, { watch: [child!, parent] })
  await system.stop(parent)
  await turn()
  expect(heard).toEqual([ended(child!, 'killed'), ended(parent, 'killed')])
})

test('a child its parent decided to stop, and a parent whose child escalated, end as failed', async () => {
  const system = await startSystem()
  let children: ActorRef[] = []
  const parent = await system.spawn({
    onStart: async (ctx) => {
      children = [await ctx.spawn(() => failing()), await ctx.spawn(() => failing())]
    },
    onChildFailure: (child) => (child.id === children[0]!.id ? 'stop' : 'escalate'),
    receive: () => undefined,
  })
  const { heard } = await observe(system, { watch: [...children, parent] })
  await children[0]!.tell('fail')
  await turn()
  await children[1]!.tell('fail')
  await turn()
  expect(heard).toEqual([ended(children[0]!, 'failed'), ended(children[1]!, 'failed'), ended(parent, 'failed')])
})

const failing = () => ({
  receive: (): void => {
    throw new RangeError('told to fail')
  },
})

test('an actor whose onStart fails has ended as failed for those it had told of itself', async () => {
  const system = await startSystem()
  const { heard, ctx } = await observe(system)
  let self: ActorRef | undefined
  const spawned = system.spawn({
    onStart: (own) => {
      self = own.self
      ctx.watch(own.self)
      throw new RangeError('no start')
    },
    receive: () => undefined,
  })
  await expect(spawned).rejects.toThrow('no start')
  await turn()
  expect(heard).toEqual([ended(self!, 'failed')])
})

test('an actor that is restarted has not ended; when it may not be restarted again it has', async () => {
  const time = manualTime()
  const system = await startSystem()
  const watched = await subject(system, { restart: { policy: 'on-failure', maxRestarts: 2 } })
  const { heard } = await observe(system, { watch: [watched] })
  for (let i = 0; i < 2; i++) {
    await watched.tell('fail')
    await turn()
    await time.advance(30_000)
    expect(await watched.ask(() => 'again')).toBe('again')
  }
  expect(heard).toEqual([])
  await watched.tell('fail')
  await turn()
  expect(heard).toEqual([ended(watched, 'failed')])
})

test('an actor stopped while it waits to be restarted has ended', async () => {
  manualTime()
  const system = await startSystem()
  const watched = await subject(system, { restart: { policy: 'on-failure' } })
  const { heard } = await observe(system, { watch: [watched] })
  await watched.tell('fail')
  await turn()
  expect(heard).toEqual([])
  await system.stop(watched)
  await turn()
  expect(heard).toEqual([ended(watched, 'killed')])
})

test('Terminated comes after onStop, and after the time an onStop or a handler that never ends is given', async () => {
  const time = manualTime()
  const system = await startSystem()
  const stopping = gate()
  const slow = await system.spawn({ receive: () => undefined, onStop: () => stopping.opened })
  const stuck = await system.spawn({ receive: () => undefined, onStop: () => new Promise(() => undefined) })
  const busy = await system.spawn({ receive: () => new Promise(() => undefined) })
  await busy.tell('go')
  const { heard } = await observe(system, { watch: [slow, stuck, busy] })
  await turn()
  const stopped = Promise.all([slow, stuck, busy].map((ref) => system.stop(ref)))
  await turn()
  expect(heard).toEqual([])
  stopping.open()
  await turn()
  expect(heard).toEqual([ended(slow, 'killed')])
  await time.advance(29_999)
  expect(heard.length).toBe(1)
  await time.advance(1)
  await stopped
  await turn()
  expect(heard.slice(1).sort()).toEqual([ended(stuck, 'killed'), ended(busy, 'killed')].sort())
})

test('watching twice is watching once, by whatever ref', async () => {
  const system = await startSystem()
  const watched = await system.spawn({ receive: () => undefined }, 'watched')
  const { heard, ctx } = await observe(system, { watch: [watched, watched] })
  ctx.watch((await system.find('watched'))!)
  ctx.watch(ctx.bind(watched))
  expect(watchersOf(watched)).toBe(1)
  await system.stop(watched)
  await turn()
  expect(heard).toEqual([ended(watched, 'killed')])
})

test('watching again while the end is on its way changes nothing', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  const release = gate()
  const { ref, heard, ctx } = await observe(system, {
    watch: [watched],
    handle: (msg) => (msg.msgType === '' ? release.opened : undefined),
  })
  await ref.tell('busy')
  await turn()
  await system.stop(watched)
  ctx.watch(watched)
  ctx.watch(watched)
  release.open()
  await turn()
  expect(heard).toEqual(['busy', ended(watched, 'killed')])
})

test('an actor watched again in the handler of its end is told of again', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  let left = 3
  const { heard } = await observe(system, {
    watch: [watched],
    handle: (_msg, ctx) => (left-- > 0 ? ctx.watch(watched) : undefined),
  })
  await system.stop(watched)
  await turn()
  expect(heard).toEqual(Array.from({ length: 4 }, () => ended(watched, 'killed')))
})

test('watching a dead actor again for ever starves nobody', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  await system.stop(watched)
  let times = 0
  const { ref } = await observe(system, {
    watch: [watched],
    handle: (msg, ctx) => {
      if (msg.msgType === '') return 'served'
      times++
      return ctx.watch(watched)
    },
  })
  expect(await ref.ask('go')).toBe('served')
  await turn()
  await turn()
  expect(times).toBeGreaterThan(10)
  await system.stop(ref)
})

test('an actor that is told of an end while it starts handles that after onStart', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  const log: unknown[] = []
  const going = gate()
  await system.spawn({
    onStart: async (ctx) => {
      ctx.watch(watched)
      await system.stop(watched)
      await turn()
      log.push('started')
    },
    receive: (msg) => {
      log.push(noted(msg))
      going.open()
    },
  })
  await going.opened
  expect(log).toEqual(['started', ended(watched, 'killed')])
})

test('a Terminated can be stashed like any message, and is handled again, once', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  let isOpen = false
  const { ref, heard } = await observe(system, {
    watch: [watched],
    handle: (msg, ctx) => {
      if (msg.msgType === 'Terminated' && !isOpen) return ctx.stash()
      if (msg.msgType === '') ctx.unstashAll()
    },
  })
  await system.stop(watched)
  await turn()
  isOpen = true
  await ref.ask('open')
  await turn()
  expect(heard).toEqual([ended(watched, 'killed'), 'open', ended(watched, 'killed')])
})

test('a handler that throws at a Terminated is reported; it is not told of that end again, but of the next', async () => {
  const system = await startSystem()
  const [one, two] = [await subject(system), await subject(system)]
  const failures: string[] = []
  system.on('actorFailed', ({ error }) => failures.push(error.message))
  const { heard } = await observe(system, {
    watch: [one, two],
    handle: () => {
      throw new RangeError('unprepared')
    },
  })
  await system.stop(one)
  await system.stop(two)
  await turn()
  expect(heard).toEqual([ended(one, 'killed'), ended(two, 'killed')])
  expect(failures).toEqual(['unprepared', 'unprepared'])
})

test('a reentrant actor is told while a handler of its waits', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  const release = gate()
  const { ref, heard } = await observe(system, {
    watch: [watched],
    reentrant: true,
    handle: (msg) => (msg.msgType === '' ? release.opened : undefined),
  })
  await ref.tell('waits')
  await turn()
  await system.stop(watched)
  await turn()
  expect(heard).toEqual(['waits', ended(watched, 'killed')])
  release.open()
})

test('two actors that watch each other are each told of the other’s end', async () => {
  const system = await startSystem()
  const one = await observe(system)
  const two = await observe(system, { watch: [one.ref], handle: (_msg, ctx) => ctx.stop() })
  one.ctx.watch(two.ref)
  await system.stop(one.ref)
  await turn()
  expect(two.heard).toEqual([ended(one.ref, 'killed')])
  expect(one.heard).toEqual([])
  const late = await observe(system, { watch: [two.ref] })
  await turn()
  expect(late.heard).toEqual([ended(two.ref, 'normal')])
})

test('a thousand watchers of one actor are told once each, in the order they began to watch', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  const order: number[] = []
  for (let i = 0; i < 1000; i++) await observe(system, { watch: [watched], handle: () => void order.push(i) })
  expect(watchersOf(watched)).toBe(1000)
  await system.stop(watched)
  for (let turns = 0; turns < 100; turns++) await turn()
  expect(order).toEqual(Array.from({ length: 1000 }, (_, i) => i))
})

test('one watcher of a thousand actors is told of each once, whatever its mailbox holds', async () => {
  const system = await startSystem()
  const watched = await Promise.all(Array.from({ length: 1000 }, () => subject(system)))
  const { heard } = await observe(system, { watch: watched, mailbox: { capacity: 16, overflow: 'drop-newest' } })
  let dead = 0
  system.on('deadLetter', () => dead++)
  await Promise.all(watched.map((ref) => system.stop(ref)))
  for (let turns = 0; turns < 100; turns++) await turn()
  expect(heard).toEqual(watched.map((ref) => ended(ref, 'killed')))
  expect(dead).toBe(0)
})

test('watching oneself is a ConfigError, and nothing is watched', async () => {
  const system = await startSystem()
  const errors: unknown[] = []
  const { ref } = await observe(system, {
    handle: (_msg, ctx) => {
      for (const self of [ctx.self, ctx.bind(ctx.self)]) {
        try {
          ctx.watch(self)
        } catch (error) {
          errors.push(error)
        }
      }
    },
  })
  await ref.ask('go')
  expect(errors).toMatchObject([
    { name: 'ConfigError', message: expect.stringContaining('expected another actor to watch') },
    { name: 'ConfigError' },
  ])
  expect(watchersOf(ref)).toBe(0)
})

test.each([
  ['nothing', undefined],
  ['a proxy', 'proxy'],
  ['something that looks like a ref', { id: 'x', nodeId: 'y', isLocal: true }],
])('watching %s is refused with what was expected', async (_what, value) => {
  const system = await startSystem()
  const { ref, ctx } = await observe(system)
  const target = value === 'proxy' ? ref.asAny() : value
  expect(() => ctx.watch(target as ActorRef)).toThrow('expected an ActorRef of this package')
})

test('shutting down with watches everywhere ends, tells nobody any more, and counts no dead letter', async () => {
  const system = await startSystem()
  const observers = await Promise.all(Array.from({ length: 20 }, () => observe(system)))
  for (const { ctx } of observers) for (const { ref } of observers) if (ref !== ctx.self) ctx.watch(ref)
  let dead = 0
  system.on('deadLetter', () => dead++)
  await system.shutdown()
  await turn()
  expect(observers.map(({ heard }) => heard)).toEqual(observers.map(() => []))
  expect(observers.map(({ ref }) => watchersOf(ref))).toEqual(observers.map(() => 0))
  expect(dead).toBe(0)
})

test('a class actor hears of ends in its receive', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  const Guard = asActor(
    class Guard {
      readonly heard: unknown[] = []
      guard(ref: ActorRef): void {
        contextOf(this).watch(ref)
      }
      receive(msg: Message): void {
        this.heard.push(noted(msg))
      }
      report(): unknown[] {
        return this.heard
      }
    },
  )
  const guard = await Guard.local(system)
  await guard.guard(watched)
  await system.stop(watched)
  expect(await guard.report()).toEqual([ended(watched, 'killed')])
})

test('a class actor without receive lives on, and what it was not prepared for is reported', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  const failures: unknown[] = []
  system.on('actorFailed', ({ error }) => failures.push(error))
  const Deaf = asActor(
    class Deaf {
      guard(ref: ActorRef): void {
        contextOf(this).watch(ref)
      }
      answer(): string {
        return 'here'
      }
    },
  )
  const deaf = await Deaf.local(system)
  await deaf.guard(watched)
  await system.stop(watched)
  expect(await deaf.answer()).toBe('here')
  expect(failures).toMatchObject([
    { name: 'NoSuchMethodError', message: expect.stringContaining('a message of type "Terminated"') },
  ])
  expect(isPulsingError(failures[0])).toBe(true)
})

test('a behavior hears of ends as a Message, and may become another for it', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  const after = (heard: unknown) => behavior<'report', unknown>(() => heard)
  const before = behavior<'report' | Message, unknown>(
    (msg) => (msg instanceof Message ? after(noted(msg)) : 'nothing yet'),
    { onStart: (ctx) => ctx.watch(watched) },
  )
  const ref = await system.spawn(before)
  expect(await ref.ask('report')).toBe('nothing yet')
  await system.stop(watched)
  expect(await ref.ask('report')).toBe(ended(watched, 'killed'))
})

test('an actor that has become another function hears of ends there', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  const heard = gate<unknown>()
  const { ref } = await observe(system, {
    watch: [watched],
    handle: (_msg, ctx) => ctx.become((msg) => heard.open(noted(msg))),
  })
  await ref.ask('change')
  await system.stop(watched)
  expect(await heard.opened).toBe(ended(watched, 'killed'))
})

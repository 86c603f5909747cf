/** Where a Terminated stands among the messages: behind all the dead actor had sent, in every state of the mailbox. */
import { type ActorContext, type ActorRef, type Overflow, StreamMessage } from 'pulsing'
import { expect, test } from 'vitest'
import { collect, gate, startSystem, stateOf, turn } from './systems.ts'
import { ended, type Observer, observe, subject } from './watchers.ts'

const CAPACITY = 16

interface Held extends Observer {
  readonly watched: ActorRef
  readonly dead: string[]
  release(): void
}

/** An observer of `watched` that is busy with the message `held` until it is released. */
async function heldObserver(overflow: Overflow): Promise<Held> {
  const system = await startSystem()
  const dead: string[] = []
  system.on('deadLetter', ({ msgType, reason }) => dead.push(msgType || reason))
  const watched = await subject(system)
  const held = gate()
  const observer = await observe(system, {
    watch: [watched],
    mailbox: { capacity: CAPACITY, overflow },
    handle: (msg) => (msg.msgType === '' && msg.toObject() === 'held' ? held.opened : undefined),
  })
  await observer.ref.tell('held')
  await turn()
  return { ...observer, watched, dead, release: () => held.open() }
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

/** Has `watched` tell the observer the numbers from 0, and end. */
async function tellAndEnd({ watched, ref }: Held, count: number): Promise<void> {
  await watched.ask((ctx: ActorContext) => {
    for (let i = 0; i < count; i++) ctx.tell(ref, i).catch(() => undefined)
    ctx.stop()
  })
}

test.each<[Overflow, number[], number]>([
  ['wait', numbers(0, 40), 0],
  ['drop-newest', numbers(0, CAPACITY), 40 - CAPACITY],
  ['drop-oldest', numbers(40 - CAPACITY, 40), 40 - CAPACITY],
  ['fail', numbers(0, CAPACITY), 40 - CAPACITY],
])(
  'with overflow %s and the mailbox full, Terminated comes behind every message of the dead actor that got in',
  async (overflow, arrived, lost) => {
    const observer = await heldObserver(overflow)
    await tellAndEnd(observer, 40)
    await turn()
    expect(observer.heard).toEqual(['held'])
    observer.release()
    await turn()
    await turn()
    expect(observer.heard).toEqual(['held', ...arrived, ended(observer.watched, 'normal')])
    expect(observer.dead.length).toBe(lost)
  },
)

test('wait: messages of others that come to wait after the end come behind Terminated, those before it ahead', async () => {
  const observer = await heldObserver('wait')
  const before = numbers(0, CAPACITY + 5).map((i) => observer.ref.tell(`before ${i}`))
  await tellAndEnd(observer, 0)
  const after = numbers(0, 5).map((i) => observer.ref.tell(`after ${i}`))
  observer.release()
  await Promise.all([...before, ...after])
  await turn()
  expect(observer.heard).toEqual([
    'held',
    ...numbers(0, CAPACITY + 5).map((i) => `before ${i}`),
    ended(observer.watched, 'normal'),
    ...numbers(0, 5).map((i) => `after ${i}`),
  ])
})

test('the last words, told in onStop, come before Terminated', async () => {
  const system = await startSystem()
  const { ref, heard, ctx } = await observe(system)
  const watched = await system.spawn({
    receive: () => undefined,
    onStop: async (own) => {
      void own.tell(ref, 'first')
      await turn()
      void own.tell(ref, 'last')
    },
  })
  ctx.watch(watched)
  await system.stop(watched)
  await turn()
  expect(heard).toEqual(['first', 'last', ended(watched, 'killed')])
})

test('what an actor told while it handled its last message comes before Terminated, also when that message failed', async () => {
  const system = await startSystem()
  const { ref, heard, ctx } = await observe(system)
  const watched = await system.spawn(
    () => ({
      receive: async (_msg, own: ActorContext) => {
        void own.tell(ref, 'early')
        await turn()
        void own.tell(ref, 'late')
        throw new RangeError('and out')
      },
    }),
    { restart: { policy: 'on-failure', maxRestarts: 0 } },
  )
  ctx.watch(watched)
  await watched.tell('go')
  for (let i = 0; i < 4; i++) await turn()
  expect(heard).toEqual(['early', 'late', ended(watched, 'failed')])
})

test('asks of the dead actor that wait in the watcher’s mailbox come before Terminated', async () => {
  const observer = await heldObserver('wait')
  const { watched, ref, heard } = observer
  const asked: Promise<unknown>[] = []
  await watched.ask((ctx: ActorContext) => {
    for (const i of numbers(0, CAPACITY + 4)) asked.push(ctx.ask(ref, i))
    ctx.stop()
  })
  observer.release()
  await Promise.all(asked)
  await turn()
  expect(heard).toEqual(['held', ...numbers(0, CAPACITY + 4), ended(watched, 'normal')])
})

test('several ends come in the order they happened', async () => {
  const observer = await heldObserver('wait')
  const { system } = observer.ctx
  const others = await Promise.all(numbers(0, 5).map(() => subject(system)))
  for (const other of others) observer.ctx.watch(other)
  const order = [others[3]!, others[0]!, observer.watched, others[4]!, others[1]!, others[2]!]
  for (const [i, ref] of order.entries()) {
    void observer.ref.tell(`before ${i}`)
    await system.stop(ref)
  }
  observer.release()
  await turn()
  await turn()
  expect(observer.heard).toEqual(['held', ...order.flatMap((ref, i) => [`before ${i}`, ended(ref, 'killed')])])
})

test('a Terminated takes no place in the mailbox: as many messages fit as without it', async () => {
  const observer = await heldObserver('fail')
  const { system } = observer.ctx
  await Promise.all(
    numbers(0, 50).map(async () => {
      const other = await subject(system)
      observer.ctx.watch(other)
      await system.stop(other)
    }),
  )
  for (let i = 0; i < CAPACITY; i++) await observer.ref.tell(i)
  await expect(observer.ref.tell('one more')).rejects.toMatchObject({ code: 'actor_mailbox_full' })
  observer.release()
  await turn()
  await turn()
  await turn()
  expect(observer.heard.filter((each) => typeof each === 'number')).toEqual(numbers(0, CAPACITY))
  expect(observer.heard.length).toBe(1 + 50 + CAPACITY)
})

test('messages set aside before the end come before Terminated when they come back before it', async () => {
  const system = await startSystem()
  const watched = await subject(system)
  const held = gate()
  const { ref, heard } = await observe(system, {
    watch: [watched],
    mailbox: { capacity: CAPACITY, overflow: 'drop-oldest' },
    handle: async (msg, ctx) => {
      if (msg.msgType === 'Terminated') return
      const text = msg.toObject()
      if (text === 'busy') {
        await held.opened
        ctx.unstashAll()
      } else if (text === 'from the dead' && heard.length === 1) ctx.stash()
    },
  })
  await watched.ask((ctx: ActorContext) => void ctx.tell(ref, 'from the dead'))
  await turn()
  await ref.tell('busy')
  await turn()
  await system.stop(watched)
  // More than the mailbox holds: what is dropped stood behind the Terminated.
  for (let i = 0; i < 3 * CAPACITY; i++) await ref.tell(i)
  held.open()
  await turn()
  await turn()
  expect(heard.slice(0, 4)).toEqual(['from the dead', 'busy', 'from the dead', ended(watched, 'killed')])
  expect(heard.slice(4)).toEqual(numbers(2 * CAPACITY, 3 * CAPACITY))
})

test('drop-oldest: a Terminated that was set aside is not dropped when it comes back to a full mailbox', async () => {
  const system = await startSystem()
  const dead: string[] = []
  system.on('deadLetter', ({ msgType }) => dead.push(msgType))
  const watched = await subject(system)
  const held = gate()
  let isOpen = false
  const { ref, heard } = await observe(system, {
    watch: [watched],
    mailbox: { capacity: CAPACITY, overflow: 'drop-oldest' },
    handle: async (msg, ctx) => {
      if (msg.msgType === 'Terminated') return isOpen ? undefined : ctx.stash()
      if (msg.toObject() !== 'busy') return
      isOpen = true
      ctx.unstashAll()
      await held.opened
    },
  })
  await system.stop(watched)
  await turn()
  await ref.tell('busy')
  await turn()
  for (let i = 0; i < 2 * CAPACITY; i++) await ref.tell(i)
  held.open()
  await turn()
  await turn()
  expect(heard.slice(0, 3)).toEqual([ended(watched, 'killed'), 'busy', ended(watched, 'killed')])
  expect(dead).not.toContain('Terminated')
})

test('asks given up while they wait outside do not hold a Terminated up, nor let it overtake', async () => {
  const observer = await heldObserver('wait')
  const { ref, watched, heard } = observer
  const giveUp = new AbortController()
  for (let i = 0; i < CAPACITY; i++) void ref.tell(`in ${i}`)
  const given = numbers(0, 200).map((i) => ref.ask(`given up ${i}`, { signal: giveUp.signal }).catch(() => undefined))
  const told = ref.tell('told before the end')
  await tellAndEnd(observer, 0)
  giveUp.abort()
  await Promise.all(given)
  // Enough for the mailbox to look for those that gave up.
  const later = numbers(0, 200).map((i) => ref.ask(`later ${i}`))
  expect(await stateOf(told)).toBe('pending')
  observer.release()
  await Promise.all([told, ...later])
  expect(heard).toEqual([
    'held',
    ...numbers(0, CAPACITY).map((i) => `in ${i}`),
    'told before the end',
    ended(watched, 'normal'),
    ...numbers(0, 200).map((i) => `later ${i}`),
  ])
})

test('items of a stream the dead actor had answered with fail; Terminated comes all the same', async () => {
  const system = await startSystem()
  const watched = await system.spawn({
    receive: async function* () {
      yield 1
      await new Promise(() => undefined)
    },
  })
  const { heard } = await observe(system, { watch: [watched] })
  const items = watched.askStream<number>('go')
  expect(await items.next()).toEqual({ done: false, value: 1 })
  await system.stop(watched)
  await expect(collect(items)).rejects.toMatchObject({ code: 'actor_stopped' })
  await turn()
  expect(heard).toEqual([ended(watched, 'killed')])
})

test('a stream the dead actor had sent comes before Terminated, and is read to its end', async () => {
  const system = await startSystem()
  const log: unknown[] = []
  const done = gate()
  const watched = await subject(system)
  const { ref } = await observe(system, {
    watch: [watched],
    handle: async (msg) => {
      if (msg.isStream) log.push(await collect(msg.streamReader<number>()))
      else done.open()
    },
  })
  const [message, writer] = StreamMessage.create<number>('items')
  await watched.ask((ctx: ActorContext) => void ctx.tell(ref, message))
  await system.stop(watched)
  for (const item of [1, 2, 3]) await writer.write(item)
  expect(log).toEqual([])
  await writer.close()
  await done.opened
  expect(log).toEqual([[1, 2, 3]])
})

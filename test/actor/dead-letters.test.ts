/** Messages that reach nobody: each is counted once, says why, settles its ask, and lets go of the stream it carried. */
import fc from 'fast-check'
import {
  type ActorContext,
  type ActorRef,
  type ActorSystem,
  createActorSystem,
  Message,
  type Overflow,
  StreamMessage,
  type StreamWriter,
  SystemConfig,
  type SystemEvents,
} from 'pulsing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { OVERFLOWS } from '../../src/actor/mailbox.ts'
import { gate, manualTime, quiet, startSystem, stateOf, turn } from './systems.ts'

const CAPACITY = 16

type DeadLetter = SystemEvents['deadLetter']

function deadLettersOf(system: ActorSystem): DeadLetter[] {
  const dead: DeadLetter[] = []
  system.on('deadLetter', (event) => dead.push(event))
  return dead
}

interface Busy {
  readonly system: ActorSystem
  readonly ref: ActorRef
  readonly dead: DeadLetter[]
  readonly handled: string[]
  release(): void
}

/** An actor that handles one message until it is released. */
async function busyActor(overflow: Overflow = 'wait'): Promise<Busy> {
  const system = await startSystem()
  const dead = deadLettersOf(system)
  const held = gate()
  onTestFinished(() => held.open())
  const handled: string[] = []
  const ref = await system.spawn(
    {
      receive: (msg) => {
        handled.push(msg.msgType)
        return msg.msgType === 'held' ? held.opened : undefined
      },
    },
    { mailbox: { capacity: CAPACITY, overflow } },
  )
  await ref.tell(Message.fromObject('held', 0))
  await turn()
  return { system, ref, dead, handled, release: () => held.open() }
}

/** The same with its mailbox full, of messages of type `queued`. */
async function fullActor(overflow: Overflow): Promise<Busy> {
  const busy = await busyActor(overflow)
  for (let i = 0; i < CAPACITY; i++) await busy.ref.tell(Message.fromObject('queued', i))
  return busy
}

const single = (msgType: string): Message => Message.fromObject(msgType, 0)

/** A stream message whose writer has something to write that nobody reads. */
function blockedStream(msgType: string): { readonly message: Message; isCancelled(): Promise<boolean> } {
  const [message, writer]: [Message, StreamWriter<number>] = StreamMessage.create<number>(msgType, 1)
  const writes = [1, 2, 3].map((item) => writer.write(item))
  for (const write of writes) write.catch(() => undefined)
  return {
    message,
    isCancelled: async () => {
      const states = await Promise.all(writes.slice(1).map(stateOf))
      return writer.signal.aborted && states.every((state) => state === 'rejected')
    },
  }
}

describe('a dead letter', () => {
  test('says whom it did not reach, its type, why, and how many there were', async () => {
    const system = await startSystem()
    const dead = deadLettersOf(system)
    const ref = await system.spawn({ receive: () => undefined })
    await system.stop(ref)
    await ref.tell(single('first'))
    await expect(ref.ask(single('second'))).rejects.toMatchObject({ code: 'actor_stopped', address: String(ref) })
    await ref.tell('plain')
    expect(dead).toEqual([
      { recipient: String(ref), msgType: 'first', reason: 'actor_stopped', total: 1 },
      { recipient: String(ref), msgType: 'second', reason: 'actor_stopped', total: 2 },
      { recipient: String(ref), msgType: '', reason: 'actor_stopped', total: 3 },
    ])
  })

  test('is counted also while nobody listens, and whatever listeners do', async () => {
    const system = await startSystem()
    const ref = await system.spawn({ receive: () => undefined })
    await system.stop(ref)
    await ref.tell('nobody listens')
    const off = system.on('deadLetter', () => {
      throw new Error('a listener')
    })
    await ref.tell('one throws')
    off()
    const dead = deadLettersOf(system)
    await ref.tell('one notes')
    expect(dead.map(({ total }) => total)).toEqual([3])
  })

  test('told of to a dead actor by a listener is the next one, and harms nobody', async () => {
    const system = await startSystem()
    const unhandled: unknown[] = []
    const onUnhandled = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', onUnhandled)
    onTestFinished(() => void process.off('unhandledRejection', onUnhandled))
    const monitor = await system.spawn({ receive: () => undefined })
    const ref = await system.spawn({ receive: () => 'alive' })
    await system.stop(monitor)
    let heard = 0
    // As an actor that collects dead letters would be told of them, when it has ended itself.
    system.on('deadLetter', () => {
      heard++
      if (heard < 100) void monitor.tell('another one')
    })
    await monitor.tell('first')
    await turn()
    expect(heard).toBe(100)
    expect(await ref.ask('go')).toBe('alive')
    expect(unhandled).toEqual([])
  })
})

describe('a full mailbox', () => {
  test.each<[Overflow, string, string]>([
    ['drop-newest', 'tell', 'new'],
    ['drop-newest', 'ask', 'new'],
    ['drop-oldest', 'tell', 'queued'],
    ['drop-oldest', 'ask', 'queued'],
    ['fail', 'tell', 'new'],
    ['fail', 'ask', 'new'],
  ])('with overflow %s, one more %s makes one dead letter: the %s one', async (overflow, how, lost) => {
    const { ref, dead, handled, release } = await fullActor(overflow)
    const sent = how === 'tell' ? ref.tell(single('new')) : ref.ask(single('new'))
    sent.catch(() => undefined)
    await turn()
    expect(dead).toEqual([{ recipient: String(ref), msgType: lost, reason: 'actor_mailbox_full', total: 1 }])
    release()
    await turn()
    await turn()
    expect(dead.length).toBe(1)
    expect(handled.length).toBe(1 + CAPACITY)
    expect(handled.includes('new')).toBe(lost !== 'new')
  })

  test.each<[Overflow, string]>([
    ['drop-newest', 'new'],
    ['drop-oldest', 'old'],
    ['fail', 'new'],
  ])('with overflow %s lets go of the stream in the %s message it drops', async (overflow, lost) => {
    const { ref, dead, release } = await busyActor(overflow)
    const [old, fresh] = [blockedStream('old'), blockedStream('new')]
    await ref.tell(old.message)
    for (let i = 1; i < CAPACITY; i++) await ref.tell(single('queued'))
    ref.tell(fresh.message).catch(() => undefined)
    expect(dead.map(({ msgType }) => msgType)).toEqual([lost])
    expect([await old.isCancelled(), await fresh.isCancelled()]).toEqual([lost === 'old', lost === 'new'])
    release()
  })

  test('with overflow wait makes none, and what waits outside is counted once when the actor stops', async () => {
    const { system, ref, dead, release } = await fullActor('wait')
    const tells = ['a', 'b'].map((name) => ref.tell(single(name)))
    const asked = ref.ask(single('c'))
    const outcome = expect(asked).rejects.toMatchObject({ code: 'actor_stopped' })
    await turn()
    expect(dead).toEqual([])
    const stopped = system.stop(ref)
    release()
    await Promise.all([stopped, outcome, ...tells])
    expect(dead.map(({ msgType }) => msgType)).toEqual([
      ...Array.from({ length: CAPACITY }, () => 'queued'),
      'a',
      'b',
      'c',
    ])
    expect(dead.every(({ reason }) => reason === 'actor_stopped')).toBe(true)
  })
})

describe('an ask nobody waits for any more', () => {
  test.each<[string, string, (ref: ActorRef, time: { advance(ms: number): Promise<void> }) => Promise<unknown>]>([
    [
      'that timed out',
      'timeout',
      async (ref, time) => {
        const asked = ref.ask(single('late'), { timeout: 10 })
        asked.catch(() => undefined)
        await time.advance(10)
        return asked
      },
    ],
    [
      'that was aborted',
      'cancelled',
      (ref) => {
        const controller = new AbortController()
        const asked = ref.ask(single('late'), { signal: controller.signal })
        controller.abort()
        return asked
      },
    ],
    [
      'whose stream reader left before there was an answer',
      'cancelled',
      async (ref) => {
        const reader = ref.askStream(single('late'))
        await reader.cancel()
        throw new Error('cancelled as it was told to')
      },
    ],
  ])('%s in the mailbox is one dead letter, %s, when its turn comes', async (_how, reason, giveUp) => {
    const time = manualTime()
    const { ref, dead, handled, release } = await busyActor()
    await expect(giveUp(ref, time)).rejects.toThrow()
    await turn()
    expect(dead).toEqual([])
    release()
    await turn()
    expect(dead.map(({ msgType, total }) => [msgType, total])).toEqual([['late', 1]])
    expect(dead[0]!.reason).toBe(reason)
    expect(handled).toEqual(['held'])
  })

  test('because the message it was made for was given up is one too', async () => {
    const { system, ref, dead, handled, release } = await busyActor()
    const outer = await system.spawn({ receive: (_msg, ctx) => ctx.ask(ref, single('nested')) })
    const controller = new AbortController()
    const asked = outer.ask('go', { signal: controller.signal })
    await turn()
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    release()
    await turn()
    expect(dead).toMatchObject([{ msgType: 'nested', reason: 'cancelled', total: 1 }])
    expect(handled).toEqual(['held'])
  })

  test('while it is being handled is none', async () => {
    const system = await startSystem()
    const dead = deadLettersOf(system)
    const [started, release] = [gate(), gate()]
    const ref = await system.spawn({
      receive: () => {
        started.open()
        return release.opened
      },
    })
    const controller = new AbortController()
    const asked = ref.ask('go', { signal: controller.signal })
    await started.opened
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    release.open()
    await turn()
    expect(dead).toEqual([])
  })

  test('before it was sent is none: it never was a message', async () => {
    const { ref, dead, handled, release } = await busyActor()
    await expect(ref.ask(single('never'), { signal: AbortSignal.abort() })).rejects.toThrow()
    release()
    await turn()
    expect([dead, handled]).toEqual([[], ['held']])
  })

  test('that then is in the way of a full mailbox, or of a stop, is counted once, and not when its turn comes', async () => {
    const { system, ref, dead, release } = await busyActor('drop-oldest')
    const controller = new AbortController()
    const given = ['a', 'b'].map((name) => ref.ask(single(name), { signal: controller.signal }))
    const outcome = Promise.allSettled(given)
    for (let i = 2; i < CAPACITY; i++) await ref.tell(single('queued'))
    controller.abort()
    expect((await outcome).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await ref.tell(single('newest'))
    expect(dead.map(({ msgType }) => msgType)).toEqual(['a'])
    const stopped = system.stop(ref)
    release()
    await stopped
    expect(dead.filter(({ msgType }) => msgType === 'a' || msgType === 'b').length).toBe(2)
    expect(dead.length).toBe(CAPACITY + 1)
  })

  test('of hundreds outside a full mailbox is forgotten before its turn, counted once, its stream let go', async () => {
    const { ref, dead, handled, release } = await fullActor('wait')
    const controller = new AbortController()
    const streams = Array.from({ length: 3 }, (_, i) => blockedStream(`stream ${i}`))
    const messages = [
      ...streams.map(({ message }) => message),
      ...Array.from({ length: 253 }, (_, i) => single(`given ${i}`)),
    ]
    const given = messages.map((message) => ref.ask(message, { signal: controller.signal }))
    const outcome = Promise.allSettled(given)
    controller.abort()
    await outcome
    expect(dead).toEqual([])
    const later = ref.ask(single('later'))
    expect(dead.map(({ msgType }) => msgType)).toEqual(messages.map(({ msgType }) => msgType))
    expect(await Promise.all(streams.map((stream) => stream.isCancelled()))).toEqual([true, true, true])
    release()
    await later
    expect(dead.length).toBe(messages.length)
    expect(dead.every(({ reason }) => reason === 'cancelled')).toBe(true)
    expect(handled.length).toBe(1 + CAPACITY + 1)
  })

  test('lets go of the stream it carried when its turn comes', async () => {
    const { ref, release } = await busyActor()
    const stream = blockedStream('stream')
    const controller = new AbortController()
    const asked = ref.ask(stream.message, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    release()
    await turn()
    expect(await stream.isCancelled()).toBe(true)
  })
})

describe('an actor that ends', () => {
  test.each<[string, (system: ActorSystem, ref: ActorRef) => Promise<unknown>]>([
    ['stopped', (system, ref) => system.stop(ref)],
    ['shut down with its system', (system) => system.shutdown()],
  ])('because it is %s makes one dead letter of each message that waits, its stream let go', async (_how, end) => {
    const { system, ref, dead, handled, release } = await busyActor()
    const streams = ['told', 'asked'].map(blockedStream)
    await ref.tell(streams[0]!.message)
    const asked = ref.ask(streams[1]!.message)
    const outcome = expect(asked).rejects.toMatchObject({ code: 'actor_stopped', address: String(ref) })
    await ref.tell(single('last'))
    const ended = end(system, ref)
    await ref.tell(single('too late'))
    release()
    await Promise.all([ended, outcome])
    expect(dead.map(({ msgType }) => msgType).sort()).toEqual(['asked', 'last', 'told', 'too late'])
    expect(dead.map(({ total }) => total)).toEqual([1, 2, 3, 4])
    expect(handled).toEqual(['held'])
    expect(await Promise.all(streams.map((stream) => stream.isCancelled()))).toEqual([true, true])
  })

  test('counts messages it had set aside, each once', async () => {
    const system = await startSystem()
    const dead = deadLettersOf(system)
    const ref = await system.spawn({ receive: (_msg, ctx) => ctx.stash() })
    await ref.tell(single('told'))
    const asked = expect(ref.ask(single('asked'))).rejects.toMatchObject({ code: 'actor_stopped' })
    await turn()
    await system.stop(ref)
    await asked
    expect(dead.map(({ msgType }) => msgType)).toEqual(['told', 'asked'])
  })

  test('counts what came while its onStart ran, and failed', async () => {
    const system = await startSystem()
    const dead = deadLettersOf(system)
    const outcomes: Promise<unknown>[] = []
    const spawned = system.spawn({
      onStart: async (ctx) => {
        await ctx.self.tell(single('told'))
        outcomes.push(expect(ctx.self.ask(single('asked'))).rejects.toMatchObject({ code: 'actor_stopped' }))
        throw new RangeError('no start')
      },
      receive: () => undefined,
    })
    await expect(spawned).rejects.toThrow('no start')
    await Promise.all(outcomes)
    expect(dead.map(({ msgType }) => msgType)).toEqual(['told', 'asked'])
  })

  test('counts what it tells itself once it is being stopped, and no scheduled message', async () => {
    const time = manualTime()
    const system = await startSystem()
    const dead = deadLettersOf(system)
    let context: ActorContext | undefined
    const ref = await system.spawn({
      onStart: (ctx) => {
        context = ctx
        ctx.schedule(10, single('scheduled'))
      },
      receive: () => undefined,
      onStop: (ctx) => ctx.self.tell(single('last words to itself')),
    })
    await system.stop(ref)
    context!.schedule(10, single('scheduled too late'))
    await time.advance(1000)
    expect(dead.map(({ msgType }) => msgType)).toEqual(['last words to itself'])
  })

  test('counts no Terminated that was on its way to it, or that it had set aside', async () => {
    const system = await startSystem()
    const dead = deadLettersOf(system)
    const [one, two] = [await system.spawn({ receive: () => 1 }), await system.spawn({ receive: () => 1 })]
    const held = gate()
    const ref = await system.spawn({
      onStart: (ctx) => {
        ctx.watch(one)
        ctx.watch(two)
      },
      receive: (msg, ctx) => (msg.msgType === 'Terminated' ? ctx.stash() : held.opened),
    })
    await system.stop(one)
    await turn()
    await ref.tell('busy')
    await turn()
    await system.stop(two)
    const stopped = system.stop(ref)
    held.open()
    await stopped
    expect(dead).toEqual([])
  })

  test('that is restarted makes none of the messages that wait', async () => {
    const time = manualTime()
    const system = await startSystem()
    const dead = deadLettersOf(system)
    const handled: unknown[] = []
    const ref = await system.spawn(
      () => ({
        receive: (msg: Message) => {
          if (msg.toObject() === 'fail') throw new RangeError('told to fail')
          handled.push(msg.toObject())
        },
      }),
      { restart: { policy: 'on-failure' } },
    )
    void ref.tell('fail')
    for (let i = 0; i < 5; i++) void ref.tell(i)
    await turn()
    await time.advance(1000)
    expect([handled, dead]).toEqual([[0, 1, 2, 3, 4], []])
  })
})

type How = 'plain' | 'wait' | 'stash' | 'unstash' | 'fail' | 'stop'
type Step =
  | { readonly do: 'send'; readonly how: How; readonly isAsk: boolean; readonly copies: number }
  | { readonly do: 'release' | 'abort' | 'turn' | 'stop' }
  | { readonly do: 'advance'; readonly ms: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        how: fc.oneof(
          { weight: 8, arbitrary: fc.constantFrom<How>('plain', 'wait') },
          { weight: 4, arbitrary: fc.constantFrom<How>('stash', 'unstash') },
          { weight: 1, arbitrary: fc.constantFrom<How>('fail', 'stop') },
        ),
        isAsk: fc.boolean(),
        copies: fc.constantFrom(1, 2, 7, 20),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'abort' as const, 'turn' as const) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 15 }) }) },
  ),
  { minLength: 5, maxLength: 40 },
)

test.each(OVERFLOWS.flatMap((overflow) => [true, false].map((reentrant) => [overflow, reentrant] as const)))(
  'with overflow %s, reentrant: %s, every message is handled or a dead letter once, whatever happens to its actor',
  async (overflow, reentrant) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const system = await createActorSystem(SystemConfig.standalone().withLogger(quiet))
        const fates = new Map<string, { handled: number; dead: number; stashed: number; settled: number }>()
        const fate = (name: string) => fates.get(name)!
        let total = 0
        system.on('deadLetter', (event) => {
          fate(event.msgType).dead++
          expect(event.total).toBe(++total)
        })
        const waiting: (() => void)[] = []
        const controllers: AbortController[] = []
        const ref = await system.spawn(
          () => ({
            receive: async (msg: Message, ctx: ActorContext) => {
              const mine = fate(msg.msgType)
              mine.handled++
              switch (msg.toObject<How>()) {
                case 'wait':
                  return new Promise<void>((resolve) => {
                    waiting.push(resolve)
                    ctx.signal.addEventListener('abort', () => resolve())
                  })
                case 'stash':
                  if (mine.handled > 1) return
                  mine.stashed++
                  return ctx.stash()
                case 'unstash':
                  return ctx.unstashAll()
                case 'fail':
                  throw new RangeError('told to fail')
                case 'stop':
                  return ctx.stop()
                default:
                  return 'handled'
              }
            },
          }),
          'subject',
          {
            mailbox: { capacity: CAPACITY, overflow },
            reentrant,
            restart: { policy: 'on-failure', maxRestarts: 5, minBackoffMs: 10 },
          },
        )
        for (const step of sequence) {
          if (step.do === 'send') {
            for (let copy = 0; copy < step.copies; copy++) {
              const name = `${step.how} ${fates.size}`
              fates.set(name, { handled: 0, dead: 0, stashed: 0, settled: 0 })
              const settled = (): void => void fate(name).settled++
              const message = Message.fromObject(name, step.how)
              if (step.isAsk) {
                const controller = new AbortController()
                if (copy % 2) controllers.push(controller)
                const timeout = [5, 20, Infinity][copy % 3]!
                ref.ask(message, { timeout, signal: controller.signal }).then(settled, settled)
              } else ref.tell(message).then(settled, settled)
            }
          } else if (step.do === 'release') waiting.shift()?.()
          else if (step.do === 'abort') for (const controller of controllers.splice(0, 5)) controller.abort()
          else if (step.do === 'stop') void system.stop('subject')
          else if (step.do === 'advance') await vi.advanceTimersByTimeAsync(step.ms)
          else await turn()
        }
        await system.shutdown()
        await turn()
        for (const [name, { handled, dead, stashed, settled }] of fates) {
          // What was set aside is handled a second time, or a dead letter.
          const expected = stashed > 0 ? 2 : 1
          expect(`${name}: ${handled + dead} times, settled ${settled}`).toBe(`${name}: ${expected} times, settled 1`)
        }
      }),
      { numRuns: 100 },
    )
  },
)

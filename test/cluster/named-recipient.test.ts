/** A recipient that was found by a name, between instances played by hand: when it goes on to another one, and when not. */
import {
  ActorStoppedError,
  ConfigError,
  Message,
  PulsingTimeoutError,
  SessionResetError,
  UnreachableError,
} from 'pulsing'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ActorRef, Cancellation, Delivery, Recipient, Ref } from '../../src/actor/actor-ref.ts'
import { refusedAsk } from '../../src/actor/actor-ref.ts'
import { deferred, SETTLED } from '../../src/base/deferred.ts'
import { markReceived } from '../../src/base/errors.ts'
import type { Instances, Load } from '../../src/cluster/named-recipient.ts'
import { NamedRecipient } from '../../src/cluster/named-recipient.ts'
import { actorUri } from '../../src/message/address.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { startSystem, turn } from '../actor/systems.ts'
import { link, Nodes } from './memory-nodes.ts'

const stopped = (id: string, outcome: 'not-sent' | 'unknown' = 'not-sent') =>
  new ActorStoppedError('stopped', { address: actorUri(`node ${id}`, id), outcome })
const notSent = () => new UnreachableError('no way', { outcome: 'not-sent' })

/** Instances by id, and what each does with what it is sent. */
class Stage implements Instances {
  readonly clock = new ManualClock()
  readonly got: string[] = []
  readonly timeouts: unknown[] = []
  readonly over = new Set<string>()
  /** Never the same: instances end unannounced. */
  readonly version = NaN
  readonly loads = new Map<string, number>()
  readonly #ids: readonly string[]
  readonly #answer: (id: string, delivery: Delivery | undefined) => unknown

  constructor(ids: readonly string[], answer: (id: string, delivery: Delivery | undefined) => unknown) {
    this.#ids = ids
    this.#answer = answer
  }

  get recipient(): NamedRecipient {
    return new NamedRecipient('x', this.of(this.#ids[0]!), this)
  }

  of(id: string): Recipient {
    const answer = async (delivery: Delivery | undefined): Promise<unknown> => {
      this.got.push(id)
      this.timeouts.push(delivery?.timeout)
      const answered = await this.#answer(id, delivery)
      if (answered instanceof Error) throw answered
      return answered
    }
    return {
      id,
      name: 'x',
      nodeId: `node ${id}`,
      isLocal: id.startsWith('local'),
      ask: (message: Message, isPlain: boolean, delivery: Delivery | undefined) =>
        this.#asked(answer(delivery), delivery, { message, isPlain }),
      tell: async (_message: Message, delivery: Delivery | undefined) => void (await answer(delivery)),
      watch: () => undefined,
    } as unknown as Recipient
  }

  async #asked(
    answer: Promise<unknown>,
    delivery: Delivery | undefined,
    ask: { message: Message; isPlain: boolean },
  ): Promise<unknown> {
    const since = this.clock.now()
    try {
      const reply = await answer
      delivery?.observer?.replied()
      return reply
    } catch (error) {
      return delivery?.observer?.failed(error, { ...ask, since }) ?? Promise.reject(error)
    }
  }

  next(tried: ReadonlySet<string>): Recipient | undefined {
    const id = this.#ids.find((each) => !tried.has(each) && !this.over.has(each))
    return id === undefined ? undefined : this.of(id)
  }
  isOver({ id }: Recipient): boolean {
    return this.over.has(id)
  }
  loadOf(id: string): Load {
    return {
      begin: () => void this.loads.set(id, (this.loads.get(id) ?? 0) + 1),
      end: () => void this.loads.set(id, this.loads.get(id)! - 1),
    }
  }
}

const plain = (): Message => Message.fromObject('', 1)
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

/** What comes of an ask, and of a tell, when the first instance answers with `first` and the second takes it. */
async function bothWays(first: string, error: unknown, message: () => Message = plain, delivery?: Delivery) {
  const outcomes: unknown[] = []
  for (const way of ['ask', 'tell'] as const) {
    const stage = new Stage([first, 'b'], (id) => (id === first ? error : 'taken'))
    const { recipient } = stage
    const outcome = await outcomeOf(
      way === 'ask' ? recipient.ask(message(), true, delivery) : recipient.tell(message(), delivery),
    )
    outcomes.push(outcome, stage.got.join())
    expect(recipient.id).toBe(stage.got.at(-1))
    expect(recipient.nodeId).toBe(`node ${recipient.id}`)
    expect([...stage.loads.values()].every((load) => load === 0)).toBe(true)
  }
  return outcomes
}

describe('a message that was certainly not handled goes to another instance', () => {
  test.each([
    ['an actor that had stopped', 'a', stopped('a')],
    ['one of this node', 'local', stopped('local')],
    ['a node that cannot be reached', 'a', notSent()],
    ['a session that ended before it was sent', 'a', new SessionResetError('reset', { outcome: 'not-sent' })],
  ])('%s', async (_what, first, error) => {
    expect(await bothWays(first, error)).toEqual(['taken', `${first},b`, undefined, `${first},b`])
  })
})

describe('a message that may have been handled, or cannot be sent twice, goes to no other', () => {
  const stream = (): Message =>
    Message.stream('', { take: () => Promise.resolve({ done: true, value: undefined }) } as never)
  async function* items(): AsyncGenerator<number> {
    yield 1
  }
  const rows: readonly (readonly [string, string, Error, (() => Message)?, Delivery?])[] = [
    ['outcome unknown', 'a', new UnreachableError('lost')],
    ['a session that ended later', 'a', new SessionResetError('reset')],
    ['an actor that stopped meanwhile', 'a', stopped('a', 'unknown')],
    ['an actor that hands on that another had stopped', 'a', stopped('c')],
    ['an actor that hands on what it could not reach', 'a', markReceived(notSent())],
    ['an actor of this node that does', 'local', notSent()],
    ['any other error', 'a', new ConfigError('wrong')],
    ['a stream', 'a', notSent(), stream],
    ['a stream inside', 'a', notSent(), () => Message.fromObject('', { in: [new Map([[1, items()]])] })],
    ['a function inside', 'a', notSent(), () => Message.fromObject('', [new Set([() => 1])])],
    ['what came over a link with streams in it', 'a', notSent(), () => Message.referring('', 1)],
    ['objects handed over', 'a', notSent(), plain, { transfer: [] }],
    ['a caller that gave up', 'a', notSent(), plain, { signal: AbortSignal.abort() }],
  ]
  for (const [what, first, error, message, delivery] of rows)
    test(what, async () => {
      expect(await bothWays(first, error, message, delivery)).toEqual([error, first, error, first])
    })

  test('a caller that gives up by its call while it is refused', async () => {
    const cancellation: Cancellation = {}
    const asked = deferred<unknown>()
    const stage = new Stage(['a', 'b'], (_id, delivery) => {
      delivery!.cancellation!.cancel = () => undefined
      return asked.promise
    })
    // The fake sets `cancel` when it is asked, as a real one does.
    const outcome = outcomeOf(stage.recipient.ask(plain(), true, { cancellation }))
    cancellation.cancel!('enough')
    asked.resolve(stopped('a'))
    expect(await outcome).toBeInstanceOf(ActorStoppedError)
    expect(stage.got).toEqual(['a'])
  })
})

test('each live instance is tried once; then the last refusal stands, and the next message tries again', async () => {
  const stage = new Stage(['a', 'b', 'c'], (id) => stopped(id))
  const { recipient } = stage
  expect(await outcomeOf(recipient.ask(plain(), true, undefined))).toMatchObject({ address: actorUri('node c', 'c') })
  expect(stage.got).toEqual(['a', 'b', 'c'])
  expect(await outcomeOf(recipient.tell(plain(), undefined))).toMatchObject({ address: actorUri('node b', 'b') })
  expect(stage.got.slice(3)).toEqual(['c', 'a', 'b'])
})

test('messages stay with the instance while it takes them, and those behind a refused one follow it, in order', async () => {
  let isUp = true
  const sent: string[] = []
  const stage = new Stage(['a', 'b'], (id) => (id === 'a' && !isUp ? stopped('a') : 'taken'))
  const { recipient } = stage
  await Promise.all([1, 2].map(() => recipient.ask(plain(), true, undefined)))
  expect(stage.got.splice(0)).toEqual(['a', 'a'])
  isUp = false
  const asks = ['1', '2', '3'].map((n) =>
    recipient.ask(Message.fromObject(n, n), true, undefined).then(() => sent.push(n)),
  )
  await Promise.all(asks)
  expect([stage.got.splice(0), sent]).toEqual([
    ['a', 'a', 'a', 'b', 'b', 'b'],
    ['1', '2', '3'],
  ])
  await recipient.tell(plain(), undefined)
  expect([stage.got, recipient.id]).toEqual([['b'], 'b'])
})

test('an instance known to be over is not sent anything, unless there is no other', async () => {
  const stage = new Stage(['a', 'b'], () => 'taken')
  const { recipient } = stage
  stage.over.add('a')
  await recipient.tell(plain(), undefined)
  stage.over.add('b')
  await recipient.ask(plain(), true, undefined)
  expect(stage.got).toEqual(['b', 'b'])
})

test('all attempts share one deadline', async () => {
  const refused = { a: deferred<unknown>(), b: deferred<unknown>() }
  const stage = new Stage(['a', 'b', 'c'], (id) => (id === 'c' ? 'taken' : refused[id as 'a'].promise))
  const outcome = outcomeOf(stage.recipient.ask(plain(), true, { timeout: 1_000 }))
  await stage.clock.advanceAsync(400)
  refused.a.resolve(stopped('a'))
  await stage.clock.advanceAsync(600)
  refused.b.resolve(stopped('b'))
  expect(await outcome).toBeInstanceOf(PulsingTimeoutError)
  expect([stage.got, stage.timeouts]).toEqual([
    ['a', 'b'],
    [1_000, 600],
  ])
})

test('what a policy throws is the outcome', async () => {
  const stage = new Stage(['a', 'b'], (id) => stopped(id))
  stage.next = () => {
    throw new ConfigError('no instance')
  }
  expect(await outcomeOf(stage.recipient.ask(plain(), true, undefined))).toMatchObject({ message: 'no instance' })
  expect(await outcomeOf(stage.recipient.tell(plain(), undefined))).toMatchObject({ message: 'no instance' })
  stage.over.add('a')
  expect(await outcomeOf(stage.recipient.tell(plain(), undefined))).toMatchObject({ message: 'no instance' })
  expect(await outcomeOf(stage.recipient.ask(plain(), true, undefined))).toMatchObject({ message: 'no instance' })
})

test('a tell that is taken at once costs no promise', () => {
  const stage = new Stage(['a'], () => undefined)
  const fast = new NamedRecipient('x', { ...stage.of('a'), tell: () => SETTLED }, stage)
  expect(fast.tell(plain(), undefined)).toBe(SETTLED)
})

describe('an ask that cannot even begin', () => {
  /** Like the stage's, but `refusing` ones refuse at once, as a node without a way does. */
  class Refusing extends Stage {
    readonly refusing = new Map<string, () => Error>()
    override of(id: string): Recipient {
      const works = super.of(id)
      const refusal = this.refusing.get(id)
      if (!refusal) return works
      return {
        ...works,
        ask: (message: Message, isPlain: boolean, delivery: Delivery | undefined) => {
          this.got.push(id)
          this.timeouts.push(delivery?.timeout)
          return refusedAsk(delivery, refusal(), { message, isPlain })
        },
      }
    }
  }

  function refusing(refusals: Readonly<Record<string, () => Error>>): Refusing {
    const stage = new Refusing(['a', 'b', 'c'], () => 'taken')
    for (const [id, refusal] of Object.entries(refusals)) stage.refusing.set(id, refusal)
    return stage
  }

  test('goes on to the next instance, with all the time it had', async () => {
    const unhandled = unhandledRejections()
    const stage = refusing({ a: notSent, b: () => stopped('b') })
    const { recipient } = stage
    expect(await recipient.ask(plain(), true, { timeout: 1_000 })).toBe('taken')
    expect([stage.got, stage.timeouts]).toEqual([
      ['a', 'b', 'c'],
      [1_000, 1_000, 1_000],
    ])
    expect(recipient.id).toBe('c')
    expect([...stage.loads]).toEqual([
      ['a', 0],
      ['b', 0],
      ['c', 0],
    ])
    expect(await unhandled()).toEqual([])
  })

  test('does not go on from inside of the call', async () => {
    const stage = refusing({ a: notSent })
    const outcome = stage.recipient.ask(plain(), true, undefined)
    expect(stage.got).toEqual(['a'])
    expect(await outcome).toBe('taken')
  })

  test('rejects once, with the last refusal, when no instance is left', async () => {
    const unhandled = unhandledRejections()
    const stage = refusing({ a: notSent, b: notSent, c: () => stopped('c') })
    expect(await outcomeOf(stage.recipient.ask(plain(), true, undefined))).toMatchObject({
      address: actorUri('node c', 'c'),
    })
    expect(stage.got).toEqual(['a', 'b', 'c'])
    expect([...stage.loads.values()]).toEqual([0, 0, 0])
    expect(await unhandled()).toEqual([])
  })

  test('rejects with what is no refusal, and asks nobody else', async () => {
    const unhandled = unhandledRejections()
    const wrong = new ConfigError('wrong')
    const stage = refusing({ a: () => wrong })
    expect(await outcomeOf(stage.recipient.ask(plain(), true, undefined))).toBe(wrong)
    expect([stage.got, ...stage.loads]).toEqual([['a'], ['a', 0]])
    expect(await unhandled()).toEqual([])
  })
})

describe('between actors of this node, by the runtime that ships', () => {
  /** Instances of one name, chosen in order, whose loads are counted. */
  class Company implements Instances {
    readonly clock = new ManualClock()
    readonly loads = new Map<string, number>()
    readonly version = 0
    readonly #recipients: readonly Recipient[]
    constructor(refs: readonly ActorRef[]) {
      this.#recipients = refs.map((ref) => (ref as Ref).recipient)
    }
    get recipient(): NamedRecipient {
      return new NamedRecipient('x', this.#recipients[0]!, this)
    }
    next(tried: ReadonlySet<string>): Recipient | undefined {
      return this.#recipients.find(({ id }) => !tried.has(id))
    }
    isOver(): boolean {
      return false
    }
    loadOf(id: string): Load {
      return {
        begin: () => void this.loads.set(id, (this.loads.get(id) ?? 0) + 1),
        end: () => void this.loads.set(id, this.loads.get(id)! - 1),
      }
    }
  }

  async function company(count: number, stoppedFirst: number) {
    const system = await startSystem()
    const got: number[] = []
    const refs = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        system.spawn({
          receive: () => {
            got.push(i)
            return i
          },
        }),
      ),
    )
    await Promise.all(refs.slice(0, stoppedFirst).map((ref) => system.stop(ref)))
    return { got, refs, instances: new Company(refs) }
  }

  test('an ask to one that has stopped goes on to the one that lives', async () => {
    const unhandled = unhandledRejections()
    const { got, refs, instances } = await company(3, 2)
    const { recipient } = instances
    expect(await recipient.ask(plain(), true, undefined)).toBe(2)
    expect(got).toEqual([2])
    expect(recipient.id).toBe(refs[2]!.id)
    expect([...instances.loads.values()]).toEqual([0, 0, 0])
    expect(await unhandled()).toEqual([])
  })

  test('an ask to one that had stopped when its ref came back from another node goes on, too', async () => {
    const unhandled = unhandledRejections()
    const nodes = new Nodes()
    onTestFinished(() => nodes.stop())
    const [here, there] = [await nodes.start(), await nodes.start()]
    await link(here, there)
    let kept: ActorRef | undefined
    await there.spawn({ receive: (msg) => (kept ??= msg.toObject<ActorRef>()) }, 'keeper', { public: true })
    const keeper = await here.resolve('keeper')
    const [stops, lives] = [await here.spawn({ receive: () => 'stops' }), await here.spawn({ receive: () => 'lives' })]
    await keeper.ask(stops)
    await here.stop(stops)
    const back = await keeper.ask<ActorRef>('give it back')
    expect((back as Ref).recipient).toMatchObject({ id: stops.id, nodeId: here.nodeId, hasEnded: true })
    const instances = new Company([back, lives])
    expect(await instances.recipient.ask(plain(), true, undefined)).toBe('lives')
    expect([...instances.loads.values()]).toEqual([0, 0])
    const alone = new Company([back])
    expect(await outcomeOf(alone.recipient.ask(plain(), true, undefined))).toBeInstanceOf(ActorStoppedError)
    expect([...alone.loads.values()]).toEqual([0])
    expect(await unhandled()).toEqual([])
  })

  test('an ask whom nobody is left for rejects, and counts nowhere', async () => {
    const unhandled = unhandledRejections()
    const { refs, instances } = await company(2, 2)
    expect(await outcomeOf(instances.recipient.ask(plain(), true, undefined))).toMatchObject({
      name: 'ActorStoppedError',
      outcome: 'not-sent',
      address: String((refs[1] as Ref).recipient),
    })
    expect([...instances.loads.values()]).toEqual([0, 0])
    expect(await unhandled()).toEqual([])
  })

  test('an ask that is refused before it is one rejects, and counts nowhere', async () => {
    const unhandled = unhandledRejections()
    const { got, instances } = await company(2, 0)
    expect(await outcomeOf(instances.recipient.ask(plain(), true, { timeout: -1 }))).toBeInstanceOf(ConfigError)
    expect(got).toEqual([])
    expect([...instances.loads.values()]).toEqual([0])
    expect(await unhandled()).toEqual([])
  })

  test('a thousand at once to one that has stopped all go on, and leave no load', async () => {
    const unhandled = unhandledRejections()
    const { instances } = await company(2, 1)
    const { recipient } = instances
    const replies = await Promise.all(Array.from({ length: 1000 }, () => recipient.ask(plain(), true, undefined)))
    expect(new Set(replies)).toEqual(new Set([1]))
    expect([...instances.loads.values()]).toEqual([0, 0])
    expect(await unhandled()).toEqual([])
  })
})

/** Listens for rejections nobody handles; the function tells those so far. */
function unhandledRejections(): () => Promise<unknown[]> {
  const reasons: unknown[] = []
  const listen = (reason: unknown): void => void reasons.push(reason)
  process.on('unhandledRejection', listen)
  onTestFinished(() => void process.off('unhandledRejection', listen))
  return async () => {
    // Node.js tells after the microtasks of a turn.
    for (let i = 0; i < 3; i++) await turn()
    return reasons
  }
}

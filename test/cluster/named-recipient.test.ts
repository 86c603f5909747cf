/** A recipient that was found by a name, between instances played by hand: when it goes on to another one, and when not. */
import {
  ActorStoppedError,
  ConfigError,
  Message,
  PulsingTimeoutError,
  SessionResetError,
  UnreachableError,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
import type { Cancellation, Delivery, Recipient } from '../../src/actor/actor-ref.ts'
import { deferred, SETTLED } from '../../src/base/deferred.ts'
import { markReceived } from '../../src/base/errors.ts'
import type { Instances, Load } from '../../src/cluster/named-recipient.ts'
import { NamedRecipient } from '../../src/cluster/named-recipient.ts'
import { actorUri } from '../../src/message/address.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'

const stopped = (id: string, outcome: 'not-sent' | 'unknown' = 'not-sent') =>
  new ActorStoppedError('stopped', { address: actorUri(`node ${id}`, id), outcome })
const notSent = () => new UnreachableError('no way', { outcome: 'not-sent' })

/** Instances by id, and what each does with what it is sent. */
class Stage implements Instances {
  readonly clock = new ManualClock()
  readonly got: string[] = []
  readonly timeouts: unknown[] = []
  readonly over = new Set<string>()
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
      ask: (_message: Message, _isPlain: boolean, delivery: Delivery | undefined) =>
        this.#asked(answer(delivery), delivery),
      tell: async (_message: Message, delivery: Delivery | undefined) => void (await answer(delivery)),
      watch: () => undefined,
    } as unknown as Recipient
  }

  async #asked(answer: Promise<unknown>, delivery: Delivery | undefined): Promise<unknown> {
    const since = this.clock.now()
    try {
      const reply = await answer
      delivery?.observer?.replied()
      return reply
    } catch (error) {
      return delivery?.observer?.failed(error, since) ?? Promise.reject(error)
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

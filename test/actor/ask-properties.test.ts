/**
 * Any tree of nested asks, with timeouts, aborts, failures, streams, stops and restarts in between: every ask settles
 * once, no later than its own deadline and those it was made under, and leaves nothing behind. Time is a manual clock.
 */
import fc from 'fast-check'
import {
  type ActorContext,
  type ActorProxy,
  type ActorRef,
  asActor,
  contextOf,
  createActorSystem,
  DEFAULT_ASK_TIMEOUT_MS,
  isPulsingError,
  type SpawnOptions,
  SystemConfig,
} from 'pulsing'
import { ManualClock } from 'pulsing/testkit'
import { expect, test } from 'vitest'
import { ignoreRejection } from '../../src/base/deferred.ts'
import { quiet } from './systems.ts'

/** One ask: how it is made, and what its handler does. */
interface Plan {
  /** Which actor is asked. */
  readonly to: number
  readonly by: 'ctx' | 'ref' | 'proxy' | 'tell'
  readonly timeout: number | undefined
  /** Milliseconds after which its maker aborts it. */
  readonly abortsAfter: number | undefined
  /** What the handler waits before its own asks, and after them; `stubborn` whether it does so when given up, too. */
  readonly before: number
  readonly after: number
  readonly stubborn: boolean
  readonly asks: readonly Plan[]
  readonly together: boolean
  /** Whether an ask of it that fails is its own failure. */
  readonly fails: boolean
  readonly end: 'answer' | 'throw' | 'stream' | 'stop'
  /** For a stream: how many items are read. */
  readonly reads: number
}

interface Scenario {
  readonly roots: readonly { readonly at: number; readonly plan: Plan }[]
  readonly stops: readonly { readonly at: number; readonly actor: number }[]
}

/** What became of an ask. */
interface Record {
  readonly plan: Plan
  readonly maker: Record | undefined
  readonly startedAt: number
  /** By when it has to be settled. */
  readonly bound: number
  settledAt: number | undefined
  isAnswered: boolean
  handled: number
  /** When its handler was told that nobody waits any more. */
  givenUpAt: number | undefined
}

const AN_HOUR_MS = 3_600_000

const ACTORS: readonly SpawnOptions[] = [
  {},
  {},
  { reentrant: true },
  { mailbox: { capacity: 16, overflow: 'fail' } },
  { restart: { policy: 'on-failure', minBackoffMs: 5, maxRestarts: 2, methodErrors: 'failure' } },
]

const often = <T>(usual: T, other: fc.Arbitrary<T>, weight = 3): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other })
const wait = often(0, fc.integer({ min: 1, max: 30 }), 1)

const { plan } = fc.letrec<{ plan: Plan }>((tie) => ({
  plan: fc.record<Plan>({
    to: fc.nat({ max: ACTORS.length - 1 }),
    by: fc.constantFrom('ctx', 'ctx', 'ref', 'proxy', 'tell'),
    timeout: fc.oneof(fc.constantFrom(undefined, Infinity), fc.integer({ min: 1, max: 60 })),
    abortsAfter: often<number | undefined>(undefined, fc.integer({ min: 0, max: 30 })),
    before: wait,
    after: wait,
    stubborn: fc.boolean(),
    asks: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'plan' },
      fc.constant([]),
      fc.array(tie('plan'), { minLength: 1, maxLength: 3, depthIdentifier: 'plan' }),
    ),
    together: fc.boolean(),
    fails: fc.boolean(),
    end: fc.constantFrom('answer', 'answer', 'answer', 'stream', 'stream', 'throw', 'stop'),
    reads: fc.nat({ max: 3 }),
  }),
}))

const scenario: fc.Arbitrary<Scenario> = fc.record({
  roots: fc.array(fc.record({ at: wait, plan }), { minLength: 1, maxLength: 4 }),
  stops: fc.array(fc.record({ at: fc.integer({ min: 1, max: 60 }), actor: fc.nat({ max: ACTORS.length - 1 }) }), {
    maxLength: 2,
  }),
})

/** One system that goes through a scenario. */
class Run {
  readonly clock = new ManualClock()
  readonly records: Record[] = []
  readonly problems: string[] = []
  readonly #byPlan = new Map<Plan, Record>()
  readonly #proxies: ActorProxy<{ run(plan: Plan): unknown }>[] = []
  readonly #inside = ACTORS.map(() => 0)
  /** Handlers, readers, and aborts to come, that are not over. */
  #open = 0

  async start({ roots, stops }: Scenario): Promise<void> {
    const system = await createActorSystem(SystemConfig.standalone().withClock(this.clock).withLogger(quiet))
    const handle = (index: number, plan: Plan, ctx: ActorContext): unknown => this.#handle(index, plan, ctx)
    const Subject = asActor(
      class {
        constructor(private readonly index: number) {}
        run(plan: Plan): unknown {
          return handle(this.index, plan, contextOf(this))
        }
        receive(msg: { toObject(): unknown }, ctx: ActorContext): unknown {
          return handle(this.index, msg.toObject() as Plan, ctx)
        }
      },
    )
    for (const [index, options] of ACTORS.entries())
      this.#proxies.push(await Subject.options(options).local(system, index))
    for (const { at, plan } of roots) this.#later(at, () => ignoreRejection(this.#make(plan, undefined, undefined)))
    for (const { at, actor } of stops) this.#later(at, () => void system.stop(this.#proxies[actor]!.ref))
    // Once more when it looks over: a tell that waits in a mailbox shows only when it is handled.
    do {
      await this.clock.advanceUntil(() => this.#isOver, AN_HOUR_MS)
      await this.clock.settle()
    } while (!this.#isOver && this.clock.now() < AN_HOUR_MS)
    this.#check(this.#isOver, 'everything is over after an hour')
    const { asks, streams } = system.census()
    this.#check(asks === 0, `no ask is left, not ${asks}`)
    this.#check(streams === 0, `no stream is left, not ${streams}`)
    const shutdown = system.shutdown()
    await this.clock.advanceAsync(60_000)
    await shutdown
    for (const record of this.records) this.#judge(record)
  }

  get #isOver(): boolean {
    return this.#open === 0 && this.records.every(({ settledAt }) => settledAt !== undefined)
  }

  #check(isTrue: boolean, what: string): void {
    if (!isTrue) this.problems.push(what)
  }

  #judge({ plan, maker, startedAt, bound, settledAt, handled }: Record): void {
    const at = settledAt ?? Infinity
    const what = `the ask by ${plan.by} to ${plan.to}, made at ${startedAt} with timeout ${plan.timeout}`
    this.#check(at <= bound, `${what} is settled by ${bound}, not at ${at}`)
    this.#check(handled <= 1, `${what} is handled at most once, not ${handled} times`)
    if (maker?.givenUpAt !== undefined && plan.by !== 'tell')
      this.#check(
        at <= Math.max(startedAt, maker.givenUpAt),
        `${what} ends at ${maker.givenUpAt} with its message, not at ${at}`,
      )
  }

  #later(ms: number, what: () => void): void {
    this.#open++
    this.clock.setTimer(() => {
      this.#open--
      what()
    }, ms)
  }

  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (ms === 0 || signal?.aborted) return
    await new Promise<void>((resolve) => {
      const timer = this.clock.setTimer(resolve, ms)
      signal?.addEventListener('abort', () => {
        timer.cancel()
        resolve()
      })
    })
  }

  /** Makes an ask, from outside or in a handler, and reads what it was answered with. */
  async #make(plan: Plan, ctx: ActorContext | undefined, maker: Record | undefined): Promise<void> {
    const now = this.clock.now()
    const proxy = this.#proxies[plan.to]!
    const own = now + ((plan.by === 'proxy' ? undefined : plan.timeout) ?? DEFAULT_ASK_TIMEOUT_MS)
    const outer = maker && !maker.isAnswered ? maker.bound : Infinity
    const record: Record = {
      plan,
      maker,
      startedAt: now,
      // A tell has no time; an ask made too late ends at once.
      bound: plan.by === 'tell' ? Infinity : Math.max(now, Math.min(own, outer)),
      settledAt: undefined,
      isAnswered: false,
      handled: 0,
      givenUpAt: undefined,
    }
    this.records.push(record)
    this.#byPlan.set(plan, record)
    const controller = new AbortController()
    if (plan.abortsAfter !== undefined && plan.by !== 'proxy' && plan.by !== 'tell')
      this.#later(plan.abortsAfter, () => controller.abort(new RangeError('enough')))
    const settled = (): void => {
      this.#check(record.settledAt === undefined, 'an ask settles once')
      record.settledAt = this.clock.now()
    }
    this.#open++
    try {
      const reply = await this.#send(proxy, plan, ctx, controller.signal).finally(settled)
      if (typeof reply === 'object' && reply !== null && plan.by !== 'tell') await this.#read(reply, plan.reads)
    } catch (error) {
      const isKnown = isPulsingError(error) || (error instanceof RangeError && error.message === 'enough')
      this.#check(isKnown, `an ask fails with a typed error or its maker's reason, not with ${String(error)}`)
      throw error
    } finally {
      this.#open--
    }
  }

  #send(
    proxy: ActorProxy<{ run(plan: Plan): unknown }>,
    plan: Plan,
    ctx: ActorContext | undefined,
    signal: AbortSignal,
  ): Promise<unknown> {
    const options = { signal, ...(plan.timeout === undefined ? {} : { timeout: plan.timeout }) }
    const ref: ActorRef = ctx && plan.by === 'ref' ? ctx.bind(proxy.ref) : proxy.ref
    switch (plan.by) {
      case 'tell':
        return ctx ? ctx.tell(ref, plan) : ref.tell(plan)
      case 'proxy':
        return Promise.resolve((ctx ? ctx.bind(proxy) : proxy).run(plan))
      default:
        return ctx && plan.by === 'ctx' ? ctx.ask(ref, plan, options) : ref.ask(plan, options)
    }
  }

  async #read(reply: object, count: number): Promise<void> {
    let read = 0
    if (count === 0) await (reply as AsyncIterableIterator<unknown>).return!()
    else for await (const _item of reply as AsyncIterable<unknown>) if (++read === count) break
  }

  #handle(index: number, plan: Plan, ctx: ActorContext): unknown {
    const record = this.#byPlan.get(plan)!
    record.handled++
    this.#check(plan.by === 'tell' || record.settledAt === undefined, 'what nobody waits for is not handled')
    ctx.signal.addEventListener('abort', () => {
      if (!isPulsingError(ctx.signal.reason, 'actor_stopped')) record.givenUpAt = this.clock.now()
    })
    const work = this.#work(plan, ctx, record)
    return plan.end === 'stream' ? this.#items(plan, work) : this.#whole(index, plan, ctx, work)
  }

  async #whole(index: number, plan: Plan, ctx: ActorContext, work: AsyncGenerator<unknown>): Promise<unknown> {
    this.#open++
    if (!ACTORS[index]!.reentrant) this.#check(++this.#inside[index]! === 1, 'one message is handled at a time')
    try {
      for await (const _step of work);
      if (plan.end === 'throw') throw new TypeError('thrown')
      if (plan.end === 'stop') ctx.stop()
      return plan.end
    } finally {
      this.#open--
      this.#inside[index]!--
    }
  }

  /** The same as a stream: the steps are its items, made when they are read. */
  #items(plan: Plan, work: AsyncGenerator<unknown>): AsyncGenerator<unknown> {
    this.#byPlan.get(plan)!.isAnswered = true
    return work
  }

  async *#work(plan: Plan, ctx: ActorContext, record: Record): AsyncGenerator<unknown> {
    const signal = plan.stubborn ? undefined : ctx.signal
    await this.#sleep(plan.before, signal)
    yield 'begun'
    const make = (inner: Plan): Promise<void> =>
      this.#make(inner, ctx, record).catch((error: unknown) => {
        if (plan.fails) throw error
      })
    if (plan.together) {
      yield 'asking'
      await Promise.all(plan.asks.map(make))
    } else
      for (const inner of plan.asks) {
        yield 'asking'
        await make(inner)
      }
    await this.#sleep(plan.after, signal)
  }
}

test('every ask in any tree of asks settles once, in time, and leaves nothing behind', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (steps) => {
      const run = new Run()
      await run.start(steps)
      expect(run.problems).toEqual([])
    }),
    { numRuns: 500 },
  )
}, 60_000)

/**
 * An actor in the hands of a test: it keeps what it gets, in order, until the test asks for it. Waiting is on the clock of
 * its system: a manual one is moved no further than it takes.
 */
import type { ActorLike } from '../actor/actor.ts'
import type { ActorContext, MessageContext } from '../actor/actor-context.ts'
import type { ActorRef } from '../actor/actor-ref.ts'
import type { ActorSystem } from '../actor/actor-system.ts'
import { MAX_MAILBOX_CAPACITY } from '../actor/mailbox.ts'
import { TERMINATED_TYPE, type Terminated } from '../actor/terminated.ts'
import type { Clock } from '../base/clock.ts'
import { deferred } from '../base/deferred.ts'
import { asyncDispose } from '../base/disposal.ts'
import { ConfigError, describe, isPulsingError } from '../base/errors.ts'
import { macrotask } from '../base/macrotask.ts'
import { Message } from '../message/message.ts'
import { deepEqual } from './deep-equal.ts'
import { MessageLine } from './message-line.ts'
import { messageValue } from './message-value.ts'
import { ProbeError } from './probe-error.ts'
import type { Received } from './received.ts'
import { ReceivedMessage } from './received.ts'
import { messageText, valueText } from './value-text.ts'

/** How long a probe waits for what is expected unless told otherwise, in milliseconds. */
export const DEFAULT_EXPECT_MS = 3_000
/** How long a probe waits to see that nothing comes unless told otherwise, in milliseconds. */
export const DEFAULT_SILENCE_MS = 100

/** How a probe is spawned. */
export interface TestProbeOptions {
  /** The name other actors find it by. Default: none. */
  readonly name?: string
  /** Whether other nodes find it too. Default false. */
  readonly public?: boolean
}

/** How long something expected may take. */
export interface ExpectOptions {
  /**
   * Milliseconds on the system's clock, 0 or more; Infinity waits for ever. Default {@link DEFAULT_EXPECT_MS}. Inside
   * {@link TestProbe.within} never more than what is left of that.
   */
  readonly within?: number
}

/** Answers the asks a probe gets, as an actor's `receive` would: by what it returns, what that resolves to, or throws. */
export type AutoReply = (value: unknown, received: Received) => unknown

/**
 * An actor for tests. It records what it gets; the test says what it expects. Each message is expected once: what an
 * expectation was met or failed by is taken off the front of the line, and what nobody expected stays in it.
 *
 * An ask stays unanswered until the test answers it ({@link Received.reply}, {@link Received.fail},
 * {@link TestProbe.autoReply}), the caller gives up, or the probe stops; other messages come in meanwhile.
 *
 * On a system with a `ManualClock` waiting takes no real time: the clock is moved as far as it takes, at most to
 * the limit; what comes over a socket or from a worker takes real time, and may come too late for that. On a real clock
 * a wait ends with the message it is for, or with the limit.
 *
 * @example
 * ```ts
 * import { createTestSystem } from 'pulsing/testkit'
 *
 * const test = await createTestSystem()
 * const bank = await test.probe()
 * const till = await test.system.spawn({
 *   receive: async (msg, ctx) => `paid ${await ctx.ask(bank.ref, { take: msg.toObject<number>() })}`,
 * })
 * const answer = till.ask(20)
 * const request = await bank.expectMessage({ take: 20 })
 * request.reply('in coins')
 * await answer // 'paid in coins'
 * await bank.expectNone()
 * await test.dispose()
 * ```
 */
export class TestProbe implements AsyncDisposable {
  readonly #system: ActorSystem
  readonly #clock: Clock
  readonly #ctx: ActorContext
  readonly #line: MessageLine
  readonly #unanswered = new Set<ReceivedMessage>()
  #autoReply: AutoReply | undefined
  /** When each `within` that runs is over. */
  readonly #bounds = new Set<{ readonly endsAt: number }>()

  private constructor(system: ActorSystem, ctx: ActorContext) {
    this.#system = system
    this.#ctx = ctx
    this.#clock = (ctx as MessageContext).cell.runtime.clock
    this.#line = new MessageLine(this.#clock)
  }

  /**
   * Spawns a probe.
   *
   * @throws what {@link ActorSystem.spawn} throws: for a name that is taken, for example
   *
   * @example
   * ```ts
   * import { createActorSystem } from 'pulsing'
   * import { TestProbe } from 'pulsing/testkit'
   *
   * const system = await createActorSystem()
   * const audit = await TestProbe.create(system, { name: 'audit' })
   * await (await system.resolve('audit')).tell('logged in')
   * await audit.expectMessage('logged in')
   * await system.shutdown()
   * ```
   */
  static async create(
    system: ActorSystem,
    { name, public: isPublic = false }: TestProbeOptions = {},
  ): Promise<TestProbe> {
    let probe!: TestProbe
    const actor: ActorLike = {
      onStart: (ctx) => {
        probe = new TestProbe(system, ctx)
      },
      receive: (message, ctx) => probe.#receive(message, ctx as MessageContext),
      onStop: () => probe.#line.close(),
    }
    const options = { public: isPublic, reentrant: true, mailbox: { capacity: MAX_MAILBOX_CAPACITY } }
    if (name === undefined) await system.spawn(actor, options)
    else await system.spawn(actor, name, options)
    return probe
  }

  /** The probe as other actors hold it. */
  get ref(): ActorRef {
    return this.#ctx.self
  }

  /** The messages that came and that nothing expected yet, oldest first. */
  get waiting(): readonly Received[] {
    return [...this.#line.messages]
  }

  /** {@link ActorRef.tell} in the probe's name: the receiver sees it as `sender`. */
  tell(ref: ActorRef, msg: unknown): Promise<void> {
    return this.#ctx.tell(ref, msg)
  }

  /**
   * The next message, which must be what is expected.
   *
   * @param expected nothing: any message. A Message: its type and its value must be the same. A function: must answer
   * true, given the value and the message. Anything else: the value must be the same, compared deeply by what it holds,
   * not by class; matchers of vitest or jest may stand in it.
   * @throws ProbeError when the next message is another, or none comes in time
   * @throws ConfigError for a bad `within`
   *
   * @example
   * ```ts
   * import { Message } from 'pulsing'
   * import { createTestSystem } from 'pulsing/testkit'
   *
   * const test = await createTestSystem()
   * const probe = await test.probe()
   * for (const message of [1, { user: 'Ada', at: 12 }, 'ready', Message.fromJson('beat', { n: 1 })])
   *   await probe.ref.tell(message)
   * await probe.expectMessage()
   * await probe.expectMessage((value: { user: string }) => value.user === 'Ada')
   * await probe.expectMessage('ready', { within: 50 })
   * await probe.expectMessage(Message.fromObject('beat', { n: 1 }))
   * await test.dispose()
   * ```
   */
  expectMessage<T = unknown>(expected?: undefined, options?: ExpectOptions): Promise<Received<T>>
  expectMessage<T>(
    expected: (value: unknown, message: Message) => value is T,
    options?: ExpectOptions,
  ): Promise<Received<T>>
  expectMessage<T>(expected: (value: T, message: Message) => boolean, options?: ExpectOptions): Promise<Received<T>>
  expectMessage(expected: Message, options?: ExpectOptions): Promise<Received>
  expectMessage<T>(expected: T, options?: ExpectOptions): Promise<Received<T>>
  async expectMessage(expected?: unknown, options: ExpectOptions = {}): Promise<Received> {
    const limitMs = this.#limitOf(options)
    let received: ReceivedMessage | undefined
    const isMet = await this.#line.wait(limitMs, () => (received = this.#line.messages.shift()) !== undefined)
    if (!isMet) throw new ProbeError(`expected ${expectedText(expected)} within ${inMs(limitMs)}, got nothing`)
    this.#check(received!, expected)
    return received!
  }

  /**
   * The next `count` messages, in the order they came.
   *
   * @throws ProbeError when fewer come in time; they stay in the line
   * @throws ConfigError for a bad `count` or `within`
   */
  async receive<T = unknown>(count: number, options: ExpectOptions = {}): Promise<Received<T>[]> {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new ConfigError(`expected count as a whole number, at least 1, got ${describe(count)}`)
    const limitMs = this.#limitOf(options)
    const received: ReceivedMessage[] = []
    const take = (): boolean => {
      received.push(...this.#line.messages.splice(0, count - received.length))
      return received.length === count
    }
    const isMet = await this.#line.wait(limitMs, take).catch((error: unknown) => {
      this.#line.putBack(received)
      throw error
    })
    if (!isMet) {
      const got = lineText(received)
      this.#line.putBack(received)
      throw new ProbeError(`expected ${count} messages within ${inMs(limitMs)}, got ${got}`)
    }
    return received as Received[] as Received<T>[]
  }

  /**
   * Waits to see that no message comes.
   *
   * @param ms how long, on the system's clock. Default {@link DEFAULT_SILENCE_MS}
   * @throws ProbeError as soon as there is one; it stays in the line
   * @throws ConfigError for a bad `ms`
   */
  async expectNone(ms: number = DEFAULT_SILENCE_MS): Promise<void> {
    const limitMs = this.#limitOf({ within: ms })
    const begin = this.#clock.now()
    if (await this.#line.wait(limitMs, () => this.#line.messages.length > 0))
      throw new ProbeError(
        `expected no message within ${inMs(limitMs)}, got ${lineText(this.#line.messages)} after ${inMs(this.#clock.now() - begin)}`,
      )
  }

  /** Watches an actor, as {@link ActorContext.watch} does: its end is a message of type `Terminated`. */
  watch(ref: ActorRef): void {
    this.#ctx.watch(ref)
  }

  /**
   * Waits until an actor has ended, watching it if the probe does not yet. Other messages stay in the line, also those
   * that came before: among several actors there is no order to rely on.
   *
   * @returns why it ended; `normal` for one that had ended before it was watched
   * @throws ProbeError when it does not end in time
   * @throws ConfigError for a bad `within`
   *
   * @example
   * ```ts
   * import { createTestSystem } from 'pulsing/testkit'
   *
   * const test = await createTestSystem()
   * const probe = await test.probe()
   * const mayfly = await test.system.spawn({
   *   onStart: (ctx) => void ctx.schedule(5_000, 'dusk'),
   *   receive: (_msg, ctx) => ctx.stop(),
   * })
   * await probe.expectTerminated(mayfly, { within: 6_000 }) // 'normal'
   * test.clock.now() // 5000
   * await test.dispose()
   * ```
   */
  async expectTerminated(ref: ActorRef, options: ExpectOptions = {}): Promise<Terminated['reason']> {
    const limitMs = this.#limitOf(options)
    let reason: Terminated['reason'] | undefined
    const take = (): boolean => {
      const index = this.#line.messages.findIndex(({ message }) => terminatedOf(message)?.ref.id === ref.id)
      if (index < 0) return false
      reason = terminatedOf(this.#line.messages.splice(index, 1)[0]!.message)!.reason
      return true
    }
    if (!take()) {
      this.#ctx.watch(ref)
      if (!(await this.#line.wait(limitMs, take)))
        throw new ProbeError(
          `expected ${valueText(ref)} to end within ${inMs(limitMs)}, got no such news, but ${lineText(this.#line.messages)}`,
        )
    }
    return reason!
  }

  /**
   * Bounds everything that is expected of this probe while `run` runs, and `run` itself: it must come within `ms`
   * milliseconds on the system's clock. Time that nobody moves does not pass: on a manual clock only what is expected of
   * a probe moves it.
   *
   * @returns what `run` returns
   * @throws ProbeError when it takes longer
   * @throws ConfigError for a bad `ms`
   *
   * @example
   * ```ts
   * import { createTestSystem } from 'pulsing/testkit'
   *
   * const test = await createTestSystem()
   * const probe = await test.probe()
   * await test.system.spawn({
   *   onStart: (ctx) => void ctx.schedule(100, 'tick', { everyMs: 100 }),
   *   receive: (msg, ctx) => ctx.tell(probe.ref, msg),
   * })
   * await probe.within(300, async () => {
   *   await probe.expectMessage('tick')
   *   await probe.receive(2)
   * })
   * await test.dispose()
   * ```
   */
  async within<T>(ms: number, run: () => T | Promise<T>): Promise<T> {
    const limitMs = this.#limitOf({ within: ms })
    const endsAt = this.#clock.now() + limitMs
    const late = deferred<never>()
    const lateError = (): ProbeError =>
      new ProbeError(`expected what is done within ${inMs(limitMs)} to be over by then, got it unfinished`)
    // What comes in the very last millisecond is in time; and what is expected inside says more of what is missing.
    const timer = Number.isFinite(endsAt)
      ? this.#clock.setTimer(() => {
          this.#line.expire()
          macrotask(() => late.reject(lateError()))
        }, limitMs + 1)
      : undefined
    const bound = { endsAt }
    this.#bounds.add(bound)
    try {
      const result = await Promise.race([run(), late.promise])
      if (this.#clock.now() > endsAt) throw lateError()
      return result
    } finally {
      timer?.cancel()
      this.#bounds.delete(bound)
    }
  }

  /**
   * Answers every ask that is unanswered, and every later one, by what `answer` returns; undefined ends that. The
   * messages are recorded all the same.
   *
   * @example
   * ```ts
   * import { createTestSystem } from 'pulsing/testkit'
   *
   * const test = await createTestSystem()
   * const prices = await test.probe('prices')
   * prices.autoReply((item) => (item === 'tea' ? 3 : Promise.reject(new RangeError(`no ${item}`))))
   * await prices.ref.ask('tea') // 3
   * await prices.expectMessage('tea')
   * await test.dispose()
   * ```
   */
  autoReply(answer: AutoReply | undefined): void {
    this.#autoReply = answer
    if (answer) for (const received of [...this.#unanswered]) this.#answer(received, answer)
  }

  /** Stops the probe: asks nobody answered reject with ActorStoppedError, and so does whoever waits for a message. */
  async stop(): Promise<void> {
    await this.#system.stop(this.ref)
  }

  /** {@link stop}, for `await using`. */
  [asyncDispose](): Promise<void> {
    return this.stop()
  }

  #receive(message: Message, { envelope, sender, signal }: MessageContext): unknown {
    const received = new ReceivedMessage(message, sender, envelope!.isAsk)
    this.#line.push(received)
    if (!received.isAsk) return undefined
    this.#unanswered.add(received)
    signal.addEventListener('abort', () =>
      // A caller that gave up is told already; to the system it is no failure of the probe.
      received.end(isPulsingError(signal.reason, 'ActorStoppedError') ? signal.reason : undefined),
    )
    if (this.#autoReply) this.#answer(received, this.#autoReply)
    return received.outcome.finally(() => this.#unanswered.delete(received))
  }

  #answer(received: ReceivedMessage, answer: AutoReply): void {
    if (!received.isOpen) return
    try {
      received.reply(answer(received.value, received))
    } catch (error) {
      received.fail(error)
    }
  }

  #limitOf({ within = DEFAULT_EXPECT_MS }: ExpectOptions): number {
    if (typeof within !== 'number' || !(within >= 0))
      throw new ConfigError(`expected milliseconds to wait, 0 or more, got ${describe(within)}`)
    const now = this.#clock.now()
    return Math.max(0, Math.min(within, ...Array.from(this.#bounds, ({ endsAt }) => endsAt - now)))
  }

  #check(received: ReceivedMessage, expected: unknown): void {
    const { message, value } = received
    if (expected === undefined) return
    if (typeof expected === 'function') {
      if (!expected(value, message)) throw new ProbeError(`expected ${expectedText(expected)}, got ${received}`)
      return
    }
    const isMessage = expected instanceof Message
    if (deepEqual(isMessage ? message : value, expected)) return
    const behind = this.#line.messages.length === 0 ? '' : `, and behind it ${lineText(this.#line.messages)}`
    throw new ProbeError(`expected ${expectedText(expected)}, got ${received}${behind}`, {
      expected: isMessage ? plain(expected) : expected,
      actual: isMessage ? plain(message) : value,
    })
  }
}

function inMs(ms: number): string {
  return `${Math.round(ms)} ms`
}

function lineText(messages: readonly ReceivedMessage[]): string {
  return messages.length === 0 ? 'none' : `${messages.length}: ${messages.join('; ')}`
}

function expectedText(expected: unknown): string {
  if (expected === undefined) return 'a message'
  if (typeof expected === 'function') return `a message that ${expected.name || 'the function'} accepts`
  return expected instanceof Message ? messageText(expected) : valueText(expected)
}

/** A message as test runners can show it. */
function plain(message: Message): { readonly msgType: string; readonly value: unknown } {
  return { msgType: message.msgType, value: messageValue(message) }
}

function terminatedOf(message: Message): Terminated | undefined {
  if (message.msgType !== TERMINATED_TYPE) return undefined
  const news = messageValue(message) as Partial<Terminated> | undefined
  return news?.ref ? (news as Terminated) : undefined
}

/** The two ends of an ask between nodes: the caller's wait here, and the envelope in the mailbox there. */
import type { ActorRef, AskObserver, Delivery, FailedAsk } from '../actor/actor-ref.ts'
import { discardResult } from '../actor/discarded-result.ts'
import type { Nested } from '../actor/envelope.ts'
import { Envelope } from '../actor/envelope.ts'
import type { DeadlineQueue, Deadlines, Turn, Waiting } from '../base/deadlines.ts'
import { deferred } from '../base/deferred.ts'
import { PulsingTimeoutError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'

/** An ask that waits for its reply from another node. Settles exactly once. */
export class PendingAsk implements Waiting, Nested, FailedAsk {
  previousWaiting: Waiting | undefined = undefined
  nextWaiting: Waiting | undefined = undefined
  waitingSince: Turn | undefined = undefined
  queue: DeadlineQueue | undefined = undefined

  readonly id: number
  /** The number of the frame it went with, once it is on its way. */
  seq = Infinity
  readonly isPlain: boolean
  readonly promise: Promise<unknown>
  readonly address: { toString(): string }
  readonly #giveUp: (ask: PendingAsk, timeoutMs?: number) => void
  readonly #resolve: (reply: unknown) => void
  readonly #reject: (error: unknown) => void
  /** Kept for an observer only. */
  message: Message = undefined as never
  #observer: AskObserver | undefined = undefined
  #envelope: Envelope | undefined = undefined
  #isSettled = false
  #signal: AbortSignal | undefined = undefined
  #timeoutMs = 0
  #onAbort: (() => void) | undefined = undefined

  /** @param giveUp called when the caller stops waiting, with the milliseconds if that is why: the other side may stop working */
  constructor(
    id: number,
    isPlain: boolean,
    address: { toString(): string },
    giveUp: (ask: PendingAsk, timeoutMs?: number) => void,
  ) {
    this.id = id
    this.isPlain = isPlain
    this.address = address
    this.#giveUp = giveUp
    const { promise, resolve, reject } = deferred<unknown>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  wait(deadlines: Deadlines, timeoutMs: number, message: Message, delivery: Delivery | undefined): void {
    this.#timeoutMs = timeoutMs
    deadlines.add(this, timeoutMs)
    if (!delivery) return
    const { signal, cancellation, within, observer } = delivery
    if (observer) {
      this.#observer = observer
      this.message = message
    }
    if (cancellation) cancellation.cancel = (reason) => this.giveUp(reason)
    this.#envelope = within?.envelope
    this.#envelope?.nest(this)
    if (!signal || this.#isSettled) return
    this.#signal = signal
    this.#onAbort = () => this.giveUp(signal.reason)
    signal.addEventListener('abort', this.#onAbort)
  }

  get since(): number | undefined {
    return this.waitingSince?.startedAt
  }

  resolve(reply: unknown): void {
    this.#settle()
    this.#observer?.replied()
    this.#resolve(reply)
  }

  reject(error: unknown): void {
    this.#settle()
    const other = this.#observer?.failed(error, this)
    if (other) this.#resolve(other)
    else this.#reject(error)
  }

  expired(): void {
    this.#giveUp(this, this.#timeoutMs)
    this.reject(new PulsingTimeoutError('ask', this.#timeoutMs, { address: String(this.address) }))
  }

  giveUp(reason: unknown): void {
    this.#giveUp(this)
    this.reject(reason)
  }

  #settle(): void {
    this.#isSettled = true
    this.queue?.remove(this)
    this.#envelope?.unnest(this)
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}

/** Where the outcome of an ask from another node goes. */
export interface ReplyLine {
  /** The node at its other end. */
  readonly peer: string
  reply(ask: InboundAsk, result: unknown): void
  refuse(ask: InboundAsk, error: unknown): void
}

/** An ask from another node, in a mailbox here. */
export class InboundAsk extends Envelope implements Waiting {
  previousWaiting: Waiting | undefined = undefined
  nextWaiting: Waiting | undefined = undefined
  waitingSince: Turn | undefined = undefined
  queue: DeadlineQueue | undefined = undefined

  readonly id: number
  /** Of its payload, as it came. */
  bytes = 0
  readonly #line: ReplyLine
  #timeoutMs = 0
  #isSettled = false
  #isAnswered = false

  constructor(id: number, message: Message, sender: ActorRef | undefined, line: ReplyLine) {
    super(message, sender)
    this.id = id
    this.#line = line
  }

  /** Waits as long as the caller does, who may not be able to say so when it gives up. */
  wait(deadlines: Deadlines, timeoutMs: number): void {
    this.#timeoutMs = timeoutMs
    deadlines.add(this, timeoutMs)
  }

  override get deadline(): number | undefined {
    return this.waitingSince && !this.#isAnswered ? this.waitingSince.startedAt + this.#timeoutMs : undefined
  }

  override get isAsk(): boolean {
    return true
  }

  override get origin(): string {
    return this.#line.peer
  }

  succeed(result: unknown): void {
    if (!this.#settle()) {
      discardResult(result)
      return
    }
    this.#isAnswered = true
    this.#line.reply(this, result)
  }

  fail(error: unknown): void {
    if (this.#settle()) this.#line.refuse(this, error)
  }

  override cancel(reason: unknown): void {
    this.queue?.remove(this)
    super.cancel(reason)
  }

  expired(): void {
    const error = new PulsingTimeoutError('ask', this.#timeoutMs)
    this.fail(error)
    this.cancel(error)
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.queue?.remove(this)
    return true
  }
}

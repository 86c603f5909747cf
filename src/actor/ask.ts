/** An ask inside this process: the envelope and the caller's promise in one. */
import type { DeadlineQueue, Turn, Waiting } from '../base/deadlines.ts'
import { deferred } from '../base/deferred.ts'
import { PulsingTimeoutError, toActorError } from '../base/errors.ts'
import { Message } from '../message/message.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { ActorCell } from './actor-cell.ts'
import type { MessageContext } from './actor-context.ts'
import type { AskObserver, Delivery, FailedAsk } from './actor-ref.ts'
import { discardResult } from './discarded-result.ts'
import type { Nested } from './envelope.ts'
import { Envelope } from './envelope.ts'

export class LocalAsk extends Envelope implements Waiting, Nested, FailedAsk {
  previousWaiting: Waiting | undefined = undefined
  nextWaiting: Waiting | undefined = undefined
  waitingSince: Turn | undefined = undefined
  queue: DeadlineQueue | undefined = undefined

  /** Taken by the caller before anything is handled, and {@link forget}ten then. */
  promise: Promise<unknown>
  readonly #cell: ActorCell
  /** Known for as long as somebody waits: what comes after an answer is on nobody's behalf, unless it is a stream. */
  #within: MessageContext | undefined
  readonly isPlain: boolean
  readonly #observer: AskObserver | undefined
  #resolve: (reply: unknown) => void
  #reject: (error: unknown) => void
  #timeoutMs = 0
  #signal: AbortSignal | undefined = undefined
  #onAbort: (() => void) | undefined = undefined
  #isSettled = false
  #isAnswered = false

  constructor(message: Message, delivery: Delivery | undefined, isPlain: boolean, cell: ActorCell) {
    super(message, delivery?.sender)
    this.isPlain = isPlain
    this.#cell = cell
    this.#within = delivery?.within
    this.#observer = delivery?.observer
    const { promise, resolve, reject } = deferred<unknown>()
    this.promise = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  override get isAsk(): boolean {
    return true
  }

  override get deadline(): number | undefined {
    // Nobody waits for what comes after the answer: the items of a stream take their time.
    return this.waitingSince && !this.#isAnswered ? this.waitingSince.startedAt + this.#timeoutMs : undefined
  }

  get since(): number | undefined {
    return this.waitingSince?.startedAt
  }

  override get within(): MessageContext | undefined {
    return this.#within
  }

  /** Starts waiting: not longer than `timeoutMs`, and not past the delivery's signal, or the message it is made for. */
  wait(timeoutMs: number, delivery: Delivery | undefined): void {
    this.#timeoutMs = timeoutMs
    this.#cell.runtime.deadlines.add(this, timeoutMs)
    if (!delivery) return
    const { signal, cancellation } = delivery
    if (cancellation) cancellation.cancel = (reason) => this.giveUp(reason)
    this.#within?.envelope?.nest(this)
    if (!signal || this.#isSettled) return
    this.#signal = signal
    if (signal.aborted) this.giveUp(signal.reason)
    else signal.addEventListener('abort', (this.#onAbort = () => this.giveUp(signal.reason)))
  }

  succeed(result: unknown): void {
    let reply: unknown
    try {
      reply = toReply(result, this.isPlain)
    } catch (error) {
      this.fail(toActorError(error, String(this.#cell)))
      return
    }
    this.#isAnswered = true
    if (!this.#settle()) {
      discardResult(reply)
      return
    }
    this.#observer?.replied()
    this.#resolve(reply)
  }

  fail(error: unknown): void {
    if (!this.#settle()) return
    const other = this.#observer?.failed(error, this)
    if (other) this.#resolve(other)
    else this.#reject(error)
  }

  override forget(): void {
    super.forget()
    this.promise = this.#resolve = this.#reject = undefined as never
  }

  expired(): void {
    const error = new PulsingTimeoutError('ask', this.#timeoutMs, { address: String(this.#cell) })
    this.fail(error)
    this.cancel(error)
    this.#cell.runtime.askTimedOut(this.#cell, this.#timeoutMs)
  }

  override cancel(reason: unknown): void {
    super.cancel(reason)
    if (this.#isSettled) this.#within = undefined
  }

  giveUp(reason: unknown): void {
    this.fail(reason)
    this.cancel(reason)
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.queue?.remove(this)
    this.#within?.envelope?.unnest(this)
    if (!this.isStreaming) this.#within = undefined
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort)
    return true
  }
}

/**
 * What a caller gets for a handler's result: a plain caller the value itself; a caller that sent a Message always a
 * Message.
 */
function toReply(result: unknown, isPlain: boolean): unknown {
  if (typeof result !== 'object' || result === null) {
    if (isPlain) return result
    return result === undefined ? Message.empty() : Message.fromObject('', result)
  }
  if (result instanceof Message) return result.handOver()
  if (isPlain) return result instanceof StreamReader ? new StreamReader(result.detach()) : result
  return result instanceof StreamReader ? Message.stream('', result.detach()) : Message.fromObject('', result)
}

/** An ask inside this process: the envelope and the caller's promise in one. */
import type { DeadlineQueue, Deadlines, Turn, Waiting } from '../base/deadlines.ts'
import { PulsingTimeoutError, toActorError } from '../base/errors.ts'
import { Message } from '../message/message.ts'
import { isStreamLike, toSource } from '../stream/iterable-source.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { ActorRef, Delivery } from './actor-ref.ts'
import { discardResult } from './discarded-result.ts'
import { Envelope } from './envelope.ts'

export class LocalAsk extends Envelope implements Waiting {
  previousWaiting: Waiting | undefined = undefined
  nextWaiting: Waiting | undefined = undefined
  waitingSince: Turn | undefined = undefined
  queue: DeadlineQueue | undefined = undefined

  readonly promise: Promise<unknown>
  readonly #address: string | { toString(): string }
  readonly #isPlain: boolean
  #resolve!: (reply: unknown) => void
  #reject!: (error: unknown) => void
  #timeoutMs = 0
  #signal: AbortSignal | undefined = undefined
  #onAbort: (() => void) | undefined = undefined
  #isSettled = false

  constructor(message: Message, sender: ActorRef | undefined, isPlain: boolean, address: { toString(): string }) {
    super(message, sender)
    this.#isPlain = isPlain
    this.#address = address
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  override get isAsk(): boolean {
    return true
  }

  override get deadline(): number | undefined {
    return this.waitingSince && this.waitingSince.startedAt + this.#timeoutMs
  }

  /** Starts waiting: not longer than `timeoutMs`, and not past the delivery's signal. */
  wait(deadlines: Deadlines, timeoutMs: number, delivery: Delivery | undefined): void {
    const signal = delivery?.signal
    if (delivery?.cancellation) delivery.cancellation.cancel = (reason) => this.#giveUp(reason)
    this.#timeoutMs = timeoutMs
    deadlines.add(this, timeoutMs)
    if (!signal) return
    this.#signal = signal
    if (signal.aborted) this.#giveUp(signal.reason)
    else signal.addEventListener('abort', (this.#onAbort = () => this.#giveUp(signal.reason)))
  }

  succeed(result: unknown): void {
    let reply: unknown
    try {
      reply = toReply(result, this.#isPlain, this)
    } catch (error) {
      this.fail(toActorError(error, String(this.#address)))
      return
    }
    if (this.#settle()) this.#resolve(reply)
    else discardResult(reply)
  }

  fail(error: unknown): void {
    if (this.#settle()) this.#reject(error)
  }

  expired(): void {
    const error = new PulsingTimeoutError('ask', this.#timeoutMs, { address: String(this.#address) })
    this.fail(error)
    this.cancel(error)
  }

  #giveUp(reason: unknown): void {
    this.fail(reason)
    this.cancel(reason)
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.queue?.remove(this)
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort)
    return true
  }
}

/**
 * What a caller gets for a handler's result: a plain caller the value itself, or a reader where it is a stream; a caller
 * that sent a Message always a Message.
 *
 * @param envelope cancelled when the stream of a streamed reply ends or is cancelled
 */
function toReply(result: unknown, isPlain: boolean, envelope: Envelope): unknown {
  if (typeof result !== 'object' || result === null) {
    if (isPlain) return result
    return result === undefined ? Message.empty() : Message.fromObject('', result)
  }
  if (result instanceof Message) return result.handOver()
  if (isStreamLike(result)) {
    const source = toSource(result, () => envelope.cancel(undefined))
    return isPlain ? new StreamReader(source) : Message.stream('', source)
  }
  return isPlain ? result : Message.fromObject('', result)
}

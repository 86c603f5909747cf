/** A message in the hands of a test: what it says, who sent it, and, where it was asked, the line to answer on. */
import type { ActorRef } from '../actor/actor-ref.ts'
import { deferred, ignoreRejection } from '../base/deferred.ts'
import type { Message } from '../message/message.ts'
import { messageValue } from './message-value.ts'
import { ProbeError } from './probe-error.ts'
import { messageText } from './value-text.ts'

/**
 * A message a {@link TestProbe} got.
 *
 * @typeParam T what the test knows its value to be
 */
export interface Received<T = unknown> {
  /** The message as the actor's `receive` would get it. */
  readonly message: Message
  /**
   * Its value, however the message was made; the bytes of a `Message.single`; undefined for an empty message and for a
   * stream, which `message.streamReader()` reads.
   */
  readonly value: T
  /** Who sent it, if it was an actor that said so. */
  readonly sender: ActorRef | undefined
  /** Whether somebody waits for {@link reply} or {@link fail}. */
  readonly isAsk: boolean
  /**
   * Answers the ask, as a handler does by returning `value`: any value, a Message, or a stream. Without effect when the
   * caller has given up.
   *
   * @throws ProbeError when nobody asked, or the ask was answered before
   */
  reply(value?: unknown): void
  /**
   * Answers the ask as a handler does by throwing `error`. Without effect when the caller has given up.
   *
   * @throws ProbeError when nobody asked, or the ask was answered before
   */
  fail(error: unknown): void
}

/** The one implementation of {@link Received}. */
export class ReceivedMessage implements Received {
  readonly message: Message
  readonly value: unknown
  readonly sender: ActorRef | undefined
  readonly isAsk: boolean
  /** What the handler of an ask returns. */
  readonly outcome: Promise<unknown>
  #resolve: (value: unknown) => void
  #reject: (error: unknown) => void
  #answer: 'none' | 'given' | 'unwanted' = 'none'

  constructor(message: Message, sender: ActorRef | undefined, isAsk: boolean) {
    this.message = message
    this.value = messageValue(message)
    this.sender = sender
    this.isAsk = isAsk
    const { promise, resolve, reject } = deferred<unknown>()
    ignoreRejection(promise)
    this.outcome = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  /** Whether an answer is due. */
  get isOpen(): boolean {
    return this.isAsk && this.#answer === 'none'
  }

  reply(value?: unknown): void {
    if (this.#take()) this.#resolve(value)
  }

  fail(error: unknown): void {
    if (this.#take()) this.#reject(error)
  }

  /** Nobody waits any more: the caller has given up, or, with an `error`, the probe was stopped. */
  end(error?: unknown): void {
    if (!this.isOpen) return
    this.#answer = 'unwanted'
    if (error === undefined) this.#resolve(undefined)
    else this.#reject(error)
  }

  /** Whether the answer is still wanted. */
  #take(): boolean {
    const got = messageText(this.message)
    if (!this.isAsk) throw new ProbeError(`expected an ask to answer, got a tell: ${got}`)
    if (this.#answer === 'given') throw new ProbeError(`expected one answer to an ask, got a second to ${got}`)
    const isWanted = this.#answer === 'none'
    this.#answer = 'given'
    return isWanted
  }

  toString(): string {
    return messageText(this.message)
  }
}

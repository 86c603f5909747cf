/**
 * How an actor's messages become calls of its handler: one at a time in turns of a few, or, where it is reentrant, the
 * next while the last one waits. What happens to the actor itself, from start to end, is the cell's business.
 */
import { isThenable, rejected, SETTLED } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import {
  ActorStoppedError,
  isPulsingError,
  MailboxFullError,
  NoSuchMethodError,
  StreamClosedError,
  toActorError,
} from '../base/errors.ts'
import { macrotask } from '../base/macrotask.ts'
import { Message } from '../message/message.ts'
import { IterableSource, isStreamLike, toSource } from '../stream/iterable-source.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { ActorLike, StopReason } from './actor.ts'
import { answersErrors } from './actor.ts'
import type { MessageContext, Receive } from './actor-context.ts'
import type { Ref } from './actor-ref.ts'
import type { ActorRuntime } from './actor-runtime.ts'
import type { SpawnOptions } from './actor-system.ts'
import { Holdings } from './cell-holdings.ts'
import { discardMessage, discardResult, discardStream } from './discarded-result.ts'
import type { Runnable } from './dispatcher.ts'
import type { Envelope } from './envelope.ts'
import { Signal } from './envelope.ts'
import type { Mailbox } from './mailbox.ts'

/**
 * `starting`: in `onStart`. `running`: handles messages. `draining`: waits for handlers before a stop or a restart.
 * `closing`: children and `onStop`. `backoff`: waits to be started again. Messages are taken in all but a stop's.
 */
export type Phase = 'starting' | 'running' | 'draining' | 'closing' | 'backoff' | 'stopped'

export abstract class ActorTurns implements Runnable {
  readonly runtime: ActorRuntime
  abstract readonly ref: Ref
  /** Set by `become`. */
  behavior: Receive | undefined = undefined
  protected actor: ActorLike
  protected phase: Phase = 'starting'
  protected stopReason: StopReason | undefined = undefined
  protected readonly options: SpawnOptions | undefined
  readonly #mailbox: Mailbox
  #isScheduled = false
  /** The message being handled, unless the actor is reentrant and its handler waits. */
  protected current: Envelope | undefined = undefined
  protected held: Holdings | undefined = undefined

  constructor(runtime: ActorRuntime, actor: ActorLike, options: SpawnOptions | undefined, mailbox: Mailbox) {
    this.runtime = runtime
    this.actor = actor
    this.options = options
    this.#mailbox = mailbox
  }

  get holdings(): Holdings {
    return (this.held ??= new Holdings())
  }

  /** Messages that wait for this actor, those whose senders wait outside not counted. */
  get waiting(): number {
    return this.#mailbox.size
  }

  /** What the actor says of itself. @throws whatever its own code throws */
  metadata(): Record<string, string> | undefined {
    return this.actor.metadata?.()
  }

  abstract toString(): string
  protected abstract contextFor(envelope: Envelope): MessageContext
  /** What the handler threw was answered and reported; what now? */
  protected abstract handlerFailed(error: PulsingError): void
  /** A handler ended while the actor waited for that. */
  protected abstract drained(): void

  /** Whether it takes no messages any more. */
  get hasEnded(): boolean {
    return this.stopReason !== undefined
  }

  /** Whether {@link accept} settles at once. */
  get hasRoom(): boolean {
    return this.#mailbox.hasRoom
  }

  /** Takes an envelope into the mailbox; settles when it is in. */
  accept(envelope: Envelope): Promise<void> {
    if (this.stopReason !== undefined) {
      this.#refuse(
        envelope,
        new ActorStoppedError('expected a running actor, got one that has stopped', {
          address: this.toString(),
          outcome: 'not-sent',
        }),
      )
      return SETTLED
    }
    const accepted = this.#mailbox.offer(envelope) ? SETTLED : this.#overflow(envelope)
    if (!this.#isScheduled && this.current === undefined && this.phase === 'running') this.#schedule()
    return accepted
  }

  protected acceptSignal(signal: Signal): void {
    this.#mailbox.signal(signal)
    this.resume()
  }

  #overflow(envelope: Envelope): Promise<void> {
    const { refused, forgotten, accepted } = this.#mailbox.overflow(envelope)
    for (const each of forgotten) this.#drop(each)
    if (refused === undefined) return accepted
    const error = new MailboxFullError('expected room in the mailbox, got a full one', { address: this.toString() })
    this.#refuse(refused, error)
    if (envelope.isAsk) return accepted
    if (refused === envelope && this.#mailbox.failsSenders) return rejected(error)
    // Who floods a full mailbox, and awaits it, lets the event loop have its turn.
    return new Promise(macrotask)
  }

  run(limit: number): number {
    this.#isScheduled = false
    let handled = 0
    for (; handled < limit && this.current === undefined && this.phase === 'running'; handled++) {
      const envelope = this.#mailbox.next()
      if (envelope === undefined) return handled
      if (envelope.isCancelled) this.#drop(envelope)
      else this.#handle(envelope)
    }
    this.resume()
    return handled
  }

  #schedule(): void {
    this.#isScheduled = true
    this.runtime.dispatcher.schedule(this)
  }

  protected resume(): void {
    if (this.current === undefined && !this.#isScheduled && this.phase === 'running' && this.#mailbox.size > 0)
      this.#schedule()
  }

  #handle(envelope: Envelope): void {
    this.current = envelope
    envelope.isStashed = false
    try {
      const context = this.contextFor(envelope)
      const result = this.behavior
        ? this.behavior(envelope.message, context)
        : this.actor.receive(envelope.message, context)
      if (isThenable(result)) this.#await(envelope, result)
      else this.#succeeded(envelope, result)
    } catch (error) {
      this.#failed(envelope, error)
    }
  }

  #await(envelope: Envelope, result: PromiseLike<unknown>): void {
    if (this.options?.reentrant) this.#letOthersIn(envelope)
    // A thenable of somebody else's may call back twice, or at once: a promise does neither.
    const promise = result instanceof Promise ? result : Promise.resolve(result)
    promise.then(
      (value) => {
        this.#succeeded(envelope, value)
        this.resume()
      },
      (error: unknown) => {
        this.#failed(envelope, error)
        this.resume()
      },
    )
  }

  /** The handler of a reentrant actor waits: the next message may come in, if there is room for one more. */
  #letOthersIn(envelope: Envelope): void {
    const inFlight = (this.holdings.inFlight ??= new Set())
    inFlight.add(envelope)
    if (inFlight.size < this.#mailbox.capacity) this.current = undefined
  }

  /** The handling of `envelope` is over; false when it was given up before. */
  protected leave(envelope: Envelope): boolean {
    const inFlight = this.held?.inFlight
    if (inFlight?.delete(envelope)) {
      if (this.current === envelope || (this.current && inFlight.has(this.current))) this.current = undefined
      return true
    }
    if (this.current !== envelope) return false
    this.current = undefined
    return true
  }

  #succeeded(envelope: Envelope, result: unknown): void {
    if (!this.leave(envelope)) {
      discardResult(result)
      return
    }
    if (!envelope.isStashed) {
      if (typeof result !== 'object' || result === null) envelope.succeed(result)
      else this.#answer(envelope, result)
      envelope.forget()
    } else if (envelope.isReturning) {
      envelope.isReturning = false
      this.#mailbox.putBack(envelope)
    }
    if (this.phase !== 'running') this.drained()
  }

  #answer(envelope: Envelope, result: object): void {
    if (!envelope.isAsk || result instanceof Message || result instanceof StreamReader || !isStreamLike(result)) {
      envelope.succeed(result)
      return
    }
    try {
      const { holdings } = this
      const streams = (holdings.streams ??= new Set())
      const source = toSource(result, (reason) => {
        if (source instanceof IterableSource) streams.delete(source)
        envelope.cancel(
          reason ??
            new StreamClosedError('expected a reader of the stream, got one that has left or read it to the end', {
              address: this.toString(),
            }),
        )
      })
      if (source instanceof IterableSource) streams.add(source)
      envelope.isStreaming = true
      envelope.succeed(new StreamReader(source))
    } catch (error) {
      envelope.fail(toActorError(error, this.toString()))
    }
  }

  #failed(envelope: Envelope, thrown: unknown): void {
    if (!this.leave(envelope)) return
    const error = this.#ofHandled(toActorError(thrown, this.toString()))
    const isGivenUp = endsWithCaller(envelope, thrown)
    discardStream(envelope.message)
    this.unstash(envelope)
    envelope.fail(error)
    envelope.forget()
    this.runtime.reportFailure(this.ref, error, envelope.isAsk)
    if (this.phase !== 'running') this.drained()
    else if (!isGivenUp && (!this.actor[answersErrors] || this.#isMethodFailure(error))) this.handlerFailed(error)
  }

  /** A handler that asked its own actor, in vain, hands on what it got: that message was not handled, this one was. */
  #ofHandled(error: PulsingError): PulsingError {
    if (!(error instanceof ActorStoppedError) || error.outcome !== 'not-sent' || error.address !== this.toString())
      return error
    return new ActorStoppedError(error.message, { address: error.address, cause: error })
  }

  /** Whether an error of a class actor is more than a reply: its policy says so, and it is no refusal of its own. */
  #isMethodFailure(error: PulsingError): boolean {
    if (this.options?.restart?.methodErrors !== 'failure') return false
    return !(error instanceof NoSuchMethodError && error.address === this.toString())
  }

  stash(envelope: Envelope): void {
    if (envelope.isStashed) return
    envelope.isStashed = true
    ;(this.holdings.stashed ??= []).push(envelope)
  }

  /** A message that was set aside, and whose outcome is known all the same, does not come back. */
  protected unstash(envelope: Envelope): void {
    const stashed = this.held?.stashed
    if (!envelope.isStashed) return
    if (stashed?.includes(envelope)) stashed.splice(stashed.indexOf(envelope), 1)
    // It may be back in the mailbox already.
    else envelope.cancel(undefined)
  }

  unstashAll(): void {
    const stashed = this.held?.stashed
    if (!stashed) return
    // The message being handled may have stashed itself: it is not done yet, and comes back behind the earlier ones.
    for (const envelope of stashed.splice(0).reverse()) {
      if (this.held?.inFlight?.has(envelope)) envelope.isReturning = true
      else this.#mailbox.putBack(envelope)
    }
    this.resume()
  }

  protected handling(): Envelope[] {
    const handling = [...(this.held?.inFlight ?? [])]
    if (this.current && !handling.includes(this.current)) handling.push(this.current)
    return handling
  }

  protected refuseAll(): void {
    const envelopes = [...(this.held?.stashed?.splice(0) ?? []), ...this.#mailbox.drain()]
    if (envelopes.length === 0) return
    const message = 'the actor stopped before it handled this message'
    const address = this.toString()
    const error = new ActorStoppedError(message, { address, outcome: 'not-sent' })
    // One that was set aside has been in the handler.
    const setAside = new ActorStoppedError(message, { address })
    for (const envelope of envelopes) this.#refuse(envelope, envelope.isStashed ? setAside : error)
  }

  #refuse(envelope: Envelope, error: ActorStoppedError | MailboxFullError): void {
    discardMessage(envelope.message)
    envelope.fail(error)
    if (!(envelope instanceof Signal)) this.runtime.deadLetter(this.toString(), envelope.message.msgType, error.code)
  }

  /** A message its sender no longer waits for: it settled when that was so. */
  #drop(envelope: Envelope): void {
    if (envelope instanceof Signal || envelope.isForgotten) return
    discardMessage(envelope.message)
    const { cancelReason } = envelope
    const reason = isPulsingError(cancelReason) ? cancelReason.code : 'cancelled'
    this.runtime.deadLetter(this.toString(), envelope.message.msgType, reason)
  }
}

/** Whether a handler ended because its caller gave up, as `fetch` does with `ctx.signal`: that is no failure of the actor. */
function endsWithCaller(envelope: Envelope, thrown: unknown): boolean {
  if (!envelope.isCancelled) return false
  const { name } = (thrown ?? {}) as { readonly name?: unknown }
  return thrown === envelope.cancelReason || name === 'AbortError' || name === 'TimeoutError'
}

/**
 * Promises told to actors: the outcome arrives as a message, in turn with all others, so that a handler need not wait
 * for it, nor touch the actor's state outside its turn.
 */
import type { ActorContext } from '../actor/actor-context.ts'
import type { ActorRef, AskOptions } from '../actor/actor-ref.ts'
import { ignoreRejection } from '../base/deferred.ts'

/** The outcome of a promise, as {@link pipeTo} and {@link pipeToSelf} tell it. */
export type Piped<T> =
  | { readonly ok: true; readonly value: T }
  /** To another node an `error` travels as any value does: a plain Error with its message. */
  | { readonly ok: false; readonly error: unknown }

/** What {@link pipeTo} tells, and in whose name. */
export interface PipeOptions<T> {
  /** Makes the message. Default: the outcome itself. */
  readonly map?: (outcome: Piped<T>) => unknown
  /** What stands for an error in the outcome. Default: the error itself. */
  readonly mapError?: (error: unknown) => unknown
  /** Who the receiver sees as `ctx.sender`. Default: nobody. */
  readonly sender?: ActorRef | undefined
}

/**
 * Tells `ref` the outcome of `promise`, when it is known. If `map` or `mapError` throws, the receiver is told
 * `{ ok: false, error }` with what was thrown.
 *
 * @returns a promise that settles as the `tell` does; nobody need look at it, it is never reported as unhandled
 *
 * @example
 * ```ts
 * import { createActorSystem } from 'pulsing'
 * import { pipeTo } from 'pulsing/patterns'
 *
 * const system = await createActorSystem()
 * const seen: unknown[] = []
 * const log = await system.spawn({ receive: (msg) => void seen.push(msg.toObject()) })
 * await pipeTo(Promise.resolve(42), log)
 * await pipeTo(Promise.reject(new Error('away')), log, { mapError: String })
 * await system.shutdown()
 * seen // [{ ok: true, value: 42 }, { ok: false, error: 'Error: away' }]
 * ```
 */
export function pipeTo<T>(promise: PromiseLike<T>, ref: ActorRef, options: PipeOptions<T> = {}): Promise<void> {
  const { sender } = options
  return piped(promise, options, (message) => ref.tell(message, { sender } as AskOptions))
}

/**
 * Tells this actor the outcome of `promise`, with itself as sender, when it is known. An actor that has stopped until
 * then is not told: the outcome is a dead letter.
 *
 * @param map makes the message, which is the outcome itself without it; when it throws, the actor is told
 * `{ ok: false, error }`
 *
 * @example
 * ```ts
 * import { createActorSystem, Message } from 'pulsing'
 * import { pipeToSelf } from 'pulsing/patterns'
 *
 * const system = await createActorSystem()
 * let loaded: unknown
 * const page = await system.spawn({
 *   receive(msg, ctx) {
 *     if (msg.msgType === 'loaded') loaded = msg.toObject()
 *     else pipeToSelf(ctx, Promise.resolve('text'), (outcome) => Message.fromObject('loaded', outcome)) // goes on at once
 *   },
 * })
 * await page.ask('load')
 * await page.ask('load') // handled after what the first one piped
 * await system.shutdown()
 * loaded // { ok: true, value: 'text' }
 * ```
 */
export function pipeToSelf<T>(
  ctx: Pick<ActorContext, 'self' | 'tell'>,
  promise: PromiseLike<T>,
  map?: (outcome: Piped<T>) => unknown,
): void {
  void piped(promise, { ...(map ? { map } : {}) }, (message) => ctx.tell(ctx.self, message))
}

function piped<T>(
  promise: PromiseLike<T>,
  { map = (outcome) => outcome, mapError = (error) => error }: PipeOptions<T>,
  tell: (message: unknown) => Promise<void>,
): Promise<void> {
  const told = Promise.resolve(promise)
    .then(
      (value) => map({ ok: true, value }),
      (error: unknown) => map({ ok: false, error: mapError(error) }),
    )
    .catch((error: unknown): Piped<T> => ({ ok: false, error }))
    .then(tell)
  ignoreRejection(told)
  return told
}

/**
 * Functions as arguments: the function stays where it is, behind an actor of its own, and whoever gets the message holds
 * a function that asks that actor. It can be called until it is disposed of, or the actor it was lent to has ended.
 */
import { ignoreRejection } from '../base/deferred.ts'
import { dispose } from '../base/disposal.ts'
import { Message } from '../message/message.ts'
import type { ActorLike, StopReason } from './actor.ts'
import type { ActorContext } from './actor-context.ts'
import type { Callback } from './actor-proxy.ts'
import type { ActorRef, Recipient } from './actor-ref.ts'
import type { ActorRuntime } from './actor-runtime.ts'
import type { Watcher } from './terminated.ts'

type AnyFunction = (...args: unknown[]) => unknown

/** Types of the messages a callback's actor gets: a call, whose value is the list of arguments, and the end. */
const CALL_TYPE = '@callback'
export const RELEASE_TYPE = '@release'

/** The actor behind a function that was lent. */
class CallbackActor implements ActorLike {
  readonly #callback: AnyFunction

  constructor(callback: AnyFunction) {
    this.#callback = callback
  }

  receive(msg: Message, ctx: ActorContext): unknown {
    if (msg.msgType !== RELEASE_TYPE) return this.#callback(...msg.toObject<unknown[]>())
    ctx.stop()
    return undefined
  }
}

/** Gives `callback` an actor of this node, which ends with `holder`. */
export function lendCallback(callback: AnyFunction, runtime: ActorRuntime, holder: Recipient | undefined): ActorRef {
  const cell = runtime.startInternal(new CallbackActor(callback), { reentrant: true })
  const watcher: Watcher = { terminated: (_ref: ActorRef, reason: StopReason) => void cell.abort(reason) }
  holder?.watch(watcher)
  cell.watch({ terminated: () => holder?.unwatch(watcher) })
  return cell.ref
}

const released = /* @__PURE__ */ new FinalizationRegistry<Recipient>(release)

function release(recipient: Recipient): void {
  ignoreRejection(recipient.tell(Message.fromObject(RELEASE_TYPE, undefined), undefined))
}

/** A function that calls the one behind `recipient`. Forgotten, it is disposed of when the engine collects it. */
export function borrowCallback(recipient: Recipient): Callback<AnyFunction> {
  const callback = (...args: unknown[]): Promise<unknown> => {
    const reply = recipient.ask(Message.fromObject(CALL_TYPE, args), true, undefined)
    // Whoever calls it as a plain function, without awaiting, is not to end the process when it is gone.
    ignoreRejection(reply)
    return reply
  }
  let isOver = false
  const end = (): void => {
    if (isOver) return
    isOver = true
    released.unregister(callback)
    release(recipient)
  }
  Object.defineProperty(callback, dispose, { value: end })
  released.register(callback, recipient, callback)
  return callback as Callback<AnyFunction>
}

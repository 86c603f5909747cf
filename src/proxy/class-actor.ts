/** An actor around an instance of a user's class: calls become method calls, and their outcome the reply. */
import type { ActorLike, StopReason } from '../actor/actor.ts'
import { answersErrors } from '../actor/actor.ts'
import type { ActorContext } from '../actor/actor-context.ts'
import type { ActorRef } from '../actor/actor-ref.ts'
import type { Decision } from '../actor/supervision.ts'
import type { PulsingError } from '../base/errors.ts'
import { describe, NoSuchMethodError, PulsingUnsupportedError } from '../base/errors.ts'
import type { Message } from '../message/message.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import { parseCall } from './call.ts'
import { findMethod, noSuchMethod } from './method-guard.ts'

/** A class without a name, in errors. */
const UNNAMED = 'a class without a name'

const contexts = /* @__PURE__ */ new WeakMap<object, ActorContext>()

/**
 * The context of the message an instance of an `asActor` class is handling. Read it before the first `await`: a
 * generator's steps run beside later calls.
 *
 * @throws PulsingUnsupportedError for an instance that does not run as an actor
 */
export function contextOf(instance: object): ActorContext {
  const context = contexts.get(instance)
  if (!context)
    throw new PulsingUnsupportedError(
      `expected an instance that runs as an actor, got ${describe(instance)}, which does not`,
    )
  return context
}

interface Hooks {
  onStart?(ctx: ActorContext): void | Promise<void>
  onStop?(ctx: ActorContext, reason: StopReason): void | Promise<void>
  onChildFailure?(child: ActorRef, error: PulsingError, ctx: ActorContext): Decision | undefined
  metadata?(): Record<string, string>
  receive?(msg: Message, ctx: ActorContext): unknown
}

interface AnyIterator {
  next(): unknown
  return?(): unknown
}

function isIterator(value: unknown): value is AnyIterator {
  if (typeof value !== 'object' || value === null || value instanceof Promise || value instanceof StreamReader)
    return false
  if (!('next' in value) || typeof value.next !== 'function') return false
  return Symbol.asyncIterator in value || Symbol.iterator in value
}

export class ClassActor implements ActorLike {
  readonly [answersErrors] = true
  readonly #instance: object & Hooks
  readonly #type: string
  readonly #methods = new Map<string, (...args: unknown[]) => unknown>()

  /** @param type the name its class goes by; empty for a class that has none */
  constructor(instance: object, type: string) {
    this.#instance = instance
    this.#type = type
  }

  receive(msg: Message, ctx: ActorContext): unknown {
    contexts.set(this.#instance, ctx)
    const call = parseCall(msg)
    if (!call) {
      if (this.#instance.receive) return this.#instance.receive(msg, ctx)
      throw new NoSuchMethodError(
        `expected a method call for ${this.#type || UNNAMED}, got a message of type ${describe(msg.msgType)}`,
        { address: String(ctx.self) },
      )
    }
    const [name, args] = call
    const result = this.#method(name, ctx).apply(this.#instance, args as unknown[])
    return isIterator(result) ? this.#inContext(result, ctx) : result
  }

  /** A generator's body runs beside later calls: each of its steps finds the context of its own call. */
  #inContext(iterator: AnyIterator, ctx: ActorContext): AnyIterator {
    const step = (run: () => unknown): unknown => {
      const before = contexts.get(this.#instance)
      contexts.set(this.#instance, ctx)
      try {
        return run()
      } finally {
        if (before) contexts.set(this.#instance, before)
      }
    }
    const stepped: AnyIterator = {
      next: () => step(() => iterator.next()),
      return: () => step(() => iterator.return?.()),
    }
    const symbol = Symbol.asyncIterator in iterator ? Symbol.asyncIterator : Symbol.iterator
    return Object.assign(stepped, { [symbol]: () => stepped })
  }

  async onStart(ctx: ActorContext): Promise<void> {
    contexts.set(this.#instance, ctx)
    await this.#instance.onStart?.(ctx)
  }

  async onStop(ctx: ActorContext, reason: StopReason): Promise<void> {
    contexts.set(this.#instance, ctx)
    await this.#instance.onStop?.(ctx, reason)
  }

  onChildFailure(child: ActorRef, error: PulsingError, ctx: ActorContext): Decision | undefined {
    return this.#instance.onChildFailure?.(child, error, ctx)
  }

  metadata(): Record<string, string> {
    return { ...(this.#type ? { class: this.#type } : {}), ...this.#instance.metadata?.() }
  }

  #method(name: string, ctx: ActorContext): (...args: unknown[]) => unknown {
    let method = this.#methods.get(name)
    if (method === undefined) {
      method = findMethod(Object.getPrototypeOf(this.#instance), name)
      if (!method) throw noSuchMethod(this.#type || UNNAMED, name, String(ctx.self))
      this.#methods.set(name, method)
    }
    return method
  }
}

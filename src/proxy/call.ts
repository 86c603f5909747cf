/** A method call as a message, and the pending call a proxy hands out. */

import type { Cancellation } from '../actor/actor-ref.ts'
import { PulsingUnsupportedError } from '../base/errors.ts'
import { Message } from '../message/message.ts'
import { StreamReader } from '../stream/stream-reader.ts'

/** Type of call messages; their value is `[method, args]`. */
export const CALL_TYPE = '@call'

export function callMessage(method: string, args: readonly unknown[]): Message {
  return Message.fromObject(CALL_TYPE, [method, args])
}

/** The method and arguments of a call message, or undefined if its value is none. */
export function parseCall(message: Message): readonly [method: string, args: readonly unknown[]] | undefined {
  if (message.isStream || message.msgType !== CALL_TYPE) return undefined
  const value = message.toObject()
  if (!Array.isArray(value) || value.length !== 2) return undefined
  const [method, args] = value
  return typeof method === 'string' && Array.isArray(args) ? [method, args] : undefined
}

/**
 * A call on its way. It is a promise of the result; where the method streams, it is the stream as well, so that
 * `for await (const item of proxy.count(3))` needs no second `await`.
 */
export class Call<T = unknown> extends Promise<T> {
  #reader: StreamReader | undefined
  #cancellation: Cancellation | undefined

  /** The call whose result `reply` will be. */
  static of(reply: Promise<unknown>, cancellation: Cancellation): Call {
    const call: Call = new Call((resolve, reject) => void reply.then(resolve, reject))
    call.#cancellation = cancellation
    return call
  }

  // A native promise, to the engine: `await` and `then` need no detour through this class.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  get #stream(): StreamReader {
    this.#reader ??= new StreamReader(
      this.then((reply) => {
        if (reply instanceof StreamReader) return reply.detach()
        if (reply instanceof Message && reply.isStream) return reply.streamReader().detach()
        throw new PulsingUnsupportedError('expected a method that streams, got one that returned a single value')
      }),
      (reason) => this.#cancellation?.cancel?.(reason),
    )
    return this.#reader
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return this.#stream.next()
  }
  return(): Promise<IteratorResult<unknown, undefined>> {
    return this.#stream.return()
  }
  cancel(reason?: unknown): Promise<void> {
    return this.#stream.cancel(reason)
  }
  get readable(): ReadableStream<unknown> {
    return this.#stream.readable
  }
  [Symbol.asyncIterator](): StreamReader {
    return this.#stream
  }
}

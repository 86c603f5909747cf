/** A stream's items as messages: those written as messages are theirs, all others become messages of the stream's type. */
import { Message } from '../message/message.ts'
import type { StreamSource } from '../stream/stream-source.ts'

export class MessageSource implements StreamSource<Message> {
  readonly window: number
  readonly #items: StreamSource
  readonly #msgType: string

  constructor(items: StreamSource, msgType: string) {
    this.#items = items
    this.#msgType = msgType
    this.window = items.window
  }

  take(): IteratorResult<Message, undefined> | Promise<IteratorResult<Message, undefined>> {
    const result = this.#items.take()
    return result instanceof Promise ? result.then(this.#wrap) : this.#wrap(result)
  }

  acknowledge(count: number): void {
    this.#items.acknowledge(count)
  }

  cancel(reason?: unknown): void {
    this.#items.cancel(reason)
  }

  readonly #wrap = (result: IteratorResult<unknown, undefined>): IteratorResult<Message, undefined> => {
    if (result.done) return result
    return {
      done: false,
      value: result.value instanceof Message ? result.value : Message.fromObject(this.#msgType, result.value),
    }
  }
}

/** The producer's end of a stream. */
import { StreamError } from '../base/errors.ts'
import type { StreamChannel } from './stream-channel.ts'

/**
 * Writes objects to a stream; made by `StreamMessage.create`. Writes keep their order, also when not awaited.
 *
 * Not awaiting `write` gives up back-pressure: items then wait in memory.
 */
export class StreamWriter<T = unknown> {
  readonly #channel: StreamChannel<T>
  #controller: AbortController | undefined
  #writable: WritableStream<T> | undefined

  constructor(channel: StreamChannel<T>) {
    this.#channel = channel
    channel.onCancel = (reason) => this.#controller?.abort(reason)
  }

  /**
   * Adds one item. Resolves when it is among the `bufferSize` items the writer may be ahead: it waits while that many
   * are unread by the consumer, wherever it is.
   *
   * @throws StreamClosedError when the reader is gone or the stream was closed
   */
  write(item: T): Promise<void> {
    return this.#channel.write(item)
  }

  /**
   * Ends the stream after all items written; resolves when none of them waits for room. Calling it again does nothing.
   */
  close(): Promise<void> {
    return this.#channel.end()
  }

  /**
   * Ends the stream: the reader gets all items written so far, then a StreamError with `message`. After `close` it does
   * nothing.
   */
  error(message: string): Promise<void> {
    return this.fail(new StreamError(message))
  }

  /** Like {@link error}, with an error of your own, which the reader gets as it is on this node. */
  fail(error: unknown): Promise<void> {
    return this.#channel.end({ error })
  }

  /** Aborted when the reader cancels or is gone; the reason is what the reader gave, if it gave one. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#channel.isCancelled) this.#controller.abort(this.#channel.cancelReason)
    }
    return this.#controller.signal
  }

  /**
   * This writer as a web stream: closing it calls {@link close}, aborting it {@link error} with the reason's message.
   */
  get writable(): WritableStream<T> {
    this.#writable ??= new WritableStream<T>(
      {
        start: (controller) => {
          this.signal.addEventListener('abort', () => controller.error(this.signal.reason), { once: true })
        },
        write: (item) => this.write(item),
        close: () => this.close(),
        abort: (reason) => this.error(reason instanceof Error ? reason.message : String(reason ?? 'aborted')),
      },
      { highWaterMark: 1 },
    )
    return this.#writable
  }
}

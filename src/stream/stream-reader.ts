/** The consumer's end of a stream. */
import { StreamClosedError } from '../base/errors.ts'
import type { StreamSource } from './stream-source.ts'
import { DONE } from './stream-source.ts'

/**
 * Reads a stream's items in order: `for await (const item of reader)`, or `reader.readable` as a web stream. Leaving the
 * loop cancels the stream: the producer's next write fails and its `signal` aborts. After the end, `next()` is done for ever.
 *
 * A lost connection is an error, never a clean end.
 */
export class StreamReader<T = unknown> implements AsyncIterableIterator<T, undefined> {
  #source: StreamSource<T> | undefined
  #opening: Promise<StreamSource<T>> | undefined
  #previous: Promise<unknown> | undefined
  #readable: ReadableStream<T> | undefined
  #isOver = false

  /** @param source the items, or the promise of them; a rejection is what the first `next()` throws */
  constructor(source: StreamSource<T> | Promise<StreamSource<T>>) {
    if ('then' in source) {
      this.#opening = source
      source.then(
        (opened) => {
          this.#source = opened
          if (this.#isOver) opened.cancel()
        },
        () => undefined,
      )
    } else this.#source = source
  }

  /** The next item. Calls may overlap; they are answered in order. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return Promise.resolve(DONE)
    if (this.#previous) {
      const turn = this.#previous.then(
        () => this.#take(),
        () => this.#take(),
      )
      return this.#track(turn)
    }
    return this.#track(this.#take())
  }

  /** Ends reading; the producer is told at once. */
  async cancel(reason?: unknown): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#source?.cancel(reason)
  }

  /** Ends reading, as leaving a `for await` loop does. */
  async return(): Promise<IteratorResult<T, undefined>> {
    await this.cancel()
    return DONE
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The same stream as a web `ReadableStream`, item by item as it is pulled. Use either this or the iterator. */
  get readable(): ReadableStream<T> {
    this.#readable ??= new ReadableStream<T>(
      {
        pull: async (controller) => {
          const { done, value } = await this.next()
          if (done) controller.close()
          else controller.enqueue(value)
        },
        cancel: (reason) => this.cancel(reason),
      },
      { highWaterMark: 0 },
    )
    return this.#readable
  }

  /** Hands the source over to another consumer; this reader is over. For forwarding a stream without reading it. */
  detach(): StreamSource<T> | Promise<StreamSource<T>> {
    if (this.#isOver)
      throw new StreamClosedError('expected an unread stream, got one that is read or cancelled already')
    const source = this.#source ?? this.#opening!
    this.#source = undefined
    this.#isOver = true
    return source
  }

  #track(
    turn: IteratorResult<T, undefined> | Promise<IteratorResult<T, undefined>>,
  ): Promise<IteratorResult<T, undefined>> {
    if (!(turn instanceof Promise)) return Promise.resolve(turn)
    this.#previous = turn
    const clear = (): void => {
      if (this.#previous === turn) this.#previous = undefined
    }
    turn.then(clear, clear)
    return turn
  }

  #take(): IteratorResult<T, undefined> | Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return DONE
    const source = this.#source
    if (!source) return this.#opening!.then(() => this.#take(), this.#fail)
    const result = source.take()
    return result instanceof Promise ? result.then(this.#settle, this.#fail) : this.#settle(result)
  }

  readonly #settle = (result: IteratorResult<T, undefined>): IteratorResult<T, undefined> => {
    if (result.done) this.#isOver = true
    else this.#source?.acknowledge(1)
    return result
  }

  readonly #fail = (error: unknown): never => {
    this.#isOver = true
    throw error
  }
}

/** The consumer's end of a stream. */
import type { Deferred } from '../base/deferred.ts'
import { deferred, ignoreRejection } from '../base/deferred.ts'
import { StreamClosedError } from '../base/errors.ts'
import { heldBy, released } from './abandoned.ts'
import { dueTurn } from './fair-share.ts'
import type { StreamSource } from './stream-source.ts'
import { DONE } from './stream-source.ts'

type Result<T> = IteratorResult<T, undefined>

/**
 * Reads a stream's items in order: `for await (const item of reader)`, or `reader.readable` as a web stream. Leaving
 * the loop cancels the stream: the producer's next write fails and its `signal` aborts. After the end, `next()` is done
 * for ever.
 *
 * A lost connection is an error, never a clean end. A reader that is dropped without being read to its end is cancelled
 * when the engine collects it.
 *
 * @example
 * ```ts
 * import { StreamMessage } from 'pulsing'
 *
 * const [message, writer] = StreamMessage.create<string>()
 * const reader = message.streamReader<string>()
 * void writer.write('first')
 * for await (const item of reader) if (item === 'first') break
 * writer.signal.aborted // true: leaving the loop cancelled the stream
 * ```
 */
export class StreamReader<T = unknown> implements AsyncIterableIterator<T, undefined> {
  #source: StreamSource<T> | undefined
  #opening: Promise<StreamSource<T>> | undefined
  readonly #onEarlyCancel: ((reason: unknown) => void) | undefined
  #waiting: Deferred<Result<T>> | undefined
  #tail: Promise<Result<T>> | undefined
  #readable: ReadableStream<T> | undefined
  #state: 'reading' | 'over' | 'detached' = 'reading'

  /**
   * @param source the items, or the promise of them; a rejection is what the first `next()` throws
   * @param onEarlyCancel called when the reader is cancelled before that promise settles
   */
  constructor(source: StreamSource<T> | Promise<StreamSource<T>>, onEarlyCancel?: (reason: unknown) => void) {
    heldBy(this, source)
    if (source instanceof Promise) {
      this.#opening = source
      this.#onEarlyCancel = onEarlyCancel
      source.then(
        (opened) => {
          if (this.#state === 'over') opened.cancel()
          else if (this.#state === 'reading') this.#source = opened
        },
        // Whoever reads is told by `next`.
        () => undefined,
      )
    } else this.#source = source
  }

  /**
   * The next item. Calls may overlap; they are answered in order.
   *
   * @throws StreamError when the producer ended the stream with a message
   * @throws UnreachableError, SessionResetError when the producer's node was lost
   * @throws whatever else the producer failed with, once; then the stream is done
   */
  next(): Promise<Result<T>> {
    const before = this.#tail ?? this.#waiting?.promise
    return before ? this.#queue(before.then(this.#step, this.#step)) : this.#step()
  }

  /** Calls that overlap wait for each other; the last of them is the tail. */
  #queue(turn: Promise<Result<T>>): Promise<Result<T>> {
    this.#tail = turn
    const clear = (): void => {
      if (this.#tail === turn) this.#tail = undefined
    }
    turn.then(clear, clear)
    return turn
  }

  readonly #step = (): Promise<Result<T>> => {
    if (this.#state !== 'reading') return Promise.resolve(DONE)
    if (!this.#source) return this.#wait(this.#opening!.then((source) => source.take()))
    let result: Result<T> | Promise<Result<T>>
    try {
      result = this.#source.take()
    } catch (error) {
      this.#leave('over')
      return Promise.reject(error)
    }
    const turn = dueTurn()
    if (turn) {
      // It may fail before anybody looks at it.
      if (result instanceof Promise) ignoreRejection(result)
      return this.#wait(turn.then(() => result))
    }
    return result instanceof Promise ? this.#wait(result) : Promise.resolve(this.#taken(result))
  }

  /** Ends reading; the producer is told at once, and its `signal` aborts. Does nothing when the stream is over. */
  async cancel(reason?: unknown): Promise<void> {
    if (this.#state !== 'reading') return
    this.#leave('over')
    if (this.#source) this.#source.cancel(reason)
    else this.#onEarlyCancel?.(reason)
    this.#settle()?.resolve(DONE)
  }

  /** Ends reading, as leaving a `for await` loop does. */
  async return(): Promise<Result<T>> {
    await this.cancel()
    return DONE
  }

  /** The reader itself: there is one pass over a stream. */
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

  /**
   * Hands the source over to another consumer; this reader is over. For forwarding a stream without reading it.
   *
   * @throws StreamClosedError when it is over already, or being read at this moment
   */
  detach(): StreamSource<T> | Promise<StreamSource<T>> {
    if (this.#state !== 'reading' || this.#waiting) {
      throw new StreamClosedError('expected a stream nobody reads, got one that is read, being read or cancelled')
    }
    this.#leave('detached')
    return this.#source ?? this.#opening!
  }

  #wait(taking: Promise<Result<T>>): Promise<Result<T>> {
    const waiting = deferred<Result<T>>()
    this.#waiting = waiting
    taking.then(
      (result) => {
        if (this.#waiting === waiting) this.#settle()?.resolve(this.#taken(result))
      },
      (error: unknown) => {
        if (this.#waiting !== waiting) return
        this.#leave('over')
        this.#settle()?.reject(error)
      },
    )
    return waiting.promise
  }

  #leave(state: 'over' | 'detached'): void {
    this.#state = state
    released(this)
  }

  #settle(): Deferred<Result<T>> | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    return waiting
  }

  #taken(result: Result<T>): Result<T> {
    if (result.done) this.#leave('over')
    else this.#source?.acknowledge(1)
    return result
  }
}

/**
 * Generators, async iterables and web streams as stream sources. Nothing runs ahead: an item is produced when the
 * consumer asks for it, so the window only bounds what a link may prefetch.
 */
import type { Deferred } from '../base/deferred.ts'
import { deferred, ignoreRejection } from '../base/deferred.ts'
import { toActorError } from '../base/errors.ts'
import { DEFAULT_BUFFER_SIZE } from './stream-channel.ts'
import { StreamReader } from './stream-reader.ts'
import type { StreamSource } from './stream-source.ts'
import { DONE } from './stream-source.ts'

export class IterableSource<T> implements StreamSource<T> {
  readonly window = DEFAULT_BUFFER_SIZE
  readonly #iterator: AsyncIterator<T> | Iterator<T>
  readonly #onEnd: ((reason: unknown) => void) | undefined
  #isOver = false
  #failure: { readonly error: unknown } | undefined
  #taking: Deferred<IteratorResult<T, undefined>> | undefined

  /** @param onEnd called once, when the items end, fail or are no longer wanted; with why, if the producer was ended */
  constructor(iterator: AsyncIterator<T> | Iterator<T>, onEnd?: (reason: unknown) => void) {
    this.#iterator = iterator
    this.#onEnd = onEnd
  }

  take(): Promise<IteratorResult<T, undefined>> {
    const failure = this.#failure
    this.#failure = undefined
    if (failure) return Promise.reject(failure.error)
    if (this.#isOver) return Promise.resolve(DONE)
    const taking = deferred<IteratorResult<T, undefined>>()
    this.#taking = taking
    void this.#produce(taking)
    return taking.promise
  }

  async #produce(taking: Deferred<IteratorResult<T, undefined>>): Promise<void> {
    let isYielded = false
    try {
      const result = await this.#iterator.next()
      if (!result.done) {
        isYielded = true
        const value = await result.value
        this.#taking = undefined
        taking.resolve({ done: false, value })
        return
      }
    } catch (error) {
      if (isYielded) this.#close()
      this.#end()
      taking.reject(toActorError(error))
      return
    }
    this.#end()
    taking.resolve(DONE)
  }

  acknowledge(): void {}

  cancel(): void {
    if (this.#isOver) return
    this.#close()
    this.#end()
  }

  /** Ends it from the producer's side: the consumer gets `error`, the generator runs its `finally`. */
  fail(error: unknown): void {
    if (this.#isOver) return
    const taking = this.#taking
    if (taking) taking.reject(error)
    else this.#failure = { error }
    this.#close()
    this.#end(error)
  }

  /** Runs the generator's `finally`. What it throws has nobody left to hear it. */
  #close(): void {
    ignoreRejection(Promise.resolve().then(() => this.#iterator.return?.()))
  }

  #end(reason?: unknown): void {
    this.#taking = undefined
    if (this.#isOver) return
    this.#isOver = true
    this.#onEnd?.(reason)
  }
}

/** Whether a handler's result is answered as a stream: generators, async iterables, web streams. Arrays, strings, Maps, Sets and typed arrays are values. */
export function isStreamLike(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  if (Symbol.asyncIterator in value) return true
  // `in` first: a proxy of an actor answers any name it is asked for with a method, or an error.
  if ('next' in value && typeof value.next === 'function') return Symbol.iterator in value
  return 'getReader' in value && typeof value.getReader === 'function'
}

/** The source behind anything {@link isStreamLike} accepts. */
export function toSource(value: object, onEnd?: (reason: unknown) => void): StreamSource | Promise<StreamSource> {
  if (value instanceof StreamReader) return value.detach()
  if (typeof (value as { getReader?: unknown }).getReader === 'function') {
    return new IterableSource(readWebStream(value as ReadableStream<unknown>), onEnd)
  }
  const iterable = value as Partial<AsyncIterable<unknown> & Iterable<unknown>>
  return new IterableSource(iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]!(), onEnd)
}

/** `for await` over a web stream, which not every engine has. */
function readWebStream(stream: ReadableStream<unknown>): AsyncIterator<unknown> {
  const reader = stream.getReader()
  return {
    next: async () => {
      const { done, value } = await reader.read()
      return done ? DONE : { done: false, value }
    },
    return: async () => {
      await reader.cancel()
      return DONE
    },
  }
}

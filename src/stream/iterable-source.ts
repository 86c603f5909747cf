/**
 * Generators, async iterables and web streams as stream sources. Nothing runs ahead: an item is produced when the
 * consumer asks for it, so the window only bounds what a link may prefetch.
 */
import { ignoreRejection } from '../base/deferred.ts'
import { toActorError } from '../base/errors.ts'
import { DEFAULT_BUFFER_SIZE } from './stream-channel.ts'
import { StreamReader } from './stream-reader.ts'
import type { StreamSource } from './stream-source.ts'
import { DONE } from './stream-source.ts'

export class IterableSource<T> implements StreamSource<T> {
  readonly window = DEFAULT_BUFFER_SIZE
  readonly #iterator: AsyncIterator<T> | Iterator<T>
  readonly #onEnd: (() => void) | undefined
  #isOver = false

  /** @param onEnd called once, when the items end, fail or are no longer wanted */
  constructor(iterator: AsyncIterator<T> | Iterator<T>, onEnd?: () => void) {
    this.#iterator = iterator
    this.#onEnd = onEnd
  }

  async take(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return DONE
    let isYielded = false
    try {
      const result = await this.#iterator.next()
      if (!result.done) {
        isYielded = true
        return { done: false, value: await result.value }
      }
    } catch (error) {
      if (isYielded) this.#close()
      this.#end()
      throw toActorError(error)
    }
    this.#end()
    return DONE
  }

  acknowledge(): void {}

  cancel(): void {
    if (this.#isOver) return
    this.#close()
    this.#end()
  }

  /** Runs the generator's `finally`. What it throws has nobody left to hear it. */
  #close(): void {
    ignoreRejection(Promise.resolve().then(() => this.#iterator.return?.()))
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#onEnd?.()
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
export function toSource(value: object, onEnd?: () => void): StreamSource | Promise<StreamSource> {
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

/**
 * Where a reader's items come from: a local writer, another node, a generator, a web stream. Between one producer and
 * one consumer; the consumer pulls, and says when it is done with what it took.
 */
export interface StreamSource<T = unknown> {
  /** How many items a producer may run ahead of the consumer. At least 1. */
  readonly window: number
  /**
   * The next item, or the end. Rejects once with the producer's error, after all earlier items; from then on it is done.
   * Answers at once, without a promise, when it can.
   */
  take(): IteratorResult<T, undefined> | Promise<IteratorResult<T, undefined>>
  /** The consumer is done with `count` items it took: the producer may write as many more. */
  acknowledge(count: number): void
  /** The consumer wants no more. The producer learns it at once. */
  cancel(reason?: unknown): void
}

/** The answer of a source that is over. */
export const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

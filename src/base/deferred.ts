/** A promise together with the two functions that settle it; the first call wins. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T | PromiseLike<T>): void
  reject(error: unknown): void
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T | PromiseLike<T>) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((onOk, onError) => {
    resolve = onOk
    reject = onError
  })
  return { promise, resolve, reject }
}

/** The one promise of "nothing to wait for", shared so that a hot path allocates none. */
export const SETTLED: Promise<void> = Promise.resolve()

/** A rejection for those who await it; who does not is not told, and no process ends for it. */
export function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error)
  ignoreRejection(promise)
  return promise as Promise<never>
}

/** For a promise whose failure is reported elsewhere: keeps it from being called unhandled. */
export function ignoreRejection(promise: Promise<unknown>): void {
  promise.then(undefined, () => undefined)
}

/** Whether `value` has to be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
}

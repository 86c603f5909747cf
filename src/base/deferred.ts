/** A promise together with the two functions that settle it; the first call wins. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T | PromiseLike<T>): void
  reject(error: unknown): void
}

// The functions of the promise that is being made. One closure takes them all: promises are made for every ask.
let settle: ((value: never) => void) | undefined
let fail: ((error: unknown) => void) | undefined
const take = (resolve: (value: never) => void, reject: (error: unknown) => void): void => {
  settle = resolve
  fail = reject
}

export function deferred<T>(): Deferred<T> {
  const promise = new Promise<T>(take)
  const resolve = settle as Deferred<T>['resolve']
  const reject = fail!
  settle = fail = undefined
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

/**
 * A call that somebody waits for no longer than they want to: it settles when its time is up or its caller gives up,
 * whether or not the function that was called heeds its signal. What that one answers afterwards is let go.
 */
import { discardResult } from '../actor/discarded-result.ts'
import type { Clock } from '../base/clock.ts'

export interface Bounds {
  readonly clock: Clock
  /** How long it may take, in milliseconds; Infinity for ever. */
  readonly timeoutMs: number
  /** Called once when that is over: the error to give up with. */
  expired(): unknown
  /** Gives up with the signal's reason. */
  readonly signal: AbortSignal | undefined
}

/** @param run gets a signal that aborts when the call is given up; not called when `bounds.signal` has aborted before */
export function boundedCall<T>(run: (signal: AbortSignal) => T | PromiseLike<T>, bounds: Bounds): Promise<T> {
  const { clock, timeoutMs, signal } = bounds
  if (signal?.aborted) return Promise.reject(signal.reason)
  return new Promise<T>((resolve, reject) => {
    const controller = new AbortController()
    let isOver = false
    const end = (): boolean => {
      if (isOver) return false
      isOver = true
      timer?.cancel()
      signal?.removeEventListener('abort', onAbort)
      return true
    }
    const giveUp = (reason: unknown): void => {
      if (!end()) return
      reject(reason)
      controller.abort(reason)
    }
    const onAbort = (): void => giveUp(signal!.reason)
    const timer = timeoutMs === Infinity ? undefined : clock.setTimer(() => giveUp(bounds.expired()), timeoutMs)
    signal?.addEventListener('abort', onAbort)
    new Promise<T>((answer) => answer(run(controller.signal))).then(
      (value) => (end() ? resolve(value) : discardResult(value)),
      (error: unknown) => void (end() && reject(error)),
    )
  })
}

/** A worker under full load that answers whoever posts to it: with how much its actors have handled meanwhile. */
import { type Load, startLoad } from './responsiveness-load.browser.ts'

export type Request = 'load' | 'answer' | 'timers' | 'end'
export interface Answer {
  readonly handled: number
  readonly isExhausted: boolean
}

/** Timers that have to come before `timers` is answered. */
const TIMERS = 20

let load: Load | undefined

async function obey(request: Request): Promise<void> {
  if (request === 'load') load = await startLoad()
  if (request === 'timers') for (let i = 0; i < TIMERS; i++) await new Promise((resolve) => setTimeout(resolve, 0))
  if (request === 'end') await load!.end()
  const answer: Answer = { handled: load!.handled, isExhausted: load!.isExhausted }
  ;(globalThis as unknown as Worker).postMessage(answer)
}

globalThis.addEventListener('message', ({ data }: MessageEvent<Request>) => void obey(data))

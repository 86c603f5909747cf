/** What the tests of actors share: systems that end with the test, time that moves when told to, and promises to hold things with. */
import { type ActorSystem, createActorSystem, type Logger, SystemConfig } from 'pulsing'
import { onTestFinished, vi } from 'vitest'

const silent = (): void => undefined

/** Keeps expected warnings out of the test report. */
export const quiet: Logger = { debug: silent, info: silent, warn: silent, error: silent }

/** A system of its own, shut down when the test is over. */
export async function startSystem(config: SystemConfig = SystemConfig.standalone()): Promise<ActorSystem> {
  const system = await createActorSystem(
    config.settings.logger === SystemConfig.standalone().settings.logger ? config.withLogger(quiet) : config,
  )
  onTestFinished(() => system.shutdown())
  return system
}

export interface Time {
  /** Lets `ms` milliseconds pass; what they bring about has happened when the promise settles. */
  advance(ms: number): Promise<void>
  /** Timers that wait. */
  readonly pending: number
}

/** Stops the platform's clock for this test. Call it before {@link startSystem}. */
export function manualTime(): Time {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  return {
    // Waits count from the end of the turn of the event loop they began in.
    advance: async (ms) => {
      await turn()
      await vi.advanceTimersByTimeAsync(ms)
    },
    get pending() {
      return vi.getTimerCount()
    },
  }
}

export interface Gate<T = void> {
  readonly opened: Promise<T>
  open(value: T): void
}

/** Something to wait at until it is opened. */
export function gate<T = void>(): Gate<T> {
  let open!: (value: T) => void
  const opened = new Promise<T>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** One turn of the event loop: everything that could happen without time passing has happened. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** What has become of a promise so far. */
export async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'fulfilled' | 'rejected'> {
  const settled = promise.then(
    () => 'fulfilled' as const,
    () => 'rejected' as const,
  )
  return Promise.race([settled, turn().then(() => 'pending' as const)])
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

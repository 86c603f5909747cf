/** Whether a test left something behind: what of a node lives now, against what lived when the check began. */
import type { ActorSystem, Census } from '../actor/actor-system.ts'
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { macrotask } from '../base/macrotask.ts'
import { ManualClock, QUIET_TURNS } from './manual-clock.ts'

/**
 * Something that has to end some day: `actors` that were spawned, `asks` that wait for their reply, `timers` with which
 * actors scheduled messages, `streams` of actors and from and to other nodes, `listeners` of events.
 */
export type LeakKind = 'actors' | 'asks' | 'timers' | 'streams' | 'listeners'

/** How many of one kind there are, and were. */
export interface Leak {
  readonly kind: LeakKind
  /** When the check began. */
  readonly before: number
  /** Now. More than before. */
  readonly after: number
}

/** How a {@link LeakCheck} is made. */
export interface LeakCheckOptions {
  /** The clock the system was given, if it is not the platform's. */
  readonly clock?: Clock
}

/** What a {@link LeakCheck} looks at, and how long. */
export interface VerifyOptions {
  /** Default: all. */
  readonly kinds?: readonly LeakKind[]
  /**
   * Milliseconds of real time that what crosses sockets and ports may take to end; 0 or more. Default
   * {@link DEFAULT_GRACE_MS}. On a manual clock there is no such time.
   */
  readonly within?: number
}

const KINDS: readonly LeakKind[] = ['actors', 'asks', 'timers', 'streams', 'listeners']

/** How long a check waits for what is about to end, in milliseconds, unless told otherwise. */
export const DEFAULT_GRACE_MS = 1_000
/** How often it looks meanwhile, in milliseconds. */
const LOOK_EVERY_MS = 10

/**
 * Something outlived a test. For test runners an assertion error with both counts.
 *
 * @example
 * ```ts
 * import { createTestSystem, LeakError, leakCheck } from 'pulsing/testkit'
 *
 * const test = await createTestSystem()
 * const check = leakCheck(test.system, test)
 * await test.system.spawn({ receive: () => undefined })
 * const error = await check.verify().catch((error) => error)
 * if (!(error instanceof LeakError)) throw error
 * error.message // 'expected nothing left over, got more actors (0 before, 1 now)'
 * error.leaks // [{ kind: 'actors', before: 0, after: 1 }]
 * await test.dispose()
 * ```
 */
export class LeakError extends Error {
  override readonly name = 'LeakError'
  /** As assertion errors of Node.js have it, which test runners know them by. */
  readonly code = 'ERR_ASSERTION'
  /** What there is more of than before; at least one. */
  readonly leaks: readonly Leak[]
  /** The counts of {@link leaks} before. */
  readonly expected: Readonly<Record<string, number>>
  /** The counts of {@link leaks} now. */
  readonly actual: Readonly<Record<string, number>>

  constructor(leaks: readonly Leak[]) {
    const texts = leaks.map(({ kind, before, after }) => `more ${kind} (${before} before, ${after} now)`)
    super(`expected nothing left over, got ${texts.join(', ')}`)
    this.leaks = leaks
    this.expected = Object.fromEntries(leaks.map(({ kind, before }) => [kind, before]))
    this.actual = Object.fromEntries(leaks.map(({ kind, after }) => [kind, after]))
  }
}

/** A count that was taken, to be compared with later ones. */
export interface LeakCheck {
  /**
   * Lets things settle, and compares. Can be called again, with the same count to compare with.
   *
   * @throws LeakError naming every kind of which there is more than there was
   */
  verify(options?: VerifyOptions): Promise<void>
}

/**
 * Counts what of `system` lives now; {@link LeakCheck.verify} finds what has come to stay since. For `beforeEach` and
 * `afterEach` around a system that several tests share.
 *
 * @example
 * ```ts
 * import { createActorSystem } from 'pulsing'
 * import { leakCheck } from 'pulsing/testkit'
 *
 * const system = await createActorSystem()
 * const check = leakCheck(system) // in beforeEach
 * const guest = await system.spawn({ receive: () => 'hello' })
 * await guest.ask('who is there')
 * await system.stop(guest)
 * await check.verify() // in afterEach
 * await system.shutdown()
 * ```
 */
export function leakCheck(system: ActorSystem, { clock = systemClock }: LeakCheckOptions = {}): LeakCheck {
  const before = system.census()
  return {
    verify: async ({ kinds = KINDS, within = DEFAULT_GRACE_MS } = {}) => {
      const endsAt = clock.now() + within
      await settle(clock)
      let leaks = difference(before, system.census(), kinds)
      if (!(clock instanceof ManualClock))
        while (leaks.length > 0 && clock.now() < endsAt) {
          await new Promise<void>((resolve) => void clock.setTimer(resolve, LOOK_EVERY_MS))
          leaks = difference(before, system.census(), kinds)
        }
      if (leaks.length > 0) throw new LeakError(leaks)
    },
  }
}

async function settle(clock: Clock): Promise<void> {
  if (clock instanceof ManualClock) return clock.settle()
  for (let i = 0; i < QUIET_TURNS; i++) await new Promise<void>((resolve) => macrotask(resolve))
}

function difference(before: Census, after: Census, kinds: readonly LeakKind[]): Leak[] {
  return kinds.flatMap((kind) =>
    after[kind] > before[kind] ? [{ kind, before: before[kind], after: after[kind] }] : [],
  )
}

/** Faults by chance: at random moments, a random one of those asked for happens to a random link, and heals by itself. */
import type { Clock, Timer } from '../base/clock.ts'
import { ConfigError, describe } from '../base/errors.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

/**
 * What can happen to a link. `cut`: it breaks, and both ends are told. `cut-unseen`: only one is. `silence`: nothing gets
 * through any more, one way or both, and nobody is told. `stall`: nothing gets through for a while. `part`: its two hosts
 * cannot reach each other for a while; both are told that the link is over, or one of them, or none.
 */
export type Fault = 'cut' | 'cut-unseen' | 'silence' | 'stall' | 'part'

/** All of them. */
export const FAULTS: readonly Fault[] = ['cut', 'cut-unseen', 'silence', 'stall', 'part']

/** How much is broken. */
export interface DisturbanceOptions {
  /** How much time passes between two faults on average, in milliseconds. Default {@link DEFAULT_FAULT_EVERY_MS}. */
  readonly everyMs?: number
  /** How long a stall, or a parting, lasts at most, in milliseconds. Default {@link DEFAULT_FAULT_LASTS_MS}. */
  readonly lastsMs?: number
  /** What may happen. Default {@link FAULTS}, all. */
  readonly faults?: readonly Fault[]
}

/** Time between two faults unless told otherwise, in milliseconds. */
export const DEFAULT_FAULT_EVERY_MS = 2_000
/** The longest stall, or parting, unless told otherwise, in milliseconds. */
export const DEFAULT_FAULT_LASTS_MS = 5_000

/** Faults that keep happening. */
export interface Disturbance {
  /** Ends them, and heals what would have healed later. Links that were broken stay so. */
  stop(): void
}

/** What a disturbance needs of its network. */
export interface DisturbanceSettings {
  readonly clock: Clock
  readonly random: SeededRandom
}

/** @internal */
export function disturb(
  network: Pick<SimulatedNetwork, 'links' | 'part' | 'heal'>,
  { clock, random }: DisturbanceSettings,
  { everyMs = DEFAULT_FAULT_EVERY_MS, lastsMs = DEFAULT_FAULT_LASTS_MS, faults = FAULTS }: DisturbanceOptions,
): Disturbance {
  const problems: string[] = []
  if (!(everyMs > 0 && everyMs < Infinity)) problems.push(`expected everyMs above 0, got ${describe(everyMs)}`)
  if (!(lastsMs > 0 && lastsMs < Infinity)) problems.push(`expected lastsMs above 0, got ${describe(lastsMs)}`)
  const unknown = faults.filter((fault) => !FAULTS.includes(fault))
  if (faults.length === 0 || unknown.length > 0)
    problems.push(`expected faults among ${FAULTS.join(', ')}, got ${unknown.join(', ') || 'none'}`)
  if (problems.length > 0) throw new ConfigError(problems)

  const healing = new Map<Timer, () => void>()
  const happen = (): void => {
    next = clock.setTimer(happen, everyMs * 2 * random.float())
    const links = network.links().filter(({ isWhole }) => isWhole)
    if (links.length === 0) return
    const link = random.pick(links)
    const [a, b] = link.hosts
    const side = random.pick([a, b])
    switch (random.pick(faults)) {
      case 'cut':
        link.cut()
        break
      case 'cut-unseen':
        link.cut({ seenBy: side })
        break
      case 'silence':
        if (random.int(2) === 0) link.silence()
        else link.silence(side)
        break
      case 'stall':
        if (random.int(2) === 0) link.stall(lastsMs * random.float())
        else link.stall(lastsMs * random.float(), side)
        break
      case 'part': {
        const told = random.int(4)
        if (told < 2) link.cut({ seenBy: side })
        else if (told === 2) link.cut()
        network.part(a, b)
        const heal = (): void => network.heal(a, b)
        const timer = clock.setTimer(() => {
          healing.delete(timer)
          heal()
        }, lastsMs * random.float())
        healing.set(timer, heal)
        break
      }
      default:
    }
  }
  let next = clock.setTimer(happen, everyMs * 2 * random.float())
  return {
    stop: () => {
      next.cancel()
      for (const [timer, heal] of healing) {
        timer.cancel()
        heal()
      }
      healing.clear()
    },
  }
}

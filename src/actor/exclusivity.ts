/**
 * What spawning an exclusive actor needs of the cluster: a lease for its name. The runtime asks for it, and gives it back
 * when the actor has ended; how it is come by, and kept meanwhile, is none of its business.
 */
import { describe } from '../base/errors.ts'
import type { SpawnOptions } from './actor-system.ts'

/** A name that is one actor's, in the whole cluster. */
export interface Lease {
  /** Higher than that of every lease of this name before. */
  readonly token: number
  /** The actor has ended. Calling it again does nothing. */
  release(): void
}

/** Who gives leases; set by the composition root. Whoever gives one stops the actor when it cannot be kept. */
export interface LeaseSource {
  /** @throws ActorAlreadyExistsError, ConfigError, UnreachableError, ActorStoppedError */
  acquire(name: string): Promise<Lease>
}

/** Where an exclusive actor's options keep its token: nobody else can write there. */
export const fencingToken: unique symbol = Symbol('pulsing.fencingToken')

/** The options of an actor that has its lease. */
export interface LeasedOptions extends SpawnOptions {
  readonly [fencingToken]?: number
}

/** What is wrong with wanting to be exclusive by these options; nothing where nobody wants it. */
export function exclusivityProblems({ exclusive, public: isPublic }: SpawnOptions, name: string | undefined): string[] {
  if (exclusive === undefined || exclusive === false) return []
  if (exclusive !== true) return [`expected exclusive as true or false, got ${describe(exclusive)}`]
  const problems: string[] = []
  if (name === undefined) problems.push('expected a name for an exclusive actor, got none')
  if (!isPublic) problems.push(`expected public: true for an exclusive actor, got ${describe(isPublic)}`)
  return problems
}

/** Which of several instances a policy chooses. Pure, but for chance, which is passed in, and the turn it is told. */
import type { InstanceInfo, ResolvePolicy } from '../actor/actor-system.ts'
import { ConfigError, describe } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { rendezvousWeight, textHash } from '../base/rendezvous-hash.ts'

const NAMED: readonly unknown[] = ['round-robin', 'random', 'prefer-local', 'least-loaded'] satisfies (ResolvePolicy &
  string)[]

/** What a choice depends on beside the instances. */
export interface ChoiceState {
  readonly random: Random
  /** How often the same was chosen from before. */
  readonly turn: number
  /** Asks of this node to an instance that have not settled. */
  load(instance: InstanceInfo): number
}

/** @throws ConfigError for anything but a policy, or undefined */
export function checkPolicy(policy: unknown): void {
  if (policy === undefined || NAMED.includes(policy) || typeof policy === 'function') return
  const { key } = typeof policy === 'object' && policy !== null ? (policy as { readonly key?: unknown }) : {}
  if (typeof key === 'string') return
  throw new ConfigError(
    `expected policy as ${NAMED.map(describe).join(', ')}, { key } with a text, or a function, got ${key === undefined ? describe(policy) : `a key that is ${describe(key)}`}`,
  )
}

/**
 * One of `instances`, which is not empty; undefined only when a function chooses none.
 *
 * @throws ConfigError when a function returns something else, and what the function throws
 */
export function choose<T extends InstanceInfo>(
  policy: ResolvePolicy,
  instances: readonly T[],
  { random, turn, load }: ChoiceState,
): T | undefined {
  if (typeof policy === 'function') return chosenBy(policy, instances)
  if (typeof policy === 'object') return preferredBy(policy.key, instances)
  switch (policy) {
    case 'random':
      return instances[Math.floor(random.float() * instances.length)]
    case 'prefer-local':
      return instances.find(({ isLocal }) => isLocal) ?? instances[turn % instances.length]
    case 'least-loaded': {
      const loads = instances.map(load)
      const least = Math.min(...loads)
      const ties = instances.filter((_, i) => loads[i] === least)
      return ties[turn % ties.length]
    }
    default:
      return instances[turn % instances.length]
  }
}

function chosenBy<T extends InstanceInfo>(
  choice: (instances: readonly InstanceInfo[]) => InstanceInfo | undefined,
  instances: readonly T[],
): T | undefined {
  const chosen: unknown = choice(instances)
  if (chosen === undefined) return undefined
  const known = instances.find((instance) => instance === chosen)
  if (known) return known
  throw new ConfigError(
    `expected the policy function to return one of its instances or undefined, got ${describe(chosen)}`,
  )
}

/** The same on every node, whatever order it knows the instances in. */
function preferredBy<T extends InstanceInfo>(key: string, instances: readonly T[]): T | undefined {
  const keyHash = textHash(key)
  let best: T | undefined
  let most = -1
  for (const instance of instances) {
    const weight = rendezvousWeight(keyHash, textHash(instance.nodeId))
    if (weight > most || (weight === most && instance.nodeId < best!.nodeId)) {
      best = instance
      most = weight
    }
  }
  return best
}

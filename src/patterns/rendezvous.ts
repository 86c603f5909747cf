/**
 * Rendezvous hashing: each key prefers the slots in an order of its own, and takes the first one that is there. A slot
 * that goes moves its own keys only, to all others alike; one that comes back gets the same keys again.
 */
import { rendezvousWeight, textHash } from '../base/rendezvous-hash.ts'

/** The one of `present`, which is not empty, that `key` prefers. */
export function rendezvous<T extends { readonly slot: number }>(key: string, present: readonly T[]): T {
  const keyHash = textHash(key)
  // No two slots weigh the same for a key: multiplying by an odd number, and mixing, can be undone.
  return present.reduce((best, each) =>
    rendezvousWeight(keyHash, each.slot) > rendezvousWeight(keyHash, best.slot) ? each : best,
  )
}

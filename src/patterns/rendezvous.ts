/**
 * Rendezvous hashing: each key prefers the slots in an order of its own, and takes the first one that is there. A slot
 * that goes moves its own keys only, to all others alike; one that comes back gets the same keys again.
 */

/** A slot's weight for a key: every pair has its own, in no visible order. */
function weight(keyHash: number, slot: number): number {
  let mixed = keyHash ^ Math.imul(slot + 1, 0x9e3779b1)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** FNV-1a, 32 bits, over the text's UTF-16 code units. */
function hash(key: string): number {
  let hashed = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hashed = Math.imul(hashed ^ key.charCodeAt(i), 0x01000193)
  return hashed
}

/** The one of `present`, which is not empty, that `key` prefers. */
export function rendezvous<T extends { readonly slot: number }>(key: string, present: readonly T[]): T {
  const keyHash = hash(key)
  // No two slots weigh the same for a key: multiplying by an odd number, and mixing, can be undone.
  return present.reduce((best, each) => (weight(keyHash, each.slot) > weight(keyHash, best.slot) ? each : best))
}

/**
 * The numbers behind rendezvous hashing: each key prefers the places it may go in an order of its own, by a weight that
 * every pair of key and place has. The same on every node.
 */

/** FNV-1a, 32 bits, over the text's UTF-16 code units. */
export function textHash(text: string): number {
  let hashed = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hashed = Math.imul(hashed ^ text.charCodeAt(i), 0x01000193)
  return hashed
}

/** The weight of a place, a 32-bit number, for a key's hash: in no visible order, and no two places weigh the same. */
export function rendezvousWeight(keyHash: number, place: number): number {
  let mixed = keyHash ^ Math.imul(place + 1, 0x9e3779b1)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

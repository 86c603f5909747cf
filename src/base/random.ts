/**
 * Randomness, injected where a decision depends on it so that a seed can replay the decision. Identifiers always come
 * from the platform's cryptographic source.
 */

export interface Random {
  /** A number in [0, 1). */
  float(): number
}

const POOL_BYTES = 4096
let pool: Uint8Array | undefined
let offset = POOL_BYTES

/** `count` unpredictable bytes. The view is valid only until the next call: read it, do not keep it. */
export function randomBytes(count: number): Uint8Array {
  pool ??= new Uint8Array(POOL_BYTES)
  if (offset + count > POOL_BYTES) {
    crypto.getRandomValues(pool as Uint8Array<ArrayBuffer>)
    offset = 0
  }
  offset += count
  return pool.subarray(offset - count, offset)
}

/** The platform's generator. Not for secrets. */
export const systemRandom: Random = { float: () => Math.random() }

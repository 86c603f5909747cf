/** Stands in for `src/base/random.ts`: ids follow from a seed too, because some decisions compare them. */
import type { SeededRandom } from '../../src/testkit/seeded-random.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'

let random: SeededRandom = seededRandom('ids')

export function seedIds(seed: string): void {
  random = seededRandom(`ids of ${seed}`)
}

export function randomBytes(count: number): Uint8Array {
  return random.bytes(count)
}

export const systemRandom = { float: (): number => random.float() }

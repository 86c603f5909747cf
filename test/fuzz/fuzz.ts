/**
 * Runs cases that follow from a seed. A case that fails says which it was and how to have it again: FUZZ_SEED and
 * FUZZ_CASE in the environment run that one alone; FUZZ_SEED alone all of that seed; FUZZ_TIMES so many times as many.
 */
import { type SeededRandom, seededRandom } from '../../src/testkit/seeded-random.ts'

const { FUZZ_SEED, FUZZ_CASE, FUZZ_TIMES } = process.env

export const seed: string = FUZZ_SEED ?? String(Math.floor(Math.random() * 2 ** 32))
const times = Number(FUZZ_TIMES ?? 1)

/** The same seed for fast-check. */
export const numericSeed: number = seededRandom(seed).int(2 ** 31)

/**
 * Runs `one` for every case from 0 to `count` - 1.
 *
 * @returns how many ran
 */
export function fuzz(name: string, count: number, one: (random: SeededRandom) => void): number {
  const source = seededRandom(seed).fork(name)
  const cases = casesOf(count)
  for (const index of cases) {
    try {
      one(source.fork(index))
    } catch (error) {
      throw failed(name, index, error)
    }
  }
  return cases.length
}

/** {@link fuzz}, where a case takes turns of the event loop. */
export async function fuzzAsync(
  name: string,
  count: number,
  one: (random: SeededRandom) => Promise<void>,
): Promise<number> {
  const source = seededRandom(seed).fork(name)
  const cases = casesOf(count)
  for (const index of cases) {
    try {
      await one(source.fork(index))
    } catch (error) {
      throw failed(name, index, error)
    }
  }
  return cases.length
}

function casesOf(count: number): readonly number[] {
  return FUZZ_CASE === undefined ? Array.from({ length: Math.ceil(count * times) }, (_, i) => i) : [Number(FUZZ_CASE)]
}

function failed(name: string, index: number, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new Error(
    `${name}: case ${index} of seed ${seed} failed: ${reason}\nAgain: FUZZ_SEED=${seed} FUZZ_CASE=${index} npx vitest run --project node -t ${JSON.stringify(name)} test/fuzz (or --project soak, where a case follows from those before: without FUZZ_CASE)`,
    { cause },
  )
}

/** Bytes for a message: all of them, unless they are many. */
export function hexOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return hex.length > 8_000 ? `${hex.slice(0, 8_000)}… (${bytes.length} bytes)` : hex
}

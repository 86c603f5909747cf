/**
 * Chance that repeats: sfc32 (Chris Doty-Humphrey's small fast counter generator), its four words filled by splitmix32
 * from an FNV-1a hash of the seed. Integer arithmetic only, so every platform draws the same.
 */
import { ConfigError, describe } from '../base/errors.ts'
import type { Random } from '../base/random.ts'

/** Draws after seeding that nobody sees: as many as it takes until every bit of the seed reaches every bit drawn. */
const WARM_UP_DRAWS = 15

/**
 * A source of chance in which everything follows from the seed. For `SystemConfig.withRandom`, and for tests that want
 * arbitrary values they can have again. Not for secrets.
 *
 * @example
 * ```ts
 * import { seededRandom } from 'pulsing/testkit'
 *
 * const random = seededRandom('checkout')
 * const again = seededRandom('checkout')
 * for (let i = 0; i < 100; i++) if (random.float() !== again.float()) throw new Error('never happens')
 * random.int(6) // 0, 1, 2, 3, 4 or 5
 * random.pick(['red', 'green', 'blue'])
 * ```
 */
export interface SeededRandom extends Random {
  /** What everything follows from: print it when a test fails, and give it again to repeat what happened. */
  readonly seed: string
  /** A number in [0, 1), one of 2^53. */
  float(): number
  /**
   * A whole number from 0 to `max` - 1.
   *
   * @throws ConfigError unless `max` is a whole number, at least 1
   */
  int(max: number): number
  /**
   * One of `list`.
   *
   * @throws ConfigError for an empty list
   */
  pick<T>(list: readonly T[]): T
  /**
   * `count` bytes.
   *
   * @throws ConfigError unless `count` is a whole number, at least 0
   */
  bytes(count: number): Uint8Array
  /**
   * A source of its own that follows from this seed and `label` alone: how much was drawn from either does not change
   * the other, so that one more draw in one place of a test leaves all others as they were.
   */
  fork(label: number | string): SeededRandom
}

/**
 * A {@link SeededRandom}: the same seed makes the same sequence on every platform.
 *
 * @param seed a number and its decimal text are the same seed, so that one can come from the environment
 * @throws ConfigError for a seed that is neither a number nor a text
 *
 * @example
 * ```ts
 * import { createActorSystem, SystemConfig } from 'pulsing'
 * import { seededRandom } from 'pulsing/testkit'
 *
 * const random = seededRandom(42)
 * const system = await createActorSystem(SystemConfig.standalone().withRandom(random.fork('system')))
 * const order = random.fork('orders').int(1_000)
 * seededRandom(42).fork('orders').int(1_000) === order // true
 * await system.shutdown()
 * ```
 */
export function seededRandom(seed: number | string): SeededRandom {
  if (typeof seed !== 'number' && typeof seed !== 'string')
    throw new ConfigError(`expected a seed as a number or a text, got ${describe(seed)}`)
  return new Sfc32(String(seed))
}

class Sfc32 implements SeededRandom {
  readonly seed: string
  #a: number
  #b: number
  #c: number
  #counter: number

  constructor(seed: string) {
    this.seed = seed
    const word = splitmix32(fnv1a(seed))
    this.#a = word()
    this.#b = word()
    this.#c = word()
    this.#counter = word()
    for (let i = 0; i < WARM_UP_DRAWS; i++) this.#next()
  }

  float(): number {
    return ((this.#next() >>> 5) * 0x4000000 + (this.#next() >>> 6)) / 2 ** 53
  }

  int(max: number): number {
    if (!Number.isSafeInteger(max) || max < 1)
      throw new ConfigError(`expected max as a whole number, at least 1, got ${describe(max)}`)
    return Math.floor(this.float() * max)
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new ConfigError('expected a list to pick from, got an empty one')
    return list[this.int(list.length)]!
  }

  bytes(count: number): Uint8Array {
    if (!Number.isSafeInteger(count) || count < 0)
      throw new ConfigError(`expected count as a whole number, at least 0, got ${describe(count)}`)
    return Uint8Array.from({ length: count }, () => this.#next() >>> 24)
  }

  fork(label: number | string): SeededRandom {
    return new Sfc32(`${this.seed}/${label}`)
  }

  /** 32 bits, signed. */
  #next(): number {
    const drawn = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + drawn) | 0
    return drawn
  }
}

/** FNV-1a, 32 bits, over the low and high bytes of the text's UTF-16 code units. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  return hash
}

function splitmix32(state: number): () => number {
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
}

/** Chance that repeats: the same everywhere, spread as chance should be, and independent where it is forked. */
import { seededRandom } from 'pulsing/testkit'
import { expect, test } from 'vitest'

/** `count` numbers of a seed. */
function draw(seed: number | string, count: number): number[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => random.float())
}

// Drawn by another implementation of sfc32, splitmix32 and FNV-1a.
const KNOWN: readonly (readonly [string, readonly number[]])[] = [
  ['', [0.11137187916386693, 0.2113123699761572, 0.5601094771492411, 0.08133748466954782]],
  ['42', [0.39581843757451207, 0.8297522731642024, 0.7447855865390606, 0.2818892327931064]],
  ['checkout', [0.1589695430797271, 0.5695491977180929, 0.9306568440673352, 0.32629225838111386]],
  ['é€😀', [0.8952870107187294, 0.7406386668075149, 0.7393225907364184, 0.00747900081988373]],
]

test.each(KNOWN)('the seed %j makes the sequence it always made', (seed, sequence) => {
  expect(draw(seed, sequence.length)).toEqual(sequence)
})

test('a number and its text are the same seed, and others are others', () => {
  expect(draw(42, 100)).toEqual(draw('42', 100))
  const firsts = Array.from({ length: 1_000 }, (_, seed) => draw(seed, 1)[0])
  expect(new Set(firsts).size).toBe(1_000)
})

test('float is spread evenly over [0, 1)', () => {
  const numbers = draw('spread', 100_000)
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
  const tenths = Array.from({ length: 10 }, () => 0)
  for (const number of numbers) tenths[Math.floor(number * 10)]!++
  // Five standard deviations of 95 each.
  for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(475)
})

test('int answers every whole number below max, and no other', () => {
  const random = seededRandom('dice')
  const rolls = Array.from({ length: 1_000 }, () => random.int(6))
  expect([...new Set(rolls)].sort()).toEqual([0, 1, 2, 3, 4, 5])
  expect(random.int(1)).toBe(0)
  expect(random.int(Number.MAX_SAFE_INTEGER)).toBeGreaterThan(2 ** 32)
})

test('pick answers items of the list only, each of them sooner or later', () => {
  const random = seededRandom('urn')
  const picked = Array.from({ length: 100 }, () => random.pick(['red', 'green', 'blue']))
  expect([...new Set(picked)].sort()).toEqual(['blue', 'green', 'red'])
})

test('bytes are as many as asked for, and all there are', () => {
  const random = seededRandom(42)
  expect([...random.bytes(8)]).toEqual([101, 100, 212, 232, 190, 69, 72, 95])
  expect(random.bytes(0)).toHaveLength(0)
  expect(new Set(random.bytes(10_000)).size).toBe(256)
})

test('a fork follows from seed and label alone, and draws beside its origin', () => {
  const fresh = seededRandom(42)
  const used = seededRandom(42)
  used.bytes(100)
  const fork = fresh.fork('orders')
  expect(fork.seed).toBe('42/orders')
  expect(Array.from({ length: 10 }, () => fork.float())).toEqual(draw('42/orders', 10))
  expect(used.fork('orders').float()).toBe(fresh.fork('orders').float())
  expect(fresh.fork('orders').float()).not.toBe(fresh.fork('users').float())
  expect(fresh.fork(1).fork(2).seed).toBe('42/1/2')
  expect(Array.from({ length: 4 }, () => fresh.float())).toEqual(KNOWN[1]![1])
})

test('what cannot be drawn from is refused with ConfigError', () => {
  const random = seededRandom(1)
  const refusals: readonly (readonly [() => unknown, string])[] = [
    [() => random.int(0), 'expected max as a whole number, at least 1, got 0'],
    [() => random.int(1.5), 'expected max as a whole number, at least 1, got 1.5'],
    [() => random.pick([]), 'expected a list to pick from, got an empty one'],
    [() => random.bytes(-1), 'expected count as a whole number, at least 0, got -1'],
    [() => seededRandom({} as string), 'expected a seed as a number or a text, got a Object'],
  ]
  for (const [draw, message] of refusals)
    expect(draw).toThrow(expect.objectContaining({ name: 'ConfigError', message }))
})

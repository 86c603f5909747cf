/** The memory of a receiver: each key once, for as long and as many as was said. */
import fc from 'fast-check'
import { ConfigError } from 'pulsing'
import { IdempotencyCache } from 'pulsing/patterns'
import { ManualClock } from 'pulsing/testkit'
import { expect, test, vi } from 'vitest'
import { type Gate, gate, startSystem } from '../actor/systems.ts'

test('calls with one key run once: the first runs, those beside it and after it get the same outcome', async () => {
  const cache = new IdempotencyCache<object>()
  const answer = gate<object>()
  const perform = vi.fn(() => answer.opened)
  const beside = [cache.run('a', perform), cache.run('a', perform)]
  const value = {}
  answer.open(value)
  expect(await Promise.all([...beside, cache.run('a', perform)])).toEqual([value, value, value])
  expect(await cache.run('a', perform)).toBe(value)
  expect(perform).toHaveBeenCalledTimes(1)
  const other = {}
  expect(await cache.run('b', () => other)).toBe(other)
})

test('undefined is an outcome like any other', async () => {
  const cache = new IdempotencyCache<undefined>()
  const perform = vi.fn(() => undefined)
  await cache.run('a', perform)
  await cache.run('a', perform)
  expect(perform).toHaveBeenCalledTimes(1)
})

test('a failure is shared by those who wait for it, then forgotten', async () => {
  const cache = new IdempotencyCache<string>()
  const errors = [new Error('first'), new Error('second')]
  const rejecting = (): Promise<string> => Promise.reject(errors[0])
  const calls = [cache.run('a', rejecting), cache.run('a', rejecting)]
  expect((await Promise.allSettled(calls)).map((result) => (result as PromiseRejectedResult).reason)).toEqual([
    errors[0],
    errors[0],
  ])
  const throwing = (): string => {
    throw errors[1]
  }
  await expect(cache.run('a', throwing)).rejects.toBe(errors[1])
  expect(await cache.run('a', () => 'third time')).toBe('third time')
  expect(cache.size).toBe(1)
})

test('with rememberFailures an error is an outcome too', async () => {
  const clock = new ManualClock()
  const cache = new IdempotencyCache<string>({ rememberFailures: true, ttlMs: 100, clock })
  const error = new Error('refused')
  const perform = vi.fn(() => Promise.reject(error))
  await expect(cache.run('a', perform)).rejects.toBe(error)
  await expect(cache.run('a', perform)).rejects.toBe(error)
  expect(perform).toHaveBeenCalledTimes(1)
  clock.advance(100)
  expect(await cache.run('a', () => 'now')).toBe('now')
})

test('an outcome is kept for ttlMs from when it was known, however long it took', async () => {
  const clock = new ManualClock()
  const cache = new IdempotencyCache<string>({ ttlMs: 100, clock })
  const slow = gate<string>()
  const first = cache.run('a', () => slow.opened)
  clock.advance(1000)
  slow.open('known at 1000')
  await first
  clock.advance(99)
  expect(await cache.run('a', () => 'again')).toBe('known at 1000')
  clock.advance(1)
  expect(cache.size).toBe(0)
  expect(await cache.run('a', () => 'again')).toBe('again')
})

test('what runs is never forgotten, however much else becomes known', async () => {
  const cache = new IdempotencyCache<string>({ maxEntries: 2 })
  const slow = gate<string>()
  const first = cache.run('slow', () => slow.opened)
  for (const key of ['a', 'b', 'c', 'd']) await cache.run(key, () => key)
  const repeated = cache.run('slow', () => 'a second time')
  expect(cache.size).toBe(3)
  slow.open('once')
  expect(await Promise.all([first, repeated])).toEqual(['once', 'once'])
  expect(cache.size).toBe(2)
})

test('a request that asks for itself while it is made does not run twice', async () => {
  const cache = new IdempotencyCache<string>()
  let inner: Promise<string> | undefined
  const perform = vi.fn((): string => {
    inner = cache.run('a', perform)
    return 'once'
  })
  expect(await cache.run('a', perform)).toBe('once')
  expect(await inner).toBe('once')
  expect(perform).toHaveBeenCalledTimes(1)
})

test('a key that is none is the fault of who sent it', async () => {
  const system = await startSystem()
  const cache = new IdempotencyCache<string>()
  const receiver = await system.spawn({ receive: (msg) => cache.run(msg.toObject<string>(), () => 'done') })
  for (const [key, text] of [
    [undefined, 'undefined'],
    ['', '""'],
    [7, '7'],
  ]) {
    await expect(receiver.ask(key)).rejects.toMatchObject({
      name: 'PulsingBusinessError',
      message: `expected a key, a text that is not empty, got ${text}`,
    })
  }
  expect(cache.size).toBe(0)
})

test('all wrong options are named in one error', () => {
  expect(() => new IdempotencyCache({ maxEntries: 0, ttlMs: 0 })).toThrow(
    new ConfigError([
      'expected maxEntries as a whole number above 0, got 0',
      'expected ttlMs as milliseconds above 0, got 0',
    ]),
  )
})

type Step =
  | { readonly kind: 'run'; readonly key: string }
  | { readonly kind: 'finish'; readonly which: number; readonly ok: boolean }
  | { readonly kind: 'pass'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('run' as const), key: fc.constantFrom(...'abcdef') }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('finish' as const), which: fc.nat(9), ok: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 80 }) }) },
)

interface Running {
  readonly key: string
  readonly gate: Gate<() => string>
  readonly outcome: Promise<string>
}

const MAX_ENTRIES = 3
const TTL_MS = 100

/** What the cache should remember, said the slow way: everything that was ever known, looked through each time. */
class Model {
  readonly clock = new ManualClock()
  readonly cache: IdempotencyCache<string>
  readonly running: Running[] = []
  readonly known: { readonly key: string; readonly at: number; readonly value: string | undefined }[] = []
  performed = 0

  constructor(readonly remembersFailures: boolean) {
    this.cache = new IdempotencyCache({
      maxEntries: MAX_ENTRIES,
      ttlMs: TTL_MS,
      rememberFailures: remembersFailures,
      clock: this.clock,
    })
  }

  remembered(): readonly { readonly key: string; readonly value: string | undefined }[] {
    return this.known.slice(-MAX_ENTRIES).filter(({ at }) => this.clock.now() < at + TTL_MS)
  }

  async step(each: Step): Promise<void> {
    if (each.kind === 'pass') this.clock.advance(each.ms)
    else if (each.kind === 'run') await this.#run(each.key)
    else await this.#finish(each.which, each.ok)
    expect(this.cache.size).toBe(this.running.length + this.remembered().length)
  }

  async #run(key: string): Promise<void> {
    const before = this.performed
    const own = gate<() => string>()
    const outcome = this.cache.run(key, () => {
      this.performed++
      return own.opened.then((answer) => answer())
    })
    outcome.catch(() => undefined)
    const beside = this.running.find((running) => running.key === key)
    const earlier = this.remembered().findLast((known) => known.key === key)
    expect(this.performed - before).toBe(beside || earlier ? 0 : 1)
    if (beside) expect(outcome).toBe(beside.outcome)
    else if (earlier) expect(await outcome.catch(() => undefined)).toBe(earlier.value)
    else this.running.push({ key, gate: own, outcome })
  }

  async #finish(which: number, ok: boolean): Promise<void> {
    const running = this.running.splice(which % Math.max(1, this.running.length), 1)[0]
    if (!running) return
    const value = `${running.key} ${this.performed}`
    running.gate.open(() => {
      if (ok) return value
      throw new Error(value)
    })
    await Promise.allSettled([running.outcome])
    if (ok || this.remembersFailures)
      this.known.push({ key: running.key, at: this.clock.now(), value: ok ? value : undefined })
  }
}

test('on any history a request runs exactly when none with its key runs or is remembered', async () => {
  let evicted = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), fc.boolean(), async (steps, remembersFailures) => {
      const model = new Model(remembersFailures)
      for (const each of steps) await model.step(each)
      evicted += Math.max(0, model.known.length - MAX_ENTRIES)
    }),
    { numRuns: 200 },
  )
  expect(evicted).toBeGreaterThan(50)
})

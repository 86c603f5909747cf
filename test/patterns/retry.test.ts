/** Trying again: which errors, how often, how soon, under which key, and for how long. */
import {
  ActorStoppedError,
  AuthError,
  ConfigError,
  MailboxFullError,
  OverloadedError,
  PermissionDeniedError,
  PulsingBusinessError,
  type PulsingError,
  PulsingSystemError,
  PulsingTimeoutError,
  SessionResetError,
  UnreachableError,
} from 'pulsing'
import {
  type Attempt,
  CircuitOpenError,
  DEFAULT_ATTEMPTS,
  DEFAULT_RETRY_MAX_BACKOFF_MS,
  IdempotencyCache,
  isRetryable,
  type RetryOptions,
  retry,
} from 'pulsing/patterns'
import { ManualClock, seededRandom } from 'pulsing/testkit'
import { describe, expect, test, vi } from 'vitest'
import { gate, startSystem, stateOf, turn } from '../actor/systems.ts'

const overloaded = (): PulsingError => new OverloadedError('come again')

/** An operation that fails with each of `errors` in turn, then succeeds; and when it was called. */
function failing(clock: ManualClock, errors: readonly unknown[]) {
  const calls: number[] = []
  const attempts: Attempt[] = []
  return {
    calls,
    attempts,
    operation: async (attempt: Attempt): Promise<string> => {
      attempts.push(attempt)
      const error = errors[calls.push(clock.now()) - 1]
      if (error !== undefined) throw error
      return 'done'
    },
  }
}

/** Lets time pass in small steps until `promise` settles. */
async function pass<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  while ((await stateOf(promise)) === 'pending') clock.advance(1)
  return promise
}

test('an operation that succeeds is called once, with attempt 1 and no key', async () => {
  const operation = vi.fn((_attempt: Attempt) => 'done')
  expect(await retry(operation)).toBe('done')
  expect(operation.mock.calls).toEqual([[{ attempt: 1, key: undefined, signal: expect.any(AbortSignal) }]])
})

test('waits double up to the longest, each anything between nothing and that', async () => {
  for (const [share, expected] of [
    [0, [0, 0, 0, 0, 0, 0]],
    [0.5, [50, 100, 200, 400, 500, 500]],
    [0.999, [99.9, 199.8, 399.6, 799.2, 999, 999]],
  ] as const) {
    const clock = new ManualClock()
    const waits: number[] = []
    const setTimer = clock.setTimer.bind(clock)
    clock.setTimer = (callback, delayMs) => {
      waits.push(delayMs)
      return setTimer(callback, delayMs)
    }
    const { operation } = failing(clock, Array.from({ length: 6 }, overloaded))
    const random = { float: () => share }
    await pass(clock, retry(operation, { attempts: 7, minBackoffMs: 100, maxBackoffMs: 1000, clock, random }))
    expect(waits.map((wait) => Math.round(wait * 10) / 10)).toEqual(expected)
  }
})

test('the same seed waits as long, and every wait is within its bounds', async () => {
  const run = async (): Promise<number[]> => {
    const clock = new ManualClock()
    const { operation, calls } = failing(clock, Array.from({ length: 20 }, overloaded))
    await pass(clock, retry(operation, { attempts: 21, maxBackoffMs: 300, clock, random: seededRandom('jitter') }))
    return calls
  }
  const calls = await run()
  expect(await run()).toEqual(calls)
  const waits = calls.slice(1).map((at, i) => at - calls[i]!)
  expect(waits.every((wait, i) => wait >= 0 && wait <= Math.min(300, 100 * 2 ** i))).toBe(true)
  expect(Math.max(...waits)).toBeGreaterThan(200)
  expect(Math.min(...waits)).toBeLessThan(50)
})

test(`after the last attempt, ${DEFAULT_ATTEMPTS} unless said otherwise, the last error is thrown as it is`, async () => {
  const clock = new ManualClock()
  const errors = Array.from({ length: 9 }, overloaded)
  const { operation, attempts } = failing(clock, errors)
  const error = await pass(
    clock,
    retry(operation, { clock }).catch((thrown: unknown) => thrown),
  )
  expect(error).toBe(errors[DEFAULT_ATTEMPTS - 1])
  expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5])
  expect(clock.pending).toBe(0)
})

test('an error that is not retryable is thrown at once', async () => {
  const clock = new ManualClock()
  const error = new PulsingBusinessError('sold out')
  const { operation, calls } = failing(clock, [error])
  await expect(retry(operation, { clock })).rejects.toBe(error)
  expect(calls).toHaveLength(1)
})

test('an operation that throws instead of rejecting is retried as well', async () => {
  let calls = 0
  const done = retry(
    () => {
      if (++calls === 1) throw overloaded()
      return calls
    },
    { minBackoffMs: 0 },
  )
  expect(await done).toBe(2)
})

test('a key is the same for all attempts, a random one differs from call to call, and a given one is taken', async () => {
  const keysOf = async (key: string | true): Promise<string[]> => {
    const keys: string[] = []
    await retry(
      (attempt) => {
        keys.push(attempt.key)
        if (keys.length < 3) throw new PulsingTimeoutError('ask', 1)
      },
      { key, minBackoffMs: 0 },
    )
    return keys
  }
  const [first, second, given] = [await keysOf(true), await keysOf(true), await keysOf('order 7')]
  expect(first).toEqual([first[0], first[0], first[0]])
  expect(first[0]).toMatch(/^[\w-]{22}$/)
  expect(second[0]).not.toBe(first[0])
  expect(given).toEqual(['order 7', 'order 7', 'order 7'])
})

describe('isRetryable', () => {
  const notHandled: unknown[] = [
    new UnreachableError('no way', { outcome: 'not-sent' }),
    new SessionResetError('no way', { outcome: 'not-sent' }),
    new OverloadedError('later'),
    new MailboxFullError('later'),
    new CircuitOpenError(10),
    new PulsingSystemError('stumbled'),
  ]
  const unknown: unknown[] = [
    new UnreachableError('lost'),
    new SessionResetError('lost'),
    new PulsingTimeoutError('ask', 30),
  ]
  const never: unknown[] = [
    new PulsingBusinessError('no'),
    new PulsingSystemError('broken', { recoverable: false }),
    new ConfigError('wrong'),
    new PermissionDeniedError('no'),
    new AuthError('no'),
    new ActorStoppedError('gone'),
    new TypeError('a bug'),
    'a text',
    undefined,
  ]

  test.each(notHandled)('yes for what was not handled: %s', (error) => {
    expect([isRetryable(error), isRetryable(error, true)]).toEqual([true, true])
  })
  test.each(unknown)('only with a key for what may have been handled: %s', (error) => {
    expect([isRetryable(error), isRetryable(error, true)]).toEqual([false, true])
  })
  test.each(never)('no for what will fail again: %s', (error) => {
    expect([isRetryable(error), isRetryable(error, true)]).toEqual([false, false])
  })

  test('of another choice is told whether there is a key', async () => {
    const told: [unknown, boolean][] = []
    const error = new Error('other')
    const options = { isRetryable: (...args: [unknown, boolean]) => told.push(args) < 3, minBackoffMs: 0 }
    await expect(retry(() => Promise.reject(error), { ...options, key: 'k' })).rejects.toBe(error)
    await expect(retry(() => Promise.reject(error), options)).rejects.toBe(error)
    expect(told).toEqual([
      [error, true],
      [error, true],
      [error, true],
      [error, false],
    ])
  })
})

test('after a refusal by a circuit breaker it waits at least as long as that one refuses', async () => {
  const clock = new ManualClock()
  const { operation, calls } = failing(clock, [new CircuitOpenError(700), new CircuitOpenError(0)])
  await pass(clock, retry(operation, { clock, minBackoffMs: 40, random: { float: () => 0.5 } }))
  expect(calls).toEqual([0, 720, 760])
})

test('when timeoutMs is over during an attempt it aborts, and the error before is the cause', async () => {
  const clock = new ManualClock()
  const before = overloaded()
  const isRetryable = vi.fn((_error: unknown) => true)
  const signals: AbortSignal[] = []
  const done = retry(
    ({ attempt, signal }) => {
      signals.push(signal)
      return attempt === 1 ? Promise.reject(before) : new Promise(() => undefined)
    },
    { timeoutMs: 100, clock, random: { float: () => 0.2 }, isRetryable },
  ).catch((error: unknown) => error)
  await turn()
  clock.advance(20)
  await turn()
  clock.advance(79)
  expect([await stateOf(done), signals.map(({ aborted }) => aborted)]).toEqual(['pending', [false, false]])
  clock.advance(1)
  const error = await done
  expect(error).toMatchObject({ name: 'PulsingTimeoutError', durationMs: 100, cause: before })
  expect([signals[1]!.aborted, signals[1]!.reason]).toEqual([true, error])
  expect([signals.length, clock.pending]).toEqual([2, 0])
  expect(isRetryable.mock.calls.map(([asked]) => asked)).toEqual([before])
})

test('when a wait would end after timeoutMs the last error is thrown without waiting', async () => {
  const clock = new ManualClock()
  const errors = [overloaded(), overloaded(), overloaded()]
  const { operation, calls } = failing(clock, errors)
  const done = retry(operation, { timeoutMs: 250, clock, random: { float: () => 0.9 } }).catch(
    (error: unknown) => error,
  )
  expect(await pass(clock, done)).toBe(errors[1])
  expect(calls).toEqual([0, 90])
})

test('aborting rejects with the reason: before the first attempt, during one, and between two', async () => {
  const reason = new Error('no longer wanted')
  const operation = vi.fn((_attempt: Attempt) => Promise.reject(overloaded()))
  await expect(retry(operation, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  expect(operation).not.toHaveBeenCalled()

  const during = new AbortController()
  let given: AbortSignal | undefined
  const hanging = retry(
    ({ signal }) => {
      given = signal
      return new Promise(() => undefined)
    },
    { signal: during.signal },
  )
  during.abort(reason)
  await expect(hanging).rejects.toBe(reason)
  expect(given!.reason).toBe(reason)

  const between = new AbortController()
  const clock = new ManualClock()
  const waiting = retry(operation, { signal: between.signal, clock, random: { float: () => 0.9 } })
  await turn()
  expect([operation.mock.calls.length, clock.pending]).toEqual([1, 1])
  between.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  expect(clock.pending).toBe(0)
})

test('with a key and a cache at the receiver, what was done is not done again though its answer was lost', async () => {
  const system = await startSystem()
  const cache = new IdempotencyCache<string>()
  const loss = gate()
  let done = 0
  const receiver = await system.spawn({
    receive: (msg) => cache.run(msg.toObject<string>(), () => `receipt ${++done}`),
  })
  const receipt = await retry(
    async ({ attempt, key, signal }) => {
      const answer = await receiver.ask<string>(key, { signal })
      if (attempt > 1) return answer
      loss.open()
      throw new PulsingTimeoutError('ask', 30)
    },
    { key: true, minBackoffMs: 0 },
  )
  await loss.opened
  expect([receipt, done]).toEqual(['receipt 1', 1])
})

test('all wrong options are named in one error, which rejects', async () => {
  const wrong: RetryOptions = { attempts: 1.5, minBackoffMs: Infinity, maxBackoffMs: 5, timeoutMs: 0, key: '' }
  await expect(retry(() => 'never', wrong)).rejects.toEqual(
    new ConfigError([
      'expected attempts as a whole number above 0, got 1.5',
      'expected minBackoffMs as milliseconds, 0 or more, but finite, got Infinity',
      'expected maxBackoffMs as milliseconds, minBackoffMs or more, got 5',
      'expected timeoutMs as milliseconds above 0, got 0',
      'expected key as true or a text that is not empty, got ""',
    ]),
  )
})

test('a shortest wait above the default longest one is its own longest', async () => {
  const clock = new ManualClock()
  const { operation, calls } = failing(clock, [overloaded(), overloaded()])
  const minBackoffMs = DEFAULT_RETRY_MAX_BACKOFF_MS * 2
  const done = retry(operation, { clock, minBackoffMs, random: { float: () => 0.5 } })
  for (let i = 0; i < 2; i++) {
    await turn()
    clock.advance(minBackoffMs / 2)
  }
  await done
  expect(calls).toEqual([0, 10_000, 20_000])
})

test('attempts may be endless: waits never become longer than the longest, nor anything but numbers', async () => {
  const clock = new ManualClock()
  const { operation, calls } = failing(clock, Array.from({ length: 1100 }, overloaded))
  const random = { float: () => 0 }
  const options = { attempts: Infinity, minBackoffMs: 0, maxBackoffMs: Infinity, clock, random }
  expect(await pass(clock, retry(operation, options))).toBe('done')
  expect([calls.length, Number.isFinite(calls.at(-1))]).toEqual([1101, true])
})

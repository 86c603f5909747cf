/** The circuit breaker: what it lets through, what it refuses, and what it takes for a failure. */
import {
  asActor,
  ConfigError,
  isPulsingError,
  MailboxFullError,
  NoSuchMethodError,
  NotSerialisableError,
  PulsingBusinessError,
  PulsingSystemError,
  StreamMessage,
} from 'pulsing'
import { CircuitBreaker, type CircuitBreakerOptions, type CircuitChange, CircuitOpenError } from 'pulsing/patterns'
import { ManualClock } from 'pulsing/testkit'
import { expect, test, vi } from 'vitest'
import { gate, startSystem, stateOf } from '../actor/systems.ts'

const RESET_MS = 1000

function make(options: CircuitBreakerOptions = {}) {
  const clock = new ManualClock()
  const breaker = new CircuitBreaker({ maxFailures: 2, resetTimeoutMs: RESET_MS, clock, ...options })
  const changes: string[] = []
  breaker.on(({ from, to }: CircuitChange) => changes.push(`${from} → ${to}`))
  const fail = async (error: unknown = new Error('down')): Promise<void> => {
    await expect(breaker.call(() => Promise.reject(error))).rejects.toBe(error)
  }
  return { clock, breaker, changes, fail }
}

test('after maxFailures failures in a row calls are refused without being made, and told when to come again', async () => {
  const { clock, breaker, fail } = make()
  await fail()
  expect(breaker.state).toBe('closed')
  await fail()
  expect(breaker.state).toBe('open')
  clock.advance(400)
  const run = vi.fn()
  const refusal = await breaker.call(run).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(CircuitOpenError)
  expect(refusal).toMatchObject({ name: 'CircuitOpenError', code: 'circuit_open', retryAfterMs: 600 })
  expect((refusal as Error).message).toBe('expected a closed circuit, got an open one, for 600 ms more')
  expect(isPulsingError(refusal, 'circuit_open')).toBe(true)
  expect(run).not.toHaveBeenCalled()
})

test('a success between failures begins a new row', async () => {
  const { breaker, fail } = make()
  for (let i = 0; i < 3; i++) {
    await fail()
    expect(await breaker.call(() => i)).toBe(i)
  }
  expect(breaker.state).toBe('closed')
})

test('half-open lets exactly one trial through; when it succeeds all pass again', async () => {
  const { clock, breaker, changes, fail } = make()
  await fail()
  await fail()
  clock.advance(RESET_MS)
  expect(breaker.state).toBe('half-open')
  const answer = gate<string>()
  const trial = breaker.call(() => answer.opened)
  await expect(breaker.call(() => 'beside it')).rejects.toMatchObject({ code: 'circuit_open', retryAfterMs: 0 })
  answer.open('works')
  expect(await trial).toBe('works')
  expect(await Promise.all([breaker.call(() => 1), breaker.call(() => 2)])).toEqual([1, 2])
  expect(changes).toEqual(['closed → open', 'open → half-open', 'half-open → closed'])
})

test('a trial that fails opens the circuit for another whole reset timeout', async () => {
  const { clock, breaker, changes, fail } = make()
  await fail()
  await fail()
  clock.advance(RESET_MS + 500)
  await fail()
  expect(breaker.state).toBe('open')
  clock.advance(RESET_MS - 1)
  expect(breaker.state).toBe('open')
  clock.advance(1)
  expect(breaker.state).toBe('half-open')
  expect(changes).toEqual(['closed → open', 'open → half-open', 'half-open → open', 'open → half-open'])
})

test('an actor that says the request was wrong is no failure, and ends a row of failures', async () => {
  const system = await startSystem()
  const { breaker, fail } = make({ maxFailures: 2 })
  class Shop {
    refuse() {
      throw new PulsingBusinessError('sold out')
    }
    mistake() {
      throw new TypeError('no number')
    }
  }
  const shop = (await asActor(Shop).local(system)).ref.asAny()
  for (const [method, name] of [
    ['refuse', 'PulsingBusinessError'],
    ['mistake', 'PulsingBusinessError'],
    ['missing', 'NoSuchMethodError'],
  ] as const) {
    await fail()
    for (let i = 0; i < 3; i++) await expect(breaker.call(() => shop[method]!())).rejects.toMatchObject({ name })
    expect(breaker.state).toBe('closed')
  }
})

test('an actor that is broken, full or gone is a failure', async () => {
  const system = await startSystem()
  const broken = await system.spawn({
    receive: () => {
      throw new Error('out of memory')
    },
  })
  const gone = await system.spawn({ receive: () => 'here' })
  await system.stop(gone)
  for (const ref of [broken, gone]) {
    const { breaker } = make({ maxFailures: 1 })
    await expect(breaker.call(() => ref.ask('x'))).rejects.toThrow()
    expect(breaker.state).toBe('open')
  }
  const { breaker, fail } = make({ maxFailures: 1 })
  await fail(new MailboxFullError('full'))
  expect(breaker.state).toBe('open')
})

test('a call its caller gave up counts for nothing, also as a trial: the next call is one', async () => {
  const { clock, breaker, fail } = make({ maxFailures: 1 })
  const giveUp = new AbortController()
  const given: AbortSignal[] = []
  const never = (signal: AbortSignal): Promise<never> => {
    given.push(signal)
    return new Promise(() => undefined)
  }
  const call = breaker.call(never, { signal: giveUp.signal })
  const reason = new Error('no longer wanted')
  giveUp.abort(reason)
  await expect(call).rejects.toBe(reason)
  expect([given[0]!.aborted, given[0]!.reason, breaker.state]).toEqual([true, reason, 'closed'])

  await fail()
  clock.advance(RESET_MS)
  const second = new AbortController()
  const trial = breaker.call(never, { signal: second.signal })
  second.abort()
  await expect(trial).rejects.toMatchObject({ name: 'AbortError' })
  expect(breaker.state).toBe('half-open')
  expect(await breaker.call(() => 'next')).toBe('next')
  expect(breaker.state).toBe('closed')
})

test('a call given up before it began is not made, nor is it the trial', async () => {
  const { clock, breaker, fail } = make({ maxFailures: 1 })
  await fail()
  clock.advance(RESET_MS)
  const run = vi.fn(() => 'ran')
  await expect(breaker.call(run, { signal: AbortSignal.abort('stop') })).rejects.toBe('stop')
  expect(run).not.toHaveBeenCalled()
  expect(await breaker.call(run)).toBe('ran')
})

test('an error of a call that never left says nothing about the other side', async () => {
  const { clock, breaker, fail } = make({ maxFailures: 2 })
  await fail()
  for (const error of [
    new NotSerialisableError('a function'),
    new ConfigError('timeout'),
    new DOMException('', 'AbortError'),
  ])
    await fail(error)
  expect(breaker.state).toBe('closed')
  await fail()
  expect(breaker.state).toBe('open')
  clock.advance(RESET_MS)
  await fail(new NotSerialisableError('a function'))
  expect(breaker.state).toBe('half-open')
  await fail(new NoSuchMethodError('answered, at least'))
  expect(breaker.state).toBe('closed')
})

test('isFailure decides instead, and errors it excuses end a row', async () => {
  const { breaker, fail } = make({ isFailure: (error) => error instanceof PulsingBusinessError })
  for (let i = 0; i < 5; i++) await fail(new PulsingSystemError('excused'))
  expect(breaker.state).toBe('closed')
  await fail(new PulsingBusinessError('counts'))
  await fail(new Error('excused'))
  await fail(new PulsingBusinessError('counts'))
  expect(breaker.state).toBe('closed')
  await fail(new PulsingBusinessError('counts'))
  expect(breaker.state).toBe('open')
})

test('what isFailure throws rejects the call, which counts as a failure', async () => {
  const mistake = new Error('a bug in isFailure')
  const { breaker } = make({
    maxFailures: 1,
    isFailure: () => {
      throw mistake
    },
  })
  await expect(breaker.call(() => Promise.reject(new Error('down')))).rejects.toBe(mistake)
  expect(breaker.state).toBe('open')
})

test('a call that takes longer than callTimeoutMs is given up, aborted, and a failure, whatever it answers later', async () => {
  const { clock, breaker } = make({ maxFailures: 1, callTimeoutMs: 50 })
  const late = gate<string>()
  let given: AbortSignal | undefined
  const call = breaker.call((signal) => {
    given = signal
    return late.opened
  })
  clock.advance(49)
  expect(await stateOf(call)).toBe('pending')
  clock.advance(1)
  await expect(call).rejects.toMatchObject({ name: 'PulsingTimeoutError', durationMs: 50 })
  expect([given!.aborted, breaker.state]).toEqual([true, 'open'])
  late.open('too late')
  await late.opened
  expect(breaker.state).toBe('open')
})

test('a stream that comes too late is cancelled', async () => {
  const { clock, breaker } = make({ callTimeoutMs: 50 })
  const late = gate<unknown>()
  const [message, writer] = StreamMessage.create()
  const call = breaker.call(() => late.opened)
  clock.advance(50)
  await expect(call).rejects.toThrow('50 ms')
  late.open(message)
  await new Promise((resolve) => writer.signal.addEventListener('abort', resolve))
  expect(writer.signal.aborted).toBe(true)
})

test('a call that settled leaves no timer and no listener behind', async () => {
  const { clock, breaker } = make({ callTimeoutMs: 50 })
  const { signal } = new AbortController()
  const added = vi.spyOn(signal, 'addEventListener')
  const removed = vi.spyOn(signal, 'removeEventListener')
  await breaker.call(() => 'done', { signal })
  await expect(breaker.call(() => Promise.reject(new Error('down')), { signal })).rejects.toThrow('down')
  expect(clock.pending).toBe(0)
  expect(added).toHaveBeenCalledTimes(2)
  expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(added.mock.calls.map(([, listener]) => listener))
})

test('calls that began before the circuit opened no longer count when they end', async () => {
  const { clock, breaker, changes, fail } = make()
  const slow = gate()
  const early = breaker.call(() => slow.opened)
  await fail()
  await fail()
  slow.open()
  await early
  expect(breaker.state).toBe('open')
  clock.advance(RESET_MS)
  expect(changes).toEqual(['closed → open', 'open → half-open'])
})

test('listeners hear of every transition until they are taken off, whatever other listeners do', async () => {
  const logged = vi.spyOn(console, 'error').mockReturnValue()
  const clock = new ManualClock()
  const breaker = new CircuitBreaker({ maxFailures: 1, resetTimeoutMs: RESET_MS, clock })
  const heard: CircuitChange[] = []
  const mistake = new Error('a bug in a listener')
  breaker.on(() => {
    throw mistake
  })
  const off = breaker.on((change) => heard.push(change))
  await expect(breaker.call(() => Promise.reject(new Error('down')))).rejects.toThrow('down')
  clock.advance(RESET_MS)
  off()
  await breaker.call(() => 'works')
  expect(heard).toEqual([
    { from: 'closed', to: 'open' },
    { from: 'open', to: 'half-open' },
  ])
  expect(logged.mock.calls.map(([, error]) => error)).toEqual([mistake, mistake, mistake])
  logged.mockRestore()
})

test('a timer that rings early does not end the wait, and none is left when the circuit is closed', async () => {
  const timers: { callback: () => void; delayMs: number; isCancelled: boolean; isHeld: boolean }[] = []
  let now = 0
  const breaker = new CircuitBreaker({
    maxFailures: 1,
    resetTimeoutMs: RESET_MS,
    clock: {
      now: () => now,
      afterTurn: (callback) => callback(),
      setTimer: (callback, delayMs) => {
        const timer = { callback, delayMs, isCancelled: false, isHeld: true }
        timers.push(timer)
        return { cancel: () => void (timer.isCancelled = true), hold: (isHeld) => void (timer.isHeld = isHeld) }
      },
    },
  })
  await expect(breaker.call(() => Promise.reject(new Error('down')))).rejects.toThrow('down')
  now = RESET_MS - 0.5
  timers[0]!.callback()
  expect([breaker.state, timers.map(({ delayMs }) => delayMs)]).toEqual(['open', [RESET_MS, 0.5]])
  now = RESET_MS
  await breaker.call(() => 'works')
  expect(timers.map(({ isCancelled, isHeld }) => [isCancelled, isHeld])).toEqual([
    [false, false],
    [true, false],
  ])
})

test('refused calls set no timers', async () => {
  const { clock, breaker, fail } = make({ maxFailures: 1 })
  await fail()
  for (let i = 0; i < 5; i++) await expect(breaker.call(() => 'never')).rejects.toThrow(CircuitOpenError)
  expect(clock.pending).toBe(1)
})

test('all wrong options are named in one error', () => {
  const wrong = { maxFailures: 0, resetTimeoutMs: -1, callTimeoutMs: Number.NaN, isFailure: 'no' as never }
  expect(() => new CircuitBreaker(wrong)).toThrow(
    new ConfigError([
      'expected maxFailures as a whole number above 0, got 0',
      'expected resetTimeoutMs as milliseconds above 0, got -1',
      'expected callTimeoutMs as milliseconds above 0, got NaN',
      'expected isFailure as a function, got "no"',
    ]),
  )
})

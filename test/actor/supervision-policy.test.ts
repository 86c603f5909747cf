/** When there is another restart and how long to wait for it, decided without an actor; and which policies are refused. */
import fc from 'fast-check'
import {
  ConfigError,
  DEFAULT_MAX_BACKOFF_MS,
  DEFAULT_MAX_RESTARTS,
  DEFAULT_MIN_BACKOFF_MS,
  RESTART_JITTER,
  type RestartPolicy,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
import { RestartHistory } from '../../src/actor/supervision.ts'
import { startSystem } from './systems.ts'

const noJitter = { float: () => 0.5 }

/** The waits before restarts at `times`. */
function waits(policy: Omit<RestartPolicy, 'policy'>, times: readonly number[], random = noJitter): unknown[] {
  const history = new RestartHistory({ policy: 'on-failure', ...policy }, random)
  return times.map((at) => history.next(at))
}

describe('RestartHistory', () => {
  test('allows three restarts in a whole life, after 100, 200 and 400 ms, unless told otherwise', () => {
    expect([DEFAULT_MAX_RESTARTS, DEFAULT_MIN_BACKOFF_MS, DEFAULT_MAX_BACKOFF_MS]).toEqual([3, 100, 30_000])
    expect(waits({}, [0, 1e6, 1e9, 1e12])).toEqual([100, 200, 400, undefined])
  })

  test('a restart leaves the window when it is exactly withinMs old, and the wait begins anew', () => {
    expect(waits({ maxRestarts: 1, withinMs: 1000 }, [0, 999, 1000])).toEqual([100, undefined, 100])
    expect(waits({ maxRestarts: 2, withinMs: 1000 }, [0, 600, 1000, 1599, 1600])).toEqual([
      100,
      200,
      200,
      undefined,
      200,
    ])
  })

  test('a restart that was refused does not count', () => {
    expect(waits({ maxRestarts: 1, withinMs: 1000 }, [0, 500, 999, 1000])).toEqual([100, undefined, undefined, 100])
  })

  test('maxRestarts 0 allows none, Infinity any number', () => {
    expect(waits({ maxRestarts: 0 }, [0])).toEqual([undefined])
    expect(waits({ maxRestarts: Infinity, maxBackoffMs: 250 }, [0, 1, 2, 3, 4])).toEqual([100, 200, 250, 250, 250])
  })

  test('the wait doubles up to maxBackoffMs', () => {
    expect(
      waits(
        { maxRestarts: 12 },
        Array.from({ length: 12 }, () => 0),
      ),
    ).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000])
  })

  test('minBackoffMs 0 never waits, however many restarts there were', () => {
    const history = new RestartHistory({ policy: 'always', maxRestarts: Infinity, minBackoffMs: 0 }, noJitter)
    const all = new Set<unknown>()
    for (let i = 0; i < 2000; i++) all.add(history.next(i))
    expect([...all]).toEqual([0])
  })

  test('a first wait above the default longest one is waited for', () => {
    expect(waits({ minBackoffMs: 60_000 }, [0])).toEqual([60_000])
  })

  test('jitter takes a fifth off at least, and adds less than a fifth at most, the cap included', () => {
    expect(RESTART_JITTER).toBe(0.2)
    const policy = { minBackoffMs: 100, maxBackoffMs: 150 }
    expect(waits(policy, [0, 0], { float: () => 0 })).toEqual([80, 120])
    const [first, second] = waits(policy, [0, 0], { float: () => 1 - Number.EPSILON }) as number[]
    expect([first! > 119.99 && first! <= 120, second! > 179.99 && second! <= 180]).toEqual([true, true])
  })

  test('count is how many restarts the window holds, the last one included', () => {
    const history = new RestartHistory({ policy: 'on-failure', maxRestarts: 2, withinMs: 10 }, noJitter)
    const counts = [0, 5, 9, 10, 100].map((at) => {
      history.next(at)
      return history.count
    })
    expect(counts).toEqual([1, 2, 2, 2, 1])
  })

  const policies = fc.record(
    {
      policy: fc.constantFrom('on-failure' as const, 'always' as const),
      maxRestarts: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constant(Infinity)),
      withinMs: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.constant(Infinity)),
      minBackoffMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000 })),
      maxBackoffMs: fc.oneof(fc.integer({ min: 1_000, max: 100_000 }), fc.constant(Infinity)),
    },
    { requiredKeys: ['policy'] },
  )
  const steps = fc.array(
    fc.record({
      passedMs: fc.oneof(
        { weight: 3, arbitrary: fc.integer({ min: 0, max: 1_000 }) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
      ),
      chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    }),
    { maxLength: 80 },
  )

  test('for any policy and any times it says what a list of all restarts says', () => {
    fc.assert(
      fc.property(policies, steps, (policy, sequence) => {
        let chance = 0
        const history = new RestartHistory(policy, { float: () => chance })
        const granted: number[] = []
        const {
          maxRestarts = DEFAULT_MAX_RESTARTS,
          withinMs = Infinity,
          minBackoffMs = DEFAULT_MIN_BACKOFF_MS,
          maxBackoffMs = DEFAULT_MAX_BACKOFF_MS,
        } = policy
        let now = 0
        for (const step of sequence) {
          now += step.passedMs
          chance = step.chance
          const recent = granted.filter((at) => at > now - withinMs).length
          const waitMs = history.next(now)
          expect(waitMs === undefined).toBe(recent >= maxRestarts)
          if (waitMs === undefined) continue
          granted.push(now)
          let unjitteredMs = minBackoffMs
          for (let i = 0; i < recent; i++) unjitteredMs *= 2
          unjitteredMs = Math.min(unjitteredMs, maxBackoffMs)
          expect(waitMs).toBeGreaterThanOrEqual(unjitteredMs * (1 - RESTART_JITTER) - 1e-6)
          expect(waitMs).toBeLessThanOrEqual(unjitteredMs * (1 + RESTART_JITTER) + 1e-6)
          expect(history.count).toBe(recent + 1)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('the jitter uses the whole of its range, evenly', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (chance) => {
        const [waitMs] = waits({ minBackoffMs: 1_000 }, [0], { float: () => chance }) as number[]
        expect(waitMs).toBeCloseTo(800 + 400 * chance, 6)
      }),
    )
  })
})

describe('a policy that is refused', () => {
  const factory = () => ({ receive: () => undefined })

  async function problemsOf(restart: unknown, actor: unknown = factory): Promise<readonly string[]> {
    const system = await startSystem()
    const error = await system.spawn(actor as typeof factory, 'refused', { restart: restart as RestartPolicy }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(ConfigError)
    expect(system.census().actors).toBe(0)
    await system.spawn(factory, 'refused')
    return (error as ConfigError).problems
  }

  test('says everything that is wrong with it in one ConfigError, and leaves the name free', async () => {
    expect(
      await problemsOf({
        policy: 'sometimes',
        maxRestarts: 1.5,
        withinMs: 0,
        minBackoffMs: -1,
        maxBackoffMs: -2,
        methodErrors: 'ignore',
      }),
    ).toEqual([
      'expected restart.policy as one of never, on-failure, always, got "sometimes"',
      'expected restart.maxRestarts as a whole number or Infinity, got 1.5',
      'expected restart.withinMs as milliseconds above 0, got 0',
      expect.stringMatching(/^expected restart\.minBackoffMs as .*milliseconds.*, got -1$/),
      expect.stringMatching(/^expected restart\.maxBackoffMs as .*at least minBackoffMs, got -2$/),
      'expected restart.methodErrors as reply or failure, got "ignore"',
    ])
  })

  test.each([
    ['maxRestarts', -1],
    ['maxRestarts', Number.NaN],
    ['maxRestarts', '3'],
    ['withinMs', -1],
    ['withinMs', Number.NaN],
    ['withinMs', '1000'],
    ['minBackoffMs', Number.NaN],
    ['minBackoffMs', '100'],
    ['minBackoffMs', Infinity],
    ['maxBackoffMs', 99],
    ['maxBackoffMs', Number.NaN],
  ])('names the one field that is wrong: %s %j', async (field, value) => {
    const problems = await problemsOf({ policy: 'on-failure', minBackoffMs: 100, maxBackoffMs: 1000, [field]: value })
    expect(problems).toEqual([expect.stringContaining(`expected restart.${field} as `)])
  })

  test.each([null, 'always', 3, []])('is %j, which is none', async (restart) => {
    expect((await problemsOf(restart))[0]).toMatch(/^expected restart/)
  })

  test('is one for an instance, which cannot be made again', async () => {
    expect(await problemsOf({ policy: 'on-failure' }, { receive: () => undefined })).toEqual([
      'expected a function or class for an actor that is restarted, got an instance',
    ])
  })

  test('adds the instance to what else is wrong', async () => {
    expect(await problemsOf({ policy: 'always', maxRestarts: -1 }, { receive: () => undefined })).toHaveLength(2)
  })

  test('is not never, also with an instance', async () => {
    const system = await startSystem()
    const ref = await system.spawn({ receive: () => 'here' }, { restart: { policy: 'never' } })
    expect(await ref.ask('there?')).toBe('here')
  })
})

/** The states of a circuit breaker, on arbitrary histories of calls. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Admission, CircuitOutcome, CircuitState } from '../../src/patterns/circuit.ts'
import { Circuit } from '../../src/patterns/circuit.ts'

const MAX_FAILURES = 3
const RESET_MS = 100

type Step =
  | { readonly kind: 'call' }
  | { readonly kind: 'settle'; readonly which: number; readonly outcome: CircuitOutcome }
  | { readonly kind: 'pass'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'call' } as const) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(20),
      outcome: fc.constantFrom<CircuitOutcome[]>('succeeded', 'failed', 'failed', 'failed', 'none'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: RESET_MS }) }),
  },
)

interface Call {
  readonly admission: Admission
  /** The state it was admitted in, and how many transitions outcomes had caused then. */
  readonly state: CircuitState
  readonly transitions: number
}

type Happened =
  | { readonly kind: 'passed' }
  | { readonly kind: 'called'; readonly before: CircuitState; readonly isAdmitted: boolean; readonly hadTrial: boolean }
  | {
      readonly kind: 'settled'
      readonly before: CircuitState
      readonly outcome: CircuitOutcome
      readonly wasTrial: boolean
      /** Whether it began after the last transition. */
      readonly isCurrent: boolean
      /** Failures in a row before it, of calls that began after the last transition. */
      readonly row: number
    }

class World {
  readonly circuit = new Circuit(MAX_FAILURES, RESET_MS)
  now = 0
  openedAt: number | undefined
  #pending: Call[] = []
  #transitions = 0
  #row = 0

  get state(): CircuitState {
    return this.circuit.state(this.now)
  }
  /** Calls that run on trial. */
  get trials(): number {
    return this.#pending.filter((call) => call.state === 'half-open' && call.transitions === this.#transitions).length
  }

  step(step: Step): Happened {
    if (step.kind === 'call') return this.#call()
    const settled = step.kind === 'settle' && this.#pending.splice(step.which % this.#pending.length || 0, 1)[0]
    if (settled) return this.#settle(settled, step.outcome)
    if (step.kind === 'pass') this.now += step.ms
    return { kind: 'passed' }
  }

  #call(): Happened {
    const [before, hadTrial] = [this.state, this.trials > 0]
    const admission = this.circuit.admit(this.now)
    if (admission) this.#pending.push({ admission, state: before, transitions: this.#transitions })
    return { kind: 'called', before, isAdmitted: admission !== undefined, hadTrial }
  }

  #settle({ admission, state, transitions }: Call, outcome: CircuitOutcome): Happened {
    const [before, row] = [this.state, this.#row]
    const isCurrent = transitions === this.#transitions
    this.circuit.settle(admission, outcome, this.now)
    if (isCurrent && outcome !== 'none') this.#row = outcome === 'failed' ? row + 1 : 0
    if (before !== this.state) {
      this.#transitions++
      this.#row = 0
      this.openedAt = this.state === 'open' ? this.now : undefined
    }
    return { kind: 'settled', before, outcome, wasTrial: isCurrent && state === 'half-open', isCurrent, row }
  }
}

/** Runs arbitrary histories; `check` sees the world after each step. */
function always(check: (world: World, happened: Happened) => void): void {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const world = new World()
      for (const each of steps) check(world, world.step(each))
    }),
    // Enough for what happens in one of a hundred runs to happen.
    { numRuns: 2_000 },
  )
}

test('a closed circuit admits every call, an open one none, a half-open one exactly one at a time', () => {
  always((world, happened) => {
    expect(world.trials).toBeLessThanOrEqual(1)
    if (happened.kind !== 'called') return
    const { before, hadTrial, isAdmitted } = happened
    expect(isAdmitted).toBe(before === 'closed' || (before === 'half-open' && !hadTrial))
  })
})

test('it opens at the failure that completes a row, and at no other', () => {
  let opened = 0
  always((world, happened) => {
    if (happened.kind !== 'settled' || happened.before !== 'closed') return
    const { outcome, row, isCurrent } = happened
    const isLast = isCurrent && outcome === 'failed' && row === MAX_FAILURES - 1
    expect(world.state).toBe(isLast ? 'open' : 'closed')
    if (isLast) opened++
  })
  expect(opened).toBeGreaterThan(100)
})

test('it stays open for the reset timeout, and then is half-open until a trial decides', () => {
  const seen = new Set<string>()
  always(({ circuit, now, openedAt, state }, happened) => {
    if (openedAt === undefined) {
      expect([state, circuit.retryAfterMs(now)]).toEqual(['closed', 0])
    } else {
      expect(state).toBe(now < openedAt + RESET_MS ? 'open' : 'half-open')
      expect(circuit.retryAfterMs(now)).toBe(Math.max(0, openedAt + RESET_MS - now))
    }
    if (happened.kind !== 'settled' || happened.before !== 'half-open') return
    const { wasTrial, outcome } = happened
    if (!wasTrial || outcome === 'none') expect(state).toBe('half-open')
    else expect(state).toBe(outcome === 'failed' ? 'open' : 'closed')
    seen.add(`${wasTrial ? 'trial' : 'late'} ${outcome}`)
  })
  const all = ['trial', 'late'].flatMap((when) =>
    ['failed', 'none', 'succeeded'].map((outcome) => `${when} ${outcome}`),
  )
  expect([...seen].sort()).toEqual(all.sort())
})

test('the outcome of a call from before the last transition changes nothing, neither now nor later', () => {
  const circuit = new Circuit(2, RESET_MS)
  const old = [circuit.admit(0)!, circuit.admit(0)!, circuit.admit(0)!, circuit.admit(0)!]
  circuit.settle(old[0]!, 'failed', 0)
  circuit.settle(old[1]!, 'failed', 0)
  circuit.settle(old[2]!, 'succeeded', 50)
  expect(circuit.state(99)).toBe('open')
  const trial = circuit.admit(100)!
  circuit.settle(old[3]!, 'succeeded', 100)
  expect([circuit.state(100), circuit.admit(100)]).toEqual(['half-open', undefined])
  circuit.settle(trial, 'succeeded', 100)
  expect(circuit.state(100)).toBe('closed')
})

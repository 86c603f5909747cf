/**
 * Many seeds, each run twice: both times the same must happen, and nothing that must not. What a seed fails with says how
 * to run it again.
 */
import { type Outcome, simulate } from './simulation.ts'
import type { Topology } from './world.ts'

/** Runs this seed alone, from the environment; a trace is printed when it fails. */
const SEED: string | undefined = process.env['PULSING_SEED']
/** Lines of the trace printed for a seed that was asked for and fails. */
const TRACE_LINES = 400

/** @throws Error for the first seed that fails */
export async function simulateSeeds(topology: Topology, seeds: readonly string[]): Promise<void> {
  for (const seed of SEED === undefined ? seeds : [SEED]) {
    const isVerbose = SEED !== undefined
    const outcome = await simulate(seed, topology, isVerbose)
    const problem = outcome.violations[0] ?? difference(outcome, await simulate(seed, topology, isVerbose))
    if (problem === undefined) continue
    if (isVerbose) console.info(text(outcome.trace))
    const more = outcome.violations.length > 1 ? `, and ${outcome.violations.length - 1} more` : ''
    throw new Error(
      `seed ${seed}: ${problem}${more}\nreplay with PULSING_SEED=${seed} npx vitest run --project node test/sim/${topology}.test.ts`,
    )
  }
}

/** `count` seeds, from `first` on. */
export function seedsFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(first + index))
}

function difference(outcome: Outcome, again: Outcome): string | undefined {
  const { length } = outcome.trace
  for (let i = 0; i < Math.max(length, again.trace.length); i += 3) {
    const [once, twice] = [outcome.trace.slice(i, i + 3).join(' '), again.trace.slice(i, i + 3).join(' ')]
    if (once !== twice)
      return `expected the same to happen again, got ${twice || 'nothing'} instead of ${once || 'nothing'}`
  }
  return undefined
}

function text(trace: Outcome['trace']): string {
  const lines: string[] = []
  for (let i = Math.max(0, trace.length - 3 * TRACE_LINES); i < trace.length; i += 3) {
    const [at, what, detail] = trace.slice(i, i + 3)
    lines.push(`${(at as number).toFixed(3).padStart(12)} ${what} ${detail === 0 ? '' : detail}`)
  }
  return lines.join('\n')
}

/** Many seeds of a cluster, each run twice: both times the same must happen, and nothing that must not. */
import { expect } from 'vitest'
import { type Mode, simulateCluster } from './membership.ts'

/** Runs this seed alone, from the environment, and prints what happened when it fails. */
const SEED: string | undefined = process.env['PULSING_SEED']

export async function simulateClusters(mode: Mode, seeds: readonly string[]): Promise<void> {
  for (const seed of SEED === undefined ? seeds : [SEED]) {
    const { violations, trace } = await simulateCluster(seed, mode)
    if (SEED !== undefined && violations.length > 0) console.info(trace.join('\n'))
    const replay = `replay with PULSING_SEED=${seed} npx vitest run --project node test/sim/membership.test.ts`
    expect(violations, `${mode} seed ${seed}: ${replay}`).toEqual([])
    const again = await simulateCluster(seed, mode)
    expect(again.trace, `${mode} seed ${seed} does the same again: ${replay}`).toEqual(trace)
  }
}

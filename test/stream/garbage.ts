/**
 * The engine's garbage collection, in the hands of the test. What is to be collected must be made in a function of its
 * own: the frame of a test that awaits keeps all it has named.
 */
import { macrotask } from '../../src/base/macrotask.ts'

declare const gc: () => void

/** Turns in which what was collected must have had its consequences. */
const MAX_ROUNDS = 100

/** Collects, and lets finalization callbacks and all that follows from them happen. */
async function collectOnce(): Promise<void> {
  // What a weak reference met in this turn is kept until its end.
  await new Promise<void>((done) => macrotask(done))
  gc()
  await new Promise<void>((done) => macrotask(done))
}

/** Collects until `isTrue`. Fails rather than collecting for ever. */
export async function afterCollection(isTrue: () => boolean): Promise<void> {
  for (let round = 0; !isTrue(); round++) {
    if (round === MAX_ROUNDS) throw new RangeError(`expected to come true by garbage collection: ${isTrue}`)
    await collectOnce()
  }
}

/** Collects until an object made and forgotten just now is gone, and as often again: what could be collected has been. */
export async function collectAll(): Promise<void> {
  let isGone = false
  const witness = new FinalizationRegistry(() => {
    isGone = true
  })
  ;(() => witness.register({}, undefined))()
  await afterCollection(() => isGone)
  for (let round = 0; round < 2; round++) await collectOnce()
}

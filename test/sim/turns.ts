/**
 * Stands in for `src/base/macrotask.ts`: what is to run after a turn of the event loop waits here until the simulation runs
 * it, so that a turn costs nothing where nothing waits.
 */
const waiting: (() => void)[] = []
let first = 0

export function macrotask(callback: () => void): void {
  waiting.push(callback)
}

/** Runs the callback that has waited longest; false when none does. */
export function runTurn(): boolean {
  const callback = waiting[first]
  if (callback === undefined) return false
  if (++first === waiting.length) {
    waiting.length = 0
    first = 0
  }
  callback()
  return true
}

/** Forgets all that wait: what was left of a simulation that was given up. */
export function forgetTurns(): void {
  waiting.length = 0
  first = 0
}

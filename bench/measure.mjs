// One round of one contender, as a figure.

import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'

/**
 * @param {() => Promise<number>} step returns the units it did
 * @param {number} roundMs how long to repeat it
 * @returns {Promise<number>} units a second
 */
export async function rateOf(step, roundMs) {
  globalThis.gc()
  const startedAt = performance.now()
  let units = 0
  let elapsedMs = 0
  do {
    units += await step()
    elapsedMs = performance.now() - startedAt
  } while (elapsedMs < roundMs)
  return (units * 1000) / elapsedMs
}

/**
 * @param {() => Promise<import('./loads.mjs').Weight>} step
 * @returns {Promise<number>} bytes a unit of what the step leaves behind
 */
export async function sizeOf(step) {
  const bytesBefore = await liveBytes()
  const { units, release } = await step()
  const bytes = (await liveBytes()) - bytesBefore
  await release()
  return bytes / units
}

/** What is left, on the heap and beside it, once this turn's promises and immediates are through. */
async function liveBytes() {
  await setImmediate()
  // What the first leaves to finalizers and weak tables, the second takes.
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

// Rounds and medians. Contenders take turns round by round, so that whatever disturbs the machine disturbs them alike.

import { performance } from 'node:perf_hooks'

/**
 * @param {Record<string, () => Promise<number>>} steps one per contender; each returns the units it did
 * @param {{ readonly rounds: number, readonly roundMs: number }} options
 * @returns {Promise<Record<string, number>>} the median rate of each, in units a second
 */
export async function measure(steps, { rounds, roundMs }) {
  for (const step of Object.values(steps)) await round(step, roundMs)
  /** @type {Record<string, number[]>} */
  const rates = Object.fromEntries(Object.keys(steps).map((name) => [name, []]))
  for (let i = 0; i < rounds; i++) {
    for (const [name, step] of Object.entries(steps)) {
      globalThis.gc?.()
      rates[name].push(await round(step, roundMs))
    }
  }
  return Object.fromEntries(Object.entries(rates).map(([name, values]) => [name, median(values)]))
}

async function round(step, roundMs) {
  const startedAt = performance.now()
  let units = 0
  let elapsedMs = 0
  do {
    units += await step()
    elapsedMs = performance.now() - startedAt
  } while (elapsedMs < roundMs)
  return (units * 1000) / elapsedMs
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

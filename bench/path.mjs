// Measures one path. Contenders take turns round by round, so that whatever disturbs the machine disturbs them alike.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { paths } from './paths.mjs'

/** Engines compile what runs often, and what runs some thousand times a second takes seconds to be that. */
const WARM_UP_ROUNDS = 3
const contenderFile = fileURLToPath(new URL('./contender.mjs', import.meta.url))

/**
 * @param {number} index the number of the path
 * @param {object} options
 * @param {number} options.rounds after those that warm up
 * @param {number} options.roundMs
 * @param {boolean} options.canPin
 * @returns {Promise<Record<string, number | undefined>>} each contender's median; none for one that failed
 */
export async function figuresOf(index, { rounds, roundMs, canPin }) {
  const { contenders, pinned } = paths[index]
  const names = Object.keys(contenders)
  const started = await Promise.all(names.map((name) => start([index, name, roundMs], pinned && canPin)))
  const figures = started.map(() => [])
  for (let i = -WARM_UP_ROUNDS; i < rounds; i++) {
    for (const [at, { round }] of started.entries()) {
      const figure = await round()
      if (i >= 0) figures[at].push(figure)
    }
  }
  for (const { stop } of started) await stop()
  return Object.fromEntries(names.map((name, at) => [name, median(figures[at])]))
}

async function start(args, isPinned) {
  // Child processes and threads inherit the core.
  const onOneCore = { execPath: 'taskset', execArgv: ['-c', '0', process.execPath, '--expose-gc'] }
  const child = fork(contenderFile, args.map(String), isPinned ? onOneCore : { execArgv: ['--expose-gc'] })
  const exited = once(child, 'exit').then(() => [undefined])
  const message = () => Promise.race([once(child, 'message'), exited])
  await message()
  return {
    /** Resolves to the figure of one more round, to undefined when the process failed. */
    async round() {
      if (!child.connected) return undefined
      child.send('round', () => {})
      const [figure] = await message()
      return figure
    },
    async stop() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

function median(values) {
  if (values.includes(undefined)) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

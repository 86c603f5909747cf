// Prints one Markdown table: every path beside the platform without a framework, and beside peers that are installed,
// all in one run. Figures are of this machine and moment; only the ratios travel. Nothing is asserted.
//
//   node bench/run.mjs [--quick] [--rounds 5] [--only text]
//
// Imports the built package (`npm run bench` builds it). Leave the machine alone while it runs.

import { fork, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { countsBytes } from './loads.mjs'
import { paths } from './paths.mjs'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', default: '' },
  },
})
const measuring = { rounds: Number(options.rounds ?? (options.quick ? 2 : 5)), roundMs: options.quick ? 200 : 800 }
const canPin = spawnSync('taskset', ['-c', '0', 'true']).status === 0

console.log('| path | raw | us | ratio | target | beside them |')
console.log('|---|---|---|---|---|---|')
for (const [index, path] of paths.entries()) {
  if (!path.title.includes(options.only)) continue
  console.log(row(path, await ratesOf(index, path)))
}
if (!canPin) console.log('\nNo `taskset` here: awaited round trips ran on several cores.')

/** Runs a path in a process of its own; undefined where that failed. */
function ratesOf(index, { pinned }) {
  const args = [String(index), JSON.stringify(measuring)]
  const file = fileURLToPath(new URL('./path.mjs', import.meta.url))
  // Child processes and threads inherit the core.
  const onOneCore = { execPath: 'taskset', execArgv: ['-c', '0', process.execPath, '--expose-gc'] }
  const child = fork(file, args, pinned && canPin ? onOneCore : { execArgv: ['--expose-gc'] })
  return new Promise((resolve) => {
    let rates
    child.on('message', (message) => {
      rates = message
    })
    child.on('exit', () => resolve(rates))
  })
}

function row({ title, load, target }, rates) {
  if (rates === undefined) return `| ${title} | failed | | | ${targetText(target)} | |`
  const show = (rate) => text(rate, countsBytes(load) ? 'B/s' : '/s')
  const { raw, us, ...others } = rates
  const beside = Object.entries(others).map(([name, rate]) => `${name} ${show(rate)}`)
  const cells = [title, show(raw), show(us), `${(us / raw).toFixed(2)} ×`, targetText(target), beside.join(', ')]
  return `| ${cells.join(' | ')} |`
}

function targetText({ ratio, rate }) {
  return ratio === undefined ? `≥ ${text(rate, '/s')}` : `≥ ${ratio} ×`
}

function text(rate, unit) {
  for (const [size, prefix] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ]) {
    if (rate >= size) return `${(rate / size).toPrecision(3)} ${prefix}${unit}`
  }
  return `${rate.toPrecision(3)} ${unit}`
}

// Prints one Markdown table: every path beside the platform without a framework, and beside peers, all in one run.
// Figures are of this machine and moment; only the ratios travel, and what an actor takes. Nothing is asserted.
//
//   node bench/run.mjs [--quick] [--rounds 5] [--only text]
//
// Imports the built package (`npm run bench` builds it). Leave the machine alone while it runs.

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { unitOf } from './loads.mjs'
import { figuresOf } from './path.mjs'
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
  if (path.title.includes(options.only)) console.log(row(path, await figuresOf(index, { ...measuring, canPin })))
}
if (!canPin) console.log('\nNo `taskset` here: awaited round trips ran on several cores.')

function row({ title, load, target }, figures) {
  const show = (figure) => text(figure, unitOf(load))
  const { raw, us, ...others } = figures
  const beside = Object.entries(others).map(([name, figure]) => `${name} ${show(figure)}`)
  const ratio = us && raw ? `${(us / raw).toFixed(2)} ×` : '–'
  const cells = [title, show(raw), show(us), ratio, targetText(target), beside.join(', ')]
  return `| ${cells.join(' | ')} |`
}

function targetText({ ratio, most, rate, bytes } = {}) {
  if (most !== undefined) return `≤ ${most} ×`
  if (ratio !== undefined) return `≥ ${ratio} ×`
  if (rate !== undefined) return `≥ ${text(rate, '/s')}`
  return bytes === undefined ? '–' : `≤ ${text(bytes, 'B')}`
}

function text(figure, unit) {
  if (figure === undefined) return 'failed'
  if (unit === 'B') return `${Math.round(figure)} B`
  if (unit === 'ms') return `${figure.toPrecision(2)} ms`
  for (const [size, prefix] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ]) {
    if (figure >= size) return `${(figure / size).toPrecision(3)} ${prefix}${unit}`
  }
  return `${figure.toPrecision(3)} ${unit}`
}

// One path in a process of its own, so that paths do not share a heap or what the compiler learnt: started by run.mjs
// with the path's number and the options of `measure`, sends the rates to its parent.

import { loads } from './loads.mjs'
import { measure } from './measure.mjs'
import { paths } from './paths.mjs'

const [index, options] = process.argv.slice(2).map((text) => JSON.parse(text))
const { load, contenders } = paths[index]

const opened = {}
for (const [name, contender] of Object.entries(contenders)) {
  const { open, needs } = typeof contender === 'string' ? { open: contender } : contender
  if (needs !== undefined && !isInstalled(needs)) continue
  const [file, factory] = open.split(' ')
  opened[name] = await (await import(`./${file}`))[factory]()
}
const steps = Object.entries(opened).map(([name, contender]) => [name, () => loads[load](contender)])
const rates = await measure(Object.fromEntries(steps), options)
for (const contender of Object.values(opened)) await contender.close()
process.send?.(rates, () => process.exit(0))
if (!process.send) console.log(rates)

function isInstalled(name) {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

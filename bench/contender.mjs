// One contender of a path in a process of its own, so that none shares a heap, or what the compiler learnt, with another.
// Started by path.mjs with the path's number, the contender's name and the length of a round; answers every message with
// the figure of one more round, and ends with its parent.

import { loads, unitOf } from './loads.mjs'
import { rateOf, sizeOf } from './measure.mjs'
import { paths } from './paths.mjs'

const [index, name, roundMs] = process.argv.slice(2)
const { load, contenders, heapObjects = 0 } = paths[Number(index)]
const [file, factory] = contenders[name].split(' ')

/** Kept for as long as the process lives. */
globalThis.heap = Array.from({ length: heapObjects }, (_, id) => ({ id, name: `object ${id}` }))

const contender = await (await import(`./${file}`))[factory]()
const step = () => loads[load](contender)
const figures = { B: () => sizeOf(step), ms: step }
const figure = figures[unitOf(load)] ?? (() => rateOf(step, Number(roundMs)))

process.on('message', async () => process.send(await figure()))
process.on('disconnect', async () => {
  await contender.close()
  process.exit(0)
})
process.send('ready')

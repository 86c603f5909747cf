/**
 * Many light leaves as a program, for `LightLeaves`: `<count> <first number> <url>…`. Says `ready` when all of them have
 * been let in for the first time.
 */
import { LightLeaf } from './light-leaf.ts'

const [count = '', first = '', ...urls] = process.argv.slice(2)
let missing = Number(count)
for (let number = Number(first); number < Number(first) + Number(count); number++) {
  let isNew = true
  new LightLeaf(`leaf ${number}`, urls, {
    attached: () => {
      if (isNew && --missing === 0) process.stdout.write('ready\n')
      isNew = false
    },
  })
}

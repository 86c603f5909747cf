// A Node.js process with a lab in it, driven over IPC by node-process.ts. It uses the built package, as anybody would.

import { Lab } from '../pages/lab.mjs'

const lab = new Lab()

process.on('message', async ({ id, story, arg }) => {
  try {
    const run = new Function(`return (${story})`)()
    process.send({ id, value: await run(lab, arg) })
  } catch (error) {
    process.send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
})

// The spec that started this process is gone.
process.on('disconnect', () => process.exit())

// `npm run check`: the types of every program. A file is in each program whose platform it claims to run on.

import { pathToFileURL } from 'node:url'
import { runNode, toolFile } from './run.mjs'
import { setup } from './setup.mjs'

const programs = ['neutral-in-node', 'neutral-in-worker', 'browser', 'tests']

/** @returns {Promise<{ passed: number, failed: number }>} one for each program */
export async function checkTypes() {
  let failed = 0
  for (const program of programs) {
    const code = await runNode(toolFile('typescript-7', 'tsc'), ['-p', `.config/tsconfig.${program}.json`])
    console.log(`types: ${program} ${code === 0 ? 'ok' : 'FAILED'}`)
    if (code !== 0) failed++
  }
  return { passed: programs.length - failed, failed }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setup()
  const { failed } = await checkTypes()
  process.exit(failed === 0 ? 0 : 1)
}

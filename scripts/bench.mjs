// `npm run bench`: installs and builds what is missing, then runs the side-by-side benchmarks.

import { join } from 'node:path'
import { root, runNode } from './run.mjs'
import { setup } from './setup.mjs'

await setup()
const { buildIfStale } = await import('./build.mjs')
await buildIfStale()
process.exit(await runNode(join(root, 'bench/run.mjs'), process.argv.slice(2), { env: { NODE_ENV: 'production' } }))

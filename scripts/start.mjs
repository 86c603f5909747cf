// `npm start`: installs and builds what is missing, then runs a relay, a Node.js peer with actors, and the demo page.

import { join } from 'node:path'
import { root, runNode } from './run.mjs'
import { setup } from './setup.mjs'

await setup()
const { buildIfStale } = await import('./build.mjs')
await buildIfStale()
process.exit(await runNode(join(root, 'demo/server.mjs'), process.argv.slice(2)))

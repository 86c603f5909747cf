// Writes test/interop/vectors.json, the test vectors of PROTOCOL.md, from the code. Run it when the format changes on purpose.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runnerImport } from 'vite'
import { checkStyle } from './lint.mjs'
import { root } from './run.mjs'

const file = 'test/interop/vectors.json'
const { module } = await runnerImport(join(root, 'test/wire/vectors.ts'), { root, configFile: false })
writeFileSync(join(root, file), `${JSON.stringify(module.makeVectors(), null, 2)}\n`)
await checkStyle({ write: true, only: [file] })

// `npm run lint`: style and format (biome), and the layers of src/ (dependency-cruiser). `npm run format` mends what can be mended.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkLayers } from './layers.mjs'
import { root, runNode, toolFile } from './run.mjs'
import { setup } from './setup.mjs'

/** Named one by one: biome takes a configuration it comes across below `.` for a second root. */
const places = [
  'src',
  'test',
  'e2e',
  'demo',
  'bench',
  'scripts',
  'vite.config.ts',
  'package.json',
  'tsconfig.json',
  '.config/dependency-cruiser.cjs',
]

/**
 * @param {{ write?: boolean, only?: readonly string[] }} [options]
 * @returns {Promise<{ passed: number, failed: number }>} one for the style of everything
 */
export async function checkStyle({ write = false, only = [] } = {}) {
  const args = ['check', '--config-path=.config', '--error-on-warnings', ...(write ? ['--write'] : [])]
  const present = only.length > 0 ? only : places.filter((place) => existsSync(join(root, place)))
  const code = await runNode(toolFile('@biomejs/biome'), [...args, ...present])
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setup()
  const words = process.argv.slice(2)
  const write = words.includes('--write')
  const only = words.filter((word) => !word.startsWith('--'))
  const results = [await checkStyle({ write, only })]
  if (!write && only.length === 0) results.push(await checkLayers())
  process.exit(results.every(({ failed }) => failed === 0) ? 0 : 1)
}

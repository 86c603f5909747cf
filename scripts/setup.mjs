// Makes node_modules what package-lock.json says, when it is not. Everything else in scripts/ starts with this.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, runNpm } from './run.mjs'

/** Installs the locked packages, unless they are there. Exits the process when that fails. */
export async function setup() {
  requireNode(20)
  const reason = whyStale()
  if (reason === undefined) return
  console.log(`setup: ${reason}, running npm ci`)
  const code = await runNpm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    env: { PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: '1' },
  })
  if (code !== 0) {
    console.error(`setup: npm ci failed with exit code ${code}`)
    process.exit(code)
  }
}

function requireNode(major) {
  if (Number(process.versions.node.split('.')[0]) >= major) return
  console.error(`setup: Node.js ${major} or newer is needed, this is ${process.versions.node}`)
  process.exit(1)
}

/** npm writes what it installed to node_modules/.package-lock.json; optional packages of other systems are missing there. */
function whyStale() {
  const installedFile = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(installedFile)) return 'nothing is installed yet'
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  for (const [path, { version, optional, peer }] of Object.entries(locked)) {
    if (path === '' || (installed[path] === undefined && (optional || peer))) continue
    if (installed[path]?.version !== version) return `${path} is not at ${version}`
    if (!existsSync(join(root, path))) return `${path} is missing`
  }
  for (const path of Object.keys(installed)) if (locked[path] === undefined) return `${path} is no longer wanted`
  return undefined
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await setup()

// Packs the package as npm would publish it, and installs the tarball into an empty folder: what the checks in test/package look at.

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, runNpm } from './run.mjs'

/**
 * @param {string} scratch an existing folder
 * @returns {Promise<{ PULSING_TARBALL: string, PULSING_APP: string }>} the tarball, and the folder it is installed in
 */
export async function preparePackage(scratch) {
  const [{ filename }] = JSON.parse(npmOutput(['pack', '--json', '--ignore-scripts', '--pack-destination', scratch]))
  const tarball = join(scratch, filename)
  const app = join(scratch, 'app')
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }))
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', tarball]
  const code = await runNpm(args, { cwd: app })
  if (code !== 0) throw new Error(`package: installing the tarball failed with exit code ${code}`)
  return { PULSING_TARBALL: tarball, PULSING_APP: app }
}

function npmOutput(args) {
  const npm = process.env['npm_execpath']
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  const { status, stdout, stderr } = spawnSync(command, [...first, ...args], {
    cwd: root,
    encoding: 'utf8',
    shell: command === 'npm' && process.platform === 'win32',
  })
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed with exit code ${status}:\n${stderr}`)
  return stdout
}

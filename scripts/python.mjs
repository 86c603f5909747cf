// Finds a Python with the two packages the independent client of test/interop needs, or gets them from Debian, as root.

import { existsSync } from 'node:fs'
import { run, succeeds } from './run.mjs'

/** @returns {Promise<string | undefined>} the path of such a Python; undefined where there is none to be had */
export async function ensurePython() {
  const wanted = process.env['PULSING_PYTHON']
  const candidates = wanted ? [wanted] : ['/usr/bin/python3', 'python3']
  const find = () => candidates.find((python) => succeeds(python, ['-c', 'import websockets, cbor2']))
  const found = find()
  if (found !== undefined || wanted) return found
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return undefined
  console.log('no Python with websockets and cbor2: installing the packages of the system')
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const packages = ['python3', 'python3-websockets', 'python3-cbor2']
  const install = () => run('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { env })
  if ((await install()) !== 0) {
    await run('apt-get', ['update'], { env })
    await install()
  }
  return find()
}

// Finds a Chromium for the browser tests, or gets one.
// Order: CHROMIUM_PATH, an installed one, Playwright's own, Playwright's download, Debian's package (as root).

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Command line switches of every Chromium the tests start. */
export const chromiumArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
]

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/**
 * The path of an installed Chromium; undefined when the only one is Playwright's own (which it finds by itself) or there is none.
 * @returns {string | undefined}
 */
export function findChromium() {
  const wanted = process.env['CHROMIUM_PATH']
  if (wanted) {
    if (!existsSync(wanted)) throw new Error(`CHROMIUM_PATH is ${wanted}, but there is no such file`)
    return wanted
  }
  const folders = ['/usr/bin', '/usr/local/bin', ...(process.env['PATH'] ?? '').split(delimiter)]
  const places = names.flatMap((name) => folders.map((folder) => join(folder, name)))
  places.push(
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  )
  return places.find((place) => existsSync(place))
}

/** @returns {Promise<string | undefined>} the path of Playwright's own Chromium, if it is on the disk */
async function playwrightChromium() {
  const { chromium } = await import('playwright')
  const path = chromium.executablePath()
  return existsSync(path) ? path : undefined
}

/** @returns {Promise<string>} the path of a Chromium; gets one first where there is none. Rejects where that fails too. */
export async function ensureChromium() {
  const found = findChromium() ?? (await playwrightChromium())
  if (found) return found

  console.log('no Chromium found: asking Playwright for one')
  run('npx', ['playwright', 'install', 'chromium'])
  const downloaded = await playwrightChromium()
  if (downloaded) return downloaded

  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) {
    console.log('no Chromium from Playwright: installing the package of the system')
    run('apt-get', ['update'])
    run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'])
    const installed = findChromium()
    if (installed) return installed
  }
  throw new Error(
    'no Chromium: install one, or set CHROMIUM_PATH to its executable. The browser tests cannot run without it.',
  )
}

function run(command, args) {
  const { PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD: _, ...env } = process.env
  spawnSync(command, args, { stdio: 'inherit', env: { ...env, DEBIAN_FRONTEND: 'noninteractive' } })
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) console.log(await ensureChromium())

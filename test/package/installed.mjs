// The package as a stranger has it: the tarball, the folder of an application it is installed in, and a strict page server for that folder.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright'
import { chromiumArgs, findChromium } from '../../scripts/chromium.mjs'

export const repository = fileURLToPath(new URL('../..', import.meta.url))
export const tarball = fromEnvironment('PULSING_TARBALL')
export const app = fromEnvironment('PULSING_APP')
export const installed = join(app, 'node_modules/pulsing')

/** What a careful site allows: its own files, and relays of this machine. */
const policy = "default-src 'self'; connect-src 'self' ws://127.0.0.1:*"
const contentTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.map': 'application/json',
  '.css': 'text/css',
}

function fromEnvironment(name) {
  const value = process.env[name]
  if (value === undefined)
    throw new Error(`${name} is not set: run these checks with \`node scripts/test.mjs build package\``)
  return value
}

/** Opens `path` of the served folder in Chromium, runs `use` on the page, and fails on any error or refusal the page saw. */
export async function withPage(folder, path, use) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://127.0.0.1')
    const file = join(folder, normalize(decodeURIComponent(pathname)))
    const body = await readFile(file).catch(() => undefined)
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': contentTypes[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': policy,
    })
    response.end(body)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const executablePath = findChromium()
  const browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args: chromiumArgs })
  try {
    const page = await browser.newPage()
    const complaints = []
    page.on('pageerror', (error) => complaints.push(`page error: ${error.stack ?? error.message}`))
    page.on('console', (message) => {
      if (message.type() === 'error' && !/favicon/.test(message.location().url))
        complaints.push(`console: ${message.text()}`)
    })
    await page.goto(`http://127.0.0.1:${server.address().port}/${path}`)
    const result = await use(page).catch((error) => {
      throw new Error([error.message, ...complaints].join('\n'))
    })
    if (complaints.length > 0) throw new Error(complaints.join('\n'))
    return result
  } finally {
    await browser.close()
    server.close()
  }
}

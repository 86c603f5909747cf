// Serves one folder of built files. The list of files is made once, at the start: what a request asks for is looked up
// in it, so no path from outside ever reaches the file system.

import { createReadStream, readdirSync, statSync } from 'node:fs'
import { extname, join, sep } from 'node:path'
import { pipeline } from 'node:stream'

const CONTENT_TYPES = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.map', 'application/json; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
])

/** Names with a hash in them never change their content. */
const HASHED = /-[\w-]{8}\.\w+$/
/** What a `Host` header may look like before it becomes part of a policy. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i

/**
 * @param {string} folder
 * @returns {import('node:http').RequestListener}
 */
export function staticFiles(folder) {
  const files = new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => ({ name, path: join(folder, name), stat: statSync(join(folder, name)) }))
      .filter(({ name, stat }) => stat.isFile() && CONTENT_TYPES.has(extname(name)))
      .map(({ name, path, stat }) => [`/${name.split(sep).join('/')}`, { path, size: stat.size }]),
  )
  files.set('/', files.get('/index.html'))

  return (request, response) => {
    const [path = '/'] = (request.url ?? '/').split(/[?#]/)
    const file = files.get(path)
    setPolicy(response, request.headers.host)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end()
    } else if (!file) {
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('There is no such page.\n')
    } else {
      response.writeHead(200, {
        'content-type': CONTENT_TYPES.get(extname(file.path)),
        'content-length': file.size,
        'cache-control': HASHED.test(file.path) ? 'public, max-age=31536000, immutable' : 'no-cache',
      })
      if (request.method === 'HEAD') response.end()
      // A visitor who leaves early is no error of ours.
      else pipeline(createReadStream(file.path), response, () => undefined)
    }
  }
}

/**
 * Everything comes from here, nothing inline. Not all browsers take `'self'` to mean WebSockets as well: they are named.
 *
 * @param {import('node:http').ServerResponse} response
 * @param {string | undefined} host
 */
function setPolicy(response, host) {
  const sockets = host !== undefined && HOST.test(host) ? ` ws://${host} wss://${host}` : ''
  const policy = [
    "default-src 'self'",
    `connect-src 'self'${sockets}`,
    "worker-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  response.setHeader('content-security-policy', policy.join('; '))
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('cross-origin-opener-policy', 'same-origin')
}

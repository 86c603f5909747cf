// The demo's server: the page, a relay for its tabs on the same port, and a Node peer. The peer is a node of its own that
// dials the relay as every tab does; it could as well run on another machine.
//
// PORT: where to listen, 0 for any free port. HOST: the address to bind, default `localhost`.

import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { createActorSystem, SystemConfig } from 'pulsing'
import { startRelay } from 'pulsing/node'
import { Counter } from './actors/counter.mjs'
import { WordCount } from './actors/word-count.mjs'
import { staticFiles } from './static-files.mjs'

const DEFAULT_PORT = 7300
const RELAY_PATH = '/pulsing'
/** How long a clean end may take, in milliseconds. */
const END_TIMEOUT_MS = 5_000

const folder = fileURLToPath(new URL('../dist/demo', import.meta.url))
if (!existsSync(folder)) {
  console.error('The demo is not built yet: run `npm start`.')
  process.exit(1)
}

const host = process.env['HOST'] || 'localhost'
const server = createServer(staticFiles(folder))
const port = await listen(readPort(process.env['PORT']))
const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`

// The relay takes the upgrades of its own path. All others end here, else they would hang.
server.on('upgrade', (request, socket) => {
  if (request.url?.split('?')[0] !== RELAY_PATH) socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n')
})
const origins = [...new Set([url, `http://localhost:${port}`, `http://127.0.0.1:${port}`, `http://[::1]:${port}`])]
const relay = await startRelay({ server, path: RELAY_PATH, origins })
await introduce(relay.system, { role: 'relay' })

const peer = await createActorSystem(SystemConfig.withSeeds([relay.url]))
await peer.spawn(new Counter(), 'counter', { public: true })
await peer.spawn(new WordCount(), 'word-count', { public: true })
await introduce(peer, { role: 'node', wordCount: 'word-count' })

let isEnding = false
process.on('SIGINT', end)
process.on('SIGTERM', end)
console.log(`\n  pulsing demo: ${url}/\n  Open it in two tabs. Ctrl+C ends it.\n`)

async function end() {
  if (isEnding) return
  isEnding = true
  setTimeout(() => process.exit(1), END_TIMEOUT_MS).unref()
  await peer.shutdown()
  await relay.close()
  server.close()
  server.closeAllConnections()
}

/**
 * Every node of the demo has an actor `card` that says what it is; the pages ask for it.
 *
 * @param {import('pulsing').ActorSystem} system
 * @param {import('./card.ts').Card} card
 */
function introduce(system, card) {
  return system.spawn({ receive: () => card }, 'card', { public: true })
}

/** @param {string | undefined} text */
function readPort(text) {
  if (!text) return DEFAULT_PORT
  const number = Number(text)
  if (Number.isInteger(number) && number >= 0 && number <= 65_535) return number
  console.error(`expected PORT as an integer from 0 to 65535, got '${text}'`)
  process.exit(2)
}

/**
 * Listens at `wanted`, or at any free port where that one is taken.
 *
 * @param {number} wanted
 * @returns {Promise<number>} the port
 */
async function listen(wanted) {
  try {
    await listenAt(wanted)
  } catch (error) {
    if (error.code !== 'EADDRINUSE') throw error
    console.log(`  Port ${wanted} is taken: using another one.`)
    await listenAt(0)
  }
  return server.address().port
}

/** @param {number} wanted */
function listenAt(wanted) {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port: wanted }, () => {
      server.off('error', reject)
      resolve(undefined)
    })
  })
}

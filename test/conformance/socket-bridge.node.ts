/**
 * The Node.js side of the page's WebSocket tests: `globalSetup` of the browser project in vite.config.ts. `GET /pair`
 * answers with a URL to dial twice; what is sent to one of the two connections comes out of the other.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import type { Connection } from '../../src/link/connection.ts'
import { listenOn } from '../../src/transport/websocket/listener.node.ts'
import { pipe } from './pipe.ts'

declare module 'vitest' {
  interface ProvidedContext {
    socketBridgeUrl: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = createServer((_request, response) => {
    const path = `/${randomUUID()}`
    let first: Connection | undefined
    const listener = listenOn(
      server,
      (connection) => {
        if (first === undefined) first = connection
        else {
          pipe(first, connection)
          void listener.close()
        }
      },
      { path },
    )
    response.writeHead(200, { 'access-control-allow-origin': '*' }).end(listener.address)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  project.provide('socketBridgeUrl', `http://127.0.0.1:${(server.address() as AddressInfo).port}/pair`)
  return async () => {
    server.closeAllConnections()
    server.close()
  }
}

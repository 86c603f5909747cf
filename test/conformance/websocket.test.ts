import { describe, test } from 'vitest'
import { transportCases } from '../../src/testkit/transport-cases.ts'
import { webSocketListener } from '../../src/transport/websocket/listener.node.ts'
import { webSocket } from '../../src/transport/websocket/websocket-transport.ts'
import { listeningPair } from './listening-pair.ts'

describe('WebSocket, Node.js to Node.js, near end dials', () => {
  test.each(transportCases)('$name', async ({ run }) => {
    await run(() => listeningPair(webSocketListener(), webSocket(), 'ws://127.0.0.1:0'))
  })
})

describe('WebSocket, Node.js to Node.js, near end listens', () => {
  test.each(transportCases)('$name', async ({ run }) => {
    await run(async () => {
      const { near, far, dispose } = await listeningPair(webSocketListener(), webSocket(), 'ws://127.0.0.1:0/path')
      return { near: far, far: near, ...(dispose && { dispose }) }
    })
  })
})

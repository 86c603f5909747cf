// The far end of peers/birpc.mjs: a worker thread, or a process that listens.

import { once } from 'node:events'
import { isMainThread, parentPort } from 'node:worker_threads'
import { createBirpc } from 'birpc'
import { WebSocketServer } from 'ws'
import { ready } from '../processes.mjs'
import { overSocket } from './birpc.mjs'

const functions = { echo: (value) => value }

if (!isMainThread) {
  createBirpc(functions, {
    post: (data) => parentPort.postMessage(data),
    on: (listener) => parentPort.on('message', listener),
  })
} else {
  const listener = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
  listener.on('connection', (socket) => createBirpc(functions, overSocket(socket)))
  await once(listener, 'listening')
  ready(`ws://127.0.0.1:${listener.address().port}`)
}

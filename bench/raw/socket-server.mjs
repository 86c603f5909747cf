// The answering side of raw/socket.mjs. The path of the URL says how: `each`, `batched` or `bytes`.

import { once } from 'node:events'
import { WebSocketServer } from 'ws'
import { CHUNK } from '../loads.mjs'
import { ready } from '../processes.mjs'
import { decode, encode } from './codec.mjs'
import * as rpc from './rpc.mjs'
import { sendChunks } from './socket-bytes.mjs'

const listener = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
listener.on('connection', (socket, { url }) => (url === '/bytes' ? serveBytes(socket) : serve(socket, url.slice(1))))
await once(listener, 'listening')
ready(`ws://127.0.0.1:${listener.address().port}`)

function serve(socket, mode) {
  const received = rpc.server(
    rpc[mode]((frame) => socket.send(encode(frame))),
    (what, n) => (what === 'chunk' ? CHUNK : { n }),
  )
  socket.on('message', (data) => (mode === 'batched' ? decode(data).forEach(received) : received(decode(data))))
}

function serveBytes(socket) {
  let left = 0
  socket.on('message', (data, isBinary) => {
    if (isBinary) {
      left -= data.byteLength
      if (left === 0) socket.send('done')
      return
    }
    const [direction, count] = String(data).split(' ')
    if (direction === 'down') sendChunks(socket, Number(count))
    else left = Number(count) * CHUNK.byteLength
  })
}

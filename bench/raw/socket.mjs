// The hand loop over WebSocket, between two processes: ws and cbor-x, a message a frame or a message a batch; and bytes
// as they are, held back by nothing but the socket.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { CHUNK, CHUNK_WINDOW, ITEM_WINDOW } from '../loads.mjs'
import { startProcess } from '../processes.mjs'
import { decode, encode } from './codec.mjs'
import * as rpc from './rpc.mjs'
import { sendChunks } from './socket-bytes.mjs'

export const each = () => open('each')
export const batched = () => open('batched')

const serverFile = new URL('./socket-server.mjs', import.meta.url)

async function open(mode) {
  const { url, stop } = await startProcess(serverFile)
  const socket = await dial(`${url}/${mode}`)
  const { ask, read, received } = rpc.client(rpc[mode]((frame) => socket.send(encode(frame))))
  socket.on('message', (data) => (mode === 'batched' ? decode(data).forEach(received) : received(decode(data))))
  return {
    ask,
    items: (count) => read('item', count, ITEM_WINDOW, () => 1),
    bytesDown: (count) => read('chunk', count, CHUNK_WINDOW, (chunk) => chunk.byteLength),
    close: () => close(socket, stop),
  }
}

export async function bytes() {
  const { url, stop } = await startProcess(serverFile)
  const socket = await dial(`${url}/bytes`)
  let left = 0
  let done
  socket.on('message', (data, isBinary) => {
    left -= isBinary ? data.byteLength : left
    if (left === 0) done()
  })
  const transfer = (count) => {
    left = count * CHUNK.byteLength
    return new Promise((resolve) => {
      done = () => resolve(count * CHUNK.byteLength)
    })
  }
  return {
    bytesDown(count) {
      const over = transfer(count)
      socket.send(`down ${count}`)
      return over
    },
    bytesUp(count) {
      const over = transfer(count)
      socket.send(`up ${count}`)
      sendChunks(socket, count)
      return over
    },
    close: () => close(socket, stop),
  }
}

export async function dial(url) {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  await once(socket, 'open')
  return socket
}

export function close(socket, stop) {
  socket.terminate()
  stop()
}

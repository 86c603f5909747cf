// birpc over a worker's port, and over WebSocket with the codec of the hand loop. The far ends are in birpc-host.mjs.

import { createBirpc } from 'birpc'
import { startProcess, startWorker } from '../processes.mjs'
import { decode, encode } from '../raw/codec.mjs'
import { close, dial } from '../raw/socket.mjs'

const hostFile = new URL('./birpc-host.mjs', import.meta.url)

export async function port() {
  const worker = await startWorker(hostFile)
  const rpc = createBirpc(
    {},
    { post: (data) => worker.postMessage(data), on: (listener) => worker.on('message', listener) },
  )
  return { ask: (value) => rpc.echo(value), close: () => worker.terminate() }
}

export async function socket() {
  const { url, stop } = await startProcess(hostFile)
  const socket = await dial(url)
  const rpc = createBirpc({}, overSocket(socket))
  return { ask: (value) => rpc.echo(value), close: () => close(socket, stop) }
}

export function overSocket(socket) {
  return {
    post: (data) => socket.send(data),
    on: (listener) => socket.on('message', listener),
    serialize: encode,
    deserialize: decode,
  }
}

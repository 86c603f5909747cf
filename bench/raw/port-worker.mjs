// The answering side of raw/port.mjs.

import { workerData as mode, parentPort } from 'node:worker_threads'
import { CHUNK } from '../loads.mjs'
import * as rpc from './rpc.mjs'

const post = (message) => parentPort.postMessage(message)
const transfer = (frame) => {
  const [, , value] = frame
  parentPort.postMessage(frame, value instanceof Uint8Array ? [value.buffer] : [])
}
const send = mode === 'batched' ? rpc.batched(post) : rpc.each(mode === 'transferred' ? transfer : post)
const received = rpc.server(send, () => (mode === 'transferred' ? CHUNK.slice() : CHUNK))
parentPort.on('message', mode === 'batched' ? (frames) => frames.forEach(received) : received)

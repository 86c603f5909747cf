// The hand loop over a worker's port: structured clone, a message a frame or a message a batch.

import { CHUNK_WINDOW } from '../loads.mjs'
import { startWorker } from '../processes.mjs'
import * as rpc from './rpc.mjs'

export const each = () => open('each')
export const batched = () => open('batched')
/** Chunks that change owner instead of being copied: each must be a fresh one. */
export const transferred = () => open('transferred')

async function open(mode) {
  const worker = await startWorker(new URL('./port-worker.mjs', import.meta.url), mode)
  const post = (message) => worker.postMessage(message)
  const { ask, read, received } = rpc.client(mode === 'batched' ? rpc.batched(post) : rpc.each(post))
  worker.on('message', mode === 'batched' ? (frames) => frames.forEach(received) : received)
  return {
    ask,
    bytesDown: (count) => read('chunk', count, CHUNK_WINDOW, (chunk) => chunk.byteLength),
    close: () => worker.terminate(),
  }
}

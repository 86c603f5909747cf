// The hand loop over a hand-written relay, three processes. A frame is its length (4 bytes), whom it is for (1 byte) and
// its CBOR: the relay reads the first five bytes and passes the rest on. In batches it does that for every frame, since
// the next one may be for somebody else.

import { startProcess } from '../processes.mjs'
import { decode } from './codec.mjs'
import { framesIn, packed } from './relay-frame.mjs'
import * as rpc from './rpc.mjs'
import { close, dial } from './socket.mjs'

export const each = () => open('each')
export const batched = () => open('batched')

async function open(mode) {
  const relay = await startProcess(new URL('./relay-process.mjs', import.meta.url), mode)
  const leaf = await startProcess(new URL('./relay-leaf.mjs', import.meta.url), relay.url, mode)
  const socket = await dial(relay.url)
  const { ask, received } = rpc.client(rpc[mode](packed(socket, 0, mode)))
  socket.on('message', (data) => framesIn(data, (_, body) => received(decode(body))))
  return {
    ask,
    close() {
      close(socket, leaf.stop)
      relay.stop()
    },
  }
}

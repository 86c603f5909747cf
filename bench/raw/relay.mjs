// The hand loop over a hand-written relay, three processes, or over two of them, four. A frame is its length (4 bytes), whom it is for (1 byte) and
// its CBOR: the relay reads the first five bytes and passes the rest on. In batches it does that for every frame, since
// the next one may be for somebody else.

import { startProcess } from '../processes.mjs'
import { decode } from './codec.mjs'
import { framesIn, packed } from './relay-frame.mjs'
import * as rpc from './rpc.mjs'
import { close, dial } from './socket.mjs'

export const each = () => open('each', 1)
export const batched = () => open('batched', 1)
export const eachOverTwo = () => open('each', 2)
export const batchedOverTwo = () => open('batched', 2)

const relayFile = new URL('./relay-process.mjs', import.meta.url)

async function open(mode, hops) {
  const relay = await startProcess(relayFile, mode)
  const relays = [relay]
  if (hops === 2) relays.push(await startProcess(relayFile, mode, relay.url))
  const leaf = await startProcess(new URL('./relay-leaf.mjs', import.meta.url), relays.at(-1).url, mode)
  const socket = await dial(relay.url)
  const { ask, received } = rpc.client(rpc[mode](packed(socket, 0, mode)))
  socket.on('message', (data) => framesIn(data, (_, body) => received(decode(body))))
  return {
    ask,
    close() {
      close(socket, leaf.stop)
      for (const { stop } of relays) stop()
    },
  }
}

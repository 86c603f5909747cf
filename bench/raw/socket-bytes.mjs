// Sends chunks as fast as the socket takes them, with a bounded number waiting in it.

import { CHUNK } from '../loads.mjs'

const MAX_WAITING_BYTES = 1024 * 1024

export function sendChunks(socket, count) {
  while (count > 0 && socket.bufferedAmount < MAX_WAITING_BYTES) {
    count--
    socket.send(CHUNK)
  }
  if (count > 0) socket.send(CHUNK, () => sendChunks(socket, count - 1))
}

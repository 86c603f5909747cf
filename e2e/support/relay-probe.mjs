// Loaded into the relay's process before its own program, to look at it from inside: memory after a garbage collection,
// and how many bytes of payload it decoded. The relay itself is the built command, unchanged.

import { Decoder } from 'cbor-x'

let decodedBytes = 0
const { decode } = Decoder.prototype
Decoder.prototype.decode = function (bytes, ...rest) {
  decodedBytes += bytes.byteLength
  return decode.call(this, bytes, ...rest)
}

process.on('message', async () => {
  // Buffers found dead by one collection are freed in the next turn, and counted out by the next collection.
  globalThis.gc()
  await new Promise((resolve) => setImmediate(resolve))
  globalThis.gc()
  const { rss, heapUsed, external } = process.memoryUsage()
  process.send({ rss, held: heapUsed + external, decodedBytes })
})
process.channel.unref()

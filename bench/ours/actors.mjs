// The actors at the far end.

import { StreamMessage } from 'pulsing'
import { CHUNK, CHUNK_WINDOW, ITEM_WINDOW } from '../loads.mjs'

export class Echo {
  receive(message) {
    return message.toObject()
  }
}

/** Answers a number with a stream of as many small items. */
class Items {
  receive(message) {
    return produce(message.toObject(), ITEM_WINDOW, (n) => ({ n }))
  }
}

/** Answers a number with a stream of as many chunks. */
class Chunks {
  receive(message) {
    return produce(message.toObject(), CHUNK_WINDOW, () => CHUNK)
  }
}

/** Reads a stream of chunks and answers how many bytes came. */
class Sink {
  async receive(message) {
    let bytes = 0
    for await (const chunk of message.streamReader()) bytes += chunk.byteLength
    return bytes
  }
}

/** Answers bytes with how many they are. */
class Scales {
  receive(message) {
    return message.toObject().byteLength
  }
}

export function produce(count, window, itemAt) {
  const [message, writer] = StreamMessage.create('', window)
  void write(writer, count, itemAt)
  return message
}

async function write(writer, count, itemAt) {
  for (let i = 0; i < count; i++) await writer.write(itemAt(i))
  await writer.close()
}

export async function spawnAll(system) {
  const classes = { echo: Echo, items: Items, chunks: Chunks, sink: Sink, scales: Scales }
  for (const [name, Class] of Object.entries(classes)) await system.spawn(new Class(), name, { public: true })
}

/** 1000 in flight fit: raw loops have no bounds at all, and a full mailbox makes senders wait. */
export const MAILBOX_CAPACITY = 4096
/** Room for the largest message there is here. */
export const MAX_MESSAGE_BYTES = 128 * 1024 * 1024

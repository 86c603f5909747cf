/**
 * Batches to and from data channel messages, pure. A message is one header byte and up to 16 KiB - 1 bytes of a batch;
 * every chunk of a batch but its last is full, so that what a batch costs its receiver is bounded by the bytes sent.
 *
 *   header   3 whole batch   1 first chunk   0 middle chunk   2 last chunk   4 end   8 end seen (both alone)
 */
import { ProtocolError } from '../../base/errors.ts'

/** A data channel message is at most this long: the size every implementation sends without blocking others for long. */
export const MAX_MESSAGE_BYTES = 16_384

/** Bytes of a batch in a full chunk. */
export const CHUNK_BYTES: number = MAX_MESSAGE_BYTES - 1

/** The largest batch, and so the most bytes kept for an unfinished one. */
export const MAX_BATCH_BYTES: number = 16 * 1024 * 1024

const FIRST = 1
const LAST = 2

/** The header of the message after which its sender sends no batch. */
export const END = 4

/** The header of the answer to END: everything before it has arrived. */
export const END_SEEN = 8

/** The message with the part of `batch` that begins at `offset`. */
export function chunkAt(batch: Uint8Array, offset: number): Uint8Array<ArrayBuffer> {
  const end = Math.min(offset + CHUNK_BYTES, batch.byteLength)
  const message = new Uint8Array(end - offset + 1)
  message[0] = (offset === 0 ? FIRST : 0) | (end === batch.byteLength ? LAST : 0)
  message.set(offset === 0 && end === batch.byteLength ? batch : batch.subarray(offset, end), 1)
  return message
}

/** The message that is only a header. */
export function markOf(header: typeof END | typeof END_SEEN): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(header)
}

/** Puts batches together again. After an error it is not to be used any more. */
export class Assembly {
  #chunks: Uint8Array[] = []
  #bytes = 0

  /**
   * Takes one message: answers the batch it completes, the mark it is, or undefined when more must come.
   *
   * @throws ProtocolError when no correct sender sends this message here
   */
  add(message: Uint8Array): Uint8Array | typeof END | typeof END_SEEN | undefined {
    const header = message[0]
    const size = message.byteLength - 1
    const isInside = this.#chunks.length > 0
    if ((header === END || header === END_SEEN) && size === 0 && !isInside) return header
    if (header === undefined || header > (FIRST | LAST)) throw refused('a known header', `${header}`)
    if (((header & FIRST) === 0) !== isInside)
      throw refused(isInside ? 'the next chunk' : 'a first chunk', `header ${header}`)
    const isLast = (header & LAST) !== 0
    if (isLast ? size > CHUNK_BYTES : size !== CHUNK_BYTES)
      throw refused(`${CHUNK_BYTES} bytes in a chunk, fewer only in the last`, `${size}`)
    if (isLast && !isInside) return message.subarray(1)
    this.#bytes += size
    if (this.#bytes > MAX_BATCH_BYTES) throw refused(`a batch of at most ${MAX_BATCH_BYTES} bytes`, 'more')
    this.#chunks.push(message.subarray(1))
    return isLast ? this.#join() : undefined
  }

  #join(): Uint8Array {
    const batch = new Uint8Array(this.#bytes)
    let offset = 0
    for (const chunk of this.#chunks) {
      batch.set(chunk, offset)
      offset += chunk.byteLength
    }
    this.#chunks = []
    this.#bytes = 0
    return batch
  }
}

function refused(expected: string, got: string): ProtocolError {
  return new ProtocolError(`expected ${expected} on a WebRTC data channel, got ${got}`)
}

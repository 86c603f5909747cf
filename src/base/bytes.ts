/** Byte arrays: text to and from UTF-8, copies, joins. */

const encoder = /* @__PURE__ */ new TextEncoder()
const decoder = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const EMPTY_BYTES: Uint8Array = /* @__PURE__ */ new Uint8Array(0)

export function toUtf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** @throws TypeError when the bytes are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** Bytes that may be kept: a view that owns most of its memory as it is, otherwise a copy, so that a small value never pins a large batch. */
export function ownBytes(view: Uint8Array): Uint8Array {
  return view.byteLength * 2 >= view.buffer.byteLength ? view : view.slice()
}

/** The longest head a transport reads into the memory of a batch, before it: a WebSocket frame's. */
const MAX_HEAD_BYTES = 14

/**
 * Bytes that may be given away: whoever gets them may transfer their memory to another thread. A view of `batch` as it is
 * if it is most of that memory and the end of it, otherwise a copy. What stands before it in the batch has been read;
 * what stands beside the batch, a connection may still be reading.
 */
export function bytesToGive(view: Uint8Array, batch: Uint8Array): Uint8Array {
  const end = view.buffer.byteLength
  const isLast = view.byteOffset + view.byteLength === end && batch.byteOffset + batch.byteLength === end
  return isLast && batch.byteOffset <= MAX_HEAD_BYTES ? ownBytes(view) : view.slice()
}

/** All of them, one after the other. */
export function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const { byteLength } of pieces) length += byteLength
  const joined = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.byteLength
  }
  return joined
}

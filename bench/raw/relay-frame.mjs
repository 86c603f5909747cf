// The frames of raw/relay.mjs.

import { encode } from './codec.mjs'

export const HEAD = 5

/** Sends a frame, or the frames of a batch, to the leaf `to`. */
export function packed(socket, to, mode) {
  const pack = (frame) => {
    const body = encode(frame)
    const packet = Buffer.allocUnsafe(HEAD + body.byteLength)
    packet.writeUInt32LE(body.byteLength, 0)
    packet[4] = to
    packet.set(body, HEAD)
    return packet
  }
  return mode === 'batched'
    ? (frames) => socket.send(Buffer.concat(frames.map(pack)))
    : (frame) => socket.send(pack(frame))
}

/** Calls back with whom each frame of a message is for, its body, and the frame as a whole. */
export function framesIn(data, callback) {
  for (let at = 0; at < data.byteLength; ) {
    const end = at + HEAD + data.readUInt32LE(at)
    callback(data[at + 4], data.subarray(at + HEAD, end), data.subarray(at, end))
    at = end
  }
}

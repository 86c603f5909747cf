/**
 * How a message's value becomes bytes and back. A message that came over a link brings the codec of that link, which
 * knows what references and streams inside it mean; everywhere else the plain codec serves.
 */
import { decodeCbor, encodeCbor, lower } from '../base/cbor.ts'
import { ProtocolError } from '../base/errors.ts'

export interface PayloadCodec {
  encode(value: unknown): Uint8Array
  decode(payload: Uint8Array): unknown
}

/** Plain data and references to bytes; bytes to plain data. */
export const plainCodec: PayloadCodec = {
  encode: (value) => encodeCbor(lower(value)),
  decode: (payload) => {
    try {
      return decodeCbor(payload)
    } catch (error) {
      throw new ProtocolError(`expected one CBOR value in the payload, got ${payload.byteLength} bytes that are none`, {
        cause: error,
      })
    }
  },
}

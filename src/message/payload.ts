/** A message's value as bytes, and back, where no link is involved: plain data and references. */
import { decodeCbor, encodeCbor, lower } from '../base/cbor.ts'

/** @throws NotSerialisableError naming what in the value cannot become bytes */
export function encodePayload(value: unknown): Uint8Array {
  return encodeCbor(lower(value))
}

/** @throws ProtocolError when the bytes are no CBOR value */
export function decodePayload(payload: Uint8Array): unknown {
  return decodeCbor(payload)
}

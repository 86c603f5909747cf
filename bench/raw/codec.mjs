// cbor-x as the package itself sets it up: bytes mean the same to every reader.

import { Encoder } from 'cbor-x'

const codec = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false })

export const encode = (value) => codec.encode(value)
export const decode = (bytes) => codec.decode(bytes)

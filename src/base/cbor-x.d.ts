/** The part of cbor-x this project uses, stated structurally: the package's own types drag in Node.js streams. */
export interface EncoderOptions {
  readonly useRecords?: boolean
  readonly variableMapSize?: boolean
  readonly tagUint8Array?: boolean
  readonly copyBuffers?: boolean
}
export class Encoder {
  constructor(options?: EncoderOptions)
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array, end?: number): unknown
}
export class Tag {
  constructor(value: unknown, tag: number)
  readonly value: unknown
  readonly tag: number
}

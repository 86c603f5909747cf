// The types of chunks.mjs.

export interface DigestResult {
  readonly items: number
  readonly bytes: number
  readonly sha256: string
}

export function chunkOf(number: number, bytes: number): Uint8Array

export class Digest {
  add(chunk: unknown): Promise<void>
  result(): DigestResult
}

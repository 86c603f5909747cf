/** Cutting batches into messages and putting them together again, with messages no correct sender sends. */
import { describe, expect, test } from 'vitest'
import {
  Assembly,
  CHUNK_BYTES,
  chunkAt,
  END,
  END_SEEN,
  MAX_BATCH_BYTES,
  MAX_MESSAGE_BYTES,
  markOf,
} from '../../src/transport/webrtc/chunks.ts'
import { equalBytes } from './equal-bytes.ts'
import { pattern } from './webrtc-fake.ts'

function cut(batch: Uint8Array): Uint8Array[] {
  const messages = [chunkAt(batch, 0)]
  for (let offset = CHUNK_BYTES; offset < batch.byteLength; offset += CHUNK_BYTES) messages.push(chunkAt(batch, offset))
  return messages
}

function message(header: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size + 1)
  bytes[0] = header
  return bytes
}

describe('round trip', () => {
  const sizes = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 65_536, MAX_BATCH_BYTES]
  for (const size of sizes) {
    test(`${size} bytes`, () => {
      const batch = pattern(size)
      const messages = cut(batch)
      expect(messages.length).toBe(Math.max(1, Math.ceil(size / CHUNK_BYTES)))
      expect(Math.max(...messages.map((one) => one.byteLength))).toBeLessThanOrEqual(MAX_MESSAGE_BYTES)
      const assembly = new Assembly()
      const answers = messages.map((one) => assembly.add(one))
      const last = answers.pop()
      expect(answers.every((answer) => answer === undefined)).toBe(true)
      expect(last instanceof Uint8Array && equalBytes(last, batch)).toBe(true)
    })
  }

  test('one batch after the other, with marks between', () => {
    const assembly = new Assembly()
    for (const seed of [1, 2]) {
      const batch = pattern(40_000, seed)
      const joined = cut(batch)
        .map((one) => assembly.add(one))
        .pop()
      expect(joined instanceof Uint8Array && equalBytes(joined, batch)).toBe(true)
      expect(assembly.add(markOf(END_SEEN))).toBe(END_SEEN)
    }
    expect(assembly.add(markOf(END))).toBe(END)
  })

  test('a chunk does not change when the batch does', () => {
    const batch = pattern(10)
    const chunk = chunkAt(batch, 0)
    batch.fill(0)
    expect(chunk.subarray(1)).toEqual(pattern(10))
  })
})

describe('refuses', () => {
  const full = CHUNK_BYTES
  const cases: Record<string, Uint8Array[]> = {
    'an empty message': [new Uint8Array(0)],
    'an unknown header': [message(16, 1)],
    'a header with an unknown bit': [message(3 | 128, 1)],
    'an end with bytes': [message(END, 1)],
    'both marks at once': [message(END | END_SEEN, 0)],
    'a middle chunk first': [message(0, full)],
    'a last chunk first': [message(2, 1)],
    'a first chunk inside a batch': [message(1, full), message(1, full)],
    'a whole batch inside a batch': [message(1, full), message(3, 1)],
    'an end inside a batch': [message(1, full), message(END, 0)],
    'a first chunk that is not full': [message(1, full - 1)],
    'a middle chunk that is not full': [message(1, full), message(0, 0)],
    'a chunk that is too long': [message(3, full + 1)],
    'a batch that is too long': Array.from({ length: Math.ceil(MAX_BATCH_BYTES / full) }, (_, i) =>
      message(i === 0 ? 1 : 0, full),
    ),
  }
  for (const [name, messages] of Object.entries(cases)) {
    test(name, () => {
      const assembly = new Assembly()
      const hostile = messages.pop()!
      for (const one of messages) expect(assembly.add(one)).toBe(undefined)
      expect(() => assembly.add(hostile)).toThrowError(expect.objectContaining({ name: 'ProtocolError' }))
    })
  }
})

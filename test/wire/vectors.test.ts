/** The test vectors checked in are what this implementation writes and reads, in both directions. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { FRAME } from '../../src/wire/frame.ts'
import { faultOf, fieldsOf, frameOf, makeVectors, readFrames, type Vectors, writeFrame } from './vectors.ts'
import { bytesOf, hexOf, notationOf, valueOf } from './vectors-notation.ts'

const file = new URL('../interop/vectors.json', import.meta.url)
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors

test('the file is the one scripts/vectors.mjs writes', () => {
  expect(vectors).toEqual(makeVectors())
})

test('there is a vector of every kind of frame, and no two have one name', () => {
  expect(new Set(vectors.frames.map(({ kind }) => kind))).toEqual(new Set(Object.values(FRAME)))
  for (const section of Object.values(vectors)) {
    const names = (section as readonly { name: string }[]).map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  }
})

describe('frames', () => {
  test.each(vectors.frames)('$name: the fields give the bytes, the bytes the fields', ({ hex, kind, fields }) => {
    expect(writeFrame(frameOf(kind, fields))).toBe(hex)
    const frames = readFrames(bytesOf(hex))
    expect(frames.map((frame) => [frame.kind, fieldsOf(frame)])).toEqual([[kind, fields]])
  })

  test.each(vectors.batches)('$name: these frames are read, the others passed over', ({ hex, kinds }) => {
    expect(readFrames(bytesOf(hex)).map(({ kind }) => kind)).toEqual(kinds)
  })

  test.each(vectors.hostileBatches)('$name: is refused at byte $offset', ({ hex, offset }) => {
    expect(faultOf(() => readFrames(bytesOf(hex)))).toBe(offset)
  })
})

describe('values', () => {
  test.each(vectors.values)('$name: the value gives the bytes, the bytes the value', ({ hex, value }) => {
    expect(hexOf(encodeCbor(valueOf(value)))).toBe(hex)
    expect(notationOf(decodeCbor(bytesOf(hex)))).toEqual(value)
  })

  test.each(vectors.hostileValues)('$name: is refused at byte $offset', ({ hex, offset }) => {
    expect(faultOf(() => decodeCbor(bytesOf(hex)))).toBe(offset)
  })
})

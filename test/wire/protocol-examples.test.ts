/** The byte examples of PROTOCOL.md are test vectors, and its tables say what this implementation does. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { FIELD_TYPES, FRAME, GOAWAY, LAYOUTS } from '../../src/wire/frame.ts'
import type { Vectors } from './vectors.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const document = read('../../PROTOCOL.md')
const { frames } = JSON.parse(read('../interop/vectors.json')) as Vectors
const vectorHex = new Map(frames.map(({ name, hex }) => [name, hex]))

/** The hexadecimal words a line begins with, and the text behind them. */
function splitLine(line: string): readonly [hex: string, text: string] {
  const [, hex = '', text = ''] = /^((?:[0-9a-f]{2})+(?: (?:[0-9a-f]{2})+)*)(?: {2,}(.*))?$/.exec(line) ?? []
  return [hex.replaceAll(' ', ''), text]
}

const blocks = [...document.matchAll(/```hex ?(.*)\n([\s\S]*?)```/g)].map(
  ([, name, lines]) => [name!, lines!.trimEnd().split('\n').map(splitLine)] as const,
)
/** Whole frames in one block, a line each, and frames in a block of their own, a field or so a line. */
const examples = blocks.flatMap(([name, lines]) =>
  name === ''
    ? lines.map(([hex, text]) => [text, hex] as const)
    : [[name, lines.map(([hex]) => hex).join('')] as const],
)

/** The rows of the table under a header. */
function rowsOf(header: string): string[][] {
  const start = document.indexOf(header)
  expect(start, header).toBeGreaterThan(0)
  const [, , ...rows] = document.slice(start).split('\n')
  return rows
    .slice(
      0,
      rows.findIndex((row) => !row.startsWith('|')),
    )
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

describe('the examples', () => {
  test.each(examples)('%s: the bytes are those of the vector', (name, hex) => {
    expect(hex).toBe(vectorHex.get(name))
  })

  test('there is one of every kind', () => {
    const shown = new Set(examples.map(([name]) => frames.find((vector) => vector.name === name)?.kind))
    expect(shown).toEqual(new Set(Object.values(FRAME)))
  })
})

test('the table of frames has every kind with its fields, in their order', () => {
  const parts: Record<string, readonly string[]> = {
    '*head*': LAYOUTS[FRAME.probe]!,
    '*message*': LAYOUTS[FRAME.tell]!.slice(-5),
  }
  const table = rowsOf('| kind | name | fields |').map(([kind, name, fields]) => [
    Number(kind),
    name,
    fields!
      .replaceAll(/\([^)]*\)/g, '')
      .split(',')
      .map((field) => field.trim())
      .filter((field) => field !== '')
      .flatMap(
        (field) => parts[field]?.map((part) => `${part} ${FIELD_TYPES[part as keyof typeof FIELD_TYPES]}`) ?? field,
      ),
  ])
  const expected = Object.entries(FRAME)
    .map(([name, kind]) => [kind, name, LAYOUTS[kind]!.map((field) => `${field} ${FIELD_TYPES[field]}`)] as const)
    .sort(([a], [b]) => a - b)
  expect(table).toEqual(expected)
})

test('the table of goaway has every code', () => {
  const codes = rowsOf('| code | name | the other side |').map(([code]) => Number(code))
  expect(codes).toEqual(Object.values(GOAWAY))
})

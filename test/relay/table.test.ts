import { describe, expect, test } from 'vitest'
import { Changes, changeLine, type Sighting } from '../../src/relay/changes.ts'
import { type Column, duration, filtered, table } from '../../src/relay/table.ts'

interface Row {
  readonly name?: string
  readonly count?: number
}
const columns: readonly Column<Row>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'COUNT', cell: ({ count }) => count },
]

describe('a table', () => {
  test('has columns as wide as their widest cell, and numbers to the right', () => {
    const rows = [{ name: 'a', count: 1 }, { name: 'a longer name', count: 1000 }, { count: 5 }]
    expect(table(columns, rows, 'none')).toBe(
      ['NAME           COUNT', 'a                  1', 'a longer name   1000', '-                  5', ''].join('\n'),
    )
  })

  test('ends no line with spaces', () => {
    const swapped = [columns[1]!, columns[0]!]
    expect(
      table(
        swapped,
        [
          { name: 'long', count: 1 },
          { name: 'x', count: 2 },
        ],
        '',
      ),
    ).toBe(['COUNT  NAME', '    1  long', '    2  x', ''].join('\n'))
  })

  test('without rows is a line that says so', () => {
    expect(table(columns, [], 'no actors')).toBe('no actors\n')
  })

  test('what others put in a cell stays in it', () => {
    expect(table([columns[0]!], [{ name: 'a\u001b[2J\nb\u202ec\td' }], '')).toBe('NAME\na?[2J?b?c?d\n')
  })
})

test('filtered: rows with the text in some cell, in any case', () => {
  const rows = [
    { name: 'Worker', count: 1 },
    { name: 'other', count: 42 },
  ]
  expect(filtered(columns, rows, 'WORK')).toEqual([rows[0]])
  expect(filtered(columns, rows, '42')).toEqual([rows[1]])
  expect(filtered(columns, rows, 'nothing')).toEqual([])
})

test.each([
  [0, '0 s'],
  [999, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min 0 s'],
  [3_599_999, '59 min 59 s'],
  [3_600_000, '1 h 0 min'],
  [86_399_999, '23 h 59 min'],
  [100 * 3_600_000, '4 d 4 h'],
])('%i ms are %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

describe('changes', () => {
  const node = (nodeId: string, text = nodeId): Sighting => ({ what: 'node', key: nodeId, nodeId, text, value: text })
  const actor = (nodeId: string, key: string): Sighting => ({ what: 'actor', key, nodeId, text: key, value: key })
  const lines = (changes: Changes, ...look: Parameters<Changes['look']>): string[] =>
    changes.look(...look).map(changeLine)

  test('are everything at first, then what came, went and changed', () => {
    const changes = new Changes()
    expect(lines(changes, [node('n'), actor('n', 'a')])).toEqual(['+ node n', '+ actor a'])
    expect(lines(changes, [node('n'), actor('n', 'a')])).toEqual([])
    expect(lines(changes, [node('n', 'n away'), actor('n', 'b')])).toEqual(['- actor a', '~ node n away', '+ actor b'])
    expect(lines(changes, [])).toEqual(['- node n away', '- actor b'])
  })

  test('an actor and a node of one id are two', () => {
    const changes = new Changes()
    changes.look([node('x'), actor('x', 'x')])
    expect(lines(changes, [node('x')])).toEqual(['- actor x'])
  })

  test('actors of a node that is silent stay; those of one that is gone do not', () => {
    const changes = new Changes()
    changes.look([node('n'), actor('n', 'a'), node('m'), actor('m', 'b')])
    expect(lines(changes, [node('n'), node('m')], new Set(['n']))).toEqual(['- actor b'])
    expect(lines(changes, [node('n'), node('m'), actor('n', 'a')])).toEqual([])
    expect(lines(changes, [node('m')])).toEqual(['- node n', '- actor a'])
  })

  test('take one line each', () => {
    const [change] = new Changes().look([node('n', 'a\nb')])
    expect(changeLine(change!)).toBe('+ node a?b')
  })
})

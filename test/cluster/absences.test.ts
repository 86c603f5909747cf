/** Who is absent, until when, and who is given up: numbers in, ids out, no clock in sight. */
import { describe, expect, test } from 'vitest'
import { Absences } from '../../src/cluster/absences.ts'

/** As many as are remembered, see absences.ts. */
const MAX_ABSENT = 10_000

const ofThree = (): Absences => {
  const absences = new Absences()
  absences.add('a', 300)
  absences.add('b', 100)
  absences.add('c', 200)
  return absences
}

test('at first nobody is absent, and nothing is due', () => {
  const absences = new Absences()
  expect(absences.next).toBeUndefined()
  expect(absences.has('a')).toBe(false)
  expect([...absences.ids()]).toEqual([])
  expect(absences.due(Infinity)).toEqual([])
})

test('who went first is told first, whenever its time is up', () => {
  expect([...ofThree().ids()]).toEqual(['a', 'b', 'c'])
})

test('the next moment is that of the one whose time is up first, however late it went', () => {
  const absences = ofThree()
  expect(absences.next).toBe(100)
  absences.add('d', 50)
  expect(absences.next).toBe(50)
})

test('due are those whose moment has come, and once', () => {
  const absences = ofThree()
  expect(absences.due(99)).toEqual([])
  expect(absences.due(200)).toEqual(['b', 'c'])
  expect(absences.due(200)).toEqual([])
  expect([...absences.ids()]).toEqual(['a'])
  expect([absences.has('a'), absences.has('b')]).toEqual([true, false])
  expect(absences.next).toBe(300)
})

test('who is back is not due, and coming back is said once', () => {
  const absences = ofThree()
  expect(absences.remove('b')).toBe(true)
  expect(absences.remove('b')).toBe(false)
  expect(absences.has('b')).toBe(false)
  expect(absences.next).toBe(200)
  expect(absences.due(1_000)).toEqual(['a', 'c'])
})

test('who goes again after coming back has all of its time again', () => {
  const absences = ofThree()
  absences.remove('b')
  absences.add('b', 400)
  expect(absences.due(399)).toEqual(['a', 'c'])
  expect(absences.due(400)).toEqual(['b'])
})

test('somebody may be absent without an end', () => {
  const absences = new Absences()
  absences.add('a', Infinity)
  expect(absences.next).toBe(Infinity)
  expect(absences.due(Number.MAX_SAFE_INTEGER)).toEqual([])
})

describe(`of more than ${MAX_ABSENT}`, () => {
  const idsFrom = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${from + index}`)

  test('those absent longest are given up, though their time is not up', () => {
    const absences = new Absences()
    for (const id of idsFrom(0, MAX_ABSENT + 3)) absences.add(id, 1_000)
    expect(absences.due(0)).toEqual(idsFrom(0, 3))
    expect([...absences.ids()]).toEqual(idsFrom(3, MAX_ABSENT))
  })

  test('nobody is given up while they are just that many', () => {
    const absences = new Absences()
    for (const id of idsFrom(0, MAX_ABSENT)) absences.add(id, 1_000)
    expect(absences.due(999)).toEqual([])
    expect(absences.due(1_000)).toHaveLength(MAX_ABSENT)
  })
})

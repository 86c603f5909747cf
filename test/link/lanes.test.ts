/** What goes first for a neighbour that takes no more for a while: in order between two nodes, small before large, and nobody starves. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BULK_BYTES, BULK_SHARE, Lanes, type Piece } from '../../src/link/lanes.ts'

const SMALL = 100
const LARGE = BULK_BYTES + 1

/** A piece of `length` bytes, told by where it begins. */
const piece = (id: number, length: number): Piece => ({ chunk: new Uint8Array(0), start: id, end: id + length })

function drain(lanes: Lanes): number[] {
  const ids: number[] = []
  for (let next = lanes.next(); next; next = lanes.next()) ids.push(next.start)
  return ids
}

test('nodes take turns', () => {
  const lanes = new Lanes()
  for (const id of [1, 2, 3]) lanes.add('a', piece(id, SMALL))
  for (const id of [11, 12]) lanes.add('b', piece(id, SMALL))
  lanes.add('c', piece(21, SMALL))
  expect(drain(lanes)).toEqual([1, 11, 21, 2, 12, 3])
})

describe('large pieces', () => {
  test('let small ones of others pass, and not those behind them', () => {
    const lanes = new Lanes()
    for (const id of [1, 2]) lanes.add('a', piece(id, LARGE))
    lanes.add('a', piece(3, SMALL))
    for (const id of [11, 12, 13]) lanes.add('b', piece(id, SMALL))
    expect(drain(lanes)).toEqual([11, 1, 12, 13, 2, 3])
  })

  test('get their share, however many small ones there are', () => {
    const lanes = new Lanes()
    for (let i = 0; i < 100; i++) lanes.add('bulk', piece(i, LARGE))
    const bytes = { small: 0, large: 0 }
    for (let i = 0; i < 20_000; i++) {
      // There is always another one.
      lanes.add(`${i % 7}`, piece(1000 + i, SMALL))
      lanes.add(`${i % 7}`, piece(1000 + i, SMALL))
      const { start, end } = lanes.next()!
      bytes[start < 1000 ? 'large' : 'small'] += end - start
    }
    const share = bytes.large / (bytes.large + bytes.small)
    expect(share).toBeGreaterThanOrEqual(BULK_SHARE)
    expect(share).toBeLessThan(BULK_SHARE + 0.02)
  })

  test('have no arrears to claim from a time when they were alone, and owe nothing', () => {
    const lanes = new Lanes()
    for (let i = 0; i < 50; i++) lanes.add('bulk', piece(i, LARGE))
    for (let i = 0; i < 20; i++) lanes.next()
    for (let i = 0; i < 20; i++) lanes.add('a', piece(1000 + i, SMALL))
    const next = drain(lanes).slice(0, 21)
    expect(next.filter((id) => id >= 1000)).toHaveLength(20)
  })
})

test('nothing is lost, nothing doubled; order holds from node to node and around what nothing passes; bytes add up', () => {
  const step = fc.record({
    as: fc.oneof({ weight: 8, arbitrary: fc.constant('flow') }, { weight: 1, arbitrary: fc.constant('last') }),
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    length: fc.constantFrom(SMALL, SMALL, LARGE),
    takes: fc.nat(2),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const lanes = new Lanes()
      const left: number[] = []
      const stageOf: number[] = []
      let stage = 0
      let bytes = 0
      const take = (): boolean => {
        const next = lanes.next()
        if (!next) return false
        left.push(next.start)
        bytes -= next.end - next.start
        return true
      }
      for (const [id, { as, key, length, takes }] of steps.entries()) {
        bytes += length
        if (as === 'last') {
          lanes.addLast(piece(id, length))
          stageOf[id] = stage + 0.5
          stage++
        } else {
          lanes.add(key, piece(id, length))
          stageOf[id] = stage
        }
        for (let i = 0; i < takes; i++) take()
        expect(lanes.bytes).toBe(bytes)
      }
      while (take());
      expect(bytes).toBe(0)
      expect([...left].sort((a, b) => a - b)).toEqual(steps.map((_, id) => id))
      const stages = left.map((id) => stageOf[id]!)
      expect(stages).toEqual([...stages].sort((a, b) => a - b))
      for (const key of ['a', 'b', 'c', 'd']) {
        const own = left.filter((id) => steps[id]!.as === 'flow' && steps[id]!.key === key)
        expect(own).toEqual([...own].sort((a, b) => a - b))
      }
    }),
    { numRuns: 300 },
  )
})

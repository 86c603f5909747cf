import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { Names } from '../../src/cluster/names.ts'

const fixed = (value = 0): Names => new Names({ float: () => value })
const SELF = 'self'

describe('Names', () => {
  test('round-robin takes every instance in turn', () => {
    const names = fixed()
    for (const nodeId of ['a', 'b', 'c']) names.add('x', { nodeId, actorId: `${nodeId}1` })
    const picks = Array.from({ length: 6 }, () => names.pick('x', 'round-robin', undefined, SELF)!.nodeId)
    expect(picks).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
  })

  test('random takes any, by the randomness given', () => {
    for (const [value, expected] of [
      [0, 'a'],
      [0.34, 'b'],
      [0.99, 'c'],
    ] as const) {
      const names = fixed(value)
      for (const nodeId of ['a', 'b', 'c']) names.add('x', { nodeId, actorId: '1' })
      expect(names.pick('x', 'random', undefined, SELF)!.nodeId).toBe(expected)
    }
  })

  test('prefer-local takes the own instance while there is one', () => {
    const names = fixed()
    names.add('x', { nodeId: 'a', actorId: '1' })
    names.add('x', { nodeId: SELF, actorId: '2' })
    expect([1, 2, 3].map(() => names.pick('x', 'prefer-local', undefined, SELF)!.nodeId)).toEqual([SELF, SELF, SELF])
    names.remove('x', SELF)
    expect(names.pick('x', 'prefer-local', undefined, SELF)!.nodeId).toBe('a')
  })

  test('a node asked for is the only one that counts', () => {
    const names = fixed()
    names.add('x', { nodeId: 'a', actorId: '1' })
    expect(names.pick('x', 'round-robin', 'a', SELF)!.actorId).toBe('1')
    expect(names.pick('x', 'round-robin', 'b', SELF)).toBeUndefined()
  })

  test('a node has one instance under a name: the newest', () => {
    const names = fixed()
    names.add('x', { nodeId: 'a', actorId: 'old' })
    names.add('x', { nodeId: 'a', actorId: 'new' })
    expect([1, 2].map(() => names.pick('x', 'round-robin', undefined, SELF)!.actorId)).toEqual(['new', 'new'])
  })

  test('a name nobody has is undefined; removing it again does nothing', () => {
    const names = fixed()
    names.remove('x', 'a')
    expect(names.pick('x', 'round-robin', undefined, SELF)).toBeUndefined()
  })

  test('who waits for a name is told when an instance appears, until the wait ends', () => {
    const names = fixed()
    const notify = vi.fn()
    const unwatch = names.watch('x', notify)
    names.add('y', { nodeId: 'a', actorId: '1' })
    expect(notify).not.toHaveBeenCalled()
    names.add('x', { nodeId: 'a', actorId: '1' })
    expect(notify).toHaveBeenCalledTimes(1)
    unwatch()
    unwatch()
    names.add('x', { nodeId: 'b', actorId: '1' })
    expect(notify).toHaveBeenCalledTimes(1)
  })

  test('whatever comes and goes, a pick is always a live instance, and there is one while any lives', () => {
    const move = fc.record({
      isAdd: fc.boolean(),
      nodeId: fc.constantFrom('a', 'b', 'c', SELF),
      policy: fc.constantFrom('round-robin', 'random', 'prefer-local'),
    })
    fc.assert(
      fc.property(
        fc.array(move, { maxLength: 100 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (moves, random) => {
          const names = fixed(random)
          const live = new Map<string, string>()
          for (const [i, { isAdd, nodeId, policy }] of moves.entries()) {
            if (isAdd) {
              live.set(nodeId, `${i}`)
              names.add('x', { nodeId, actorId: `${i}` })
            } else {
              live.delete(nodeId)
              names.remove('x', nodeId)
            }
            const pick = names.pick('x', policy as 'random', undefined, SELF)
            if (live.size === 0) expect(pick).toBeUndefined()
            else expect(live.get(pick!.nodeId)).toBe(pick!.actorId)
          }
        },
      ),
    )
  })
})

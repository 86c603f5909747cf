import fc from 'fast-check'
import type { ResolvePolicy } from 'pulsing'
import { describe, expect, test, vi } from 'vitest'
import { Names } from '../../src/cluster/names.ts'

const SELF = 'self'
const fixed = (value = 0): Names => new Names(SELF, { float: () => value })

describe('Names', () => {
  test('round-robin takes every instance in turn', () => {
    const names = fixed()
    for (const nodeId of ['a', 'b', 'c']) names.add('x', { nodeId, actorId: `${nodeId}1` })
    const picks = Array.from({ length: 6 }, () => names.pick('x', { policy: 'round-robin' })!.nodeId)
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
      expect(names.pick('x', { policy: 'random' })!.nodeId).toBe(expected)
    }
  })

  test('prefer-local takes the own instance while there is one', () => {
    const names = fixed()
    names.add('x', { nodeId: 'a', actorId: '1' })
    names.add('x', { nodeId: SELF, actorId: '2' })
    expect([1, 2, 3].map(() => names.pick('x', { policy: 'prefer-local' })!.nodeId)).toEqual([SELF, SELF, SELF])
    names.remove('x', SELF)
    expect(names.pick('x', { policy: 'prefer-local' })!.nodeId).toBe('a')
  })

  test('a node asked for is the only one that counts', () => {
    const names = fixed()
    names.add('x', { nodeId: 'a', actorId: '1' })
    expect(names.pick('x', { node: 'a' })!.actorId).toBe('1')
    expect(names.pick('x', { node: 'b' })).toBeUndefined()
  })

  test('a node has one instance under a name: the newest', () => {
    const names = fixed()
    names.add('x', { nodeId: 'a', actorId: 'old' })
    names.add('x', { nodeId: 'a', actorId: 'new' })
    expect([1, 2].map(() => names.pick('x', { policy: 'round-robin' })!.actorId)).toEqual(['new', 'new'])
  })

  test('a name nobody has is undefined; removing it again does nothing', () => {
    const names = fixed()
    names.remove('x', 'a')
    expect(names.pick('x', { policy: 'round-robin' })).toBeUndefined()
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
            const except = new Set([...live.values()].filter(() => isAdd).slice(1))
            const pick = names.pick('x', { policy: policy as 'random', except })
            if (live.size === 0) expect(pick).toBeUndefined()
            else expect(live.get(pick!.nodeId)).toBe(pick!.actorId)
            if (pick) expect(except.has(pick.actorId)).toBe(false)
          }
        },
      ),
    )
  })

  test('an instance knows its node, its actor, its name, and whether it is of this node', () => {
    const names = fixed()
    names.add('x', { nodeId: SELF, actorId: '1' })
    names.add('y', { nodeId: 'a', actorId: '2' })
    expect(names.pick('x', {})).toEqual({ nodeId: SELF, actorId: '1', name: 'x', isLocal: true })
    expect(names.pick('y', {})).toEqual({ nodeId: 'a', actorId: '2', name: 'y', isLocal: false })
    expect(names.has('x', { nodeId: SELF, actorId: '1' })).toBe(true)
    expect(names.has('x', { nodeId: SELF, actorId: '2' })).toBe(false)
    expect(names.has('z', { nodeId: SELF, actorId: '1' })).toBe(false)
  })

  test('a node asked for whose instance was tried has none', () => {
    const names = fixed()
    names.add('x', { nodeId: 'a', actorId: '1' })
    expect(names.pick('x', { node: 'a', except: new Set(['1']) })).toBeUndefined()
    expect(names.pick('x', { except: new Set(['1']) })).toBeUndefined()
  })

  test('a pick looks at the instances of its name alone, however many names there are', () => {
    const steps = (others: number, instances: number, policy: ResolvePolicy): number => {
      const names = fixed()
      for (let i = 0; i < others; i++) names.add(`other ${i}`, { nodeId: `n${i % 7}`, actorId: `${i}` })
      for (let i = 0; i < instances; i++) names.add('x', { nodeId: `n${i}`, actorId: `x${i}` })
      const iterator = Object.getPrototypeOf(new Map().values()) as { next(): unknown }
      const spies = [vi.spyOn(iterator, 'next'), vi.spyOn(Map.prototype, 'get')]
      try {
        expect(names.pick('x', { policy })?.name).toBe('x')
        return spies.reduce((sum, { mock }) => sum + mock.calls.length, 0)
      } finally {
        for (const spy of spies) spy.mockRestore()
      }
    }
    for (const policy of ['round-robin', 'random', 'prefer-local', 'least-loaded', { key: 'k' }] as const) {
      const few = steps(1, 3, policy)
      expect(few).toBeGreaterThan(3)
      expect(steps(5_000, 3, policy)).toBe(few)
      expect(steps(1, 30, policy)).toBe(few + 27)
    }
  })
})

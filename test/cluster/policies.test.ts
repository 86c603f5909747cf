/** Policies, decided apart from any network: what each chooses, and what it refuses. */
import fc from 'fast-check'
import { ConfigError, type InstanceInfo, type ResolvePolicy } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { Hosts } from '../../src/cluster/hosts.ts'
import { checkPolicy, choose } from '../../src/cluster/policy.ts'

const infos = (...nodeIds: readonly string[]): InstanceInfo[] =>
  nodeIds.map((nodeId) => ({ nodeId, actorId: `of ${nodeId}`, name: 'x', isLocal: nodeId === 'self' }))
const state = (turn: number, loads: Readonly<Record<string, number>> = {}, float = 0) => ({
  turn,
  random: { float: () => float },
  load: ({ nodeId }: InstanceInfo) => loads[nodeId] ?? 0,
})
const turns = (policy: ResolvePolicy, instances: readonly InstanceInfo[], loads = {}): (string | undefined)[] =>
  Array.from({ length: 2 * instances.length }, (_, turn) => choose(policy, instances, state(turn, loads))?.nodeId)

describe('choose', () => {
  test('round-robin takes each in turn, random any by the randomness given', () => {
    expect(turns('round-robin', infos('a', 'b', 'c'))).toEqual(['a', 'b', 'c', 'a', 'b', 'c'])
    const any = (float: number) => choose('random', infos('a', 'b', 'c'), state(0, {}, float))?.nodeId
    expect([0, 0.34, 0.99].map(any)).toEqual(['a', 'b', 'c'])
  })

  test('prefer-local takes the own one; without it each in turn', () => {
    expect(new Set(turns('prefer-local', infos('a', 'self', 'c')))).toEqual(new Set(['self']))
    expect(turns('prefer-local', infos('a', 'b'))).toEqual(['a', 'b', 'a', 'b'])
  })

  test('least-loaded takes the one with the fewest asks; equals in turn', () => {
    expect(turns('least-loaded', infos('a', 'b', 'c'), { a: 2, b: 1, c: 3 })).toEqual(Array(6).fill('b'))
    expect(turns('least-loaded', infos('a', 'b', 'c'), { b: 1 })).toEqual(['a', 'c', 'a', 'c', 'a', 'c'])
  })

  const nodeIds = fc.uniqueArray(fc.constantFrom(...Array.from({ length: 30 }, newId)), { minLength: 2 })

  test('a key takes the same one in whatever order they are known', () => {
    fc.assert(
      fc.property(nodeIds, fc.string(), (ids, key) => {
        const chosen = choose({ key }, infos(...ids), state(0))
        expect(choose({ key }, infos(...ids.toReversed()), state(5))?.nodeId).toBe(chosen?.nodeId)
      }),
    )
  })

  test('an instance that goes moves its own keys only, and one that comes takes keys for itself only', () => {
    let moved = 0
    fc.assert(
      fc.property(nodeIds, fc.string(), (ids, key) => {
        const [gone, ...rest] = ids
        const before = choose({ key }, infos(...ids), state(0))?.nodeId
        const after = choose({ key }, infos(...rest), state(0))?.nodeId
        if (before === gone) moved++
        else expect(after).toBe(before)
      }),
    )
    expect(moved).toBeGreaterThan(0)
  })

  test('many keys spread over all', () => {
    const counts = new Map<string, number>()
    const instances = infos(newId(), newId(), newId(), newId())
    for (let i = 0; i < 4_000; i++) {
      const { nodeId } = choose({ key: `user ${i}` }, instances, state(0))!
      counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1)
    }
    for (const { nodeId } of instances) expect(counts.get(nodeId)).toBeGreaterThan(800)
  })

  test('a function is given all, and what it returns is taken; undefined is none; anything else is refused', () => {
    const instances = infos('a', 'b')
    const seen: unknown[] = []
    const last: ResolvePolicy = (given) => {
      seen.push(given)
      return given.at(-1)
    }
    expect(choose(last, instances, state(0))).toBe(instances[1])
    expect(seen).toEqual([instances])
    expect(choose(() => undefined, instances, state(0))).toBeUndefined()
    for (const wrong of [{ ...instances[0]! }, 'a', null, Promise.resolve(instances[0])])
      expect(() => choose(() => wrong as InstanceInfo, instances, state(0))).toThrow(
        /expected the policy function to return one of its instances or undefined, got /,
      )
    expect(() =>
      choose(
        () => {
          throw new RangeError('mine')
        },
        instances,
        state(0),
      ),
    ).toThrow(RangeError)
  })
})

test.each([
  ['a misspelt one', 'roundrobin', 'got "roundrobin"'],
  ['null', null, 'got null'],
  ['a number', 7, 'got 7'],
  ['an object without a key', {}, 'got a Object'],
  ['a key that is no text', { key: 7 }, 'got a key that is 7'],
  ['a list', ['random'], 'got an array of 1'],
])('%s is no policy', (_what, policy, got) => {
  expect(() => checkPolicy(policy)).toThrow(ConfigError)
  expect(() => checkPolicy(policy)).toThrow(
    /expected policy as "round-robin", "random", "prefer-local", "least-loaded", \{ key \} with a text, or a function/,
  )
  expect(() => checkPolicy(policy)).toThrow(got)
})

describe('Hosts', () => {
  const members = [
    { nodeId: 'self', classes: ['C', 'Mine'] },
    { nodeId: 'a', classes: ['C'] },
    { nodeId: 'b', classes: ['C', 'B'] },
    { nodeId: 'c', classes: [] },
  ]
  const hosts = (float = 0, asks: readonly (readonly [string, number])[] = []): Hosts =>
    new Hosts(
      'self',
      { float: () => float },
      {
        members: () => members,
        isMember: (nodeId) => members.some((member) => member.nodeId === nodeId),
        pendingAsks: () => new Map(asks),
      },
    )
  const four = (policy: ResolvePolicy, of = hosts()) => Array.from({ length: 4 }, () => of.pick('C', { policy }))

  test('other members in turn, at random, or by what they have to do', () => {
    expect(four('round-robin')).toEqual(['a', 'b', 'a', 'b'])
    expect([0, 0.6].map((float) => hosts(float).pick('C', {}))).toEqual(['a', 'b'])
    expect(
      four(
        'least-loaded',
        hosts(0, [
          ['a', 2],
          ['b', 1],
        ]),
      ),
    ).toEqual(['b', 'b', 'b', 'b'])
    expect(hosts().pick('B', { policy: 'round-robin' })).toBe('b')
  })

  test('this node too, for prefer-local, for keys and for functions', () => {
    expect(hosts().pick('C', { policy: 'prefer-local' })).toBe('self')
    expect(hosts().pick('B', { policy: 'prefer-local' })).toBe('b')
    const keyed = new Set(Array.from({ length: 60 }, (_, i) => hosts().pick('C', { policy: { key: `${i}` } })))
    expect(keyed).toEqual(new Set(['self', 'a', 'b']))
    const seen: unknown[] = []
    const policy: ResolvePolicy = (given) => void seen.push(...given)
    expect(() => hosts().pick('C', { policy })).toThrow(/expected the policy function to choose one of 3 members/)
    expect(seen[0]).toEqual({ nodeId: 'self', actorId: 'system/core', name: 'C', isLocal: true })
  })

  test('none where nobody else hosts the class; a node asked for has to be a member', () => {
    expect(hosts().pick('Mine', {})).toBeUndefined()
    expect(hosts().pick('Nobody', { policy: 'prefer-local' })).toBeUndefined()
    expect(hosts().pick('C', { node: 'c' })).toBe('c')
    expect(() => hosts().pick('C', { node: 'z' })).toThrow(/expected a member to create "C" on, got "z"/)
  })
})

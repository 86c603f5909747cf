import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_BEHIND_LEAF, Topology } from '../../src/cluster/topology.ts'
import type { NodeChange, NodeSnapshot } from '../../src/cluster/update.ts'

type News = NodeSnapshot | NodeChange

/** A node of the model: its topology, and what it floods. */
class Node {
  readonly topology: Topology
  constructor(readonly id: string) {
    this.topology = new Topology({ nodeId: id, kind: 'relay', addr: undefined, features: [], classes: [] })
  }
}

/**
 * Nodes that flood what they learn over links that come and go, with every message between two nodes in a queue of its
 * own: order is kept per link, and is arbitrary across links.
 */
class World {
  readonly nodes = new Map<string, Node>()
  readonly #queues = new Map<string, News[]>()
  readonly #up = new Set<string>()

  constructor(count: number) {
    for (let i = 0; i < count; i++) this.nodes.set(`n${i}`, new Node(`n${i}`))
  }

  isUp(a: string, b: string): boolean {
    return this.#up.has([a, b].sort().join())
  }

  linkUp(a: string, b: string): void {
    if (a === b || this.isUp(a, b)) return
    this.#up.add([a, b].sort().join())
    this.#queues.set(`${a}>${b}`, [])
    this.#queues.set(`${b}>${a}`, [])
    for (const [own, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const { topology } = this.nodes.get(own)!
      if (!topology.record(other))
        topology.applySnapshot({
          op: 'node',
          nodeId: other,
          version: 0,
          kind: 'relay',
          addr: undefined,
          features: [],
          classes: [],
          links: [],
          names: [],
          isHidden: false,
        })
      const change = topology.changeSelf({ op: 'link', other, isUp: true })
      this.#tell(own, change, other)
      topology.recompute()
      for (const record of topology.members())
        if (record.version > 0) this.#queues.get(`${own}>${other}`)!.push(topology.snapshot(record))
    }
  }

  linkDown(a: string, b: string): void {
    if (!this.isUp(a, b)) return
    this.#up.delete([a, b].sort().join())
    this.#queues.delete(`${a}>${b}`)
    this.#queues.delete(`${b}>${a}`)
    for (const [own, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const { topology } = this.nodes.get(own)!
      this.#tell(own, topology.changeSelf({ op: 'link', other, isUp: false }), other)
      topology.recompute()
    }
  }

  /** Delivers one message of one link, chosen by `choice`. */
  step(choice: number): boolean {
    const busy = [...this.#queues].filter(([, queue]) => queue.length > 0)
    if (busy.length === 0) return false
    const [way, queue] = busy[choice % busy.length]!
    const [from, to] = way.split('>') as [string, string]
    this.#learn(to, from, queue.shift()!)
    return true
  }

  #learn(own: string, from: string, news: News): void {
    if (news.nodeId === own) return
    const { topology } = this.nodes.get(own)!
    const applied = news.op === 'node' ? topology.applySnapshot(news) : topology.applyChange(news)
    if (applied === 'gap') {
      const record = this.nodes.get(from)!.topology.record(news.nodeId)
      if (record) this.#queues.get(`${from}>${own}`)?.push(this.nodes.get(from)!.topology.snapshot(record))
    }
    if (applied !== 'news') return
    this.#tell(own, news, from)
    topology.recompute()
  }

  #tell(own: string, news: News, except: string): void {
    for (const other of this.nodes.keys()) if (other !== except) this.#queues.get(`${own}>${other}`)?.push(news)
  }

  /** Nodes some path of links leads to, the node included. */
  reachable(from: string): Set<string> {
    const seen = new Set([from])
    for (const id of seen) for (const other of this.nodes.keys()) if (this.isUp(id, other)) seen.add(other)
    return seen
  }
}

const COUNT = 6
const node = fc.integer({ min: 0, max: COUNT - 1 }).map((i) => `n${i}`)
const move = fc.oneof(
  fc.record({ do: fc.constant('up' as const), a: node, b: node }),
  fc.record({ do: fc.constant('down' as const), a: node, b: node }),
  fc.record({ do: fc.constant('step' as const), choice: fc.nat() }),
)

describe('Topology', () => {
  test('whatever links come and go, and in whatever order the news arrives, all agree on who is reachable', () => {
    fc.assert(
      fc.property(
        fc.array(move, { maxLength: 150 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 20 }),
        (moves, choices) => {
          const world = new World(COUNT)
          for (const item of moves) {
            if (item.do === 'up') world.linkUp(item.a, item.b)
            else if (item.do === 'down') world.linkDown(item.a, item.b)
            else world.step(item.choice)
          }
          for (let i = 0; world.step(choices[i % choices.length]! + i); i++)
            if (i > 100_000) throw new RangeError('the news never ends')
          for (const [id, { topology }] of world.nodes) {
            const members = [...topology.members()].map(({ nodeId }) => nodeId)
            expect(new Set(members)).toEqual(world.reachable(id))
            expect(members[0]).toBe(id)
            expect(members.length).toBe(new Set(members).size)
            for (const other of members.slice(1)) {
              const hop = topology.nextHop(other)!
              expect(world.isUp(id, hop)).toBe(true)
              expect(walk(world, id, other).length).toBeLessThanOrEqual(COUNT)
            }
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('a dead node’s record does not bring it back', () => {
    const world = new World(3)
    world.linkUp('n0', 'n1')
    world.linkUp('n1', 'n2')
    while (world.step(0));
    const stale = world.nodes.get('n0')!.topology.snapshot(world.nodes.get('n0')!.topology.record('n2')!)
    // n2 dies: it withdraws nothing itself.
    world.linkDown('n1', 'n2')
    while (world.step(0));
    const { topology } = world.nodes.get('n0')!
    expect(topology.member('n2')).toBeUndefined()
    expect(topology.applySnapshot(stale)).toBe('known')
    expect(topology.applySnapshot({ ...stale, version: stale.version + 1000 })).toBe('news')
    topology.recompute()
    expect(topology.member('n2')).toBeUndefined()
    expect(topology.nextHop('n2')).toBeUndefined()
  })

  test('an edge counts only when both ends claim it', () => {
    const topology = new Topology({ nodeId: 'me', kind: 'relay', addr: undefined, features: [], classes: [] })
    const record = (nodeId: string, links: string[]): NodeSnapshot => ({
      op: 'node',
      nodeId,
      version: 1,
      kind: 'relay',
      addr: undefined,
      features: [],
      classes: [],
      links,
      names: [],
      isHidden: false,
    })
    topology.changeSelf({ op: 'link', other: 'a', isUp: true })
    topology.applySnapshot(record('a', ['me', 'victim']))
    topology.applySnapshot(record('victim', []))
    topology.applySnapshot(record('liar', ['a', 'me']))
    expect(topology.recompute().found.map(({ nodeId }) => nodeId)).toEqual(['a'])
  })

  test('changes count one after the other; one too many is a gap that only a whole record closes', () => {
    const topology = new Topology({ nodeId: 'me', kind: 'relay', addr: undefined, features: [], classes: [] })
    const change = (version: number): NodeChange => ({
      op: 'name',
      nodeId: 'a',
      version,
      name: `v${version}`,
      actorId: 'id',
    })
    expect(topology.applyChange(change(2))).toBe('gap')
    topology.applySnapshot({
      op: 'node',
      nodeId: 'a',
      version: 1,
      kind: 'leaf',
      addr: undefined,
      features: [],
      classes: [],
      links: [],
      names: [],
      isHidden: false,
    })
    expect([3, 2, 2, 1, 3, 5].map((version) => topology.applyChange(change(version)))).toEqual([
      'gap',
      'news',
      'known',
      'known',
      'news',
      'gap',
    ])
    expect([...topology.record('a')!.names.keys()]).toEqual(['v2', 'v3'])
  })

  test('records of nodes nobody can reach do not pile up', () => {
    const topology = new Topology({ nodeId: 'me', kind: 'relay', addr: undefined, features: [], classes: [] })
    let kept = 0
    for (let i = 0; i < 5_000; i++) {
      topology.applySnapshot({
        op: 'node',
        nodeId: `stranger${i}`,
        version: 1,
        kind: 'leaf',
        addr: undefined,
        features: [],
        classes: [],
        links: [],
        names: [],
        isHidden: false,
      })
      topology.recompute()
    }
    for (let i = 0; i < 5_000; i++) if (topology.record(`stranger${i}`)) kept++
    expect(kept).toBeLessThanOrEqual(300)
  })

  test('joined and left are told once each', () => {
    const topology = new Topology({ nodeId: 'me', kind: 'leaf', addr: undefined, features: [], classes: [] })
    topology.applySnapshot({
      op: 'node',
      nodeId: 'a',
      version: 1,
      kind: 'relay',
      addr: 'ws://a:1',
      features: [],
      classes: [],
      links: ['me'],
      names: [],
      isHidden: false,
    })
    topology.changeSelf({ op: 'link', other: 'a', isUp: true })
    expect(topology.recompute()).toMatchObject({ found: [{ nodeId: 'a', addr: 'ws://a:1' }], lost: [] })
    expect(topology.recompute()).toEqual({ found: [], lost: [] })
    topology.changeSelf({ op: 'link', other: 'a', isUp: false })
    expect(topology.recompute()).toMatchObject({ found: [], lost: [{ nodeId: 'a' }] })
    expect(topology.recompute()).toEqual({ found: [], lost: [] })
  })
})

describe('a neighbour that joins', () => {
  const OTHERS = ['a', 'b', 'c', 'd', 'e']
  const other = fc.constantFrom(...OTHERS)
  const kind = fc.constantFrom('relay' as const, 'leaf' as const)

  test('changes what working out all ways would change, whatever was known of it', () => {
    fc.assert(
      fc.property(
        kind,
        fc.tuple(...OTHERS.map(() => kind)),
        fc.uniqueArray(fc.tuple(fc.constantFrom('self', ...OTHERS), other), { maxLength: 12, selector: String }),
        other,
        fc.boolean(),
        (own, kinds, edges, joining, isGone) => {
          const topology = new Topology({ nodeId: 'self', kind: own, addr: undefined, features: [], classes: [] })
          const linksOf = (id: string): string[] => edges.flatMap(([a, b]) => (a === id ? [b] : b === id ? [a] : []))
          for (const [i, nodeId] of OTHERS.entries())
            topology.applySnapshot({
              ...{ op: 'node', nodeId, version: 1, kind: kinds[i]!, addr: undefined, features: [], classes: [] },
              ...{ links: linksOf(nodeId), names: [], isHidden: false },
            })
          // Nobody is stale but who joins, and that is no neighbour before.
          for (const nodeId of linksOf('self').filter((id) => id !== joining))
            topology.changeSelf({ op: 'link', other: nodeId, isUp: true })
          topology.recompute()
          if (isGone) {
            topology.bury(joining)
            topology.recompute()
          }
          const record = topology.record(joining)!
          record.isStale = true
          topology.changeSelf({ op: 'link', other: joining, isUp: true })
          const seen = () => OTHERS.map((id) => [topology.nextHop(id), topology.isRelay(id)])
          topology.join(record, () => true)
          const joined = seen()
          expect(topology.recompute(() => true)).toEqual({ found: [], lost: [] })
          expect(joined).toEqual(seen())
          if (!isGone) expect(topology.nextHop(joining)).toBe(joining)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('is told as found, once', () => {
    const topology = new Topology({ nodeId: 'me', kind: 'relay', addr: undefined, features: [], classes: [] })
    topology.applySnapshot({
      ...{ op: 'node', nodeId: 'a', version: 0, kind: 'leaf', addr: undefined, features: [], classes: [] },
      ...{ links: [], names: [], isHidden: false },
    })
    const record = topology.record('a')!
    record.isStale = true
    const { version } = topology
    topology.changeSelf({ op: 'link', other: 'a', isUp: true })
    expect(topology.join(record, () => false)).toEqual({ found: [record], lost: [] })
    expect(topology.version).toBeGreaterThan(version)
    expect(topology.join(record, () => false)).toEqual({ found: [], lost: [] })
  })
})

/** The nodes a frame passes from one node to another, each deciding by its own table. */
function walk(world: World, from: string, to: string): string[] {
  const path = [from]
  while (path.at(-1) !== to) {
    if (path.length > COUNT) return [...path, 'goes in circles']
    path.push(world.nodes.get(path.at(-1)!)!.topology.nextHop(to)!)
  }
  return path
}

describe('what is reached through one leaf', () => {
  const record = (nodeId: string, kind: 'relay' | 'leaf', links: readonly string[]): NodeSnapshot => ({
    ...{ op: 'node', nodeId, version: 1, kind, addr: undefined, features: [], classes: [] },
    ...{ links, names: [], isHidden: false },
  })
  const node = (kind: 'relay' | 'leaf', link: string, records: readonly NodeSnapshot[]): Topology => {
    const topology = new Topology({ nodeId: 'self', kind, addr: undefined, features: [], classes: [] })
    topology.changeSelf({ op: 'link', other: link, isUp: true })
    for (const one of records) topology.applySnapshot(one)
    topology.recompute()
    return topology
  }
  const many = Array.from({ length: 2 * MAX_BEHIND_LEAF }, (_, i) => `n${i}`)
  const count = (topology: Topology): number => [...topology.members()].length
  const behind = (leaf: string): NodeSnapshot[] => many.map((nodeId) => record(nodeId, 'leaf', [leaf]))

  test.each(['relay', 'leaf'] as const)(`is bounded for a %s`, (kind) => {
    expect(count(node(kind, 'page', [record('page', 'leaf', ['self', ...many]), ...behind('page')]))).toBe(
      2 + MAX_BEHIND_LEAF,
    )
    const far = [record('r', 'relay', ['self', 'page']), record('page', 'leaf', ['r', ...many]), ...behind('page')]
    expect(count(node(kind, 'r', far))).toBe(3 + MAX_BEHIND_LEAF)
  })

  test('is bounded in depth as in width, and whatever it calls itself', () => {
    const row = many.map((nodeId, i) =>
      record(nodeId, i % 2 ? 'relay' : 'leaf', [many[i - 1] ?? 'page', many[i + 1] ?? 'page']),
    )
    const topology = node('relay', 'page', [record('page', 'leaf', ['self', many[0]!]), ...row])
    expect(count(topology)).toBe(2 + MAX_BEHIND_LEAF)
    expect(many.filter((nodeId) => topology.isRelay(nodeId))).toEqual([])
  })

  test('does not bound a cluster for a worker behind its page', () => {
    const page = record('page', 'leaf', ['self', 'r'])
    const topology = node('leaf', 'page', [page, record('r', 'relay', ['page', ...many]), ...behind('r')])
    expect(count(topology)).toBe(3 + many.length)
    expect(topology.isRelay('r')).toBe(true)
  })
})

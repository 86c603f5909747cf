/**
 * What relays tell each other costs the same however many members and names there are: heartbeats where nothing happens,
 * and a change as such. Counted at the links between three relays, with six leaves behind them, and with 300 more that
 * only are there.
 */
import { type ActorSystem, SystemConfig } from 'pulsing'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { deferred } from '../../src/base/deferred.ts'
import { newId } from '../../src/base/ids.ts'
import { Backbone } from '../../src/cluster/backbone.ts'
import { Topology } from '../../src/cluster/topology.ts'
import { decodeUpdates, encodeUpdates } from '../../src/cluster/update.ts'
import { Link } from '../../src/link/link.ts'
import { Network } from '../../src/network.ts'
import { startSystem } from '../../src/system.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import type { SimulatedEvent } from '../../src/testkit/simulated-link.ts'
import { simulatedNetwork } from '../../src/testkit/simulated-network.ts'
import { FRAME, Frame } from '../../src/wire/frame.ts'
import { quiet } from '../actor/systems.ts'
import { framesOf } from '../cluster/memory-nodes.ts'
import { seedIds } from './seeded-ids.ts'
import { SimClock } from './sim-clock.ts'
import { forgetTurns } from './turns.ts'

vi.mock('../../src/base/macrotask.ts', () => import('./turns.ts'))
vi.mock('../../src/base/random.ts', () => import('./seeded-ids.ts'))
vi.mock('../../src/stream/fair-share.ts', () => ({ dueTurn: () => undefined }))

/** What is there besides six leaves. */
interface Bystanders {
  readonly relays: number
  readonly leaves: number
  /** Names that each of them has, and each of `NAMED`. */
  readonly names: number
}

const NONE: Bystanders = { relays: 3, leaves: 0, names: 0 }
const MANY: Bystanders = { relays: 3, leaves: 300, names: 5 }

const LEAVES = ['l0', 'l1', 'l2', 'l3', 'l4', 'l5']
/** Those to which changes come and that stay linked: of a node that comes back all names are told. */
const NAMED = ['r1', 'l0', 'l3']

const GRACE_MS = 60_000
const START_LIMIT_MS = 60_000
/** When everybody has long met everybody. */
const SETTLED_AT_MS = 120_000
const QUIET_MS = 300_000
/** As long as a change can have consequences: a node that is missed is given up after its grace. */
const CHANGE_MS = 2 * GRACE_MS
const MAX_STEPS = 10_000_000
/**
 * Every record numbers its changes: a version takes one byte below 24, and two more below 65 536; the frame around it may
 * take one more to say how long it is.
 */
const VERSION_GROWTH_BYTES = 3

/** A ping or a pong without an id. */
const HEARTBEAT_BYTES = 3
/** What a relay sends in a second while nothing happens, at most: it asks one other in two seconds, and is asked as often. */
const HEARTBEATS_PER_S = 1.05

/** What went one way between two relays. */
interface Cost {
  bytes: number
  frames: number
  updates: string[]
}

/** By direction, as `r0 r1`. */
type Costs = Record<string, Cost>

class Crowd {
  readonly #clock = new SimClock()
  readonly #network = simulatedNetwork({ clock: this.#clock, delayMs: 5, onEvent: (event) => this.#happened(event) })
  readonly #systems = new Map<string, ActorSystem>()
  #relays: readonly string[] = []
  #sent: SimulatedEvent[] = []

  async start({ relays, leaves, names }: Bystanders): Promise<void> {
    this.#relays = Array.from({ length: relays }, (_, i) => `r${i}`)
    for (const [i, relay] of this.#relays.entries()) await this.#within(this.join(relay, this.#relays.slice(0, i)))
    await this.#within(Promise.all(LEAVES.map((host, i) => this.join(host, [this.#relays[i % relays]!]))))
    for (const host of NAMED) for (let i = 0; i < names; i++) await this.publish(host, `${host} ${i}`)
    const bystanders = Array.from({ length: leaves }, (_, i) => this.#standBy(i, names))
    await this.#within(Promise.all(bystanders))
    await this.#passUntil(SETTLED_AT_MS)
    this.#take()
  }

  /** A leaf that says once what it is, and answers heartbeats: a whole one would work out all ways at every change. */
  async #standBy(number: number, names: number): Promise<void> {
    const endpoint = `ws://${this.#relays[number % this.#relays.length]}:1`
    const { signal } = new AbortController()
    const connection = await this.#network.transport(`b${number}`).dial!(endpoint, { signal })
    const { promise, resolve } = deferred<void>()
    const about = { nodeId: newId(), kind: 'leaf', features: [] } as const
    const topology = new Topology({ ...about, addr: undefined, classes: [] })
    const opened = (link: Link): void => {
      topology.changeSelf({ op: 'link', other: link.nodeId, isUp: true })
      for (let i = 0; i < names; i++) topology.changeSelf({ op: 'name', name: `b${number} ${i}`, actorId: newId() })
      const payload = encodeUpdates([topology.snapshot(topology.self), { op: 'synced' }])
      link.send(Object.assign(new Frame(), { kind: FRAME.cluster, payload }))
      resolve()
    }
    const ignore = (): void => undefined
    new Link(
      connection,
      { opened, received: ignore, closed: ignore, failed: ignore },
      {
        transport: 'simulated',
        hello: { ...about, serial: 1 },
        auth: undefined,
        clock: this.#clock,
      },
    )
    return promise
  }

  async join(host: string, seeds: readonly string[]): Promise<void> {
    const config = SystemConfig.withSeeds(seeds.map((seed) => `ws://${seed}:1`))
      .withTransports(this.#network.transport(host))
      .withClock(this.#clock)
      .withRandom(seededRandom(host))
      .withLogger(quiet)
      .withLimits({ sessionGraceMs: GRACE_MS })
    const system = await startSystem(
      this.#relays.includes(host) ? config.withAddr(`ws://${host}:1`) : config,
      (runtime, settings) => new Network(runtime, settings, [], { Backbone }),
    )
    this.#systems.set(host, system)
  }

  async publish(host: string, name: string): Promise<void> {
    await this.#of(host).spawn({ receive: () => undefined }, name, { public: true })
  }

  async withdraw(host: string, name: string): Promise<void> {
    const system = this.#of(host)
    await system.stop(await system.resolve(name, { node: system.nodeId }))
  }

  leave(host: string): Promise<void> {
    return this.#of(host).shutdown()
  }

  crash(host: string): void {
    this.#network.crash(host)
  }

  /** Breaks the links of a leaf, which dials again. */
  cut(host: string): void {
    for (const link of this.#network.links(host)) link.cut()
  }

  /** How many members each relay sees online. */
  get online(): number[] {
    return this.#relays.map((host) => {
      const members = this.#of(host).members()
      return members.filter(({ status }) => status === 'online').length
    })
  }

  /** Everything that relays send each other while nothing happens, heartbeats and all. */
  async costOfQuiet(): Promise<Costs> {
    await this.#passUntil(this.#clock.now() + QUIET_MS)
    return this.#costs(() => true)
  }

  /** What they send because of `change`. */
  async costOf(change: (crowd: Crowd) => Promise<void> | void): Promise<Costs> {
    this.#take()
    await this.#within(Promise.resolve(change(this)))
    await this.#passUntil(this.#clock.now() + CHANGE_MS)
    return this.#costs((kind) => kind !== FRAME.ping && kind !== FRAME.pong)
  }

  #of(host: string): ActorSystem {
    return this.#systems.get(host)!
  }

  #take(): SimulatedEvent[] {
    const sent = this.#sent
    this.#sent = []
    return sent
  }

  #happened(event: SimulatedEvent): void {
    if (event.what === 'sent' && this.#relays.includes(event.from) && this.#relays.includes(event.to))
      this.#sent.push(event)
  }

  #costs(counts: (kind: number) => boolean): Costs {
    const costs: Costs = {}
    for (const from of this.#relays)
      for (const to of this.#relays) if (from !== to) costs[`${from} ${to}`] = { bytes: 0, frames: 0, updates: [] }
    for (const { from, to, batch } of this.#take()) {
      const cost = costs[`${from} ${to}`]!
      const frames = framesOf(batch!)
      const others = frames.filter(({ kind }) => !counts(kind))
      cost.bytes += batch!.byteLength - others.length * HEARTBEAT_BYTES
      for (const { kind, payload } of frames) {
        if (!counts(kind)) continue
        cost.frames++
        if (kind === FRAME.cluster) for (const { op } of decodeUpdates(payload)) cost.updates.push(op)
      }
    }
    return costs
  }

  #passUntil(ms: number): Promise<boolean> {
    return this.#clock.run(() => false, ms, MAX_STEPS)
  }

  async #within<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = work.finally(() => (isOver = true))
    over.catch(() => undefined)
    if (!(await this.#clock.run(() => isOver, this.#clock.now() + START_LIMIT_MS, MAX_STEPS)))
      throw new Error(`expected it within ${START_LIMIT_MS} ms, got it going on`)
    return over
  }
}

/** Frames and updates are the same; bytes are, but for longer versions. */
function expectSame(few: Costs, many: Costs): void {
  for (const [way, cost] of Object.entries(few)) {
    const other = many[way]!
    expect({ way, frames: other.frames, updates: other.updates }).toEqual({
      way,
      frames: cost.frames,
      updates: cost.updates,
    })
    const grown = other.bytes - cost.bytes
    expect(Math.abs(grown), `bytes ${way}: ${cost.bytes} and ${other.bytes}`).toBeLessThanOrEqual(
      VERSION_GROWTH_BYTES * cost.updates.length,
    )
  }
}

const CHANGES: readonly (readonly [what: string, change: (crowd: Crowd) => Promise<void> | void])[] = [
  ['a name published on a leaf', (crowd) => crowd.publish('l0', 'another')],
  ['a name withdrawn on a leaf', (crowd) => crowd.withdraw('l0', 'another')],
  ['a name published on a relay', (crowd) => crowd.publish('r1', 'a third')],
  ['a leaf that comes', (crowd) => crowd.join('later', ['r1'])],
  ['a leaf that loses its link and dials again', (crowd) => crowd.cut('l1')],
  ['a leaf that says goodbye', (crowd) => crowd.leave('later')],
  ['a leaf that dies', (crowd) => crowd.crash('l2')],
]

describe('what relays tell each other does not grow with members and names', () => {
  const quietCosts: Costs[] = []
  const changeCosts: Map<string, Costs>[] = []

  // Both crowds live through the same, one after the other: they share the turns of a simulation.
  beforeAll(async () => {
    for (const bystanders of [NONE, MANY]) {
      seedIds('gossip')
      forgetTurns()
      const crowd = new Crowd()
      await crowd.start(bystanders)
      const all = bystanders.relays + LEAVES.length + bystanders.leaves
      expect(crowd.online).toEqual([all, all, all])
      quietCosts.push(await crowd.costOfQuiet())
      const costs = new Map<string, Costs>()
      for (const [what, change] of CHANGES) costs.set(what, await crowd.costOf(change))
      // One came and went, one died: so the changes were ones.
      expect(crowd.online).toEqual([all - 1, all - 1, all - 1])
      changeCosts.push(costs)
    }
  }, 120_000)

  test(`in ${QUIET_MS / 60_000} minutes in which nothing happens, it is heartbeats alone, to the byte`, () => {
    const [few, many] = quietCosts
    expect(many).toEqual(few)
    for (const { bytes, updates } of Object.values(few!)) {
      expect(bytes).toBeGreaterThan(0)
      expect(updates).toEqual([])
    }
  })

  test.each(CHANGES)('%s', (what) => {
    const [few, many] = changeCosts.map((costs) => costs.get(what)!)
    expect(Object.values(few!).some(({ updates }) => updates.length > 0)).toBe(true)
    expectSame(few!, many!)
  })
})

describe('what a relay sends others while nothing happens does not grow with their number', () => {
  /** Bytes a second that each relay sends to all others. */
  async function rates(relays: number): Promise<number[]> {
    seedIds('gossip')
    forgetTurns()
    const crowd = new Crowd()
    await crowd.start({ ...NONE, relays })
    const all = relays + LEAVES.length
    expect(crowd.online).toEqual(Array.from({ length: relays }, () => all))
    const sent: Record<string, number> = {}
    for (const [way, { bytes, updates }] of Object.entries(await crowd.costOfQuiet())) {
      const [from] = way.split(' ') as [string]
      sent[from] = (sent[from] ?? 0) + bytes
      expect(updates).toEqual([])
    }
    return Object.values(sent).map((bytes) => (bytes * 1_000) / QUIET_MS)
  }
  const mean = (all: readonly number[]): number => all.reduce((sum, rate) => sum + rate, 0) / all.length

  test('3 relays, 12 and 24', async () => {
    const few = await rates(3)
    expect(mean(few)).toBeGreaterThan(0)
    for (const many of [await rates(12), await rates(24)]) {
      expect(Math.abs(mean(many) - mean(few))).toBeLessThan(HEARTBEAT_BYTES / 2)
      for (const rate of many) expect(rate).toBeLessThanOrEqual(HEARTBEATS_PER_S * HEARTBEAT_BYTES)
    }
  }, 120_000)
})

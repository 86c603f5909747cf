/**
 * One run of one seed of a cluster: relays that find each other, leaves with two of them as seeds, names that come and go,
 * and a network that misbehaves. What every node says of the others is compared with what is so.
 */
import { type ActorRef, type ActorSystem, isPulsingError, type Member, SystemConfig } from 'pulsing'
import { Backbone } from '../../src/cluster/backbone.ts'
import { Cluster } from '../../src/cluster/cluster.ts'
import { Network } from '../../src/network.ts'
import { startSystem } from '../../src/system.ts'
import type { SeededRandom } from '../../src/testkit/seeded-random.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import type { Fault } from '../../src/testkit/simulated-disturbance.ts'
import { type SimulatedNetwork, simulatedNetwork } from '../../src/testkit/simulated-network.ts'
import { quiet } from '../actor/systems.ts'
import { seedIds } from './seeded-ids.ts'
import { SimClock } from './sim-clock.ts'
import { forgetTurns } from './turns.ts'

/**
 * `mild`: links break and fall silent, and nobody dies: nobody may be missed for good. `wild`: nodes die, leave and come
 * back, too: in the end everybody knows who is there. `parted`: the relays are parted in two, for longer or shorter.
 * `lossy`: an hour of a bad network: 200 ± 150 ms, and one link or another stands still for up to a second, as TCP does
 * when it loses packets.
 */
export type Mode = 'mild' | 'wild' | 'parted' | 'lossy'

/** How long a node no way leads to stays a member here, in milliseconds. */
const GRACE_MS = 60_000
/** By when everybody knows everything again once the network is well: a leaf may take 45 s to miss a silent link. */
const SETTLES_MS = 60_000
/** The same where only links between relays were broken, in milliseconds. */
export const CONVERGES_MS = 10_000
const HOUR_MS = 3_600_000
const MAX_STEPS = 5_000_000
const SEED_HOST = 'r0'
const NAMES = ['a', 'b', 'c', 'd', 'e']

/** What the nodes of runs know of each other, by the id of the node: put down when it is first linked. */
const clusters = new Map<string, Cluster>()
const { neighbourJoined } = Cluster.prototype
Cluster.prototype.neighbourJoined = function (this: Cluster, link) {
  clusters.set(this.topology.self.nodeId, this)
  neighbourJoined.call(this, link)
}

interface Node {
  readonly host: string
  readonly system: ActorSystem
  readonly actors: Map<string, ActorRef>
  /** Members it was told have left. */
  readonly lost: Set<string>
  isLive: boolean
}

export interface Run {
  readonly violations: readonly string[]
  readonly trace: readonly string[]
}

/** Runs a seed; the same seed does the same. */
export async function simulateCluster(seed: string, mode: Mode): Promise<Run> {
  return new SimulatedCluster(seed, mode).run()
}

class SimulatedCluster {
  readonly violations: string[] = []
  readonly trace: string[] = []
  readonly #mode: Mode
  readonly #random: SeededRandom
  readonly #clock = new SimClock()
  readonly #network: SimulatedNetwork
  readonly #nodes: Node[] = []
  /** Nodes that said goodbye: nobody may meet them again. */
  readonly #left = new Set<string>()
  readonly #names = new Map<string, string>()
  readonly #relays: readonly string[]
  #isEnding = false
  readonly #leaves: readonly string[]

  constructor(seed: string, mode: Mode) {
    this.#mode = mode
    const random = seededRandom(seed)
    this.#random = random.fork(`cluster ${mode}`)
    seedIds(seed)
    forgetTurns()
    clusters.clear()
    this.#network = simulatedNetwork({
      seed: random.fork('network').seed,
      clock: this.#clock,
      delayMs: mode === 'lossy' || this.#random.int(2) === 0 ? [50, 350] : [1, 10],
    })
    this.#relays = Array.from({ length: mode === 'parted' ? 5 : 2 + this.#random.int(3) }, (_, i) => `r${i}`)
    this.#leaves = Array.from({ length: 2 + this.#random.int(4) }, (_, i) => `l${i}`)
  }

  get #live(): Node[] {
    return this.#nodes.filter(({ isLive }) => isLive)
  }

  async run(): Promise<Run> {
    await this.#begin()
    if (this.#mode === 'parted') await this.#part()
    else if (this.#mode === 'lossy') await this.#lose()
    else await this.#disturb()
    await this.#end()
    return this
  }

  async #begin(): Promise<void> {
    const starting = [...this.#relays, ...this.#leaves].map((host) => this.#start(host))
    await this.#within('the start', Promise.all(starting), 60_000)
    await this.#pass(CONVERGES_MS)
    await this.#verify('after the start')
  }

  async #disturb(): Promise<void> {
    const random = this.#random
    const faults: Fault[] = ['cut', 'cut-unseen', 'silence', 'stall', 'part']
    const disturbance = this.#network.disturb({ everyMs: 3_000 + random.float() * 10_000, lastsMs: 5_000, faults })
    for (let left = 10 + random.int(20); left > 0; left--) {
      await this.#pass(random.float() * 8_000)
      this.#operate()
    }
    disturbance.stop()
    this.#network.heal()
    await this.#pass(this.#mode === 'wild' ? SETTLES_MS + GRACE_MS : SETTLES_MS)
    await this.#verify('after all')
    await this.#verifyGone()
  }

  async #lose(): Promise<void> {
    const disturbance = this.#network.disturb({ everyMs: 500, lastsMs: 1_000, faults: ['stall'] })
    await this.#pass(HOUR_MS)
    disturbance.stop()
    await this.#pass(CONVERGES_MS)
    await this.#verify('after an hour')
  }

  async #part(): Promise<void> {
    const random = this.#random
    const [left, right] = [this.#relays.slice(0, 2), this.#relays.slice(2)]
    for (const a of left) for (const b of right) this.#network.part(a, b)
    for (let steps = 1 + random.int(6); steps > 0; steps--) {
      await this.#pass(random.float() * 8_000)
      this.#name()
    }
    // Each side serves what it has.
    for (const node of this.#live)
      for (const name of node.actors.keys())
        if (!(await this.#find(node, node, name)))
          this.#violate(`8 names: expected ${name} to be found on ${node.host}, where it is, during a partition`)
    this.#network.heal()
    await this.#pass(CONVERGES_MS)
    await this.#verify('10 s after a partition')
  }

  #operate(): void {
    const random = this.#random
    if (this.#live.length === 0) return
    if (this.#mode === 'mild' || random.int(3) > 0) {
      this.#name()
      return
    }
    const node = random.pick(this.#live)
    node.isLive = false
    node.actors.clear()
    if (random.int(2) === 0) {
      this.#note(`${node.host} leaves`)
      this.#left.add(node.system.nodeId)
      void node.system.shutdown()
    } else {
      this.#note(`${node.host} crashes`)
      this.#network.crash(node.host, { isSilent: random.int(2) === 0 })
    }
    // The seed of all comes back in any case, and waits for nobody: without one, nobody finds anybody.
    const isSeed = node.host === SEED_HOST
    if (isSeed || random.int(2) === 0)
      this.#clock.setTimer(() => void this.#start(node.host, !isSeed).catch(() => undefined), random.float() * 10_000)
  }

  /** A name appears at a node, or goes; and another node asks an actor of that name, if it finds one. */
  #name(): void {
    const node = this.#random.pick(this.#live)
    const name = this.#random.pick(NAMES)
    const asker = this.#random.pick(this.#live)
    void asker.system.resolve(name, { timeout: 0, policy: 'random' }).then(
      (ref) => ref.ask('x').catch(() => undefined),
      () => undefined,
    )
    const actor = node.actors.get(name)
    if (actor) {
      node.actors.delete(name)
      this.#note(`${node.host} withdraws ${name}`)
      void node.system.stop(actor)
      return
    }
    this.#note(`${node.host} names ${name}`)
    void node.system.spawn({ receive: () => node.host }, name, { public: true }).then(
      (ref) => node.actors.set(name, ref),
      // The one before it is still stopping.
      (error: unknown) => {
        if (!isPulsingError(error, 'actor_already_exists')) this.#violate(`expected ${name} to be named, got ${error}`)
      },
    )
  }

  async #start(host: string, hasSeeds = true): Promise<void> {
    const isRelay = this.#relays.includes(host)
    const other = this.#random.pick(this.#relays)
    const seeds = this.#random.int(2) === 0 ? [SEED_HOST, other] : [other, SEED_HOST]
    if (!hasSeeds) seeds.length = 0
    let config = SystemConfig.withSeeds(
      [...new Set(seeds)].filter((seed) => seed !== host).map((seed) => `ws://${seed}:1`),
    )
      .withTransports(this.#network.transport(host))
      .withClock(this.#clock)
      .withRandom(this.#random.fork(`node ${this.#nodes.length}`))
      .withLogger(quiet)
      .withLimits({ sessionGraceMs: GRACE_MS })
    if (isRelay) config = config.withAddr(`ws://${host}:1`)
    const starting = startSystem(config, (runtime, settings) => {
      this.#names.set(runtime.nodeId, `${host}#${this.#names.size}`)
      return new Network(runtime, settings, [], { Backbone })
    })
    const system = await starting
    const node: Node = { host, system, actors: new Map(), lost: new Set(), isLive: true }
    this.#nodes.push(node)
    this.#note(`${host} has started`)
    system.on('memberJoined', ({ member }) => this.#joined(node, member))
    system.on('memberLeft', ({ member }) => this.#memberLeft(node, member))
    system.on('memberUpdated', ({ member }) => this.#note(`${host} sees ${this.#nameOf(member)} ${member.status}`))
  }

  #joined(node: Node, member: Member): void {
    this.#note(`${node.host} meets ${this.#nameOf(member)}`)
    if (this.#left.has(member.nodeId) && node.lost.has(member.nodeId))
      this.#violate(`7 gone: expected ${this.#nameOf(member)} never to return to ${node.host}, got it back`)
  }

  #memberLeft(node: Node, member: Member): void {
    this.#note(`${node.host} loses ${this.#nameOf(member)}`)
    node.lost.add(member.nodeId)
    const other = this.#nodes.find(({ system }) => system.nodeId === member.nodeId)
    if (!this.#isEnding && node.isLive && other?.isLive && this.#mode !== 'wild')
      this.#violate(`5 false gone: expected ${other.host} to stay a member for ${node.host}, which can be reached`)
  }

  #nameOf({ nodeId }: { readonly nodeId: string }): string {
    return this.#names.get(nodeId) ?? nodeId
  }

  /** Everybody knows who is there, and where names are. */
  async #verify(when: string): Promise<void> {
    const live = this.#live
    for (const node of live) {
      const seen = node.system.members().map((member) => `${this.#nameOf(member)} ${member.status}`)
      const expected = live.map(({ system }) => `${this.#nameOf(system)} online`)
      if (seen.sort().join() !== expected.sort().join())
        this.#violate(`members ${when}: expected ${node.host} to see ${expected.join(', ')}, got ${seen.join(', ')}`)
      for (const other of live) {
        for (const name of NAMES) {
          const isThere = other.actors.has(name)
          if (isThere !== (await this.#find(node, other, name)))
            this.#violate(
              `8 names ${when}: expected ${node.host} to find ${isThere ? '' : 'no '}${name} on ${other.host}, got ${isThere ? 'none' : 'it'}`,
            )
        }
      }
    }
  }

  /** Of nodes that are gone nothing is left: no name, nothing that waits, no session that could not be let go of. */
  async #verifyGone(): Promise<void> {
    const liveIds = new Set(this.#live.map(({ system }) => system.nodeId))
    const gone = this.#nodes.filter(({ isLive }) => !isLive)
    for (const node of this.#live) {
      for (const other of gone)
        for (const name of NAMES)
          if (await this.#find(node, other, name))
            this.#violate(`6 state: expected no ${name} on ${other.host}, which is gone, got it on ${node.host}`)
      for (const { nodeId, isForgettable } of clusters.get(node.system.nodeId)?.peers.associations() ?? [])
        if (!liveIds.has(nodeId) && !isForgettable)
          this.#violate(
            `6 state: expected ${node.host} to be done with ${this.#nameOf({ nodeId })}, got what is pending`,
          )
      const { asks } = node.system.census()
      if (asks > 0) this.#violate(`6 state: expected no asks of ${node.host} that wait, got ${asks}`)
    }
  }

  #find(node: Node, on: Node, name: string): Promise<boolean> {
    return this.#within(
      'a search',
      node.system.resolve(name, { node: on.system.nodeId, timeout: 0 }).then(
        () => true,
        () => false,
      ),
      1_000,
    )
  }

  async #end(): Promise<void> {
    this.#isEnding = true
    await this.#within('the end', Promise.all(this.#live.map(({ system }) => system.shutdown())), 60_000)
  }

  #pass(ms: number): Promise<boolean> {
    return this.#clock.run(() => false, this.#clock.now() + ms, MAX_STEPS)
  }

  /** What `work` settles with, while time passes. */
  async #within<T>(what: string, work: Promise<T>, ms: number): Promise<T> {
    let isOver = false
    const over = work.finally(() => (isOver = true))
    over.catch(() => undefined)
    if (!(await this.#clock.run(() => isOver, this.#clock.now() + ms, MAX_STEPS)))
      throw new Error(`expected ${what} within ${ms} ms, got it going on`)
    return over
  }

  #note(text: string): void {
    this.trace.push(`${this.#clock.now().toFixed(3)} ${text}`)
  }

  #violate(text: string): void {
    this.#note(`VIOLATED ${text}`)
    this.violations.push(text)
  }
}

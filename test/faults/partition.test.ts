/**
 * Five relays, two of which lose sight of the other three for a while: whole nodes on a simulated network, in no time. Each
 * side goes on by itself, and both are one again soon after.
 */
import { type ActorRef, type ActorSystem, type Member, SystemConfig } from 'pulsing'
import { createTestSystem, ManualClock, seededRandom, simulatedNetwork, type TestSystem } from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { DEFAULT_SESSION_GRACE_MS } from '../../src/config.ts'
import { memberIds } from '../system/systems.ts'

/** By when all must be as before, once everybody can reach everybody again, in milliseconds. */
const ONE_AGAIN_WITHIN_MS = 10_000
/** More than news takes to everybody on one side, in milliseconds. */
const NEWS_MS = 1_000
const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** Who is on which side, relays first; every relay knows the first one only, every leaf the relays of its side. */
const SIDES = [
  { relays: ['r1', 'r2'], leaves: ['x1', 'x2'] },
  { relays: ['r3', 'r4', 'r5'], leaves: ['y1', 'y2'] },
] as const

class Cluster {
  readonly #clock = new ManualClock()
  readonly #network
  readonly #tests = new Map<string, TestSystem>()
  readonly actors = new Map<string, ActorRef>()

  constructor(seed: number) {
    this.#network = simulatedNetwork({ seed, clock: this.#clock })
  }

  async start(): Promise<void> {
    for (const { relays, leaves } of SIDES) {
      for (const relay of relays) await this.#start(relay, SystemConfig.withAddr(urlOf(relay)).withSeeds([urlOf('r1')]))
      for (const [index, leaf] of leaves.entries()) {
        const seeds = [...relays.slice(index), ...relays.slice(0, index)].map(urlOf)
        await this.#start(leaf, SystemConfig.withSeeds(seeds))
      }
    }
    for (const host of this.#hosts()) await this.publish(host, nameOf(host))
    expect(await this.passUntil(() => this.isWhole, ONE_AGAIN_WITHIN_MS)).toBe(true)
  }

  async #start(host: string, config: SystemConfig): Promise<void> {
    const options = {
      clock: this.#clock,
      seed: seededRandom(`${this.#network.seed} ${host}`).seed,
      config: config.withLogger(QUIET).withTransports(this.#network.transport(host)),
    }
    this.#tests.set(host, await this.#network.during(createTestSystem(options)))
  }

  system(host: string): ActorSystem {
    return this.#tests.get(host)!.system
  }

  async publish(host: string, name: string): Promise<void> {
    const actor = { receive: () => `${name} at ${host}` }
    this.actors.set(name, await this.#network.during(this.system(host).spawn(actor, name, { public: true })))
  }

  async withdraw(host: string, name: string): Promise<void> {
    await this.#network.during(this.system(host).stop(name))
    this.actors.delete(name)
  }

  /** Asks for what a name answers, there. */
  ask(host: string, name: string): Promise<unknown> {
    return this.#network.during(
      this.system(host)
        .resolve(name)
        .then((ref) => ref.ask('who?')),
    )
  }

  pass(ms: number): Promise<void> {
    return this.#clock.advanceAsync(ms)
  }

  /** Lets at most so much time pass; whether it was enough. */
  passUntil(isSo: () => boolean, ms: number): Promise<boolean> {
    return this.#clock.advanceUntil(isSo, ms)
  }

  /** Neither side reaches the other, and both see their connections break; `isSilent`: they do not even see that. */
  part({ isSilent = false } = {}): void {
    for (const [a, b] of this.#pairsAcross()) {
      if (!isSilent) for (const link of this.#network.links(a, b)) link.cut()
      this.#network.part(a, b)
    }
  }

  heal(): void {
    this.#network.heal()
  }

  async stop(): Promise<void> {
    await this.#network.during(Promise.all([...this.#tests.values()].map(({ system }) => system.shutdown())))
  }

  #hosts(): string[] {
    return [...this.#tests.keys()]
  }

  #pairsAcross(): [string, string][] {
    const [left, right] = SIDES.map(({ relays, leaves }) => [...relays, ...leaves])
    return left!.flatMap((a) => right!.map((b): [string, string] => [a, b]))
  }

  /** Whether everybody sees everybody. */
  get isWhole(): boolean {
    return this.#hosts().every((host) => {
      const members = this.system(host).members()
      return members.length === this.#tests.size && members.every(({ status }) => status === 'online')
    })
  }

  /** Whether everybody sees the other side, and nobody else, as one no way leads to. */
  get isParted(): boolean {
    return SIDES.every(({ relays, leaves }) => {
      const near = new Set([...relays, ...leaves].map((host) => this.system(host).nodeId))
      return [...relays, ...leaves].every((host) =>
        this.system(host)
          .members()
          .every(({ nodeId, status }: Member) => status === (near.has(nodeId) ? 'online' : 'unreachable')),
      )
    })
  }

  /** Which of these names are found at a host; those whose actor is elsewhere are told apart. */
  async names(host: string, names: readonly string[]): Promise<string[]> {
    const found: string[] = []
    for (const name of names) {
      const ref = await this.system(host).find(name)
      if (ref && ref.nodeId === this.actors.get(name)?.nodeId) found.push(name)
      else if (ref) found.push(`${name} where it is not`)
    }
    return found
  }
}

const urlOf = (host: string): string => `ws://${host}:80`
const nameOf = (host: string): string => `name of ${host}`
const hostsOf = (side: (typeof SIDES)[number]): string[] => [...side.relays, ...side.leaves]
const namesOf = (side: (typeof SIDES)[number]): string[] => hostsOf(side).map(nameOf)
const ALL_HOSTS = SIDES.flatMap(hostsOf)

/** What nobody may be told: that somebody left, or joined who was here before. */
function departures(cluster: Cluster): string[] {
  const heard: string[] = []
  for (const host of ALL_HOSTS) {
    const system = cluster.system(host)
    system.on('memberLeft', ({ member }) => heard.push(`${host}: ${member.nodeId} left`))
    system.on('memberJoined', ({ member }) => heard.push(`${host}: ${member.nodeId} joined`))
  }
  return heard
}

describe.each([
  ['whose connections break', false, 8_000],
  ['whose connections break, for most of the grace', false, DEFAULT_SESSION_GRACE_MS - 5_000],
  ['whose connections fall silent', true, 50_000],
])('two relays that are parted from three others, %s', (_how, isSilent, partedMs) => {
  test.each([1, 2, 3])(
    'serve their own names, and all names again soon after, seed %d',
    { timeout: 30_000 },
    async (seed) => {
      const cluster = new Cluster(seed)
      await cluster.start()
      const everybody = memberIds(cluster.system('x1'))
      const heard = departures(cluster)

      cluster.part({ isSilent })
      await cluster.pass(partedMs - NEWS_MS)
      expect(cluster.isParted).toBe(true)
      for (const host of ALL_HOSTS) expect(memberIds(cluster.system(host))).toEqual(everybody)
      for (const side of SIDES) {
        for (const host of hostsOf(side)) {
          expect(await cluster.names(host, SIDES.flatMap(namesOf))).toEqual(namesOf(side))
          expect(await cluster.ask(host, nameOf(side.leaves[0]))).toBe(`${nameOf(side.leaves[0])} at ${side.leaves[0]}`)
        }
      }
      // On both sides a name goes, and another comes.
      for (const { leaves } of SIDES) {
        await cluster.withdraw(leaves[1], nameOf(leaves[1]))
        await cluster.publish(leaves[1], `new name of ${leaves[1]}`)
      }
      await cluster.pass(NEWS_MS)
      const added = SIDES.map(({ leaves }) => `new name of ${leaves[1]}`)
      for (const [index, side] of SIDES.entries())
        for (const host of hostsOf(side)) expect(await cluster.names(host, added)).toEqual([added[index]])

      cluster.heal()
      const names = [...SIDES.flatMap(namesOf), ...added]
      const present = names.filter((name) => cluster.actors.has(name))
      expect(present).toHaveLength(names.length - SIDES.length)
      await cluster.pass(ONE_AGAIN_WITHIN_MS)
      // Also long after: what was withdrawn does not come back, and nobody is given up after all.
      for (const laterMs of [0, DEFAULT_SESSION_GRACE_MS, DEFAULT_SESSION_GRACE_MS]) {
        await cluster.pass(laterMs)
        expect(cluster.isWhole).toBe(true)
        for (const host of ALL_HOSTS) expect(await cluster.names(host, names)).toEqual(present)
      }
      for (const [near, far] of [SIDES, SIDES.toReversed()] as const)
        for (const asker of hostsOf(near))
          expect(await cluster.ask(asker, nameOf(far.leaves[0]))).toBe(`${nameOf(far.leaves[0])} at ${far.leaves[0]}`)
      expect(heard).toEqual([])
      await cluster.stop()
    },
  )
})

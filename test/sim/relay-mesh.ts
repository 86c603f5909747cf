/**
 * Relays that are all linked to each other and have nothing to say, on one clock: one of them falls silent, or a link of
 * theirs, or one is paused. What they say of each other, and which links they give up, is put down.
 */
import { type ActorSystem, SystemConfig } from 'pulsing'
import type { Clock, Timer } from '../../src/base/clock.ts'
import { Backbone } from '../../src/cluster/backbone.ts'
import { Network } from '../../src/network.ts'
import { startSystem } from '../../src/system.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import type { SimulatedEvent, SimulatedLink } from '../../src/testkit/simulated-link.ts'
import { type SimulatedNetwork, simulatedNetwork } from '../../src/testkit/simulated-network.ts'
import { quiet } from '../actor/systems.ts'
import { seedIds } from './seeded-ids.ts'
import { SimClock } from './sim-clock.ts'
import { forgetTurns } from './turns.ts'

const START_LIMIT_MS = 60_000
/** When relays that were linked one after the other have long probed each other. */
const SETTLED_AT_MS = 120_000
const MAX_STEPS = 10_000_000

/** What a relay noticed. */
export interface Notice {
  readonly at: number
  readonly host: string
  /** `missed`: a member cannot be reached; `lost`: it was given up; `closed`: a link to it is over. */
  readonly what: 'missed' | 'lost' | 'closed'
  readonly other: string
  /** Why a link is over. */
  readonly why: string
}

/** The time of one host, which stands still for it while it is paused: what was due then runs late. */
class HostClock implements Clock {
  readonly #clock: Clock
  #late: (() => void)[] | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    let isCancelled = false
    const run = (): void => {
      if (!isCancelled) callback()
    }
    const timer = this.#clock.setTimer(() => {
      if (this.#late) this.#late.push(run)
      else run()
    }, delayMs)
    return {
      cancel: () => {
        isCancelled = true
        timer.cancel()
      },
      hold: () => undefined,
    }
  }

  afterTurn(callback: () => void): void {
    this.#clock.afterTurn(callback)
  }

  pause(ms: number): void {
    this.#late = []
    this.#clock.setTimer(() => {
      const late = this.#late ?? []
      this.#late = undefined
      for (const run of late) run()
    }, ms)
  }
}

export class RelayMesh {
  readonly notices: Notice[] = []
  readonly hosts: readonly string[]
  readonly #seed: string
  readonly #clock = new SimClock()
  readonly #network: SimulatedNetwork
  readonly #systems = new Map<string, ActorSystem>()
  readonly #clocks = new Map<string, HostClock>()
  readonly #hostOf = new Map<string, string>()
  #onEvent: ((event: SimulatedEvent) => void) | undefined

  constructor(count: number, seed: string) {
    this.#seed = seed
    seedIds(seed)
    forgetTurns()
    this.hosts = Array.from({ length: count }, (_, i) => `r${i}`)
    this.#network = simulatedNetwork({
      seed,
      clock: this.#clock,
      delayMs: [1, 50],
      onEvent: (event) => this.#onEvent?.(event),
    })
  }

  get now(): number {
    return this.#clock.now()
  }

  /** All are linked to each other, and quiet. */
  async start(): Promise<void> {
    for (const host of this.hosts) await this.within(this.#start(host))
    // Each seed another moment.
    await this.pass(SETTLED_AT_MS + seededRandom(this.#seed).float() * 10_000)
    for (const [i, a] of this.hosts.entries())
      for (const b of this.hosts.slice(0, i))
        if (!this.link(a, b)) throw new Error(`expected a link between ${a} and ${b}, got none`)
    this.notices.length = 0
  }

  async #start(host: string): Promise<void> {
    const clock = new HostClock(this.#clock)
    this.#clocks.set(host, clock)
    const config = SystemConfig.withSeeds(host === 'r0' ? [] : ['ws://r0:1'])
      .withAddr(`ws://${host}:1`)
      .withTransports(this.#network.transport(host))
      .withClock(clock)
      .withRandom(seededRandom(`${this.#seed} ${host}`))
      .withLogger(quiet)
    const system = await startSystem(config, (runtime, settings) => new Network(runtime, settings, [], { Backbone }))
    this.#systems.set(host, system)
    this.#hostOf.set(system.nodeId, host)
    const note = (what: Notice['what'], nodeId: string, why = ''): void => {
      this.notices.push({ at: this.now, host, what, other: this.#hostOf.get(nodeId) ?? nodeId, why })
    }
    system.on('memberUpdated', ({ member }) => {
      if (member.status !== 'online') note('missed', member.nodeId)
    })
    system.on('memberLeft', ({ member }) => note('lost', member.nodeId))
    system.on('linkClosed', ({ nodeId, error }) => note('closed', nodeId, error?.message))
  }

  system(host: string): ActorSystem {
    return this.#systems.get(host)!
  }

  /** The link between two of them that works. */
  link(a: string, b: string): SimulatedLink | undefined {
    return this.#network.links(a, b).find(({ isWhole }) => isWhole)
  }

  /** One of them is no more, and nobody is told. */
  kill(host: string): void {
    this.#network.crash(host, { isSilent: true })
  }

  /** One of them stands still; what arrives meanwhile is there for it just after what was due. */
  pause(host: string, ms: number): void {
    this.#clocks.get(host)!.pause(ms)
    for (const link of this.#network.links(host)) {
      const [a, b] = link.hosts
      link.stall(ms + 1, a === host ? b : a)
    }
  }

  /** The next batch that `host` sends. */
  async nextSent(host: string): Promise<SimulatedEvent> {
    let sent: SimulatedEvent | undefined
    this.#onEvent = (event) => {
      if (event.what === 'sent' && event.from === host) sent ??= event
    }
    await this.until(() => sent !== undefined, START_LIMIT_MS)
    this.#onEvent = undefined
    return sent!
  }

  /** How long it took until it was so, in milliseconds; Infinity when it was not within the limit. */
  async until(isSo: () => boolean, limitMs: number): Promise<number> {
    const from = this.now
    return (await this.#clock.run(isSo, from + limitMs, MAX_STEPS)) ? this.now - from : Infinity
  }

  async pass(ms: number): Promise<void> {
    await this.#clock.run(() => false, this.now + ms, MAX_STEPS)
  }

  /** What `work` settles with, while time passes. */
  async within<T>(work: Promise<T>, ms = START_LIMIT_MS): Promise<T> {
    let isOver = false
    const over = work.finally(() => (isOver = true))
    over.catch(() => undefined)
    if ((await this.until(() => isOver, ms)) > ms) throw new Error(`expected it within ${ms} ms, got it going on`)
    return over
  }

  /** Whether all of these say that `other` is there, or that it is not. */
  agree(hosts: readonly string[], other: string, status: 'online' | 'unreachable'): boolean {
    const { nodeId } = this.system(other)
    return hosts.every((host) =>
      this.system(host)
        .members()
        .some((member) => member.nodeId === nodeId && member.status === status),
    )
  }
}

/**
 * A network for tests: hosts, connections between them that take time and break, and chance that follows from a seed.
 * Everything above the connections is what ships.
 */
import type { Clock } from '../base/clock.ts'
import { deferred } from '../base/deferred.ts'
import { ConfigError, describe, UnreachableError } from '../base/errors.ts'
import type { Connection, DialOptions, Listener, Negotiation, Signaling, Transport } from '../link/connection.ts'
import type { ManualClock } from './manual-clock.ts'
import type { SeededRandom } from './seeded-random.ts'
import { seededRandom } from './seeded-random.ts'
import type { SimulatedConnection } from './simulated-connection.ts'
import type { Disturbance, DisturbanceOptions } from './simulated-disturbance.ts'
import { disturb } from './simulated-disturbance.ts'
import type { LinkSettings, SimulatedEvent, SimulatedLink } from './simulated-link.ts'
import { HostLink } from './simulated-link.ts'
import { DEFAULT_SEED } from './test-system.ts'

/** How long a batch is under way unless told otherwise, in milliseconds: from, and to. */
export const DEFAULT_DELAY_MS: readonly [from: number, to: number] = [1, 10]
/** Bytes an end may have sent and the other not yet taken before `send` answers false, unless told otherwise. */
export const DEFAULT_SIMULATED_WINDOW_BYTES: number = 256 * 1024

/** How a network is made. */
export interface SimulatedNetworkOptions {
  /** Where chance begins. Default {@link DEFAULT_SEED}. */
  readonly seed?: number | string
  /** Whose time it is; the systems in it must have the same. */
  readonly clock: Clock
  /** How long a batch is under way, in milliseconds: always, or from and to. Default {@link DEFAULT_DELAY_MS}. */
  readonly delayMs?: number | readonly [from: number, to: number]
  /** How many bytes one direction of a link takes in a millisecond. Default Infinity. */
  readonly bytesPerMs?: number
  /** Bytes an end may have sent and the other not yet taken. Default {@link DEFAULT_SIMULATED_WINDOW_BYTES}. */
  readonly windowBytes?: number
  /**
   * After how many messages to one node, or bytes, two nodes that talk through others connect directly, as with
   * `webRTC()`. Default: never.
   */
  readonly directAfter?: Negotiation['upgradeAfter']
  /** Hears of everything that happens, in the moment it does. */
  readonly onEvent?: (event: SimulatedEvent) => void
}

/** Hosts, and connections between them. Made by {@link simulatedNetwork}. */
export interface SimulatedNetwork {
  /** What everything follows from: print it when a test fails, and give it again to repeat what happened. */
  readonly seed: string
  /**
   * The transport of a node at `host`, for `SystemConfig.withTransports`. It listens at, and dials, the addresses that
   * configurations name, `ws://host:port`, whatever host they name: none of them is one of the real network. A host that
   * crashed is there again with the next transport made for it.
   */
  transport(host: string): Transport
  /** Links that are open at one end at least, oldest first; those of one host, or between two. */
  links(host?: string, other?: string): SimulatedLink[]
  /**
   * From now on nothing gets from `a` to `b`, nor back: their links fall silent, and dialling gets no answer, until
   * {@link heal}.
   */
  part(a: string, b: string): void
  /** Lets two hosts reach each other again, or all. Links that fell silent stay so. */
  heal(a?: string, b?: string): void
  /**
   * Ends what runs at a host as if its process were killed: it is cut off for ever, whatever it still does. The others are
   * told, as an operating system does, unless `isSilent`, as when the power fails.
   */
  crash(host: string, options?: { readonly isSilent?: boolean }): void
  /** Breaks things by chance, until it is told to stop. */
  disturb(options?: DisturbanceOptions): Disturbance
  /**
   * `work`, with time passing for as long as it takes: for what waits for the network, such as joining a cluster.
   *
   * @throws ConfigError unless the clock is a {@link ManualClock}
   */
  during<T>(work: Promise<T>): Promise<T>
}

/** A host, from its start to its crash. */
interface Boot {
  readonly host: string
  isDown: boolean
}

interface Listening {
  readonly boot: Boot
  readonly accept: (connection: Connection) => void
}

/** A link that is being opened. */
interface Line {
  readonly number: number
  readonly random: SeededRandom
  readonly delayMs: () => number
}

const ADDRESS_PATTERN = /^wss?:\/\/[^/]/

class Network implements SimulatedNetwork {
  readonly #clock: Clock
  readonly #random: SeededRandom
  readonly #options: SimulatedNetworkOptions
  readonly #delaysMs: readonly [number, number]
  readonly #boots = new Map<string, Boot>()
  readonly #listening = new Map<string, Listening>()
  readonly #links = new Map<HostLink, readonly [Boot, Boot]>()
  readonly #parted = new Set<string>()
  /** Direct links that hosts wait for, by number. */
  readonly #offers = new Map<number, { readonly boot: Boot; readonly resolve: (connection: Connection) => void }>()
  #dialled = 0
  #disturbances = 0

  constructor(options: SimulatedNetworkOptions) {
    const { seed = DEFAULT_SEED, clock, delayMs = DEFAULT_DELAY_MS } = options
    this.#random = seededRandom(seed)
    this.#clock = clock
    this.#options = options
    this.#delaysMs = typeof delayMs === 'number' ? [delayMs, delayMs] : delayMs
  }

  get seed(): string {
    return this.#random.seed
  }

  transport(host: string): Transport {
    let boot = this.#boots.get(host)
    if (!boot || boot.isDown) this.#boots.set(host, (boot = { host, isDown: false }))
    const here = boot
    const { directAfter } = this.#options
    return {
      name: 'simulated',
      handles: (endpoint) => typeof endpoint === 'string' && ADDRESS_PATTERN.test(endpoint),
      dial: (endpoint, { signal }) => this.#dial(here, endpoint as string, signal),
      listen: (address, accept) => this.#listen(here, address, accept),
      ...(directAfter
        ? {
            negotiation: {
              feature: 'simulated',
              upgradeAfter: directAfter,
              connect: (signaling, options) => this.#negotiate(here, signaling, options),
            },
          }
        : {}),
    }
  }

  links(host?: string, other?: string): SimulatedLink[] {
    const isOf = (link: HostLink, name: string | undefined): boolean => name === undefined || link.hosts.includes(name)
    return [...this.#links.keys()].filter((link) => isOf(link, host) && isOf(link, other))
  }

  part(a: string, b: string): void {
    this.#note('parted', 0, a, b)
    this.#parted.add(pairOf(a, b))
    for (const link of this.links(a, b)) link.silence()
  }

  heal(a?: string, b?: string): void {
    this.#note('healed', 0, a ?? '', b ?? '')
    if (a === undefined || b === undefined) this.#parted.clear()
    else this.#parted.delete(pairOf(a, b))
  }

  crash(host: string, { isSilent = false }: { readonly isSilent?: boolean } = {}): void {
    const boot = this.#boots.get(host)
    if (!boot || boot.isDown) return
    this.#note('crashed', 0, host, '')
    boot.isDown = true
    for (const [address, listening] of this.#listening) if (listening.boot === boot) this.#listening.delete(address)
    for (const [link, boots] of this.#links) {
      if (!boots.includes(boot)) continue
      const [a, b] = link.hosts
      if (isSilent) link.silence()
      else link.cut({ seenBy: a === host ? b : a })
    }
  }

  disturb(options: DisturbanceOptions = {}): Disturbance {
    const random = this.#random.fork(`disturbance ${++this.#disturbances}`)
    return disturb(this, { clock: this.#clock, random }, options)
  }

  async during<T>(work: Promise<T>): Promise<T> {
    const clock = this.#clock as Partial<ManualClock>
    if (typeof clock.advanceUntil !== 'function')
      throw new ConfigError('expected a network on a ManualClock, got one on another clock')
    let isOver = false
    const over = work.finally(() => (isOver = true))
    over.catch(() => undefined)
    while (!isOver) await clock.advanceUntil(() => isOver, STEP_MS)
    return over
  }

  async #listen(boot: Boot, address: string, accept: (connection: Connection) => void): Promise<Listener> {
    if (this.#listening.has(address))
      throw new ConfigError(`expected a free address, got one that is already in use: ${address}`)
    const listening = { boot, accept }
    if (!boot.isDown) this.#listening.set(address, listening)
    return {
      address,
      close: async () => {
        if (this.#listening.get(address) === listening) this.#listening.delete(address)
      },
    }
  }

  async #dial(boot: Boot, address: string, signal: AbortSignal): Promise<Connection> {
    const line = this.#line()
    await this.#pass(line.delayMs(), signal)
    const to = this.#listening.get(address)?.boot.host ?? hostOf(address)
    // A call that gets no answer is repeated, as by TCP.
    for (let waitMs = 1_000; boot.isDown || this.#parted.has(pairOf(boot.host, to)); waitMs *= 2)
      await this.#pass(waitMs, signal)
    const listening = this.#listening.get(address)
    if (!listening) {
      this.#note('refused', line.number, boot.host, to)
      await this.#pass(line.delayMs(), signal)
      throw new UnreachableError(`expected a listener at ${address}, got none`, { outcome: 'not-sent' })
    }
    const { near, far } = this.#open(line, boot, listening.boot)
    listening.accept(far)
    return this.#answered(near, far, line, signal)
  }

  /** One of two nodes opens a link, and tells the other through the cluster which one it is. */
  async #negotiate(
    boot: Boot,
    signaling: Signaling,
    { isInitiator, signal }: DialOptions & { readonly isInitiator: boolean },
  ): Promise<Connection> {
    const line = this.#line()
    if (isInitiator) {
      const { promise, resolve } = deferred<Connection>()
      this.#offers.set(line.number, { boot, resolve })
      signaling.send(line.number)
      try {
        return await Promise.race([promise, this.#pass(Infinity, signal) as Promise<never>])
      } finally {
        this.#offers.delete(line.number)
      }
    }
    const { promise, resolve } = deferred<unknown>()
    signaling.onSignal(resolve)
    const number = await Promise.race([promise, this.#pass(Infinity, signal)])
    const offer = this.#offers.get(number as number)
    if (!offer || boot.isDown || offer.boot.isDown || this.#parted.has(pairOf(boot.host, offer.boot.host)))
      return (await this.#pass(Infinity, signal)) as never
    const { near, far } = this.#open(line, boot, offer.boot)
    offer.resolve(far)
    return this.#answered(near, far, line, signal)
  }

  /** What a link to be is made with. */
  #line(): Line {
    const number = ++this.#dialled
    const random = this.#random.fork(`link ${number}`)
    const [from, to] = this.#delaysMs
    return { number, random, delayMs: () => from + random.float() * (to - from) }
  }

  #open(
    { number, random, delayMs }: Line,
    from: Boot,
    to: Boot,
  ): { near: SimulatedConnection; far: SimulatedConnection } {
    const { bytesPerMs = Infinity, windowBytes = DEFAULT_SIMULATED_WINDOW_BYTES } = this.#options
    const link = new HostLink(number, [from.host, to.host], {
      clock: this.#clock,
      random,
      delayMs,
      bytesPerMs,
      windowBytes,
      note: this.#note,
      over: (over) => void this.#links.delete(over),
    })
    this.#links.set(link, [from, to])
    this.#note('opened', number, from.host, to.host)
    const [near, far] = link.ends
    return { near, far }
  }

  /** The near end, once the answer of the far end has come; it is lost with the rest when the link falls silent first. */
  async #answered(
    near: SimulatedConnection,
    far: SimulatedConnection,
    { delayMs }: Line,
    signal: AbortSignal,
  ): Promise<Connection> {
    try {
      await this.#pass(delayMs(), signal)
      if (far.wire.isSilent) await this.#pass(Infinity, signal)
    } catch (error) {
      near.abort('nobody waits for it any more')
      throw error
    }
    return near
  }

  /** Settles after `ms` milliseconds. @throws the reason of `signal` when it aborts before that */
  #pass(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = ms === Infinity ? undefined : this.#clock.setTimer(done, ms)
      function done(): void {
        signal.removeEventListener('abort', abort)
        resolve()
      }
      function abort(): void {
        timer?.cancel()
        reject(signal.reason)
      }
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  readonly #note: LinkSettings['note'] = (what, link, from, to, batch) => {
    this.#options.onEvent?.({ at: this.#clock.now(), what, link, from, to, ...(batch ? { batch } : {}) })
  }
}

/** How far {@link SimulatedNetwork.during} moves the clock at a time, in milliseconds. */
const STEP_MS = 1_000

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}

function hostOf(address: string): string {
  return new URL(address).hostname
}

/**
 * A network of simulated hosts: everything in it follows from `seed`, and takes no real time. The systems in it are
 * whole, and all of theirs is what ships, but for the sockets; ids are as unpredictable as ever, so that two runs agree
 * in everything but those, and which of two links that two nodes dialled to each other at once is kept.
 *
 * @throws ConfigError naming every option that is not as it must be
 *
 * @example
 * ```ts
 * import { SystemConfig } from 'pulsing'
 * import { createTestSystem, ManualClock, simulatedNetwork } from 'pulsing/testkit'
 *
 * const clock = new ManualClock()
 * const network = simulatedNetwork({ seed: 7, clock, delayMs: [5, 50] })
 * const at = (host: string, config: SystemConfig) =>
 *   network.during(createTestSystem({ clock, config: config.withTransports(network.transport(host)) }))
 *
 * const server = await at('server', SystemConfig.withAddr('ws://server:80'))
 * const client = await at('client', SystemConfig.withSeeds(['ws://server:80']))
 * await server.system.spawn({ receive: () => 'pong' }, 'pinger', { public: true })
 * const pinger = await network.during(client.system.resolve('pinger'))
 *
 * const answer = pinger.ask('ping')
 * for (const link of network.links('client', 'server')) link.cut()
 * await network.during(answer) // 'pong': it went again, over another link
 * await network.during(Promise.all([client.dispose(), server.dispose()]))
 * ```
 */
export function simulatedNetwork(options: SimulatedNetworkOptions): SimulatedNetwork {
  const {
    clock,
    delayMs = DEFAULT_DELAY_MS,
    bytesPerMs = Infinity,
    windowBytes = DEFAULT_SIMULATED_WINDOW_BYTES,
  } = options
  const problems: string[] = []
  if (typeof clock?.now !== 'function' || typeof clock.setTimer !== 'function')
    problems.push(`expected clock as a Clock, got ${describe(clock)}`)
  const [from, to] = typeof delayMs === 'number' ? [delayMs, delayMs] : delayMs
  if (!(from >= 0 && to >= from && to < Infinity))
    problems.push(`expected delayMs as milliseconds, or as two, the first at most the second, got ${describe(delayMs)}`)
  if (!(bytesPerMs > 0)) problems.push(`expected bytesPerMs above 0, got ${describe(bytesPerMs)}`)
  if (!(windowBytes >= 1)) problems.push(`expected windowBytes of at least 1, got ${describe(windowBytes)}`)
  if (problems.length > 0) throw new ConfigError(problems)
  return new Network(options)
}

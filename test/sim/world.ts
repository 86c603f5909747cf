/**
 * The nodes of one simulation, from their start to their end: whole systems of what ships, on one clock, joined by a
 * simulated network. What they are made to do is the workload's business, what they must keep to the ledgers'.
 */
import { type ActorRef, type ActorSystem, isPulsingError, SystemConfig } from 'pulsing'
import type { ActorRuntime } from '../../src/actor/actor-runtime.ts'
import { Backbone } from '../../src/cluster/backbone.ts'
import { CHECK_EVERY_MS, GONE_AFTER_MS } from '../../src/link/heartbeat.ts'
import { Network } from '../../src/network.ts'
import { startSystem } from '../../src/system.ts'
import { type SeededRandom, seededRandom } from '../../src/testkit/seeded-random.ts'
import type { SimulatedEvent } from '../../src/testkit/simulated-link.ts'
import { type SimulatedNetwork, simulatedNetwork } from '../../src/testkit/simulated-network.ts'
import { FIRST_ROUTED_KIND, FRAME, Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FaultyRelay } from './faulty-relay.ts'
import { Measures, measure } from './measures.ts'
import { seedIds } from './seeded-ids.ts'
import { SessionLedger } from './session-ledger.ts'
import { observeSessions } from './session-tap.ts'
import { SimClock } from './sim-clock.ts'
import { forgetTurns } from './turns.ts'

/** Who dials whom. */
export type Topology = 'pair' | 'star' | 'ring' | 'mesh'

interface Host {
  readonly name: string
  readonly isRelay: boolean
  readonly seeds: readonly string[]
}

const HOSTS: Readonly<Record<Topology, readonly Host[]>> = {
  pair: [
    { name: 'a', isRelay: true, seeds: [] },
    { name: 'b', isRelay: false, seeds: ['a'] },
  ],
  star: [
    { name: 'r', isRelay: true, seeds: [] },
    { name: 'x', isRelay: false, seeds: ['r'] },
    { name: 'y', isRelay: false, seeds: ['r'] },
  ],
  ring: [
    { name: 'r', isRelay: true, seeds: ['s', 't'] },
    { name: 's', isRelay: true, seeds: ['t', 'r'] },
    { name: 't', isRelay: true, seeds: ['r', 's'] },
  ],
  mesh: [
    { name: 'r', isRelay: true, seeds: ['s'] },
    { name: 's', isRelay: true, seeds: ['r'] },
    { name: 'x', isRelay: false, seeds: ['r', 's'] },
    { name: 'y', isRelay: false, seeds: ['s', 'r'] },
  ],
}

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined }

/** Listeners of a node that belong to the simulation. */
export const OWN_LISTENERS = 2

/** One life of a node. */
export interface SimNode {
  /** In the order of starts, from 0. */
  readonly index: number
  readonly host: string
  readonly nodeId: string
  readonly system: ActorSystem
  /** False from the moment it leaves or crashes. */
  isLive: boolean
  hasCrashed: boolean
  /** Settles when it is shut down. */
  shutdown: Promise<void> | undefined
  inbox: ActorRef
  server: ActorRef
}

/** How the network and the nodes of a run are, all of it from the seed. */
export interface WorldOptions {
  readonly seed: string
  readonly topology: Topology
  readonly delayMs: readonly [number, number]
  readonly bytesPerMs: number
  readonly windowBytes: number
  readonly graceMs: readonly number[]
  /** Whether nodes that talk through others connect directly before long. */
  readonly areDirect: boolean
  readonly mailboxCapacity: number
  /** Whether relays lose, repeat and hold back frames they pass on. */
  readonly areRelaysFaulty: boolean
  /** Whether the trace says what every batch was, for who reads it. */
  readonly isVerbose: boolean
}

export class World {
  readonly options: WorldOptions
  readonly clock = new SimClock()
  readonly random: SeededRandom
  readonly network: SimulatedNetwork
  readonly sessions: SessionLedger
  readonly measures = new Measures((text) => this.violate(text))
  readonly violations: string[] = []
  /** Time, what, and a detail of it, over and over. */
  readonly trace: (string | number)[] = []
  /** All nodes that ever ran, in the order they started. */
  readonly nodes: SimNode[] = []
  /** What must not be collected while it goes on: collection would be a coincidence. */
  readonly held: unknown[] = []
  /** Refs that nodes have found, by finder, actor and node. */
  readonly refs = new Map<string, ActorRef>()
  /** Bytes that all links together have carried. */
  carriedBytes = 0
  readonly relays: FaultyRelay | undefined
  readonly #runtimes = new Map<string, ActorRuntime>()
  readonly #indices = new Map<string, string>()
  readonly #starting = new Set<Promise<unknown>>()
  /** Links that were broken, and when first; when anything last arrived; those that ever stood still. */
  readonly #brokenAt = new Map<number, number>()
  readonly #heardAt = new Map<number, number>()
  readonly #stalled = new Set<number>()
  #started = 0

  constructor(options: WorldOptions) {
    this.options = options
    this.random = seededRandom(options.seed)
    seedIds(options.seed)
    forgetTurns()
    const { delayMs, bytesPerMs, windowBytes } = options
    this.network = simulatedNetwork({
      seed: this.random.fork('network').seed,
      clock: this.clock,
      delayMs,
      bytesPerMs,
      windowBytes,
      ...(options.areDirect ? { directAfter: { messages: 5, bytes: 100_000 } } : {}),
      onEvent: this.#onEvent,
    })
    if (options.areRelaysFaulty)
      this.relays = new FaultyRelay(this.random.fork('relays'), { lost: 0.02, repeated: 0.05, late: 0.05 })
    this.sessions = new SessionLedger({
      violate: (text) => this.violate(text),
      now: () => this.clock.now(),
      indexOf: (nodeId) => this.#indices.get(nodeId) ?? nodeId,
      note: (what, detail) => this.note(what, detail),
    })
    observeSessions(this.sessions)
    measure(this.measures)
  }

  get hosts(): readonly string[] {
    return HOSTS[this.options.topology].map(({ name }) => name)
  }

  get live(): readonly SimNode[] {
    return this.nodes.filter(({ isLive }) => isLive)
  }

  node(index: number): SimNode {
    return this.nodes.find((node) => node.index === index)!
  }

  note(what: string, detail: string | number): void {
    this.trace.push(this.clock.now(), what, detail)
  }

  violate(text: string): void {
    this.note('VIOLATED', text)
    this.violations.push(text)
  }

  /** Starts a node at a host. @param prepare gives it its actors, before anybody can reach it */
  async start(
    host: string,
    prepare: (system: ActorSystem, index: number) => Promise<[ActorRef, ActorRef]>,
  ): Promise<SimNode> {
    const index = this.#started++
    const { isRelay, seeds } = HOSTS[this.options.topology].find(({ name }) => name === host)!
    const { graceMs } = this.options
    const transport = this.network.transport(host)
    let config = SystemConfig.standalone()
      .withTransports(isRelay && this.relays ? this.relays.wrap(transport) : transport)
      .withClock(this.clock)
      .withRandom(this.random.fork(`node ${index}`))
      .withLogger({
        ...SILENT,
        error: (message) => this.violate(`expected nothing to log as an error, got ${message}`),
      })
      .withMailboxCapacity(this.options.mailboxCapacity)
      .withLimits({ sessionGraceMs: graceMs[index % graceMs.length]! })
      .withSeeds(seeds.map((seed) => `ws://${seed}:1`))
    if (isRelay) config = config.withAddr(`ws://${host}:1`)
    const starting = startSystem(config, (runtime, settings) => {
      this.#runtimes.set(runtime.nodeId, runtime)
      this.#indices.set(runtime.nodeId, `${index}${host}`)
      return new Network(runtime, settings, [], { Backbone })
    })
    this.#starting.add(starting)
    const system = await starting
    this.#starting.delete(starting)
    this.#listen(system, `${index}${host}`)
    const [inbox, server] = await prepare(system, index)
    const node: SimNode = {
      index,
      host,
      nodeId: system.nodeId,
      system,
      isLive: true,
      hasCrashed: false,
      shutdown: undefined,
      inbox,
      server,
    }
    this.nodes.push(node)
    this.note('started', `${index}${host}`)
    return node
  }

  /** Hears of what must not happen in any run. */
  #listen(system: ActorSystem, name: string): void {
    system.on('linkClosed', ({ error }) => {
      if (error && !isPulsingError(error, 'unreachable'))
        this.violate(`expected a link of ${name} to end because it broke, got ${error}`)
    })
    system.on('deadLetter', ({ recipient, reason }) => {
      if (reason === 'overloaded')
        this.violate(`11 memory: expected room at ${name}, got a dead letter to ${recipient}`)
    })
  }

  /** Functions a node has lent that can still be called. */
  lentCallbacks({ nodeId }: SimNode): number {
    const runtime = this.#runtimes.get(nodeId)!
    return this.measures.lentBy(nodeId).filter(({ id }) => runtime.byId(id) !== undefined).length
  }

  /** Ends a node as its program would. */
  leave(node: SimNode): Promise<void> {
    node.isLive = false
    this.note('leaves', node.index)
    node.shutdown ??= node.system.shutdown()
    return node.shutdown
  }

  /** Ends a node as its death would; what goes on in it reaches nobody. */
  crash(node: SimNode, isSilent: boolean): void {
    node.isLive = false
    node.hasCrashed = true
    this.network.crash(node.host, { isSilent })
  }

  #closed(link: number, at: number, host: string): void {
    const brokenAt = this.#brokenAt.get(link)
    if (brokenAt === undefined || this.#stalled.has(link)) return
    // The end that notices first tells the other, where it can.
    const afterMs = at - Math.max(brokenAt, this.#heardAt.get(link) ?? 0) - 2 * this.options.delayMs[1]
    if (afterMs > NOTICED_AFTER_MS)
      this.violate(
        `6 silence: expected link ${link} to be over at ${host} after ${NOTICED_AFTER_MS} ms of silence, got ${afterMs}`,
      )
  }

  readonly #detailOf = (batch: Uint8Array): string | number => (this.options.isVerbose ? textOf(batch) : hashOf(batch))

  readonly #onEvent = ({ at, what, link, from, to, batch }: SimulatedEvent): void => {
    if (what === 'arrived') this.#heardAt.set(link, at)
    else if (what === 'stalled') this.#stalled.add(link)
    else if ((what === 'cut' || what === 'silenced') && !this.#brokenAt.has(link)) this.#brokenAt.set(link, at)
    else if (what === 'closed') this.#closed(link, at, from)
    if (what === 'sent') this.carriedBytes += batch!.byteLength
    this.trace.push(this.clock.now(), `${what} ${link} ${from} ${to}`, batch ? this.#detailOf(batch) : 0)
  }
}

/** How long a link that was replaced waits for the other end to say goodbye, in milliseconds. */
const GOODBYE_MS = 5_000
/** How long a link may be broken without being over at both ends, in milliseconds. */
const NOTICED_AFTER_MS = GONE_AFTER_MS + CHECK_EVERY_MS + GOODBYE_MS

/** FNV-1a, 32 bits: of short batches all of it, of long ones enough. */
function hashOf(batch: Uint8Array): number {
  let hash = 0x811c9dc5 ^ batch.byteLength
  const end = Math.min(batch.byteLength, 512)
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ batch[i]!, 0x01000193)
  return hash
}

const KINDS = new Map<number, string>(Object.entries(FRAME).map(([name, kind]) => [kind, name]))

/** The frames of a batch: kinds, and where it has them number, session and bytes. */
function textOf(batch: Uint8Array): string {
  const texts: string[] = []
  const reader = new FrameReader()
  const frame = new Frame()
  reader.open(batch)
  while (reader.next(frame)) {
    const { kind, session, seq, id, payload } = frame
    const isRouted = kind >= FIRST_ROUTED_KIND
    texts.push(`${KINDS.get(kind)}${isRouted ? ` ${session}.${seq} id ${id}, ${payload.byteLength} bytes` : ''}`)
  }
  return texts.join('; ')
}

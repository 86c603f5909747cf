/**
 * What a node tells about itself: plain values, each made when it is asked for. It says what is; who may hear it is for
 * `inspection-rights.ts` to decide.
 */
import type { ActorCell } from '../actor/actor-cell.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { Member } from '../actor/actor-system.ts'
import { LEASES_ACTOR, SYSTEM_ACTOR } from '../actor/system-names.ts'
import { ActorNotFoundError, describe, PulsingBusinessError } from '../base/errors.ts'
import { VERSION } from '../base/version.ts'
import { nameUri } from '../message/address.ts'
import type { Cluster } from './cluster.ts'

/** Characters of an actor's id that are told: enough to tell actors apart, too few to send to one. */
export const SHOWN_ID_LENGTH = 8
/** Actors in one list, unless fewer are asked for. */
export const MAX_LISTED_ACTORS = 1000
/** Actors of the framework that have a name. */
const SYSTEM_NAMES: readonly string[] = [SYSTEM_ACTOR, LEASES_ACTOR]
/** Facts of one actor that are told, and characters of each. */
const MAX_FACTS = 16
const MAX_FACT_LENGTH = 200

export interface NodeHealth {
  readonly status: 'healthy'
  readonly actors: number
  readonly uptimeMs: number
}

export interface NodeInfo {
  readonly nodeId: string
  readonly kind: 'relay' | 'leaf'
  /** The bound address, of a node that listens. */
  readonly addr?: string
  /** Of the package. */
  readonly version: string
  readonly uptimeMs: number
  readonly features: readonly string[]
  /** Types of the classes that others may create actors of there. */
  readonly classes: readonly string[]
}

/** Counts since the node began, and of what is there now. Actors of the framework are not counted, their messages are. */
export interface NodeMetrics {
  readonly actors: number
  /** Messages handled. */
  readonly messages: number
  readonly created: number
  readonly stopped: number
  readonly restarted: number
  readonly deadLetters: number
  /** Asks that wait for their reply. */
  readonly asks: number
  readonly streams: number
  readonly members: number
  readonly uptimeMs: number
}

export interface ActorInfo {
  /** The first {@link SHOWN_ID_LENGTH} characters of its id. */
  readonly id: string
  readonly name?: string
  readonly isPublic: boolean
  /** Messages that wait. */
  readonly mailbox: number
  /** What it says of itself, see `Actor.metadata`. */
  readonly metadata: Readonly<Record<string, string>>
}

export class NodeReport {
  readonly #runtime: ActorRuntime
  readonly #cluster: Cluster
  readonly #wallMs: () => number

  /** @param wallMs milliseconds since 1970 */
  constructor(runtime: ActorRuntime, cluster: Cluster, wallMs: () => number = Date.now) {
    this.#runtime = runtime
    this.#cluster = cluster
    this.#wallMs = wallMs
  }

  /** `timestamp`: milliseconds since 1970, by that node's own clock. */
  ping(): { readonly nodeId: string; readonly timestamp: number } {
    return { nodeId: this.#runtime.nodeId, timestamp: this.#wallMs() }
  }

  health(): NodeHealth {
    const { actors } = this.#runtime.census()
    return { status: 'healthy', actors, uptimeMs: this.#runtime.uptimeMs }
  }

  info(): NodeInfo {
    const { nodeId, kind, addr, features, classes } = this.#cluster.topology.self
    const { uptimeMs } = this.#runtime
    return { nodeId, kind, ...(addr === undefined ? {} : { addr }), version: VERSION, uptimeMs, features, classes }
  }

  metrics(): NodeMetrics {
    const { actors, asks, streams } = this.#runtime.census()
    const { pending } = this.#cluster.peers
    return {
      actors,
      ...this.#runtime.counts,
      asks: asks + pending.asks,
      streams: streams + pending.streams,
      members: this.#cluster.members().length,
      uptimeMs: this.#runtime.uptimeMs,
    }
  }

  members(): readonly Member[] {
    return this.#cluster.members()
  }

  /**
   * Actors, oldest first: `limit` of them after the first `offset`. With `all`, also those of the framework and those
   * whose names begin with `_`.
   *
   * @throws PulsingBusinessError for options that are none
   */
  actors(options: unknown): ActorInfo[] {
    const { all, offset = 0, limit = MAX_LISTED_ACTORS } = fieldsOf(options)
    if (!isCount(offset) || !isCount(limit))
      throw new PulsingBusinessError(
        `expected offset and limit as integers, 0 or more, got ${describe(offset)} and ${describe(limit)}`,
      )
    const actors: ActorInfo[] = []
    const end = offset + Math.min(limit, MAX_LISTED_ACTORS)
    let position = 0
    for (const cell of this.#runtime.actors(all === true)) {
      if (all !== true && cell.name?.startsWith('_')) continue
      if (position >= end) break
      if (position++ >= offset) actors.push(this.describe(cell))
    }
    return actors
  }

  /**
   * The actor of a `name`, or of an `id` as it is told here, or in full; those of the framework are none.
   *
   * @throws ActorNotFoundError when there is none
   * @throws PulsingBusinessError for something that is neither
   */
  actor(query: unknown): ActorCell {
    const { name, id } = fieldsOf(query)
    const isId = typeof id === 'string' && id.length >= SHOWN_ID_LENGTH
    if (typeof name !== 'string' && !isId)
      throw new PulsingBusinessError(
        `expected { name } or { id } of an actor, the id of ${SHOWN_ID_LENGTH} characters or more, got ${describe(query)}`,
      )
    for (const cell of this.#runtime.actors(false))
      if (typeof name === 'string' ? cell.name === name : cell.id.startsWith(id as string)) return cell
    const wanted = typeof name === 'string' ? `named ${describe(name)}` : `with id ${describe(id)}`
    throw new ActorNotFoundError(`expected an actor of node ${this.#runtime.nodeId} ${wanted}, got none`, {
      ...(typeof name === 'string' ? { address: nameUri(name) } : {}),
    })
  }

  describe(cell: ActorCell): ActorInfo {
    const name = cell.name ?? SYSTEM_NAMES.find((each) => this.#runtime.byId(each) === cell)
    return {
      id: cell.id.slice(0, SHOWN_ID_LENGTH),
      ...(name === undefined ? {} : { name }),
      isPublic: this.#runtime.isPublic(cell),
      mailbox: cell.waiting,
      metadata: factsOf(cell),
    }
  }
}

/** What an actor says of itself, as far as it is text: others must not suffer from one whose `metadata` throws, or floods. */
function factsOf(cell: ActorCell): Record<string, string> {
  try {
    const facts = Object.entries(cell.metadata() ?? {}).filter(([, value]) => typeof value === 'string')
    return Object.fromEntries(
      facts
        .filter(([key]) => key !== '__proto__' && key.length <= MAX_FACT_LENGTH)
        .slice(0, MAX_FACTS)
        .map(([key, value]) => [key, value.slice(0, MAX_FACT_LENGTH)]),
    )
  } catch {
    return {}
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

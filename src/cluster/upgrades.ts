/**
 * Direct connections: two nodes that talk through others, and share a transport that can connect them directly, get a
 * link of their own. The signals travel through the cluster they already share; the old way stays, and takes over again
 * when the direct link ends.
 */

import { decodeCbor, encodeCbor, lower } from '../base/cbor.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { type PulsingError, toActorError } from '../base/errors.ts'
import type { Connection, Negotiation, Signaling, Transport } from '../link/connection.ts'
import type { Cluster, Upgrader } from './cluster.ts'

/** The time in which traffic to one node is counted, in milliseconds. */
export const UPGRADE_WINDOW_MS = 10_000
/** How long a failed attempt keeps the next one away, in milliseconds. */
export const UPGRADE_COOLDOWN_MS = 60_000
/** Nodes whose traffic is counted at a time; beyond that counting starts over. */
const MAX_COUNTED = 1024
/** Longest attempt, in milliseconds. */
export const UPGRADE_TIMEOUT_MS = 15_000

/** What upgrades need of the system. */
export interface UpgradeOwner {
  /** A direct connection is there: make it a link. */
  connected(connection: Connection, transport: string): void
  failed(nodeId: string, error: PulsingError): void
}

type Signal = readonly ['start', attempt: number] | readonly ['data', attempt: number, data: unknown]

interface Attempt {
  readonly id: number
  readonly isInitiator: boolean
  readonly controller: AbortController
  readonly timer: Timer
  readonly early: unknown[]
  listener: ((signal: unknown) => void) | undefined
}

interface Traffic {
  since: number
  messages: number
  bytes: number
  notBefore: number
}

export class Upgrades implements Upgrader {
  readonly #cluster: Cluster
  readonly #transport: Transport
  readonly #negotiation: Negotiation
  readonly #clock: Clock
  readonly #owner: UpgradeOwner
  readonly #traffic = new Map<string, Traffic>()
  readonly #attempts = new Map<string, Attempt>()
  #lastAttempt = 0
  #isClosed = false

  constructor(cluster: Cluster, transport: Transport, negotiation: Negotiation, clock: Clock, owner: UpgradeOwner) {
    this.#cluster = cluster
    this.#transport = transport
    this.#negotiation = negotiation
    this.#clock = clock
    this.#owner = owner
  }

  sent(nodeId: string, bytes: number): void {
    if (!this.#isEligible(nodeId)) return
    const now = this.#clock.now()
    let traffic = this.#traffic.get(nodeId)
    if (!traffic && this.#traffic.size >= MAX_COUNTED) this.#traffic.clear()
    if (!traffic) this.#traffic.set(nodeId, (traffic = { since: now, messages: 0, bytes: 0, notBefore: 0 }))
    if (now - traffic.since > UPGRADE_WINDOW_MS) Object.assign(traffic, { since: now, messages: 0, bytes: 0 })
    traffic.messages++
    traffic.bytes += bytes
    const { messages, bytes: enoughBytes } = this.#negotiation.upgradeAfter
    if (
      (traffic.messages < messages && traffic.bytes < enoughBytes) ||
      now < traffic.notBefore ||
      this.#attempts.has(nodeId)
    )
      return
    // Never equal to an id of the other side's: what is left of an attempt that gave way is told from the one that goes on.
    const id = 2 * ++this.#lastAttempt + (this.#cluster.topology.self.nodeId < nodeId ? 0 : 1)
    this.#signal(nodeId, ['start', id])
    void this.#attempt(nodeId, id, true)
  }

  signalled(nodeId: string, payload: Uint8Array): void {
    const signal = readSignal(payload)
    if (!signal || !this.#isEligible(nodeId)) return
    const attempt = this.#attempts.get(nodeId)
    if (signal[0] === 'start') {
      // Both began at once: the lower node id's attempt goes on.
      if (attempt?.isInitiator && this.#cluster.topology.self.nodeId < nodeId) return
      attempt?.controller.abort()
      void this.#attempt(nodeId, signal[1], false)
      return
    }
    if (attempt?.id !== signal[1]) return
    if (attempt.listener) attempt.listener(signal[2])
    else attempt.early.push(signal[2])
  }

  /** Gives up all attempts. */
  close(): void {
    this.#isClosed = true
    for (const attempt of this.#attempts.values()) attempt.controller.abort()
  }

  #isEligible(nodeId: string): boolean {
    return (
      !this.#isClosed &&
      !this.#cluster.neighbours.link(nodeId) &&
      this.#cluster.topology.member(nodeId)?.features.includes(this.#negotiation.feature) === true
    )
  }

  async #attempt(nodeId: string, id: number, isInitiator: boolean): Promise<void> {
    const controller = new AbortController()
    const attempt: Attempt = {
      id,
      isInitiator,
      controller,
      timer: this.#clock.setTimer(() => controller.abort(), UPGRADE_TIMEOUT_MS),
      early: [],
      listener: undefined,
    }
    this.#attempts.set(nodeId, attempt)
    const signaling: Signaling = {
      send: (data) => this.#signal(nodeId, ['data', id, data]),
      onSignal: (listener) => {
        attempt.listener = listener
        for (const signal of attempt.early.splice(0)) listener(signal)
      },
    }
    try {
      const connection = await this.#negotiation.connect(signaling, { isInitiator, signal: controller.signal })
      // The new link takes over in a moment; what is sent until then must not ask for another one.
      this.#traffic.set(nodeId, { since: 0, messages: 0, bytes: 0, notBefore: this.#clock.now() + UPGRADE_COOLDOWN_MS })
      if (this.#isClosed) connection.abort()
      else this.#owner.connected(connection, this.#transport.name)
    } catch (error) {
      const traffic = this.#traffic.get(nodeId)
      if (traffic && this.#attempts.get(nodeId) === attempt) traffic.notBefore = this.#clock.now() + UPGRADE_COOLDOWN_MS
      if (!controller.signal.aborted) this.#owner.failed(nodeId, toActorError(error))
    } finally {
      attempt.timer.cancel()
      if (this.#attempts.get(nodeId) === attempt) this.#attempts.delete(nodeId)
    }
  }

  #signal(nodeId: string, signal: Signal): void {
    this.#cluster.peers.associate(nodeId).signal(encodeCbor(lower(signal)))
  }
}

function readSignal(payload: Uint8Array): Signal | undefined {
  try {
    const value = decodeCbor(payload)
    if (!Array.isArray(value) || !Number.isSafeInteger(value[1])) return undefined
    return value[0] === 'start' || value[0] === 'data' ? (value as unknown as Signal) : undefined
  } catch {
    // Not a signal of ours: the negotiation goes on, or times out, without it.
    return undefined
  }
}

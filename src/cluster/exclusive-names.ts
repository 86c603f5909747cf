/**
 * The exclusive names of this node: asks the cluster's authority for them, and keeps each for as long as its actor lives.
 * A thin shell around `LeaseHold`, which decides when to renew and when to let go. One that cannot be kept ends its actor
 * before the authority gives the name to another.
 */
import type { ActorRef } from '../actor/actor-ref.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import type { Lease, LeaseSource } from '../actor/exclusivity.ts'
import { ACQUIRE_LEASE_TYPE, LEASES_ACTOR, RELEASE_LEASE_TYPE, RENEW_LEASE_TYPE } from '../actor/system-names.ts'
import type { Timer } from '../base/clock.ts'
import {
  ActorAlreadyExistsError,
  ActorNotFoundError,
  ConfigError,
  describe,
  type PulsingError,
  toActorError,
  UnreachableError,
} from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { nameUri } from '../message/address.ts'
import { Message } from '../message/message.ts'
import { LeaseHold } from './lease-hold.ts'
import type { Acquired, Claim, HeldClaim, Renewed } from './lease-table.ts'
import type { NodeRecord, Topology } from './topology.ts'

/** How long a spawn waits for an authority to appear, and for each of its answers, in milliseconds. */
export const AUTHORITY_TIMEOUT_MS = 5_000
/** How long a node that shuts down waits until the authority knows that its names are free, in milliseconds. */
export const RELEASE_TIMEOUT_MS = 1_000

/** Where authorities are looked for. */
export interface Authorities {
  /** Those among the members now. */
  now(): readonly ActorRef[]
  /** Settles when there is one. @throws ActorNotFoundError when there is none in time */
  appear(timeoutMs: number, signal: AbortSignal): Promise<unknown>
}

/** Members that say they grant names: where there are relays, these alone, so that no leaf can keep all others from it. */
export function grantersAmong(topology: Topology): NodeRecord[] {
  const members = [...topology.members()]
  const relays = members.filter((record) =>
    record === topology.self ? record.kind === 'relay' : topology.isRelay(record.nodeId),
  )
  return (relays.length > 0 ? relays : members).filter(({ names }) => names.has(LEASES_ACTOR))
}

export class ExclusiveNames implements LeaseSource {
  readonly runtime: ActorRuntime
  readonly authorities: Authorities
  readonly #held = new Set<HeldName>()
  readonly #releases = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(runtime: ActorRuntime, authorities: Authorities) {
    this.runtime = runtime
    this.authorities = authorities
  }

  /**
   * Gets a name, waiting for an authority that is new to grant any.
   *
   * @throws ActorAlreadyExistsError when an actor has it
   * @throws UnreachableError when there is no authority, or it does not answer
   * @throws ConfigError when there are several
   * @throws ActorStoppedError when this node is shut down
   */
  async acquire(name: string): Promise<Lease> {
    const { clock } = this.runtime
    const claim: Claim = { name, holder: newId(), nodeId: this.runtime.nodeId }
    for (;;) {
      const authority = await this.#authority(name)
      const sentAt = clock.now()
      const acquired = await this.#ask<Acquired>(authority, claim)
      switch (acquired.outcome) {
        case 'granted': {
          const hold = new LeaseHold(acquired, sentAt)
          // An answer that took that long is asked for again.
          if (hold.isOver(clock.now())) continue
          const held = new HeldName(this, claim, hold, authority.nodeId)
          this.#held.add(held)
          return held
        }
        case 'held':
          throw new ActorAlreadyExistsError(
            `expected a free exclusive name, got ${describe(name)}, which an actor of node ${acquired.nodeId} has`,
            { address: nameUri(name) },
          )
        default:
          await this.#pause(acquired.waitMs)
      }
    }
  }

  /** @internal an actor has ended: its name is free */
  release(held: HeldName, claim: Claim): void {
    this.#held.delete(held)
    for (const authority of this.authorities.now()) {
      const released: Promise<void> = authority
        .ask(Message.fromObject(RELEASE_LEASE_TYPE, claim), { timeout: RELEASE_TIMEOUT_MS })
        // Nobody hears of it: the name is free when the lease is over.
        .then(undefined, () => undefined)
        .then(() => void this.#releases.delete(released))
      this.#releases.add(released)
    }
  }

  /** What waits for a name fails; settles when the names of actors that have ended are free, or in a second. */
  async close(error: PulsingError): Promise<void> {
    this.#closing.abort(error)
    await Promise.all(this.#releases)
    for (const held of this.#held) held.end()
  }

  async #authority(name: string): Promise<ActorRef> {
    const { signal } = this.#closing
    signal.throwIfAborted()
    if (this.authorities.now().length === 0) {
      try {
        await this.authorities.appear(AUTHORITY_TIMEOUT_MS, signal)
      } catch (cause) {
        if (!(cause instanceof ActorNotFoundError)) throw cause
      }
    }
    const [authority, other] = this.authorities.now()
    if (!authority)
      throw new UnreachableError(
        `expected an authority for exclusive names within ${AUTHORITY_TIMEOUT_MS} ms, got none that can be reached: start one relay of the cluster with { authority: true }`,
        { outcome: 'not-sent', address: nameUri(name) },
      )
    if (other)
      throw new ConfigError(
        `expected one authority for exclusive names in the cluster, got several, on nodes ${authority.nodeId} and ${other.nodeId}: start one relay only with { authority: true }`,
        { address: nameUri(name) },
      )
    return authority
  }

  async #ask<R>(authority: ActorRef, claim: Claim): Promise<R> {
    const { signal } = this.#closing
    try {
      const reply = await authority.ask(Message.fromObject(ACQUIRE_LEASE_TYPE, claim), {
        timeout: AUTHORITY_TIMEOUT_MS,
        signal,
      })
      return reply.toObject<R>()
    } catch (thrown) {
      signal.throwIfAborted()
      const cause = toActorError(thrown)
      throw new UnreachableError(
        `expected the authority for exclusive names, node ${authority.nodeId}, to answer, got ${cause.message}`,
        { outcome: 'not-sent', address: nameUri(claim.name), cause },
      )
    }
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#closing
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        timer.cancel()
        reject(signal.reason)
      }
      const timer = this.runtime.clock.setTimer(() => {
        signal.removeEventListener('abort', abort)
        resolve()
      }, ms)
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort)
    })
  }
}

/** One name this node has, until its actor has ended. */
class HeldName implements Lease {
  readonly #names: ExclusiveNames
  readonly #claim: HeldClaim
  readonly #hold: LeaseHold
  /** The node that granted it last. */
  #granter: string
  #timer: Timer | undefined
  #tries = 0
  #isOver = false
  #isReleased = false

  constructor(names: ExclusiveNames, claim: Claim, hold: LeaseHold, granter: string) {
    this.#names = names
    this.#claim = { ...claim, token: hold.token }
    this.#hold = hold
    this.#granter = granter
    this.#arm()
  }

  get token(): number {
    return this.#hold.token
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.end()
    this.#names.release(this, this.#claim)
  }

  /** Renews it no more. */
  end(): void {
    this.#isOver = true
    this.#timer?.cancel()
  }

  #arm(): void {
    const { clock } = this.#names.runtime
    this.#timer?.cancel()
    this.#timer = clock.setTimer(() => this.#act(), Math.max(0, this.#hold.actsAt - clock.now()))
    this.#timer.hold(false)
  }

  #act(): void {
    const now = this.#names.runtime.clock.now()
    if (this.#hold.isOver(now)) {
      this.#lose('the authority could not be reached in time to renew its lease')
      return
    }
    // A timer may come early.
    if (now >= this.#hold.actsAt) {
      this.#hold.tried(now)
      void this.#renew(now)
    }
    this.#arm()
  }

  async #renew(sentAt: number): Promise<void> {
    const authority = this.#nextAuthority()
    if (!authority) return
    const { clock } = this.#names.runtime
    let renewed: Renewed
    try {
      const request = Message.fromObject(RENEW_LEASE_TYPE, this.#claim)
      const reply = await authority.ask(request, { timeout: Math.max(1, this.#hold.endsAt - sentAt) })
      renewed = reply.toObject<Renewed>()
    } catch {
      // It is tried again until the hold is over.
      return
    }
    if (this.#isOver) return
    if (renewed.outcome === 'granted') {
      this.#granter = authority.nodeId
      this.#tries = 0
      this.#hold.renewed(renewed, sentAt, clock.now())
      this.#arm()
    } else if (authority.nodeId === this.#granter || this.#names.authorities.now().length === 1)
      this.#lose('the authority has ended its lease')
  }

  /** The one that granted it; where it is gone, or does not answer, one that may have taken its place. */
  #nextAuthority(): ActorRef | undefined {
    const authorities = [...this.#names.authorities.now()]
    const granter = authorities.findIndex(({ nodeId }) => nodeId === this.#granter)
    if (granter > 0) authorities.unshift(...authorities.splice(granter, 1))
    return authorities[this.#tries++ % authorities.length]
  }

  #lose(why: string): void {
    if (this.#isOver) return
    this.end()
    const { runtime } = this.#names
    const { name, token } = this.#claim
    runtime.warn('exclusive-lost', `the actor with the exclusive name ${describe(name)} was stopped: ${why}`)
    const cell = runtime.byName(name)
    if (cell?.fencingToken === token) void cell.abort('killed')
  }
}

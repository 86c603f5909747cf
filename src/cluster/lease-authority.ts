/**
 * The actor that grants exclusive names, `system/leases`, on the one node of a cluster that is configured to: a thin
 * shell around `LeaseTable`, which decides. Members find it by its public name, which no actor of theirs can have.
 */
import type { ActorLike } from '../actor/actor.ts'
import { ACQUIRE_LEASE_TYPE, RELEASE_LEASE_TYPE, RENEW_LEASE_TYPE } from '../actor/system-names.ts'
import type { Clock } from '../base/clock.ts'
import { describe, PulsingUnsupportedError } from '../base/errors.ts'
import { isId } from '../base/ids.ts'
import { nameProblem } from '../message/address.ts'
import type { Message } from '../message/message.ts'
import type { HeldClaim } from './lease-table.ts'
import { LeaseTable } from './lease-table.ts'

export class LeaseAuthority implements ActorLike {
  readonly #clock: Clock
  readonly #wallMs: () => number
  readonly #table: LeaseTable

  /** @param wallMs milliseconds since 1970: tokens follow it, so that those of the next authority are higher */
  constructor(clock: Clock, leaseMs: number, wallMs: () => number = Date.now) {
    this.#clock = clock
    this.#wallMs = wallMs
    this.#table = new LeaseTable(leaseMs, clock.now())
  }

  receive(msg: Message): unknown {
    const now = this.#clock.now()
    switch (msg.isStream ? undefined : msg.msgType) {
      case ACQUIRE_LEASE_TYPE:
        return this.#table.acquire(claimOf(msg), now, this.#wallMs())
      case RENEW_LEASE_TYPE:
        return this.#table.renew(claimOf(msg), now)
      case RELEASE_LEASE_TYPE: {
        const { name, holder } = claimOf(msg)
        this.#table.release(name, holder)
        return undefined
      }
      default:
        throw new PulsingUnsupportedError(
          `expected a request of type ${ACQUIRE_LEASE_TYPE}, ${RENEW_LEASE_TYPE} or ${RELEASE_LEASE_TYPE}, got ${describe(msg.msgType)}`,
        )
    }
  }
}

/** What another node wrote. @throws PulsingUnsupportedError naming what is not as it must be */
function claimOf(msg: Message): HeldClaim {
  const value: unknown = msg.toObject()
  const { name, holder, nodeId, token = 0 } = (value ?? {}) as Readonly<Record<string, unknown>>
  const problem = nameProblem(name)
  if (problem) throw new PulsingUnsupportedError(problem)
  if (!isId(holder) || !isId(nodeId))
    throw new PulsingUnsupportedError(
      `expected the ids of a holder and its node, got ${describe(holder)} and ${describe(nodeId)}`,
    )
  if (!Number.isSafeInteger(token)) throw new PulsingUnsupportedError(`expected a token, got ${describe(token)}`)
  return { name: name as string, holder, nodeId, token: token as number }
}

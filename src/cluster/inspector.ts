/**
 * Answers what is asked about a node, or passes it on to the member it is about: between the system actor, the rights,
 * and the report. Loaded when a node is first asked: in browsers it is a chunk of its own.
 */
import type { MessageContext } from '../actor/actor-context.ts'
import type { ActorRuntime } from '../actor/actor-runtime.ts'
import { isPassable, ON_TYPE, READ, STOP_TYPE, SYSTEM_ACTOR } from '../actor/system-names.ts'
import { describe, PulsingBusinessError, PulsingUnsupportedError, UnreachableError } from '../base/errors.ts'
import { Message } from '../message/message.ts'
import type { Cluster } from './cluster.ts'
import { InspectionRights } from './inspection-rights.ts'
import type { InspectionLimits } from './inspection-rule.ts'
import { NodeReport } from './node-report.ts'

/** The value of a request for another member. */
interface PassedOn {
  readonly on?: unknown
  readonly type?: unknown
  readonly value?: unknown
}

export class Inspector {
  readonly #nodeId: string
  readonly #cluster: Cluster
  readonly #rights: InspectionRights
  readonly #report: NodeReport

  /** @param hasAuth whether the node lets in only those that show it who they are */
  constructor(runtime: ActorRuntime, cluster: Cluster, limits: InspectionLimits, hasAuth: boolean) {
    this.#nodeId = runtime.nodeId
    this.#cluster = cluster
    this.#rights = new InspectionRights(cluster, limits, hasAuth)
    this.#report = new NodeReport(runtime, cluster)
  }

  /**
   * @throws PermissionDeniedError when the asking node may not
   * @throws ActorNotFoundError, UnreachableError when what it is about is not there
   * @throws PulsingBusinessError for a request that makes no sense
   */
  answer(msg: Message, ctx: MessageContext): unknown {
    if (!ctx.envelope?.isAsk)
      throw new PulsingUnsupportedError(`expected ${describe(msg.msgType)} as an ask, got a tell`)
    const value: unknown = msg.toObject()
    return msg.msgType === ON_TYPE ? this.#passOn(value, ctx) : this.#read(msg.msgType, value, ctx.envelope.origin)
  }

  #read(type: string, value: unknown, origin: string | undefined): unknown {
    this.#check(type, origin)
    switch (type) {
      case READ.ping:
        return this.#report.ping()
      case READ.health:
        return this.#report.health()
      case READ.info:
        return this.#report.info()
      case READ.metrics:
        return this.#report.metrics()
      case READ.members:
        return this.#report.members()
      case READ.actors:
        return this.#report.actors(value)
      case READ.actor:
        return this.#report.describe(this.#report.actor(value))
      default:
        return this.#stop(value)
    }
  }

  #check(type: string, origin: string | undefined): void {
    if (type === STOP_TYPE) this.#rights.checkStopping(origin)
    else this.#rights.checkReading(origin)
  }

  async #stop(value: unknown): Promise<unknown> {
    const cell = this.#report.actor(value)
    const stopped = this.#report.describe(cell)
    await cell.stop('killed')
    return stopped
  }

  /** The other member is asked in this node's name: what the asking node may is decided here. */
  async #passOn(request: unknown, ctx: MessageContext): Promise<unknown> {
    const { on, type, value } = (request ?? {}) as PassedOn
    if (typeof on !== 'string' || typeof type !== 'string' || !isPassable(type))
      throw new PulsingBusinessError(
        `expected { on: a node's id, type: one of ${[...Object.values(READ), STOP_TYPE].join(', ')}, value }, got ${describe(on)} and ${describe(type)}`,
      )
    const origin = ctx.envelope?.origin
    if (on === this.#nodeId) return this.#read(type, value, origin)
    this.#check(type, origin)
    if (!this.#cluster.topology.member(on))
      throw new UnreachableError(`expected a member to ask, got ${describe(on)}, which is none`, {
        outcome: 'not-sent',
        address: `actor://${on}`,
      })
    const core = this.#cluster.peers.refTo(on, SYSTEM_ACTOR, SYSTEM_ACTOR)
    const reply = await ctx.ask(core, Message.fromObject(type, value))
    return reply.toObject()
  }
}

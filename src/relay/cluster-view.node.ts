/**
 * A whole cluster as one of its relays sees it: what every member answers, and which did not. Asks all members at once,
 * so that one that is silent costs the time of one.
 */
import type { Member } from '../actor/actor-system.ts'
import { READ } from '../actor/system-names.ts'
import type { ActorInfo, NodeInfo, NodeMetrics } from '../cluster/node-report.ts'
import { MAX_LISTED_ACTORS } from '../cluster/node-report.ts'
import type { Observer } from './observer.node.ts'

/** An actor, and where it is. */
export interface ListedActor extends ActorInfo {
  readonly nodeId: string
}

/** A member, and what it says of itself; nothing where it did not answer. */
export type MemberView = Pick<Member, 'nodeId' | 'kind' | 'status' | 'addr'> &
  Partial<Pick<NodeInfo, 'version' | 'uptimeMs' | 'classes'>>

export interface NodeMetricsView extends NodeMetrics {
  readonly nodeId: string
}

/** What members answered, and why others did not. */
export interface View<T> {
  readonly rows: readonly T[]
  readonly failures: readonly { readonly nodeId: string; readonly error: Error }[]
}

export class ClusterView {
  readonly #observer: Observer

  constructor(observer: Observer) {
    this.#observer = observer
  }

  async members(): Promise<readonly Member[]> {
    return (await this.#observer.ask(READ.members)) as readonly Member[]
  }

  async cluster(): Promise<View<MemberView>> {
    const members = await this.members()
    const { rows, failures } = await this.#each(members, async ({ nodeId, kind, status, addr }) => {
      const { version, uptimeMs, classes } = (await this.#observer.askOn(nodeId, READ.info)) as NodeInfo
      return { nodeId, kind, status, ...(addr === undefined ? {} : { addr }), version, uptimeMs, classes }
    })
    const known = new Map<string, MemberView>(rows.map((row) => [row.nodeId, row]))
    return { rows: members.map((member) => known.get(member.nodeId) ?? withoutSelf(member)), failures }
  }

  async metrics(): Promise<View<NodeMetricsView>> {
    return this.#each(await this.members(), async ({ nodeId }) => {
      return { nodeId, ...((await this.#observer.askOn(nodeId, READ.metrics)) as NodeMetrics) }
    })
  }

  /** @param all also those of the framework, and those whose names begin with `_` */
  async actors(all: boolean): Promise<View<ListedActor>> {
    const { rows, failures } = await this.#each(await this.members(), ({ nodeId }) => this.actorsOf(nodeId, all))
    return { rows: rows.flat(), failures }
  }

  /** All actors of one member. @throws what the member answers */
  async actorsOf(nodeId: string, all: boolean): Promise<ListedActor[]> {
    const actors: ListedActor[] = []
    for (;;) {
      const request = { all, offset: actors.length, limit: MAX_LISTED_ACTORS }
      const some = (await this.#observer.askOn(nodeId, READ.actors, request)) as readonly ActorInfo[]
      for (const actor of some) actors.push({ nodeId, ...actor })
      if (some.length < MAX_LISTED_ACTORS) return actors
    }
  }

  /** The member whose id is, or begins with, `text`; undefined for none, and for several. */
  async member(text: string): Promise<Member | undefined> {
    const found = (await this.members()).filter(({ nodeId }) => nodeId.startsWith(text))
    return found.length === 1 ? found[0] : undefined
  }

  /** Rejects only when nobody answered. */
  async #each<T>(members: readonly Member[], ask: (member: Member) => Promise<T>): Promise<View<T>> {
    const rows: T[] = []
    const failures: { nodeId: string; error: Error }[] = []
    const outcomes = await Promise.allSettled(members.map(ask))
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') rows.push(outcome.value)
      else failures.push({ nodeId: members[i]!.nodeId, error: outcome.reason as Error })
    }
    if (rows.length === 0 && failures.length > 0) throw failures[0]!.error
    return { rows, failures }
  }
}

function withoutSelf({ nodeId, kind, status, addr }: Member): MemberView {
  return { nodeId, kind, status, ...(addr === undefined ? {} : { addr }) }
}

// The longest way there is: a worker, its page, a relay, another relay, and a leaf of that one. Each knows the way to the
// next one only, but for the page, which has the second relay as its other seed. All wait for who is away as any node does.

import type { BrowserContext } from 'playwright/test'
import { NodeProcess } from './node-process.ts'
import { RelayCluster } from './relay-cluster.ts'
import { Tab, type WorkerLab } from './tab.ts'

/** A relay, by its node and its address. */
export interface RelayPlace {
  readonly nodeId: string
  readonly url: string
}

export class Chain {
  readonly worker: WorkerLab
  readonly page: Tab
  /** That of the page. */
  readonly near: RelayPlace
  /** That of the leaf. */
  readonly far: RelayPlace
  readonly leaf: NodeProcess
  readonly #relays: RelayCluster
  readonly #openTab: (seeds: readonly string[]) => Promise<Tab>

  private constructor(
    nodes: Pick<Chain, 'worker' | 'page' | 'near' | 'far' | 'leaf'>,
    relays: RelayCluster,
    openTab: (seeds: readonly string[]) => Promise<Tab>,
  ) {
    this.worker = nodes.worker
    this.page = nodes.page
    this.near = nodes.near
    this.far = nodes.far
    this.leaf = nodes.leaf
    this.#relays = relays
    this.#openTab = openTab
  }

  /** Settles when both ends know all five. */
  static async start(context: BrowserContext, origin: string): Promise<Chain> {
    const relays = await RelayCluster.start(2, origin)
    const [nearUrl = '', farUrl = ''] = relays.urls
    const openTab = (seeds: readonly string[]): Promise<Tab> => Tab.open(context, origin, { seeds, isPatient: true })
    const page = await openTab([nearUrl, farUrl])
    const worker = await page.startWorker()
    const leaf = await NodeProcess.join(farUrl, { isPatient: true })
    for (const end of [worker, leaf]) await end.run((lab) => lab.untilMembers(5))
    const placeOf = async (url: string): Promise<RelayPlace> => ({
      url,
      nodeId: await leaf.run(({ system }, url) => system.members().find(({ addr }) => addr === url)!.nodeId, url),
    })
    const nodes = { worker, page, near: await placeOf(nearUrl), far: await placeOf(farUrl), leaf }
    return new Chain(nodes, relays, openTab)
  }

  /** Opens a tab at the leaf's relay. */
  openTab(): Promise<Tab> {
    return this.#openTab([this.far.url])
  }

  /** Kills the page's relay as a crash would. */
  killNear(): Promise<void> {
    return this.#relays.kill(this.near.url)
  }

  /** Ends what is no page; none of it may have ended by itself. */
  async close(): Promise<void> {
    await this.leaf.close()
    await this.#relays.close()
  }
}

// What every story has: a site, a relay, a Node.js peer where asked for, and tabs. All of it ends with the test, and none
// of it may have failed on the way.

import { test as base, expect } from 'playwright/test'
import type { StartOptions } from '../pages/lab.mjs'
import { NodeProcess } from './node-process.ts'
import { RelayProcess } from './relay-process.ts'
import { StaticSite } from './static-site.ts'
import { Tab } from './tab.ts'

interface Cast {
  relay: RelayProcess
  /** A Node.js process that joined through the relay. */
  node: NodeProcess
  /** Opens a tab that joined through the relay, unless told otherwise. */
  openTab: (options?: StartOptions) => Promise<Tab>
}

export const test = base.extend<Cast, { site: StaticSite }>({
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from the pattern
    async ({}, use) => {
      const site = await StaticSite.start()
      await use(site)
      await site.close()
    },
    { scope: 'worker' },
  ],

  relay: async ({ site }, use) => {
    const relay = await RelayProcess.start(site.origin)
    await use(relay)
    await relay.close()
  },

  node: async ({ relay }, use) => {
    const node = await NodeProcess.join(relay.url)
    await use(node)
    await node.close()
  },

  openTab: async ({ relay, site, context }, use) => {
    const tabs: Tab[] = []
    await use(async (options) => {
      const tab = await Tab.open(context, site.origin, { seeds: [relay.url], ...options })
      tabs.push(tab)
      return tab
    })
    expect(tabs.flatMap(({ problems }) => problems)).toEqual([])
  },
})

export { expect }

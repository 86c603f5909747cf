// A tab whose node has the limits every node has. Those of other stories wait no more than a second for whoever is away;
// here nothing may happen because time is up.

import type { BrowserContext, JSHandle, Page } from 'playwright/test'
import type { Lab } from '../pages/lab.mjs'
import type { Participant } from './participant.ts'

/** What it notes of a member, as it happens. */
export interface MemberNews {
  readonly name: 'memberJoined' | 'memberUpdated' | 'memberLeft'
  readonly nodeId: string
  readonly status: string
}

export class PatientTab implements Participant {
  readonly page: Page
  readonly nodeId: string
  readonly #lab: JSHandle<Lab>

  private constructor(page: Page, lab: JSHandle<Lab>, nodeId: string) {
    this.page = page
    this.#lab = lab
    this.nodeId = nodeId
  }

  /** Opens a tab that takes the first of these relays which lets it in. */
  static async open(context: BrowserContext, origin: string, seeds: readonly string[]): Promise<PatientTab> {
    const page = await context.newPage()
    await page.goto(`${origin}/lab.html`)
    const lab = await page.evaluateHandle(() => globalThis.lab)
    const nodeId = await lab.evaluate(async (lab, seeds) => {
      const { createActorSystem, SystemConfig } = lab.pulsing
      const silent = () => undefined
      const logger = { debug: silent, info: silent, warn: silent, error: silent }
      const system = await createActorSystem(SystemConfig.withSeeds(seeds).withLogger(logger))
      for (const name of ['memberJoined', 'memberUpdated', 'memberLeft'] as const)
        system.on(name, ({ member: { nodeId, status } }) => lab.note({ name, nodeId, status }))
      system.on('linkOpened', ({ nodeId }) => lab.note({ name: 'linkOpened', nodeId }))
      Object.defineProperty(lab, 'system', { value: system })
      return system.nodeId
    }, seeds)
    return new PatientTab(page, lab, nodeId)
  }

  run<R, A>(story: (lab: Lab, arg: A) => R | Promise<R>, arg?: A): Promise<R> {
    return this.#lab.evaluate(story as (lab: Lab, arg: unknown) => R | Promise<R>, arg)
  }

  /** What it was told of a member so far. */
  async newsOf(nodeId: string): Promise<MemberNews[]> {
    const news = (await this.run((lab) => lab.notes)) as MemberNews[]
    return news.filter((item) => item.nodeId === nodeId)
  }

  /** Settles once it sees a member with that status. */
  sees(nodeId: string, status: string): Promise<void> {
    return this.run(
      (lab, { nodeId, status }) =>
        lab.until(() => lab.system.members().some((member) => member.nodeId === nodeId && member.status === status)),
      { nodeId, status },
    )
  }

  /** Settles once it sees so many members that can be reached. */
  seesOnline(count: number): Promise<void> {
    return this.run(
      (lab, count) =>
        lab.until(() => lab.system.members().filter(({ status }) => status === 'online').length === count),
      count,
    )
  }

  /** Does to the page what a browser does when nobody sees it any more, or somebody does again. */
  async show(visibilityState: 'visible' | 'hidden'): Promise<void> {
    await this.page.evaluate((visibilityState) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => visibilityState })
      document.dispatchEvent(new Event('visibilitychange'))
    }, visibilityState)
  }
}

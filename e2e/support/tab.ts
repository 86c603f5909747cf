// A browser tab with a lab in it, and the worker it may start.

import type { BrowserContext, JSHandle, Page } from 'playwright/test'
import type { Lab, StartOptions } from '../pages/lab.mjs'
import type { Participant } from './participant.ts'

type Story<A, R> = (lab: Lab, arg: A) => R | Promise<R>

/** A lab in a page or a worker. */
class RemoteLab {
  readonly #handle: JSHandle<Lab>

  constructor(handle: JSHandle<Lab>) {
    this.#handle = handle
  }

  run<R, A>(story: Story<A, R>, arg?: A): Promise<R> {
    return this.#handle.evaluate(story as Story<unknown, R>, arg)
  }
}

/** A worker as its tab's page started it. */
export class WorkerLab extends RemoteLab implements Participant {
  readonly nodeId: string

  constructor(handle: JSHandle<Lab>, nodeId: string) {
    super(handle)
    this.nodeId = nodeId
  }
}

export class Tab implements Participant {
  readonly page: Page
  /** Uncaught errors of the page, and violations of its Content-Security-Policy. */
  readonly problems: string[] = []
  nodeId = ''
  #lab: RemoteLab | undefined
  readonly #url: string

  private constructor(page: Page, origin: string) {
    this.page = page
    this.#url = `${origin}/lab.html`
    page.on('pageerror', (error) => this.problems.push(error.stack ?? error.message))
    page.on('console', (message) => {
      if (/Content.Security.Policy/i.test(message.text())) this.problems.push(message.text())
    })
  }

  /** Opens a tab and starts its node. */
  static async open(context: BrowserContext, origin: string, options: StartOptions): Promise<Tab> {
    const tab = new Tab(await context.newPage(), origin)
    await tab.page.goto(tab.#url)
    await tab.start(options)
    return tab
  }

  /** Starts the node of a page that was just loaded. */
  async start(options: StartOptions): Promise<void> {
    this.#lab = new RemoteLab(await this.page.evaluateHandle(() => globalThis.lab))
    this.nodeId = await this.run((lab, startOptions) => lab.start(startOptions), options)
  }

  run<R, A>(story: Story<A, R>, arg?: A): Promise<R> {
    if (!this.#lab) throw new Error('expected a tab whose node was started')
    return this.#lab.run(story, arg)
  }

  /** Starts a worker that is linked to this page's node. */
  async startWorker(): Promise<WorkerLab> {
    const started = this.page.waitForEvent('worker')
    const nodeId = await this.run((lab) => lab.startWorker())
    const worker = await started
    return new WorkerLab(await worker.evaluateHandle(() => globalThis.lab), nodeId)
  }

  /** Bytes of heap and buffers in use after a garbage collection. */
  async heldBytes(): Promise<number> {
    const session = await this.page.context().newCDPSession(this.page)
    await session.send('HeapProfiler.collectGarbage')
    const usage: { usedSize: number; backingStorageSize?: number } = await session.send('Runtime.getHeapUsage')
    await session.detach()
    return usage.usedSize + (usage.backingStorageSize ?? 0)
  }

  /** Ends the tab's process as a crash would. */
  async crash(): Promise<void> {
    const crashed = this.page.waitForEvent('crash')
    const session = await this.page.context().newCDPSession(this.page)
    void session.send('Page.crash').catch(() => undefined)
    await crashed
  }
}

// Several real relays, each in a process of its own: the built command. The later ones know the first only, and find each
// other through it.

import { Child } from './child.ts'

export class RelayCluster {
  readonly urls: readonly string[]
  readonly #children: readonly Child[]

  private constructor(children: readonly Child[], urls: readonly string[]) {
    this.#children = children
    this.urls = urls
  }

  /** @param origin of the pages that may connect */
  static async start(count: number, origin: string): Promise<RelayCluster> {
    const children: Child[] = []
    const urls: string[] = []
    for (let index = 0; index < count; index++) {
      const seeds = urls.slice(0, 1).flatMap((url) => ['--seed', url])
      const child = new Child('../../dist/node/cli.js', ['relay', '--port', '0', '--origin', origin, ...seeds])
      children.push(child)
      const [, url = ''] = await child.prints(/relay listening on (ws:\/\/\S+)/)
      urls.push(url)
    }
    return new RelayCluster(children, urls)
  }

  /** Kills the one at that address as a crash would. */
  async kill(url: string): Promise<void> {
    await this.#children[this.urls.indexOf(url)]?.end('SIGKILL')
  }

  /** Ends those that run; none may have ended by itself. */
  async close(): Promise<void> {
    for (const child of this.#children) child.expectAlive('a relay')
    for (const child of this.#children) if (child.isRunning) await child.end('SIGTERM')
  }
}

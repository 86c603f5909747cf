// The real relay: the built command in a process of its own, on a free port of this machine.

import { Child } from './child.ts'

export interface RelayReport {
  readonly rss: number
  /** Bytes of heap and buffers in use after a garbage collection. */
  readonly held: number
  /** Bytes it handed to the decoder of payloads. */
  readonly decodedBytes: number
}

export class RelayProcess {
  readonly url: string
  readonly #child: Child
  readonly #origin: string

  private constructor(child: Child, url: string, origin: string) {
    this.#child = child
    this.url = url
    this.#origin = origin
  }

  /** @param origin of the pages that may connect */
  static async start(origin: string, port = 0): Promise<RelayProcess> {
    const args = ['relay', '--port', String(port), '--origin', origin]
    const probe = new URL('./relay-probe.mjs', import.meta.url).href
    const child = new Child('../../dist/node/cli.js', args, ['--import', probe])
    const [, url = ''] = await child.prints(/relay listening on (ws:\/\/\S+)/)
    return new RelayProcess(child, url, origin)
  }

  async report(): Promise<RelayReport> {
    const answer = this.#child.answer()
    this.#child.send('report')
    return (await answer) as RelayReport
  }

  /** Kills it as a crash would. */
  async kill(): Promise<void> {
    await this.#child.end('SIGKILL')
  }

  /** Starts another relay at the same address. */
  startAgain(): Promise<RelayProcess> {
    return RelayProcess.start(this.#origin, Number(new URL(this.url).port))
  }

  /** Ends it as an operator would; it must end by itself, and cleanly. */
  async close(): Promise<void> {
    this.#child.expectAlive('the relay')
    if (!this.#child.isRunning) return
    const { code } = await this.#child.end('SIGTERM')
    if (code !== 0) throw new Error(`expected the relay to exit with 0, got ${code}:\n${this.#child.output}`)
  }
}

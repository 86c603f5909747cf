// A Node.js peer in a process of its own, with a lab in it.

import type { Lab, StartOptions } from '../pages/lab.mjs'
import { Child } from './child.ts'
import type { Participant } from './participant.ts'

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

export class NodeProcess implements Participant {
  nodeId = ''
  readonly #child = new Child('./node-lab.mjs')
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0

  private constructor() {
    this.#child.listen(
      (message) => {
        const { id, value, error } = message as Answer
        const waiting = this.#waiting.get(id)
        this.#waiting.delete(id)
        if (error === undefined) waiting?.resolve(value)
        else waiting?.reject(new Error(error))
      },
      () => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`the process ended:\n${this.#child.output}`))
      },
    )
  }

  static async join(seed: string, options: StartOptions = {}): Promise<NodeProcess> {
    const node = new NodeProcess()
    node.nodeId = await node.run((lab, options) => lab.start(options), { seeds: [seed], ...options })
    return node
  }

  run<R, A>(story: (lab: Lab, arg: A) => R | Promise<R>, arg?: A): Promise<R> {
    const id = ++this.#lastId
    return new Promise<R>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as R), reject })
      this.#child.send({ id, story: String(story), arg })
    })
  }

  /** Kills it as a crash would. */
  async kill(): Promise<void> {
    await this.#child.end('SIGKILL')
  }

  /** Ends what is left of it. */
  async close(): Promise<void> {
    this.#child.expectAlive('the Node.js peer')
    if (this.#child.isRunning) await this.#child.end('SIGTERM')
  }
}

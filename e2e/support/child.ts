// Child processes of the end-to-end tests: what they print, how they end, and that none of them is left behind.

import { type ChildProcess, fork, type Serializable } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export class Child {
  readonly #process: ChildProcess
  readonly #exited: Promise<unknown>
  #output = ''
  #isEndExpected = false
  readonly #onOutput = new Set<() => void>()

  /** @param file seen from this folder */
  constructor(file: string, args: readonly string[] = [], nodeArgs: readonly string[] = []) {
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
      execArgv: ['--expose-gc', ...nodeArgs],
      serialization: 'advanced',
      silent: true,
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    })
    this.#exited = once(this.#process, 'exit')
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
        for (const look of [...this.#onOutput]) look()
      })
    }
  }

  /** All it printed so far. */
  get output(): string {
    return this.#output
  }

  /** Settles with the first match of `pattern` in what it prints. */
  prints(pattern: RegExp): Promise<RegExpMatchArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = this.#output.match(pattern)
        if (!match) return
        this.#onOutput.delete(look)
        resolve(match)
      }
      this.#onOutput.add(look)
      look()
      void this.#exited.then(() =>
        reject(new Error(`expected output like ${pattern}, got an exit after:\n${this.#output}`)),
      )
    })
  }

  send(message: Serializable): void {
    this.#process.send(message)
  }

  /** Hears the messages it sends; settles `gone` when it ends. */
  listen(heard: (message: unknown) => void, gone: () => void): void {
    this.#process.on('message', heard)
    void this.#exited.then(gone)
  }

  /** Settles with the next message it sends. */
  async answer(): Promise<unknown> {
    const [message] = (await once(this.#process, 'message')) as [unknown]
    return message
  }

  /** Ends it with a signal; what it exited with. */
  async end(signal: NodeJS.Signals): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
    this.#isEndExpected = true
    this.#process.kill(signal)
    await this.#exited
    return { code: this.#process.exitCode, signal: this.#process.signalCode }
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** @throws Error when it ended by itself */
  expectAlive(what: string): void {
    if (this.isRunning || this.#isEndExpected) return
    throw new Error(
      `expected ${what} to run to the end of the test, got an exit with ${this.#process.exitCode}:\n${this.#output}`,
    )
  }
}

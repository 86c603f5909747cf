/** The demo's server as a child process, on a free port: what `npm start` runs after the build. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../../demo/server.mjs', import.meta.url))

export class DemoServer {
  /** Where the page is, with a slash at its end. */
  readonly url: string
  /** All it printed. */
  readonly output: () => string
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, url: string, output: () => string) {
    this.#process = process
    this.url = url
    this.output = output
  }

  /** Resolves when it has printed its URL. */
  static async start(port = '0'): Promise<DemoServer> {
    const server = spawn(process.execPath, [file], {
      env: { ...process.env, PORT: port, HOST: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const url = await new Promise<string>((resolve, reject) => {
      const heard = (text: Buffer): void => {
        output += text
        const [found] = /http:\/\/\S+/.exec(output) ?? []
        if (found) resolve(found)
      }
      server.stdout.on('data', heard)
      server.stderr.on('data', heard)
      server.once('exit', (code) => reject(new Error(`the demo's server ended with ${code}:\n${output}`)))
    })
    return new DemoServer(server, url, () => output)
  }

  /** Asks it to end; its exit code. */
  async stop(signal: 'SIGINT' | 'SIGTERM' = 'SIGTERM'): Promise<number | null> {
    if (this.#process.exitCode === null) {
      const exit = once(this.#process, 'exit')
      this.#process.kill(signal)
      await exit
    }
    return this.#process.exitCode
  }
}

/** Nodes in processes of their own, from the sources as they are, to be killed, stopped and continued. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { build, type Rolldown } from 'vite'

const root = fileURLToPath(new URL('../../', import.meta.url))

export class NodeProcess {
  static #code: Promise<string> | undefined
  static readonly #running = new Set<NodeProcess>()
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  #out = ''
  #heard: (() => void)[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
    child.stdout!.on('data', (data: Buffer) => {
      this.#out += data.toString()
      this.#wake()
    })
    this.ended = new Promise((resolve) => {
      child.once('close', () => {
        NodeProcess.#running.delete(this)
        this.#wake()
        resolve()
      })
    })
  }

  /** Node.js 20 runs no TypeScript: bundles the program, once. */
  static bundle(): Promise<string> {
    return (this.#code ??= bundle())
  }

  static relay(port: number): Promise<NodeProcess> {
    return this.#start(['relay', `${port}`])
  }

  static leaf(url: string, name: string): Promise<NodeProcess> {
    return this.#start(['leaf', url, name])
  }

  /** Ends all that still run. */
  static async stop(): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.kill()))
  }

  static async #start(args: readonly string[]): Promise<NodeProcess> {
    // The program comes through standard input, so that what it imports is looked for in this repository.
    const child = spawn(process.execPath, ['--input-type=module', '-', ...args], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const started = new NodeProcess(child)
    this.#running.add(started)
    child.stdin.end(await this.bundle())
    await started.printed(/ready .*\n/)
    return started
  }

  get nodeId(): string {
    return /ready (\S+)/.exec(this.#out)![1]!
  }
  get url(): string {
    return /ready \S+ (\S+)/.exec(this.#out)![1]!
  }

  /** Settles when it has printed that. */
  async printed(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#out)) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new RangeError(`expected ${pattern} from the process, got its end, and: ${this.#out}`)
      await new Promise<void>((resolve) => this.#heard.push(resolve))
    }
  }

  /** Ends it without a word. */
  kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    return this.ended
  }

  /** It does nothing any more, and its sockets stay open, until {@link resume}. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  #wake(): void {
    for (const hear of this.#heard.splice(0)) hear()
  }
}

async function bundle(): Promise<string> {
  const entry = (name: string): string => `${root}src/entry/${name}.ts`
  const result = (await build({
    configFile: false,
    root,
    logLevel: 'error',
    resolve: {
      alias: [
        { find: /^#cbor-x$/, replacement: 'cbor-x' },
        { find: /^pulsing$/, replacement: entry('index.node') },
        { find: /^pulsing\/node$/, replacement: entry('node') },
      ],
    },
    build: {
      ssr: fileURLToPath(new URL('./node-program.node.ts', import.meta.url)),
      write: false,
      target: 'es2022',
      rollupOptions: { output: { codeSplitting: false } },
    },
  })) as Rolldown.RolldownOutput
  return result.output[0].code
}

/** The `pulsing` command, built from the sources as they are into a folder of its own, and processes that run it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

export class Cli {
  readonly #folder = mkdtempSync(join(tmpdir(), 'pulsing-cli-'))
  readonly #running = new Set<Running>()

  /** Builds the command. The folder looks like the installed package as far as the command sees. */
  async build(): Promise<void> {
    cpSync(join(root, 'package.json'), join(this.#folder, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'))
    await build({
      configFile: join(root, 'vite.config.ts'),
      mode: 'node',
      logLevel: 'error',
      build: { outDir: join(this.#folder, 'dist/node') },
    })
  }

  /** Starts the command. */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const child = spawn(process.execPath, [join(this.#folder, 'dist/node/cli.js'), ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const running = new Running(child)
    this.#running.add(running)
    void running.ended.then(() => this.#running.delete(running))
    return running
  }

  /** Runs the command to its end. */
  run(...args: readonly string[]): Promise<Ended> {
    return this.start(args).ended
  }

  /** Kills what still runs. */
  async stop(): Promise<void> {
    const running = [...this.#running]
    for (const each of running) each.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export class Running {
  readonly ended: Promise<Ended>
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  #out = ''
  #err = ''
  #heard: (() => void)[] = []

  constructor(child: ChildProcessByStdio<null, Readable, Readable>) {
    this.#child = child
    child.stdout.on('data', (data: Buffer) => {
      this.#out += data.toString()
      for (const hear of this.#heard.splice(0)) hear()
    })
    child.stderr.on('data', (data: Buffer) => (this.#err += data.toString()))
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve({ code, signal, out: this.#out, err: this.#err })
        for (const hear of this.#heard.splice(0)) hear()
      })
    })
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** What it prints from now on finds nobody, as behind `| head -1`. */
  stopReading(): void {
    this.#child.stdout.destroy()
  }

  /** The first match in what the process printed; rejects when it ends without one. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#out)
      if (match) return match
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new RangeError(`expected ${pattern} from the process, got: ${this.#out}${this.#err}`)
      await new Promise<void>((resolve) => this.#heard.push(resolve))
    }
  }

  /** The address a relay says it listens on. */
  async url(): Promise<string> {
    return (await this.printed(/listening on (ws:\/\/\S+)/))[1]!
  }
}

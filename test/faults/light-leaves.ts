/** Hundreds of light leaves in a few processes of their own, and how long they take to be found again when their relay dies. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { ActorSystem } from 'pulsing'
import { build, type Rolldown } from 'vite'
import { away } from '../system/systems.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** Processes the leaves are spread over. */
const PROCESSES = Math.min(2, availableParallelism())

export class LightLeaves {
  static #code: Promise<string> | undefined
  static readonly #running = new Set<ChildProcess>()
  /** The public name of each. */
  readonly names: readonly string[]

  private constructor(count: number) {
    this.names = Array.from({ length: count }, (_, number) => `leaf ${number}`)
  }

  /** Node.js 20 runs no TypeScript: bundles the program, once. */
  static bundle(): Promise<string> {
    return (this.#code ??= bundle())
  }

  /** Settles when all of them are linked. @param urls relays, tried in this order */
  static async start(count: number, urls: readonly string[]): Promise<LightLeaves> {
    const code = await this.bundle()
    const share = Math.ceil(count / PROCESSES)
    const starts = Array.from({ length: PROCESSES }, (_, index) => index * share)
    await Promise.all(
      starts.map((first) => this.#start(code, [`${Math.min(share, count - first)}`, `${first}`, ...urls])),
    )
    return new LightLeaves(count)
  }

  /** Ends all of them without a word. */
  static async stop(): Promise<void> {
    const running = [...this.#running]
    const exits = running.map((child) => once(child, 'exit'))
    for (const child of running) child.kill('SIGKILL')
    await Promise.all(exits)
  }

  static async #start(code: string, args: readonly string[]): Promise<void> {
    // The program comes through standard input, so that what it imports is looked for in this repository.
    const child = spawn(process.execPath, ['--input-type=module', '-', ...args], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    child.stdin.end(code)
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve())
      child.once('exit', (status) => reject(new RangeError(`expected light leaves, got an exit with ${status}`)))
    })
  }
}

/** When names were found again, in milliseconds after a relay was killed, the soonest first. */
export interface Return {
  readonly foundAfterMs: readonly number[]
  /** The time within which 99 of 100 were. */
  readonly p99Ms: number
}

/**
 * Kills a relay all of these leaves are linked to, and waits until `watcher`, a leaf of the relay they go to, has found the
 * names of all again.
 */
export async function killed(
  leaves: LightLeaves,
  watcher: ActorSystem,
  relay: { readonly nodeId: string; kill(): void },
): Promise<Return> {
  const nameOf = new Map<string, string>()
  for (const name of leaves.names) nameOf.set((await watcher.resolve(name, { timeout: Infinity })).nodeId, name)
  const missing = new Set<string>()
  const foundAfterMs: number[] = []
  let looked!: () => void
  const looks: Promise<void>[] = []
  const look = async (nodeId: string): Promise<void> => {
    const found = await watcher.find(nameOf.get(nodeId)!)
    if (found?.nodeId !== nodeId || !missing.delete(nodeId)) return
    foundAfterMs.push(performance.now() - begin)
    looked()
  }
  const off = watcher.on('memberUpdated', ({ member: { nodeId, status } }) => {
    if (!nameOf.has(nodeId)) return
    if (status !== 'online') missing.add(nodeId)
    else looks.push(look(nodeId))
  })
  const isLost = away(watcher, relay.nodeId)
  const begin = performance.now()
  relay.kill()
  await isLost
  while (missing.size > 0) await new Promise<void>((resolve) => (looked = resolve))
  await Promise.all(looks)
  off()
  foundAfterMs.sort((a, b) => a - b)
  return { foundAfterMs, p99Ms: foundAfterMs[Math.ceil(0.99 * foundAfterMs.length) - 1] ?? 0 }
}

async function bundle(): Promise<string> {
  const result = (await build({
    configFile: false,
    root,
    logLevel: 'error',
    resolve: { alias: [{ find: /^#cbor-x$/, replacement: 'cbor-x' }] },
    build: { ssr: fileURLToPath(new URL('./light-leaves.node.ts', import.meta.url)), write: false, target: 'es2022' },
  })) as Rolldown.RolldownOutput
  return result.output[0].code
}

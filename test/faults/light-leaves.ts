/** Hundreds of light leaves in a few processes of their own, and how long they take to be found again when their relay dies. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { ActorSystem } from 'pulsing'
import { build, type Rolldown } from 'vite'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Cli } from '../system/built-cli.ts'
import { away, Systems } from '../system/systems.ts'

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

/**
 * How many leaves, and by when 99 of 100 of their names must be found again after their relay was killed. All of them and
 * their relays share this machine, and one on which they take long to come at first has as much less to return with:
 * there, what counts is {@link JOINS_WITHIN} times as long as that took.
 */
export interface Expectation {
  readonly count: number
  readonly withinMs: number
}

/** To return, a leaf misses its relay, tries it again and is let in by the other one; to join, it is let in. */
const JOINS_WITHIN = 3

/** A test of that, with all it needs, in a file of its own. */
export function testReturn(title: string, expectation: Expectation, options: { readonly timeout?: number } = {}): void {
  const systems = new Systems()
  const cli = new Cli()
  beforeAll(async () => {
    await Promise.all([cli.build(), LightLeaves.bundle()])
  }, 60_000)
  afterEach(async () => {
    await LightLeaves.stop()
    await systems.stop()
    await cli.stop()
  })
  afterAll(() => cli.dispose())
  test(title, options, () => expectReturn(expectation, cli, systems))
}

/** Kills the relay that most of so many leaves are linked to: all of them are found over another one before long. */
async function expectReturn({ count, withinMs }: Expectation, cli: Cli, systems: Systems): Promise<void> {
  const first = cli.start(['relay', '--port', '0'])
  const firstUrl = await first.url()
  const secondUrl = await cli.start(['relay', '--port', '0', '--seed', firstUrl]).url()
  const watcher = await systems.leaf(secondUrl)
  const { nodeId } = watcher.members().find(({ addr }) => addr === firstUrl)!
  const startedAt = performance.now()
  const { names } = await LightLeaves.start(count, [firstUrl, secondUrl])
  const joinedMs = performance.now() - startedAt
  const hosts = new Map<string, string>()
  for (const name of names) hosts.set((await watcher.resolve(name, { timeout: Infinity })).nodeId, name)
  expect(hosts.size).toBe(count)
  const foundAfterMs = await returns(hosts, watcher, { nodeId, kill: () => first.kill('SIGKILL') })
  const [median, p99, last] = [0.5, 0.99, 1].map((part) => foundAfterMs[Math.ceil(part * foundAfterMs.length) - 1]!)
  console.log(
    `${foundAfterMs.length} leaves of a killed relay, which took ${joinedMs.toFixed()} ms to come, found again: p50 ${median!.toFixed()} ms, p99 ${p99!.toFixed()} ms, last ${last!.toFixed()} ms`,
  )
  // A leaf may have been at the second relay before: one the first was too busy to let in.
  expect(foundAfterMs.length).toBeGreaterThan(count / 2)
  expect(p99).toBeLessThan(Math.max(withinMs, JOINS_WITHIN * joinedMs))
  for (const [host, name] of hosts) expect((await watcher.find(name))?.nodeId).toBe(host)
}

/**
 * When names that were lost with a relay were found again by `watcher`, in milliseconds after it was killed, the soonest
 * first. Settles when all of them are.
 *
 * @param nameOf the names, by node
 */
async function returns(
  nameOf: ReadonlyMap<string, string>,
  watcher: ActorSystem,
  relay: { readonly nodeId: string; kill(): void },
): Promise<readonly number[]> {
  const missing = new Set<string>()
  const foundAt = new Map<string, number>()
  let looked!: () => void
  const look = async (nodeId: string): Promise<void> => {
    const found = await watcher.find(nameOf.get(nodeId)!)
    if (found?.nodeId !== nodeId || !missing.delete(nodeId)) return
    foundAt.set(nodeId, performance.now())
    looked()
  }
  const off = watcher.on('memberUpdated', ({ member: { nodeId, status } }) => {
    if (!nameOf.has(nodeId)) return
    // What is lost again was not found.
    if (status === 'online') void look(nodeId)
    else missing.add(nodeId)
  })
  const isLost = away(watcher, relay.nodeId)
  const begin = performance.now()
  relay.kill()
  await isLost
  while (missing.size > 0) await new Promise<void>((resolve) => (looked = resolve))
  off()
  return Array.from(foundAt.values(), (at) => at - begin).sort((a, b) => a - b)
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

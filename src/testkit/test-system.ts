/**
 * A system for one test: time stands still until the test moves it, chance follows from a seed, and what the test leaves
 * behind is found when it ends.
 */
import type { ActorSystem } from '../actor/actor-system.ts'
import { asyncDispose } from '../base/disposal.ts'
import { ConfigError, describe } from '../base/errors.ts'
import { SystemConfig } from '../config.ts'
import { startSystem } from '../system.ts'
import { messagePort } from '../transport/message-port/message-port-transport.ts'
import { webSocket } from '../transport/websocket/websocket-transport.ts'
import type { LeakCheck, LeakKind } from './leak-check.ts'
import { leakCheck } from './leak-check.ts'
import { ManualClock } from './manual-clock.ts'
import type { SeededRandom } from './seeded-random.ts'
import { seededRandom } from './seeded-random.ts'
import { TestProbe } from './test-probe.ts'

/** The seed of a test system's chance unless told otherwise. */
export const DEFAULT_SEED = 1
/** How far {@link TestSystem.dispose} moves the clock at most, in milliseconds, for actors that take their time to stop. */
export const MAX_SHUTDOWN_MS = 600_000

/** What an actor that runs is expected to hold on to is no leak; the rest is. */
const KINDS_THAT_END: readonly LeakKind[] = ['asks', 'streams', 'listeners']

/** How a test system is made. */
export interface TestSystemOptions {
  /** Where chance begins. Default {@link DEFAULT_SEED}. */
  readonly seed?: number | string
  /** Its clock, to share one among several systems. Default: one of its own. */
  readonly clock?: ManualClock
  /** Everything else; its clock and its chance are replaced. Default: `SystemConfig.standalone()`. */
  readonly config?: SystemConfig
}

/** A system for one test, and what a test does with it. Made by {@link createTestSystem}. */
export interface TestSystem extends AsyncDisposable {
  /** The system, as `createActorSystem` makes them. */
  readonly system: ActorSystem
  /** Its time. */
  readonly clock: ManualClock
  /** Its chance. `random.seed` is what to print, `random.fork(label)` what to draw a test's own values from. */
  readonly random: SeededRandom
  /** What has come to stay since the system began; {@link dispose} verifies it in part. */
  readonly leaks: LeakCheck
  /** A {@link TestProbe}, anonymous or with a name, that ends with this system. */
  probe(name?: string): Promise<TestProbe>
  /**
   * Stops the probes, verifies that no ask, no stream and no listener is left over, and shuts the system down, moving
   * the clock where an actor takes its time to stop. Actors, and what they have scheduled, may be left: they end here.
   * Calling it again awaits the same end. `await using` calls it.
   *
   * @throws LeakError for what is left over; the system is shut down all the same
   */
  dispose(): Promise<void>
}

class SystemUnderTest implements TestSystem {
  readonly system: ActorSystem
  readonly clock: ManualClock
  readonly random: SeededRandom
  readonly leaks: LeakCheck
  readonly #probes: TestProbe[] = []
  #disposal: Promise<void> | undefined

  constructor(system: ActorSystem, clock: ManualClock, random: SeededRandom) {
    this.system = system
    this.clock = clock
    this.random = random
    this.leaks = leakCheck(system, { clock })
  }

  async probe(name?: string): Promise<TestProbe> {
    const probe = await TestProbe.create(this.system, name === undefined ? {} : { name })
    this.#probes.push(probe)
    return probe
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#end()
    return this.#disposal
  }

  [asyncDispose](): Promise<void> {
    return this.dispose()
  }

  async #end(): Promise<void> {
    try {
      await this.#moved(Promise.all(this.#probes.map((probe) => probe.stop())))
      await this.leaks.verify({ kinds: KINDS_THAT_END })
    } finally {
      await this.#moved(this.system.shutdown())
    }
  }

  /** `ending`, with the clock moved for as long as it takes. */
  async #moved(ending: Promise<unknown>): Promise<void> {
    let isOver = false
    const over = ending.finally(() => (isOver = true))
    over.catch(() => undefined)
    await this.clock.advanceUntil(() => isOver, MAX_SHUTDOWN_MS)
    await over
  }
}

/**
 * Starts a system for one test, on a {@link ManualClock} and with seeded chance, on every platform. It connects as every
 * system does; it listens only where `config` brings a transport that can, as `nodeWebSocket()` of `pulsing/node`. What
 * goes over sockets and ports takes real time: await what it brings.
 *
 * @throws ConfigError for a bad option, and what `createActorSystem` throws
 *
 * @example
 * ```ts
 * import { createTestSystem } from 'pulsing/testkit'
 *
 * const test = await createTestSystem({ seed: 7 })
 * const probe = await test.probe()
 * await test.system.spawn({
 *   onStart: (ctx) => void ctx.schedule(60_000, 'time is up'),
 *   receive: (msg, ctx) => ctx.tell(probe.ref, msg),
 * })
 * await probe.expectNone(59_999) // takes no real time
 * await probe.expectMessage('time is up')
 * await test.dispose() // or `await using test = …`
 * ```
 *
 * @example
 * ```ts
 * import { createTestSystem } from 'pulsing/testkit'
 *
 * // Two nodes on one clock.
 * const here = await createTestSystem()
 * const there = await createTestSystem({ clock: here.clock, seed: 2 })
 * const { port1, port2 } = new MessageChannel()
 * await Promise.all([here.system.connect(port1), there.system.connect(port2)])
 * await there.system.spawn({ receive: () => 'pong' }, 'pinger', { public: true })
 * await (await here.system.resolve('pinger')).ask('ping') // 'pong'
 * await Promise.all([here.dispose(), there.dispose()])
 * ```
 */
export async function createTestSystem(options: TestSystemOptions = {}): Promise<TestSystem> {
  const { seed = DEFAULT_SEED, clock = new ManualClock(), config = SystemConfig.standalone() } = options
  const problems: string[] = []
  if (!(clock instanceof ManualClock)) problems.push(`expected clock as a ManualClock, got ${describe(clock)}`)
  if (!(config instanceof SystemConfig)) problems.push(`expected config as a SystemConfig, got ${describe(config)}`)
  if (problems.length > 0) throw new ConfigError(problems)
  const random = seededRandom(seed)
  const system = await startSystem(config.withClock(clock).withRandom(random), async (runtime, settings) => {
    const [{ Network }, { Backbone }, { Upgrades }] = await Promise.all([
      import('../network.ts'),
      import('../cluster/backbone.ts'),
      import('../cluster/upgrades.ts'),
    ])
    return new Network(runtime, settings, [webSocket(), messagePort()], { Backbone, Upgrades })
  })
  return new SystemUnderTest(system, clock, random)
}

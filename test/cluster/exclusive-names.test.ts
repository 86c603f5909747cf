/** Exclusive names on whole nodes: in a simulated network, where hours pass at once, and over a real relay. */
import {
  ActorAlreadyExistsError,
  type ActorContext,
  type ActorRef,
  ActorStoppedError,
  asActor,
  ConfigError,
  contextOf,
  DEFAULT_LEASE_MS,
  type Message,
  SystemConfig,
  UnreachableError,
} from 'pulsing'
import {
  createTestSystem,
  ManualClock,
  type SimulatedNetwork,
  simulatedNetwork,
  type TestSystem,
} from 'pulsing/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { AUTHORITY_TIMEOUT_MS } from '../../src/cluster/exclusive-names.ts'
import { HOLD_SHARE } from '../../src/cluster/lease-hold.ts'
import { QUIET, Systems } from '../system/systems.ts'

const EXCLUSIVE = { public: true, exclusive: true } as const
const HOLD_MS = DEFAULT_LEASE_MS * HOLD_SHARE

/** Answers with its fencing token. */
const token = { receive: (_msg: Message, ctx: ActorContext) => ctx.fencingToken }

const Leader = asActor(
  class Leader {
    token(): number | undefined {
      return contextOf(this).fencingToken
    }
  },
)

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )

const leafOf = (...relays: string[]): SystemConfig => SystemConfig.withSeeds(relays.map((name) => `ws://${name}:80`))

const labs: Lab[] = []
afterEach(async () => {
  for (const lab of labs.splice(0)) await lab.end()
})

/** Hosts `relay`, and leaves of it. */
class Lab {
  readonly clock = new ManualClock()
  readonly network: SimulatedNetwork
  readonly #systems: TestSystem[] = []

  constructor(seed = 1) {
    this.network = simulatedNetwork({ seed, clock: this.clock })
    labs.push(this)
  }

  async #start(host: string, config: SystemConfig): Promise<TestSystem> {
    const started = await this.network.during(
      createTestSystem({
        clock: this.clock,
        config: config.withLogger(QUIET).withTransports(this.network.transport(host)),
      }),
    )
    this.#systems.push(started)
    return started
  }

  relay(host = 'relay', isAuthority = true, seeds: string[] = []): Promise<TestSystem> {
    const config = SystemConfig.withAddr(`ws://${host}:80`).withSeeds(seeds).withActors(Leader)
    return this.#start(host, config.withExclusiveNames({ authority: isAuthority }))
  }

  leaf(host: string, ...relays: string[]): Promise<TestSystem> {
    return this.#start(host, leafOf(...(relays.length ? relays : ['relay'])))
  }

  /** A leaf that says it grants names. */
  usurper(host: string): Promise<TestSystem> {
    return this.#start(host, leafOf('relay').withExclusiveNames({ authority: true }))
  }

  /** Two leaves, `a` and `b`, of a relay that grants names, and has done so for long enough. */
  async usual(): Promise<{ relay: TestSystem; a: TestSystem; b: TestSystem }> {
    const relay = await this.relay()
    const [a, b] = [await this.leaf('a'), await this.leaf('b')]
    await this.clock.advanceAsync(DEFAULT_LEASE_MS)
    return { relay, a, b }
  }

  spawn({ system }: TestSystem, name = 'leader'): Promise<ActorRef> {
    return this.network.during(system.spawn(token, name, EXCLUSIVE))
  }

  tokenOf(ref: ActorRef): Promise<number> {
    return this.network.during(ref.ask<number>('token'))
  }

  async end(): Promise<void> {
    this.network.heal()
    await this.network.during(Promise.all(this.#systems.map(({ system }) => system.shutdown())))
  }
}

/** What has become of an actor of this node, and the warnings about it. */
function watched({ system }: TestSystem): { readonly stopped: string[]; readonly warnings: string[] } {
  const seen = { stopped: [] as string[], warnings: [] as string[] }
  system.on('actorStopped', ({ ref, reason }) => seen.stopped.push(`${ref.name} ${reason}`))
  system.on('warning', ({ code, message }) => void (code === 'exclusive-lost' && seen.warnings.push(message)))
  return seen
}

describe('an exclusive actor', () => {
  test('is one in the cluster, has a token, and the next one under its name a higher one', async () => {
    const lab = new Lab()
    const { a, b } = await lab.usual()
    const first = await lab.tokenOf(await lab.spawn(a))
    expect(Number.isSafeInteger(first)).toBe(true)
    const refused = await outcomeOf(lab.spawn(b))
    expect(refused).toBeInstanceOf(ActorAlreadyExistsError)
    expect(String(refused)).toContain(`"leader", which an actor of node ${a.system.nodeId} has`)
    expect((await lab.network.during(b.system.resolve('leader'))).nodeId).toBe(a.system.nodeId)

    await a.system.stop('leader')
    await lab.clock.advanceAsync(100)
    expect(await lab.tokenOf(await lab.spawn(b))).toBeGreaterThan(first)
    expect(await outcomeOf(lab.spawn(a))).toBeInstanceOf(ActorAlreadyExistsError)
  })

  test('wins over all others that are spawned at the same time, on its node and elsewhere', async () => {
    const lab = new Lab()
    const { relay, a, b } = await lab.usual()
    const outcomes = await Promise.all([a, a, b, relay, b].map((node) => outcomeOf(lab.spawn(node))))
    expect(outcomes.filter((outcome) => outcome instanceof ActorAlreadyExistsError)).toHaveLength(4)
  })

  test('keeps its name for hours, and its token when it is restarted', async () => {
    const lab = new Lab()
    const { a, b } = await lab.usual()
    const seen = watched(a)
    const failing = () => ({
      receive: (msg: Message, ctx: ActorContext) => {
        if (msg.toObject() === 'fail') throw new Error('told to')
        return ctx.fencingToken
      },
    })
    const ref = await lab.network.during(
      a.system.spawn(failing, 'leader', { ...EXCLUSIVE, restart: { policy: 'on-failure' } }),
    )
    const before = await lab.tokenOf(ref)
    await ref.tell('fail')
    await lab.clock.advanceAsync(3_600_000)
    expect(await lab.tokenOf(ref)).toBe(before)
    expect(await outcomeOf(lab.spawn(b))).toBeInstanceOf(ActorAlreadyExistsError)
    expect(seen).toEqual({ stopped: [], warnings: [] })
  })

  test('gives its name back when it stops itself, fails to start, or its system is shut down', async () => {
    const lab = new Lab()
    const { a, b } = await lab.usual()
    const unable = {
      ...token,
      onStart: () => {
        throw new Error('not today')
      },
    }
    expect(String(await outcomeOf(lab.network.during(a.system.spawn(unable, 'leader', EXCLUSIVE))))).toContain(
      'not today',
    )
    await lab.clock.advanceAsync(100)
    const brief = { receive: (_msg: Message, ctx: ActorContext) => ctx.stop() }
    await (await lab.network.during(b.system.spawn(brief, 'leader', EXCLUSIVE))).tell('stop')
    await lab.clock.advanceAsync(100)
    await lab.spawn(a)
    await lab.network.during(a.system.shutdown())
    await lab.spawn(b)
  })

  test('needs a name, and to be public', async () => {
    const lab = new Lab()
    const { system } = await lab.relay()
    const problems = (error: unknown): unknown => (error as ConfigError).problems
    expect(problems(await outcomeOf(system.spawn(token, { exclusive: true })))).toEqual([
      'expected a name for an exclusive actor, got none',
      'expected public: true for an exclusive actor, got undefined',
    ])
    expect(problems(await outcomeOf(system.spawn(token, 'leader', { exclusive: 1 as never, public: true })))).toEqual([
      'expected exclusive as true or false, got 1',
    ])
  })

  test('can be a child, an instance of a class, and one of a class created on another member', async () => {
    const lab = new Lab()
    const { relay, a, b } = await lab.usual()
    const leader = await lab.network.during(Leader.options({ name: 'class', ...EXCLUSIVE }).local(a.system))
    expect(await leader.token()).toBeGreaterThan(0)
    const again = Leader.options({ name: 'class', ...EXCLUSIVE }).local(b.system)
    expect(await lab.network.during(outcomeOf(again))).toBeInstanceOf(ActorAlreadyExistsError)

    const remote = Leader.options({ name: 'far', ...EXCLUSIVE, node: relay.system.nodeId }).remote(a.system)
    const far = await lab.network.during(remote)
    expect(far.ref.nodeId).toBe(relay.system.nodeId)
    expect(await lab.network.during(far.token())).toBeGreaterThan(0)

    const parent = await relay.system.spawn({
      receive: async (_msg: Message, ctx: ActorContext) => (await ctx.spawn(token, 'child', EXCLUSIVE)).ask('token'),
    })
    expect(await lab.tokenOf(parent)).toBeGreaterThan(0)
    expect(await outcomeOf(lab.spawn(a, 'child'))).toBeInstanceOf(ActorAlreadyExistsError)
  })

  test('that is not exclusive has no token, and no way to set one', async () => {
    const lab = new Lab()
    const { a } = await lab.usual()
    const plain = await a.system.spawn(token, 'plain', { public: true, fencingToken: 5 } as never)
    expect(await plain.ask('token')).toBe(undefined)
  })
})

describe('without an authority that can be asked', () => {
  test('spawning says how to get one', async () => {
    const lab = new Lab()
    const relay = await lab.relay('relay', false)
    const before = lab.clock.now()
    const error = await outcomeOf(lab.spawn(relay))
    expect(error).toBeInstanceOf(UnreachableError)
    expect(error).toMatchObject({ outcome: 'not-sent' })
    expect(String(error)).toContain(
      'got none that can be reached: start one relay of the cluster with { authority: true }',
    )
    expect(lab.clock.now() - before).toBeGreaterThanOrEqual(AUTHORITY_TIMEOUT_MS)
    expect(await relay.system.hasActor('leader')).toBe(false)
  })

  test('several are one too many, and named', async () => {
    const lab = new Lab()
    const first = await lab.relay('relay')
    const second = await lab.relay('other', true, ['ws://relay:80'])
    const error = await outcomeOf(lab.spawn(second))
    expect(error).toBeInstanceOf(ConfigError)
    for (const { system } of [first, second]) expect(String(error)).toContain(system.nodeId)
  })

  test('a leaf that says it is one is none, neither beside a relay that is nor without', async () => {
    const lab = new Lab()
    const { a } = await lab.usual()
    const usurper = await lab.usurper('usurper')
    for (const node of [a, usurper]) expect((await lab.spawn(node, node.system.nodeId)).nodeId).toBe(node.system.nodeId)

    const other = new Lab()
    await other.relay('relay', false)
    const [leaf, alone] = [await other.leaf('a'), await other.usurper('usurper')]
    for (const node of [leaf, alone]) expect(await outcomeOf(other.spawn(node))).toBeInstanceOf(UnreachableError)
  })

  test('where there is no relay, a node that is linked by a port can be one', async () => {
    const systems = new Systems()
    const page = await systems.start(SystemConfig.standalone().withExclusiveNames({ authority: true, leaseMs: 1_000 }))
    const worker = await systems.start()
    const { port1, port2 } = new MessageChannel()
    await Promise.all([page.connect(port1), worker.connect(port2)])
    const ref = await worker.spawn(token, 'leader', EXCLUSIVE)
    expect(await ref.ask('token')).toBeGreaterThan(0)
    await systems.stop()
  })

  test('what waits for one that is new fails when its system is shut down', async () => {
    const lab = new Lab()
    await lab.relay()
    const a = await lab.leaf('a')
    const spawning = outcomeOf(a.system.spawn(token, 'leader', EXCLUSIVE))
    await lab.clock.advanceAsync(1_000)
    await lab.network.during(a.system.shutdown())
    expect(await spawning).toBeInstanceOf(ActorStoppedError)
  })
})

describe('an authority that has just started', () => {
  test('grants nothing for one lease; spawning waits for it', async () => {
    const lab = new Lab()
    await lab.relay()
    const a = await lab.leaf('a')
    expect(await lab.tokenOf(await lab.spawn(a))).toBeGreaterThan(0)
    expect(lab.clock.now()).toBeGreaterThanOrEqual(DEFAULT_LEASE_MS)
  })

  test('in place of one that was killed leaves names to their holders, and hands out higher tokens', async () => {
    const lab = new Lab()
    const { a, b } = await lab.usual()
    const seen = watched(a)
    const ref = await lab.spawn(a)
    const first = await lab.tokenOf(ref)
    lab.network.crash('relay')
    await lab.clock.advanceAsync(1_000)
    await lab.relay()
    const spawning = outcomeOf(lab.spawn(b))
    await lab.clock.advanceAsync(4 * DEFAULT_LEASE_MS)
    expect(await spawning).toBeInstanceOf(ActorAlreadyExistsError)
    expect(seen).toEqual({ stopped: [], warnings: [] })
    expect(await ref.ask('token')).toBe(first)
    await a.system.stop(ref)
    await lab.clock.advanceAsync(100)
    expect(await lab.tokenOf(await lab.spawn(b))).toBeGreaterThan(first)
  })
})

describe('a holder that cannot reach the authority', () => {
  test('is stopped before another gets its name, with a warning, and those who watch it are told', async () => {
    const lab = new Lab()
    const { a, b } = await lab.usual()
    const seen = watched(a)
    const ref = await lab.spawn(a)
    const first = await lab.tokenOf(ref)
    const told: string[] = []
    await a.system.spawn({
      onStart: (ctx: ActorContext) => ctx.watch(ref),
      receive: (msg: Message) => void told.push(msg.toObject<{ reason: string }>().reason),
    })
    const endings: number[] = []
    a.system.on('actorStopped', () => endings.push(lab.clock.now()))
    const partedAt = lab.clock.now()
    lab.network.part('a', 'relay')
    let next: ActorRef | undefined
    while (next === undefined) {
      expect(lab.clock.now() - partedAt).toBeLessThan(3 * DEFAULT_LEASE_MS)
      const outcome = await outcomeOf(lab.spawn(b))
      if (!(outcome instanceof Error)) next = outcome as ActorRef
      else await lab.clock.advanceAsync(500)
    }
    expect(endings).toHaveLength(1)
    expect(endings[0]! - partedAt).toBeLessThanOrEqual(HOLD_MS)
    expect(lab.clock.now() - endings[0]!).toBeGreaterThan((DEFAULT_LEASE_MS - HOLD_MS) / 2)
    expect(seen.stopped).toEqual(['leader killed'])
    expect(seen.warnings).toEqual([
      'the actor with the exclusive name "leader" was stopped: the authority could not be reached in time to renew its lease',
    ])
    expect(told).toEqual(['killed'])
    expect(await lab.tokenOf(next)).toBeGreaterThan(first)

    lab.network.heal()
    await lab.clock.advanceAsync(120_000)
    expect(await outcomeOf(lab.spawn(a))).toBeInstanceOf(ActorAlreadyExistsError)
  })

  test('is stopped while it handles a message, and while it starts', async () => {
    const lab = new Lab()
    const { a } = await lab.usual()
    const busy = { receive: () => new Promise(() => undefined) }
    const ref = await lab.network.during(a.system.spawn(busy, 'busy', EXCLUSIVE))
    const asked = outcomeOf(ref.ask('work', { timeout: Infinity }))
    let began = (): void => undefined
    const starting = new Promise<void>((resolve) => (began = resolve))
    const slow = {
      ...token,
      onStart: () => {
        began()
        return new Promise<void>(() => undefined)
      },
    }
    const spawning = outcomeOf(a.system.spawn(slow, 'slow', EXCLUSIVE))
    await lab.network.during(starting)
    lab.network.part('a', 'relay')
    await lab.clock.advanceAsync(HOLD_MS)
    expect(await asked).toBeInstanceOf(ActorStoppedError)
    expect(await a.system.hasActor('busy')).toBe(false)
    await lab.clock.advanceAsync(60_000)
    expect(await spawning).toBeInstanceOf(ActorStoppedError)
  })

  test('because it was killed is stopped, though all others are there', async () => {
    const lab = new Lab()
    await lab.relay()
    await lab.relay('other', false, ['ws://relay:80'])
    const [a, b] = [await lab.leaf('a', 'other'), await lab.leaf('b', 'other')]
    const seen = watched(a)
    await lab.spawn(a)
    lab.network.crash('relay')
    await lab.clock.advanceAsync(HOLD_MS)
    expect(seen.stopped).toEqual(['leader killed'])
    expect(seen.warnings).toHaveLength(1)
    expect(await b.system.hasActor('leader')).toBe(false)
    expect(await outcomeOf(lab.spawn(b))).toBeInstanceOf(UnreachableError)
  })

  test('for a shorter time is left alone', async () => {
    const lab = new Lab()
    const { a } = await lab.usual()
    const seen = watched(a)
    await lab.spawn(a)
    for (let i = 0; i < 20; i++) {
      for (const link of lab.network.links('a', 'relay')) link.cut()
      await lab.clock.advanceAsync(HOLD_MS)
    }
    expect(seen).toEqual({ stopped: [], warnings: [] })
  })

  test('and crashes with its node leaves its name free after the lease', async () => {
    const lab = new Lab()
    const { a, b } = await lab.usual()
    await lab.spawn(a)
    lab.network.crash('a', { isSilent: true })
    await lab.clock.advanceAsync(DEFAULT_LEASE_MS)
    await lab.spawn(b)
  })
})

describe('over a real relay', () => {
  const systems = new Systems()
  afterEach(() => systems.stop())

  test('startRelay({ authority }) grants names to its leaves', async () => {
    const relay = await systems.relay({ authority: { leaseMs: 1_000 } })
    const [a, b] = [await systems.leaf(relay.url), await systems.leaf(relay.url)]
    const outcomes = await Promise.all([a, b].map((system) => outcomeOf(system.spawn(token, 'leader', EXCLUSIVE))))
    const refs = outcomes.filter((outcome) => !(outcome instanceof Error)) as ActorRef[]
    expect(refs).toHaveLength(1)
    expect(await refs[0]!.ask('token')).toBeGreaterThan(1_000_000)
    expect(outcomes.filter((outcome) => outcome instanceof ActorAlreadyExistsError)).toHaveLength(1)
  })

  test('what authority is not must be a boolean or an object', () => {
    expect(() => SystemConfig.standalone().withExclusiveNames({ authority: 1 as never, leaseMs: 5 })).toThrow(
      'expected authority as true or false, got 1; expected leaseMs from 1000 to 600000 milliseconds, got 5',
    )
    expect(() => SystemConfig.standalone().withExclusiveNames(undefined as never)).toThrow(ConfigError)
  })
})

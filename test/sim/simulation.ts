/** One run of one seed, from the start of its nodes to the end of the last; what happened in it, and what was wrong. */
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import type { Workload as WorkloadType } from './workload.ts'
import { Workload } from './workload.ts'
import { type Topology, World } from './world.ts'

/** What came of a run. */
export interface Outcome {
  readonly violations: readonly string[]
  readonly trace: readonly (string | number)[]
  /** Sessions that ended. */
  readonly endings: number
  readonly steps: number
  readonly bytes: number
}

/** Simulated time in which everything must come to rest once nothing is broken any more, in milliseconds. */
export const REST_MS = 240_000
/** Time for what is only still to be acknowledged, in milliseconds. */
const LATE_ACKS_MS = 20_000
/** Timers and turns in one part of a run; more is something that never ends. */
const MAX_STEPS = 400_000

const WINDOWS = [256 * 1024, 16 * 1024, 512]
const DELAYS: readonly (readonly [number, number])[] = [
  [0.1, 2],
  [1, 20],
  [5, 150],
]

export async function simulate(seed: string, topology: Topology): Promise<Outcome> {
  const random = seededRandom(seed).fork('kind')
  const isGentle = random.int(4) === 0
  const isNarrow = random.int(6) === 0
  const world = new World({
    seed,
    topology,
    delayMs: random.pick(DELAYS),
    bytesPerMs: isNarrow ? 100 : Infinity,
    windowBytes: random.pick(WINDOWS),
    graceMs: isGentle ? [120_000] : random.pick([[60_000], [3_000], [20_000], [60_000, 2_000]]),
    areRelaysFaulty: topology !== 'pair' && random.int(4) === 0,
  })
  const workload = new Workload(world, {
    operations: 5 + random.int(25),
    durationMs: 500 + random.float() * 15_000,
    largeBytes: random.pick([0, 0, 100, 20_000, isNarrow ? 100 : 60_000]),
    departures: isGentle ? 0 : random.int(3),
  })
  const { books } = workload
  const { clock } = world
  await within('the start', world, workload, workload.begin(), 60_000)
  if (world.violations.length === 0) {
    const disturbance =
      random.int(6) === 0
        ? undefined
        : world.network.disturb(isGentle ? GENTLE : { everyMs: 300 + random.float() * 8_000, lastsMs: 12_000 })
    await within('the workload', world, workload, workload.play(), Infinity)
    disturbance?.stop()
  }
  world.network.heal()
  if (world.relays) world.relays.isFaulty = false
  await clock.run(() => workload.running.length === 0, clock.now() + REST_MS, MAX_STEPS)
  for (const left of workload.running) world.violate(`10 drain: expected all to come to rest, got ${left} going on`)
  await clock.run(() => false, clock.now() + REST_MS / 2, MAX_STEPS)
  if (isGentle && world.sessions.total > 0)
    world.violate(
      `3 reset: expected no session to end, no node did and no way was gone for long, got ${world.sessions.total}`,
    )
  books.verify(workload.pending)
  for (const a of world.live) for (const b of world.live) if (a !== b) world.sessions.verify(a.nodeId, b.nodeId)
  workload.giveUp()
  await clock.run(() => false, clock.now() + LATE_ACKS_MS, MAX_STEPS)
  verifyEmpty(world)
  for (const node of world.nodes) if (!node.shutdown) void world.leave(node)
  await within('the end', world, workload, Promise.all(world.nodes.map(({ shutdown }) => shutdown)), 60_000)
  await clock.run(() => false, clock.now() + 1_000, MAX_STEPS)
  if (world.violations.length > 0) leftovers.push(world, workload)
  return {
    violations: world.violations,
    trace: world.trace,
    endings: world.sessions.total,
    steps: clock.steps,
    bytes: world.carriedBytes,
  }
}

/** Faults that nobody should notice. */
const GENTLE = { everyMs: 3_000, lastsMs: 4_000, faults: ['cut', 'stall', 'part'] } as const

/** Runs that failed: what they left must not be collected in the middle of another. */
const leftovers: unknown[] = []

async function within(
  what: string,
  world: World,
  workload: WorkloadType,
  work: Promise<unknown>,
  ms: number,
): Promise<void> {
  let isOver = false
  work.then(
    () => {
      isOver = true
    },
    (error: unknown) => {
      isOver = true
      world.violate(`expected ${what} without an error, got ${error instanceof Error ? error.stack : String(error)}`)
    },
  )
  const { clock } = world
  if (!(await clock.run(() => isOver, clock.now() + ms, MAX_STEPS)))
    world.violate(`10 drain: expected ${what} within ${ms} ms, got ${workload.running.join(', ') || 'it'} going on`)
}

/** Nothing may be left of what has ended. */
function verifyEmpty(world: World): void {
  for (const node of world.live) {
    const { actors, asks, timers, streams, listeners } = node.system.census()
    const left = { actors: actors - 2, asks, timers, streams, listeners, keptBytes: world.keptBytes(node) }
    for (const [what, count] of Object.entries(left))
      if (count !== 0) world.violate(`11 memory: expected no ${what} left at ${node.index}${node.host}, got ${count}`)
  }
}

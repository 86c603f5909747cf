/** One run of one seed, from the start of its nodes to the end of the last; what happened in it, and what was wrong. */

import { GAP_DELAY_MS } from '../../src/remote/receipts.ts'
import { MAX_WHOLE_BYTES, PART_BYTES } from '../../src/remote/transfers.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import { type Disturbance, FAULTS, type Fault } from '../../src/testkit/simulated-disturbance.ts'
import { BATCH_BYTES } from '../../src/wire/frame-writer.ts'
import type { Workload as WorkloadType } from './workload.ts'
import { OWN_ACTORS, Workload } from './workload.ts'
import { OWN_LISTENERS, type SimNode, type Topology, World } from './world.ts'

/** What came of a run. */
export interface Outcome {
  readonly violations: readonly string[]
  readonly trace: readonly (string | number)[]
  /** Sessions that ended. */
  readonly endings: number
  readonly slowestPing: number
  readonly mood: string
  readonly steps: number
  readonly bytes: number
}

/** Simulated time in which everything must come to rest once nothing is broken any more, in milliseconds. */
export const REST_MS = 240_000
/** Time for what is only still to be acknowledged, in milliseconds. */
const LATE_ACKS_MS = 5_000
/** Timers and turns in one part of a run; more is something that never ends. */
const MAX_STEPS = 400_000

const MENUS: readonly (readonly Fault[])[] = [
  ['cut'],
  ['cut', 'stall'],
  ['part'],
  ['cut', 'cut-unseen'],
  FAULTS,
  FAULTS,
]
const WINDOWS = [256 * 1024, 16 * 1024, 512]
const DELAYS: readonly (readonly [number, number])[] = [
  [0.1, 2],
  [1, 20],
  [5, 150],
]

const GRACES_MS = [[60_000], [700], [5_000], [60_000, 2_000]]
/** What a ping may have to wait for beside a full link: a batch, a part, and what is too small for parts. */
const PASSED_BYTES = BATCH_BYTES + PART_BYTES + MAX_WHOLE_BYTES
/** `wild`: anything may break. `gentle`: nothing that anybody should notice. `calm`: nothing at all, but much is sent. */
const MOODS = ['wild', 'wild', 'wild', 'gentle', 'calm'] as const

/** @param isVerbose whether the trace is for people to read */
export async function simulate(seed: string, topology: Topology, isVerbose = false): Promise<Outcome> {
  const { stackTraceLimit } = Error
  // Stacks cost as much as all else, and travel.
  Error.stackTraceLimit = 0
  try {
    return await run(seed, topology, isVerbose)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

async function run(seed: string, topology: Topology, isVerbose: boolean): Promise<Outcome> {
  const random = seededRandom(seed).fork('kind')
  const mood = random.pick(MOODS)
  const isNarrow = random.int(mood === 'calm' ? 2 : 6) === 0
  const delayMs = random.pick(DELAYS)
  const bytesPerMs = isNarrow ? 100 : Infinity
  const windowBytes = random.pick(WINDOWS)
  const areSlow = random.int(6) === 0
  const graceMs = mood === 'wild' ? random.pick(GRACES_MS) : [120_000]
  const areDirect = topology !== 'pair' && random.int(3) === 0
  const world = new World({
    seed,
    topology,
    delayMs,
    bytesPerMs,
    windowBytes,
    graceMs,
    isVerbose,
    areDirect,
    mailboxCapacity: areSlow ? 16 : 256,
    areRelaysFaulty: topology !== 'pair' && mood === 'wild' && random.int(4) === 0,
  })
  const isLong = random.int(3) === 0
  const workload = new Workload(world, {
    operations: 5 + random.int(25),
    bursts: 1 + random.int(isLong ? 5 : 3),
    durationMs: isLong ? 60_000 + random.float() * 120_000 : 500 + random.float() * 15_000,
    largeBytes: random.pick(
      mood === 'calm' ? [0, 60_000, 200_000] : isNarrow ? [0, 100, 20_000] : [0, 0, 100, 20_000, 60_000, 200_000],
    ),
    slowMs: areSlow ? 20 : 0,
    departures: mood === 'wild' ? random.int(3) : 0,
  })
  const { books } = workload
  const { clock } = world
  await within('the start', world, workload, workload.begin(), 60_000)
  if (world.violations.length === 0) {
    let disturbance: Disturbance | undefined
    if (mood === 'calm') {
      const queueMs = (windowBytes + PASSED_BYTES) / bytesPerMs
      // Where a direct way takes over, what was on the old one is asked for again once.
      const switchMs = areDirect ? GAP_DELAY_MS : 0
      void workload.ping((from, to) => 100 + switchMs + 2 * hopsBetween(from, to, topology) * (delayMs[1] + queueMs))
    } else if (mood === 'gentle') disturbance = world.network.disturb(GENTLE)
    else
      disturbance = world.network.disturb({
        everyMs: isLong ? 2_000 + random.float() * 20_000 : 150 + random.float() * 4_000,
        lastsMs: random.pick([500, 5_000, 40_000]),
        faults: random.pick(MENUS),
      })
    await within('the workload', world, workload, workload.play(), Infinity)
    disturbance?.stop()
  }
  world.network.heal()
  if (world.relays) world.relays.isFaulty = false
  const endings = world.sessions.total
  await clock.run(() => workload.running.length === 0 && !books.isStreaming, clock.now() + REST_MS, MAX_STEPS)
  for (const left of workload.running) world.violate(`10 drain: expected all to come to rest, got ${left} going on`)
  // Silent neighbours are found, and waits for a way end, in this time.
  await clock.run(() => false, clock.now() + (mood === 'calm' ? LATE_ACKS_MS : REST_MS / 2), MAX_STEPS)
  if (mood !== 'wild' && world.sessions.total > 0)
    world.violate(
      `3 reset: expected no session to end, no node did and no way was gone for long, got ${world.sessions.total}`,
    )
  books.verify(workload.pending)
  for (const a of world.live) for (const b of world.live) if (a !== b) world.sessions.verify(a.nodeId, b.nodeId)
  await verifyMembers(world)
  workload.giveUp()
  await clock.run(() => false, clock.now() + LATE_ACKS_MS, MAX_STEPS)
  verifyEmpty(world)
  for (const node of world.nodes) if (!node.shutdown) void world.leave(node)
  await within('the end', world, workload, Promise.all(world.nodes.map(({ shutdown }) => shutdown)), 60_000)
  await within('what is sent after the end', world, workload, workload.sendLate(), 10_000)
  await clock.run(() => false, clock.now() + 60_000, MAX_STEPS)
  if (books.handlersAlive > 0)
    world.violate(`12 outcome: expected every handler to end, or to be told to, got ${books.handlersAlive} at work`)
  if (clock.pending > 0) world.violate(`11 memory: expected no timer of a node that has ended, got ${clock.pending}`)
  if (world.violations.length > 0) leftovers.push(world, workload)
  return {
    violations: world.violations,
    trace: world.trace,
    endings,
    slowestPing: workload.slowestPing,
    mood,
    steps: clock.steps,
    bytes: world.carriedBytes,
  }
}

/** Links between two nodes: leaves of a mesh may have two relays between them. */
function hopsBetween(from: SimNode, to: SimNode, topology: Topology): number {
  const leaves = [from, to].filter(({ host }) => host === 'x' || host === 'y').length
  return topology === 'mesh' ? leaves + 1 : Math.max(1, leaves)
}

/** Faults that nobody should notice. */
const GENTLE = { everyMs: 3_000, lastsMs: 4_000, faults: ['cut', 'stall'] } as const

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

/** All that live must know of each other, and of nobody else. */
async function verifyMembers(world: World): Promise<void> {
  const { live, nodes } = world
  const alive = live.map(({ nodeId }) => nodeId).sort()
  for (const { index, system } of live) {
    const members = system.members().map(({ nodeId }) => nodeId)
    if (members.sort().join() !== alive.join())
      world.violate(`8 cluster: expected ${alive.length} members at ${index}, got ${members.length}, or others`)
  }
  for (const { index, system } of live) {
    for (const { index: other, isLive, nodeId } of nodes) {
      const found = await system.find(`inbox ${other}`)
      if (isLive ? found?.nodeId !== nodeId : found !== undefined)
        world.violate(`8 cluster: expected ${isLive ? '' : 'no '}name of ${other} at ${index}, got ${String(found)}`)
    }
  }
}

/** Nothing may be left of what has ended. */
function verifyEmpty(world: World): void {
  for (const node of world.live) {
    const { actors, asks, timers, streams, listeners } = node.system.census()
    const left = {
      actors: actors - OWN_ACTORS,
      asks,
      timers,
      streams,
      listeners: listeners - OWN_LISTENERS,
      keptBytes: world.measures.keptBytes(node.nodeId),
      callbacks: world.lentCallbacks(node),
    }
    for (const [what, count] of Object.entries(left))
      if (count !== 0) world.violate(`11 memory: expected no ${what} left at ${node.index}${node.host}, got ${count}`)
  }
}

/**
 * The two places an actor can be, seen from who uses it: on the same node, or behind a link that writes and reads every
 * frame. What is promised of one is promised of the other, so tests run once in each. Time stands still.
 */
import type { ActorRef, SpawnOptions } from 'pulsing'
import { expect, onTestFinished } from 'vitest'
import type { Spawnable } from '../../src/actor/actor.ts'
import type { ActorCell } from '../../src/actor/actor-cell.ts'
import { Lab, type LabNode, settle, until } from '../remote/lab.ts'

export interface Place {
  readonly lab: Lab
  /** The node of who uses actors, and the one where they run; the same one, if that is the place. */
  readonly near: LabNode
  readonly far: LabNode
  /** Starts an actor at `far`; the ref `near` has of it. */
  host(actor: Spawnable, options?: SpawnOptions): Promise<ActorRef>
  /** Stops an actor of `far`. */
  stop(ref: ActorRef): Promise<void>
  /** What there is of each on both nodes together. */
  left(): { readonly actors: number; readonly asks: number; readonly streams: number; readonly timers: number }
  /** Functions lent so far, those that can still be called. */
  callbacks(): number
}

function place(lab: Lab, near: LabNode, far: LabNode): Place {
  const nodes = [...new Set([near, far])]
  const lent = nodes.flatMap(lentBy)
  onTestFinished(async () => {
    const closed = Promise.all(nodes.map(({ runtime }) => runtime.close()))
    await settle()
    // Handlers that never end are given up when the grace is over.
    lab.clock.advance(60_000)
    await settle()
    lab.clock.advance(60_000)
    await closed
  })
  return {
    lab,
    near,
    far,
    host: async (actor, options) => {
      const ref = await far.runtime.spawn(actor, undefined, options)
      return near.peers.refTo(ref.nodeId, ref.id, undefined)
    },
    stop: (ref) => far.runtime.stop(ref.id, 'killed'),
    left: () => {
      const left = { actors: 0, asks: 0, streams: 0, timers: 0 }
      for (const { runtime, peers } of nodes) {
        const { actors, asks, streams, timers } = runtime.census()
        left.actors += actors
        left.asks += asks + peers.pending.asks
        left.streams += streams + peers.pending.streams
        left.timers += timers
      }
      return left
    },
    callbacks: () => lent.reduce((sum, count) => sum + count(), 0),
  }
}

/** Counts the functions a node has lent that can still be called: each has an actor of the framework's own. */
export function lentBy({ runtime }: LabNode): () => number {
  const cells = new Set<ActorCell>()
  const start = runtime.startInternal.bind(runtime)
  runtime.startInternal = (actor, options) => {
    const cell = start(actor, options)
    cells.add(cell)
    return cell
  }
  return () => {
    for (const cell of cells) if (cell.isStopped) cells.delete(cell)
    return cells.size
  }
}

/** Opens each place: for `describe.each`. */
export const PLACES: readonly (readonly [name: string, open: () => Place])[] = [
  [
    'on one node',
    () => {
      const lab = new Lab()
      return place(lab, lab.a, lab.a)
    },
  ],
  [
    'over a link',
    () => {
      const lab = new Lab()
      return place(lab, lab.a, lab.b)
    },
  ],
]

/** Waits until `count` has come to `expected`, and fails if it goes on from there. */
export async function comesToRest(count: () => number, expected: number): Promise<void> {
  await until(() => count() >= expected)
  await settle()
  expect(count()).toBe(expected)
}

/**
 * A whole node with neighbours that send anything: it answers or ends the link with `goaway` 3, serves everybody else as
 * before, and keeps nothing of those that are gone.
 */
import fc from 'fast-check'
import { type ActorRef, isPulsingError, type Message, SystemConfig } from 'pulsing'
import { afterEach, expect, test } from 'vitest'
import { encodeCbor, lower } from '../../src/base/cbor.ts'
import { newId } from '../../src/base/ids.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { FRAME, GOAWAY } from '../../src/wire/frame.ts'
import { link, Nodes, type Puppet, puppet } from '../cluster/memory-nodes.ts'
import { fuzzAsync, numericSeed, seed } from './fuzz.ts'
import { HostileFrames } from './hostile-frames.ts'
import { anyValue } from './values.ts'

declare const gc: () => void

const MAX_GROWTH_BYTES = 16 * 1024 * 1024

const nodes = new Nodes()
afterEach(() => nodes.stop())

const values = fc.sample(anyValue, { numRuns: 60, seed: numericSeed }).map((value) => encodeCbor(lower(value)))

const ignore = (): void => undefined

/** Uses everything it is given: asks refs, calls functions, reads streams; gives back what it got. */
const curious = {
  receive(msg: Message): unknown {
    if (msg.isStream) return readSome(msg.streamReader())
    const value = msg.toObject()
    for (const item of Array.isArray(value) ? value : value && typeof value === 'object' ? Object.values(value) : []) {
      if (typeof item === 'function') Promise.resolve(item(1)).catch(ignore)
      else if (item && typeof item === 'object' && 'ask' in item) {
        const ref = item as ActorRef
        ref.ask('hello', { timeout: 50 }).catch(ignore)
        ref.tell('hello').catch(ignore)
      } else if (item && typeof item === 'object' && Symbol.asyncIterator in item)
        void readSome(item as AsyncIterable<unknown>)
    }
    return value
  },
}

async function readSome(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  try {
    for await (const _ of items) if (++count === 3) break
  } catch {
    // A stream of theirs.
  }
  return count
}

async function* counting(): AsyncGenerator<unknown> {
  for (let i = 0; i < 50; i++) yield { i }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => macrotask(resolve))
}

/** Settles when a puppet was heard, or its link is over; whichever, in a bounded number of turns. */
async function heard(played: Puppet, id: number): Promise<void> {
  played.send({ kind: FRAME.ping, id })
  for (let i = 0; i < 2_000; i++) {
    if (played.isOver || played.received.some((frame) => frame.kind === FRAME.pong && frame.id === id)) return
    await turns(1)
  }
  throw new RangeError('expected a pong or the end of the link, got neither in 2000 turns')
}

async function heapBytes(): Promise<number> {
  await turns(4)
  for (let i = 0; i < 4; i++) gc()
  return process.memoryUsage().heapUsed
}

test('hostile neighbours', { timeout: 120_000 }, async () => {
  const clock = new ManualClock()
  const target = await nodes.start(SystemConfig.standalone().withClock(clock))
  const bystander = await nodes.start()
  await link(target, bystander)
  const echo = await target.spawn(curious, 'echo', { public: true })
  const stream = await target.spawn({ receive: () => counting() }, 'stream', { public: true })
  await turns(20)
  const seenByBystander = await bystander.resolve('echo')
  const closed: unknown[] = []
  target.on('linkClosed', ({ error }) => closed.push(error))
  const census = target.census()

  let refused = 0
  let id = 1_000_000
  const one = async (random: Parameters<Parameters<typeof fuzzAsync>[2]>[0]): Promise<void> => {
    closed.length = 0
    const kind = random.pick(['leaf', 'relay'] as const)
    const attacker = await puppet(target, kind)
    const frames = new HostileFrames(random, {
      target: target.nodeId,
      self: attacker.nodeId,
      // What a relay says of others is believed: that they have ended, for one.
      bystander: kind === 'leaf' ? bystander.nodeId : newId(),
      actors: [echo.id, stream.id],
      values,
    })
    for (let batches = 1 + random.int(6); batches > 0 && !attacker.isOver; batches--) {
      attacker.sendBytes(frames.batch())
      if (random.int(3) === 0) await turns(1)
    }
    await heard(attacker, id++)
    if (attacker.isOver) {
      const goaway = attacker.received.find(({ kind }) => kind === FRAME.goaway)
      const [error] = closed
      // It may have ended the link itself, for whatever reason.
      if (error !== undefined && !(isPulsingError(error) && error.message.startsWith('the neighbour '))) {
        if (!isPulsingError(error, 'ProtocolError')) throw error
        refused++
        expect(goaway?.id).toBe(GOAWAY.protocol)
        expect(goaway?.reason).toMatch(/^expected .* got (?!an error from it)/s)
      }
    } else {
      attacker.send({ kind: FRAME.goaway, id: GOAWAY.leaving, reason: '' })
      attacker.close()
      await attacker.over
    }
    await turns(2)
  }
  const ran = await fuzzAsync('hostile neighbours', 300, one)
  // What waits for neighbours that are gone waits a minute; asks of theirs with timeouts, as long as they said.
  await clock.advanceAsync(120_000)
  const before = await heapBytes()
  const again = await fuzzAsync('hostile neighbours, again', 900, one)
  await clock.advanceAsync(120_000)
  if (again > 100) expect((await heapBytes()) - before).toBeLessThan(MAX_GROWTH_BYTES)
  if (ran + again > 1000) expect(refused).toBeGreaterThan(200)

  expect(await seenByBystander.ask('still there')).toBe('still there')
  expect(target.members().map(({ nodeId }) => nodeId)).toEqual([target.nodeId, bystander.nodeId])
  // Streams inside values that the actor never looked at end when the garbage is collected, which takes as many turns as it takes.
  for (let turn = 0; turn < 100 && target.census().streams > census.streams; turn++) await heapBytes()
  const { actors, asks, streams } = target.census()
  expect({ actors, asks, streams }, `FUZZ_SEED=${seed}`).toEqual({
    actors: census.actors,
    asks: census.asks,
    streams: census.streams,
  })
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

/**
 * What `pulsing bench` measures: asks, tells and streams in one process, and over a WebSocket on loopback to another
 * process, which is this command once more. Figures of one machine, to be compared with each other.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { ActorLike } from '../actor/actor.ts'
import type { ActorRef } from '../actor/actor-ref.ts'
import { UnreachableError } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { SystemConfig } from '../config.ts'
import type { Message } from '../message/message.ts'
import { createActorSystem } from '../system.node.ts'

/** Asks, or tells, at a time. They fit in a mailbox: in a full one their senders would wait. */
const IN_FLIGHT = 1000
const MAILBOX_CAPACITY = 2 * IN_FLIGHT
const CHUNK_BYTES = 64 * 1024
/** Of its time, the part a load runs before it counts. */
const WARM_UP = 0.25
/** Digits that mean something: the next measurement has others behind them. */
const DIGITS = 3
/** What the actor at the far end is called. */
const NAME = 'bench'

/** One line of the result. */
export interface Figure {
  readonly what: string
  readonly where: 'one process' | 'WebSocket'
  /** How many of `unit`. */
  readonly rate: number
  readonly unit: 'asks/s' | 'tells/s' | 'items/s' | 'MiB/s'
}

/** Works until it is over, and returns how much it did. */
type Load = (actor: ActorRef, isOver: () => boolean) => Promise<number>

const LOADS = {
  asks: { what: 'asks, one at a time', unit: 'asks/s', run: askOneByOne },
  asksInFlight: { what: `asks, ${IN_FLIGHT} in flight`, unit: 'asks/s', run: askInFlight },
  tells: { what: 'tells', unit: 'tells/s', run: tell },
  items: { what: 'small items of a stream', unit: 'items/s', run: readItems },
  chunks: { what: '64 KiB chunks of a stream', unit: 'MiB/s', run: readChunks },
} as const satisfies Record<string, { what: string; unit: Figure['unit']; run: Load }>

/** Many at a time first: that is how code, which is slow at first, is soon as fast as it gets. */
const HERE = [LOADS.asksInFlight, LOADS.asks, LOADS.tells, LOADS.items]
const THERE = [LOADS.asksInFlight, LOADS.asks, LOADS.chunks]

/** Measures everything in about `ms` milliseconds. @throws UnreachableError when the other process ends */
export async function benchmark(ms: number): Promise<Figure[]> {
  const eachMs = ms / (HERE.length + THERE.length)
  return [...(await measureHere(eachMs)), ...(await measureThere(eachMs))]
}

async function measureHere(eachMs: number): Promise<Figure[]> {
  const system = await createActorSystem(SystemConfig.standalone().withMailboxCapacity(MAILBOX_CAPACITY))
  const actor = await system.spawn(new Answering())
  const figures = await measure(actor, HERE, 'one process', eachMs)
  await system.shutdown()
  return figures
}

async function measureThere(eachMs: number): Promise<Figure[]> {
  const token = newId()
  const child = fork(process.argv[1]!, ['bench', '--far-end'], { env: { ...process.env, PULSING_TOKEN: token } })
  const ended = endOf(child)
  const measured = async (): Promise<Figure[]> => {
    const addr = await new Promise<string>((resolve) => child.once('message', (message) => resolve(String(message))))
    const system = await createActorSystem(SystemConfig.withSeeds([addr]).withAuth({ token }))
    const figures = await measure(await system.resolve(NAME), THERE, 'WebSocket', eachMs)
    await system.shutdown()
    return figures
  }
  try {
    return await Promise.race([measured(), ended])
  } finally {
    child.kill()
  }
}

/** Rejects when a process ends, or cannot be started. */
async function endOf(child: ChildProcess): Promise<never> {
  const how = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`its end by ${signal ?? `exit code ${code}`}`))
  })
  throw new UnreachableError(`expected another process to measure with, got ${how}`)
}

/** The far end: runs in the other process, and ends with the one that started it, which is sent its address. */
export async function serveBenchmark(token: string, tellAddress: (addr: string) => void): Promise<void> {
  process.once('disconnect', () => process.exit())
  const config = SystemConfig.withAddr('ws://127.0.0.1:0').withAuth({ token }).withMailboxCapacity(MAILBOX_CAPACITY)
  const system = await createActorSystem(config)
  await system.spawn(new Answering(), NAME, { public: true })
  tellAddress(system.addr!)
}

async function measure(
  actor: ActorRef,
  loads: readonly (typeof LOADS)[keyof typeof LOADS][],
  where: Figure['where'],
  eachMs: number,
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { what, unit, run } of loads) {
    await run(actor, after(eachMs * WARM_UP))
    const startedAt = performance.now()
    const done = await run(actor, after(eachMs * (1 - WARM_UP)))
    const rate = (done * 1000) / (performance.now() - startedAt)
    figures.push({ what, where, rate: Number(rate.toPrecision(DIGITS)), unit })
  }
  return figures
}

function after(ms: number): () => boolean {
  const end = performance.now() + ms
  return () => performance.now() >= end
}

/** The shape of an ordinary small message, about 100 bytes. */
const SMALL = { id: 48_213, user: 'ada@example.org', text: 'the quick brown fox jumps over it', tags: ['a', 'b'] }

/** Answers `items` and `chunks` with a stream of them without end, and everything else with itself. */
class Answering implements ActorLike {
  receive(message: Message): unknown {
    const value = message.toObject()
    if (value === 'items') return endless((n) => ({ n }))
    if (value !== 'chunks') return value
    const chunk = new Uint8Array(CHUNK_BYTES)
    return endless(() => chunk)
  }
}

function* endless(item: (n: number) => unknown): Generator<unknown> {
  for (let n = 0; ; n++) yield item(n)
}

async function askOneByOne(actor: ActorRef, isOver: () => boolean): Promise<number> {
  let asks = 0
  for (; !isOver(); asks++) await actor.ask(SMALL)
  return asks
}

async function askInFlight(actor: ActorRef, isOver: () => boolean): Promise<number> {
  const asks = await Promise.all(Array.from({ length: IN_FLIGHT }, () => askOneByOne(actor, isOver)))
  return asks.reduce((sum, each) => sum + each, 0)
}

async function tell(actor: ActorRef, isOver: () => boolean): Promise<number> {
  let tells = 0
  for (; !isOver(); tells += IN_FLIGHT) {
    for (let i = 0; i < IN_FLIGHT; i++) void actor.tell(SMALL)
    await actor.ask(SMALL)
  }
  return tells
}

async function readItems(actor: ActorRef, isOver: () => boolean): Promise<number> {
  let items = 0
  for await (const _ of actor.askStream('items')) if (++items && isOver()) break
  return items
}

async function readChunks(actor: ActorRef, isOver: () => boolean): Promise<number> {
  let bytes = 0
  for await (const chunk of actor.askStream<Uint8Array>('chunks')) {
    bytes += chunk.byteLength
    if (isOver()) break
  }
  return bytes / 1024 ** 2
}

/**
 * What the nodes of a simulation are made to do: tells, asks, streams, refs handed on, callbacks, watches, and nodes that
 * leave, crash and come back; each drawn from the seed, at a moment drawn from it.
 */
import { type ActorRef, Message, StreamMessage } from 'pulsing'
import type { SeededRandom } from '../../src/testkit/seeded-random.ts'
import { inbox, Server, watcher } from './actors.ts'
import { Books } from './books.ts'
import type { SimNode, World } from './world.ts'

/** How much is done. */
export interface WorkloadOptions {
  readonly operations: number
  /** Moments around which they come. */
  readonly bursts: number
  /** How long it may take, in milliseconds. */
  readonly durationMs: number
  /** Bytes that large messages carry beside their number. */
  readonly largeBytes: number
  /** How long an inbox takes for a tell at most, in milliseconds. */
  readonly slowMs: number
  /** Nodes that leave or crash, at most. */
  readonly departures: number
}

/** Actors of a node that live as long as it. */
export const OWN_ACTORS = 3
const TIMEOUTS_MS = [20, 200, 2_000, 30_000]

/** The least time between two signs of life that are asked for, in milliseconds. */
const MIN_PING_EVERY_MS = 300

export class Workload {
  readonly books: Books
  /** Asks that wait for nothing but to be given up. */
  readonly pending = new Map<number, readonly [from: SimNode, to: SimNode]>()
  readonly #world: World
  readonly #random: SeededRandom
  readonly #options: WorkloadOptions
  readonly #givingUp = new AbortController()
  readonly #running = new Map<Promise<unknown>, string>()
  slowestPing = 0
  #hasBegunAll = false
  #ids = 0
  #departures = 0

  constructor(world: World, options: WorkloadOptions) {
    this.#world = world
    this.#random = world.random.fork('workload')
    this.#options = options
    this.books = new Books(world)
  }

  /** Starts the nodes, and lets all learn of all. */
  async begin(): Promise<void> {
    await Promise.all(this.#world.hosts.map((host) => this.#start(host)))
    const { live } = this.#world
    await Promise.all(
      live.flatMap(({ system }) => live.map(({ index }) => system.resolve(`inbox ${index}`, { timeout: 60_000 }))),
    )
  }

  /** Begins all operations, each at its moment; settles when the last has begun. */
  async play(): Promise<void> {
    const { operations, bursts, durationMs } = this.#options
    const random = this.#random
    const centres = Array.from({ length: bursts }, () => random.float() * durationMs)
    const moments = Array.from(
      { length: operations },
      () => random.pick(centres) + (random.float() ** 3 * durationMs) / 2,
    )
    moments.sort((a, b) => a - b)
    const { clock } = this.#world
    const startedAt = clock.now()
    for (const moment of moments) {
      await clock.sleep(startedAt + moment - clock.now())
      this.#begin()
    }
    this.#hasBegunAll = true
  }

  /**
   * Asks for a sign of life, from every node to every other, again and again, until the work is done; none may take longer
   * than `limitMs`.
   */
  async ping(limitMs: (from: SimNode, to: SimNode) => number): Promise<void> {
    const { clock } = this.#world
    while (!this.#hasBegunAll || this.#running.size > 0) {
      for (const from of this.#world.live) {
        for (const to of this.#world.live) {
          const ref = from === to ? undefined : this.#refTo(from, to, 'pulse')
          if (ref) void this.#ping(ref, limitMs(from, to), `${from.index}-${to.index}`)
        }
      }
      await clock.sleep(Math.max(MIN_PING_EVERY_MS, this.#options.durationMs / 30))
    }
  }

  async #ping(ref: ActorRef, limitMs: number, pair: string): Promise<void> {
    const { clock } = this.#world
    const sentAt = clock.now()
    const answer = await ref.ask(1, { timeout: 10 * limitMs }).catch((error: unknown) => error)
    const tookMs = clock.now() - sentAt
    this.slowestPing = Math.max(this.slowestPing, tookMs / limitMs)
    if (answer !== 1 || tookMs > limitMs)
      this.books.violate(
        `13 control: expected a ping of ${pair} to be answered within ${limitMs} ms, got ${String(answer)} after ${tookMs}`,
      )
  }

  /** What has not come to its end. */
  get running(): readonly string[] {
    return [...this.#running.values()]
  }

  /** Gives up what waits for nothing else. */
  giveUp(): void {
    this.#givingUp.abort(new DOMException('the run is over', 'AbortError'))
  }

  /** Sends from nodes that were shut down, which must refuse it. */
  async sendLate(): Promise<void> {
    const { nodes, refs } = this.#world
    const send = async (what: string, sending: Promise<unknown>): Promise<void> => {
      try {
        await sending
        this.books.violate(`12 outcome: expected a late ${what} to be refused, got it taken`)
      } catch (error) {
        this.books.failed(`a late ${what}`, error)
      }
    }
    await Promise.all(
      nodes.flatMap((from) =>
        nodes.flatMap((to) => {
          const ref = refs.get(`${from.index} server ${to.index}`)
          return ref ? [send('tell', ref.tell(['late'])), send('ask', ref.ask(['late'], { timeout: 1_000 }))] : []
        }),
      ),
    )
  }

  #run(what: string, work: Promise<unknown>): void {
    this.#running.set(work, what)
    const done = (): void => void this.#running.delete(work)
    work.then(done, (error) => {
      done()
      this.books.violate(
        `expected ${what} to say what failed, got ${error instanceof Error ? error.stack : String(error)}`,
      )
    })
  }

  #start(host: string): Promise<SimNode> {
    const { books } = this
    const { clock, held } = this.#world
    return this.#world.start(host, async (system, index) => {
      const around = { books, clock, held, index, slowMs: this.#options.slowMs }
      // Large messages delay what goes to the same actor: signs of life have one of their own.
      await system.spawn({ receive: (msg) => msg.toObject() }, `pulse ${index}`, { public: true })
      return Promise.all([
        system.spawn(inbox(around), `inbox ${index}`, { public: true }),
        system.spawn(new Server(around), `server ${index}`, { public: true, reentrant: true }),
      ])
    })
  }

  #begin(): void {
    const [from, to] = this.#pair()
    if (!from || !to) return
    const ref = this.#refTo(from, to, 'server')
    if (!ref) return
    const random = this.#random
    const kind = random.int(100)
    const id = ++this.#ids
    if (kind < 25) this.#run(`tells ${id}`, this.#tells(from, to))
    else if (kind < 45) this.#run(`ask ${id}`, this.#ask(from, ref, id))
    else if (kind < 52) this.#run(`items ${id}`, this.#items(from, to, ref, id))
    else if (kind < 60) this.#run(`upload ${id}`, this.#upload(from, to, ref, id))
    else if (kind < 67) this.#run(`echo ${id}`, this.#echo(from, to, ref, id))
    else if (kind < 74) this.#run(`introduction ${id}`, this.#introduce(from, to, ref, id))
    else if (kind < 81) this.#run(`callback ${id}`, this.#callback(from, ref, id))
    else if (kind < 87) this.#run(`target ${id}`, this.#target(from, to, ref, id))
    else if (kind < 94) this.#wait(from, to, ref, id, random.int(2) === 0)
    else this.#depart()
  }

  #pair(): [SimNode?, SimNode?] {
    const { live } = this.#world
    if (live.length < 2) return []
    const from = this.#random.pick(live)
    return [from, this.#random.pick(live.filter((node) => node !== from))]
  }

  /** The ref a node has of another's actor, as it finds it by name. */
  #refTo(from: SimNode, to: SimNode, actor: 'inbox' | 'server' | 'pulse'): ActorRef | undefined {
    const ref = this.#world.refs.get(`${from.index} ${actor} ${to.index}`)
    if (ref) return ref
    this.#run(
      'find',
      from.system.find(`${actor} ${to.index}`).then((found) => {
        if (found) this.#world.refs.set(`${from.index} ${actor} ${to.index}`, found)
      }),
    )
    return undefined
  }

  #pad(): Uint8Array | undefined {
    const { largeBytes } = this.#options
    return largeBytes > 0 && this.#random.int(4) === 0 ? new Uint8Array(1 + this.#random.int(largeBytes)) : undefined
  }

  #pause(): number {
    return this.#random.int(3) === 0 ? 0 : this.#random.float() * 100
  }

  async #tells(from: SimNode, to: SimNode): Promise<void> {
    const ref = this.#refTo(from, to, 'inbox')
    if (!ref) return
    const isFlood = this.#options.largeBytes > 10_000 && this.#random.int(8) === 0
    const awaits = isFlood || this.#random.int(2) === 0
    const telling: Promise<void>[] = []
    for (let left = 1 + this.#random.int(isFlood ? 150 : 8); left > 0; left--) {
      const told = this.books.tell(ref, `${from.index}>${to.index}`, from.index, this.#pad())
      if (awaits) await told
      else telling.push(told)
    }
    await Promise.all(telling)
  }

  async #ask(from: SimNode, ref: ActorRef, id: number): Promise<void> {
    const random = this.#random
    const reply = this.#pad() ?? id
    const giveUp = random.int(5) === 0 ? new AbortController() : undefined
    if (giveUp)
      this.#world.clock.setTimer(() => giveUp.abort(new DOMException('enough', 'AbortError')), random.float() * 500)
    const answer = await this.books.ask(from, ref, id, ['work', id, random.int(2) * random.float() * 1_000, reply], {
      timeout: random.pick(TIMEOUTS_MS),
      ...(giveUp ? { signal: giveUp.signal } : {}),
    })
    if (typeof reply === 'number' && answer !== undefined && answer !== reply)
      this.books.violate(`12 outcome: expected ${reply} as answer of ask ${id}, got ${String(answer)}`)
  }

  async #items(from: SimNode, to: SimNode, ref: ActorRef, id: number): Promise<void> {
    const { count, takes } = this.#length()
    const stream = this.books.openStream(id, to.nodeId, from.nodeId, {
      count,
      window: 32,
      pauseMs: this.#pause(),
      takes,
    })
    const reader = ref.askStream<[number]>(['items', id, count, this.#pause(), this.#pad()], { timeout: 30_000 })
    this.#world.held.push(reader)
    await this.books.read(reader, stream)
  }

  #length(): { count: number; takes: number } {
    const count = 1 + this.#random.int(30)
    return { count, takes: this.#random.int(4) === 0 ? 1 + this.#random.int(count) : Infinity }
  }

  async #upload(from: SimNode, to: SimNode, ref: ActorRef, id: number): Promise<void> {
    const window = 1 + this.#random.int(6)
    const stream = this.books.openStream(id, from.nodeId, to.nodeId, {
      ...this.#length(),
      window,
      pauseMs: this.#pause(),
    })
    const [message, writer] = StreamMessage.create(`up ${id}`, window)
    this.#world.held.push(message, writer)
    const reader = this.#random.int(3) === 0 ? message.streamReader() : undefined
    const request = reader ? ['read', id, reader] : message
    this.#world.held.push(request)
    const asking = this.books.ask(from, ref, -id, request, { timeout: this.#random.pick(TIMEOUTS_MS) })
    // A reader inside a value that never left is still its sender's; one that left is no longer.
    void asking.then(() => reader?.cancel())
    await Promise.all([this.books.write(writer, stream, this.#pause(), this.#pad()), asking])
  }

  async #echo(from: SimNode, to: SimNode, ref: ActorRef, id: number): Promise<void> {
    const [window, back] = [1 + this.#random.int(6), 1 + this.#random.int(6)]
    const { count, takes } = this.#length()
    const there = { count, window, pauseMs: 0, takes: Infinity }
    const up = this.books.openStream(id, from.nodeId, to.nodeId, there)
    up.echo = ++this.#ids
    up.echoWindow = back
    const down = this.books.openStream(up.echo, to.nodeId, from.nodeId, {
      count,
      window: back,
      pauseMs: this.#pause(),
      takes,
    })
    const [message, writer] = StreamMessage.create(`echo ${id}`, window)
    this.#world.held.push(message, writer)
    const reading = this.books.ask(from, ref, -id, message, { timeout: 30_000 }).then((reply) => {
      if (!reply) return undefined
      const reader = (reply as Message).streamReader<[number]>()
      this.#world.held.push(reply, reader)
      return this.books.read(reader, down)
    })
    await Promise.all([this.books.write(writer, up, this.#pause(), undefined), reading])
  }

  /** Hands a ref on: its new holder tells the third, which may be a stranger to it. */
  async #introduce(from: SimNode, to: SimNode, ref: ActorRef, id: number): Promise<void> {
    const third = this.#random.pick(this.#world.live)
    const inboxRef = third === from ? third.inbox : this.#refTo(from, third, 'inbox')
    if (!inboxRef || third === to) return
    await this.books.ask(
      from,
      ref,
      -id,
      ['tell', inboxRef, `${to.index} for ${from.index}>${third.index} ${id}`, 1 + this.#random.int(5)],
      {
        timeout: 30_000,
      },
    )
  }

  async #callback(from: SimNode, ref: ActorRef, id: number): Promise<void> {
    let last = 0
    const callback = (n: number): number => {
      if (n !== last + 1) this.books.violate(`1 order: expected call ${last + 1} of callback ${id}, got ${n}`)
      last = n
      return n
    }
    this.#world.held.push(callback)
    const times = 1 + this.#random.int(5)
    const made = await this.books.ask(from, ref, id, ['call', id, times, callback], { timeout: 60_000 })
    if (made !== undefined && (made as number) > last)
      this.books.violate(`callback: expected at most ${last} calls answered, got ${String(made)}`)
  }

  /** An actor over there that is told numbers for a while, watched over there and from here. */
  async #target(from: SimNode, to: SimNode, ref: ActorRef, id: number): Promise<void> {
    const random = this.#random
    this.books.openWatch(id, to.index)
    this.books.openWatch(-id, from.index, [from.nodeId, to.nodeId])
    const watching = await from.system.spawn(watcher(this.books, this.books.watch(-id)))
    const request = ['target', id, 50 + random.float() * 3_000, random.int(12), watching]
    const target = (await this.books.ask(from, ref, -id, request, { timeout: 30_000 })) as ActorRef | undefined
    if (!target) {
      await from.system.stop(watching)
      return
    }
    void watching.tell(Message.fromObject('watch', target))
    for (let left = 1 + random.int(10); left > 0; left--) {
      await this.books.tell(target, `${from.index}>target ${id}`, from.index, undefined, undefined, true)
      await this.#world.clock.sleep(random.float() * 300)
    }
  }

  /** An ask that only the end of a session ends, or, after the run, its caller. @param again whether another follows then */
  #wait(from: SimNode, to: SimNode, ref: ActorRef, id: number, again: boolean): void {
    this.pending.set(id, [from, to])
    const waiting = this.books
      .ask(from, ref, id, ['wait', id], { timeout: Infinity, signal: this.#givingUp.signal })
      .then(() => void this.pending.delete(id))
    if (!again) return
    void waiting.then(() => {
      if (!this.#givingUp.signal.aborted && from.isLive && to.isLive && this.#ids < 1_000)
        this.#world.clock.setTimer(
          () => this.#wait(from, to, ref, ++this.#ids, again),
          10 + this.#random.float() * 2_000,
        )
    })
  }

  /** A node leaves, or crashes; another may start in its place. */
  #depart(): void {
    if (this.#departures >= this.#options.departures) return
    this.#departures++
    const random = this.#random
    const node = random.pick(this.#world.live)
    let gone = Promise.resolve()
    if (random.int(2) === 0) this.#run(`departure of ${node.index}`, (gone = this.#world.leave(node)))
    else this.#world.crash(node, random.int(2) === 0)
    const isRelay = node.host === 'a' || node.host === 'r' || node.host === 's'
    if (!isRelay && random.int(3) === 0) return
    this.#run(
      `return of ${node.host}`,
      gone.then(() => this.#world.clock.sleep(random.float() * 5_000)).then(() => this.#start(node.host)),
    )
  }
}

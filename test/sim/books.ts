/**
 * What was sent, handled, produced, consumed and how it ended, as the actors and callers of a simulation saw it; and what
 * is wrong with it. The numbers in front are those of the invariants in the design of the protocol.
 */
import { type ActorContext, type ActorRef, isPulsingError, type StreamReader, type StreamWriter } from 'pulsing'
import type { SimNode, World } from './world.ts'

interface TellRecord {
  readonly n: number
  /** The session it went with, if it went. */
  readonly session: number | undefined
  state: 'pending' | 'taken' | 'refused'
  isHandled: boolean
}

interface Lane {
  readonly name: string
  readonly from: number
  readonly to: string
  readonly tells: TellRecord[]
  lastHandled: number
  /** Whether the actor at its end is to stop some day. */
  readonly mayEnd: boolean
}

/** One ask, from its sending to its outcome. */
export interface AskRecord {
  readonly id: number
  readonly from: number
  readonly to: string
  readonly timeoutMs: number
  readonly sentAt: number
  session: number | undefined
  handled: number
  outcome: string | undefined
}

/** One stream. */
export interface StreamRecord {
  readonly id: number
  readonly from: string
  readonly to: string
  readonly count: number
  readonly window: number
  readonly pauseMs: number
  /** Items after which the consumer leaves. */
  readonly takes: number
  /** The stream that answers it. */
  echo: number | undefined
  echoWindow: number
  produced: number
  consumed: number
  /** Producers at work. */
  producing: number
  isConsuming: boolean
  isComplete: boolean
  end: 'clean' | 'left' | 'error' | undefined
  readonly troubles: number
}

/** One watch, and the messages of the watched actor to its watcher. */
export interface WatchRecord {
  /** The node of the watcher. */
  readonly node: number
  /** The ids of both nodes, where they are two. */
  readonly between: readonly [watcher: string, watched: string] | undefined
  /** Ends of sessions of the two when it began. */
  readonly troubles: number
  /** Whether there is somebody to watch. */
  isBegun: boolean
  messages: number
  forwarded: number
  endings: number
  isUnreachable: boolean
}

/** Errors that say that a node, a session or an actor is over. */
const ENDINGS = new Set(['unreachable', 'session_reset', 'actor_stopped'])

export class Books {
  handlersAlive = 0
  /** Asks that wait to be given up, and the node whose actor waits. */
  readonly waiting = new Map<number, number>()
  readonly #world: World
  readonly #lanes = new Map<string, Lane>()
  readonly #asks = new Map<number, AskRecord>()
  readonly #streams = new Map<number, StreamRecord>()
  readonly #watches = new Map<number, WatchRecord>()

  constructor(world: World) {
    this.#world = world
  }

  violate(text: string): void {
    this.#world.violate(text)
  }

  /** Ends of sessions and of nodes so far that concern two nodes: with none in between, nothing may fail. */
  troubles(a: string, b: string): number {
    const deaths = this.#world.nodes.filter(({ isLive, nodeId }) => !isLive && (nodeId === a || nodeId === b)).length
    return deaths + this.#world.sessions.endings(a, b)
  }

  /** An error that only a session, a node or an actor that is over can explain. */
  failed(what: string, error: unknown): void {
    if (!isPulsingError(error) || !(ENDINGS.has(error.code) || error.code === 'timeout'))
      this.violate(`12 outcome: expected ${what} to fail because something ended, got ${String(error)}`)
  }

  // Tells

  /** The next tell of its lane; settles when it was taken or refused. */
  async tell(
    to: ActorRef,
    name: string,
    from: number,
    pad: Uint8Array | undefined,
    ctx?: ActorContext,
    mayEnd = false,
  ): Promise<void> {
    let lane = this.#lanes.get(name)
    if (!lane) {
      lane = { name, from, to: to.nodeId, tells: [], lastHandled: 0, mayEnd }
      this.#lanes.set(name, lane)
    }
    const { sessions } = this.#world
    const n = lane.tells.length + 1
    sessions.lastSent = undefined
    const message = pad ? [name, n, pad] : [name, n]
    const telling = ctx ? ctx.tell(to, message) : to.tell(message)
    const record: TellRecord = { n, session: sessions.lastSent, state: 'pending', isHandled: false }
    lane.tells.push(record)
    try {
      await telling
      record.state = 'taken'
    } catch (error) {
      record.state = 'refused'
      if (isPulsingError(error, 'actor_stopped') && !this.#world.node(from).isLive) return
      if (!isPulsingError(error, 'unreachable') && !isPulsingError(error, 'session_reset'))
        this.violate(`12 outcome: expected a tell to be taken, or refused with UnreachableError, got ${String(error)}`)
      else if ((error as { outcome?: string }).outcome !== 'not-sent')
        this.violate(`12 outcome: expected a tell that is refused not to be sent, got ${String(error)}`)
      if (record.isHandled) this.violate(`12 outcome: expected a refused tell not to be handled, got ${name} ${n}`)
    }
  }

  tellHandled(name: string, n: number): void {
    const lane = this.#lanes.get(name)
    const record = lane?.tells[n - 1]
    if (!lane || !record) {
      this.violate(`2 duplicate: expected a tell that was sent, got ${name} ${n}`)
      return
    }
    if (record.isHandled) this.violate(`2 duplicate: expected ${name} ${n} once, got it again`)
    else if (n < lane.lastHandled) this.violate(`1 order: expected a tell after ${name} ${lane.lastHandled}, got ${n}`)
    if (record.state === 'refused')
      this.violate(`12 outcome: expected a refused tell not to be handled, got ${name} ${n}`)
    record.isHandled = true
    lane.lastHandled = Math.max(lane.lastHandled, n)
  }

  #verifyLane({ name, from, to, tells, mayEnd }: Lane): void {
    const [sender, receiver] = [this.#world.node(from), this.#world.nodes.find(({ nodeId }) => nodeId === to)]
    const unsettled = tells.find(({ state }) => state === 'pending')
    if (unsettled && !sender.hasCrashed)
      this.violate(`10 drain: expected every tell to settle, got ${name} ${unsettled.n} pending`)
    const missing = new Set<number>()
    for (const { n, session, state, isHandled } of tells) {
      if (session === undefined || state === 'refused') continue
      if (isHandled && missing.has(session))
        this.violate(`1 order: expected a session to lose nothing but its end, got ${name} ${n} after a gap`)
      if (isHandled) continue
      missing.add(session)
      if (!sender.isLive || !receiver?.isLive || mayEnd) continue
      if (!this.#world.sessions.isOver(sender.nodeId, to, session))
        this.violate(`3 reset: expected ${name} ${n} to arrive, its session goes on, got it lost`)
    }
  }

  // Asks

  /** Asks, and checks the outcome; undefined when it failed as it may. */
  async ask(
    from: SimNode,
    to: ActorRef,
    id: number,
    request: unknown,
    options: { timeout: number; signal?: AbortSignal },
  ): Promise<unknown> {
    const { clock, sessions } = this.#world
    const before = this.troubles(from.nodeId, to.nodeId)
    sessions.lastSent = undefined
    const asking = to.ask(request, options)
    const record: AskRecord = {
      id,
      from: from.index,
      to: to.nodeId,
      timeoutMs: options.timeout,
      sentAt: clock.now(),
      session: sessions.lastSent,
      handled: 0,
      outcome: undefined,
    }
    this.#asks.set(id, record)
    try {
      const reply = await asking
      this.#settled(record, 'answered')
      return reply
    } catch (error) {
      this.#settled(record, this.#outcomeOf(error, record, options.signal, before, from))
      return undefined
    }
  }

  #outcomeOf(
    error: unknown,
    record: AskRecord,
    signal: AbortSignal | undefined,
    before: number,
    from: SimNode,
  ): string {
    if (signal?.aborted && error === signal.reason) return 'given up'
    if (!isPulsingError(error)) {
      this.violate(`12 outcome: expected a PulsingError, got ${String(error)}`)
      return 'failed'
    }
    if (error.code === 'timeout') return 'timeout'
    const isTroubled = this.troubles(from.nodeId, record.to) > before
    if (!ENDINGS.has(error.code))
      this.violate(`12 outcome: expected an ask to be answered, or to end for a reason, got ${error}`)
    else if (!isTroubled && record.session !== undefined && from.isLive)
      this.violate(`12 outcome: expected an ask of a session that goes on to be answered, got ${error}`)
    return (error as { outcome?: string }).outcome ?? error.code
  }

  #settled(record: AskRecord, outcome: string): void {
    const { clock } = this.#world
    this.#world.note('ask', `${record.id} ${outcome}`)
    record.outcome = outcome
    const tookMs = clock.now() - record.sentAt
    if (tookMs > record.timeoutMs + 1)
      this.violate(`12 outcome: expected ask ${record.id} to settle within ${record.timeoutMs} ms, got ${tookMs}`)
    if (outcome === 'timeout' && tookMs < record.timeoutMs - 1)
      this.violate(`12 outcome: expected ask ${record.id} to wait ${record.timeoutMs} ms, got ${tookMs}`)
    this.#checkHandled(record)
  }

  askHandled(id: number): void {
    const record = this.#asks.get(id)
    if (!record) {
      this.violate(`2 duplicate: expected an ask that was sent, got ${id}`)
      return
    }
    record.handled++
    this.#checkHandled(record)
  }

  #checkHandled({ id, handled, outcome }: AskRecord): void {
    if (handled > 1) this.violate(`2 duplicate: expected ask ${id} to be handled once, got ${handled} times`)
    if (outcome === 'not-sent' && handled > 0)
      this.violate(`12 outcome: expected ask ${id}, not sent, not to be handled, got it handled`)
  }

  // Streams

  openStream(
    id: number,
    from: string,
    to: string,
    options: Pick<StreamRecord, 'count' | 'window' | 'pauseMs' | 'takes'>,
  ): StreamRecord {
    const record: StreamRecord = {
      id,
      from,
      to,
      ...options,
      echo: undefined,
      echoWindow: 1,
      produced: 0,
      consumed: 0,
      producing: 0,
      isConsuming: false,
      isComplete: false,
      end: undefined,
      troubles: this.troubles(from, to),
    }
    this.#streams.set(id, record)
    return record
  }

  /** Whether a stream is not over at one of its ends. */
  get isStreaming(): boolean {
    for (const { producing, isConsuming, end } of this.#streams.values())
      if (producing > 0 || (isConsuming && end === undefined)) return true
    return false
  }

  stream(id: number): StreamRecord {
    return this.#streams.get(id)!
  }

  produced(stream: StreamRecord, ahead = 1): void {
    stream.produced++
    if (stream.produced - stream.consumed > stream.window + ahead)
      this.violate(
        `10 credit: expected at most ${stream.window} items ahead of the consumer, got ${stream.produced - stream.consumed} in stream ${stream.id}`,
      )
  }

  /** Writes the items of a stream; settles when it is over at this end. */
  async write(
    writer: StreamWriter<unknown>,
    stream: StreamRecord,
    pauseMs: number,
    pad: Uint8Array | undefined,
  ): Promise<void> {
    stream.producing++
    try {
      for (let i = 1; i <= stream.count; i++) {
        await writer.write(pad ? [i, pad] : [i])
        this.produced(stream, 0)
        if (pauseMs > 0) await this.#world.clock.sleep(pauseMs)
      }
      await writer.close()
      stream.isComplete = true
    } catch (error) {
      if (!isPulsingError(error, 'stream_closed'))
        this.violate(`12 outcome: expected a write to fail with StreamClosedError, got ${String(error)}`)
    } finally {
      stream.producing--
    }
  }

  /** Reads a stream; how many items there were. */
  async read(reader: StreamReader<readonly [number, ...unknown[]]>, stream: StreamRecord): Promise<number> {
    const { clock } = this.#world
    stream.isConsuming = true
    try {
      for await (const [n] of reader) {
        this.#consumed(stream, n)
        if (stream.consumed === stream.takes) {
          stream.end = 'left'
          break
        }
        if (stream.pauseMs > 0) await clock.sleep(stream.pauseMs)
      }
      if (stream.end === undefined) this.#cleanEnd(stream)
    } catch (error) {
      this.#errorEnd(stream, error)
    }
    this.#world.note('stream', `${stream.id} ${stream.end} ${stream.consumed}`)
    return stream.consumed
  }

  /** Answers a stream with another, item by item. */
  async echo(
    reader: StreamReader<readonly [number, ...unknown[]]>,
    stream: StreamRecord,
    writer: StreamWriter<unknown>,
    echo: StreamRecord,
  ): Promise<void> {
    let isListening = true
    stream.isConsuming = true
    try {
      for await (const [n] of reader) {
        this.#consumed(stream, n)
        try {
          await writer.write([n])
        } catch {
          isListening = false
          stream.end = 'left'
          break
        }
        this.produced(echo, 0)
      }
      if (isListening) {
        this.#cleanEnd(stream)
        await writer.close()
        echo.isComplete = true
      }
    } catch (error) {
      this.#errorEnd(stream, error)
      await writer.fail(error)
    }
  }

  #consumed(stream: StreamRecord, n: number): void {
    if (n !== stream.consumed + 1)
      this.violate(
        `${n <= stream.consumed ? '2 duplicate' : '1 order'}: expected item ${stream.consumed + 1} of stream ${stream.id}, got ${n}`,
      )
    stream.consumed++
  }

  #cleanEnd(stream: StreamRecord): void {
    stream.end = 'clean'
    if (stream.consumed !== stream.count)
      this.violate(
        `1 order: expected ${stream.count} items before the end of stream ${stream.id}, got ${stream.consumed}`,
      )
  }

  #errorEnd(stream: StreamRecord, error: unknown): void {
    stream.end = 'error'
    this.failed(`stream ${stream.id}`, error)
    if (isPulsingError(error, 'timeout')) return
    if ((error as { outcome?: string }).outcome === 'not-sent' && stream.consumed === 0) return
    const { from, to, troubles } = stream
    if (this.troubles(from, to) === troubles && this.#isAlive(from) && this.#isAlive(to))
      this.violate(`10 drain: expected stream ${stream.id} to go on, its session does, got ${String(error)}`)
  }

  #isAlive(nodeId: string): boolean {
    return this.#world.nodes.some((node) => node.nodeId === nodeId && node.isLive)
  }

  // Watches

  watch(id: number): WatchRecord {
    return this.#watches.get(id)!
  }

  openWatch(id: number, node: number, between?: readonly [watcher: string, watched: string]): void {
    const troubles = between ? this.troubles(...between) : 0
    this.#watches.set(id, {
      node,
      between,
      troubles,
      isBegun: false,
      messages: 0,
      forwarded: 0,
      endings: 0,
      isUnreachable: false,
    })
  }

  /** A message of the watched actor has come. */
  reported(watch: WatchRecord): void {
    if (watch.endings > 0 && !watch.isUnreachable)
      this.violate('4 watch: expected nothing after Terminated, got a message')
    watch.messages++
  }

  /** The watched actor has ended, says the news. */
  terminated(watch: WatchRecord, reason: string): void {
    watch.endings++
    watch.isUnreachable = reason === 'unreachable'
    if (watch.endings > 1) this.violate(`4 watch: expected one Terminated, got ${watch.endings}`)
    const isTroubled = watch.between !== undefined && this.troubles(...watch.between) > watch.troubles
    if (isTroubled) return
    if (watch.isUnreachable) this.violate('4 watch: expected an end of a reachable actor, got one that is unreachable')
    if (watch.messages !== watch.forwarded)
      this.violate(`4 watch: expected Terminated after ${watch.forwarded} messages, got it after ${watch.messages}`)
  }

  /** Says what is wrong now that everything has come to rest. @param pending asks that wait for nothing but to be given up */
  verify(pending: ReadonlyMap<number, readonly [from: SimNode, to: SimNode]>): void {
    for (const lane of this.#lanes.values()) this.#verifyLane(lane)
    for (const { id, outcome, from, sentAt } of this.#asks.values()) {
      if (outcome === undefined && !pending.has(id) && !this.#world.node(from).hasCrashed)
        this.violate(`12 outcome: expected every ask to settle, got ask ${id} of ${sentAt} ms pending`)
    }
    for (const [id, [from, to]] of pending) {
      if (from.isLive && to.isLive && !this.waiting.has(id))
        this.violate(
          `3 reset: expected ask ${id} to be waited for at ${to.index}${to.host} too, its caller waits, got nobody`,
        )
    }
    for (const [id, index] of this.waiting) {
      const record = this.#asks.get(id)!
      if (record.outcome !== undefined && this.#world.node(index).isLive && this.#world.node(record.from).isLive)
        this.violate(
          `3 reset: expected the handler of ask ${id}, ${record.outcome}, to be told, got it waiting at ${index}`,
        )
    }
    for (const { id, from, to, producing, isConsuming, end, consumed, produced } of this.#streams.values()) {
      if (!this.#isAlive(from) || !this.#isAlive(to)) continue
      if (producing > 0)
        this.violate(`10 drain: expected the producer of stream ${id} to end, got it waiting after ${produced} items`)
      if (isConsuming && end === undefined)
        this.violate(
          `10 drain: expected the consumer of stream ${id} to end, got it waiting after ${consumed} of ${produced} items`,
        )
    }
    for (const { node, isBegun, endings } of this.#watches.values()) {
      if (isBegun && endings === 0 && this.#world.node(node).isLive)
        this.violate('4 watch: expected one Terminated, got none')
    }
  }
}

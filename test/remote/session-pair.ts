/**
 * Two sessions and the wire between them, in the hands of the test: what either sends lies on the wire, as bytes, until
 * the test delivers, loses, doubles or reorders it. Ways come and go, time is a clock the test moves.
 */

import { deferred } from '../../src/base/deferred.ts'
import { type PulsingError, UnreachableError } from '../../src/base/errors.ts'
import type { Attachments } from '../../src/link/connection.ts'
import type { Link } from '../../src/link/link.ts'
import { Session, type SessionOwner } from '../../src/remote/session.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { FRAME, Frame, MAX_HOPS } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'

/** One frame on the wire. */
export interface Packet {
  readonly from: Side
  readonly frame: Frame
  readonly bytes: Uint8Array
}

export interface WayOptions {
  /** The neighbour on the way; the peer itself by default. */
  readonly hop?: string
  readonly diesWithPeer?: boolean
  readonly maxFrameBytes?: number
}

/** As much of a link as a session sees. */
export class Way {
  readonly nodeId: string
  readonly diesWithPeer: boolean
  readonly maxFrameBytes: number
  /** What the platform throws at the next frame with objects. */
  refuses: Error | undefined
  readonly #side: Side
  #room: ReturnType<typeof deferred<void>> | undefined

  constructor(side: Side, { hop, diesWithPeer = false, maxFrameBytes = 16 * 1024 * 1024 }: WayOptions = {}) {
    this.#side = side
    this.nodeId = hop ?? side.other.self
    this.diesWithPeer = diesWithPeer
    this.maxFrameBytes = maxFrameBytes
  }

  /** One side has said goodbye. */
  isEnding = false

  get isBlocked(): boolean {
    return this.#room !== undefined
  }
  whenWritable(): Promise<void> {
    return this.#room?.promise ?? Promise.resolve()
  }
  block(): void {
    this.#room ??= deferred()
  }
  unblock(): void {
    this.#room?.resolve()
    this.#room = undefined
  }

  send(frame: Frame, attachments?: Attachments): boolean {
    if (attachments && this.refuses) throw this.refuses
    const writer = new FrameWriter()
    writer.write(frame)
    this.#side.put(this, writer.take(), attachments?.values)
    return !this.isBlocked
  }

  sendKept(chunk: Uint8Array, start: number, end: number): boolean {
    this.#side.put(this, chunk.slice(start, end), undefined)
    return !this.isBlocked
  }
}

/** The end of a session, as its owner is told. */
export interface End {
  /** The number of the session that is over. */
  readonly number: number
  readonly error: PulsingError
  readonly sent: number
}

/** One node of the two. */
export class Side implements SessionOwner {
  readonly self: string
  readonly clock: ManualClock
  readonly pair: SessionPair
  session: Session
  other!: Side
  way: Way | undefined
  isFull = false
  keptBytes = 0
  maxKeptBytes = 0
  readonly delivered: string[] = []
  readonly ends: End[] = []
  /** Called with every frame delivered, after it was noted. */
  onDeliver: (frame: Frame) => void = () => undefined
  onEnded: (end: End) => void = () => undefined
  #numbers = 0
  #live = 0

  constructor(self: string, pair: SessionPair) {
    this.self = self
    this.pair = pair
    this.clock = pair.clock
    this.session = undefined as unknown as Session
  }

  begin(): void {
    this.session = new Session(this.other.self, this)
  }

  link(): Link | undefined {
    return this.way as unknown as Link | undefined
  }

  nextSession(): number {
    return ++this.#numbers
  }

  kept(bytes: number): void {
    this.keptBytes += bytes
    this.maxKeptBytes = Math.max(this.maxKeptBytes, this.keptBytes)
  }

  deliver(frame: Frame): void {
    this.delivered.push(frame.type)
    this.onDeliver(frame)
  }

  ended(error: PulsingError, sent: number): void {
    const end = { number: this.#live || 1, error, sent }
    this.#live = this.#numbers
    this.ends.push(end)
    this.onEnded(end)
  }

  put(way: Way, bytes: Uint8Array, attachments: readonly unknown[] | undefined): void {
    const frame = read(bytes, attachments)
    const [to, from] = way.nodeId === this.other.self ? ['', ''] : [this.other.self, this.self]
    if (frame.to !== to || frame.from !== from || frame.hops !== (to === '' ? 0 : MAX_HOPS))
      throw new RangeError(`expected a frame for ${to || 'the neighbour'}, got one for ${frame.to || 'the neighbour'}`)
    this.pair.put({ from: this, bytes, frame })
  }

  /** Sends a message called `text`, with so many bytes in it; undefined if it was not. */
  tell(
    text: string,
    { bytes = 0, attachments }: { bytes?: number; attachments?: Attachments } = {},
  ): boolean | undefined {
    const frame = Object.assign(new Frame(), { kind: FRAME.tell, type: text, payload: new Uint8Array(bytes) })
    return this.session.send(frame, attachments)
  }

  /** Answers something the other asked, with so many bytes. */
  answer(text: string, bytes = 0): boolean | undefined {
    const frame = Object.assign(new Frame(), { kind: FRAME.reply, type: text, payload: new Uint8Array(bytes) })
    return this.session.send(frame)
  }

  /** Sends a part of something large. */
  part(bytes = 0): boolean | undefined {
    return this.session.send(Object.assign(new Frame(), { kind: FRAME.part, payload: new Uint8Array(bytes) }))
  }

  lose(graceMs = 60_000): void {
    // As a link does when it is over.
    this.way?.unblock()
    this.way = undefined
    this.session.lose(new UnreachableError('no way'), graceMs)
  }

  /** There is a way again, or another one. */
  find(options?: WayOptions): Way {
    this.way?.unblock()
    this.way = new Way(this, options)
    this.session.resume()
    return this.way
  }
}

export class SessionPair {
  readonly clock = new ManualClock()
  readonly a: Side
  readonly b: Side
  /** What was sent and not yet delivered or lost. */
  wire: Packet[] = []
  /** Everything ever sent. */
  readonly sent: Packet[] = []

  constructor(options?: WayOptions) {
    this.a = new Side('a'.repeat(22), this)
    this.b = new Side('b'.repeat(22), this)
    this.a.other = this.b
    this.b.other = this.a
    for (const side of [this.a, this.b]) {
      side.way = new Way(side, options)
      side.begin()
    }
  }

  put(packet: Packet): void {
    this.wire.push(packet)
    this.sent.push(packet)
  }

  /** Delivers one packet, which need not lie on the wire any more. */
  deliver({ from, bytes, frame }: Packet): void {
    const { session, way } = from.other
    session.receive(read(bytes, frame.attachments), frame.from !== '' || !way?.diesWithPeer)
  }

  /** Delivers everything, in order, and what is sent meanwhile, until the wire is empty. */
  flush(): void {
    for (let packet = this.wire.shift(); packet !== undefined; packet = this.wire.shift()) this.deliver(packet)
  }

  /** Loses everything on the wire. */
  drop(): Packet[] {
    return this.wire.splice(0)
  }

  /** Lets time pass in small steps, delivering everything in between. */
  pass(ms: number, stepMs = 50): void {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.flush()
      this.clock.advance(Math.min(stepMs, ms - passed))
    }
    this.flush()
  }

  /** Both lose their way. */
  cut(graceMs?: number): void {
    for (const side of [this.a, this.b]) side.lose(graceMs)
  }

  /** Both have a way again. */
  heal(options?: WayOptions): void {
    for (const side of [this.a, this.b]) side.find(options)
  }

  /** What was sent since the last call, in a few words each. */
  log(): string[] {
    return this.sent.splice(0).map(({ from, frame }) => `${from === this.a ? 'a' : 'b'}: ${describeFrame(frame)}`)
  }

  /** What `side` sent since the last call; what the other did is forgotten too. */
  logOf(side: Side): string[] {
    return this.sent
      .splice(0)
      .filter(({ from }) => from === side)
      .map(({ frame }) => describeFrame(frame))
  }
}

function read(bytes: Uint8Array, attachments: readonly unknown[] | undefined): Frame {
  const reader = new FrameReader()
  reader.open(bytes)
  const frame = new Frame()
  reader.next(frame)
  frame.attachments = attachments
  return frame
}

/** A frame in a few words. */
export function describeFrame({ kind, session, seq, id, count, flags, type }: Frame): string {
  switch (kind) {
    case FRAME.ack:
      return `ack of ${id} to ${count}${flags === 1 ? ', again' : ''}`
    case FRAME.probe:
      return `probe of ${session}`
    case FRAME.reset:
      return `reset of ${id}`
    default:
      return `${type} ${session}/${seq}`
  }
}

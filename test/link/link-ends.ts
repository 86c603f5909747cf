/** Links under test, in memory and on a clock the test moves; and raw connections that speak the protocol by hand. */
import type { Auth } from 'pulsing'
import type { Clock } from '../../src/base/clock.ts'
import { deferred } from '../../src/base/deferred.ts'
import type { PulsingError } from '../../src/base/errors.ts'
import { newId } from '../../src/base/ids.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import type { Connection } from '../../src/link/connection.ts'
import { encodeHello, type Hello } from '../../src/link/hello.ts'
import { Link, type LinkHandler } from '../../src/link/link.ts'
import { ManualClock } from '../../src/testkit/manual-clock.ts'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { FRAME, Frame, PROTOCOL_VERSION } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'

/** Things that happen, and the promise of the next one or of the n-th. */
export class Happenings<T> {
  readonly all: T[] = []
  #waiting: { readonly count: number; readonly resolve: () => void }[] = []

  add(item: T): void {
    this.all.push(item)
    const ready = this.#waiting.filter(({ count }) => this.all.length >= count)
    this.#waiting = this.#waiting.filter(({ count }) => this.all.length < count)
    for (const { resolve } of ready) resolve()
  }

  /** Settles when `count` have happened; all so far. */
  async atLeast(count: number): Promise<readonly T[]> {
    if (this.all.length < count) {
      const { promise, resolve } = deferred<void>()
      this.#waiting.push({ count, resolve: () => resolve() })
      await promise
    }
    return this.all
  }
}

/** A link and everything it told its owner. */
export class LinkEnd implements LinkHandler {
  readonly link: Link
  readonly nodeId: string
  readonly frames = new Happenings<Frame>()
  readonly events: string[] = []
  readonly suspensions: string[] = []
  readonly #opened = deferred<Link>()
  readonly #over = deferred<PulsingError | undefined>()
  /** Settles when the link opens; rejects when it fails to. */
  readonly whenOpen: Promise<Link> = this.#opened.promise
  /** Settles with the error of the end, clean or not, open or not. */
  readonly whenOver: Promise<PulsingError | undefined> = this.#over.promise

  constructor(
    connection: Connection,
    clock: Clock,
    options: {
      auth?: Auth | undefined
      kind?: 'relay' | 'leaf'
      serial?: number
      isAccepted?: boolean
      awareness?: { readonly slack: number }
    } = {},
  ) {
    const { auth, kind = 'leaf', serial = 1, isAccepted = false, awareness } = options
    this.nodeId = newId()
    this.whenOpen.catch(() => undefined)
    this.link = new Link(connection, this, {
      transport: 'memory',
      auth,
      clock,
      isAccepted,
      awareness,
      hello: { nodeId: this.nodeId, kind, features: ['f1'], serial },
    })
  }

  opened(link: Link): void {
    this.events.push('opened')
    this.#opened.resolve(link)
  }
  received(_link: Link, frame: Frame): void {
    this.frames.add(frame.clone())
  }
  drained(): void {}
  suspended(_link: Link, isSuspended: boolean): void {
    this.suspensions.push(isSuspended ? 'suspended' : 'awake')
  }
  closed(_link: Link, error: PulsingError | undefined): void {
    this.events.push('closed')
    this.#over.resolve(error)
  }
  failed(_link: Link, error: PulsingError): void {
    this.events.push('failed')
    this.#opened.reject(error)
    this.#over.resolve(error)
  }
}

export interface PairOptions {
  readonly a?: Auth
  readonly b?: Auth
  readonly windowBytes?: number
  readonly diesWithPeer?: boolean
}

/** Two links over one connection, each with a count of its own. */
export function linkPair({ a, b, windowBytes, diesWithPeer }: PairOptions = {}): {
  clock: ManualClock
  a: LinkEnd
  b: LinkEnd
} {
  const clock = new ManualClock()
  const [near, far] = memoryPair(windowBytes === undefined ? {} : { windowBytes })
  if (diesWithPeer) for (const connection of [near, far]) Object.assign(connection, { diesWithPeer })
  return {
    clock,
    a: new LinkEnd(near, clock, { auth: a, serial: 7 }),
    b: new LinkEnd(far, clock, { auth: b, serial: 3 }),
  }
}

/** The other end of a link, played by the test: whole batches in, frames and batches out. */
export class RawEnd {
  readonly batches = new Happenings<Uint8Array>()
  readonly frames = new Happenings<Frame>()
  readonly #over = deferred<PulsingError | undefined>()
  readonly whenOver: Promise<PulsingError | undefined> = this.#over.promise
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
    connection.open({
      received: (batch) => {
        this.batches.add(batch.slice())
        const reader = new FrameReader()
        const frame = new Frame()
        reader.open(batch)
        while (reader.next(frame)) this.frames.add(frame.clone())
      },
      drained: () => undefined,
      closed: (error) => this.#over.resolve(error),
    })
  }

  send(batch: Uint8Array): void {
    this.#connection.send(batch)
  }
  close(): void {
    this.#connection.close()
  }
  abort(): void {
    this.#connection.abort()
  }
}

/** A link whose other end the test plays. */
export function linkToRaw(auth?: Auth): { clock: ManualClock; end: LinkEnd; raw: RawEnd } {
  const clock = new ManualClock()
  const [near, far] = memoryPair()
  return { clock, raw: new RawEnd(far), end: new LinkEnd(near, clock, { auth }) }
}

/** The bytes of frames, given by kind and fields. */
export function batch(...frames: readonly (Partial<Frame> & { readonly kind: number })[]): Uint8Array {
  const writer = new FrameWriter()
  for (const fields of frames) writer.write(Object.assign(new Frame(), fields))
  return writer.take()
}

export function helloPayload(changes: Partial<Hello> = {}): Uint8Array {
  return encodeHello({
    nodeId: newId(),
    kind: 'leaf',
    versions: [PROTOCOL_VERSION, PROTOCOL_VERSION],
    features: [],
    token: undefined,
    serial: 1,
    ...changes,
  })
}

/** The batch a well-behaved neighbour begins with. */
export function hello(changes: Partial<Hello> = {}): Uint8Array {
  return batch({ kind: FRAME.hello, payload: helloPayload(changes) })
}

export const welcome = (): Uint8Array => batch({ kind: FRAME.welcome })

/** Lets a turn of the event loop pass: everything in memory that is underway arrives. */
export async function turn(times = 4): Promise<void> {
  for (let i = 0; i < times; i++) await new Promise<void>((resolve) => macrotask(resolve))
}

/** {@link linkPair}, open. */
export async function openPair(options?: PairOptions): Promise<ReturnType<typeof linkPair>> {
  const pair = linkPair(options)
  await Promise.all([pair.a.whenOpen, pair.b.whenOpen])
  return pair
}

/** {@link linkToRaw}, open. */
export async function openToRaw(): Promise<{ clock: ManualClock; end: LinkEnd; raw: RawEnd }> {
  const ends = linkToRaw()
  ends.raw.send(hello())
  ends.raw.send(welcome())
  await ends.end.whenOpen
  await turn()
  return ends
}

export const tell = (type: string, bytes = 0): Frame =>
  Object.assign(new Frame(), { kind: FRAME.tell, actor: 'x', type, payload: new Uint8Array(bytes) })

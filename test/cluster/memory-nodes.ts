/** Whole nodes inside one process, linked in memory, every batch in sight of the test; and a neighbour played by hand. */
import {
  type ActorSystem,
  type Connection,
  type ConnectionHandler,
  createActorSystem,
  type Peer,
  type PulsingError,
  SystemConfig,
  type SystemEvents,
  type Transport,
  UnreachableError,
} from 'pulsing'
import { deferred } from '../../src/base/deferred.ts'
import { newId } from '../../src/base/ids.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import { encodeUpdates } from '../../src/cluster/update.ts'
import { encodeHello } from '../../src/link/hello.ts'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { FRAME, Frame, PROTOCOL_VERSION } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'

/** One end of a connection as an endpoint for `connect`. */
class End {
  constructor(readonly connection: Connection) {}
}

/** For links made by hand. */
export const byHand: Transport = {
  name: 'by-hand',
  handles: (endpoint) => endpoint instanceof End,
  dial: (endpoint) => Promise.resolve((endpoint as End).connection),
}

export const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

export class Nodes {
  readonly #systems: ActorSystem[] = []

  /** A node that can be linked by hand. */
  async start(config: SystemConfig = SystemConfig.standalone()): Promise<ActorSystem> {
    const system = await createActorSystem(config.withLogger(QUIET).withTransports(byHand))
    this.#systems.push(system)
    return system
  }

  async stop(): Promise<void> {
    await Promise.all(this.#systems.splice(0).map((system) => system.shutdown()))
  }
}

export interface Cable {
  /** The link as `a` and as `b` see it. */
  readonly peers: readonly [Peer, Peer]
  /** Every frame that passed, as sent by `a` and by `b`. */
  readonly passed: readonly [Frame[], Frame[]]
  /** Breaks it, as a pulled plug would. */
  cut(): void
  /** Breaks it so that only `a` sees it, as when an address changes: `b` is told nothing, and nothing passes any more. */
  cutUnseen(): void
}

/** Links two nodes; settles when each knows all the other knows. */
export async function link(a: ActorSystem, b: ActorSystem): Promise<Cable> {
  const [near, far] = memoryPair()
  const passed: [Frame[], Frame[]] = [[], []]
  const state = { isDead: false, seenByA: (_error: PulsingError): void => undefined }
  const ends = [tapped(near, passed[0], state), tapped(far, passed[1], state)] as const
  const open = ends[0].open
  ends[0].open = (handler) => {
    state.seenByA = (error) => handler.closed(error)
    open(handler)
  }
  const peers = await connect(a, b, ends)
  const cutUnseen = (): void => {
    state.isDead = true
    state.seenByA(new UnreachableError('cut, and only this side knows'))
  }
  return { peers, passed, cut: () => near.abort('cut'), cutUnseen }
}

/** Links two nodes by the two ends of a connection; settles when each knows all the other knows. */
export function connect(
  a: ActorSystem,
  b: ActorSystem,
  [near, far]: readonly [Connection, Connection],
): Promise<[Peer, Peer]> {
  return Promise.all([a.connect(new End(near)), b.connect(new End(far))])
}

function tapped(connection: Connection, sent: Frame[], state: { readonly isDead: boolean }): Connection {
  let owner: ConnectionHandler | undefined
  /** A dead connection still ends for the side that ends it. */
  const end = (alive: () => void): void => {
    if (!state.isDead) alive()
    else macrotask(() => owner?.closed())
  }
  return {
    maxBatchBytes: connection.maxBatchBytes,
    get waitingBytes() {
      return connection.waitingBytes
    },
    transfers: connection.transfers,
    open: (handler) => {
      owner = handler
      connection.open({
        received: (batch, attachments) => (state.isDead ? undefined : handler.received(batch, attachments)),
        drained: () => handler.drained(),
        closed: (error) => (state.isDead ? undefined : handler.closed(error)),
      })
    },
    send: (batch, attachments) => {
      if (state.isDead) return true
      sent.push(...framesOf(batch))
      return connection.send(batch, attachments)
    },
    close: () => end(() => connection.close()),
    abort: (reason) => end(() => connection.abort(reason)),
  }
}

export function framesOf(batch: Uint8Array): Frame[] {
  const frames: Frame[] = []
  const reader = new FrameReader()
  const frame = new Frame()
  reader.open(batch)
  while (reader.next(frame)) frames.push(frame.clone())
  return frames
}

/** A neighbour that speaks the protocol and does as the test says. */
export class Puppet {
  readonly nodeId: string
  readonly received: Frame[] = []
  readonly #connection: Connection
  readonly #over = deferred<void>()
  readonly #waiting: { readonly isIt: (frame: Frame) => boolean; readonly resolve: (frame: Frame) => void }[] = []
  readonly over: Promise<void> = this.#over.promise
  isOver = false

  constructor(connection: Connection, kind: 'relay' | 'leaf', nodeId: string = newId()) {
    this.nodeId = nodeId
    this.#connection = connection
    connection.open({
      received: (batch) => {
        for (const frame of framesOf(batch)) {
          this.received.push(frame)
          for (const entry of this.#waiting) if (entry.isIt(frame)) entry.resolve(frame)
        }
      },
      drained: () => undefined,
      closed: () => {
        this.isOver = true
        this.#over.resolve()
      },
    })
    const payload = encodeHello({
      nodeId: this.nodeId,
      kind,
      versions: [PROTOCOL_VERSION, PROTOCOL_VERSION],
      features: [],
      token: undefined,
      serial: 1,
    })
    this.send({ kind: FRAME.hello, payload })
    this.send({ kind: FRAME.welcome })
  }

  send(fields: Partial<Frame> & { readonly kind: number }): void {
    const writer = new FrameWriter()
    writer.write(Object.assign(new Frame(), fields))
    this.#connection.send(writer.take())
  }

  sendBytes(batch: Uint8Array): void {
    this.#connection.send(batch)
  }

  /** The first frame, past or future, that is it. */
  when(isIt: (frame: Frame) => boolean): Promise<Frame> {
    const found = this.received.find(isIt)
    if (found) return Promise.resolve(found)
    const { promise, resolve } = deferred<Frame>()
    this.#waiting.push({ isIt, resolve })
    return promise
  }

  close(): void {
    this.#connection.close()
  }
}

/** A puppet as neighbour of a node; settles when the node says it is linked. */
export async function puppet(
  system: ActorSystem,
  kind: 'relay' | 'leaf' = 'leaf',
  seenAs: (near: Connection) => Connection = (near) => near,
  ownId?: string,
): Promise<Puppet> {
  const [near, far] = memoryPair()
  const { promise, resolve } = deferred<void>()
  const off = system.on('linkOpened', () => resolve())
  const played = new Puppet(far, kind, ownId)
  // A puppet never says that it told all it knows: the link may end before this settles.
  system.connect(new End(seenAs(near))).catch(() => undefined)
  await promise
  off()
  const { nodeId } = played
  const record = {
    op: 'node',
    nodeId,
    version: 1,
    kind,
    addr: undefined,
    features: [],
    classes: [],
    links: [system.nodeId],
    names: [],
    isHidden: false,
  } as const
  played.send({ kind: FRAME.cluster, payload: encodeUpdates([record, { op: 'synced' }]) })
  return played
}

/** The next event of that name that is it. */
export function event<K extends keyof SystemEvents>(
  system: ActorSystem,
  name: K,
  isIt: (event: SystemEvents[K]) => boolean = () => true,
): Promise<SystemEvents[K]> {
  return new Promise((resolve) => {
    const off = system.on(name, (happened) => {
      if (!isIt(happened)) return
      off()
      resolve(happened)
    })
  })
}

export const memberIds = (system: ActorSystem): Set<string> => new Set(system.members().map(({ nodeId }) => nodeId))

/** Real nodes over real WebSockets on loopback, ended after each test; and sockets that speak no protocol at all. */
import { createServer } from 'node:net'
import {
  Actor,
  type ActorSystem,
  createActorSystem,
  type Member,
  type Message,
  SystemConfig,
  type SystemEvents,
} from 'pulsing'
import { type Relay, type RelayOptions, startRelay } from 'pulsing/node'
import { WebSocket } from 'ws'

export const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

export class Systems {
  readonly #running: { shutdown(): Promise<void> }[] = []

  async start(config: SystemConfig = SystemConfig.standalone()): Promise<ActorSystem> {
    return this.own(await createActorSystem(config.withLogger(QUIET)))
  }

  /** A leaf of these seeds. */
  leaf(...seeds: readonly string[]): Promise<ActorSystem> {
    return this.start(SystemConfig.withSeeds(seeds))
  }

  async relay(options: RelayOptions = {}): Promise<Relay> {
    const relay = await startRelay({ port: 0, logger: QUIET, ...options })
    this.own(relay.system)
    return relay
  }

  own<T extends { shutdown(): Promise<void> }>(system: T): T {
    this.#running.push(system)
    return system
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((system) => system.shutdown()))
  }
}

/** A port nobody listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
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

/** Settles when `other` is a member that can be reached, in the eyes of `system`. */
export async function joined(system: ActorSystem, other: { readonly nodeId: string }): Promise<void> {
  const isOther = ({ member }: { readonly member: Member }): boolean =>
    member.nodeId === other.nodeId && member.status === 'online'
  if (system.members().some((member) => isOther({ member }))) return
  await Promise.race([event(system, 'memberJoined', isOther), event(system, 'memberUpdated', isOther)])
}

/** Settles when no way leads to a member any more, in the eyes of `system`. */
export async function away(system: ActorSystem, nodeId: string): Promise<Member> {
  const isAway = ({ member }: { readonly member: Member }): boolean =>
    member.nodeId === nodeId && (member.status === 'unreachable' || member.status === 'detached')
  const known = system.members().find((member) => isAway({ member }))
  return known ?? (await event(system, 'memberUpdated', isAway)).member
}

/** Settles when `other` is no member any more in the eyes of `system`. */
export async function left(system: ActorSystem, nodeId: string): Promise<void> {
  if (!memberIds(system).has(nodeId)) return
  await event(system, 'memberLeft', ({ member }) => member.nodeId === nodeId)
}

export const memberIds = (system: ActorSystem): Set<string> => new Set(system.members().map((member) => member.nodeId))
/** Of members that can be reached. */
export const onlineIds = (system: ActorSystem): Set<string> =>
  new Set(system.members().flatMap(({ nodeId, status }) => (status === 'online' ? [nodeId] : [])))
export const ids = (...systems: readonly ActorSystem[]): Set<string> => new Set(systems.map(({ nodeId }) => nodeId))

export const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )

/** Answers with what it was sent. */
export class Echo extends Actor {
  receive(msg: Message): unknown {
    return msg.msgType === '' ? msg.toObject() : msg
  }
}

/** Answers only when it is given up. */
export class Slow extends Actor {
  readonly #started: () => void
  constructor(started: () => void = () => undefined) {
    super()
    this.#started = started
  }
  receive(_msg: Message, ctx: { readonly signal: AbortSignal }): unknown {
    this.#started()
    return new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve(undefined)))
  }
}

/** A WebSocket nobody taught the protocol; settles when it is open. */
export async function rawSocket(url: string): Promise<{ socket: WebSocket; closed: Promise<number> }> {
  const socket = new WebSocket(url)
  socket.on('error', () => undefined)
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  await new Promise((resolve) => socket.once('open', resolve))
  return { socket, closed }
}

/** Real nodes on loopback, whose ways to their relay lead through proxies in the hands of the test. */
import { type ActorSystem, createActorSystem, SystemConfig } from 'pulsing'
import { nodeWebSocket } from 'pulsing/node'
import type { Connection } from '../../src/link/connection.ts'
import { QUIET } from '../system/systems.ts'
import { TcpProxy } from './tcp-proxy.ts'
import { witnessOf } from './witness.ts'

/** Leaves come back as soon as they may. */
export const PROMPT = SystemConfig.standalone().withRandom({ float: () => 0 })

interface Configs {
  readonly relay: SystemConfig
  readonly a: SystemConfig
  readonly b: SystemConfig
}

export class Network {
  readonly #systems: ActorSystem[] = []
  readonly #proxies: TcpProxy[] = []

  /** A relay; `config` says what is special about it. */
  async relay(config: SystemConfig = PROMPT): Promise<ActorSystem & { readonly addr: string }> {
    const relay = await this.start(config.withAddr('ws://127.0.0.1:0'))
    return relay as ActorSystem & { readonly addr: string }
  }

  async proxy(url: string): Promise<TcpProxy> {
    const proxy = await TcpProxy.before(url)
    this.#proxies.push(proxy)
    return proxy
  }

  /** A leaf of the first of these that lets it in. */
  leaf(urls: string | readonly string[], config: SystemConfig = PROMPT): Promise<ActorSystem> {
    return this.start(config.withSeeds([urls].flat()))
  }

  async start(config: SystemConfig): Promise<ActorSystem> {
    const system = await createActorSystem(config.withLogger(QUIET))
    this.#systems.push(system)
    return system
  }

  /** Two leaves of one relay, each behind a proxy of its own, each with a witness that the other knows. */
  async pair({ relay: ofRelay = PROMPT, a: ofA = PROMPT, b: ofB = PROMPT }: Partial<Configs> = {}) {
    const relay = await this.relay(ofRelay)
    const [nearA, nearB] = [await this.proxy(relay.addr), await this.proxy(relay.addr)]
    const [a, b] = [await this.leaf(nearA.url, ofA), await this.leaf(nearB.url, ofB)]
    const [witnessA, atA] = await witnessOf(a, b)
    const [witnessB, atB] = await witnessOf(b, a)
    return { relay, a, b, nearA, nearB, witnessA, witnessB, atA, atB }
  }

  /** Two relays, linked through a proxy, and two leaves that know both, each through proxies of its own; and a witness on each leaf. */
  async square(config: SystemConfig = PROMPT) {
    const first = await this.relay()
    const between = await this.proxy(first.addr)
    const second = await this.relay(PROMPT.withSeeds([between.url]))
    const [a1, a2] = [await this.proxy(first.addr), await this.proxy(second.addr)]
    const [b1, b2] = [await this.proxy(first.addr), await this.proxy(second.addr)]
    const a = await this.leaf([a1.url, a2.url], config)
    const b = await this.leaf([b2.url, b1.url], config)
    const [witnessA, atA] = await witnessOf(a, b)
    const [witnessB, atB] = await witnessOf(b, a)
    return { first, second, between, a, a1, a2, b, b1, b2, witnessA, atA, witnessB, atB }
  }

  /** Proxies first: who says goodbye need not wait for somebody who cannot hear it. */
  async stop(): Promise<void> {
    await Promise.all(this.#proxies.splice(0).map((proxy) => proxy.close()))
    await Promise.all(this.#systems.splice(0).map((system) => system.shutdown()))
  }
}

/** WebSocket, with a look at how much waits in its connections. */
export class WatchedWebSocket {
  readonly config: SystemConfig
  readonly #connections: Connection[] = []
  #mostWaiting = 0

  constructor(config: SystemConfig = PROMPT) {
    const { dial, listen, ...rest } = nodeWebSocket()
    const watched = (connection: Connection): Connection => this.#watched(connection)
    this.config = config.withTransports({
      ...rest,
      dial: async (endpoint, options) => watched(await dial!(endpoint, options)),
      listen: (address, accept) => listen!(address, (connection) => accept(watched(connection))),
    })
  }

  /** The most bytes that ever waited in one connection, right after something was sent. */
  get mostWaiting(): number {
    return this.#mostWaiting
  }

  #watched(connection: Connection): Connection {
    this.#connections.push(connection)
    const send = connection.send.bind(connection)
    connection.send = (batch, attachments) => {
      const isRoom = send(batch, attachments)
      this.#mostWaiting = Math.max(this.#mostWaiting, connection.waitingBytes)
      return isRoom
    }
    return connection
  }
}

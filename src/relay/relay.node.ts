/**
 * A relay: a node that listens, so that tabs, workers and Node.js processes behind NATs can reach each other through
 * it. It forwards by the head of a frame and never decodes what it forwards.
 */
import type { Server } from 'node:http'
import type { ActorSystem } from '../actor/actor-system.ts'
import type { Logger } from '../actor/system-events.ts'
import { asyncDispose } from '../base/disposal.ts'
import { ConfigError, describe } from '../base/errors.ts'
import { Backbone } from '../cluster/backbone.ts'
import { Upgrades } from '../cluster/upgrades.ts'
import type { ExclusiveNamesOptions, Limits } from '../config.ts'
import { SystemConfig } from '../config.ts'
import type { Auth } from '../link/auth-setting.ts'
import { Network } from '../network.ts'
import { webSocketBothWays } from '../system.node.ts'
import { startSystem } from '../system.ts'
import { messagePort } from '../transport/message-port/message-port-transport.ts'
import { DEFAULT_MAX_CONNECTIONS, listenOn } from '../transport/websocket/listener.node.ts'

/** The address a relay binds unless told otherwise: this machine only. */
export const DEFAULT_RELAY_HOST = '127.0.0.1'
/** The port a relay listens on unless told otherwise. */
export const DEFAULT_RELAY_PORT = 8000

/** Where a relay listens, and whom it lets in. */
export interface RelayOptions {
  /** Address to bind. Default {@link DEFAULT_RELAY_HOST}; `0.0.0.0` for all, and then only `advertise` says which to dial. */
  readonly host?: string
  /** Port to bind, 0 for any free one. Default {@link DEFAULT_RELAY_PORT}. */
  readonly port?: number
  /**
   * An HTTP server of yours to accept WebSockets on, instead of `host` and `port`; an HTTPS server for `wss://`. It
   * must be listening, and stays yours to close.
   */
  readonly server?: Server
  /** The path on that server; without `server` it has no effect. Default `/`. */
  readonly path?: string
  /**
   * Where other relays find this one, if not where it listens, as `SystemConfig.withAdvertisedAddr` takes it. Without a
   * scheme, the scheme is that of `server`, and the path, if there is none, `path`. Default: the bound address.
   *
   * A relay bound to `0.0.0.0` that advertises nothing is dialled as a seed only: it and another such relay are never
   * linked, and reach each other over a third one for as long as that is there. With `seeds`, it warns
   * (`address-not-dialable`) when it starts.
   */
  readonly advertise?: string
  /**
   * Exact origins of the pages that may connect, or `'*'` for all. Programs that send no origin are let through to
   * authentication. Default: pages of `localhost`, `127.0.0.1` and `[::1]` connecting from this machine.
   */
  readonly origins?: readonly string[] | '*'
  /** Most connections at a time; more are refused with 503. Default {@link DEFAULT_MAX_CONNECTIONS}. */
  readonly maxConnections?: number
  /** Addresses of other relays to join, as `SystemConfig.withSeeds` takes them. Default none. */
  readonly seeds?: readonly string[]
  /** Who may link to this relay. Default: everybody `origins` lets through. */
  readonly auth?: Auth
  /**
   * Which nodes are told about the cluster through this relay: other relays and neighbours on this machine, relays alone,
   * all nodes, or none. Default `this-machine`.
   */
  readonly inspect?: Limits['inspect']
  /** Whether those nodes may also stop actors, of this relay and through it of others. Default false. */
  readonly management?: boolean
  /**
   * Whether this relay is the one of its cluster that grants exclusive names, as `SystemConfig.withExclusiveNames` says;
   * an object sets how long for. Default false.
   */
  readonly authority?: boolean | Pick<ExclusiveNamesOptions, 'leaseMs'>
  /** Bounds of the relay's own node, as `SystemConfig.withLimits` takes them. */
  readonly limits?: Partial<Limits>
  /** Where log lines go. Default: the console, warnings and errors only. */
  readonly logger?: Logger
}

/** A running relay. */
export interface Relay extends AsyncDisposable {
  /** The bound address with the real port, whatever is advertised. With host `0.0.0.0` it is none to dial. */
  readonly url: string
  /** The relay's own node, to watch members or to run actors in. */
  readonly system: ActorSystem
  /** Ends the relay: neighbours are told, links end after what was sent has left. */
  close(): Promise<void>
}

/**
 * Starts a relay. Resolves when it listens and, with `seeds`, has joined.
 *
 * @throws ConfigError when an option is wrong or the address cannot be used
 * @throws AuthError, ProtocolError when every seed refused this relay
 * @throws PulsingTimeoutError when its seeds were not joined within `limits.joinTimeoutMs`
 *
 * @example
 * ```ts
 * import { createActorSystem, SystemConfig } from 'pulsing'
 * import { startRelay } from 'pulsing/node'
 *
 * const relay = await startRelay({ port: 0, auth: { token: 'secret' } })
 * const config = SystemConfig.withSeeds([relay.url]).withAuth({ token: 'secret' })
 * const system = await createActorSystem(config)
 * system.members().map(({ kind }) => kind) // ['leaf', 'relay']
 * await system.shutdown()
 * await relay.close()
 * ```
 */
export async function startRelay(options: RelayOptions = {}): Promise<Relay> {
  const {
    host = DEFAULT_RELAY_HOST,
    port = DEFAULT_RELAY_PORT,
    server,
    path,
    advertise,
    origins,
    maxConnections = DEFAULT_MAX_CONNECTIONS,
    seeds,
    auth,
    inspect,
    management,
    authority = false,
    limits,
    logger,
  } = options
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new ConfigError(`expected port as an integer from 0 to 65535, got ${describe(port)}`)
  if (!Number.isSafeInteger(maxConnections) || maxConnections < 1)
    throw new ConfigError(`expected maxConnections as a whole number from 1, got ${describe(maxConnections)}`)
  let config = SystemConfig.withAddr(`ws://${host.includes(':') ? `[${host}]` : host}:${port}`)
  if (advertise !== undefined) {
    config = config.withAdvertisedAddr(advertise)
    if (server) config = config.withAdvertisedAddr(advertisedOn(server, path, advertise))
  }
  if (seeds) config = config.withSeeds(seeds)
  if (auth) config = config.withAuth(auth)
  if (authority !== false)
    config = config.withExclusiveNames(
      typeof authority === 'object' ? { ...authority, authority: true } : { authority },
    )
  if (limits) config = config.withLimits(limits)
  if (inspect !== undefined) config = config.withLimits({ inspect })
  if (management !== undefined) config = config.withLimits({ management })
  if (logger) config = config.withLogger(logger)
  const listening = origins === undefined ? { maxConnections } : { maxConnections, origins }
  const webSocket = webSocketBothWays(listening)
  const onServer = server && { ...listening, ...(path === undefined ? {} : { path }) }
  const transport = onServer
    ? {
        ...webSocket,
        listen: async (_: string, accept: Parameters<typeof listenOn>[1]) => listenOn(server, accept, onServer),
      }
    : webSocket
  const system = await startSystem(
    config,
    (runtime, settings) => new Network(runtime, settings, [transport, messagePort()], { Backbone, Upgrades }),
  )
  const close = (): Promise<void> => system.shutdown()
  return { url: system.addr!, system, close, [asyncDispose]: close }
}

/** An advertised address with what it leaves out as the server has it. */
function advertisedOn(server: Server, serverPath: string | undefined, advertise: string): string {
  if (advertise.includes('://')) return advertise
  const [, place = '', path = serverPath ?? ''] = /^([^/]*)(\/.*)?$/.exec(advertise) ?? []
  const scheme = 'setSecureContext' in server ? 'wss' : 'ws'
  return `${scheme}://${place}${/:\d+$/.test(place) ? '' : ':0'}${path}`
}

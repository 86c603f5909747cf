/**
 * Direct connections between two nodes over WebRTC data channels, opened with the help of the cluster they already
 * share. Needs an RTCPeerConnection: a page has one, workers and plain Node.js have none.
 */
import { type Clock, systemClock } from '../../base/clock.ts'
import {
  describe,
  OverloadedError,
  PulsingError,
  PulsingUnsupportedError,
  UnreachableError,
} from '../../base/errors.ts'
import type { Connection, DialOptions, Signaling, Transport } from '../../link/connection.ts'
import { ChannelConnection } from './channel-connection.ts'
import { openChannel } from './opening.ts'
import {
  type CreatePeerConnection,
  discard,
  type IceServerLike,
  type RtcConfigurationLike,
  type RtcLike,
} from './rtc-like.ts'

/** How long an attempt to connect may take, if not set otherwise. */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000

/** Direct connections at the same time, if not set otherwise. */
export const DEFAULT_MAX_CONNECTIONS = 16

/** Peer connections in the life of a transport, if not set otherwise. A browser stops at 500 per page, counting dead ones. */
export const DEFAULT_MAX_CREATED = 200

/** What makes a direct connection worth its price, if not set otherwise. */
export const DEFAULT_UPGRADE_AFTER = { messages: 50, bytes: 262_144 } as const

/** Settings of {@link webRTC}. */
export interface WebRtcOptions {
  /** STUN and TURN servers. None by default: then only nodes on one network find each other. */
  readonly iceServers?: readonly IceServerLike[]
  /** Makes a peer connection where the platform has none, or not the wanted one. Default: the page's RTCPeerConnection. */
  readonly createPeerConnection?: CreatePeerConnection
  /** How long an attempt to connect may take, in milliseconds. Default {@link DEFAULT_CONNECT_TIMEOUT_MS}. */
  readonly connectTimeoutMs?: number
  /** Connections and attempts at the same time. Default {@link DEFAULT_MAX_CONNECTIONS}. */
  readonly maxConnections?: number
  /** Connections and attempts in the life of this transport. Default {@link DEFAULT_MAX_CREATED}. */
  readonly maxCreated?: number
  /** Traffic with one node after which a direct connection is tried. Default {@link DEFAULT_UPGRADE_AFTER}. */
  readonly upgradeAfter?: { readonly messages: number; readonly bytes: number }
  /** Time, for tests. */
  readonly clock?: Clock
}

/**
 * A transport for direct connections between leaves. They are opened by themselves, between nodes that both have it and
 * talk enough; nothing dials or listens.
 */
export function webRTC(options: WebRtcOptions = {}): Transport {
  const opener = new Opener(resolve(options))
  return {
    name: 'webrtc',
    handles: () => false,
    negotiation: {
      feature: 'webrtc',
      upgradeAfter: opener.options.upgradeAfter,
      connect: (signaling, connectOptions) => opener.connect(signaling, connectOptions),
    },
  }
}

type ResolvedOptions = Required<WebRtcOptions>

function resolve(options: WebRtcOptions): ResolvedOptions {
  return {
    iceServers: options.iceServers ?? [],
    createPeerConnection: options.createPeerConnection ?? createPlatformPeerConnection,
    connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    maxCreated: options.maxCreated ?? DEFAULT_MAX_CREATED,
    upgradeAfter: options.upgradeAfter ?? DEFAULT_UPGRADE_AFTER,
    clock: options.clock ?? systemClock,
  }
}

/** Opens connections within the limits. */
class Opener {
  readonly options: ResolvedOptions
  #live = 0
  #created = 0

  constructor(options: ResolvedOptions) {
    this.options = options
  }

  async connect(signaling: Signaling, options: DialOptions & { readonly isInitiator: boolean }): Promise<Connection> {
    try {
      options.signal.throwIfAborted()
      return await this.#attempt(signaling, options)
    } catch (error) {
      signaling.send({ gaveUp: true })
      throw error
    }
  }

  async #attempt(signaling: Signaling, options: DialOptions & { readonly isInitiator: boolean }): Promise<Connection> {
    const { clock, connectTimeoutMs: timeoutMs } = this.options
    const released = this.#take()
    let peer: RtcLike | undefined
    try {
      const made = (peer = await this.#create())
      options.signal.throwIfAborted()
      return await openChannel(
        made,
        signaling,
        { ...options, clock, timeoutMs },
        (channel) => new ChannelConnection(channel, { peer: made, clock, released }),
      )
    } catch (error) {
      if (peer) discard(peer)
      released()
      throw error
    }
  }

  async #create(): Promise<RtcLike> {
    try {
      return await this.options.createPeerConnection({
        iceServers: this.options.iceServers.map((server) => ({ ...server })),
      })
    } catch (cause) {
      if (cause instanceof PulsingError) throw cause
      const got = cause instanceof Error ? cause.message : describe(cause)
      throw new UnreachableError(`expected a peer connection from the platform, got: ${got}`, {
        outcome: 'not-sent',
        cause,
      })
    }
  }

  /** Takes a place; the answer gives it back, once. */
  #take(): () => void {
    const { maxConnections, maxCreated } = this.options
    if (this.#live >= maxConnections)
      throw new OverloadedError(`expected at most ${maxConnections} WebRTC connections at a time, got one more`)
    if (this.#created >= maxCreated)
      throw new OverloadedError(`expected at most ${maxCreated} WebRTC connections in the life of a page, got one more`)
    this.#live++
    this.#created++
    let isTaken = true
    return () => {
      if (isTaken) this.#live--
      isTaken = false
    }
  }
}

function createPlatformPeerConnection(configuration: RtcConfigurationLike): RtcLike {
  const { RTCPeerConnection } = globalThis as {
    RTCPeerConnection?: new (configuration: RtcConfigurationLike) => RtcLike
  }
  if (RTCPeerConnection) return new RTCPeerConnection(configuration)
  throw new PulsingUnsupportedError(
    'expected RTCPeerConnection, got none: workers have none (use the transport in the page), Node.js needs createPeerConnection: createNodePeerConnection and the package node-datachannel',
  )
}

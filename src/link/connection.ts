/**
 * What a transport must provide, in the words of its consumer: a way to open connections, and a connection that carries
 * batches of frames both ways. Everything above (handshake, frames, order, credit) is not the transport's
 * business; everything below (sockets, ports, channels) is not ours.
 *
 * `testkit/transport-cases.ts` holds every adapter to this text.
 */
import type { PulsingError } from '../base/errors.ts'

/** Values that travel beside a batch by structured clone, and which of them change owner. Only where `Connection.transfers`. */
export interface Attachments {
  readonly values: readonly unknown[]
  readonly transfer: readonly object[]
}

/** The owner's side of a connection. Calls never overlap and come in the order things happened. */
export interface ConnectionHandler {
  /**
   * Whether the other side is not let in yet: a transport that takes connections from anybody ends one that brings more
   * than a greeting meanwhile. Read again and again; default false.
   */
  readonly isStranger?: boolean
  /** One batch, byte for byte as it was sent, in order. The bytes belong to the handler; they may be a view of a larger buffer. */
  received(batch: Uint8Array, attachments?: readonly unknown[]): void
  /** After a `send` that answered false: there is room again. */
  drained(): void
  /** The platform at the other end answered a `probe`, whatever its program does. */
  alive?(): void
  /** The connection is over. Called exactly once, last, whoever ended it; `error` is missing after a clean close by either side. */
  closed(error?: PulsingError): void
}

/** One pipe to one other side: reliable and in order while it lives, silent about why it died. */
export interface Connection {
  /** The largest batch `send` takes, in bytes. */
  readonly maxBatchBytes: number
  /** Whether `send` takes attachments. */
  readonly transfers: boolean
  /**
   * Whether this pipe ends when one of its sides does, and not before, as a port inside a browser or a process; a network
   * may lose a connection while both sides live. Default false.
   */
  readonly diesWithPeer?: boolean
  /**
   * Whether the other side is known to be a program of this machine, or a page of it that this machine serves. Default
   * false: it may be anywhere.
   */
  readonly isFromThisMachine?: boolean
  /**
   * Whether `send` only reads the batch, until it has left, so that the sender may keep the bytes as well. Default false:
   * they belong to the connection, which may hand them over.
   */
  readonly onlyReads?: boolean
  /** Bytes sent that have not left, or not been taken, yet; as far as the platform tells. */
  readonly waitingBytes: number
  /** Starts delivery. Called once. Whatever arrived before is delivered first, never dropped, and never inside this call. */
  open(handler: ConnectionHandler): void
  /**
   * Sends one batch. Ownership of the bytes passes to the connection, unless it {@link onlyReads}. The batch is always taken; the answer is
   * "may I continue?": after false the caller waits for `drained`. After the end it does nothing and answers false.
   */
  send(batch: Uint8Array, attachments?: Attachments): boolean
  /** Asks the platform at the other end for a sign of life; see `alive`. Only where there is one that answers by itself. */
  probe?(): void
  /** Ends the connection after what was sent has left. */
  close(): void
  /** Ends the connection now; what was not sent yet is lost. */
  abort(reason?: string): void
}

export interface DialOptions {
  /** Gives up dialling. */
  readonly signal: AbortSignal
  /** For windows: the origin the other side must have. */
  readonly targetOrigin?: string | undefined
}

/** Messages between two nodes that want a direct connection, carried in order by the cluster they already share. */
export interface Signaling {
  /** A plain-data signal to the other side. */
  send(signal: unknown): void
  /** Registers the receiver of the other side's signals; earlier ones are delivered first. Called once. */
  onSignal(listener: (signal: unknown) => void): void
}

/** A factory of connections. Has at least one of the three ways. */
export interface Transport {
  /** A word for logs and errors: `websocket`, `message-port`, `webrtc`. */
  readonly name: string
  /** Whether `dial` understands this endpoint. */
  handles(endpoint: unknown): boolean
  /**
   * Opens a connection to an endpoint.
   *
   * @throws UnreachableError (`outcome: 'not-sent'`) when nobody answers there
   */
  dial?(endpoint: unknown, options: DialOptions): Promise<Connection>
  /**
   * Accepts connections at an address until the listener is closed.
   *
   * @throws ConfigError when the address cannot be used
   */
  listen?(address: string, accept: (connection: Connection) => void): Promise<Listener>
  /** Opens a direct connection to a node both sides already reach through the cluster. */
  negotiation?: Negotiation
}

/** Where a transport accepts connections. */
export interface Listener {
  /** The bound address with its real port. Others dial it, unless it stands for all addresses of this machine. */
  readonly address: string
  /** Stops accepting. Connections already open stay. */
  close(): Promise<void>
}

/** How a transport makes direct connections between two nodes that talk through others. */
export interface Negotiation {
  /** Both sides must offer the same feature for an upgrade to be tried. */
  readonly feature: string
  /** Messages to one peer, or bytes, after which a direct connection is worth its price. */
  readonly upgradeAfter: { readonly messages: number; readonly bytes: number }
  /** One attempt. Both sides call it, exactly one with `isInitiator`. Rejects when no direct connection is possible. */
  connect(signaling: Signaling, options: DialOptions & { readonly isInitiator: boolean }): Promise<Connection>
}

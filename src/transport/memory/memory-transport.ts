/**
 * Connections inside one process, for tests and for several nodes in one program. Nothing is copied: batches and
 * attachments are handed over by reference, so a sender that keeps writing to what it sent is seen by the receiver, and
 * transferred objects are not detached.
 */
import { ConfigError, describe, UnreachableError } from '../../base/errors.ts'
import { macrotask } from '../../base/macrotask.ts'
import type { Connection, Listener, Transport } from '../../link/connection.ts'
import { MemoryConnection } from './memory-connection.ts'

const PREFIX = 'memory://'

/** Bytes a side may have sent and the other not yet taken before `send` answers false, unless told otherwise. */
export const DEFAULT_WINDOW_BYTES: number = 1024 * 1024

export interface MemoryOptions {
  /** Default {@link DEFAULT_WINDOW_BYTES}. */
  readonly windowBytes?: number
}

/** Addresses of the form `memory://name`, known to the transports of one network and to nobody else. */
export interface MemoryNetwork {
  /** A transport that listens and dials in this network; each node takes its own. */
  transport(): Transport
}

export function memoryNetwork(options: MemoryOptions = {}): MemoryNetwork {
  const listeners = new Map<string, (connection: Connection) => void>()

  const dial = async (endpoint: unknown, signal: AbortSignal): Promise<Connection> => {
    if (!isMemoryAddress(endpoint))
      throw new ConfigError(`expected an address like ${PREFIX}name, got ${describe(endpoint)}`)
    await new Promise<void>((resolve) => macrotask(resolve))
    signal.throwIfAborted()
    const accept = listeners.get(endpoint)
    if (accept === undefined)
      throw new UnreachableError(`expected a listener at ${endpoint}, got none`, { outcome: 'not-sent' })
    const [near, far] = memoryPair(options)
    accept(far)
    return near
  }

  const listen = async (address: string, accept: (connection: Connection) => void): Promise<Listener> => {
    if (!isMemoryAddress(address))
      throw new ConfigError(`expected an address like ${PREFIX}name, got ${describe(address)}`)
    if (listeners.has(address))
      throw new ConfigError(`expected a free address, got one that is already in use: ${address}`)
    listeners.set(address, accept)
    return { address, close: async () => void listeners.delete(address) }
  }

  return {
    transport: () => ({
      name: 'memory',
      handles: isMemoryAddress,
      dial: (endpoint, { signal }) => dial(endpoint, signal),
      listen,
    }),
  }
}

/** Two connected ends. */
export function memoryPair(options: MemoryOptions = {}): [Connection, Connection] {
  return MemoryConnection.pair(options.windowBytes ?? DEFAULT_WINDOW_BYTES)
}

function isMemoryAddress(endpoint: unknown): endpoint is string {
  return typeof endpoint === 'string' && endpoint.startsWith(PREFIX) && endpoint.length > PREFIX.length
}

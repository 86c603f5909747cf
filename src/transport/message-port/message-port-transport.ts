/**
 * Message ports as a transport: between a page and its workers, frames and shared workers, and between threads of
 * Node.js. Both sides dial, in any order and at any time; there is nothing to listen at.
 */
import { ConfigError, describe } from '../../base/errors.ts'
import type { Connection, DialOptions, Transport } from '../../link/connection.ts'
import type { MeetingPoint } from './endpoint.ts'
import { isEndpoint, meetingPoint } from './endpoint.ts'
import { LifeLock } from './life-lock.ts'
import { PortConnection } from './port-connection.ts'
import { rendezvous } from './rendezvous.ts'

export interface MessagePortOptions {
  /**
   * For windows: the origin the other side must have, exactly, or `'*'` for any. Default: our own origin.
   */
  readonly targetOrigin?: string
  /** Tells several connections over one worker or window apart: both sides must give the same name. Default: none. */
  readonly name?: string
}

/**
 * Dials a MessagePort, a Worker, a SharedWorker, a frame's `contentWindow`, `window.parent`, the `self` of a worker, or
 * `parentPort` of `node:worker_threads`; the other side must dial its end of the same. A bare port belongs to the
 * connection from then on. All others stay free for the application's own messages, which should not mind a few objects
 * with a property `pulsing` before the connection has a channel of its own.
 */
export function messagePort(options: MessagePortOptions = {}): Transport {
  return {
    name: 'message-port',
    handles: isEndpoint,
    async dial(endpoint: unknown, { signal, targetOrigin }: DialOptions): Promise<Connection> {
      const point = meetingPoint(endpoint, targetOrigin ?? options.targetOrigin)
      if (point === undefined)
        throw new ConfigError(
          `expected a MessagePort, Worker, SharedWorker, window of a frame, or a worker's own scope, got ${describe(endpoint)}`,
        )
      return await connect(point, { name: options.name ?? '', signal })
    },
  }
}

async function connect(point: MeetingPoint, options: { name: string; signal: AbortSignal }): Promise<Connection> {
  const ownLife = new LifeLock()
  try {
    const life = await ownLife.hold()
    return await rendezvous(point, { ...options, life }, ({ port, theirLife }) => {
      const connection = new PortConnection(port, ownLife)
      ownLife.watch(theirLife, point.sharesStorage, () => connection.otherSideDied())
      return connection
    })
  } catch (error) {
    ownLife.release()
    throw error
  }
}

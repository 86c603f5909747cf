/**
 * Somebody who looks at a cluster through one of its relays, and is no member of it: the system actors there answer,
 * nobody else hears of it.
 */

import { setMaxListeners } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { ON_TYPE, SYSTEM_ACTOR } from '../actor/system-names.ts'
import { asyncDispose } from '../base/disposal.ts'
import { PulsingTimeoutError, UnreachableError } from '../base/errors.ts'
import { SystemConfig } from '../config.ts'
import { Message } from '../message/message.ts'
import { Network } from '../network.ts'
import { startSystem } from '../system.ts'
import { webSocket } from '../transport/websocket/websocket-transport.ts'

/** The longest delay a timer takes, in milliseconds: the one that keeps the process alive does nothing when it is due. */
const HELD_MS = 2_147_483_647

/** How long the end of a connection may take, in milliseconds: a node that hangs does not say goodbye. */
const CLOSE_TIMEOUT_MS = 1000

/** How long an observer waits for a connection, and for each answer, unless told otherwise, in milliseconds. */
export const DEFAULT_OBSERVE_TIMEOUT_MS = 10_000

export interface ObserveOptions {
  /** Shown to the relay, which need not show one. Default none. */
  readonly token?: string | undefined
  /** Milliseconds. Default {@link DEFAULT_OBSERVE_TIMEOUT_MS}. */
  readonly timeoutMs?: number
}

/** Keeps its process alive until it is closed: while an ask waits, there may be nothing else to. */
export interface Observer extends AsyncDisposable {
  /** The node that is asked. */
  readonly nodeId: string
  /**
   * Asks that node's system actor.
   *
   * @throws PermissionDeniedError, PulsingTimeoutError
   * @throws UnreachableError when the connection ends, and from then on: it is not made again
   */
  ask(type: string, value?: unknown): Promise<unknown>
  /** Has that node ask another member's. */
  askOn(nodeId: string, type: string, value?: unknown): Promise<unknown>
  close(): Promise<void>
}

/**
 * Connects to the relay, or any node that listens, at an address.
 *
 * @throws UnreachableError, PulsingTimeoutError when nobody answers there
 * @throws AuthError, ProtocolError when it refuses
 */
export async function observe(addr: string, options: ObserveOptions = {}): Promise<Observer> {
  const { token, timeoutMs = DEFAULT_OBSERVE_TIMEOUT_MS } = options
  const silent = (): void => undefined
  let config = SystemConfig.standalone().withLogger({ debug: silent, info: silent, warn: silent, error: silent })
  if (token !== undefined) config = config.withAuth({ token, verify: () => true })
  const system = await startSystem(
    config,
    (runtime, settings) => new Network(runtime, settings, [webSocket()], { isObserver: true }),
  )
  const held = setInterval(silent, HELD_MS)
  const close = async (): Promise<void> => {
    await Promise.race([system.shutdown(), pause(CLOSE_TIMEOUT_MS, undefined, { ref: false })])
    clearInterval(held)
  }
  try {
    const { nodeId, closed } = await within(system.connect(addr), timeoutMs, `connecting to ${addr}`)
    const ended = new AbortController()
    const { signal } = ended
    // All members may be asked at once.
    setMaxListeners(0, signal)
    void closed.then(() =>
      ended.abort(new UnreachableError(`expected ${addr} to stay connected, got the end of the connection`)),
    )
    const core = await system.resolve(SYSTEM_ACTOR, { node: nodeId, timeout: timeoutMs, signal })
    const ask = async (type: string, value?: unknown): Promise<unknown> => {
      const reply = await core.ask(Message.fromObject(type, value), { timeout: timeoutMs, signal })
      return reply.toObject()
    }
    const askOn = (on: string, type: string, value?: unknown): Promise<unknown> =>
      on === nodeId ? ask(type, value) : ask(ON_TYPE, { on, type, value })
    return { nodeId, ask, askOn, close, [asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

async function within<T>(promise: Promise<T>, timeoutMs: number, operation: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PulsingTimeoutError(operation, timeoutMs)), timeoutMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/**
 * Somebody who looks at a cluster through one of its relays, and is no member of it: the system actors there answer,
 * nobody else hears of it.
 */

import { ON_TYPE, SYSTEM_ACTOR } from '../actor/system-names.ts'
import { asyncDispose } from '../base/disposal.ts'
import { PulsingTimeoutError } from '../base/errors.ts'
import { SystemConfig } from '../config.ts'
import { Message } from '../message/message.ts'
import { Network } from '../network.ts'
import { startSystem } from '../system.ts'
import { webSocket } from '../transport/websocket/websocket-transport.ts'

/** How long an observer waits for a connection, and for each answer, unless told otherwise, in milliseconds. */
export const DEFAULT_OBSERVE_TIMEOUT_MS = 10_000

export interface ObserveOptions {
  /** Shown to the relay, which need not show one. Default none. */
  readonly token?: string | undefined
  /** Milliseconds. Default {@link DEFAULT_OBSERVE_TIMEOUT_MS}. */
  readonly timeoutMs?: number
}

export interface Observer extends AsyncDisposable {
  /** The node that is asked. */
  readonly nodeId: string
  /** Asks that node's system actor. @throws PermissionDeniedError, PulsingTimeoutError, UnreachableError */
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
  const close = (): Promise<void> => system.shutdown()
  try {
    const { nodeId } = await within(system.connect(addr), timeoutMs, `connecting to ${addr}`)
    const core = await system.resolve(SYSTEM_ACTOR, { node: nodeId })
    const ask = async (type: string, value?: unknown): Promise<unknown> => {
      const reply = await core.ask(Message.fromObject(type, value), { timeout: timeoutMs })
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

/** Systems in browsers: pages and workers. They dial. The network is loaded when it is first needed. */
import type { ActorSystem } from './actor/actor-system.ts'
import type { SystemConfig } from './config.ts'
import { startSystem } from './system.ts'

/**
 * Starts a node. Resolves when it has joined its seeds, if it has any.
 *
 * @param config default `SystemConfig.standalone()`
 * @throws ConfigError when told to listen
 * @throws AuthError, ProtocolError when every seed refused this node
 * @throws PulsingTimeoutError when its seeds were not joined within the limit `joinTimeoutMs`, by default never
 *
 * @example
 * ```ts
 * import { createActorSystem } from 'pulsing'
 *
 * const page = await createActorSystem()
 * const frame = await createActorSystem()
 * const { port1, port2 } = new MessageChannel()
 * await Promise.all([page.connect(port1), frame.connect(port2)])
 * page.members().length // 2
 * await Promise.all([page.shutdown(), frame.shutdown()])
 * ```
 */
export function createActorSystem(config?: SystemConfig): Promise<ActorSystem> {
  return startSystem(config, async (runtime, settings) =>
    (await import('./network.browser.ts')).makeNetwork(runtime, settings),
  )
}

/** Systems in browsers: pages and workers. They dial. The network is loaded when it is first needed. */
import type { ActorSystem } from './actor/actor-system.ts'
import type { SystemConfig } from './config.ts'
import { startSystem } from './system.ts'

/**
 * Starts a node. Resolves when it has joined its seeds, if it has any.
 *
 * @throws ConfigError when told to listen
 * @throws AuthError, ProtocolError when every seed refused this node
 */
export function createActorSystem(config?: SystemConfig): Promise<ActorSystem> {
  return startSystem(config, async (runtime, settings) =>
    (await import('./network.browser.ts')).makeNetwork(runtime, settings),
  )
}

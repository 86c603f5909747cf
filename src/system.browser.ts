/** Systems in browsers: pages and workers. They dial. */
import type { ActorSystem } from './actor/actor-system.ts'
import type { SystemConfig } from './config.ts'
import { startSystem } from './system.ts'
import { messagePort } from './transport/message-port/message-port-transport.ts'
import { webSocket } from './transport/websocket/websocket-transport.ts'

/**
 * Starts a node. Resolves when it has joined its seeds, if it has any.
 *
 * @throws ConfigError when told to listen
 * @throws AuthError, ProtocolError when every seed refused this node
 */
export function createActorSystem(config?: SystemConfig): Promise<ActorSystem> {
  return startSystem(config, { transports: [webSocket(), messagePort()] })
}

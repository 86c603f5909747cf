/** Systems in Node.js: they can listen on WebSocket. */
import type { ActorSystem } from './actor/actor-system.ts'
import { Backbone } from './cluster/backbone.ts'
import { Upgrades } from './cluster/upgrades.ts'
import type { SystemConfig } from './config.ts'
import type { Transport } from './link/connection.ts'
import { Network } from './network.ts'
import { startSystem } from './system.ts'
import { messagePort } from './transport/message-port/message-port-transport.ts'
import { DialledSocket } from './transport/websocket/dialled-socket.node.ts'
import type { WebSocketListenerOptions } from './transport/websocket/listener.node.ts'
import { webSocketListener } from './transport/websocket/listener.node.ts'
import { webSocket } from './transport/websocket/websocket-transport.ts'

/**
 * Starts a node. Resolves when it listens, if it is to, and has joined its seeds, if it has any.
 *
 * @param config default `SystemConfig.standalone()`
 * @throws ConfigError when the address cannot be listened on
 * @throws AuthError, ProtocolError when every seed refused this node
 * @throws PulsingTimeoutError when its seeds were not joined within the limit `joinTimeoutMs`, by default never
 *
 * @example
 * ```ts
 * import { createActorSystem, SystemConfig } from 'pulsing'
 *
 * const first = await createActorSystem(SystemConfig.withAddr('ws://127.0.0.1:0'))
 * const second = await createActorSystem(SystemConfig.withSeeds([first.addr!]))
 * second.members().length // 2
 * await Promise.all([first.shutdown(), second.shutdown()])
 * ```
 */
export function createActorSystem(config?: SystemConfig): Promise<ActorSystem> {
  return startSystem(
    config,
    (runtime, settings) => new Network(runtime, settings, [webSocketBothWays(), messagePort()], { Backbone, Upgrades }),
  )
}

/**
 * WebSocket as Node.js has it, dialling and listening: for `SystemConfig.withTransports`, to listen with other options.
 */
export function webSocketBothWays(options: WebSocketListenerOptions = {}): Transport {
  const { listen } = webSocketListener(options)
  const { maxBatchBytes } = options
  const dialling = webSocket({ WebSocket: DialledSocket, ...(maxBatchBytes === undefined ? {} : { maxBatchBytes }) })
  return { ...dialling, ...(listen ? { listen } : {}) }
}

/** What a network is made of in browsers. A chunk of its own: see `system.browser.ts`. */
import type { ActorRuntime } from './actor/actor-runtime.ts'
import { followPage } from './cluster/page-life.ts'
import type { Settings } from './config.ts'
import { Network } from './network.ts'
import { messagePort } from './transport/message-port/message-port-transport.ts'
import { webSocket } from './transport/websocket/websocket-transport.ts'

export async function makeNetwork(runtime: ActorRuntime, settings: Settings): Promise<Network> {
  // A page listens, and is linked directly, by transports of the user's only.
  const parts = {
    ...(settings.addr !== undefined && (await import('./cluster/backbone.ts'))),
    ...(settings.transports.some(({ negotiation }) => negotiation) && (await import('./cluster/upgrades.ts'))),
  }
  return new Network(runtime, settings, [webSocket(), messagePort()], { ...parts, follow: followPage })
}

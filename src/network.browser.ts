/** What a network is made of in browsers. A chunk of its own: see `system.browser.ts`. */
import type { ActorRuntime } from './actor/actor-runtime.ts'
import { followPage } from './cluster/page-life.ts'
import type { Settings } from './config.ts'
import { Network } from './network.ts'
import { messagePort } from './transport/message-port/message-port-transport.ts'
import { webSocket } from './transport/websocket/websocket-transport.ts'

export async function makeNetwork(runtime: ActorRuntime, settings: Settings): Promise<Network> {
  // A page listens by a transport of the user's only.
  const relay = settings.addr === undefined ? {} : await import('./cluster/backbone.ts')
  return new Network(runtime, settings, [webSocket(), messagePort()], { ...relay, follow: followPage })
}

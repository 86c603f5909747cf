/** `pulsing/node`: what only Node.js can do. */
export type { Relay, RelayOptions } from '../relay/relay.node.ts'
export { DEFAULT_RELAY_HOST, DEFAULT_RELAY_PORT, startRelay } from '../relay/relay.node.ts'
export { webSocketBothWays as nodeWebSocket } from '../system.node.ts'
export { createNodePeerConnection } from '../transport/webrtc/peer-connection.node.ts'
export type { WebSocketListenerOptions } from '../transport/websocket/listener.node.ts'

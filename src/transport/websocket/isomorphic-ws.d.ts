/**
 * isomorphic-ws, stated structurally: the package's own types are those of `ws`, which pull Node.js globals into
 * programs that must compile without them.
 */
import type { WebSocketConstructor } from './web-socket-like.ts'

/** Null or missing where the platform has no WebSocket. */
declare const WebSocketClass: WebSocketConstructor | null | undefined
export default WebSocketClass

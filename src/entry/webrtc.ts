/** `pulsing/webrtc`: direct connections between nodes that reach each other through a relay. */
export type { CreatePeerConnection, IceServerLike, RtcLike } from '../transport/webrtc/rtc-like.ts'
export type { WebRtcOptions } from '../transport/webrtc/webrtc-transport.ts'
export {
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MAX_CREATED,
  DEFAULT_UPGRADE_AFTER,
  webRTC,
} from '../transport/webrtc/webrtc-transport.ts'

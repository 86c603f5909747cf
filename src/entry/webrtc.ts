/** `pulsing/webrtc`: direct connections between nodes that reach each other through a relay. */
export type { WebRtcOptions } from '../transport/webrtc/webrtc-transport.ts'
export { webRTC } from '../transport/webrtc/webrtc-transport.ts'

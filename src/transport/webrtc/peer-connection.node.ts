/** RTCPeerConnection for Node.js, from the optional package node-datachannel: the only file that knows it. */
import { describe, PulsingUnsupportedError } from '../../base/errors.ts'
import type { RtcConfigurationLike, RtcLike } from './rtc-like.ts'

/**
 * A peer connection for `webRTC({ createPeerConnection: createNodePeerConnection })`. Loads the package on first use.
 *
 * @throws PulsingUnsupportedError when the package, or its binary for this platform, is missing
 */
export async function createNodePeerConnection(configuration: RtcConfigurationLike): Promise<RtcLike> {
  const { RTCPeerConnection } = await load()
  return new RTCPeerConnection(configuration)
}

interface Polyfill {
  readonly RTCPeerConnection: new (configuration: RtcConfigurationLike) => RtcLike
}

async function load(): Promise<Polyfill> {
  try {
    return (await import('node-datachannel/polyfill')) as unknown as Polyfill
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : describe(cause)
    throw new PulsingUnsupportedError(
      `expected the optional package node-datachannel to be installed (npm install node-datachannel), got: ${got}`,
      { cause },
    )
  }
}

/**
 * The part of the platform's WebRTC this adapter uses, stated structurally: a browser's RTCPeerConnection, the one of
 * node-datachannel and a fake in a test all fit. Not a wrapper: nothing here exists at run time.
 */

/** An event handler property; compares parameters loosely, as the platforms declare them differently. */
type HandlerProperty<E> = { handle(event: E): void }['handle'] | null

/** A STUN or TURN server. */
export interface IceServerLike {
  urls: string | string[]
  username?: string
  credential?: string
}

export interface RtcConfigurationLike {
  iceServers: IceServerLike[]
}

export interface DescriptionLike {
  readonly type: 'offer' | 'answer' | 'pranswer' | 'rollback'
  readonly sdp?: string
}

export interface CandidateLike {
  readonly candidate: string
  readonly sdpMid: string | null
  readonly sdpMLineIndex: number | null
  readonly usernameFragment: string | null
}

export interface DataChannelLike {
  binaryType: string
  readonly readyState: string
  readonly bufferedAmount: number
  bufferedAmountLowThreshold: number
  send(data: Uint8Array<ArrayBuffer>): void
  close(): void
  onopen: HandlerProperty<unknown>
  onmessage: HandlerProperty<{ readonly data: unknown }>
  onbufferedamountlow: HandlerProperty<unknown>
  onclose: HandlerProperty<unknown>
}

export interface DataChannelInitLike {
  readonly negotiated: boolean
  readonly id: number
  readonly ordered: boolean
}

/** An RTCPeerConnection. */
export interface RtcLike {
  readonly connectionState: string
  createDataChannel(label: string, init: DataChannelInitLike): DataChannelLike
  createOffer(): Promise<DescriptionLike>
  createAnswer(): Promise<DescriptionLike>
  setLocalDescription(description: DescriptionLike): Promise<void>
  setRemoteDescription(description: DescriptionLike): Promise<void>
  addIceCandidate(candidate: CandidateLike): Promise<void>
  close(): void
  onicecandidate: HandlerProperty<{ readonly candidate: CandidateLike | null }>
  onconnectionstatechange: HandlerProperty<unknown>
}

/** Makes one peer connection. May load what it needs first. */
export type CreatePeerConnection = (configuration: RtcConfigurationLike) => RtcLike | Promise<RtcLike>

/** Closes a peer connection and forgets its handlers, without which a browser neither frees nor stops counting it. */
export function discard(peer: RtcLike): void {
  peer.onicecandidate = peer.onconnectionstatechange = null
  peer.close()
}

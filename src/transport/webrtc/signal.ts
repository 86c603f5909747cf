/**
 * What the two sides of an opening tell each other through the cluster, as plain data. A signal comes from the network:
 * its shape and sizes are checked before any of it reaches the platform.
 */
import { describe, ProtocolError } from '../../base/errors.ts'
import type { CandidateLike } from './rtc-like.ts'

/** A session description, an ICE candidate, or the word that this side stopped trying. */
export type Signal =
  | { readonly description: { readonly type: 'offer' | 'answer'; readonly sdp: string } }
  | { readonly candidate: CandidateLike }
  | { readonly gaveUp: true }

/** The longest session description taken, in characters. One for a single data channel has about 600. */
export const MAX_SDP_LENGTH = 16_384

/** The longest candidate taken, in characters. */
export const MAX_CANDIDATE_LENGTH = 1024

/** @throws ProtocolError when `value` is not a signal */
export function parseSignal(value: unknown): Signal {
  if (own(value, 'gaveUp') === true) return { gaveUp: true }
  const description = own(value, 'description')
  if (description !== undefined) {
    const type = own(description, 'type')
    if (type !== 'offer' && type !== 'answer') throw refused('an offer or answer', type)
    return { description: { type, sdp: text(own(description, 'sdp'), MAX_SDP_LENGTH) } }
  }
  const candidate = own(value, 'candidate')
  if (candidate === undefined) throw refused('a description, a candidate or gaveUp', value)
  return { candidate: parseCandidate(candidate) }
}

function parseCandidate(value: unknown): CandidateLike {
  const line = own(value, 'sdpMLineIndex') ?? null
  if (line !== null && !(Number.isInteger(line) && (line as number) >= 0 && (line as number) < 256))
    throw refused('a line index', line)
  return {
    candidate: text(own(value, 'candidate'), MAX_CANDIDATE_LENGTH),
    sdpMid: textOrNull(own(value, 'sdpMid')),
    sdpMLineIndex: line as number | null,
    usernameFragment: textOrNull(own(value, 'usernameFragment')),
  }
}

/** The plain data of a platform's candidate. */
export function candidateSignal({ candidate, sdpMid, sdpMLineIndex, usernameFragment }: CandidateLike): Signal {
  return { candidate: { candidate, sdpMid, sdpMLineIndex, usernameFragment: usernameFragment ?? null } }
}

function own(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}

function textOrNull(value: unknown): string | null {
  return value === undefined || value === null ? null : text(value, MAX_CANDIDATE_LENGTH)
}

function text(value: unknown, maxLength: number): string {
  if (typeof value !== 'string' || value.length > maxLength)
    throw refused(`text of at most ${maxLength} characters`, value)
  return value
}

function refused(expected: string, got: unknown): ProtocolError {
  return new ProtocolError(`expected ${expected} in a WebRTC signal, got ${describe(got)}`)
}

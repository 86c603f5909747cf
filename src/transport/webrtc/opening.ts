/**
 * One attempt to open a data channel: offer, answer and candidates through signaling, until the channel is open or
 * nothing more can come of it. It does not close the peer connection: whoever made that does.
 *
 * Signals are worked off one after the other, and candidates that come before the remote description wait for it.
 */
import type { Clock } from '../../base/clock.ts'
import { deferred, SETTLED } from '../../base/deferred.ts'
import { ProtocolError, PulsingError, UnreachableError } from '../../base/errors.ts'
import type { Signaling } from '../../link/connection.ts'
import type { CandidateLike, DataChannelLike, RtcLike } from './rtc-like.ts'
import { candidateSignal, parseSignal, type Signal } from './signal.ts'

/** Candidates taken from the other side; more are ignored. */
export const MAX_CANDIDATES = 64

/** The channel's number, known to both sides beforehand, so that neither has to announce it. */
const CHANNEL = { negotiated: true, id: 0, ordered: true } as const

export interface OpeningOptions {
  readonly isInitiator: boolean
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly clock: Clock
}

/**
 * Opens the channel and answers what `use` makes of it, called in the turn it opens.
 *
 * @throws UnreachableError (`outcome: 'not-sent'`) when no direct connection is possible, or not in time
 * @throws ProtocolError when the other side's signals make no sense
 */
export async function openChannel<T>(
  peer: RtcLike,
  signaling: Signaling,
  options: OpeningOptions,
  use: (channel: DataChannelLike) => T,
): Promise<T> {
  const { isInitiator, signal, timeoutMs, clock } = options
  const result = deferred<T>()
  let isOver = false
  let isDescribed = false
  let work = SETTLED
  let candidatesTaken = 0
  let held: CandidateLike[] = []
  let lastProblem: unknown

  const giveUp = (why: string): void =>
    result.reject(
      new UnreachableError(`expected a direct connection, but ${why}`, { outcome: 'not-sent', cause: lastProblem }),
    )
  const createChannel = (): void => {
    const channel = peer.createDataChannel('pulsing', CHANNEL)
    channel.binaryType = 'arraybuffer'
    channel.onclose = () => giveUp('the data channel closed before it opened')
    channel.onopen = () => {
      channel.onopen = channel.onclose = null
      if (!isOver) result.resolve(use(channel))
    }
  }
  const describe = async (type: 'offer' | 'answer'): Promise<void> => {
    const description = await (type === 'offer' ? peer.createOffer() : peer.createAnswer())
    await peer.setLocalDescription(description)
    if (!isOver) signaling.send({ description: { type, sdp: description.sdp ?? '' } })
  }
  const addCandidate = async (candidate: CandidateLike): Promise<void> => {
    if (isOver) return
    try {
      await peer.addIceCandidate(candidate)
    } catch (error) {
      lastProblem = error // one candidate that is no use here is no reason to stop: others may be
    }
  }
  const take = async (message: Signal): Promise<void> => {
    if (isOver) return
    if ('gaveUp' in message) return giveUp('the other side gave up')
    if ('candidate' in message) {
      if (++candidatesTaken > MAX_CANDIDATES) return
      return isDescribed ? addCandidate(message.candidate) : void held.push(message.candidate)
    }
    const { description } = message
    if (isDescribed || (description.type === 'offer') === isInitiator)
      throw new ProtocolError(`expected no ${description.type} now, got one`)
    await peer.setRemoteDescription(description)
    isDescribed = true
    if (isOver) return
    if (!isInitiator) {
      createChannel()
      await describe('answer')
    }
    const waiting = held
    held = []
    for (const candidate of waiting) await addCandidate(candidate)
  }
  const afterwards = (step: () => Promise<void>): void => {
    work = work.then(step).catch((error: unknown) => {
      if (error instanceof PulsingError) return result.reject(error)
      lastProblem = error
      giveUp('the platform refused a step of it')
    })
  }

  const timer = clock.setTimer(
    () => giveUp(`there was none after ${timeoutMs} ms (${peer.connectionState})`),
    timeoutMs,
  )
  const onAbort = (): void => result.reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  peer.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate) signaling.send(candidateSignal(candidate))
  }
  peer.onconnectionstatechange = () => {
    if (peer.connectionState === 'failed' || peer.connectionState === 'closed')
      giveUp(`its state is ${peer.connectionState}`)
  }
  signaling.onSignal((value) => {
    if (!isOver) afterwards(async () => take(parseSignal(value)))
  })
  if (isInitiator) {
    afterwards(async () => {
      createChannel()
      await describe('offer')
    })
  }
  try {
    return await result.promise
  } finally {
    isOver = true
    held = []
    timer.cancel()
    signal.removeEventListener('abort', onAbort)
    peer.onicecandidate = null
  }
}

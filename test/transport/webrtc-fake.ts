/** What the WebRTC tests stand on: a fake RTCPeerConnection moved by hand, a clock moved by hand, and a signaling pair. */

import type { Clock } from '../../src/base/clock.ts'
import type { PulsingError } from '../../src/base/errors.ts'
import { macrotask } from '../../src/base/macrotask.ts'
import type { Connection, ConnectionHandler, Signaling } from '../../src/link/connection.ts'
import type { CandidateLike, DataChannelLike, DescriptionLike, RtcLike } from '../../src/transport/webrtc/rtc-like.ts'

export class FakeChannel implements DataChannelLike {
  binaryType = 'blob'
  readyState = 'connecting'
  bufferedAmount = 0
  highestBufferedAmount = 0
  bufferedAmountLowThreshold = 0
  onopen: (() => void) | null = null
  onmessage: ((event: { readonly data: unknown }) => void) | null = null
  onbufferedamountlow: (() => void) | null = null
  onclose: (() => void) | null = null
  other: FakeChannel | undefined
  readonly queue: Uint8Array[] = []

  send(data: Uint8Array): void {
    if (this.readyState !== 'open') throw new Error('InvalidStateError')
    this.queue.push(data.slice())
    this.bufferedAmount += data.byteLength
    this.highestBufferedAmount = Math.max(this.highestBufferedAmount, this.bufferedAmount)
  }

  close(): void {
    this.readyState = 'closed'
  }

  open(): void {
    this.readyState = 'open'
    this.onopen?.()
  }

  /** Lets the network carry the next message. */
  carry(): boolean {
    const message = this.queue.shift()
    if (message === undefined) return false
    const before = this.bufferedAmount
    this.bufferedAmount -= message.byteLength
    this.other?.arrive(message)
    if (before > this.bufferedAmountLowThreshold && this.bufferedAmount <= this.bufferedAmountLowThreshold) {
      this.onbufferedamountlow?.()
    }
    return true
  }

  arrive(data: unknown): void {
    this.onmessage?.({ data: data instanceof Uint8Array ? data.slice().buffer : data })
  }

  /** The network ends the channel. */
  drop(): void {
    this.readyState = 'closed'
    this.onclose?.()
  }
}

export class FakePeer implements RtcLike {
  connectionState = 'new'
  onicecandidate: ((event: { readonly candidate: CandidateLike | null }) => void) | null = null
  onconnectionstatechange: (() => void) | null = null
  readonly channel = new FakeChannel()
  readonly calls: string[] = []
  isClosed = false
  #hasRemote = false

  createDataChannel(): DataChannelLike {
    this.calls.push('createDataChannel')
    return this.channel
  }
  async createOffer(): Promise<DescriptionLike> {
    return { type: 'offer', sdp: 'offer sdp' }
  }
  async createAnswer(): Promise<DescriptionLike> {
    return { type: 'answer', sdp: 'answer sdp' }
  }
  async setLocalDescription(description: DescriptionLike): Promise<void> {
    this.calls.push(`local ${description.type}`)
    this.onicecandidate?.({ candidate: candidate(`of ${description.type}`) })
    this.onicecandidate?.({ candidate: null })
  }
  async setRemoteDescription(description: DescriptionLike): Promise<void> {
    for (let i = 0; i < 10; i++) await undefined
    this.#hasRemote = true
    this.calls.push(`remote ${description.type}`)
  }
  async addIceCandidate(added: CandidateLike): Promise<void> {
    if (!this.#hasRemote) throw new Error('InvalidStateError')
    if (added.candidate === 'bad') throw new Error('OperationError')
    this.calls.push(`candidate ${added.candidate}`)
  }
  close(): void {
    this.isClosed = true
    this.channel.other?.drop()
  }
  become(state: string): void {
    this.connectionState = state
    this.onconnectionstatechange?.()
  }
}

export function candidate(text: string): CandidateLike {
  return { candidate: text, sdpMid: '0', sdpMLineIndex: 0, usernameFragment: null }
}

/** Two fake peers whose channels are joined. */
export function fakePeers(): [FakePeer, FakePeer] {
  const near = new FakePeer()
  const far = new FakePeer()
  near.channel.other = far.channel
  far.channel.other = near.channel
  return [near, far]
}

/** Lets the network carry all there is, and what is sent in answer. */
export async function settle(...channels: FakeChannel[]): Promise<void> {
  for (let isMoving = true; isMoving; ) {
    await turn()
    isMoving = false
    for (const channel of channels) while (channel.carry()) isMoving = true
  }
}

/** After everything already waiting. */
export function turn(): Promise<void> {
  return new Promise((done) => macrotask(done))
}

export class FakeClock implements Clock {
  #now = 0
  #timers = new Map<object, { at: number; callback: () => void }>()

  now(): number {
    return this.#now
  }
  setTimer(callback: () => void, delayMs: number): { cancel(): void; hold(): void } {
    const timer = { cancel: () => void this.#timers.delete(timer), hold: () => undefined }
    this.#timers.set(timer, { at: this.#now + delayMs, callback })
    return timer
  }
  afterTurn(callback: () => void): void {
    queueMicrotask(callback)
  }
  get size(): number {
    return this.#timers.size
  }
  advance(ms: number): void {
    this.#now += ms
    for (const [timer, { at, callback }] of [...this.#timers]) {
      if (at <= this.#now && this.#timers.delete(timer)) callback()
    }
  }
}

/** Two ends of a signaling path that carries plain data in order. `log` has all of it. */
export function signalingPair(): { near: Signaling; far: Signaling; log: unknown[] } {
  const log: unknown[] = []
  const ends = [0, 1].map(() => ({
    early: [] as unknown[],
    listener: undefined as ((signal: unknown) => void) | undefined,
  }))
  const end = (mine: number): Signaling => ({
    send: (signal) => {
      const copy = structuredClone(signal)
      log.push(copy)
      const other = ends[1 - mine]!
      queueMicrotask(() => (other.listener ? other.listener(copy) : other.early.push(copy)))
    },
    onSignal: (listener) => {
      const { early } = ends[mine]!
      ends[mine]!.listener = listener
      for (const signal of early.splice(0)) listener(signal)
    },
  })
  return { near: end(0), far: end(1), log }
}

/** Writes down what a connection tells its owner. */
export class Recorder implements ConnectionHandler {
  readonly batches: Uint8Array[] = []
  readonly events: string[] = []
  error: PulsingError | undefined
  readonly ended: Promise<void>
  readonly #arrivals: { count: number; resolve: () => void }[] = []
  #resolveEnded!: () => void

  constructor(connection?: Connection) {
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve))
    connection?.open(this)
  }
  received(batch: Uint8Array): void {
    this.batches.push(batch.slice())
    this.events.push(`received ${batch.byteLength}`)
    for (const { count, resolve } of this.#arrivals) if (this.batches.length >= count) resolve()
  }
  drained(): void {
    this.events.push('drained')
  }
  closed(error?: PulsingError): void {
    this.error = error
    this.events.push(error ? `closed ${error.code}` : 'closed')
    this.#resolveEnded()
  }
  /** When `count` batches have arrived. */
  arrived(count: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.batches.length >= count) resolve()
      else this.#arrivals.push({ count, resolve })
    })
  }
}

/** Bytes that differ at every place where chunks could be confused. */
export function pattern(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed) & 255
  return bytes
}

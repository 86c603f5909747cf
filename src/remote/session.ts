/**
 * One pair of nodes, as numbers: what is sent is numbered, kept until the peer has it, and sent again after a loss; what
 * comes is put in order, each frame once, and acknowledged. Links may break and routes may change under it. When it
 * cannot go on it is reset, on both sides: everything pending fails, and nothing of it arrives afterwards.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Deferred } from '../base/deferred.ts'
import { deferred } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import { SessionResetError } from '../base/errors.ts'
import type { Attachments } from '../link/connection.ts'
import type { Link } from '../link/link.ts'
import { ACK_RESEND, FRAME, Frame, MAX_HOPS } from '../wire/frame.ts'
import { FrameReader } from '../wire/frame-reader.ts'
import { SendLog } from './send-log.ts'
import { Sequence } from './sequence.ts'

/** Frames received after which they are acknowledged. */
export const ACK_FRAMES = 32
/** Bytes received after which they are acknowledged: an eighth of what the sender may have on its way. */
export const ACK_BYTES: number = 128 * 1024
/** How long an acknowledgement may wait for more to acknowledge, in milliseconds. */
export const ACK_DELAY_MS = 250
/** How long a gap in what comes may stay open before the peer is asked to close it, in milliseconds. */
export const GAP_DELAY_MS = 250
/** How long a frame may go unacknowledged before the peer is asked what it has, in milliseconds; doubles each time. */
export const PROBE_DELAY_MS = 2_000
/** The longest such wait, in milliseconds. */
export const MAX_PROBE_DELAY_MS = 16_000

/** What a session needs of its pair of nodes. */
export interface SessionOwner {
  readonly clock: Clock
  /** This node. */
  readonly self: string
  /** The link on the way to the peer, if there is a way now. */
  link(): Link | undefined
  /** A number higher than any given out before. */
  nextSession(): number
  /** Bytes of frames were kept, or, below 0, forgotten. */
  kept(bytes: number): void
  /** Whether this node keeps all it can. */
  readonly isFull: boolean
  /** The next frame, in order. Valid only during the call. @throws ProtocolError */
  deliver(frame: Frame): void
  /** The session is over. @param sent the number of the last frame that may have reached the peer */
  ended(error: PulsingError, sent: number): void
}

export class Session {
  readonly #peer: string
  readonly #owner: SessionOwner
  readonly #sequence = new Sequence<Frame>()
  readonly #log = new SendLog()
  readonly #control = new Frame()
  #number: number
  #next = 1
  /** The last frame that left this node. */
  #sent = 0
  /** Set while there is no way to the peer, with why. */
  #lost: PulsingError | undefined
  /** The peer was asked what it has: nothing leaves before it answered. */
  #isResuming = false
  /** The last of our frames the peer has said it has. */
  #acknowledgedTo = 0
  /** The peer never sent anything, and is to learn from our next session that this one is over. */
  #owesProbe = false
  #owedReset: number | undefined
  #framesToAck = 0
  #bytesToAck = 0
  #ackTimer: Timer | undefined
  #gapTimer: Timer | undefined
  #probeTimer: Timer | undefined
  #probeDelayMs = PROBE_DELAY_MS
  #probedAt = 0
  #graceTimer: Timer | undefined
  #room: Deferred<void> | undefined

  constructor(peer: string, owner: SessionOwner) {
    this.#peer = peer
    this.#owner = owner
    this.#number = owner.nextSession()
  }

  /** Its number, new after every reset. */
  get number(): number {
    return this.#number
  }
  /** Whether everything sent has arrived, as far as is known. */
  get isSettled(): boolean {
    return this.#log.size === 0
  }
  /** Whether there is no way to the peer now, and the session waits for one. */
  get isWaiting(): boolean {
    return this.#lost !== undefined
  }
  /** The number of the frame sent last. */
  get last(): number {
    return this.#next - 1
  }

  /** Settles when more can be sent, or nothing any more; undefined when it can be now. */
  whenWritable(): Promise<void> | undefined {
    if (this.#isHeld) {
      this.#room ??= deferred()
      return this.#room.promise
    }
    const link = this.#owner.link()
    return link?.isBlocked ? link.whenWritable() : undefined
  }

  get #isHeld(): boolean {
    return this.#lost !== undefined || this.#isResuming || this.#log.isFull || this.#owner.isFull
  }

  /**
   * Sends a frame, now or when the peer can be reached again; false asks to wait, see {@link whenWritable}.
   *
   * @throws NotSerialisableError when the platform refuses the attachments; nothing was sent then
   */
  send(frame: Frame, attachments?: Attachments): boolean {
    const link = this.#owner.link()
    const isNeighbour = link?.nodeId === this.#peer
    this.#address(frame, isNeighbour)
    frame.session = this.#number
    frame.seq = this.#next
    if (link && (attachments || (isNeighbour && link.diesWithPeer))) {
      const isRoom = link.send(frame, attachments)
      // On a link that dies with the peer nothing is lost alone.
      if (!link.diesWithPeer) this.#log.addGone(frame.seq)
      this.#sent = this.#next++
      return isRoom
    }
    const bytes = this.#log.add(frame, isNeighbour)
    this.#next++
    this.#owner.kept(bytes.byteLength)
    this.#expectAck()
    if (!link || this.#lost || this.#isResuming) return false
    this.#sent = frame.seq
    return link.sendRaw(bytes) && !this.#log.isFull && !this.#owner.isFull
  }

  /** A frame from the peer. Valid only during the call. @throws ProtocolError */
  receive(frame: Frame): void {
    switch (frame.kind) {
      case FRAME.reset:
        if (frame.id === this.#number)
          this.#reset(new SessionResetError(`node ${this.#peer} ended the session`, { address: nodeUri(this.#peer) }))
        return
      case FRAME.ack:
        this.#acknowledged(frame)
        return
      case FRAME.probe:
        this.#answerProbe(frame.session)
        return
      default:
    }
    switch (this.#sequence.arrive(frame.session, frame.seq)) {
      case 'deliver': {
        const { byteLength } = frame.payload
        this.#owner.deliver(frame)
        if (this.#sequence.held > 0) this.#deliverHeld()
        this.#received(byteLength)
        break
      }
      case 'hold':
        this.#sequence.hold(frame.seq, frame.clone())
        this.#askForGap()
        break
      case 'new-session':
        this.#reset(new SessionResetError(`node ${this.#peer} began a new session`, { address: nodeUri(this.#peer) }))
        this.receive(frame)
        break
      case 'stale':
        this.#sendReset(frame.session)
        break
      default:
      // A duplicate; or one of more than can be held, which is not acknowledged and comes again.
    }
  }

  /** The way to the peer is gone; the session waits for another, at most `graceMs` milliseconds. */
  lose(error: PulsingError, graceMs: number): void {
    if (this.#lost) return
    this.#lost = error
    this.#graceTimer = this.#owner.clock.setTimer(() => this.reset(error), graceMs)
    this.#graceTimer.hold(false)
  }

  /** There is a way again, or frames may have been lost on the one there is. */
  resume(): void {
    this.#lost = undefined
    this.#graceTimer?.cancel()
    if (this.#owedReset !== undefined) this.#sendReset(this.#owedReset)
    this.#probeDelayMs = PROBE_DELAY_MS
    this.#isResuming = this.#log.size > 0
    // Also when nothing waits here: the peer may have ended the session, and its word may have been lost.
    if (this.#isResuming || this.#next > 1 || this.#sequence.session !== 0 || this.#owesProbe) this.#probe()
    this.#release()
  }

  /** Ends the session: everything pending fails with `error`, nothing of it arrives any more. The next frame begins a new one. */
  reset(error: PulsingError): void {
    this.#reset(error)
  }

  #reset(error: PulsingError): void {
    const sent = this.#sent
    for (const timer of [this.#ackTimer, this.#gapTimer, this.#probeTimer, this.#graceTimer]) timer?.cancel()
    this.#ackTimer = this.#gapTimer = this.#probeTimer = this.#graceTimer = undefined
    const isToldByReset = this.#sequence.session !== 0
    if (isToldByReset) this.#sendReset(this.#sequence.session)
    const isKnown = this.#next > 1
    this.#sequence.reset()
    this.#owner.kept(-this.#log.bytes)
    this.#log.clear()
    this.#number = this.#owner.nextSession()
    this.#next = 1
    this.#sent = 0
    this.#framesToAck = this.#bytesToAck = 0
    this.#lost = undefined
    this.#isResuming = false
    this.#acknowledgedTo = 0
    this.#owesProbe = isKnown && !isToldByReset
    if (this.#owesProbe) this.#probe()
    this.#owner.ended(error, sent)
    this.#release()
  }

  #deliverHeld(): void {
    for (let frame = this.#sequence.release(); frame !== undefined; frame = this.#sequence.release()) {
      this.#owner.deliver(frame)
      this.#framesToAck++
    }
    if (this.#sequence.held > 0) return
    this.#gapTimer?.cancel()
    this.#gapTimer = undefined
  }

  #askForGap(): void {
    this.#gapTimer ??= this.#owner.clock.setTimer(() => {
      this.#gapTimer = undefined
      if (this.#sequence.held === 0) return
      this.#acknowledge(ACK_RESEND)
      this.#askForGap()
    }, GAP_DELAY_MS)
  }

  #received(bytes: number): void {
    const link = this.#owner.link()
    if (link?.diesWithPeer && link.nodeId === this.#peer) return
    this.#bytesToAck += bytes
    if (++this.#framesToAck >= ACK_FRAMES || this.#bytesToAck >= ACK_BYTES) this.#acknowledge(0)
    else if (!this.#ackTimer) {
      this.#ackTimer = this.#owner.clock.setTimer(() => this.#acknowledge(0), ACK_DELAY_MS)
      this.#ackTimer.hold(false)
    }
  }

  #acknowledge(flags: number): void {
    this.#ackTimer?.cancel()
    this.#ackTimer = undefined
    this.#framesToAck = this.#bytesToAck = 0
    const frame = this.#control
    frame.kind = FRAME.ack
    frame.id = this.#sequence.session
    frame.count = this.#sequence.received
    frame.flags = flags
    this.#sendControl(frame)
  }

  #acknowledged({ id, count, flags }: Frame): void {
    // One that was overtaken on the way says nothing new, and asks for what has arrived since.
    if (id !== this.#number || count > this.#sent || count < this.#acknowledgedTo) return
    this.#acknowledgedTo = count
    const before = this.#log.bytes
    this.#log.acknowledge(count)
    this.#owner.kept(this.#log.bytes - before)
    if (this.#log.bytes < before || this.#log.size === 0) this.#probeDelayMs = PROBE_DELAY_MS
    if (flags & ACK_RESEND) this.#sendAgain(count)
    this.#release()
  }

  /** Sends what the peer has not got: everything after `count`. */
  #sendAgain(count: number): void {
    const link = this.#owner.link()
    if (!link || this.#lost) return
    const wasResuming = this.#isResuming
    this.#isResuming = false
    if (count < this.#sent && this.#log.first !== count + 1) {
      this.#reset(lostError(this.#peer))
      return
    }
    const isNeighbour = link.nodeId === this.#peer
    for (const { seq, bytes, isToNeighbour } of this.#log.frames()) {
      if (!bytes) {
        this.#reset(lostError(this.#peer))
        return
      }
      link.sendRaw(isToNeighbour === isNeighbour ? bytes : this.#readdressed(bytes, isNeighbour))
      this.#sent = Math.max(this.#sent, seq)
    }
    if (wasResuming) this.#expectAck()
  }

  #readdressed(bytes: Uint8Array, isNeighbour: boolean): Uint8Array {
    const reader = new FrameReader()
    reader.open(bytes)
    const frame = new Frame()
    reader.next(frame)
    this.#address(frame, isNeighbour)
    const log = new SendLog()
    return log.add(frame, isNeighbour)
  }

  #expectAck(): void {
    if (this.#probeTimer) return
    this.#probedAt = this.#log.first ?? 0
    this.#probeTimer = this.#owner.clock.setTimer(() => {
      this.#probeTimer = undefined
      if (this.#log.size === 0) return
      if (this.#log.first === this.#probedAt && !this.#lost) {
        this.#probeDelayMs = Math.min(MAX_PROBE_DELAY_MS, this.#probeDelayMs * 2)
        this.#probe()
      }
      this.#expectAck()
    }, this.#probeDelayMs)
    this.#probeTimer.hold(false)
  }

  /** Asks the peer what of this session it has got. */
  #probe(): void {
    const frame = this.#control
    frame.kind = FRAME.probe
    if (this.#owner.link()) this.#owesProbe = false
    this.#sendControl(frame)
  }

  #answerProbe(session: number): void {
    switch (this.#sequence.meet(session)) {
      case 'stale':
        this.#sendReset(session)
        return
      case 'new-session':
        this.#reset(new SessionResetError(`node ${this.#peer} began a new session`, { address: nodeUri(this.#peer) }))
        this.#sequence.meet(session)
        break
      default:
    }
    this.#acknowledge(ACK_RESEND)
  }

  /** Tells the peer that a session of its is over here. Not numbered: it stands outside of any session. */
  #sendReset(session: number): void {
    if (!this.#owner.link()) {
      this.#owedReset = session
      return
    }
    this.#owedReset = undefined
    const frame = this.#control
    frame.kind = FRAME.reset
    frame.id = session
    this.#sendControl(frame)
  }

  #sendControl(frame: Frame): void {
    const link = this.#owner.link()
    if (!link) return
    this.#address(frame, link.nodeId === this.#peer)
    frame.session = this.#number
    frame.seq = 0
    link.send(frame)
  }

  #address(frame: Frame, isNeighbour: boolean): void {
    frame.hops = isNeighbour ? 0 : MAX_HOPS
    frame.to = isNeighbour ? '' : this.#peer
    frame.from = isNeighbour ? '' : this.#owner.self
  }

  #release(): void {
    if (!this.#room || this.#isHeld) return
    const room = this.#room
    this.#room = undefined
    room.resolve()
  }
}

function lostError(peer: string): SessionResetError {
  return new SessionResetError(`frames to node ${peer} were lost and cannot be sent again`, { address: nodeUri(peer) })
}

function nodeUri(nodeId: string): string {
  return `actor://${nodeId}`
}

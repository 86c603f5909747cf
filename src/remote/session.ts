/**
 * One pair of nodes, as numbers: what is sent is numbered, kept until the peer has it, and sent again after a loss; what
 * comes is put in order, each frame once, and acknowledged. Links may break and routes may change under it. When it
 * cannot go on it is reset, on both sides: everything pending fails, and nothing of it arrives afterwards.
 *
 * After a reset a session begins with a question: until the peer has said that it knows the new one, nothing numbered is
 * sent or taken, because what comes could be older than the reset.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Deferred } from '../base/deferred.ts'
import { deferred, SETTLED } from '../base/deferred.ts'
import type { PulsingError } from '../base/errors.ts'
import { OverloadedError, SessionResetError } from '../base/errors.ts'
import type { Attachments } from '../link/connection.ts'
import type { Link } from '../link/link.ts'
import { ACK_RESEND, FRAME, Frame, MAX_HOPS } from '../wire/frame.ts'
import { BulkWindow } from './bulk-window.ts'
import { GAP_DELAY_MS, Receipts } from './receipts.ts'
import { Readdresser, SendLog } from './send-log.ts'
import { Sequence } from './sequence.ts'
import { cannotWait, nodeUri } from './session-errors.ts'

/** How long a frame may go unacknowledged before the peer is asked what it has, in milliseconds; doubles each time. */
export const PROBE_DELAY_MS = 2_000
/** The longest such waits, in milliseconds. */
export const MAX_PROBE_DELAY_MS = 16_000
/** Bytes of answers kept for a peer that does not take them, after which it is given up. */
export const MAX_ANSWER_BYTES: number = 64 * 1024 * 1024

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
  /** Whether this node keeps all it can. When it no longer does, {@link Session.release} is called. */
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
  /** Whether the peer may have heard of this session. */
  #hasSpoken = false
  /** The last frame that left this node. */
  #sent = 0
  /** The last frame the peer is known to have. */
  #acknowledgedTo = 0
  /** Set while there is no way to the peer, with why. */
  #lost: PulsingError | undefined
  /** The peer was asked what it has: nothing numbered leaves before it answered. */
  #isAsking = false
  /** After a reset, until the peer has said that it knows this session. Is asking, too. */
  #isBeginning = false
  /** Frames were not taken meanwhile. */
  #hasMissed = false
  readonly #receipts: Receipts
  #bulk = new BulkWindow()
  #probeTimer: Timer | undefined
  #probeDelayMs = PROBE_DELAY_MS
  #probedAt = 0
  #graceTimer: Timer | undefined
  /** What was last sent again, from where and when. */
  #resentFrom = -1
  #resentAt = 0
  #isWaitingForLink = false
  #room: Deferred<void> | undefined

  constructor(peer: string, owner: SessionOwner) {
    this.#peer = peer
    this.#owner = owner
    this.#number = owner.nextSession()
    const sequence = this.#sequence
    this.#receipts = new Receipts({
      clock: owner.clock,
      get received() {
        return sequence.received
      },
      get held() {
        return sequence.held
      },
      acknowledge: (flags) => this.#acknowledge(flags),
    })
  }

  /** Its number, new after every reset. */
  get number(): number {
    return this.#number
  }
  /** Whether there is no way to the peer now, and the session waits for one. */
  get isWaiting(): boolean {
    return this.#lost !== undefined
  }
  /** Whether what is sent now stays here for a while, so that no objects can go with it. */
  get isHolding(): boolean {
    return this.#lost !== undefined || this.#isAsking || this.#log.unsent !== undefined || this.#log.isWindowFull
  }
  /** The number of the frame sent last. */
  get last(): number {
    return this.#next - 1
  }

  /** Settles when more can be sent, or of large messages when it may be, or nothing any more; undefined when it can be now. */
  whenWritable(isBulk = false): Promise<void> | undefined {
    if (this.#mustWait || (isBulk && this.#log.bytes >= this.#bulk.bytes)) {
      this.#room ??= deferred()
      return this.#room.promise
    }
    const link = this.#owner.link()
    return link?.isBlocked ? link.whenWritable() : undefined
  }

  get #mustWait(): boolean {
    return this.isHolding || this.#log.isFull || this.#owner.isFull
  }

  /** Lets those go on who wait for {@link whenWritable}, if there is room. */
  release(): void {
    if (!this.#room || this.#mustWait) return
    const room = this.#room
    this.#room = undefined
    room.resolve()
  }

  /**
   * Sends a frame, now or when the peer can be reached again; false asks to wait, see {@link whenWritable}.
   *
   * @returns undefined when there is no way to the peer, and none is waited for: nothing was sent then
   * @throws NotSerialisableError when the platform refuses the attachments, UnreachableError (`not-sent`) when they
   * would have to wait, which they cannot; nothing was sent then
   */
  send(frame: Frame, attachments?: Attachments): boolean | undefined {
    const link = this.#owner.link()
    if (!link && !this.#lost) return undefined
    const isNeighbour = link?.nodeId === this.#peer
    const isHeld = !link || link.isEnding || this.isHolding
    this.#address(frame, isNeighbour)
    frame.session = this.#number
    frame.seq = this.#next
    if (attachments) {
      if (isHeld) throw cannotWait(this.#peer)
      return this.#sendOnce(link, frame, attachments)
    }
    if (isNeighbour && link?.diesWithPeer && !isHeld) return this.#sendOnce(link, frame, undefined)
    this.#log.goBy(link)
    const logged = this.#log.add(frame, isNeighbour)
    const { chunk, start, end } = logged
    this.#next++
    this.#owner.kept(end - start)
    this.#expectAck()
    if (isHeld) {
      if (this.#log.answerBytes > MAX_ANSWER_BYTES) this.#giveUpSoon()
      return false
    }
    this.#log.markSent(logged)
    if (frame.kind === FRAME.part) this.#bulk.sent(frame.seq, this.#owner.clock.now())
    this.#sent = frame.seq
    this.#hasSpoken = true
    return link.sendKept(chunk!, start, end, frame.to) && !this.#log.isFull && !this.#owner.isFull
  }

  /** Who asks, and takes no answers. Not at once: an actor may be in the middle of answering. */
  #giveUpSoon(): void {
    const number = this.#number
    void SETTLED.then(() => {
      if (number !== this.#number) return
      const message = `expected node ${this.#peer} to take its answers, got ${MAX_ANSWER_BYTES} bytes waiting for it`
      this.reset(new SessionResetError(message, { address: nodeUri(this.#peer), cause: new OverloadedError(message) }))
    })
  }

  /** Sends a frame that is not kept. */
  #sendOnce(link: Link, frame: Frame, attachments: Attachments | undefined): boolean {
    const isRoom = link.send(frame, attachments)
    // On a link that dies with the peer nothing is lost alone.
    if (!link.diesWithPeer) this.#log.addGone(frame.seq)
    this.#sent = this.#next++
    this.#hasSpoken = true
    return isRoom
  }

  /**
   * A frame from the peer. Valid only during the call.
   *
   * @param isKept whether the peer keeps it until it is acknowledged: not on a link that dies with it
   * @throws ProtocolError
   */
  receive(frame: Frame, isKept: boolean): void {
    switch (frame.kind) {
      case FRAME.reset:
        if (frame.id === this.#number) this.#endedByPeer('ended the session', frame.session)
        return
      case FRAME.ack:
        this.#acknowledged(frame)
        return
      case FRAME.probe:
        if (this.#meet(frame.session) !== 'stale') this.#acknowledge(ACK_RESEND)
        return
      default:
    }
    if (this.#isBeginning) this.#miss(frame, isKept)
    else this.#arrived(frame, isKept)
  }

  #arrived(frame: Frame, isKept: boolean): void {
    switch (this.#sequence.arrive(frame.session, frame.seq)) {
      case 'deliver': {
        const { kind, payloadBytes } = frame
        this.#owner.deliver(frame)
        if (this.#sequence.held > 0) this.#deliverHeld()
        if (isKept) this.#receipts.delivered(payloadBytes, kind === FRAME.part)
        break
      }
      case 'hold':
        this.#sequence.hold(frame.seq, frame.clone(), frame.payloadBytes)
        this.#receipts.gapOpened()
        break
      case 'new-session':
        this.#endedByPeer('began a new session', frame.session)
        this.#miss(frame, isKept)
        break
      case 'stale':
        this.#sendReset(frame.session)
        break
      case 'overflow':
        this.#receipts.overflowed()
        break
      default:
      // A duplicate.
    }
  }

  /** A frame not taken because the session is only beginning: the peer sends it again, or begins anew where it cannot. */
  #miss(frame: Frame, isKept: boolean): void {
    if (isKept) this.#hasMissed = true
    else if (this.#sequence.meet(frame.session) !== 'stale') {
      this.#sequence.reset(frame.session)
      this.#sequence.reset()
      this.#sendReset(frame.session)
    }
  }

  /** The way to the peer is gone; the session waits for another, at most `graceMs` milliseconds. */
  lose(error: PulsingError, graceMs: number): void {
    if (this.#lost) return
    this.#lost = error
    this.#probeTimer?.cancel()
    this.#probeTimer = undefined
    this.#graceTimer = this.#owner.clock.setTimer(() => this.reset(error), graceMs)
    this.#graceTimer.hold(false)
  }

  /** There is a way again, or frames may have been lost, in both directions, on the one there is. */
  resume(): void {
    this.#lost = undefined
    this.#graceTimer?.cancel()
    this.#probeTimer?.cancel()
    this.#graceTimer = this.#probeTimer = undefined
    this.#probeDelayMs = PROBE_DELAY_MS
    this.#isAsking = this.#isBeginning || this.#log.size > 0
    if (this.#sequence.session !== 0) this.#acknowledge(ACK_RESEND)
    // Also when nothing waits here: the peer may have ended the session, and its word may have been lost.
    if (this.#isAsking || this.#hasSpoken || this.#sequence.session !== 0) this.#probe()
    if (this.#isAsking) this.#expectAck()
    this.release()
  }

  #endedByPeer(how: string, next: number): void {
    this.#fail(`node ${this.#peer} ${how}`, next)
  }

  #fail(message: string, next = 0): void {
    this.reset(new SessionResetError(message, { address: nodeUri(this.#peer) }), next)
  }

  /**
   * Ends the session: everything pending fails with `error`, nothing of it arrives any more. The next frame begins a new one.
   *
   * @param next the session of the peer that is to follow, 0 where that is not known
   */
  reset(error: PulsingError, next = 0): void {
    const sent = this.#sent
    const met = this.#sequence.session
    for (const timer of [this.#probeTimer, this.#graceTimer]) timer?.cancel()
    this.#probeTimer = this.#graceTimer = undefined
    this.#receipts.reset()
    this.#probeDelayMs = PROBE_DELAY_MS
    this.#sequence.reset(next)
    this.#owner.kept(-this.#log.bytes)
    this.#log.clear()
    this.#bulk = new BulkWindow()
    this.#number = this.#owner.nextSession()
    this.#next = 1
    this.#sent = this.#acknowledgedTo = 0
    this.#resentFrom = -1
    this.#lost = undefined
    this.#hasMissed = false
    // Who never exchanged anything has nothing old to fear.
    this.#isBeginning ||= this.#hasSpoken || met > 0 || next > 0
    this.#hasSpoken = false
    this.#isAsking = this.#isBeginning
    if (met > 0 && next === 0) this.#sendReset(met)
    if (this.#isAsking) {
      this.#probe()
      this.#expectAck()
    }
    const room = this.#room
    this.#room = undefined
    this.#owner.ended(error, sent)
    room?.resolve()
  }

  #deliverHeld(): void {
    for (let frame = this.#sequence.release(); frame !== undefined; frame = this.#sequence.release()) {
      this.#owner.deliver(frame)
      this.#receipts.note(frame.payloadBytes)
    }
    if (this.#sequence.held === 0) this.#receipts.gapClosed()
  }

  #acknowledge(flags: number): void {
    this.#receipts.acknowledged()
    const frame = this.#control
    frame.kind = FRAME.ack
    frame.id = this.#sequence.session
    frame.count = this.#sequence.received
    frame.flags = flags
    this.#sendControl(frame)
  }

  #acknowledged({ id, session, count, flags }: Frame): void {
    if (id !== this.#number || count > this.#sent || this.#meet(session) !== 'known') return
    if (this.#isBeginning) {
      this.#isBeginning = false
      if (this.#hasMissed) this.#acknowledge(ACK_RESEND)
    }
    // One that was overtaken on the way says nothing new, and asks for what has arrived since.
    if (count < this.#acknowledgedTo) return
    if (count > this.#acknowledgedTo) this.#heardAgain()
    this.#bulk.acknowledged(count, this.#owner.clock.now())
    this.#acknowledgedTo = count
    const before = this.#log.bytes
    this.#log.acknowledge(count, this.#owner.link()?.isAllSent)
    this.#owner.kept(this.#log.bytes - before)
    if (flags & ACK_RESEND && this.#mayResend(count)) this.#log.rewind()
    this.#sendUnsent()
  }

  /** Whether to send everything after `count` again: not twice for two who ask at the same time. */
  #mayResend(count: number): boolean {
    const now = this.#owner.clock.now()
    const isSame = !this.#isAsking && count === this.#resentFrom && now - this.#resentAt < GAP_DELAY_MS
    this.#isAsking = false
    if (isSame) return false
    this.#resentFrom = count
    this.#resentAt = now
    return true
  }

  /** Sends what is kept and not on its way, as fast as the link takes it. */
  #sendUnsent(): void {
    const link = this.#owner.link()
    if (!link || link.isEnding || this.#lost || this.#isAsking) return
    const isNeighbour = link.nodeId === this.#peer
    let readdresser: Readdresser | undefined
    for (let kept = this.#log.unsent; kept !== undefined; kept = this.#log.unsent) {
      // An acknowledgement goes on.
      if (this.#log.isWindowFull) return
      if (link.isBlocked) {
        this.#sendUnsentWhenWritable(link)
        return
      }
      let { chunk, start, end } = kept
      if (chunk && kept.isToNeighbour !== isNeighbour) {
        readdresser ??= new Readdresser((frame) => this.#address(frame, isNeighbour))
        chunk = readdresser.rewrite(chunk.subarray(start, end))
        start = 0
        end = chunk.byteLength
      }
      if (!chunk || end - start > link.maxFrameBytes) {
        this.#fail(
          chunk
            ? `expected frames of at most ${link.maxFrameBytes} bytes on the way there is now, got ${end - start}`
            : `objects handed over to node ${this.#peer} were lost and cannot be sent again`,
        )
        return
      }
      this.#log.markSent(kept)
      this.#sent = Math.max(this.#sent, kept.seq)
      link.sendKept(chunk, start, end, isNeighbour ? '' : this.#peer)
    }
    this.release()
  }

  #sendUnsentWhenWritable(link: Link): void {
    if (this.#isWaitingForLink) return
    this.#isWaitingForLink = true
    void link.whenWritable().then(() => {
      this.#isWaitingForLink = false
      this.#sendUnsent()
    })
  }

  /** Sees to it that what was sent, or asked, is answered. Without a way nobody answers; {@link resume} begins again. */
  #expectAck(): void {
    if (this.#probeTimer || !this.#owner.link()) return
    this.#probedAt = this.#acknowledgedTo
    this.#probeTimer = this.#owner.clock.setTimer(() => {
      this.#probeTimer = undefined
      const link = this.#owner.link()
      if (this.#log.size === 0) this.#log.trim()
      if (!link || (this.#log.size === 0 && !this.#isAsking)) return
      if (this.#isAsking || (this.#acknowledgedTo === this.#probedAt && !link.isBlocked)) {
        this.#probeDelayMs = Math.min(MAX_PROBE_DELAY_MS, this.#probeDelayMs * 2)
        this.#probe()
      }
      this.#expectAck()
    }, this.#probeDelayMs)
    this.#probeTimer.hold(false)
  }

  /** After a silence the next one is noticed as soon as the first. */
  #heardAgain(): void {
    if (this.#probeDelayMs === PROBE_DELAY_MS) return
    this.#probeDelayMs = PROBE_DELAY_MS
    this.#probeTimer?.cancel()
    this.#probeTimer = undefined
    this.#expectAck()
  }

  /** Asks the peer what of this session it has got. */
  #probe(): void {
    const frame = this.#control
    frame.kind = FRAME.probe
    this.#sendControl(frame)
  }

  /** The peer says which session is its current one. */
  #meet(session: number): 'known' | 'stale' | 'reset' {
    const isFirst = this.#sequence.session === 0
    switch (this.#sequence.meet(session)) {
      case 'stale':
        this.#sendReset(session)
        return 'stale'
      case 'new-session':
        if (!this.#isBeginning) {
          this.#endedByPeer('began a new session', session)
          return 'reset'
        }
        // Nothing was taken of the older one.
        this.#sequence.reset(session)
        break
      default:
        if (!isFirst || !this.#isBeginning) return 'known'
    }
    // An answer of the older one, if it was underway, did not count.
    this.#probe()
    return 'known'
  }

  /** Tells the peer that a session of its is over here. Not numbered: it stands outside of any session. */
  #sendReset(session: number): void {
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
    this.#hasSpoken = true
    link.send(frame)
  }

  #address(frame: Frame, isNeighbour: boolean): void {
    frame.hops = isNeighbour ? 0 : MAX_HOPS
    frame.to = isNeighbour ? '' : this.#peer
    frame.from = isNeighbour ? '' : this.#owner.self
  }
}

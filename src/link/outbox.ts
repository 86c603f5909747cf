/**
 * The frames of one turn of the event loop, gathered into one batch. A batch leaves when a few rounds of
 * microtasks added nothing to it, or when it is full.
 */
import { SETTLED } from '../base/deferred.ts'
import type { Frame } from '../wire/frame.ts'
import { BATCH_BYTES, FrameWriter } from '../wire/frame-writer.ts'
import type { Attachments } from './connection.ts'

/** Rounds of microtasks without a new frame after which the turn has settled. A step of a stream takes two. */
const QUIET_ROUNDS = 3

export class Outbox {
  readonly #writer = new FrameWriter()
  readonly #send: (batch: Uint8Array, attachments: Attachments | undefined) => void
  #isFlushQueued = false
  #lengthAtRound = 0
  #quietRounds = 0

  /** @param send takes a batch; what it throws reaches the caller of a frame with attachments, and nobody else */
  constructor(send: (batch: Uint8Array, attachments: Attachments | undefined) => void) {
    this.#send = send
  }

  add(frame: Frame): void {
    this.#writer.write(frame)
    this.#queueFlush()
  }

  /** Adds the bytes of a whole frame, one hop less. */
  addRaw(raw: Uint8Array, hopsAt: number): void {
    this.#writer.forward(raw, hopsAt)
    this.#queueFlush()
  }

  /** Adds the bytes of a whole frame as they are. */
  addBytes(frame: Uint8Array): void {
    this.#writer.copy(frame)
    this.#queueFlush()
  }

  /** Sends what is gathered, then the frame in a batch of its own: what travels beside it may be refused by the platform, with an error for this caller alone. */
  sendAlone(frame: Frame, attachments: Attachments): void {
    this.flush()
    this.#writer.write(frame)
    this.flush(attachments)
  }

  flush(attachments?: Attachments): void {
    if (this.#writer.length > 0) this.#send(this.#writer.take(), attachments)
  }

  #queueFlush(): void {
    if (this.#writer.length >= BATCH_BYTES) this.flush()
    else if (!this.#isFlushQueued) {
      this.#isFlushQueued = true
      this.#lengthAtRound = 0
      this.#quietRounds = 0
      void SETTLED.then(this.#settle)
    }
  }

  readonly #settle = (): void => {
    const { length } = this.#writer
    this.#quietRounds = length === this.#lengthAtRound ? this.#quietRounds + 1 : 0
    this.#lengthAtRound = length
    if (this.#quietRounds < QUIET_ROUNDS && length > 0) {
      void SETTLED.then(this.#settle)
      return
    }
    this.#isFlushQueued = false
    this.flush()
  }
}

/**
 * Bytes to frames, strictly: whatever comes in, the result is a frame or a ProtocolError with its offset. Lengths are
 * checked before anything is touched; nothing is allocated on a peer's word.
 */
import { fromUtf8 } from '../base/bytes.ts'
import { ProtocolError } from '../base/errors.ts'
import { TextCache } from '../base/text-cache.ts'
import type { Frame } from './frame.ts'
import { FIRST_ROUTED_KIND, FRAME, LAYOUTS } from './frame.ts'

const MAX_ITEMS = 32
const SHORT_TEXT = 32
/** Longest text of a frame, in bytes. The longest there is, a message type of 1024 characters, has up to 3072. */
const MAX_TEXT_BYTES = 4096
const HOPS_MAX = 23

export class FrameReader {
  /** Where the frame read last begins and ends in the batch, and where its hop count stands. */
  start = 0
  end = 0
  hopsAt = 0
  #batch!: Uint8Array
  #at = 0
  readonly #texts = new TextCache()

  /** Begins with a new batch. */
  open(batch: Uint8Array): void {
    this.#batch = batch
    this.#at = 0
  }

  /**
   * Reads the next frame into `frame`; its payload is a view of the batch.
   *
   * @returns false at the end of the batch
   * @throws ProtocolError
   */
  next(frame: Frame): boolean {
    while (this.#at < this.#batch.byteLength) {
      this.start = this.#at
      const count = this.#head(0x80, 'an array')
      if (count < 1 || count > MAX_ITEMS) throw this.#error(`a frame of 1 to ${MAX_ITEMS} items`, `${count}`)
      frame.kind = this.#head(0x00, 'a frame kind')
      const layout = LAYOUTS[frame.kind]
      if (layout !== undefined) {
        if (count <= layout.length) throw this.#error(`${layout.length} fields in frame ${frame.kind}`, `${count - 1}`)
        this.#readFields(frame)
      } else if (frame.kind & 1) {
        throw this.#error('a frame kind this version knows', `${frame.kind}, which is critical`)
      }
      for (let i = (layout?.length ?? 0) + 1; i < count; i++) this.#skip()
      this.end = this.#at
      if (layout !== undefined) return true
    }
    return false
  }

  #readFields(frame: Frame): void {
    frame.attachments = undefined
    this.hopsAt = this.#at - this.start
    // A relay lowers the hop count in place, so it must be the one byte it is written as.
    if (frame.kind >= FIRST_ROUTED_KIND && this.#batch[this.#at]! > HOPS_MAX) {
      throw this.#error(
        `a hop count of at most ${HOPS_MAX} in one byte`,
        `initial byte 0x${this.#batch[this.#at]!.toString(16)}`,
      )
    }
    if (frame.kind >= FIRST_ROUTED_KIND) {
      frame.hops = this.#uint('hops')
      frame.to = this.#text('to')
      frame.from = this.#text('from')
      frame.session = this.#uint('session')
      frame.seq = this.#uint('seq')
    }
    switch (frame.kind) {
      case FRAME.ask:
        frame.id = this.#uint('id')
        frame.actor = this.#text('actor')
        frame.sender = this.#text('sender')
        frame.timeout = this.#uint('timeout')
        this.#message(frame)
        break
      case FRAME.tell:
        frame.actor = this.#text('actor')
        frame.sender = this.#text('sender')
        this.#message(frame)
        break
      case FRAME.reply:
        frame.id = this.#uint('id')
        this.#message(frame)
        break
      case FRAME.item:
        frame.id = this.#uint('id')
        frame.flags = this.#uint('flags')
        frame.type = this.#text('type')
        this.#payload(frame)
        break
      case FRAME.ack:
        frame.id = this.#uint('id')
        frame.count = this.#uint('count')
        frame.flags = this.#uint('flags')
        break
      case FRAME.credit:
        frame.id = this.#uint('id')
        frame.count = this.#uint('count')
        frame.bytes = this.#uint('bytes')
        break
      case FRAME.hold:
        frame.actor = this.#text('actor')
        frame.flags = this.#uint('flags')
        break
      case FRAME.part:
        frame.id = this.#uint('id')
        frame.flags = this.#uint('flags')
        this.#payload(frame)
        break
      case FRAME.fail:
      case FRAME.end:
        frame.id = this.#uint('id')
        this.#payload(frame)
        break
      case FRAME.cancel:
      case FRAME.stop:
      case FRAME.reset:
      case FRAME.ping:
      case FRAME.pong:
        frame.id = this.#uint('id')
        break
      case FRAME.hello:
      case FRAME.cluster:
      case FRAME.signal:
        this.#payload(frame)
        break
      case FRAME.goaway:
        frame.id = this.#uint('id')
        frame.reason = this.#text('reason')
        break
      case FRAME.undeliverable:
        frame.id = this.#uint('id')
        frame.actor = this.#text('actor')
        frame.reason = this.#text('reason')
        break
      default:
    }
  }

  #message(frame: Frame): void {
    frame.flags = this.#uint('flags')
    frame.type = this.#text('type')
    frame.stream = this.#uint('stream')
    frame.window = this.#uint('window')
    this.#payload(frame)
  }

  #uint(what: string): number {
    return this.#head(0x00, what)
  }

  /** The bytes of the frame read last, a view of the batch. */
  get raw(): Uint8Array {
    return this.#batch.subarray(this.start, this.end)
  }

  #head(major: number, what: string): number {
    const batch = this.#batch
    const initial = batch[this.#at]
    if (initial === undefined) throw this.#error(what, 'the end of the batch')
    if ((initial & 0xe0) !== major) throw this.#error(what, `initial byte 0x${initial.toString(16)}`)
    const info = initial & 0x1f
    if (info < 24) {
      this.#at++
      return info
    }
    if (info > 27) throw this.#error(what, 'an indefinite or reserved length')
    const at = this.#at + 1
    const end = at + (1 << (info - 24))
    if (end > batch.byteLength) throw this.#error(what, 'the end of the batch')
    let value = batch[at]!
    for (let i = at + 1; i < end; i++) value = value * 256 + batch[i]!
    if (value > Number.MAX_SAFE_INTEGER) throw this.#error(what, 'a number beyond 2^53')
    this.#at = end
    return value
  }

  #span(major: number, what: string): number {
    const length = this.#head(major, what)
    if (length > this.#batch.byteLength - this.#at)
      throw this.#error(`${length} bytes of ${what}`, 'the end of the batch')
    return length
  }

  #text(what: string): string {
    const length = this.#span(0x60, what)
    if (length > MAX_TEXT_BYTES) throw this.#error(`at most ${MAX_TEXT_BYTES} bytes of ${what}`, `${length}`)
    const start = this.#at
    this.#at += length
    if (length <= SHORT_TEXT) {
      const text = this.#texts.read(this.#batch, start, length)
      if (text !== undefined) return text
    }
    try {
      return fromUtf8(this.#batch.subarray(start, this.#at))
    } catch (error) {
      throw new ProtocolError(`expected UTF-8 in ${what} at byte ${start}, got other bytes`, {
        offset: start,
        cause: error,
      })
    }
  }

  #payload(frame: Frame): void {
    const length = this.#span(0x40, 'payload')
    const start = this.#at
    this.#at += length
    frame.setPayload(this.#batch, start, start + length)
  }

  /** Passes over one field of a later version: an integer, a text or bytes. */
  #skip(): void {
    const major = (this.#batch[this.#at] ?? 0) & 0xe0
    if (major === 0x40 || major === 0x60) {
      const length = this.#span(major, 'a field')
      this.#at += length
    } else this.#head(0x00, 'a field')
  }

  #error(expected: string, got: string): ProtocolError {
    return new ProtocolError(`expected ${expected} at byte ${this.#at}, got ${got}`, { offset: this.#at })
  }
}

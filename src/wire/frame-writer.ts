/**
 * Frames to bytes: a growing batch. Heads are written by hand rather than by the CBOR library because they are most of
 * the work of a small message; the result is the same CBOR.
 */
import { EMPTY_BYTES } from '../base/bytes.ts'
import type { Frame } from './frame.ts'
import { FIRST_ROUTED_KIND, FRAME, LAYOUTS } from './frame.ts'

const UINT = 0x00
const BYTES = 0x40
const TEXT = 0x60
const ARRAY = 0x80

/** Bytes a fresh batch has room for. */
export const BATCH_BYTES = 64 * 1024

/** A batch left smaller than this is copied out, so that the buffer serves again; a larger one is given away. */
const GIVE_AWAY_BYTES = BATCH_BYTES / 2

const encoder = /* @__PURE__ */ new TextEncoder()

export class FrameWriter {
  readonly #chunkBytes: number
  #buffer: Uint8Array = EMPTY_BYTES
  #length = 0

  /** @param chunkBytes bytes a fresh buffer has room for */
  constructor(chunkBytes: number = BATCH_BYTES) {
    this.#chunkBytes = chunkBytes
  }

  /** Bytes written since the last {@link take}. */
  get length(): number {
    return this.#length
  }

  /** Adds a frame to the batch: what `LAYOUTS` says, spelled out by kind because a loop over field names is several times slower. */
  write(frame: Frame): void {
    const { kind } = frame
    this.#head(ARRAY, LAYOUTS[kind]!.length + 1)
    this.#head(UINT, kind)
    if (kind >= FIRST_ROUTED_KIND) {
      this.#head(UINT, frame.hops)
      this.#text(frame.to)
      this.#text(frame.from)
      this.#head(UINT, frame.session)
      this.#head(UINT, frame.seq)
    }
    switch (kind) {
      case FRAME.ask:
        this.#head(UINT, frame.id)
        this.#text(frame.actor)
        this.#text(frame.sender)
        this.#head(UINT, frame.timeout)
        this.#message(frame)
        break
      case FRAME.tell:
        this.#text(frame.actor)
        this.#text(frame.sender)
        this.#message(frame)
        break
      case FRAME.reply:
        this.#head(UINT, frame.id)
        this.#message(frame)
        break
      case FRAME.item:
        this.#head(UINT, frame.id)
        this.#head(UINT, frame.flags)
        this.#text(frame.type)
        this.#bytes(frame.payload)
        break
      case FRAME.ack:
        this.#head(UINT, frame.id)
        this.#head(UINT, frame.count)
        this.#head(UINT, frame.flags)
        break
      case FRAME.credit:
        this.#head(UINT, frame.id)
        this.#head(UINT, frame.count)
        this.#head(UINT, frame.bytes)
        break
      case FRAME.part:
        this.#head(UINT, frame.id)
        this.#head(UINT, frame.flags)
        this.#bytes(frame.payload)
        break
      case FRAME.fail:
      case FRAME.end:
        this.#head(UINT, frame.id)
        this.#bytes(frame.payload)
        break
      case FRAME.cancel:
      case FRAME.stop:
      case FRAME.reset:
      case FRAME.ping:
      case FRAME.pong:
        this.#head(UINT, frame.id)
        break
      case FRAME.hello:
      case FRAME.cluster:
      case FRAME.signal:
        this.#bytes(frame.payload)
        break
      case FRAME.goaway:
        this.#head(UINT, frame.id)
        this.#text(frame.reason)
        break
      case FRAME.undeliverable:
        this.#head(UINT, frame.id)
        this.#text(frame.actor)
        this.#text(frame.reason)
        break
      default:
    }
  }

  #message(frame: Frame): void {
    this.#head(UINT, frame.flags)
    this.#text(frame.type)
    this.#head(UINT, frame.stream)
    this.#head(UINT, frame.window)
    this.#bytes(frame.payload)
  }

  /** Adds the bytes of a whole frame as they came, with the hop count at `hopsAt` lowered by one. */
  forward(frame: Uint8Array, hopsAt: number): void {
    this.#reserve(frame.byteLength)
    this.#buffer.set(frame, this.#length)
    this.#buffer[this.#length + hopsAt]!--
    this.#length += frame.byteLength
  }

  /** Adds the bytes of a whole frame as they are. */
  copy(frame: Uint8Array): void {
    this.#reserve(frame.byteLength)
    this.#buffer.set(frame, this.#length)
    this.#length += frame.byteLength
  }

  /** What is written into, from its beginning; another one when it is full, or was taken. */
  get buffer(): Uint8Array {
    return this.#buffer
  }

  /** The batch so far, to keep; the writer starts a new one. */
  take(): Uint8Array {
    const length = this.#length
    this.#length = 0
    if (length < GIVE_AWAY_BYTES) return this.#buffer.slice(0, length)
    const batch = this.#buffer.subarray(0, length)
    this.#buffer = EMPTY_BYTES
    return batch
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.byteLength) return
    const grown = new Uint8Array(Math.max(this.#chunkBytes, needed > this.#chunkBytes ? needed + (needed >> 3) : 0))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
  }

  #head(major: number, value: number): void {
    if (this.#length + 9 > this.#buffer.byteLength) this.#reserve(9)
    const buffer = this.#buffer
    let at = this.#length
    if (value < 24) buffer[at++] = major | value
    else if (value < 0x100) {
      buffer[at++] = major | 24
      buffer[at++] = value
    } else if (value < 0x10000) {
      buffer[at++] = major | 25
      buffer[at++] = value >> 8
      buffer[at++] = value
    } else {
      if (value < 0x1_0000_0000) buffer[at++] = major | 26
      else {
        buffer[at++] = major | 27
        at = word(buffer, at, Math.floor(value / 0x1_0000_0000))
      }
      at = word(buffer, at, value)
    }
    this.#length = at
  }

  #text(text: string): void {
    const { length } = text
    if (length > 64) {
      this.#bytes(encoder.encode(text), TEXT)
      return
    }
    const start = this.#length
    this.#head(TEXT, length)
    this.#reserve(length)
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) {
        this.#length = start
        this.#bytes(encoder.encode(text), TEXT)
        return
      }
      this.#buffer[this.#length + i] = code
    }
    this.#length += length
  }

  #bytes(bytes: Uint8Array, major: number = BYTES): void {
    this.#head(major, bytes.byteLength)
    this.#reserve(bytes.byteLength)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.byteLength
  }
}

function word(buffer: Uint8Array, at: number, value: number): number {
  buffer[at] = value >>> 24
  buffer[at + 1] = value >>> 16
  buffer[at + 2] = value >>> 8
  buffer[at + 3] = value
  return at + 4
}

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
export const BATCH_BYTES = 32 * 1024

/** A batch left smaller than this is copied out, so that the buffer serves again; a larger one is given away. */
const GIVE_AWAY_BYTES = BATCH_BYTES / 2

/** Longer texts are left to the platform. */
const LONG_TEXT = 64

const encoder = /* @__PURE__ */ new TextEncoder()

export class FrameWriter {
  readonly #chunkBytes: number
  #buffer: Uint8Array
  #length = 0

  /**
   * @param chunkBytes bytes a fresh buffer has room for
   * @param buffer what is written into first
   */
  constructor(chunkBytes: number = BATCH_BYTES, buffer: Uint8Array = EMPTY_BYTES) {
    this.#chunkBytes = chunkBytes
    this.#buffer = buffer
  }

  /** Bytes written since the last {@link take}. */
  get length(): number {
    return this.#length
  }

  /** Adds a frame to the batch: what `LAYOUTS` says, spelled out by kind because a loop over field names is several times slower. A payload is always the last field. */
  write(frame: Frame): void {
    const { kind } = frame
    const isRouted = kind >= FIRST_ROUTED_KIND
    const layout = LAYOUTS[kind]!
    const hasPayload = layout[layout.length - 1] === 'payload'
    this.#reserve(longestHeads(frame) + (hasPayload ? frame.payloadBytes : 0))
    const to = this.#buffer
    let at = head(to, this.#length, ARRAY, layout.length + 1)
    at = head(to, at, UINT, kind)
    if (isRouted) {
      at = head(to, at, UINT, frame.hops)
      at = text(to, at, frame.to)
      at = text(to, at, frame.from)
      at = head(to, at, UINT, frame.session)
      at = head(to, at, UINT, frame.seq)
    }
    switch (kind) {
      case FRAME.ask:
        at = head(to, at, UINT, frame.id)
        at = text(to, at, frame.actor)
        at = text(to, at, frame.sender)
        at = head(to, at, UINT, frame.timeout)
        at = message(to, at, frame)
        break
      case FRAME.tell:
        at = text(to, at, frame.actor)
        at = text(to, at, frame.sender)
        at = message(to, at, frame)
        break
      case FRAME.reply:
        at = head(to, at, UINT, frame.id)
        at = message(to, at, frame)
        break
      case FRAME.item:
        at = head(to, at, UINT, frame.id)
        at = head(to, at, UINT, frame.flags)
        at = text(to, at, frame.type)
        break
      case FRAME.ack:
        at = head(to, at, UINT, frame.id)
        at = head(to, at, UINT, frame.count)
        at = head(to, at, UINT, frame.flags)
        break
      case FRAME.credit:
        at = head(to, at, UINT, frame.id)
        at = head(to, at, UINT, frame.count)
        at = head(to, at, UINT, frame.bytes)
        break
      case FRAME.hold:
        at = text(to, at, frame.actor)
        at = head(to, at, UINT, frame.flags)
        break
      case FRAME.part:
        at = head(to, at, UINT, frame.id)
        at = head(to, at, UINT, frame.flags)
        break
      case FRAME.fail:
      case FRAME.end:
      case FRAME.cancel:
      case FRAME.stop:
      case FRAME.reset:
      case FRAME.ping:
      case FRAME.pong:
        at = head(to, at, UINT, frame.id)
        break
      case FRAME.goaway:
        at = head(to, at, UINT, frame.id)
        at = text(to, at, frame.reason)
        break
      case FRAME.undeliverable:
        at = head(to, at, UINT, frame.id)
        at = text(to, at, frame.actor)
        at = text(to, at, frame.reason)
        break
      default:
    }
    if (hasPayload) {
      const { payload } = frame
      at = head(to, at, BYTES, payload.byteLength)
      to.set(payload, at)
      at += payload.byteLength
    }
    this.#length = at
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
}

/** The longest head of anything. */
const HEAD_BYTES = 9
/** Bytes of the numbers of a frame, and the heads of its texts, at most. */
const NUMBERS_BYTES = 17 * HEAD_BYTES

/** The most bytes a frame can take, its payload apart. */
function longestHeads({ to, from, actor, sender, type, reason }: Frame): number {
  return NUMBERS_BYTES + 3 * (to.length + from.length + actor.length + sender.length + type.length + reason.length)
}

function head(to: Uint8Array, at: number, major: number, value: number): number {
  if (value < 24) to[at++] = major | value
  else if (value < 0x100) {
    to[at++] = major | 24
    to[at++] = value
  } else if (value < 0x10000) {
    to[at++] = major | 25
    to[at++] = value >> 8
    to[at++] = value
  } else {
    if (value < 0x1_0000_0000) to[at++] = major | 26
    else {
      to[at++] = major | 27
      at = word(to, at, Math.floor(value / 0x1_0000_0000))
    }
    at = word(to, at, value)
  }
  return at
}

function text(to: Uint8Array, at: number, written: string): number {
  const { length } = written
  if (length > LONG_TEXT) return encodedText(to, at, written)
  const start = head(to, at, TEXT, length)
  for (let i = 0; i < length; i++) {
    const code = written.charCodeAt(i)
    if (code > 0x7f) return encodedText(to, at, written)
    to[start + i] = code
  }
  return start + length
}

function encodedText(to: Uint8Array, at: number, written: string): number {
  const encoded = encoder.encode(written)
  const start = head(to, at, TEXT, encoded.byteLength)
  to.set(encoded, start)
  return start + encoded.byteLength
}

/** The fields of a message, all but its payload. */
function message(to: Uint8Array, at: number, frame: Frame): number {
  at = head(to, at, UINT, frame.flags)
  at = text(to, at, frame.type)
  at = head(to, at, UINT, frame.stream)
  return head(to, at, UINT, frame.window)
}

function word(buffer: Uint8Array, at: number, value: number): number {
  buffer[at] = value >>> 24
  buffer[at + 1] = value >>> 16
  buffer[at + 2] = value >>> 8
  buffer[at + 3] = value
  return at + 4
}

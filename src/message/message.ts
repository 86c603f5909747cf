/**
 * What actors send each other: a type name and either bytes, a value, or a stream of values. Data only: who sends it to
 * whom, and how it is answered, is the envelope's business.
 */
import { EMPTY_BYTES, fromUtf8, toUtf8 } from '../base/bytes.ts'
import {
  describe,
  NotSerialisableError,
  ProtocolError,
  PulsingUnsupportedError,
  StreamClosedError,
} from '../base/errors.ts'
import { heldBy, released } from '../stream/abandoned.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { StreamSource } from '../stream/stream-source.ts'
import { decodePayload, encodePayload } from './payload.ts'

/** How the payload bytes are to be read. */
export const FORMAT = { raw: 0, json: 1, cbor: 2 } as const
export type Format = (typeof FORMAT)[keyof typeof FORMAT]

/**
 * A type name with bytes, a value, or a stream. Immutable; make one with the static methods, or `StreamMessage.create`.
 *
 * @example
 * ```ts
 * import { Message } from 'pulsing'
 *
 * const greeting = Message.fromJson('greeting', { name: 'Ada' })
 * greeting.toJson<{ name: string }>().name // 'Ada'
 * const bytes = Message.single('blob', new Uint8Array([1, 2, 3]))
 * bytes.payload.byteLength // 3
 * ```
 */
export class Message {
  /** What kind of message it is, for the actor to tell by; may be empty. */
  readonly msgType: string
  /** @internal how `payload` is encoded */
  readonly format: Format
  #payload: Uint8Array | undefined
  #value: unknown
  #source: StreamSource | Promise<StreamSource> | undefined
  #reader: StreamReader | undefined
  #isSpent = false
  #isReferring = false

  private constructor(msgType: string, format: Format) {
    this.msgType = msgType
    this.format = format
  }

  /**
   * A message of raw bytes. The bytes are not copied: do not change them afterwards.
   *
   * @throws NotSerialisableError when `payload` is no Uint8Array
   */
  static single(msgType: string, payload: Uint8Array): Message {
    if (!(payload instanceof Uint8Array))
      throw new NotSerialisableError(`expected the payload as Uint8Array, got ${describe(payload)}`)
    return Message.#bytes(msgType, FORMAT.raw, payload)
  }

  /**
   * A message whose payload is `value` as UTF-8 JSON, encoded now.
   *
   * @throws NotSerialisableError when JSON cannot hold the value: undefined, a function, a bigint, a cycle
   */
  static fromJson(msgType: string, value: unknown): Message {
    let text: string | undefined
    try {
      text = JSON.stringify(value)
    } catch (error) {
      throw new NotSerialisableError(`expected a value JSON can hold, got ${describe(value)}`, { cause: error })
    }
    if (text === undefined) throw new NotSerialisableError(`expected a value JSON can hold, got ${describe(value)}`)
    return Message.#bytes(msgType, FORMAT.json, toUtf8(text))
  }

  /**
   * A message of any value CBOR can hold, refs and streams included. Not encoded, hence not copied, while it stays in
   * this process; a value that cannot travel is refused when it is sent to another node, or `payload` is read.
   */
  static fromObject(msgType: string, value: unknown): Message {
    const message = new Message(msgType, FORMAT.cbor)
    message.#value = value
    return message
  }

  /** A message without type and payload: the answer of a handler that returned nothing. */
  static empty(): Message {
    return Message.#bytes('', FORMAT.raw, EMPTY_BYTES)
  }

  /** @internal a message as it came over a link */
  static received(msgType: string, format: Format, payload: Uint8Array): Message {
    return Message.#bytes(msgType, format, payload)
  }

  /** @internal a message whose value came over a link, with streams or functions in it that its reader must end */
  static referring(msgType: string, value: unknown): Message {
    const message = Message.fromObject(msgType, value)
    message.#isReferring = true
    return message
  }

  /** @internal a message that carries a stream */
  static stream(msgType: string, source: StreamSource | Promise<StreamSource>): Message {
    const message = new Message(msgType, FORMAT.raw)
    message.#source = source
    heldBy(message, source)
    return message
  }

  static #bytes(msgType: string, format: Format, payload: Uint8Array): Message {
    const message = new Message(msgType, format)
    message.#payload = payload
    return message
  }

  /** Whether this message carries a stream instead of a payload. */
  get isStream(): boolean {
    return this.#source !== undefined
  }

  /** @internal whether the stream's reader was asked for, or the stream sent on */
  get isTaken(): boolean {
    return this.#reader !== undefined || this.#isSpent
  }

  /** @internal whether streams or functions came in its value over a link, so that nobody else ends them */
  get isReferring(): boolean {
    return this.#isReferring
  }

  /** @internal whether the value is still at hand and was never encoded */
  get isObject(): boolean {
    return this.#payload === undefined && this.#source === undefined
  }

  /**
   * The payload bytes. Do not change them.
   *
   * @throws PulsingUnsupportedError on a stream message
   * @throws NotSerialisableError when the value given to `fromObject` cannot become bytes
   */
  get payload(): Uint8Array {
    this.#expectSingle('payload')
    this.#payload ??= encodePayload(this.#value)
    return this.#payload
  }

  /**
   * The payload read as JSON; for a message made by `fromObject`, its value.
   *
   * @throws PulsingUnsupportedError on a stream message
   * @throws ProtocolError when the payload is no JSON
   */
  toJson<T = unknown>(): T {
    this.#expectSingle('toJson()')
    if (this.format === FORMAT.cbor) return this.#object() as T
    return this.#json() as T
  }

  /**
   * The payload read as CBOR; for a message made by `fromJson`, its value. Inside one process the very object that was
   * sent; undefined for an empty payload.
   *
   * @throws PulsingUnsupportedError on a stream message
   * @throws ProtocolError when the payload is no CBOR
   */
  toObject<T = unknown>(): T {
    this.#expectSingle('toObject()')
    if (this.format === FORMAT.json) return this.#json() as T
    return this.#object() as T
  }

  /**
   * The stream's reader; the same one at every call.
   *
   * @throws PulsingUnsupportedError on a message without a stream
   * @throws StreamClosedError when the message was sent on
   */
  streamReader<T = unknown>(): StreamReader<T> {
    if (this.#source === undefined) {
      throw new PulsingUnsupportedError(
        `expected a stream message, got a single one of type ${describe(this.msgType)}: read its payload instead`,
      )
    }
    if (this.#isSpent)
      throw new StreamClosedError(
        `expected a stream message that was not sent, got type ${describe(this.msgType)} after it was`,
      )
    if (!this.#reader) {
      released(this)
      this.#reader = new StreamReader(this.#source)
    }
    return this.#reader as StreamReader<T>
  }

  /** @internal Takes the stream out of a stream message, for whoever gets it next; single messages pass as they are. */
  handOver(): Message {
    if (this.#source === undefined) return this
    if (this.#isSpent)
      throw new StreamClosedError(
        `expected a stream message that was not sent before, got type ${describe(this.msgType)} a second time`,
      )
    const source = this.#reader ? this.#reader.detach() : this.#source
    this.#isSpent = true
    released(this)
    return Message.stream(this.msgType, source)
  }

  #object(): unknown {
    if (this.#payload === undefined || this.#value !== undefined) return this.#value
    if (this.#payload.byteLength === 0) return undefined
    this.#value = decodePayload(this.#payload)
    return this.#value
  }

  #json(): unknown {
    const payload = this.payload
    try {
      return JSON.parse(fromUtf8(payload))
    } catch (error) {
      throw new ProtocolError(
        `expected a JSON payload in message ${describe(this.msgType)}, got ${payload.byteLength} bytes that are none`,
        { cause: error },
      )
    }
  }

  #expectSingle(what: string): void {
    if (this.#source !== undefined) {
      throw new PulsingUnsupportedError(
        `${what} expects a single message, got a stream of type ${describe(this.msgType)}: use streamReader()`,
      )
    }
  }
}

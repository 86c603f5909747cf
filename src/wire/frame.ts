/**
 * Frames: what nodes say to each other. A batch is a sequence of frames, each a CBOR array whose first item is its kind.
 * The table below is the whole format: link frames concern two neighbours, routed frames two nodes anywhere, and carry
 * the same five leading fields so that a relay can pass them on without looking further.
 *
 * Odd kinds are critical: a node that does not know one ends the link. Even kinds may be ignored.
 */
import { EMPTY_BYTES } from '../base/bytes.ts'

/** The one version of the protocol so far. */
export const PROTOCOL_VERSION = 1

export const FRAME = {
  // Between neighbours.
  hello: 1,
  goaway: 3,
  ping: 5,
  pong: 7,
  cluster: 9,
  welcome: 11,
  // Between any two nodes.
  ask: 17,
  tell: 19,
  reply: 21,
  fail: 23,
  cancel: 25,
  item: 27,
  end: 29,
  credit: 31,
  stop: 33,
  signal: 35,
  undeliverable: 37,
  reset: 39,
  ack: 41,
  probe: 43,
  part: 45,
  hold: 46,
} as const

/** Kinds from here on are routed. */
export const FIRST_ROUTED_KIND = 16

/** The fields of a frame and how each is written: unsigned integer, text, or byte string. */
export const FIELD_TYPES = {
  hops: 'uint',
  to: 'text',
  from: 'text',
  session: 'uint',
  seq: 'uint',
  id: 'uint',
  actor: 'text',
  sender: 'text',
  timeout: 'uint',
  flags: 'uint',
  type: 'text',
  stream: 'uint',
  window: 'uint',
  count: 'uint',
  bytes: 'uint',
  reason: 'text',
  payload: 'bytes',
} as const

export type FieldName = keyof typeof FIELD_TYPES

/**
 * Leading fields of routed frames: relays it may still pass, node it is for, node it is from (both empty on a link whose
 * two ends are meant), the sender's session with that node, and its number in that session.
 */
const ROUTED = ['hops', 'to', 'from', 'session', 'seq'] as const

/** A message: how to read it, its type, the stream it carries (0 for none) and that stream's window, its bytes. */
const MESSAGE = ['flags', 'type', 'stream', 'window', 'payload'] as const

/** Kind to fields, in order. Null prototype: kinds come from the network. */
export const LAYOUTS: Readonly<Record<number, readonly FieldName[]>> = /* @__PURE__ */ Object.assign(
  /* @__PURE__ */ Object.create(null) as Record<number, readonly FieldName[]>,
  {
    [FRAME.hello]: ['payload'],
    [FRAME.goaway]: ['id', 'reason'],
    [FRAME.ping]: ['id'],
    [FRAME.pong]: ['id'],
    [FRAME.cluster]: ['payload'],
    [FRAME.welcome]: [],
    [FRAME.ask]: [...ROUTED, 'id', 'actor', 'sender', 'timeout', ...MESSAGE],
    [FRAME.tell]: [...ROUTED, 'actor', 'sender', ...MESSAGE],
    [FRAME.reply]: [...ROUTED, 'id', ...MESSAGE],
    [FRAME.fail]: [...ROUTED, 'id', 'payload'],
    [FRAME.cancel]: [...ROUTED, 'id'],
    [FRAME.item]: [...ROUTED, 'id', 'flags', 'type', 'payload'],
    [FRAME.end]: [...ROUTED, 'id', 'payload'],
    [FRAME.credit]: [...ROUTED, 'id', 'count', 'bytes'],
    [FRAME.stop]: [...ROUTED, 'id'],
    [FRAME.signal]: [...ROUTED, 'payload'],
    [FRAME.undeliverable]: [...ROUTED, 'id', 'actor', 'reason'],
    [FRAME.reset]: [...ROUTED, 'id'],
    [FRAME.ack]: [...ROUTED, 'id', 'count', 'flags'],
    [FRAME.probe]: [...ROUTED],
    [FRAME.part]: [...ROUTED, 'id', 'flags', 'payload'],
    [FRAME.hold]: [...ROUTED, 'actor', 'flags'],
  } satisfies Record<number, readonly FieldName[]>,
)

/** Bits of `flags`: the payload's format in the lowest two, then these, then the number of attachments. */
export const FLAG = { formatMask: 3, plain: 4, attachmentShift: 3 } as const

/** Flags of a part: more are to come, it is the last one, the others will not come. */
export const PART = { more: 0, last: 1, dropped: 2 } as const

/** Flag of a hold: the mailbox is full; without it, it no longer is. */
export const HOLD_FULL = 1

/** Flag of an acknowledgement: everything after it is to be sent again. */
export const ACK_RESEND = 1

/** Whether frames of a kind have `flags` of a message. */
export function carriesMessage(kind: number): boolean {
  return kind === FRAME.ask || kind === FRAME.tell || kind === FRAME.reply || kind === FRAME.item
}

/** Relays a frame may pass. */
export const MAX_HOPS = 4

/** Why a link is being ended, in `goaway`. */
export const GOAWAY = {
  leaving: 0,
  unsupported: 1,
  auth: 2,
  protocol: 3,
  duplicate: 4,
  overloaded: 5,
  closing: 6,
} as const

/** Why a relay does not pass a frame on: no way leads there now, or none ever will for this frame. */
export const UNDELIVERABLE = { now: 0, never: 1 } as const

/** A frame's fields. One object is reused for many frames: whoever keeps something copies it. */
export class Frame implements Record<FieldName, unknown> {
  kind = 0
  hops = 0
  to = ''
  from = ''
  session = 0
  seq = 0
  id = 0
  actor = ''
  sender = ''
  timeout = 0
  flags = 0
  type = ''
  stream = 0
  window = 0
  count = 0
  bytes = 0
  reason = ''
  /** What travels beside the frame on links that can. Not a field on the wire. */
  attachments: readonly unknown[] | undefined = undefined
  /** What the payload stands in, and where: views cost more than all else about a small message, and few are needed. */
  source: Uint8Array = EMPTY_BYTES
  payloadStart = 0
  payloadEnd = 0
  #view: Uint8Array | undefined = undefined

  get payload(): Uint8Array {
    this.#view ??= this.source.subarray(this.payloadStart, this.payloadEnd)
    return this.#view
  }

  set payload(bytes: Uint8Array) {
    this.source = this.#view = bytes
    this.payloadStart = 0
    this.payloadEnd = bytes.byteLength
  }

  get payloadBytes(): number {
    return this.payloadEnd - this.payloadStart
  }

  /** The payload is what stands in `source` from `start` to `end`. */
  setPayload(source: Uint8Array, start: number, end: number): void {
    this.source = source
    this.payloadStart = start
    this.payloadEnd = end
    this.#view = undefined
  }

  /** A copy to keep, payload included. */
  clone(): Frame {
    const copy = Object.assign(new Frame(), this)
    copy.payload = this.payload.slice()
    return copy
  }
}

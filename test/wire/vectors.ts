/**
 * The test vectors of the protocol: what test/interop/vectors.json is made of. `node scripts/vectors.mjs` writes the file
 * from here; `vectors.test.ts` holds both to each other.
 */
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { ProtocolError } from '../../src/base/errors.ts'
import { encodeUpdates } from '../../src/cluster/update.ts'
import { encodeHello } from '../../src/link/hello.ts'
import { FIELD_TYPES, type FieldName, FRAME, Frame, LAYOUTS } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { bytesOf, hexOf, type Notation, notationOf, valueOf } from './vectors-notation.ts'

export type Fields = Readonly<Record<string, number | string>>

/** A name, the bytes, and what they say. Byte strings among `fields` are hexadecimal. */
export interface FrameVector {
  readonly name: string
  readonly hex: string
  readonly kind: number
  readonly fields: Fields
}
/** A batch, and the kinds of the frames a node of this version takes from it. */
export interface BatchVector {
  readonly name: string
  readonly hex: string
  readonly kinds: readonly number[]
}
export interface ValueVector {
  readonly name: string
  readonly hex: string
  readonly value: Notation
}
/** Bytes to refuse, and where the fault is. */
export interface HostileVector {
  readonly name: string
  readonly hex: string
  readonly offset: number
}
export interface Vectors {
  readonly frames: readonly FrameVector[]
  readonly batches: readonly BatchVector[]
  readonly values: readonly ValueVector[]
  readonly hostileBatches: readonly HostileVector[]
  readonly hostileValues: readonly HostileVector[]
}

const NODE_A = 'A'.repeat(22)
const NODE_B = 'B'.repeat(22)
const ACTOR_C = 'C'.repeat(22)
const ACTOR_D = 'D'.repeat(22)
const LARGEST = Number.MAX_SAFE_INTEGER

const cbor = (value: unknown): string => hexOf(encodeCbor(value))

/** To the neighbour itself, in session 1. */
const near = (seq: number): Fields => ({ hops: 0, to: '', from: '', session: 1, seq })
/** From node A to node B, through relays. */
const far = (seq: number): Fields => ({ hops: 4, to: NODE_B, from: NODE_A, session: 3, seq })
const message = (flags: number, type: string, payload: string): Fields => ({
  flags,
  type,
  stream: 0,
  window: 0,
  payload,
})
const stream = (id: number, window: number): Fields => ({ flags: 4, type: '', stream: id, window, payload: '' })
const failure = { name: 'PulsingBusinessError', code: 'too_much', message: 'no more than 10', fields: { details: 10 } }
const helloBytes = hexOf(
  encodeHello({ nodeId: NODE_A, kind: 'leaf', versions: [1, 1], features: [], token: undefined, serial: 1 }),
)

const FRAMES: readonly (readonly [name: string, kind: keyof typeof FRAME, fields: Fields])[] = [
  ['hello', 'hello', { payload: helloBytes }],
  ['welcome', 'welcome', {}],
  ['goaway', 'goaway', { id: 3, reason: 'bad frame' }],
  ['goaway, the longest text', 'goaway', { id: 0, reason: 'a'.repeat(4096) }],
  ['goaway, text beyond ASCII', 'goaway', { id: 0, reason: 'tschüß 🎭' }],
  ['ping', 'ping', { id: 0 }],
  ['ping, largest id', 'ping', { id: LARGEST }],
  ['ping, id in one byte more', 'ping', { id: 24 }],
  ['ping, id in two bytes more', 'ping', { id: 256 }],
  ['ping, id in four bytes more', 'ping', { id: 65_536 }],
  ['ping, id in eight bytes more', 'ping', { id: 2 ** 32 }],
  ['pong', 'pong', { id: 7 }],
  ['cluster', 'cluster', { payload: hexOf(encodeUpdates([{ op: 'synced' }])) }],
  ['ask', 'ask', { ...far(1), id: 1, actor: ACTOR_C, sender: '', timeout: 30_000, ...message(6, '', cbor('hi')) }],
  [
    'ask, a call of a method',
    'ask',
    { ...far(2), id: 2, actor: ACTOR_C, sender: ACTOR_D, timeout: 0, ...message(6, '@call', cbor(['add', [1, 2]])) },
  ],
  ['ask, with a stream', 'ask', { ...far(3), id: 3, actor: ACTOR_C, sender: '', timeout: 30_000, ...stream(1, 32) }],
  ['tell', 'tell', { ...near(1), actor: ACTOR_C, sender: '', ...message(6, '', cbor('hi')) }],
  [
    'tell, a message of JSON',
    'tell',
    { ...near(2), actor: ACTOR_C, sender: '', ...message(1, 'greeting', hexOf(Buffer.from('{"name":"Ada"}'))) },
  ],
  [
    'tell, bytes and a long type',
    'tell',
    { ...near(3), actor: 'system/core', sender: ACTOR_D, ...message(0, 't'.repeat(300), 'ff'.repeat(300)) },
  ],
  ['reply', 'reply', { ...near(2), id: 1, ...message(6, '', cbor(42)) }],
  ['reply, a stream', 'reply', { ...near(3), id: 2, ...stream(1, 32) }],
  ['fail', 'fail', { ...near(3), id: 1, payload: cbor(failure) }],
  ['cancel', 'cancel', { ...near(4), id: 1 }],
  ['item', 'item', { ...near(5), id: 1, flags: 6, type: '', payload: cbor(1) }],
  ['item, bytes', 'item', { ...near(6), id: 1, flags: 4, type: '', payload: '00ff' }],
  ['end', 'end', { ...near(6), id: 1, payload: '' }],
  ['end, with an error', 'end', { ...near(6), id: 1, payload: cbor(failure) }],
  ['credit', 'credit', { ...near(7), id: 1, count: 16, bytes: 1000 }],
  ['credit, for tells', 'credit', { ...near(4), id: 0, count: 512, bytes: 51_200 }],
  ['stop', 'stop', { ...near(8), id: 1 }],
  ['signal', 'signal', { ...far(9), payload: cbor(['start', 2]) }],
  [
    'undeliverable',
    'undeliverable',
    { hops: 0, to: '', from: '', session: 0, seq: 0, id: 0, actor: NODE_B, reason: 'no way leads there' },
  ],
  ['reset', 'reset', { ...near(0), id: 5 }],
  ['ack', 'ack', { ...near(0), id: 5, count: 32, flags: 0 }],
  ['ack, send again', 'ack', { ...far(0), id: 5, count: 1000, flags: 1 }],
  ['probe', 'probe', near(0)],
  ['part', 'part', { ...near(9), id: 1, flags: 0, payload: '8d1300' }],
  ['part, the last one', 'part', { ...near(10), id: 1, flags: 1, payload: '60' }],
  ['hold', 'hold', { ...near(11), actor: ACTOR_C, flags: 1 }],
  ['hold, no longer', 'hold', { ...near(12), actor: ACTOR_C, flags: 0 }],
]

const EPOCH = new Date(1_700_000_000_000)

const VALUES: readonly (readonly [name: string, value: unknown])[] = [
  ['nothing', undefined],
  ['null', null],
  ['true', true],
  ['zero', 0],
  ['a negative integer', -500],
  ['the largest integer of 32 bits', 2 ** 32 - 1],
  ['a number beyond 32 bits, as a float', 2 ** 40],
  ['a fraction', 0.1],
  ['not a number', Number.NaN],
  ['minus infinity', -Infinity],
  ['a big integer that fits 64 bits', 2n ** 63n],
  ['a negative big integer that fits 64 bits', -(2n ** 40n)],
  ['a big integer', 2n ** 100n],
  ['a negative big integer', -(2n ** 100n)],
  ['text', 'tschüß 🎭'],
  ['bytes', Uint8Array.of(0, 255)],
  ['a list', [1, [], 'a', null, undefined]],
  ['an object', { name: 'Ada', born: 1815, tags: { a: true } }],
  ['a date', EPOCH],
  ['a date with milliseconds', new Date(1_700_000_000_500)],
  [
    'a map',
    new Map<unknown, unknown>([
      [1, 'one'],
      ['two', 2],
    ]),
  ],
  ['a set', new Set([1, 2])],
  ['an error', new Error('no')],
  ['a regular expression', /a+b/gi],
  ['32-bit floats', Float32Array.of(1.5, -2)],
  ['64-bit floats', Float64Array.of(0.1)],
  ['16-bit integers', Uint16Array.of(1, 258)],
  ['a ref', ref(NODE_A, ACTOR_C, 'counter')],
  ['a ref without a name, in an object', { to: ref(NODE_A, ACTOR_C, null) }],
  ['a stream', valueOf({ $tag: [20_598, [1, 32]] })],
  ['a web stream', valueOf({ $tag: [20_598, [2, 1, true]] })],
  ['an attachment', valueOf({ $tag: [20_599, 0] })],
  ['a function', valueOf({ $tag: [20_600, [NODE_A, ACTOR_C]] })],
  ['an error record', failure],
  ['64 levels', valueOf(Array.from({ length: 64 }).reduce<Notation>((inner) => [inner], 0))],
  [
    'a map with a number and a text as keys',
    new Map<unknown, unknown>([
      [1, 0],
      ['1', 0],
      [1.5, 0],
    ]),
  ],
  ['a hello', decodedHello()],
  [
    'updates of the cluster',
    [
      ['node', NODE_A, 1, 'relay', 'ws://127.0.0.1:8000', ['webrtc'], ['Counter'], [NODE_B], [['counter', ACTOR_C]]],
      ['node', NODE_B, 2, 'leaf', null, [], [], [NODE_A], []],
      ['link', NODE_A, 2, NODE_B, false],
      ['name', NODE_B, 3, 'counter', ACTOR_D],
      ['name', NODE_B, 4, 'counter', null],
      ['want', NODE_B],
      ['gone', NODE_B],
      ['synced'],
    ],
  ],
]

function ref(nodeId: string, actorId: string, name: string | null): unknown {
  return valueOf({ $tag: [20_597, [nodeId, actorId, name]] })
}

function decodedHello(): unknown {
  return { pulsing: [1, 1], node: NODE_A, kind: 'leaf', features: ['webrtc'], serial: 2, token: 'secret' }
}

const PING = '820500'
const HEAD = '00606001'
const LATER = '01616141ff1a00010000'

const BATCHES: readonly (readonly [name: string, hex: string])[] = [
  ['nothing', ''],
  ['three frames', `${PING}820701${PING}`],
  ['a known frame with fields of a later version', `860501${LATER}${PING}`],
  ['a frame of 32 items', `9820 05 ${'00'.repeat(31)}`],
  ['unknown even kinds, with and without fields', `8102 8518646161 41ff 00 01${PING}`],
  ['lengths longer than needed', '9a00000002 190005 1b0000000000000007'],
]

const HOSTILE_BATCHES: readonly (readonly [name: string, hex: string])[] = [
  ['an empty array', '80'],
  ['a frame of 33 items', `9821 05 ${'00'.repeat(32)}`],
  ['no array', 'a10102'],
  ['an array of indefinite length', '9f0500ff'],
  ['a tag before the array', 'c1820500'],
  ['a reserved length', '9c'],
  ['an array cut off in its head', '99 00'],
  ['text for a kind', '82616100'],
  ['an unknown critical kind', `${PING} 8118fd`],
  ['too few fields', '82 03 00'],
  ['a negative number', '820520'],
  ['a float for a number', '8205f93c00'],
  ['a number of 2^53', '82051b0020000000000000'],
  ['a number cut off', '82051a0000'],
  ['a number missing', '8205'],
  ['text for bytes', '820961 61'],
  ['bytes for text', '8303 00 4161'],
  ['a text of indefinite length', '8303 00 7f6161ff'],
  ['bytes of indefinite length', '82095f4100ff'],
  ['bytes longer than the batch', '820944 000000'],
  ['bytes of four gigabytes', '82095affffffff00'],
  ['a text of 4097 bytes', `8303 00 791001${'61'.repeat(4097)}`],
  ['text that is not UTF-8', '8303 00 62c328'],
  ['text that is not UTF-8, long', `8303 00 7846${'ff'.repeat(70)}`],
  ['half a surrogate pair', '8303 00 63eda080'],
  ['an overlong form in UTF-8', '8303 00 62c080'],
  ['24 hops', `8718271818 6060 01 00 05`],
  ['a hop count in two bytes', `8718271804 6060 01 00 05`],
  ['a map in a field of a later version', '830500a0'],
  ['a list in a frame of an unknown even kind', '820280'],
  ['garbage after a good frame', `${PING}ff`],
  ['a tell cut off in its payload', `8d13${HEAD}0160 60 06 60 00 00 43 6268`],
]

/** A list that costs 98 856 but for `rest`, the `count` items behind its first one, a regular expression. */
const costly = (count: number, rest: string): string =>
  `99${hexOf(Uint8Array.of((count + 1) >> 8, (count + 1) & 255))}` +
  `d81b83 66${hexOf(Buffer.from('RegExp'))} 790f6e${'61'.repeat(3950)} 60 ${rest}`

/** A map of 22 pairs under tag 259, each a key, which ends in a byte of its own, and 0. */
const keyed = (key: string): string =>
  `d90103b6${Array.from({ length: 22 }, (_, i) => `${key}${hexOf(Uint8Array.of(24 + i))}00`).join('')}`

const nested = (depth: number): string => `${'81'.repeat(depth)}00`

const HOSTILE_VALUES: readonly (readonly [name: string, hex: string])[] = [
  ['nothing', ''],
  ['two values', '0102'],
  ['a number cut off', '1a0000'],
  ['a list cut off', '820161'],
  ['a list that ends early, after a text', '82626161'],
  ['a text longer than the value', '636161'],
  ['bytes of four gigabytes', '5affffffff'],
  ['a list of four billion items', '9affffffff'],
  ['a map that ends early', 'a2616101'],
  ['a list of indefinite length', '9f01ff'],
  ['a map of indefinite length', 'bf616101ff'],
  ['a text of indefinite length', '7f6161ff'],
  ['a break', '8101ff'],
  ['a reserved length', '811c'],
  ['bytes whose length takes 8 bytes', '5b000000000000000161'],
  ['a text whose length takes 8 bytes', '817b000000000000000161'],
  ['a list whose count takes 8 bytes', '819b0000000000000000'],
  ['a map whose count takes 8 bytes', '81bb0000000000000000'],
  ['a tag in 8 bytes', '81db000000000000000100'],
  ['a key whose length takes 8 bytes', 'a17b00000000000000016100'],
  ['a simple value that is none', '81e0'],
  ['a simple value in two bytes', '81f820'],
  ['a text that is not UTF-8', '8162c328'],
  ['half a surrogate pair', '8163eda080'],
  ['an overlong form in UTF-8', '62c080'],
  ['a key that is a number', 'a10102'],
  ['a key twice', 'a2 616101 616102'],
  [
    'a key twice, among many',
    `b4${[...'abcdefghijklmnopqrsa'].map((key) => `61${hexOf(Buffer.from(key))}00`).join('')}`,
  ],
  ['a key twice, in an inner map', '81a2 616101 616102'],
  ['a key __proto__', 'a1695f5f70726f746f5f5f01'],
  ['a key __proto__, written longer', 'a178095f5f70726f746f5f5f01'],
  ['a number as a key twice, once as a float', 'd90103a2 0100 f93c0000'],
  ['a big integer as a key twice', 'd90103a2 c2410100 1b000000000000000100'],
  ['a tag of shared values', '82d81c80d81d00'],
  ['a tag of records', 'd9dfff8319e00081616101'],
  ['a tag of packed values', 'd8338480808000'],
  ['the tag of a decimal fraction', 'c4820001'],
  ['a typed array of 16-bit floats', 'd854420000'],
  ['a typed array of half an element', 'd84543000000'],
  ['a typed array that is none', 'd84501'],
  ['a date that is a text', 'c16161'],
  ['a date in 8 bytes', 'c11b0000000000000001'],
  ['a big number of 1025 bytes', `81c2590401${'ff'.repeat(1025)}`],
  ['a set that is a map', 'd90102a0'],
  ['a map of a list', 'd9010380'],
  ['a tag of a tag', 'c1c100'],
  ['a ref with a list inside', 'd9507583 60 60 80'],
  ['a ref with a tag inside', 'd9507581 c100'],
  ['a ref of nine items', 'd9507589 00 00 00 00 00 00 00 00 00'],
  ['an attachment that is a text', 'd950776130'],
  ['a tag beyond ours', 'd9507a80'],
  ['an error without a text', 'd81b82 00 60'],
  ['an error of four texts', 'd81b84 60 60 60 60'],
  ['an error with the name of a method', `d81b82 6b${hexOf(Buffer.from('constructor'))} 60`],
  ['an error named RegExp', `d81b82 66${hexOf(Buffer.from('RegExp'))} 60`],
  ['a regular expression of 4001 characters', `d81b83 66${hexOf(Buffer.from('RegExp'))} 790fa1${'61'.repeat(4001)} 60`],
  [
    'a regular expression with 93 classes of characters',
    `d81b83 66${hexOf(Buffer.from('RegExp'))} 79022e${'5c707b4c7d61'.repeat(93)} 6175`,
  ],
  ['a regular expression with flag v', `d81b83 66${hexOf(Buffer.from('RegExp'))} 6161 6176`],
  ['65 levels', nested(65)],
  ['66 levels, in tags', `${'d9010281'.repeat(66)}00`],
  ['a set of 2440 numbers', `d90102990988${'00'.repeat(2440)}`],
  ['a list of 962 errors', `9903c2${'d81b82616160'.repeat(962)}`],
  ['a set of 918 big integers', `d90102990396${'c240'.repeat(918)}`],
  ['a set of 991 integers of 8 bytes', `d901029903df${'1b0000000000000000'.repeat(991)}`],
  ['a list of 646 web streams', `990286${'d95076830101f5'.repeat(646)}`],
  ['texts that cost 1145 where 1144 are left', costly(1145, '60'.repeat(1145))],
  ['byte strings that cost 1148 where 1144 are left', costly(287, '40'.repeat(287))],
  ['typed arrays that cost 1152 where 1144 are left', costly(128, 'd84040'.repeat(128))],
  ['a big integer that costs 1146 where 1144 are left', costly(1, `c25902fb${'ff'.repeat(763)}`)],
  ['numbers as keys that cost 1145 where 1144 are left', costly(1, keyed('18'))],
  ['floats as keys that cost 1145 where 1144 are left', costly(1, keyed('fb3ff00000000000'))],
]

const bare = (hex: string): string => hex.replaceAll(' ', '')

/** The frame of these fields. */
export function frameOf(kind: number, fields: Fields): Frame {
  const values = Object.entries(fields).map(([field, value]) => [
    field,
    FIELD_TYPES[field as FieldName] === 'bytes' ? bytesOf(value as string) : value,
  ])
  return Object.assign(new Frame(), { kind }, Object.fromEntries(values))
}

/** The fields of a frame that was read. */
export function fieldsOf(frame: Frame): Fields {
  return Object.fromEntries(
    LAYOUTS[frame.kind]!.map((field) => {
      const value = frame[field]
      return [field, value instanceof Uint8Array ? hexOf(value) : value]
    }),
  )
}

export function writeFrame(frame: Frame): string {
  const writer = new FrameWriter()
  writer.write(frame)
  return hexOf(writer.take())
}

/** The frames of a batch. @throws ProtocolError */
export function readFrames(batch: Uint8Array): Frame[] {
  const reader = new FrameReader()
  const frame = new Frame()
  const frames: Frame[] = []
  reader.open(batch)
  while (reader.next(frame)) frames.push(frame.clone())
  return frames
}

/** Where `read` finds a fault. */
export function faultOf(read: () => unknown): number {
  try {
    read()
  } catch (error) {
    if (error instanceof ProtocolError && error.offset !== undefined) return error.offset
    throw error
  }
  throw new RangeError('expected a ProtocolError, got none')
}

/** All of them, from the code. */
export function makeVectors(): Vectors {
  return {
    frames: FRAMES.map(([name, kind, fields]) => ({
      name,
      hex: writeFrame(frameOf(FRAME[kind], fields)),
      kind: FRAME[kind],
      fields,
    })),
    batches: BATCHES.map(([name, hex]) => ({
      name,
      hex: bare(hex),
      kinds: readFrames(bytesOf(bare(hex))).map(({ kind }) => kind),
    })),
    values: VALUES.map(([name, value]) => ({ name, hex: cbor(value), value: notationOf(value) })),
    hostileBatches: HOSTILE_BATCHES.map(([name, hex]) => ({
      name,
      hex: bare(hex),
      offset: faultOf(() => readFrames(bytesOf(bare(hex)))),
    })),
    hostileValues: HOSTILE_VALUES.map(([name, hex]) => ({
      name,
      hex: bare(hex),
      offset: faultOf(() => decodeCbor(bytesOf(bare(hex)))),
    })),
  }
}

import fc from 'fast-check'
import {
  ActorAlreadyExistsError,
  ActorNotFoundError,
  ActorStoppedError,
  AuthError,
  ConfigError,
  isPulsingError,
  MailboxFullError,
  NoSuchMethodError,
  NotSerialisableError,
  OverloadedError,
  PermissionDeniedError,
  ProtocolError,
  PulsingActorError,
  PulsingBusinessError,
  PulsingError,
  PulsingRuntimeError,
  PulsingSystemError,
  PulsingTimeoutError,
  PulsingUnsupportedError,
  SessionResetError,
  StreamClosedError,
  StreamError,
  UnreachableError,
} from 'pulsing'
import { describe, expect, test } from 'vitest'
import { encodeCbor } from '../../src/base/cbor.ts'
import { decodeError, encodeError } from '../../src/wire/error-codec.ts'

const ADDRESS = 'actor://node/actor'
const travelled = (error: unknown): PulsingError => decodeError(encodeError(error), 'actor://elsewhere')
const record = (value: unknown): PulsingError => decodeError(encodeCbor(value), ADDRESS)

const options = { address: ADDRESS }
const everyClass: readonly PulsingError[] = [
  new ConfigError(['port is wrong', 'host is wrong'], options),
  new ActorNotFoundError('m', options),
  new ActorAlreadyExistsError('m', options),
  new ActorStoppedError('m', options),
  new ActorStoppedError('m', { ...options, outcome: 'not-sent' }),
  new MailboxFullError('m', options),
  new UnreachableError('m', { ...options, outcome: 'not-sent' }),
  new UnreachableError('m', { ...options, outcome: 'unknown' }),
  new SessionResetError('m', { ...options, outcome: 'not-sent' }),
  new StreamClosedError('m', options),
  new StreamError('m', options),
  new ProtocolError('m', { ...options, offset: 17 }),
  new NotSerialisableError('m', options),
  new AuthError('m', options),
  new PermissionDeniedError('m', options),
  new OverloadedError('m', options),
  new NoSuchMethodError('m', options),
  new PulsingBusinessError('m', {
    ...options,
    code: 'no_money',
    details: { missing: 3, list: [1, 'two'], at: new Date(0) },
  }),
  new PulsingBusinessError('m', options),
  new PulsingSystemError('m', { ...options, recoverable: false }),
  new PulsingSystemError('m', options),
  new PulsingTimeoutError('ask', 1500, options),
  new PulsingUnsupportedError('m', options),
]

describe('errors that travel', () => {
  test.each(everyClass.map((error) => [`${error.name} ${error.code}`, error] as const))(
    '%s arrives as the same class with every field',
    (_name, error) => {
      const got = travelled(error)
      expect(got.constructor).toBe(error.constructor)
      expect(got).toBeInstanceOf(error instanceof PulsingRuntimeError ? PulsingRuntimeError : PulsingActorError)
      expect({ ...got }).toEqual({ ...error })
      expect(got.message).toBe(error.message)
      expect(got.stack).toBe(error.stack)
      expect(isPulsingError(got, error.code)).toBe(true)
    },
  )

  test('an error without an address gets that of the node it came from', () => {
    expect(travelled(new StreamError('m')).address).toBe('actor://elsewhere')
  })

  test('the chain of causes arrives with names, messages and stacks', () => {
    const root = new RangeError('root')
    const middle = new Error('middle', { cause: root })
    const got = travelled(new PulsingSystemError('top', { cause: new StreamError('ours', { cause: middle }) }))
    const ours = got.cause as StreamError
    expect(ours).toBeInstanceOf(StreamError)
    const [first, second] = [ours.cause as Error, (ours.cause as Error).cause as Error]
    expect([first.name, first.message, first.stack]).toEqual(['Error', 'middle', middle.stack])
    expect([second.name, second.message, second.stack]).toEqual(['RangeError', 'root', root.stack])
  })

  test('a cause that is no error arrives as an error that says what it was', () => {
    expect((travelled(new PulsingSystemError('m', { cause: 'just text' })).cause as Error).message).toContain(
      'just text',
    )
  })

  test('a TypeError arrives as PulsingBusinessError, any other error as PulsingSystemError, each with the original as cause', () => {
    expect(travelled(new TypeError('bad'))).toMatchObject({
      name: 'PulsingBusinessError',
      message: 'bad',
      cause: { name: 'TypeError' },
    })
    expect(travelled(new SyntaxError('odd'))).toMatchObject({
      name: 'PulsingSystemError',
      message: 'odd',
      cause: { name: 'SyntaxError' },
    })
  })

  test('a class of the user arrives as PulsingSystemError whose cause keeps the name of the class', () => {
    class PaymentRefused extends Error {
      override name = 'PaymentRefused'
    }
    expect(travelled(new PaymentRefused('card')).cause).toMatchObject({ name: 'PaymentRefused', message: 'card' })
  })

  test('causes that go round in circles or deeper than eight are cut', () => {
    const circular: Error & { cause?: unknown } = new Error('round')
    circular.cause = circular
    let depth = 0
    for (let error = travelled(circular) as Error | undefined; error; error = error.cause as Error | undefined) depth++
    expect(depth).toBeLessThanOrEqual(9)
  })

  test('long messages and stacks are cut', () => {
    const bytes = encodeError(new StreamError('x'.repeat(1_000_000)))
    expect(bytes.byteLength).toBeLessThan(100_000)
    expect(decodeError(bytes, ADDRESS).message).toMatch(/^x+…$/)
  })

  test.each([
    ['an object without prototype', Object.create(null) as unknown],
    ['undefined', undefined],
    ['null', null],
    ['a symbol', Symbol('s')],
    ['a function', () => 1],
    [
      'an object whose toString throws',
      {
        toString: () => {
          throw new RangeError('hostile')
        },
      },
    ],
    ['an error whose cause has no prototype', new Error('m', { cause: Object.create(null) })],
    ['details that CBOR has no word for', new PulsingBusinessError('m', { details: 2n ** 70n })],
    ['details with a function', new PulsingBusinessError('m', { details: { f: () => 1 } })],
    ['details that refer to themselves', new PulsingBusinessError('m', { details: circle() })],
    [
      'details whose getter throws',
      new PulsingBusinessError('m', {
        details: {
          get x() {
            throw new RangeError('hostile')
          },
        },
      }),
    ],
    [
      'details that cannot even be named',
      new PulsingBusinessError('m', { details: Object.assign(Object.create(null) as object, { f: () => 1 }) }),
    ],
  ])('%s thrown by an actor still arrives as an error', (_what, thrown) => {
    expect(travelled(thrown)).toBeInstanceOf(PulsingActorError)
  })

  test('details are left out rather than sent by the megabyte', () => {
    const bytes = encodeError(new PulsingBusinessError('m', { details: new Uint8Array(20_000_000) }))
    expect(decodeError(bytes, '')).toMatchObject({ message: 'm', details: undefined })
  })

  const letters = '漢'.repeat(100_000)
  test.each<[string, unknown]>([
    ['long texts of three bytes a letter', new StreamError(letters, { address: letters, cause: new Error(letters) })],
    ['a long code', new PulsingBusinessError('m', { code: letters })],
    ['a long name', Object.assign(new Error('m'), { name: letters })],
    ['many causes, all long', chain(9, () => new Error(letters))],
    [
      'details as deep as values go, inside causes',
      chain(8, () => new PulsingBusinessError('m', { details: deep(64) })),
    ],
    ['details as deep as values go', new PulsingBusinessError('m', { details: deep(64) })],
    ['many details', new PulsingBusinessError('m', { details: new Set(Array.from({ length: 3_000 }, (_, i) => i)) })],
    ['a name that is none', Object.assign(new Error('m'), { name: { a: 1 } })],
    ['a message that is none', Object.assign(new Error('m'), { message: [1] })],
    ['a stack that is none', Object.assign(new Error('m'), { stack: { a: () => 1 } })],
    ['halves of surrogate pairs', new PulsingBusinessError('\ud800', { details: ['\udfff'] })],
    ['a message that throws', Object.defineProperty(new StreamError('m'), 'message', { get: raise })],
    ['a cause that throws', Object.defineProperty(new StreamError('m'), 'cause', { get: raise })],
    ['a proxy that throws', new Proxy(new StreamError('m'), { get: raise, getPrototypeOf: raise })],
  ])('%s: at most 64 KiB, which any reader takes', (_what, thrown) => {
    const bytes = encodeError(thrown)
    expect(bytes.byteLength).toBeLessThanOrEqual(65_536)
    const error = decodeError(bytes, ADDRESS)
    expect(error).toBeInstanceOf(PulsingError)
    expect(error.name).not.toBe('ProtocolError')
  })
})

function raise(): never {
  throw new RangeError('hostile')
}

/** A list in a list, that many levels. */
function deep(levels: number): unknown {
  return Array.from({ length: levels }).reduce((inner) => [inner], 0)
}

/** An error with a cause with a cause, that many. */
function chain(length: number, make: () => Error): Error {
  const first = make()
  let last = first
  for (let i = 1; i < length; i++) {
    last.cause = make()
    last = last.cause as Error
  }
  return first
}

function circle(): object {
  const value: { self?: unknown } = {}
  value.self = value
  return value
}

describe('records from a hostile node', () => {
  test('an unknown class arrives as PulsingSystemError with its message', () => {
    expect(record({ name: 'EvalError', code: 'evil', message: 'm' })).toMatchObject({
      name: 'PulsingSystemError',
      message: 'm',
      address: ADDRESS,
    })
  })

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'Object', 'Function'])(
    'the name %s constructs nothing but PulsingSystemError',
    (name) => {
      expect(record({ name, message: 'm' })).toBeInstanceOf(PulsingSystemError)
    },
  )

  test.each([
    ['a number', 7],
    ['null', null],
    ['an array', [1, 2]],
    ['an empty map', {}],
    ['fields of wrong types', { name: 7, code: [], message: {}, stack: 1, address: null, fields: 'x', cause: 3 }],
    [
      'a Map instead of an object',
      new Map<unknown, unknown>([
        ['name', 'StreamError'],
        [{}, 1],
      ]),
    ],
    ['an outcome that is none', { name: 'UnreachableError', message: 'm', fields: { outcome: 'maybe' } }],
    [
      'a duration that is none',
      { name: 'PulsingTimeoutError', message: 'm', fields: { operation: 4, durationMs: 'x' } },
    ],
  ])('%s still arrives as an error of ours', (_what, value) => {
    const error = record(value)
    expect(error).toBeInstanceOf(PulsingError)
    expect(typeof error.message).toBe('string')
  })

  test('an outcome that is none counts as unknown', () => {
    expect(record({ name: 'UnreachableError', message: 'm', fields: { outcome: 'maybe' } })).toMatchObject({
      outcome: 'unknown',
    })
  })

  test('a __proto__ key changes no prototype', () => {
    // a1 69 "__proto__" a1 68 "polluted" f5
    const bytes = Uint8Array.from([
      0xa1,
      0x69,
      ...Buffer.from('__proto__'),
      0xa1,
      0x68,
      ...Buffer.from('polluted'),
      0xf5,
    ])
    const error = decodeError(bytes, ADDRESS)
    expect(error).toBeInstanceOf(PulsingError)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect((error as unknown as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('a cause nested as deep as a payload may be is cut', () => {
    let nested: object = { name: 'Error', message: 'deepest' }
    for (let i = 1; i < 64; i++) nested = { name: 'Error', message: 'm', cause: nested }
    let depth = 0
    for (let error = record(nested) as Error | undefined; error; error = error.cause as Error | undefined) depth++
    expect(depth).toBe(9)
  })

  test('bytes that are no record arrive as a ProtocolError that says where', () => {
    expect(decodeError(Uint8Array.of(0xa1, 0x61, 0x61, 0xff), ADDRESS)).toMatchObject({
      name: 'ProtocolError',
      offset: 3,
      address: ADDRESS,
      message: 'expected an error record, got bytes that are none',
    })
    const thousand = Uint8Array.from(Array.from({ length: 1000 }, () => [0xa1, 0x65, ...Buffer.from('cause')]).flat())
    expect(decodeError(thousand, ADDRESS)).toMatchObject({ name: 'ProtocolError', offset: 64 * 7 })
  })

  test('more than 64 KiB are not looked at', () => {
    const { message, name } = decodeError(encodeCbor({ name: 'StreamError', message: 'x'.repeat(65_536) }), ADDRESS)
    expect([name, message]).toEqual(['ProtocolError', expect.stringMatching(/at most 65536 bytes, got 65\d{3}/)])
  })

  test('random bytes always arrive as an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(decodeError(bytes, ADDRESS)).toBeInstanceOf(PulsingError)
      }),
      { numRuns: 3_000 },
    )
  })
})

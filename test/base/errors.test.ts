/** The errors: names, codes, families, and how they are recognised. */
import * as pulsing from 'pulsing'
import {
  isPulsingError,
  PulsingActorError,
  PulsingBusinessError,
  PulsingError,
  PulsingRuntimeError,
  PulsingTimeoutError,
  UnreachableError,
} from 'pulsing'
import { expect, test } from 'vitest'
import { describe, toActorError } from '../../src/base/errors.ts'

const runtime: readonly [string, string][] = [
  ['ConfigError', 'invalid_config'],
  ['ActorNotFoundError', 'actor_not_found'],
  ['ActorAlreadyExistsError', 'actor_already_exists'],
  ['ActorStoppedError', 'actor_stopped'],
  ['MailboxFullError', 'actor_mailbox_full'],
  ['UnreachableError', 'unreachable'],
  ['SessionResetError', 'session_reset'],
  ['StreamClosedError', 'stream_closed'],
  ['StreamError', 'stream_error'],
  ['ProtocolError', 'protocol_error'],
  ['NotSerialisableError', 'serialization_error'],
  ['AuthError', 'auth_failed'],
  ['PermissionDeniedError', 'permission_denied'],
  ['OverloadedError', 'overloaded'],
  ['NoSuchMethodError', 'no_such_method'],
]
const actor: readonly [string, string][] = [
  ['PulsingBusinessError', 'business_error'],
  ['PulsingSystemError', 'system_error'],
  ['PulsingUnsupportedError', 'unsupported'],
]

type Constructor = new (message: string, options?: { cause?: unknown; address?: string }) => PulsingError
const exported = pulsing as unknown as Record<string, Constructor>

test.each([...runtime, ...actor])('%s has its name, the code %s, its cause and its address', (name, code) => {
  const cause = new Error('why')
  const error = new exported[name]!('what', { cause, address: 'actor://n/a' })
  expect(error).toBeInstanceOf(Error)
  expect(error).toBeInstanceOf(PulsingError)
  expect([error.name, error.code, error.message, error.cause, error.address]).toEqual([
    name,
    code,
    'what',
    cause,
    'actor://n/a',
  ])
  expect(String(error)).toBe(`${name} [${code}]: what (actor://n/a)`)
  expect(String(new exported[name]!('what'))).toBe(`${name} [${code}]: what`)
  expect('cause' in new exported[name]!('what')).toBe(false)
  expect(isPulsingError(error) && isPulsingError(error, code) && isPulsingError(error, name)).toBe(true)
  expect(isPulsingError(error, 'other')).toBe(false)
})

test('the two families are apart', () => {
  for (const [name] of runtime) expect(new exported[name]!('x')).toBeInstanceOf(PulsingRuntimeError)
  for (const [name] of actor) expect(new exported[name]!('x')).toBeInstanceOf(PulsingActorError)
  expect(new PulsingTimeoutError('ask', 5)).toBeInstanceOf(PulsingActorError)
})

test('a timeout says what was waited for and how long', () => {
  expect(new PulsingTimeoutError('ask', 250)).toMatchObject({
    name: 'PulsingTimeoutError',
    code: 'timeout',
    operation: 'ask',
    durationMs: 250,
    message: 'ask took longer than 250 ms',
  })
})

test('unreachable says whether the message may have been handled: unknown unless told otherwise', () => {
  expect(new UnreachableError('x').outcome).toBe('unknown')
  expect(new UnreachableError('x', { outcome: 'not-sent' }).outcome).toBe('not-sent')
  expect(isPulsingError(new exported['SessionResetError']!('x'), 'session_reset')).toBe(true)
})

test('an error of another realm is recognised by name and code', () => {
  expect(isPulsingError({ name: 'ActorStoppedError', code: 'actor_stopped', message: 'x' }, 'actor_stopped')).toBe(true)
  expect(isPulsingError({ name: 'PulsingBusinessError', code: 'no_funds' }, 'no_funds')).toBe(true)
})

test.each([
  undefined,
  null,
  5,
  'ActorStoppedError',
  {},
  new Error('x'),
  { name: 'Error', code: 'actor_stopped' },
  { name: 'ActorStoppedError' },
  Object.assign(new Error('x'), { code: 'ENOENT' }),
])('%s is none of ours', (value) => {
  expect(isPulsingError(value)).toBe(false)
})

test('toActorError keeps ours and wraps the rest by family', () => {
  const own = new PulsingBusinessError('x', { code: 'c' })
  expect(toActorError(own)).toBe(own)
  expect(toActorError(new TypeError('t'), 'actor://n/a')).toMatchObject({
    name: 'PulsingBusinessError',
    message: 't',
    address: 'actor://n/a',
  })
  expect(toActorError(new RangeError('r'))).toMatchObject({ name: 'PulsingBusinessError' })
  expect(toActorError(new SyntaxError('s'))).toMatchObject({ name: 'PulsingSystemError', recoverable: true })
})

test.each([
  [null, 'null'],
  [undefined, 'undefined'],
  ['text', '"text"'],
  [5, '5'],
  [[1, 2], 'an array of 2'],
  [new Map(), 'a Map'],
  [Object.create(null), 'a object'],
  [Symbol('s'), 'Symbol(s)'],
  [class A {}, 'function A'],
  [() => undefined, 'a function'],
])('describe(%s) is %s', (value, text) => {
  expect(describe(value)).toBe(text)
})

test('describe never throws and is never long', () => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  for (const value of [
    revoked.proxy,
    {
      get constructor(): never {
        throw new Error('no')
      },
    },
    'x'.repeat(1e6),
  ])
    expect(describe(value).length).toBeLessThan(200)
})

/**
 * Errors to bytes and back. A code from our list becomes the same class again; anything else arrives as a
 * PulsingSystemError: no peer chooses what is constructed. The stack is the remote one; causes come as far as they go.
 */
import { decodeCbor, encodeCbor, lower, placeOf } from '../base/cbor.ts'
import type { PulsingErrorOptions } from '../base/errors.ts'
import {
  ActorAlreadyExistsError,
  ActorNotFoundError,
  ActorStoppedError,
  AuthError,
  ConfigError,
  DeadlockError,
  describe,
  MailboxFullError,
  markReceived,
  NoSuchMethodError,
  NotSerialisableError,
  OverloadedError,
  PermissionDeniedError,
  ProtocolError,
  PulsingBusinessError,
  PulsingError,
  PulsingSystemError,
  PulsingTimeoutError,
  PulsingUnsupportedError,
  SessionResetError,
  StreamClosedError,
  StreamError,
  toActorError,
  UnreachableError,
} from '../base/errors.ts'

/** Largest encoded error, in bytes. */
export const MAX_ERROR_BYTES = 65_536
const MAX_CAUSES = 8
const MAX_TEXT = 16_384
const MAX_NAME = 256

interface ErrorRecord {
  readonly name: string
  readonly code: string
  readonly message: string
  readonly stack?: string
  readonly address?: string
  readonly fields?: Readonly<Record<string, unknown>>
  readonly cause?: ErrorRecord
}

/** Makes an error of one class again. */
type Revive = (
  record: ErrorRecord,
  options: PulsingErrorOptions,
  fields: Readonly<Record<string, unknown>>,
) => PulsingError

const simple =
  (Class: new (message: string, options?: PulsingErrorOptions) => PulsingError): Revive =>
  (record, options) =>
    new Class(record.message, options)

const outcomeOf = (value: unknown): 'not-sent' | 'unknown' => (value === 'not-sent' ? 'not-sent' : 'unknown')

const REVIVE: ReadonlyMap<string, Revive> = /* @__PURE__ */ new Map<string, Revive>([
  [
    'ConfigError',
    ({ message }, options, { problems }) => new ConfigError(isTexts(problems) ? problems : message, options),
  ],
  ['ActorNotFoundError', simple(ActorNotFoundError)],
  ['ActorAlreadyExistsError', simple(ActorAlreadyExistsError)],
  [
    'ActorStoppedError',
    ({ message }, options, { outcome }) => new ActorStoppedError(message, { ...options, outcome: outcomeOf(outcome) }),
  ],
  ['MailboxFullError', simple(MailboxFullError)],
  [
    'UnreachableError',
    ({ message }, options, { outcome }) => new UnreachableError(message, { ...options, outcome: outcomeOf(outcome) }),
  ],
  [
    'SessionResetError',
    ({ message }, options, { outcome }) => new SessionResetError(message, { ...options, outcome: outcomeOf(outcome) }),
  ],
  ['StreamClosedError', simple(StreamClosedError)],
  ['StreamError', simple(StreamError)],
  [
    'ProtocolError',
    ({ message }, options, { offset }) =>
      new ProtocolError(message, typeof offset === 'number' ? { ...options, offset } : options),
  ],
  ['NotSerialisableError', simple(NotSerialisableError)],
  ['AuthError', simple(AuthError)],
  ['PermissionDeniedError', simple(PermissionDeniedError)],
  ['OverloadedError', simple(OverloadedError)],
  ['DeadlockError', (_record, options, { chain }) => new DeadlockError(isTexts(chain) ? chain : [], options)],
  ['NoSuchMethodError', simple(NoSuchMethodError)],
  ['PulsingUnsupportedError', simple(PulsingUnsupportedError)],
  [
    'PulsingBusinessError',
    ({ message, code }, options, { details }) => new PulsingBusinessError(message, { ...options, code, details }),
  ],
  [
    'PulsingSystemError',
    ({ message }, options, { recoverable }) =>
      new PulsingSystemError(message, { ...options, recoverable: recoverable !== false }),
  ],
  [
    'PulsingTimeoutError',
    (_record, options, { operation, durationMs }) =>
      new PulsingTimeoutError(
        typeof operation === 'string' ? operation : 'ask',
        typeof durationMs === 'number' ? durationMs : 0,
        options,
      ),
  ],
])

/** The classes of ours, each under the name it travels by; a subclass of an application's travels by that of its nearest ancestor. */
const CLASSES: ReadonlyMap<unknown, string> = /* @__PURE__ */ new Map<unknown, string>([
  [ConfigError, 'ConfigError'],
  [ActorNotFoundError, 'ActorNotFoundError'],
  [ActorAlreadyExistsError, 'ActorAlreadyExistsError'],
  [ActorStoppedError, 'ActorStoppedError'],
  [MailboxFullError, 'MailboxFullError'],
  [UnreachableError, 'UnreachableError'],
  [SessionResetError, 'SessionResetError'],
  [StreamClosedError, 'StreamClosedError'],
  [StreamError, 'StreamError'],
  [ProtocolError, 'ProtocolError'],
  [NotSerialisableError, 'NotSerialisableError'],
  [AuthError, 'AuthError'],
  [PermissionDeniedError, 'PermissionDeniedError'],
  [OverloadedError, 'OverloadedError'],
  [DeadlockError, 'DeadlockError'],
  [NoSuchMethodError, 'NoSuchMethodError'],
  [PulsingUnsupportedError, 'PulsingUnsupportedError'],
  [PulsingBusinessError, 'PulsingBusinessError'],
  [PulsingSystemError, 'PulsingSystemError'],
  [PulsingTimeoutError, 'PulsingTimeoutError'],
])

function classNameOf(error: Error): string {
  for (
    let level: unknown = Object.getPrototypeOf(error);
    level instanceof Error;
    level = Object.getPrototypeOf(level)
  ) {
    const name = CLASSES.get((level as Error).constructor)
    if (name !== undefined) return name
  }
  return error.name
}

/** The bytes of any thrown value. Never throws, and never more than {@link MAX_ERROR_BYTES}: what is too much is left out. */
export function encodeError(error: unknown): Uint8Array {
  const record = recordOf(error)
  const { name, code, message, stack } = record
  const bare: ErrorRecord = { name, code, message }
  for (const attempt of stack === undefined ? [record] : [record, { ...bare, stack }]) {
    try {
      const bytes = encodeCbor(lower(attempt))
      if (bytes.byteLength <= MAX_ERROR_BYTES) return bytes
    } catch {
      // Details that CBOR cannot hold, or too deep inside causes: the error goes without them.
    }
  }
  return encodeCbor(bare)
}

function recordOf(error: unknown): ErrorRecord {
  try {
    return toRecord(toActorError(error), 0)
  } catch {
    return { name: 'PulsingSystemError', code: 'system_error', message: 'an error that cannot be looked at' }
  }
}

/**
 * The error of any bytes: a ProtocolError where they are no record.
 *
 * @param address where the error comes from, when the record does not say
 */
export function decodeError(bytes: Uint8Array, address: string): PulsingError {
  if (bytes.byteLength > MAX_ERROR_BYTES)
    return new ProtocolError(`expected an error record of at most ${MAX_ERROR_BYTES} bytes, got ${bytes.byteLength}`, {
      address,
    })
  let value: unknown
  try {
    value = decodeCbor(bytes)
  } catch (cause) {
    return new ProtocolError('expected an error record, got bytes that are none', {
      cause,
      address,
      ...placeOf(cause),
    })
  }
  return markReceived(fromRecord(value, address, 0))
}

function toRecord(error: unknown, depth: number): ErrorRecord {
  if (!(error instanceof Error)) return { name: 'Error', code: '', message: clip(describe(error)) }
  const { message, stack }: { readonly message: unknown; readonly stack?: unknown } = error
  const isOurs = error instanceof PulsingError
  const fields = isOurs ? fieldsOf(error) : undefined
  return {
    name: textOf(classNameOf(error), MAX_NAME),
    code: isOurs ? textOf(error.code, MAX_NAME) : '',
    message: textOf(message, MAX_TEXT),
    ...(stack ? { stack: textOf(stack, MAX_TEXT) } : {}),
    ...(isOurs && error.address ? { address: textOf(error.address, MAX_TEXT) } : {}),
    ...(fields ? { fields } : {}),
    ...(error.cause !== undefined && depth < MAX_CAUSES ? { cause: toRecord(error.cause, depth + 1) } : {}),
  }
}

/** What should be a text, and of errors of an application need not be one. */
function textOf(value: unknown, maxLength: number): string {
  return clip(typeof value === 'string' ? value : describe(value), maxLength)
}

function fieldsOf(error: PulsingError): Record<string, unknown> | undefined {
  if (error instanceof UnreachableError) return { outcome: error.outcome }
  if (error instanceof ActorStoppedError) return error.outcome === 'unknown' ? undefined : { outcome: error.outcome }
  if (error instanceof ConfigError) return { problems: error.problems }
  if (error instanceof DeadlockError) return { chain: error.chain }
  if (error instanceof ProtocolError && error.offset !== undefined) return { offset: error.offset }
  if (error instanceof PulsingSystemError) return { recoverable: error.recoverable }
  if (error instanceof PulsingTimeoutError) return { operation: error.operation, durationMs: error.durationMs }
  if (error instanceof PulsingBusinessError && error.details !== undefined) {
    try {
      return { details: lower(error.details) }
    } catch {
      return { details: describe(error.details) }
    }
  }
  return undefined
}

function fromRecord(value: unknown, address: string, depth: number): PulsingError {
  const record = readRecord(value)
  const cause = depth < MAX_CAUSES && record.cause ? causeFrom(record.cause, address, depth + 1) : undefined
  const options: PulsingErrorOptions = { address: record.address ?? address, ...(cause ? { cause } : {}) }
  const error = (REVIVE.get(record.name) ?? simple(PulsingSystemError))(record, options, record.fields ?? {})
  if (record.stack) error.stack = record.stack
  return error
}

/** A cause need not be one of ours: it keeps its message, its stack and the name of its class, as a plain Error. */
function causeFrom(value: unknown, address: string, depth: number): Error {
  const record = readRecord(value)
  if (REVIVE.has(record.name)) return fromRecord(value, address, depth)
  const error = new Error(
    record.message,
    record.cause && depth < MAX_CAUSES ? { cause: causeFrom(record.cause, address, depth + 1) } : undefined,
  )
  Object.defineProperty(error, 'name', { value: record.name, configurable: true, writable: true })
  if (record.stack) error.stack = record.stack
  return error
}

function readRecord(value: unknown): ErrorRecord {
  const fields: Record<string, unknown> =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  const text = (key: string): string | undefined =>
    Object.hasOwn(fields, key) && typeof fields[key] === 'string' ? clip(fields[key]) : undefined
  const inner =
    Object.hasOwn(fields, 'fields') && typeof fields['fields'] === 'object' && fields['fields'] !== null
      ? fields['fields']
      : undefined
  const cause =
    Object.hasOwn(fields, 'cause') && typeof fields['cause'] === 'object' && fields['cause'] !== null
      ? fields['cause']
      : undefined
  const stack = text('stack')
  const address = text('address')
  return {
    name: text('name') ?? 'Error',
    code: text('code') ?? '',
    message: text('message') ?? 'an error without a message',
    ...(stack ? { stack } : {}),
    ...(address ? { address } : {}),
    ...(inner ? { fields: inner as Record<string, unknown> } : {}),
    ...(cause ? { cause: cause as ErrorRecord } : {}),
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
}

function clip(text: string, maxLength = MAX_TEXT): string {
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
}

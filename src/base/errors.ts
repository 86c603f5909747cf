/**
 * Every error a user can see, in two families: a `PulsingRuntimeError` says that the system could not do what was
 * asked; a `PulsingActorError` says that the actor itself failed or refused. `code` is stable across versions,
 * nodes and realms; check it with {@link isPulsingError} rather than `instanceof`.
 */

/** What an error may carry beside its message. */
export interface PulsingErrorOptions {
  /** What led to this error. */
  readonly cause?: unknown
  /** The actor or node concerned, as a URI. */
  readonly address?: string | undefined
}

/** Marks our errors in every realm, where `instanceof` knows only its own. */
const BRAND: unique symbol = Symbol.for('pulsing.error') as never

/** The base of all errors of this package. Message, code and `cause` survive every hop between nodes. */
export abstract class PulsingError extends Error {
  get [BRAND](): true {
    return true
  }
  /** A stable, machine-readable name of the kind of failure. */
  abstract readonly code: string
  /** The actor or node concerned, as a URI, where there is one. */
  readonly address: string | undefined

  constructor(message: string, options: PulsingErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.address = options.address
  }

  /** Name, code, message and address in one line. */
  override toString(): string {
    return `${this.name} [${this.code}]: ${this.message}${this.address ? ` (${this.address})` : ''}`
  }
}

/** The system could not do what was asked. */
export abstract class PulsingRuntimeError extends PulsingError {}

/** The actor failed, or refused the message. */
export abstract class PulsingActorError extends PulsingError {}

/** A setting is wrong. `problems` lists everything that is, so that one look mends all. */
export class ConfigError extends PulsingRuntimeError {
  override readonly name = 'ConfigError'
  override readonly code = 'invalid_config'
  /** One sentence for each thing that is wrong. */
  readonly problems: readonly string[]
  constructor(problems: string | readonly string[], options?: PulsingErrorOptions) {
    const list = typeof problems === 'string' ? [problems] : problems
    super(list.join('; '), options)
    this.problems = list
  }
}

/** No live actor of that name could be found in time. */
export class ActorNotFoundError extends PulsingRuntimeError {
  override readonly name = 'ActorNotFoundError'
  override readonly code = 'actor_not_found'
}

/** The name is taken on this node. */
export class ActorAlreadyExistsError extends PulsingRuntimeError {
  override readonly name = 'ActorAlreadyExistsError'
  override readonly code = 'actor_already_exists'
}

/** What an {@link ActorStoppedError} may carry beside its message. */
export interface ActorStoppedErrorOptions extends PulsingErrorOptions {
  /** Default `unknown`. */
  readonly outcome?: 'not-sent' | 'unknown'
}

/** The actor has stopped, or stopped before it answered. */
export class ActorStoppedError extends PulsingRuntimeError {
  override readonly name = 'ActorStoppedError'
  override readonly code = 'actor_stopped'
  /** `not-sent`: the actor had stopped before its handler saw the message. `unknown`: the handler may have run. */
  readonly outcome: 'not-sent' | 'unknown'
  constructor(message: string, options: ActorStoppedErrorOptions = {}) {
    super(message, options)
    this.outcome = options.outcome ?? 'unknown'
  }
}

/** The mailbox was full and its policy is not to wait. */
export class MailboxFullError extends PulsingRuntimeError {
  override readonly name = 'MailboxFullError'
  override readonly code = 'actor_mailbox_full'
}

/** What an {@link UnreachableError} may carry beside its message. */
export interface UnreachableErrorOptions extends PulsingErrorOptions {
  /** Default `unknown`. */
  readonly outcome?: 'not-sent' | 'unknown'
}

/** The other node cannot be reached. `outcome` says whether the message may have been handled. */
export class UnreachableError extends PulsingRuntimeError {
  override readonly name: string = 'UnreachableError'
  override readonly code: string = 'unreachable'
  /** `not-sent`: the handler never ran. `unknown`: it may have. */
  readonly outcome: 'not-sent' | 'unknown'
  constructor(message: string, options: UnreachableErrorOptions = {}) {
    super(message, options)
    this.outcome = options.outcome ?? 'unknown'
  }
}

/** The session with the other node ended and cannot be resumed; nothing sent in it arrives any more. */
export class SessionResetError extends UnreachableError {
  override readonly name = 'SessionResetError'
  override readonly code = 'session_reset'
}

/** The stream's other end is closed or gone. */
export class StreamClosedError extends PulsingRuntimeError {
  override readonly name = 'StreamClosedError'
  override readonly code = 'stream_closed'
}

/** The producer ended the stream with an error. */
export class StreamError extends PulsingRuntimeError {
  override readonly name = 'StreamError'
  override readonly code = 'stream_error'
}

/** Bytes that break the protocol, or a version both sides do not share. `offset` is a byte position where known. */
export class ProtocolError extends PulsingRuntimeError {
  override readonly name = 'ProtocolError'
  override readonly code = 'protocol_error'
  /** Where in the bytes, counted from 0; undefined where that is not known. */
  readonly offset: number | undefined
  constructor(message: string, options: PulsingErrorOptions & { readonly offset?: number } = {}) {
    super(message, options)
    this.offset = options.offset
  }
}

/** A value that cannot travel to another node. The message names where in the value it stands. */
export class NotSerialisableError extends PulsingRuntimeError {
  override readonly name = 'NotSerialisableError'
  override readonly code = 'serialization_error'
}

/** The other side did not accept who we are, or we did not accept it. */
export class AuthError extends PulsingRuntimeError {
  override readonly name = 'AuthError'
  override readonly code = 'auth_failed'
}

/** Known, but not allowed to do this. */
export class PermissionDeniedError extends PulsingRuntimeError {
  override readonly name = 'PermissionDeniedError'
  override readonly code = 'permission_denied'
}

/** A limit that protects a node was reached; trying later may work. */
export class OverloadedError extends PulsingRuntimeError {
  override readonly name = 'OverloadedError'
  override readonly code = 'overloaded'
}

/**
 * An ask that would have waited for itself: it came back, through `chain`, to an actor that still handles the message
 * the chain began with.
 */
export class DeadlockError extends PulsingRuntimeError {
  override readonly name = 'DeadlockError'
  override readonly code = 'deadlock'
  /** The actors of the cycle, by name or URI, in the order they asked; the first is the last as well. */
  readonly chain: readonly string[]
  constructor(chain: readonly string[], options?: PulsingErrorOptions) {
    super(`expected an ask that can be answered, got a cycle: ${chain.join(' → ')}`, options)
    this.chain = chain
  }
}

/** The actor has no such method, or it may not be called. */
export class NoSuchMethodError extends PulsingRuntimeError {
  override readonly name = 'NoSuchMethodError'
  override readonly code = 'no_such_method'
}

/**
 * The request itself was wrong: TypeError, RangeError, or this class thrown by the actor. Asking again will not help.
 */
export class PulsingBusinessError extends PulsingActorError {
  override readonly name = 'PulsingBusinessError'
  /** What the actor chose; default `business_error`. */
  override readonly code: string
  /** What the actor added for its callers; it travels like any value. */
  readonly details: unknown
  constructor(
    message: string,
    options: PulsingErrorOptions & { readonly code?: string; readonly details?: unknown } = {},
  ) {
    super(message, options)
    this.code = options.code ?? 'business_error'
    this.details = options.details
  }
}

/** The actor failed while handling the message. */
export class PulsingSystemError extends PulsingActorError {
  override readonly name = 'PulsingSystemError'
  override readonly code = 'system_error'
  /** Whether asking again may succeed. Default true. */
  readonly recoverable: boolean
  constructor(message: string, options: PulsingErrorOptions & { readonly recoverable?: boolean } = {}) {
    super(message, options)
    this.recoverable = options.recoverable ?? true
  }
}

/** No answer in time. Whether the message was handled is not known. */
export class PulsingTimeoutError extends PulsingActorError {
  override readonly name = 'PulsingTimeoutError'
  override readonly code = 'timeout'
  /** What was waited for. */
  readonly operation: string
  /** How long, in milliseconds. */
  readonly durationMs: number
  constructor(operation: string, durationMs: number, options?: PulsingErrorOptions) {
    super(`${operation} took longer than ${durationMs} ms`, options)
    this.operation = operation
    this.durationMs = durationMs
  }
}

/** The actor, or this platform, cannot do that. */
export class PulsingUnsupportedError extends PulsingActorError {
  override readonly name = 'PulsingUnsupportedError'
  override readonly code = 'unsupported'
}

/**
 * Whether `error` is one of ours, from this realm or another, and of that kind if one is given.
 *
 * @param kind a `code` (`'actor_not_found'`) or class name (`'ActorNotFoundError'`)
 *
 * @example
 * ```ts
 * import { createActorSystem, isPulsingError } from 'pulsing'
 *
 * const system = await createActorSystem()
 * await system.resolve('nobody', { timeout: 10 }).catch((error) => {
 *   if (!isPulsingError(error, 'ActorNotFoundError')) throw error
 * })
 * await system.shutdown()
 * ```
 */
export function isPulsingError(error: unknown, kind?: string): error is PulsingError {
  if (typeof error !== 'object' || error === null) return false
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown }
  // A clone of an error, as ports and logs make them, has no brand, but a name of ours and a code.
  if (!(BRAND in error) && !(typeof name === 'string' && OURS.test(name) && typeof code === 'string')) return false
  return kind === undefined || code === kind || name === kind
}

const OURS =
  /^(Config|Actor(NotFound|AlreadyExists|Stopped)|MailboxFull|Unreachable|SessionReset|Stream(Closed)?|Protocol|NotSerialisable|Auth|PermissionDenied|Overloaded|Deadlock|NoSuchMethod|Pulsing(Business|System|Timeout|Unsupported))Error$/

/**
 * What went wrong, as the caller of an actor sees it: ours as they are, everything else in one of the four actor errors
 * with the original as `cause`.
 */
export function toActorError(thrown: unknown, address?: string): PulsingError {
  if (thrown instanceof PulsingError) return thrown
  if (thrown instanceof TypeError || thrown instanceof RangeError) {
    return new PulsingBusinessError(thrown.message, { cause: thrown, address })
  }
  if (thrown instanceof Error) return new PulsingSystemError(thrown.message, { cause: thrown, address })
  return new PulsingSystemError(describe(thrown), { cause: thrown, address })
}

/** Errors that other nodes sent: what they say of a message may be said of one of that node's own. */
const received = /* @__PURE__ */ new WeakSet<object>()

/** Notes that an error came from another node. */
export function markReceived<E extends PulsingError>(error: E): E {
  received.add(error)
  return error
}

/** Whether an error came from another node, rather than from this one's attempt to reach it. */
export function isReceived(error: object): boolean {
  return received.has(error)
}

/** A short text for any value, for use in messages. Never throws. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'string')
    return value.length > 80 ? `${JSON.stringify(value.slice(0, 77))}…` : JSON.stringify(value)
  try {
    if (typeof value === 'object') return Array.isArray(value) ? `an array of ${value.length}` : `a ${className(value)}`
    if (typeof value === 'function') return value.name ? `function ${value.name}` : 'a function'
    return String(value)
  } catch {
    // A proxy, or a getter, that refuses to be looked at.
    return `a ${typeof value}`
  }
}

function className(value: object): string {
  const constructor: unknown = Object.getPrototypeOf(value)?.constructor
  return typeof constructor === 'function' && constructor.name ? constructor.name : 'object'
}

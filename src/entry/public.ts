/** What `pulsing` offers on every platform. */

export type { ActorLike, Spawnable, StopReason } from '../actor/actor.ts'
export { Actor } from '../actor/actor.ts'
export type { ActorContext, Cancellable, Receive, ScheduleOptions } from '../actor/actor-context.ts'
export type {
  ActorProxy,
  Callback,
  DelayedProxy,
  MethodName,
  ProxiedClass,
  ProxyMethod,
  ProxyResult,
  UntypedCall,
  UntypedDelayedProxy,
  UntypedProxy,
} from '../actor/actor-proxy.ts'
export type { ActorRef, AskOptions } from '../actor/actor-ref.ts'
export { DEFAULT_ASK_TIMEOUT_MS } from '../actor/actor-ref.ts'
export type {
  Census,
  ConnectOptions,
  CreateOptions,
  InstanceInfo,
  Member,
  Peer,
  ResolveOptions,
  ResolvePolicy,
  SpawnOptions,
} from '../actor/actor-system.ts'
export { ActorSystem, DEFAULT_RESOLVE_TIMEOUT_MS } from '../actor/actor-system.ts'
export type { BehaviorHandler, BehaviorHooks, RefOf } from '../actor/behavior.ts'
export { Behavior, behavior } from '../actor/behavior.ts'
export { LINES_PER_WINDOW, LOG_WINDOW_MS } from '../actor/log-limiter.ts'
export type { MailboxOptions, Overflow } from '../actor/mailbox.ts'
export { DEFAULT_MAILBOX_CAPACITY, MAX_MAILBOX_CAPACITY, MIN_MAILBOX_CAPACITY } from '../actor/mailbox.ts'
export type { Decision, RestartPolicy } from '../actor/supervision.ts'
export {
  DEFAULT_MAX_BACKOFF_MS,
  DEFAULT_MAX_RESTARTS,
  DEFAULT_MIN_BACKOFF_MS,
  RESTART_JITTER,
} from '../actor/supervision.ts'
export type { Logger, SystemEvents } from '../actor/system-events.ts'
export type { Terminated } from '../actor/terminated.ts'
export type { TypedRef } from '../actor/typed-ref.ts'
export type { Clock, Timer } from '../base/clock.ts'
export {
  ActorAlreadyExistsError,
  ActorNotFoundError,
  ActorStoppedError,
  AuthError,
  ConfigError,
  DeadlockError,
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
} from '../base/errors.ts'
export type { Random } from '../base/random.ts'
export { DEFAULT_LEASE_MS } from '../cluster/lease-table.ts'
export type { ExclusiveNamesOptions, Limits } from '../config.ts'
export {
  DEFAULT_HIDDEN_GRACE_MS,
  DEFAULT_INSPECT,
  DEFAULT_MAX_MESSAGE_BYTES,
  DEFAULT_SESSION_GRACE_MS,
  MAX_LEASE_MS,
  MAX_MESSAGE_BYTES,
  MIN_LEASE_MS,
  SystemConfig,
} from '../config.ts'
export type { Applicant, Auth } from '../link/auth-setting.ts'
export type {
  Attachments,
  Connection,
  ConnectionHandler,
  DialOptions,
  Listener,
  Negotiation,
  Signaling,
  Transport,
} from '../link/connection.ts'
export { Message } from '../message/message.ts'
export type { StreamOptions } from '../message/stream-message.ts'
export { MAX_BUFFER_SIZE, StreamMessage } from '../message/stream-message.ts'
export type { ActorClass, ActorConstructor, AsActorOptions } from '../proxy/as-actor.ts'
export { asActor } from '../proxy/as-actor.ts'
export { contextOf } from '../proxy/class-actor.ts'
export { DEFAULT_BUFFER_SIZE } from '../stream/stream-channel.ts'
export { StreamReader } from '../stream/stream-reader.ts'
export { StreamWriter } from '../stream/stream-writer.ts'

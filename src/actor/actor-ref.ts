/**
 * How everybody holds an actor: a ref. It can be put into messages, and says nothing about where the actor
 * is. Behind it stands a recipient: a mailbox in this process, or an association with another node.
 */
import { lowered, Tag } from '../base/cbor.ts'
import { PulsingUnsupportedError } from '../base/errors.ts'
import { actorUri } from '../message/address.ts'
import { Message } from '../message/message.ts'
import { StreamReader } from '../stream/stream-reader.ts'
import type { Cancellable, MessageContext, ScheduleOptions } from './actor-context.ts'
import type { ActorProxy, ProxiedClass, UntypedProxy } from './actor-proxy.ts'
import { MessageSource } from './message-source.ts'
import type { Watcher } from './terminated.ts'

/** How an ask is sent, and how long it waits. */
export interface AskOptions {
  /**
   * Milliseconds, above 0, until the ask rejects with PulsingTimeoutError; Infinity waits for ever. Default
   * {@link DEFAULT_ASK_TIMEOUT_MS}.
   */
  readonly timeout?: number
  /** Gives up the ask, which rejects with the signal's reason; the handler's `ctx.signal` aborts too. */
  readonly signal?: AbortSignal
  /** Objects inside the message that change owner where the way to the actor allows it (ports, buffers). */
  readonly transfer?: readonly object[]
}

/** How long an ask waits unless said otherwise, in milliseconds, local and remote. */
export const DEFAULT_ASK_TIMEOUT_MS = 30_000

/**
 * A reference to an actor, here or on another node.
 *
 * Messages are at-most-once, and in order from one sending actor to one receiving actor. A ref that outlives its actor
 * is harmless: asks reject with ActorStoppedError, tells become dead letters on the actor's node. When that node cannot
 * be reached, both reject with UnreachableError.
 *
 * A ref that was found by a name (`find` and `resolve`, without a node) leads to one instance of it, and goes on to
 * another live one when that one has certainly not handled a message, see `ActorSystem.resolve`.
 */
export interface ActorRef {
  /** Unguessable; knowing it is the right to send. */
  readonly id: string
  /** The name it was spawned with; absent for an anonymous actor. */
  readonly name?: string
  /** The id of the node it runs on. */
  readonly nodeId: string
  /** Whether it runs on this node, in this process. */
  readonly isLocal: boolean
  /**
   * Sends a message and waits for the reply. A Message in gets a Message out; a plain value in gets a plain value out.
   * It rejects with what the actor threw: a PulsingError as it is, anything else as a PulsingActorError with that
   * `cause`.
   *
   * @throws PulsingTimeoutError when there is no reply within `options.timeout`
   * @throws ActorStoppedError when the actor has stopped, or stops before it answers
   * @throws MailboxFullError when its mailbox is full and its policy is not to wait
   * @throws UnreachableError, SessionResetError when its node cannot be reached or is lost; `outcome` says what is
   * known
   * @throws OverloadedError when the message is larger than allowed, or the other node has too many unanswered asks
   * @throws NotSerialisableError when the value cannot travel to another node
   * @throws StreamClosedError when the message is a stream that was sent before
   * @throws ConfigError when `timeout` is not a positive number
   *
   * @example
   * ```ts
   * import { createActorSystem, Message } from 'pulsing'
   *
   * const system = await createActorSystem()
   * const doubler = await system.spawn({ receive: (msg) => msg.toObject<number>() * 2 })
   * await doubler.ask<number>(21, { timeout: 1_000 }) // 42
   * const reply = await doubler.ask(Message.fromObject('double', 4))
   * reply.toObject<number>() // 8
   * await system.shutdown()
   * ```
   */
  ask(msg: Message, options?: AskOptions): Promise<Message>
  ask<R = unknown>(value: unknown, options?: AskOptions): Promise<R>
  /**
   * Sends without waiting for a reply. Resolves when accepted by the mailbox or by the link's window, which does not
   * say that it will be handled: what reaches nobody is a `deadLetter` event on the actor's node.
   *
   * @throws MailboxFullError when the actor is on this node, and its mailbox is full with policy `fail`
   * @throws UnreachableError, SessionResetError when its node cannot be reached or is lost before it took the message
   * @throws OverloadedError when the message is larger than allowed
   * @throws NotSerialisableError when the value cannot travel to another node
   * @throws StreamClosedError when the message is a stream that was sent before
   */
  tell(msg: unknown, options?: Pick<AskOptions, 'transfer'>): Promise<void>
  /**
   * Asks, and reads the reply as a stream. It never throws itself: the first read throws what {@link ask} would, or
   * PulsingUnsupportedError when the reply is no stream. `timeout` and `signal` bound the wait for the reply, not the
   * reading of its items; cancelling the reader before that gives the ask up.
   *
   * @example
   * ```ts
   * import { createActorSystem } from 'pulsing'
   *
   * const system = await createActorSystem()
   * async function* upTo(end: number) {
   *   for (let i = 0; i < end; i++) yield i
   * }
   * const counter = await system.spawn({ receive: (msg) => upTo(msg.toObject<number>()) })
   * for await (const i of counter.askStream<number>(3)) console.debug(i) // 0, 1, 2
   * await system.shutdown()
   * ```
   */
  askStream(msg: Message, options?: AskOptions): StreamReader<Message>
  askStream<T = unknown>(value: unknown, options?: AskOptions): StreamReader<T>
  /**
   * This ref with the methods of `Class`. Nothing is sent: whether the actor has them shows at the first call.
   *
   * @throws NoSuchMethodError when a name that is no public method of `Class` is read from the proxy
   */
  asType<C extends object>(Class: ProxiedClass<C>): ActorProxy<C>
  /**
   * This ref with whatever methods the actor turns out to have; calling one it has not rejects with NoSuchMethodError.
   */
  asAny(): UntypedProxy
}

/** Makes proxies for refs; the proxy layer implements it. */
export interface ProxyFactory {
  typed<C extends object>(ref: ActorRef, Class: ProxiedClass<C>): ActorProxy<C>
  untyped(ref: ActorRef): UntypedProxy
  /** The same proxy for what `rebind` makes of its ref. @throws PulsingUnsupportedError for anything but a proxy */
  rebound<P extends object>(proxy: P, rebind: (ref: ActorRef) => ActorRef): P
}

/** Filled in by whoever waits for the reply: gives the ask up. */
export interface Cancellation {
  cancel?: (reason: unknown) => void
}

/** Hears how asks end, before their callers do. Cheaper than to wait for a caller's promise, which makes another one. */
export interface AskObserver {
  replied(): void
  /** What the caller gets in place of `error`, if anything. Called from within: it must not send at once. */
  failed(error: unknown, ask: FailedAsk): Promise<unknown> | undefined
}

/** An ask as its observer sees it. */
export interface FailedAsk {
  readonly message: Message
  readonly isPlain: boolean
  /** When it began to wait, if it did, and not for ever. */
  readonly since?: number | undefined
}

/** The end of an ask that could not even begin. */
export function refusedAsk(delivery: Delivery | undefined, error: unknown, ask: FailedAsk): Promise<unknown> {
  return delivery?.observer?.failed(error, ask) ?? Promise.reject(error)
}

/** How one message is sent: the options, and who sends. */
export interface Delivery extends AskOptions {
  readonly sender?: ActorRef | undefined
  /** A cheaper `signal`, for callers that seldom give up. */
  readonly cancellation?: Cancellation
  readonly observer?: AskObserver
  /** The message whose handler sends this one: its deadline bounds this one's, its end is this one's. */
  readonly within?: MessageContext
}

/** What stands behind a ref. */
export interface Recipient {
  readonly id: string
  readonly name: string | undefined
  readonly nodeId: string
  readonly isLocal: boolean
  /** Whether it is known to take no messages any more; absent where that cannot be known. */
  readonly hasEnded?: boolean | undefined
  /** The actor it leads to now, where that may change. */
  readonly instance?: Recipient | undefined
  tell(message: Message, delivery: Delivery | undefined): Promise<void>
  /** @param isPlain whether the caller sent a plain value, and expects one */
  ask(message: Message, isPlain: boolean, delivery: Delivery | undefined): Promise<unknown>
  /** Tells `message` after `delayMs` milliseconds; a local actor that stops first is not told. */
  later(delayMs: number, message: Message, options?: ScheduleOptions): Cancellable
  /** Tells `watcher`, once, when the actor has ended. @throws PulsingUnsupportedError where that cannot be known */
  watch(watcher: Watcher): void
  unwatch(watcher: Watcher): void
  /** What an argument of a call becomes that is a function: a callback, or itself where a link makes one of it. */
  lend(callback: (...args: unknown[]) => unknown): unknown
}

/** CBOR tag of a ref: `[nodeId, actorId, name]`. Private use, first come first served range. */
export const REF_TAG = 0x5075

/** The one implementation of {@link ActorRef}. */
export class Ref implements ActorRef {
  readonly #recipient: Recipient
  declare readonly name?: string

  readonly #proxies: ProxyFactory

  constructor(recipient: Recipient, proxies: ProxyFactory) {
    this.#recipient = recipient
    this.#proxies = proxies
    if (recipient.name !== undefined) this.name = recipient.name
  }

  /** @internal */
  get recipient(): Recipient {
    return this.#recipient
  }
  /** @internal this ref with another recipient behind it */
  behind(recipient: Recipient): Ref {
    return new Ref(recipient, this.#proxies)
  }
  get id(): string {
    return this.recipient.id
  }
  get nodeId(): string {
    return this.recipient.nodeId
  }
  get isLocal(): boolean {
    return this.recipient.isLocal
  }

  ask(msg: Message, options?: Delivery): Promise<Message>
  ask<R>(value: unknown, options?: Delivery): Promise<R>
  ask(value: unknown, options?: Delivery): unknown {
    return this.#ask(value, options)
  }

  #ask(value: unknown, options: Delivery | undefined): Promise<unknown> {
    return value instanceof Message
      ? this.recipient.ask(value, false, options)
      : this.recipient.ask(Message.fromObject('', value), true, options)
  }

  tell(value: unknown, options?: Delivery): Promise<void> {
    return this.recipient.tell(value instanceof Message ? value : Message.fromObject('', value), options)
  }

  askStream(msg: Message, options?: Delivery): StreamReader<Message>
  askStream<T>(value: unknown, options?: Delivery): StreamReader<T>
  askStream(value: unknown, options?: Delivery): unknown {
    const wantsMessages = value instanceof Message
    const giveUp = new AbortController()
    const { signal } = options ?? {}
    const abort = (): void => giveUp.abort(signal?.reason)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort)
    const opening = this.#ask(value, { ...options, signal: giveUp.signal })
      .finally(() => signal?.removeEventListener('abort', abort))
      .then((reply) => {
        if (reply instanceof StreamReader) return reply.detach()
        if (reply instanceof Message && reply.isStream) {
          const source = reply.streamReader().detach()
          if (!wantsMessages) return source
          return source instanceof Promise
            ? source.then((opened) => new MessageSource(opened, reply.msgType))
            : new MessageSource(source, reply.msgType)
        }
        throw new PulsingUnsupportedError('expected a stream as reply, got a single message', { address: String(this) })
      })
    return new StreamReader<unknown>(opening, (reason) => giveUp.abort(reason))
  }

  asType<C extends object>(Class: ProxiedClass<C>): ActorProxy<C> {
    return this.#proxies.typed(this, Class)
  }

  asAny(): UntypedProxy {
    return this.#proxies.untyped(this)
  }

  toString(): string {
    return actorUri(this.nodeId, this.id)
  }

  /** For logs and for JSON: what identifies the actor, without the system behind it. */
  toJSON(): { readonly id: string; readonly nodeId: string; readonly name?: string } {
    return { id: this.id, nodeId: this.nodeId, ...(this.name === undefined ? {} : { name: this.name }) }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `ActorRef(${this})`
  }

  /** As CBOR: any node that gets it can send to the same actor. */
  [lowered](): Tag {
    return new Tag([this.nodeId, this.id, this.name ?? null], REF_TAG)
  }
}

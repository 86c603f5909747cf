/** The types of proxies: a class's methods as seen through a ref. Types only; the proxy layer makes the objects. */
import type { StreamReader } from '../stream/stream-reader.ts'
import type { ActorRef } from './actor-ref.ts'

/** A class whose instances' methods a proxy offers. */
export type ProxiedClass<C extends object> = abstract new (...args: never[]) => C

/** Names a proxy never offers, whatever the class says. */
export type HiddenName =
  | 'constructor'
  | 'onStart'
  | 'onStop'
  | 'metadata'
  | 'then'
  | 'toJSON'
  | `_${string}`
  | `#${string}`

/** The names of `C`'s methods that can be called through a proxy. */
export type MethodName<C> = {
  [K in keyof C]: K extends HiddenName | symbol | number
    ? never
    : C[K] extends (...args: never[]) => unknown
      ? K
      : never
}[keyof C]

type Streamed<T> = AsyncIterable<T> | Generator<T, unknown, never> | ReadableStream<T>
type Items<R> = R extends Streamed<infer T> ? StreamReader<T> : R

/**
 * What a call gives: streams for methods that return generators, async iterables or web streams, promises for all
 * others.
 */
export type ProxyResult<R> = 0 extends 1 & R
  ? Promise<R>
  : [R] extends [Streamed<infer T>]
    ? StreamReader<T>
    : Promise<Items<Awaited<R>>>

/** A method as a proxy offers it: the same arguments, and what {@link ProxyResult} makes of the result. */
export type ProxyMethod<F> = F extends (...args: infer A) => infer R ? (...args: A) => ProxyResult<R> : never

/**
 * A typed remote control of an actor made from class `C`. A call rejects, or fails its stream, with what `ActorRef.ask`
 * would; reading a name that is no public method throws NoSuchMethodError. Safe to `await` and to log.
 */
export type ActorProxy<C> = { readonly [K in MethodName<C>]: ProxyMethod<C[K]> } & {
  /** The ref behind this proxy. */
  readonly ref: ActorRef
  /** Calls a method one-way; resolves when the message is accepted, rejects as `ActorRef.tell` does. */
  tell<K extends MethodName<C>>(
    method: K,
    ...args: C[K] extends (...args: infer A) => unknown ? A : never
  ): Promise<void>
}

/** A call of unknown type: await it, or read it as a stream. */
export type UntypedCall = Promise<unknown> & StreamReader<unknown>

/** A proxy without types: every name is a method. */
export type UntypedProxy = { readonly ref: ActorRef; tell(method: string, ...args: unknown[]): Promise<void> } & {
  readonly [method: string]: (...args: unknown[]) => UntypedCall
}

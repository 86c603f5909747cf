/**
 * The types of proxies: a class's methods as seen through a ref. Types only; the proxy layer makes the objects.
 *
 * Conditional types read a method overload by overload, and put its type parameters' constraints in their place. So a
 * method whose type is right already, because it is async, is never taken apart.
 */
import type { StreamReader } from '../stream/stream-reader.ts'
import type { Cancellable } from './actor-context.ts'
import type { ActorRef } from './actor-ref.ts'

/** A class whose instances' methods a proxy offers. */
export type ProxiedClass<C extends object> = abstract new (...args: never[]) => C

/** Names a proxy never offers, whatever the class says: hooks, what the language asks for, and what is private. */
export type HiddenName =
  | 'constructor'
  | 'onStart'
  | 'onStop'
  | 'onChildFailure'
  | 'metadata'
  | 'then'
  | 'toJSON'
  | 'toString'
  | 'toLocaleString'
  | 'valueOf'
  | 'hasOwnProperty'
  | 'isPrototypeOf'
  | 'propertyIsEnumerable'
  | `_${string}`
  | `#${string}`

/** What a proxy has of its own; a class's methods of these names are out of reach. */
type OwnName = 'ref' | 'tell' | 'delayed'

type IsAny<T> = 0 extends 1 & T ? true : false
type AnyFunction = (...args: never[]) => unknown

/**
 * The names of `C`'s methods that can be called through a proxy: what is surely a function, and not a
 * {@link HiddenName}.
 */
export type MethodName<C> =
  IsAny<C> extends true
    ? keyof C & string
    : {
        [K in keyof C]-?: K extends HiddenName | OwnName | symbol | number
          ? never
          : IsAny<C[K]> extends true
            ? never
            : C[K] extends AnyFunction
              ? K
              : never
      }[keyof C]

/** The key of dispose methods; never where the program's `lib` does not know `Symbol.dispose`. */
type DisposeKey = SymbolConstructor['dispose' & keyof SymbolConstructor]
type Disposing = { readonly [K in DisposeKey]: () => void }

/**
 * What an actor's method gets for a function that its caller passed as an argument. The function stays with the caller;
 * calling this one calls it there, and gives a promise of its result. `using`, or `callback[Symbol.dispose]()`, says
 * that it is no longer needed.
 *
 * A parameter may be declared as `Callback<F>`, or as `F` when the result does not matter: callers pass an `F` for both.
 * That goes for a parameter itself, not for members of one.
 *
 * Functions that are arguments, or fields of an argument that is a plain object, arrive so everywhere; deeper ones, those
 * in plain messages and those a method returns, only from another node: on the same one they are the functions themselves.
 */
export type Callback<F extends AnyFunction> = ((...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>) & Disposing

type AnyCallback = ((...args: never[]) => Promise<unknown>) & Disposing

/** What a caller passes for a parameter: for a callback, any function that can stand behind it. */
type Passed<P> = [Extract<P, AnyCallback>] extends [never] ? P : PassedCallback<P>
type PassedCallback<P> = P extends ((...args: infer A) => Promise<infer R>) & Disposing
  ? ((...args: A) => R) | ((...args: A) => Promise<R>)
  : P
type PassedArguments<A extends readonly unknown[]> = { [I in keyof A]: Passed<A[I]> }

/** What is answered as a stream: async iterables, web streams, and iterators that can be iterated, as generators can. */
type Streamed<T> = AsyncIterable<T> | SelfIterable<T> | WebStream<T>
/** Never where the program's `lib` knows no web streams: the name would stand for `any`, and every result be a stream. */
type WebStream<T> = typeof globalThis extends { readonly ReadableStream: unknown } ? ReadableStream<T> : never
/** One interface, no intersection: the compiler then sees a missing member before it compares what `next` gives. */
interface SelfIterable<T> extends Iterable<T> {
  next(...args: never): unknown
}
type Items<R> = R extends Streamed<infer T> ? StreamReader<T> : R

/**
 * What a call gives: a stream where the method returns a generator, an async iterable or a web stream, or a promise of
 * one; a promise for everything else. Where it may be either, the promise of a `StreamReader` or a value.
 */
export type ProxyResult<R> = IsAny<R> extends true ? Promise<R> : [R] extends [never] ? Promise<R> : CallResult<R>
type CallResult<R> = [R] extends [UntypedCall] ? R : SettledResult<Awaited<R>>
type SettledResult<V> =
  IsAny<V> extends true
    ? Promise<V>
    : [V] extends [never]
      ? Promise<V>
      : [V] extends [Streamed<infer T>]
        ? StreamReader<T>
        : Promise<Items<V>>

/** What a proxy makes of one overload of a method: of its `this`, its arguments and its result. */
interface Overload<This, A extends readonly unknown[], R> {
  readonly passed: PassedArguments<A>
  readonly call: (...args: PassedArguments<A>) => ProxyResult<R>
  /** False when the method can be called as it is declared: no `this`, no callbacks, and the result a call gives. */
  readonly isAltered: [IsAny<R>, unknown, PassedArguments<A>, R, ProxyResult<R>] extends [
    false,
    This,
    A,
    ProxyResult<R>,
    R,
  ]
    ? false
    : true
}

/** A method's overloads, first to last; the last six of more. Fewer than six are told with the first one repeated. */
type OverloadsOf<F> = F extends {
  (this: infer T1, ...args: infer A1): infer R1
  (this: infer T2, ...args: infer A2): infer R2
  (this: infer T3, ...args: infer A3): infer R3
  (this: infer T4, ...args: infer A4): infer R4
  (this: infer T5, ...args: infer A5): infer R5
  (this: infer T6, ...args: infer A6): infer R6
}
  ? [
      Overload<T1, A1, R1>,
      Overload<T2, A2, R2>,
      Overload<T3, A3, R3>,
      Overload<T4, A4, R4>,
      Overload<T5, A5, R5>,
      Overload<T6, A6, R6>,
    ]
  : F extends (this: infer T, ...args: infer A) => infer R
    ? [Overload<T, A, R>]
    : never

/** All calls, first to last. Those of repeated overloads are one: they are the same type. */
type Calls<Os> = Os extends [infer O extends { readonly call: unknown }, ...infer Rest]
  ? O['call'] & Calls<Rest>
  : unknown

type UntypedMethod = (...args: unknown[]) => UntypedCall

/**
 * A method as a proxy offers it: the same arguments without `this`, and what {@link ProxyResult} makes of the result,
 * for each overload (the last six of more). Async methods keep their type, type parameters included; type parameters of
 * other methods become what they extend. For a {@link Callback} callers pass a plain function.
 */
export type ProxyMethod<F> =
  IsAny<F> extends true ? UntypedMethod : true extends OverloadsOf<F>[number]['isAltered'] ? Calls<OverloadsOf<F>> : F

/** The arguments of any of a method's overloads, as a caller passes them. */
export type ProxyArguments<F> = ArgumentsOf<OverloadsOf<F>[number]>
type ArgumentsOf<O> = O extends { readonly passed: infer A extends readonly unknown[] } ? A : never

type Offered<C, K extends keyof C> = { readonly [N in K]: ProxyMethod<C[N]> }

/**
 * A typed remote control of an actor made from class `C`. A call rejects, or fails its stream, with what `ActorRef.ask`
 * would; reading a name that is no public method throws NoSuchMethodError. Safe to `await` and to log.
 *
 * @example
 * ```ts
 * import { asActor, createActorSystem } from 'pulsing'
 *
 * const Counter = asActor(class Counter {
 *   constructor(public value = 0) {}
 *   increment(n = 1) { return (this.value += n) }
 *   *count() { for (let i = 1; i <= this.value; i++) yield i }
 * })
 * const system = await createActorSystem()
 * const counter = await Counter.local(system) // an ActorProxy
 * await counter.tell('increment', 2)
 * await counter.increment() // 3
 * for await (const i of counter.count()) console.debug(i) // 1, 2, 3
 * await system.shutdown()
 * ```
 */
export type ActorProxy<C> = Offered<C, MethodName<C>> & {
  /** The ref behind this proxy. */
  readonly ref: ActorRef
  /** Calls a method one-way; resolves when the message is accepted, rejects as `ActorRef.tell` does. */
  tell<K extends MethodName<C>>(method: K, ...args: ProxyArguments<C[K]>): Promise<void>
  /** The same methods, called one-way after `delayMs` milliseconds, unless cancelled before. */
  delayed(delayMs: number): DelayedProxy<C>
}

/** The methods of `C`, each called one-way when the delay of `ActorProxy.delayed` is over, if not cancelled before. */
export type DelayedProxy<C> = { readonly [K in MethodName<C>]: (...args: ProxyArguments<C[K]>) => Cancellable }

/** A call of unknown type: await it, or read it as a stream. */
export type UntypedCall = Promise<unknown> & StreamReader<unknown>

/** A proxy without types: every name is a method. */
export type UntypedProxy = {
  /** The ref behind this proxy. */
  readonly ref: ActorRef
  /** As {@link ActorProxy}'s `tell`. */
  tell(method: string, ...args: unknown[]): Promise<void>
  /** As {@link ActorProxy}'s `delayed`. */
  delayed(delayMs: number): UntypedDelayedProxy
} & {
  readonly [method: string]: UntypedMethod
}

/** A {@link DelayedProxy} without types. */
export type UntypedDelayedProxy = { readonly [method: string]: (...args: unknown[]) => Cancellable }

/** What the compiler promises of a method's overloads, type parameters and arguments. The bodies are compiled, never run. */
import type { ActorProxy, Cancellable, ProxyMethod, StreamReader } from 'pulsing'
import { expectTypeOf, test } from 'vitest'

// biome-ignore lint/suspicious/noExplicitAny: what a user may have written
type Any = any
interface Shape {
  readonly sides: number
}

declare class Methods {
  pick(by: string): number
  pick(by: number, strict?: boolean): string
  pick(by: readonly Date[]): AsyncGenerator<Date>
  pick(by: { readonly all: true }): Promise<boolean>

  five(by: 1): 'one'
  five(by: 2): 'two'
  five(by: 3): 'three'
  five(by: 4): 'four'
  five(by: 5): 'five'

  fetch(key: string): Promise<string>
  fetch<T>(key: number, otherwise: T): Promise<T>
  fetch(key: Date, ...more: readonly Date[]): Promise<Date>

  echo<T>(value: T): Promise<T>
  stream<T>(value: T): StreamReader<T>
  same<T>(value: T): T
  scale<S extends Shape>(shape: S, ...by: number[]): S
  read<K extends keyof Shape>(key: K): Shape[K]
  loose(value: Any): Any

  optional(first: string, second?: number, ...rest: boolean[]): void
  either(...args: [text: string] | [n: number, digits: number]): void
  bound(this: Methods, n: number): number
  boundLater(this: Methods, n: number): Promise<number>
  isText(value: unknown): value is string
}
type Proxy = ActorProxy<Methods>
declare const proxy: Proxy

class Defaults {
  join(first: string, second = 'b', third?: number): string {
    return first + second + third
  }
}

/** Compiled, never run. */
const compiled = (_body: () => unknown): void => undefined

test('every overload survives, each with its own result', () => {
  compiled(() => {
    expectTypeOf(proxy.pick('a')).toEqualTypeOf<Promise<number>>()
    expectTypeOf(proxy.pick(1)).toEqualTypeOf<Promise<string>>()
    expectTypeOf(proxy.pick(1, true)).toEqualTypeOf<Promise<string>>()
    expectTypeOf(proxy.pick([new Date()])).toEqualTypeOf<StreamReader<Date>>()
    expectTypeOf(proxy.pick({ all: true })).toEqualTypeOf<Promise<boolean>>()
    // @ts-expect-error no overload takes it
    void proxy.pick(true)
    // @ts-expect-error only numbers can be strict
    void proxy.pick('a', true)
  })
})

test('so do five of them, in their order', () => {
  compiled(() => {
    expectTypeOf(proxy.five(1)).toEqualTypeOf<Promise<'one'>>()
    expectTypeOf(proxy.five(2)).toEqualTypeOf<Promise<'two'>>()
    expectTypeOf(proxy.five(3)).toEqualTypeOf<Promise<'three'>>()
    expectTypeOf(proxy.five(4)).toEqualTypeOf<Promise<'four'>>()
    expectTypeOf(proxy.five(5)).toEqualTypeOf<Promise<'five'>>()
    // @ts-expect-error no overload takes it
    void proxy.five(6)
  })
  type Ordered = ProxyMethod<{ (by: 1): 'narrow'; (by: number): 'wide' }>
  expectTypeOf<Ordered>().toEqualTypeOf<((by: 1) => Promise<'narrow'>) & ((by: number) => Promise<'wide'>)>()
})

test('a method without overloads is one function, not several', () => {
  expectTypeOf<ProxyMethod<() => number>>().toEqualTypeOf<() => Promise<number>>()
  expectTypeOf<ProxyMethod<(...all: unknown[]) => unknown>>().toEqualTypeOf<(...all: unknown[]) => Promise<unknown>>()
  expectTypeOf<ProxyMethod<(n: number) => AsyncGenerator<string>>>().toEqualTypeOf<
    (n: number) => StreamReader<string>
  >()
})

test('async methods keep their type: overloads and type parameters', () => {
  expectTypeOf<Proxy['echo']>().toEqualTypeOf<Methods['echo']>()
  expectTypeOf<Proxy['stream']>().toEqualTypeOf<Methods['stream']>()
  expectTypeOf<Proxy['fetch']>().toEqualTypeOf<Methods['fetch']>()
  compiled(() => {
    expectTypeOf(proxy.echo(new Date())).toEqualTypeOf<Promise<Date>>()
    expectTypeOf(proxy.echo({ n: 1 })).toEqualTypeOf<Promise<{ n: number }>>()
    expectTypeOf(proxy.fetch('a')).toEqualTypeOf<Promise<string>>()
    expectTypeOf(proxy.fetch(1, new Date())).toEqualTypeOf<Promise<Date>>()
    expectTypeOf(proxy.stream(5n)).toEqualTypeOf<StreamReader<bigint>>()
  })
})

test('type parameters of other methods become what they extend, never any', () => {
  expectTypeOf<Proxy['same']>().toEqualTypeOf<(value: unknown) => Promise<unknown>>()
  expectTypeOf<Proxy['scale']>().toEqualTypeOf<(shape: Shape, ...by: number[]) => Promise<Shape>>()
  expectTypeOf<Proxy['read']>().toEqualTypeOf<(key: 'sides') => Promise<number>>()
  compiled(() => {
    // @ts-expect-error no shape
    void proxy.scale('square')
  })
})

test('any stays where the class has it', () => {
  expectTypeOf<Proxy['loose']>().toEqualTypeOf<(value: Any) => Promise<Any>>()
})

test('optional, rest and defaulted parameters are the method’s', () => {
  expectTypeOf<Parameters<Proxy['optional']>>().toEqualTypeOf<
    [first: string, second?: number | undefined, ...rest: boolean[]]
  >()
  expectTypeOf<Parameters<Proxy['either']>>().toEqualTypeOf<[text: string] | [n: number, digits: number]>()
  expectTypeOf<Parameters<ActorProxy<Defaults>['join']>>().toEqualTypeOf<
    [first: string, second?: string | undefined, third?: number | undefined]
  >()
  compiled(() => {
    void proxy.optional('a')
    void proxy.optional('a', 1, true, false)
    void proxy.either('a')
    void proxy.either(1, 2)
    // @ts-expect-error missing argument
    void proxy.optional()
    // @ts-expect-error wrong argument
    void proxy.optional('a', 1, 2)
    // @ts-expect-error neither
    void proxy.either(1)
  })
})

test('what a method wants of its this is no concern of callers', () => {
  expectTypeOf<Proxy['bound']>().toEqualTypeOf<(n: number) => Promise<number>>()
  expectTypeOf<Proxy['boundLater']>().toEqualTypeOf<(n: number) => Promise<number>>()
  compiled(() => {
    const { boundLater } = proxy
    void boundLater(1)
  })
})

test('a type predicate is a promise of true or false', () => {
  expectTypeOf<Proxy['isText']>().toEqualTypeOf<(value: unknown) => Promise<boolean>>()
})

test('tell and delayed take the arguments of any overload', () => {
  compiled(() => {
    void proxy.tell('pick', 'a')
    void proxy.tell('pick', 1, true)
    void proxy.tell('pick', [new Date()])
    void proxy.tell('pick', { all: true })
    void proxy.tell('fetch', 1, 'otherwise')
    void proxy.tell('fetch', new Date(), new Date())
    void proxy.tell('echo', 'anything')
    void proxy.tell('bound', 1)
    void proxy.tell('either', 1, 2)
    expectTypeOf(proxy.delayed(5).pick(1, true)).toEqualTypeOf<Cancellable>()
    expectTypeOf(proxy.delayed(5).pick('a')).toEqualTypeOf<Cancellable>()
    expectTypeOf(proxy.delayed(5).echo('anything')).toEqualTypeOf<Cancellable>()
    // @ts-expect-error no overload takes it
    void proxy.tell('pick', true)
    // @ts-expect-error only numbers can be strict
    void proxy.tell('pick', 'a', true)
    // @ts-expect-error no overload takes it
    proxy.delayed(5).pick(true)
    // @ts-expect-error missing argument
    void proxy.tell('bound')
  })
})

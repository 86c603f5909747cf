/** Large, recursive and self-referring classes: their proxies' types neither collapse nor go too deep. Compiled, never run. */
import type { ActorProxy, ActorRef, Callback, MethodName, ProxyResult, StreamReader, TypedRef } from 'pulsing'
import { expectTypeOf, test } from 'vitest'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

interface Row<N> {
  readonly n: N
  readonly parent?: Row<N>
  readonly children: readonly Row<N>[]
  readonly data: Json
  readonly loose: unknown
}

/** Sixty methods of every kind. */
declare class Large {
  m00(n: number): Row<0>
  m01(rows: readonly Row<1>[], ...more: string[]): Promise<Row<1>[]>
  m02(filter?: Partial<Row<2>>): AsyncGenerator<Row<2>>
  m03(key: string): Json
  m03(key: 3, otherwise: Json): Row<3>
  m04(listener: Callback<(row: Row<4>) => boolean>): void
  m05(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
  m06(n: number): Row<6>
  m07(rows: readonly Row<7>[], ...more: string[]): Promise<Row<7>[]>
  m08(filter?: Partial<Row<8>>): AsyncGenerator<Row<8>>
  m09(key: string): Json
  m09(key: 9, otherwise: Json): Row<9>
  m10(listener: Callback<(row: Row<10>) => boolean>): void
  m11(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
  m12(n: number): Row<12>
  m13(rows: readonly Row<13>[], ...more: string[]): Promise<Row<13>[]>
  m14(filter?: Partial<Row<14>>): AsyncGenerator<Row<14>>
  m15(key: string): Json
  m15(key: 15, otherwise: Json): Row<15>
  m16(listener: Callback<(row: Row<16>) => boolean>): void
  m17(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
  m18(n: number): Row<18>
  m19(rows: readonly Row<19>[], ...more: string[]): Promise<Row<19>[]>
  m20(filter?: Partial<Row<20>>): AsyncGenerator<Row<20>>
  m21(key: string): Json
  m21(key: 21, otherwise: Json): Row<21>
  m22(listener: Callback<(row: Row<22>) => boolean>): void
  m23(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
  m24(n: number): Row<24>
  m25(rows: readonly Row<25>[], ...more: string[]): Promise<Row<25>[]>
  m26(filter?: Partial<Row<26>>): AsyncGenerator<Row<26>>
  m27(key: string): Json
  m27(key: 27, otherwise: Json): Row<27>
  m28(listener: Callback<(row: Row<28>) => boolean>): void
  m29(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
  m30(n: number): Row<30>
  m31(rows: readonly Row<31>[], ...more: string[]): Promise<Row<31>[]>
  m32(filter?: Partial<Row<32>>): AsyncGenerator<Row<32>>
  m33(key: string): Json
  m33(key: 33, otherwise: Json): Row<33>
  m34(listener: Callback<(row: Row<34>) => boolean>): void
  m35(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
  m36(n: number): Row<36>
  m37(rows: readonly Row<37>[], ...more: string[]): Promise<Row<37>[]>
  m38(filter?: Partial<Row<38>>): AsyncGenerator<Row<38>>
  m39(key: string): Json
  m39(key: 39, otherwise: Json): Row<39>
  m40(listener: Callback<(row: Row<40>) => boolean>): void
  m41(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
  m42(n: number): Row<42>
  m43(rows: readonly Row<43>[], ...more: string[]): Promise<Row<43>[]>
  m44(filter?: Partial<Row<44>>): AsyncGenerator<Row<44>>
  m45(key: string): Json
  m45(key: 45, otherwise: Json): Row<45>
  m46(listener: Callback<(row: Row<46>) => boolean>): void
  m47(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
  m48(n: number): Row<48>
  m49(rows: readonly Row<49>[], ...more: string[]): Promise<Row<49>[]>
  m50(filter?: Partial<Row<50>>): AsyncGenerator<Row<50>>
  m51(key: string): Json
  m51(key: 51, otherwise: Json): Row<51>
  m52(listener: Callback<(row: Row<52>) => boolean>): void
  m53(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
  m54(n: number): Row<54>
  m55(rows: readonly Row<55>[], ...more: string[]): Promise<Row<55>[]>
  m56(filter?: Partial<Row<56>>): AsyncGenerator<Row<56>>
  m57(key: string): Json
  m57(key: 57, otherwise: Json): Row<57>
  m58(listener: Callback<(row: Row<58>) => boolean>): void
  m59(self: ActorProxy<Large>): Promise<ActorProxy<Large>>
}

/** A class that hands out itself, in every way there is. */
declare class Tree {
  readonly label: string
  parent(): ActorProxy<Tree> | undefined
  child(name: string): Promise<ActorProxy<Tree>>
  children(): AsyncGenerator<ActorProxy<Tree>>
  ref(): ActorRef
  grow(visit: Callback<(node: ActorProxy<Tree>, depth: number) => ActorProxy<Tree> | undefined>): Tree
  walk<T>(visit: (node: ActorProxy<Tree>) => T): Promise<T[]>
  same(): this
  next(): Promise<ActorProxy<Tree>>
  getReader(): ActorProxy<Tree>
  typed(): TypedRef<TypedRef<Tree, Tree>, ActorProxy<Tree>>
  nested(): Promise<{ readonly nodes: ReadonlyMap<string, ActorProxy<Tree>>; readonly rest: () => Tree }>
}

/** Two that know each other, with type parameters that grow at each step. */
declare class Even<T> {
  next(): ActorProxy<Odd<T[]>>
  value(): T
}
declare class Odd<T> {
  next(): Promise<ActorProxy<Even<{ readonly inner: T }>>>
  value(): T
}

declare const large: ActorProxy<Large>
declare const tree: ActorProxy<Tree>
declare const even: ActorProxy<Even<string>>

/** Compiled, never run. */
const compiled = (_body: () => unknown): void => undefined

test('a class of sixty methods', () => {
  compiled(() => {
    expectTypeOf(large.m00(1)).toEqualTypeOf<Promise<Row<0>>>()
    expectTypeOf(large.m55([], 'a')).toEqualTypeOf<Promise<Row<55>[]>>()
    expectTypeOf(large.m56({ n: 56 })).toEqualTypeOf<StreamReader<Row<56>>>()
    expectTypeOf(large.m57('a')).toEqualTypeOf<Promise<Json>>()
    expectTypeOf(large.m57(57, [{ a: null }])).toEqualTypeOf<Promise<Row<57>>>()
    expectTypeOf(large.m58((row) => row.n === 58)).toEqualTypeOf<Promise<void>>()
    expectTypeOf(large.m59(large)).toEqualTypeOf<Promise<ActorProxy<Large>>>()
    return [large.tell('m57', 57, 'a'), large.delayed(5).m57('a'), large.delayed(5).m58(() => true)]
  })
  expectTypeOf<MethodName<Large>>().toExtend<`m${number}`>()
  expectTypeOf<'m00' | 'm29' | 'm59'>().toExtend<MethodName<Large>>()
})

test('recursive types', () => {
  expectTypeOf<ProxyResult<Json>>().toEqualTypeOf<Promise<Json>>()
  expectTypeOf<ProxyResult<Promise<Row<1>>>>().toEqualTypeOf<Promise<Row<1>>>()
  expectTypeOf<ProxyResult<AsyncIterable<Json>>>().toEqualTypeOf<StreamReader<Json>>()
})

test('a class whose methods give proxies and refs of itself', () => {
  expectTypeOf<ReturnType<ActorProxy<Tree>['typed']>>().toEqualTypeOf<
    Promise<TypedRef<TypedRef<Tree, Tree>, ActorProxy<Tree>>>
  >()
  expectTypeOf<ReturnType<ActorProxy<Tree>['same']>>().toEqualTypeOf<Promise<Tree>>()
  compiled(async () => {
    expectTypeOf(tree.parent()).toEqualTypeOf<Promise<ActorProxy<Tree> | undefined>>()
    expectTypeOf(tree.child('a')).toEqualTypeOf<Promise<ActorProxy<Tree>>>()
    expectTypeOf((await (await (await tree.child('a')).child('b')).parent())!).toEqualTypeOf<ActorProxy<Tree>>()
    for await (const child of tree.children()) expectTypeOf(child).toEqualTypeOf<ActorProxy<Tree>>()
    expectTypeOf(tree.next()).toEqualTypeOf<Promise<ActorProxy<Tree>>>()
    expectTypeOf(tree.getReader()).toEqualTypeOf<Promise<ActorProxy<Tree>>>()
    expectTypeOf(tree.grow((node, depth) => (depth > 3 ? undefined : node))).toEqualTypeOf<Promise<Tree>>()
    expectTypeOf(tree.walk((node) => node.ref.id)).toEqualTypeOf<Promise<string[]>>()
    expectTypeOf((await tree.nested()).nodes.get('a')).toEqualTypeOf<ActorProxy<Tree> | undefined>()
    // @ts-expect-error a field
    void tree.label
  })
})

test('classes that know each other, ever deeper', () => {
  compiled(async () => {
    const second = await (await even.next()).next()
    expectTypeOf(second.value()).toEqualTypeOf<Promise<{ readonly inner: string[] }>>()
    const fourth = await (await second.next()).next()
    expectTypeOf(fourth.value()).toEqualTypeOf<Promise<{ readonly inner: { readonly inner: string[] }[] }>>()
  })
})

test('proxies of derived classes stand in for those of their bases', () => {
  class Base {
    id(): string {
      return ''
    }
  }
  class Derived extends Base {
    extra(n: number): number {
      return n
    }
  }
  expectTypeOf<ActorProxy<Derived>['id']>().toEqualTypeOf<ActorProxy<Base>['id']>()
  expectTypeOf<ActorProxy<Base>>().not.toExtend<ActorProxy<Derived>>()
  expectTypeOf<Pick<ActorProxy<Derived>, 'id' | 'ref'>>().toExtend<Pick<ActorProxy<Base>, 'id' | 'ref'>>()
  expectTypeOf<ActorProxy<Derived>>().toExtend<ActorProxy<Base>>()
})

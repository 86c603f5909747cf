/** What the compiler promises of typed refs. The bodies are compiled, never run. */
import type { ActorRef, AskOptions, Message, StreamReader, TypedRef } from 'pulsing'
import { expectTypeOf, test } from 'vitest'

declare const ref: ActorRef
declare const typed: TypedRef<'a' | 'b', number>

/** Compiled, never run. */
const compiled = (_body: () => unknown): void => undefined

test('any ref is a typed ref of any type, without a cast', () => {
  expectTypeOf<ActorRef>().toExtend<TypedRef<'a' | 'b', number>>()
  expectTypeOf<ActorRef>().toExtend<TypedRef<{ readonly get: string }, Date[]>>()
  expectTypeOf<ActorRef>().toExtend<TypedRef<Message, Message>>()
  expectTypeOf<ActorRef>().toExtend<TypedRef<unknown, unknown>>()
  expectTypeOf<ActorRef>().toExtend<TypedRef<never, undefined>>()
  compiled(() => {
    const typedAs = <M, R>(plain: ActorRef): TypedRef<M, R> => plain
    return typedAs<string, number>(ref)
  })
})

test('ask and tell take its messages only, and ask gives its answer', () => {
  compiled(() => {
    expectTypeOf(typed.ask('a')).toEqualTypeOf<Promise<number>>()
    expectTypeOf(typed.ask('b', { timeout: 5, signal: new AbortController().signal })).toEqualTypeOf<Promise<number>>()
    expectTypeOf(typed.tell('a', { transfer: [] })).toEqualTypeOf<Promise<void>>()
    expectTypeOf(typed.askStream<Date>('a')).toEqualTypeOf<StreamReader<Date>>()
    expectTypeOf(typed.askStream('a')).toEqualTypeOf<StreamReader<unknown>>()
    // @ts-expect-error not a message
    void typed.ask('c')
    // @ts-expect-error not a message
    void typed.tell('c')
    // @ts-expect-error not a message
    void typed.askStream('c')
    // @ts-expect-error not an option
    void typed.ask('a', { timeoutMs: 5 })
    // @ts-expect-error the answer is a number
    void (typed.ask('a') satisfies Promise<string>)
  })
  expectTypeOf<Parameters<TypedRef<'a' | 'b', number>['ask']>>().toEqualTypeOf<
    [msg: 'a' | 'b', options?: AskOptions | undefined]
  >()
})

test('it has what identifies a ref', () => {
  expectTypeOf<TypedRef<'a', number>>().toExtend<Pick<ActorRef, 'id' | 'name' | 'nodeId' | 'isLocal'>>()
})

test('it stands in for a ref of fewer messages or wider answers, never of more or narrower', () => {
  expectTypeOf<TypedRef<'a' | 'b', number>>().toExtend<TypedRef<'a', number | string>>()
  expectTypeOf<TypedRef<'a', number>>().not.toExtend<TypedRef<'a' | 'b', number>>()
  expectTypeOf<TypedRef<'a', number | string>>().not.toExtend<TypedRef<'a', number>>()
})

test('it goes into messages, arguments and results like any ref', () => {
  interface Subscribe {
    readonly subscriber: TypedRef<Date, void>
  }
  class Clock {
    subscribe(subscriber: TypedRef<Date, void>): TypedRef<'now', Date> {
      return subscriber as ActorRef
    }
  }
  compiled(() => {
    const clock = ref.asType(Clock)
    const hub: TypedRef<Subscribe, void> = ref
    expectTypeOf(clock.subscribe(ref)).toEqualTypeOf<Promise<TypedRef<'now', Date>>>()
    return [hub.tell({ subscriber: ref }), ref.tell({ subscriber: typed }), ref.ask(typed)]
  })
})

/** What the compiler promises of functions passed as arguments. The bodies are compiled, never run. */
import type { ActorProxy, Callback } from 'pulsing'
import { expectTypeOf, test } from 'vitest'

declare class Feed {
  plain(listener: (n: number) => void): void
  held(listener: Callback<(n: number) => void>): void
  heldLater(listener: Callback<(n: number) => void>): Promise<string>
  asking(question: string, answer: Callback<(text: string, strict: boolean) => number>): AsyncGenerator<number>
  perhaps(listener?: Callback<() => void>): void
  orNumber(listener: Callback<(n: number) => void> | number | null): void
  all(...listeners: Callback<(n: number) => Promise<string>>[]): void
  by(kind: 'number', listener: Callback<(n: number) => void>): void
  by(kind: 'text', listener: Callback<(text: string) => void>): void
  generic<T>(value: T, listener: (value: T) => void): Promise<T>
}
type Proxy = ActorProxy<Feed>
declare const feed: Proxy

/** Compiled, never run. */
const compiled = (_body: () => unknown): void => undefined

test('a method gets an asynchronous function it can dispose of', () => {
  compiled(() => {
    const callback = {} as unknown as Callback<(n: number, text?: string) => boolean>
    expectTypeOf(callback(1, 'a')).toEqualTypeOf<Promise<boolean>>()
    expectTypeOf(callback[Symbol.dispose]()).toEqualTypeOf<void>()
    using held = callback
    // @ts-expect-error wrong argument
    void held('a')
  })
  expectTypeOf<Callback<() => void>>().toExtend<Disposable>()
  expectTypeOf<ReturnType<Callback<() => Promise<number>>>>().toEqualTypeOf<Promise<number>>()
  expectTypeOf<Callback<(n: number) => void>>().toExtend<(n: number) => void>()
  // @ts-expect-error no function
  expectTypeOf<Callback<string>>().toBeObject()
})

test('a plain function goes for a parameter that is declared as one, and for a Callback', () => {
  expectTypeOf<Parameters<Proxy['plain']>>().toEqualTypeOf<[listener: (n: number) => void]>()
  expectTypeOf<(n: number) => void>().toExtend<Parameters<Proxy['held']>[0]>()
  expectTypeOf<(n: number) => Promise<void>>().toExtend<Parameters<Proxy['held']>[0]>()
  compiled(() => {
    feed.plain((n) => expectTypeOf(n).toEqualTypeOf<number>())
    feed.held((n) => expectTypeOf(n).toEqualTypeOf<number>())
    feed.held(async (n) => void expectTypeOf(n).toEqualTypeOf<number>())
    feed.held(() => 'ignored')
    expectTypeOf(feed.heldLater((n) => void n.toFixed())).toEqualTypeOf<Promise<string>>()
    // @ts-expect-error it would be called with a number
    feed.held((text: string) => void text)
    // @ts-expect-error no function
    feed.held(5)
    // @ts-expect-error missing
    feed.held()
  })
})

test('a callback that came from elsewhere can be passed on', () => {
  compiled(() => {
    const callback = {} as unknown as Callback<(n: number) => void>
    feed.plain(callback)
    feed.held(callback)
  })
})

test('what a callback returns is checked, at once or promised', () => {
  compiled(() => {
    feed.asking('how many?', (text, strict) => text.length + Number(strict))
    feed.asking('how many?', async (text) => text.length)
    feed.all(
      () => 'at once',
      async (n) => n.toFixed(),
    )
    // @ts-expect-error the answer is a number
    feed.asking('how many?', (text) => text)
    // @ts-expect-error the answer is a number
    feed.asking('how many?', async (text) => text)
  })
})

test('optional callbacks, rests of them, and callbacks or something else', () => {
  compiled(() => {
    feed.perhaps()
    feed.perhaps(undefined)
    feed.perhaps(() => undefined)
    feed.all()
    feed.orNumber(5)
    feed.orNumber(null)
    feed.orNumber((n) => void n.toFixed())
    // @ts-expect-error none of these
    feed.orNumber('five')
  })
})

test('overloads, tell and delayed take plain functions too', () => {
  compiled(() => {
    feed.by('number', (n) => expectTypeOf(n).toEqualTypeOf<number>())
    feed.by('text', (text) => expectTypeOf(text).toEqualTypeOf<string>())
    feed.tell('held', (n) => expectTypeOf(n).toEqualTypeOf<number>())
    feed.tell('by', 'text', (text: string) => void text)
    feed.delayed(5).held((n) => expectTypeOf(n).toEqualTypeOf<number>())
    // @ts-expect-error texts come as texts
    feed.by('text', (n: number) => void n)
    // @ts-expect-error texts come as texts
    feed.tell('by', 'text', (n: number) => void n)
  })
})

test('an async method with a plain function keeps its type parameters', () => {
  compiled(() => {
    expectTypeOf(feed.generic(5, (n) => void n.toFixed())).toEqualTypeOf<Promise<number>>()
  })
})

test('in a unit test of the class, a function with a dispose method is a Callback', () => {
  const made = Object.assign(async (_n: number) => undefined, { [Symbol.dispose]: () => undefined })
  expectTypeOf(made).toExtend<Callback<(n: number) => void>>()
})

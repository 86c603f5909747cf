/** Generators, async iterables and web streams that a handler returned: when they run, and when they end. */
import type { Message, StreamReader } from 'pulsing'
import { expect, test } from 'vitest'
import { collect, gate, startSystem, stateOf, turn } from '../actor/systems.ts'

async function streamOf<T>(
  receive: (msg: Message, ctx: { readonly signal: AbortSignal }) => unknown,
): Promise<StreamReader<T>> {
  const system = await startSystem()
  const ref = await system.spawn({ receive })
  return ref.ask<StreamReader<T>>('go')
}

test('a generator runs only as far as it is read', async () => {
  let made = 0
  const reader = await streamOf<number>(function* () {
    for (;;) yield ++made
  })
  await turn()
  expect(made).toBe(0)
  await reader.next()
  await turn()
  expect(made).toBe(1)
  await reader.cancel()
})

test.each([
  [
    'an async generator',
    async function* (end: () => void) {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        end()
      }
    },
  ],
  [
    'a generator',
    function* (end: () => void) {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        end()
      }
    },
  ],
])('the finally of %s runs when the consumer leaves', async (_name, make) => {
  const ended = gate()
  const reader = await streamOf<number>(() => make(ended.open))
  for await (const item of reader) if (item === 2) break
  expect(await stateOf(ended.opened)).toBe('fulfilled')
})

test('what a finally throws after the consumer left is not the consumer’s business', async () => {
  const left = await streamOf<number>(function* () {
    try {
      yield 1
      yield 2
    } finally {
      // biome-ignore lint/correctness/noUnsafeFinally: the point of the test
      throw new Error('cleanup')
    }
  })
  await left.next()
  await expect(left.cancel()).resolves.toBe(undefined)
  expect((await left.next()).done).toBe(true)
})

test('a web stream’s cancel runs when the consumer leaves', async () => {
  const cancelled = gate()
  const reader = await streamOf<number>(
    () => new ReadableStream({ pull: (controller) => controller.enqueue(1), cancel: () => cancelled.open() }),
  )
  await reader.next()
  await reader.cancel()
  expect(await stateOf(cancelled.opened)).toBe('fulfilled')
})

test('leaving aborts ctx.signal, which wakes a generator that waits', async () => {
  const ended = gate()
  const reader = await streamOf<number>(async function* (_msg, ctx) {
    try {
      yield 1
      await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()))
    } finally {
      ended.open()
    }
  })
  await reader.next()
  const waiting = reader.next()
  await turn()
  await reader.cancel()
  expect(await stateOf(ended.opened)).toBe('fulfilled')
  expect((await waiting).done).toBe(true)
})

test('cancel ends a next() that waits for a generator which never yields again', async () => {
  const reader = await streamOf<number>(async function* () {
    await new Promise(() => undefined)
    yield 1
  })
  const waiting = reader.next()
  await turn()
  await reader.cancel()
  expect(await stateOf(waiting)).toBe('fulfilled')
})

test.each([
  [
    'an async generator',
    async function* () {
      yield 1
      throw new TypeError('half way')
    },
  ],
  [
    'a generator',
    function* () {
      yield 1
      throw new TypeError('half way')
    },
  ],
])(
  '%s that throws gives its items, then an error of this package as a throwing handler would, then the end',
  async (_name, make) => {
    const reader = await streamOf<number>(make)
    expect(await reader.next()).toEqual({ done: false, value: 1 })
    await expect(reader.next()).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'half way' })
    expect((await reader.next()).done).toBe(true)
  },
)

test('a generator that yields a rejected promise fails the stream and is closed', async () => {
  const ended = gate()
  const reader = await streamOf<number>(function* () {
    try {
      yield 1
      yield Promise.reject(new Error('half way'))
    } finally {
      ended.open()
    }
  })
  await reader.next()
  await expect(reader.next()).rejects.toThrow('half way')
  expect(await stateOf(ended.opened)).toBe('fulfilled')
})

test('a generator’s return value is not an item', async () => {
  const reader = await streamOf<number>(async function* () {
    yield 1
    return 2
  })
  expect(await collect(reader)).toEqual([1])
})

test('a generator runs on beside later messages of its actor', async () => {
  const system = await startSystem()
  const state = { value: 0 }
  const ref = await system.spawn({
    receive: (msg) => {
      if (msg.toObject() === 'watch')
        return (async function* () {
          for (;;) yield state.value
        })()
      return ++state.value
    },
  })
  const watched = ref.askStream<number>('watch')
  const seen: unknown[] = [(await watched.next()).value]
  await ref.ask('add')
  seen.push((await watched.next()).value)
  await watched.cancel()
  expect(seen).toEqual([0, 1])
})

test('overlapping next() calls on a generator are answered in order', async () => {
  const reader = await streamOf<number>(async function* () {
    for (let i = 0; i < 3; i++) {
      await turn()
      yield i
    }
  })
  const results = await Promise.all([reader.next(), reader.next(), reader.next(), reader.next()])
  expect(results.map(({ value }) => value)).toEqual([0, 1, 2, undefined])
})

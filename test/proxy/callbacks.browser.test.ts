/** A page and its worker, linked by `system.connect`: the worker's actor calls functions of the page. */
import { type ActorProxy, type ActorSystem, createActorSystem, isPulsingError, SystemConfig } from 'pulsing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Caller } from './callback-worker.browser.ts'

const silent = (): void => undefined
const quiet = { debug: silent, info: silent, warn: silent, error: silent }

let system: ActorSystem
let worker: Worker
let caller: ActorProxy<Caller>

beforeEach(async () => {
  system = await createActorSystem(SystemConfig.standalone().withLogger(quiet))
  worker = new Worker(new URL('./callback-worker.browser.ts', import.meta.url), { type: 'module' })
  await system.connect(worker)
  const ref = await system.resolve('caller')
  caller = ref.asAny() as unknown as ActorProxy<Caller>
})
afterEach(async () => {
  await system.shutdown()
  worker.terminate()
})

const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )

test('a function of the page is called in the page, by the actor in the worker, in order', async () => {
  const seen: unknown[] = []
  const results = await caller.callEach((n) => {
    seen.push(n, document.nodeType)
    return n * 2
  }, 3)
  expect(results).toEqual([2, 4, 6])
  expect(seen).toEqual([1, Node.DOCUMENT_NODE, 2, Node.DOCUMENT_NODE, 3, Node.DOCUMENT_NODE])
})

test('among options, and as a result, functions work too', async () => {
  expect(await caller.withOptions({ onText: (text) => `${text}, seen in ${typeof document}` })).toBe(
    'from the worker, seen in object',
  )
  const add2 = await caller.adder(2)
  expect(await add2(40)).toBe(42)
})

test('what the page throws is a typed error in the worker, and back', async () => {
  await expect(
    caller.callEach(() => {
      throw new TypeError('not in this page')
    }, 1),
  ).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'not in this page' })
})

test('a function is held across messages, until it is given back', async () => {
  let calls = 0
  await caller.hold(() => ++calls)
  expect([await caller.callHeld(), await caller.callHeld()]).toEqual([1, 2])
  await caller.release()
  const error = await outcomeOf(caller.callHeld())
  expect(isPulsingError(error, 'actor_stopped')).toBe(true)
  expect(calls).toBe(2)
})

test('a worker that dies fails the calls into it, and what the page says to them goes nowhere', async () => {
  let answer: () => void = silent
  const called = new Promise<void>((resolve) => {
    void caller.hold(() => {
      resolve()
      return new Promise<void>((done) => {
        answer = done
      })
    })
  })
  const pending = outcomeOf(caller.callHeld())
  await called
  worker.terminate()
  expect(isPulsingError(await pending, 'unreachable')).toBe(true)
  answer()
})

test('streams cross both ways: a ReadableStream arrives as one, a generator is read with back-pressure', async () => {
  expect(await caller.text(new Response('from the page').body!)).toEqual([true, 'from the page'])
  let made = 0
  let end: () => void = silent
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const numbers = (async function* () {
    try {
      for (;;) yield made++
    } finally {
      end()
    }
  })()
  const doubled: number[] = []
  for await (const n of caller.count(numbers)) {
    doubled.push(n)
    if (doubled.length === 100) break
  }
  expect(doubled).toEqual(Array.from({ length: 100 }, (_, i) => i * 2))
  // Leaving the loop ends the generator here, through the one over there.
  await ended
  expect(made).toBeLessThan(200)
})

/** What a caller learns when a handler throws, and what becomes of the actor. */
import {
  isPulsingError,
  NoSuchMethodError,
  PulsingActorError,
  PulsingBusinessError,
  type PulsingError,
  PulsingSystemError,
} from 'pulsing'
import { expect, test } from 'vitest'
import { startSystem } from './systems.ts'

async function rejection(promise: Promise<unknown>): Promise<PulsingError & { cause?: unknown }> {
  try {
    await promise
  } catch (error) {
    return error as PulsingError
  }
  throw new Error('expected a rejection, got a result')
}

async function thrownBy(thrown: unknown, isAsync: boolean): Promise<PulsingError & { cause?: unknown }> {
  const system = await startSystem()
  const ref = await system.spawn({
    receive: (msg) => {
      if (msg.toObject() === 'alive?') return 'alive'
      if (isAsync) return Promise.reject(thrown)
      throw thrown
    },
  })
  const error = await rejection(ref.ask('go'))
  expect(await ref.ask('alive?')).toBe('alive')
  if (error.name !== 'NoSuchMethodError') expect(error).toBeInstanceOf(PulsingActorError)
  return error
}

for (const isAsync of [false, true]) {
  const how = isAsync ? 'rejected' : 'thrown'

  test.each([new TypeError('wrong type'), new RangeError('wrong range')])(
    `a %s ${how} by a handler is a PulsingBusinessError for the caller, and the actor lives on`,
    async (thrown) => {
      const error = await thrownBy(thrown, isAsync)
      expect(error).toBeInstanceOf(PulsingBusinessError)
      expect(error).toMatchObject({ name: 'PulsingBusinessError', code: 'business_error', message: thrown.message })
      expect(error.cause).toBe(thrown)
    },
  )

  test(`an Error ${how} by a handler is a recoverable PulsingSystemError with the Error as cause`, async () => {
    const thrown = new Error('disk', { cause: new Error('controller') })
    const error = await thrownBy(thrown, isAsync)
    expect(error).toBeInstanceOf(PulsingSystemError)
    expect(error).toMatchObject({ code: 'system_error', message: 'disk', recoverable: true })
    expect(error.cause).toBe(thrown)
    expect((error.cause as Error).cause).toMatchObject({ message: 'controller' })
  })

  test(`a PulsingBusinessError ${how} by a handler keeps its code and details`, async () => {
    const error = await thrownBy(
      new PulsingBusinessError('no funds', { code: 'no_funds', details: { missing: 3 } }),
      isAsync,
    )
    expect(error).toMatchObject({
      name: 'PulsingBusinessError',
      code: 'no_funds',
      message: 'no funds',
      details: { missing: 3 },
    })
    expect(isPulsingError(error, 'no_funds')).toBe(true)
    expect(isPulsingError(error, 'PulsingBusinessError')).toBe(true)
  })

  test(`a PulsingSystemError ${how} by a handler keeps that it is not recoverable`, async () => {
    expect(await thrownBy(new PulsingSystemError('gone', { recoverable: false }), isAsync)).toMatchObject({
      recoverable: false,
    })
  })

  test.each(['a string', 42, null, undefined, { some: 'object' }])(
    `%s ${how} by a handler is a PulsingSystemError with it as cause`,
    async (thrown) => {
      const error = await thrownBy(thrown, isAsync)
      expect(error).toMatchObject({ name: 'PulsingSystemError', cause: thrown })
      expect('cause' in error).toBe(true)
      expect(error.message).not.toBe('')
    },
  )

  test(`any error of this package ${how} by a handler reaches the caller as it is`, async () => {
    expect(await thrownBy(new NoSuchMethodError('none'), isAsync)).toMatchObject({ name: 'NoSuchMethodError' })
  })
}

test('the caller’s error carries the address of the actor that failed', async () => {
  const system = await startSystem()
  const ref = await system.spawn({
    receive: () => {
      throw new Error('x')
    },
  })
  const error = await rejection(ref.ask('go'))
  expect(error.address).toBe(`actor://${system.nodeId}/${ref.id}`)
  expect(String(error)).toContain(error.address)
})

test('state changed before the throw stays, and later messages see it', async () => {
  const system = await startSystem()
  let count = 0
  const ref = await system.spawn({
    receive: (msg) => {
      if (msg.toObject() === 'get') return count
      count++
      throw new Error('after the change')
    },
  })
  await rejection(ref.ask('change'))
  expect(await ref.ask('get')).toBe(1)
})

test('a tell whose handler throws is resolved for its sender and reported as actorFailed', async () => {
  const system = await startSystem()
  const failures: [string, string][] = []
  system.on('actorFailed', ({ ref, error }) => failures.push([ref.id, error.name]))
  const ref = await system.spawn({
    receive: () => {
      throw new TypeError('x')
    },
  })
  await ref.tell('go')
  await rejection(ref.ask('go'))
  expect(failures).toEqual([
    [ref.id, 'PulsingBusinessError'],
    [ref.id, 'PulsingBusinessError'],
  ])
})

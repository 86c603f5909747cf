/** Names no proxy sends and no actor calls, and what languages and tools do to proxies without asking. */
import { inspect, isDeepStrictEqual } from 'node:util'
import { type ActorRef, asActor, Message, type UntypedProxy } from 'pulsing'
import { describe, expect, test, vi } from 'vitest'
import { settle } from '../remote/lab.ts'
import { PLACES } from '../stream/places.ts'

const called: string[] = []

/** A class whose author defined every hidden name as a method. */
const Everything = asActor(
  class Everything {
    onStart(): void {}
    onStop(): void {}
    onChildFailure(): undefined {
      called.push('onChildFailure')
    }
    metadata(): Record<string, string> {
      return {}
    }
    // biome-ignore lint/suspicious/noThenProperty: a proxy has to hide it
    then(): void {
      called.push('then')
    }
    toJSON(): void {
      called.push('toJSON')
    }
    _private(): void {
      called.push('_private')
    }
    __proto(): void {
      called.push('__proto')
    }
    visible(): string {
      return 'visible'
    }
    nodeType(): string {
      return 'a method'
    }
  },
)

/** The base of a class that can be reached through its prototype, and is no method of it. */
const OBJECT_NAMES = Object.getOwnPropertyNames(Object.prototype)
const HIDDEN = [
  'constructor',
  'onStart',
  'onStop',
  'onChildFailure',
  'metadata',
  'then',
  'toJSON',
  '_private',
  '__proto',
]
/** Names that a proxy, so that languages and tools work, has itself or has not, instead of refusing them. */
const QUIET = [
  'then',
  'toJSON',
  'constructor',
  'valueOf',
  'toString',
  'nodeType',
  'tagName',
  '$$typeof',
  'asymmetricMatch',
  'inspect',
]

type Loose = Record<string, unknown>

describe.each(PLACES)('%s', (_name, open) => {
  async function hosted() {
    const place = open()
    const ref = await place.host(() => new Everything())
    return { place, ref, typed: ref.asType(Everything), untyped: ref.asAny() }
  }

  test.each([...new Set([...HIDDEN, ...OBJECT_NAMES])])('%j reaches no actor through any proxy', async (name) => {
    const { place, typed, untyped } = await hosted()
    const sent = place.near.sent.length
    const tell = vi.spyOn(place.far.runtime, 'reportFailure')
    for (const proxy of [typed, untyped] as unknown as Loose[]) {
      if (QUIET.includes(name)) expect(['undefined', 'function']).toContain(typeof proxy[name])
      else expect(() => proxy[name]).toThrow(expect.objectContaining({ code: 'no_such_method' }))
      const value = QUIET.includes(name) ? proxy[name] : undefined
      // What a proxy has of its own answers here, at once.
      if (typeof value === 'function') expect(value.call(proxy)).not.toBeInstanceOf(Promise)
      const { tell, delayed } = proxy as unknown as UntypedProxy
      await expect(tell(name)).rejects.toMatchObject({ code: 'no_such_method' })
      const later = delayed(5) as unknown as Loose
      expect(() => (later[name] as () => void)()).toThrow()
    }
    await settle()
    expect(place.near.sent.length).toBe(sent)
    expect(tell).not.toHaveBeenCalled()
    expect(place.left().timers).toBe(0)
  })

  test.each([...new Set([...HIDDEN, ...OBJECT_NAMES, 'prototype', 'call', 'apply', 'bind', 'arguments', 'caller'])])(
    'a made-up call of %j is refused by the actor itself, which lives on',
    async (name) => {
      const { ref, typed } = await hosted()
      called.length = 0
      for (const args of [[], ['x'], [{ __proto__: null }]])
        await expect(ref.ask(Message.fromObject('@call', [name, args]))).rejects.toMatchObject({
          name: 'NoSuchMethodError',
          code: 'no_such_method',
        })
      await ref.tell(Message.fromObject('@call', [name, []]))
      expect(await typed.visible()).toBe('visible')
      expect(called).toEqual([])
    },
  )

  test('no name of Object.prototype is found on an untyped proxy', async () => {
    const { untyped } = await hosted()
    for (const name of OBJECT_NAMES.filter((name) => !QUIET.includes(name)))
      expect(() => (untyped as unknown as Loose)[name]).toThrow(expect.objectContaining({ code: 'no_such_method' }))
  })

  test('a name tools ask for is a method where the class has it', async () => {
    const { typed } = await hosted()
    expect(await typed.nodeType()).toBe('a method')
  })

  describe.each([
    ['typed', (ref: ActorRef): object => ref.asType(Everything)],
    ['untyped', (ref: ActorRef): object => ref.asAny()],
  ])('a proxy, %s,', (_kind, of) => {
    test('survives await, Promise.resolve, Promise.all and being returned from an async function', async () => {
      const { ref } = await hosted()
      const proxy = of(ref)
      expect(await proxy).toBe(proxy)
      expect(await Promise.resolve(proxy)).toBe(proxy)
      expect((await Promise.all([proxy]))[0]).toBe(proxy)
      expect(await (async () => proxy)()).toBe(proxy)
      expect(await new Promise((resolve) => resolve(proxy))).toBe(proxy)
    })

    test('can be logged and inspected at any depth, and shows which actor it is', async () => {
      const { ref } = await hosted()
      const proxy = of(ref)
      const log = vi.spyOn(console, 'log').mockImplementation((...args) => void args.map((arg) => inspect(arg)))
      console.log(proxy, { proxy }, [proxy])
      log.mockRestore()
      expect(inspect(proxy)).toContain(ref.id)
      expect(inspect({ deep: [proxy] }, { depth: 10 })).toContain(ref.id)
      for (const options of [{ showHidden: true }, { showProxy: true }, { getters: true }, { compact: false }])
        expect(typeof inspect(proxy, options)).toBe('string')
      expect(`${proxy}`).toContain(ref.id)
    })

    test('can be turned into JSON: into what identifies the actor', async () => {
      const { ref } = await hosted()
      expect(JSON.parse(JSON.stringify({ proxy: of(ref) }))).toEqual({ proxy: JSON.parse(JSON.stringify(ref)) })
    })

    test('is refused by structuredClone with the platform’s own error', async () => {
      const { ref } = await hosted()
      expect(() => structuredClone(of(ref))).toThrow(expect.objectContaining({ name: 'DataCloneError' }))
      expect(() => structuredClone({ deep: of(ref) })).toThrow(expect.objectContaining({ name: 'DataCloneError' }))
    })

    test('can be compared, spread, enumerated and matched', async () => {
      const { place, ref } = await hosted()
      const proxy = of(ref)
      const other = of(await place.host(() => new Everything()))
      expect(proxy).toEqual(proxy)
      expect({ deep: [proxy] }).toEqual({ deep: [proxy] })
      expect(() => expect(proxy).toEqual(other)).toThrow()
      expect(() => expect(proxy).toEqual({})).toThrow()
      expect(() => expect({ proxy }).toMatchObject({ proxy: other })).toThrow()
      expect([isDeepStrictEqual(proxy, proxy), Object.is(proxy, proxy)]).toEqual([true, true])
      expect(() => ({ ...proxy })).not.toThrow()
      expect(() => Object.keys(proxy).map((key) => (proxy as Loose)[key])).not.toThrow()
      expect([typeof proxy, Array.isArray(proxy), proxy instanceof Everything]).toEqual(['object', false, false])
      expect(new Set([proxy, proxy]).size).toBe(1)
      expect(new Map([[proxy, 1]]).get(proxy)).toBe(1)
    })

    test('cannot be changed', async () => {
      const { ref } = await hosted()
      const proxy = of(ref) as Loose
      expect(() => {
        proxy['visible'] = 1
      }).toThrow(expect.objectContaining({ code: 'unsupported' }))
      expect(() => {
        proxy['ref'] = 1
      }).toThrow(expect.objectContaining({ code: 'unsupported' }))
      expect(await (proxy['visible'] as () => Promise<string>)()).toBe('visible')
      expect(proxy['ref']).toBeDefined()
    })
  })
})

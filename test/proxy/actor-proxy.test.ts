/** Proxies: what they let through, what they refuse, and that nothing a language or a tool does to them goes wrong. */
import { type ActorRef, asActor, Message, StreamReader } from 'pulsing'
import { expect, test } from 'vitest'
import { gate, startSystem, stateOf, turn } from '../actor/systems.ts'
import { Counter } from './counter.ts'

test('inherited methods can be called, and an override is what runs', async () => {
  const Base = class Base {
    inherited(): string {
      return 'base'
    }
    overridden(): string {
      return 'base'
    }
  }
  const Derived = asActor(
    class Derived extends Base {
      override overridden(): string {
        return `derived of ${super.overridden()}`
      }
    },
  )
  const proxy = await Derived.local(await startSystem())
  expect([await proxy.inherited(), await proxy.overridden()]).toEqual(['base', 'derived of base'])
})

test('a method may be called inspect: a name tools ask for is only absent when the class has no such method', async () => {
  const proxy = await Counter.local(await startSystem())
  expect(await proxy.inspect()).toBe('mine')
})

test('a method of a proxy is the same function at every look', async () => {
  const proxy = await Counter.local(await startSystem())
  expect(proxy.get).toBe(proxy.get)
  const { get } = proxy
  expect(await get()).toBe(0)
})

test('a throwing method rejects the call, and the actor goes on with the state it has', async () => {
  const proxy = await Counter.local(await startSystem(), 5)
  await expect(proxy.fail('bad input')).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'bad input' })
  expect(await proxy.get()).toBe(5)
  await expect(proxy.changeAndFail()).rejects.toMatchObject({ name: 'PulsingSystemError' })
  expect(await proxy.increment()).toBe(100)
})

test('proxy.tell calls one way: it resolves when accepted, before the method has run', async () => {
  const release = gate()
  const log: string[] = []
  const Slow = asActor(
    class Slow {
      async work(name: string): Promise<void> {
        await release.opened
        log.push(name)
      }
      done(): string[] {
        return log
      }
    },
  )
  const proxy = await Slow.local(await startSystem())
  await proxy.tell('work', 'a')
  expect(log).toEqual([])
  release.open()
  expect(await proxy.done()).toEqual(['a'])
})

test('a tell of a method that throws resolves, and the actor lives on', async () => {
  const proxy = await Counter.local(await startSystem(), 1)
  await proxy.tell('fail', 'x')
  expect(await proxy.get()).toBe(1)
})

test('calls are handled one at a time and in order', async () => {
  const log: string[] = []
  const Ordered = asActor(
    class Ordered {
      async step(name: string): Promise<void> {
        log.push(`begin ${name}`)
        await turn()
        log.push(`end ${name}`)
      }
    },
  )
  const proxy = await Ordered.local(await startSystem())
  await Promise.all([proxy.step('a'), proxy.step('b')])
  expect(log).toEqual(['begin a', 'end a', 'begin b', 'end b'])
})

test('reading a call as a stream that is none throws at next', async () => {
  const proxy = (await Counter.local(await startSystem())).ref.asAny()
  await expect(proxy['get']!().next()).rejects.toMatchObject({ code: 'unsupported' })
})

test('leaving the loop over a call runs the generator’s finally', async () => {
  const ended = gate()
  const Endless = asActor(
    class Endless {
      async *items(): AsyncGenerator<number> {
        try {
          for (let i = 0; ; i++) yield i
        } finally {
          ended.open()
        }
      }
    },
  )
  const proxy = await Endless.local(await startSystem())
  for await (const item of proxy.items()) if (item === 3) break
  expect(await stateOf(ended.opened)).toBe('fulfilled')
})

test('a call can be handed on: a method may return another proxy’s call', async () => {
  const Front = asActor(
    class Front {
      constructor(readonly back: ActorRef) {}
      numbers(): AsyncIterable<number> {
        return this.back.asType(Counter).count(3)
      }
      total(): Promise<number> {
        return this.back.asType(Counter).increment(2)
      }
    },
  )
  const system = await startSystem()
  const front = await Front.local(system, (await Counter.local(system)).ref)
  const items: number[] = []
  for await (const item of front.numbers()) items.push(item)
  expect(items).toEqual([0, 1, 2])
  expect(await front.total()).toBe(2)
})

test('a method can return a proxy and take one as an argument', async () => {
  const system = await startSystem()
  const inner = await Counter.local(system, 42)
  const Holder = asActor(
    class Holder {
      typed(): object {
        return inner
      }
      wrapped(): object {
        return { inner }
      }
      read(other: typeof inner): Promise<number> {
        return other.get()
      }
    },
  )
  const holder = await Holder.local(system)
  expect(await holder.read(inner)).toBe(42)
  expect(await ((await holder.wrapped()) as { inner: typeof inner }).inner.get()).toBe(42)
  expect(await ((await holder.typed()) as typeof inner).get()).toBe(42)
})

test('a proxy can travel: it becomes bytes as its ref does', async () => {
  const proxy = await Counter.local(await startSystem())
  expect(Message.fromObject('', [proxy]).payload).toEqual(Message.fromObject('', [proxy.ref]).payload)
  expect(Message.fromObject('', { any: proxy.ref.asAny() }).payload.byteLength).toBeGreaterThan(0)
})

test('asType gives the same methods for any ref; asAny every name, checked by the actor', async () => {
  const { ref } = await Counter.local(await startSystem(), 1)
  expect(await ref.asType(Counter).increment()).toBe(2)
  const any = ref.asAny()
  expect(await any['increment']!(5)).toBe(7)
  const counted: unknown[] = []
  for await (const item of any['count']!(2)) counted.push(item)
  expect(counted).toEqual([0, 1])
  await expect(any['nope']!()).rejects.toMatchObject({ code: 'no_such_method' })
  await any.tell('increment', 1)
  expect(await any['get']!()).toBe(8)
  expect(any.ref.id).toBe(ref.id)
  expect(() => any['_hidden']!()).toThrow(expect.objectContaining({ code: 'no_such_method' }))
})

test('asType works with a class that never saw asActor', async () => {
  class Plain {
    get(): number {
      return 0
    }
  }
  const { ref } = await Counter.local(await startSystem(), 3)
  expect(await ref.asType(Plain).get()).toBe(3)
})

test('awaiting a streaming call gives a StreamReader', async () => {
  const proxy = await Counter.local(await startSystem())
  expect(await proxy.count(1)).toBeInstanceOf(StreamReader)
})

test('calls to an actor that has stopped reject with ActorStoppedError', async () => {
  const system = await startSystem()
  const proxy = await Counter.local(system)
  await system.stop(proxy.ref)
  await expect(proxy.get()).rejects.toMatchObject({ code: 'actor_stopped' })
  await expect(proxy.count(1).next()).rejects.toMatchObject({ code: 'actor_stopped' })
})

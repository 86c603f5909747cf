/** Classes made actors: still plain classes, created, found and called through proxies. */
import { Actor, type ActorContext, asActor, contextOf, Message, SystemConfig } from 'pulsing'
import { expect, test } from 'vitest'
import { collect, quiet, startSystem } from '../actor/systems.ts'
import { Counter } from './counter.ts'

test('an asActor class is still the plain class', () => {
  const counter = new Counter(5)
  expect(counter.increment()).toBe(6)
  expect(counter).toBeInstanceOf(Counter)
  expect(Counter.name).toBe('Counter')
  expect(Object.keys(counter).sort()).toEqual(['label', 'value'])
  expect(Object.keys(Counter)).toEqual([])
})

test('asActor returns the very class it was given', () => {
  class Plain {
    hi(): string {
      return 'hi'
    }
  }
  expect(asActor(Plain)).toBe(Plain)
  expect(asActor({ type: 'Other' })(Plain)).toBe(Plain)
})

test('local creates an actor with the constructor’s arguments and gives a proxy', async () => {
  const system = await startSystem()
  const counter = await Counter.local(system, 10)
  expect(await counter.increment(5)).toBe(15)
  expect(await counter.increment()).toBe(16)
  expect(await counter.later(4)).toBe(20)
  expect(counter.ref.isLocal).toBe(true)
  expect((await system.find(counter.ref.name!))?.id).toBe(counter.ref.id)
})

test('two actors of a class have state of their own', async () => {
  const system = await startSystem()
  const [a, b] = [await Counter.local(system), await Counter.local(system, 100)]
  await a.increment()
  expect([await a.get(), await b.get()]).toEqual([1, 100])
})

test('an unnamed actor is named after its type and eight hexadecimal digits', async () => {
  const system = await startSystem()
  const names = [await Counter.local(system), await Counter.local(system)].map(({ ref }) => ref.name!)
  for (const name of names) expect(name).toMatch(/^Counter_[0-9a-f]{8}$/)
  expect(names[0]).not.toBe(names[1])
})

test('options({ type }) fixes the type name, whatever the class is called', async () => {
  const Fixed = asActor({ type: 'Fixed' })(
    class a {
      ok(): string {
        return 'ok'
      }
    },
  )
  const system = await startSystem()
  const actor = await Fixed.local(system)
  expect(actor.ref.name).toMatch(/^Fixed_[0-9a-f]{8}$/)
  expect(await actor.ok()).toBe('ok')
})

test.each([
  ['its type', asActor({ type: 'Fixed' })(class {}), 'Fixed'],
  ['its type, whatever the class is called', asActor({ type: 'Fixed' })(class a {}), 'Fixed'],
  ['nothing, where it has no name', asActor((() => class {})()), undefined],
])('an actor says its class is %s, and so do its errors', async (_what, Class, type) => {
  const system = await startSystem()
  const { ref } = await Class.local(system)
  const core = await system.resolve('system/core')
  const told = (await core.ask(Message.fromObject('@actors', undefined))).toObject<{ metadata: object }[]>()
  expect(told.map(({ metadata }) => metadata)).toEqual([type === undefined ? {} : { class: type }])
  const shown = type ?? 'a class without a name'
  const refused = (text: string): object => ({
    name: 'NoSuchMethodError',
    message: expect.stringContaining(text) as string,
  })
  await expect(ref.ask('no call')).rejects.toMatchObject(refused(`a method call for ${shown}, got`))
  await expect((ref.asAny() as unknown as { fly(): Promise<void> }).fly()).rejects.toMatchObject(
    refused(`a public method of ${shown}, got`),
  )
})

test('a class that a bundler renamed (Counter$1) can still be created without a name', async () => {
  const Renamed = asActor(
    class Counter$1 {
      ok(): string {
        return 'ok'
      }
    },
  )
  const system = await startSystem()
  expect(await (await Renamed.local(system)).ok()).toBe('ok')
})

test('options names the actor, and a duplicate is refused', async () => {
  const system = await startSystem()
  const named = await Counter.options({ name: 'global', public: true }).local(system, 10)
  expect(named.ref.name).toBe('global')
  await expect(Counter.options({ name: 'global' }).local(system)).rejects.toMatchObject({
    code: 'actor_already_exists',
  })
})

test('options pass mailbox options on', async () => {
  const system = await startSystem()
  await expect(Counter.options({ mailbox: { capacity: 1 } }).local(system)).rejects.toMatchObject({
    code: 'invalid_config',
  })
})

test('options({ node }) with this node’s id creates here, with a node that is no member it rejects', async () => {
  const system = await startSystem()
  expect(await (await Counter.options({ node: system.nodeId }).local(system, 3)).get()).toBe(3)
  expect(await (await Counter.options({ node: system.nodeId }).remote(system, 4)).get()).toBe(4)
  await expect(Counter.options({ node: 'nobody' }).remote(system)).rejects.toMatchObject({
    code: 'unreachable',
    outcome: 'not-sent',
  })
})

test('remote, alone, creates the actor here and emits a warning', async () => {
  const system = await startSystem()
  const warnings: string[] = []
  system.on('warning', ({ code }) => warnings.push(code))
  const counter = await Counter.remote(system, 100)
  expect(await counter.get()).toBe(100)
  expect(counter.ref).toMatchObject({ isLocal: true, name: expect.stringMatching(/^Counter_[0-9a-f]{8}$/) })
  expect(warnings).toEqual(['remote-creation-local'])
})

test('remote, alone, creates the class it was called on, also when another of that name was registered later', async () => {
  const First = asActor(
    class Same {
      who(): string {
        return 'first'
      }
    },
  )
  asActor(
    class Same {
      who(): string {
        return 'second'
      }
    },
  )
  const system = await startSystem()
  expect(await (await First.remote(system)).who()).toBe('first')
})

test('resolve finds an actor of the class by name', async () => {
  const system = await startSystem()
  await Counter.options({ name: 'here', public: true }).local(system, 7)
  const counter = await Counter.resolve(system, 'here', { timeout: 5000 })
  expect(await counter.get()).toBe(7)
})

test('resolve of a name nobody has rejects with ActorNotFoundError when the time is up', async () => {
  const system = await startSystem()
  await expect(Counter.resolve(system, 'nobody', { timeout: 0 })).rejects.toMatchObject({
    name: 'ActorNotFoundError',
    code: 'actor_not_found',
  })
})

test('statics are inherited: a subclass creates itself', async () => {
  class Big extends Counter {
    increment100(): number {
      return this.increment(100)
    }
  }
  const system = await startSystem()
  const big = (await Big.local(system, 1)) as unknown as { increment100(): Promise<number>; ref: { name: string } }
  expect(big.ref.name).toMatch(/^Big_[0-9a-f]{8}$/)
  expect(await big.increment100()).toBe(101)
})

test('a subclass that was not registered itself can be created by remote when alone', async () => {
  class Huge extends Counter {}
  const system = await startSystem()
  expect(await (await Huge.remote(system, 5)).get()).toBe(5)
})

test('onStart and onStop of the class are called with the context', async () => {
  const log: string[] = []
  const Hooked = asActor(
    class Hooked {
      onStart(ctx: ActorContext): void {
        log.push(`start ${ctx.self.name}`)
      }
      onStop(ctx: ActorContext, reason: string): void {
        log.push(`stop ${ctx.self.name} ${reason}`)
      }
      ok(): void {}
    },
  )
  const system = await startSystem()
  await Hooked.options({ name: 'h' }).local(system)
  await system.stop('h')
  expect(log).toEqual(['start h', 'stop h killed'])
})

test('contextOf(this) is the context of the call; outside of an actor it throws', async () => {
  const system = await startSystem()
  const counter = await Counter.options({ name: 'me' }).local(system)
  expect(await counter.whoami()).toBe('me')
  expect(() => contextOf(new Counter())).toThrow(expect.objectContaining({ code: 'unsupported' }))
})

test('contextOf(this) in onStart is there already', async () => {
  const names: (string | undefined)[] = []
  const Early = asActor(
    class Early {
      onStart(): void {
        names.push(contextOf(this).self.name)
      }
    },
  )
  await Early.options({ name: 'early' }).local(await startSystem())
  expect(names).toEqual(['early'])
})

test('contextOf(this) in a generator is the context of its own call, also when other calls came between', async () => {
  const Watch = asActor(
    class Watch {
      async *until(): AsyncGenerator<boolean> {
        const { signal } = contextOf(this)
        yield signal === contextOf(this).signal
        yield signal === contextOf(this).signal
      }
      other(): AbortSignal {
        return contextOf(this).signal
      }
    },
  )
  const watch = await Watch.local(await startSystem())
  const stream = watch.until()
  const first = await watch.other()
  expect((await stream.next()).value).toBe(true)
  await watch.other()
  expect((await stream.next()).value).toBe(true)
  await stream.cancel()
  expect(first.aborted).toBe(false)
})

test('a class with a receive of its own gets the messages that are no calls, and its methods are called', async () => {
  const Both = asActor(
    class Both {
      receive(msg: Message): unknown {
        return `received ${msg.toObject<string>()}`
      }
      method(): string {
        return 'called'
      }
    },
  )
  const both = await Both.local(await startSystem())
  expect(await both.ref.ask('x')).toBe('received x')
  expect(await both.method()).toBe('called')
})

test('a class that extends Actor can be an asActor class too', async () => {
  const Extended = asActor(
    class Extended extends Actor {
      receive(): unknown {
        return 'received'
      }
      method(): string {
        return 'called'
      }
    },
  )
  const extended = await Extended.local(await startSystem())
  expect(await extended.method()).toBe('called')
})

test('a message that is no call is refused by a class without receive', async () => {
  const counter = await Counter.local(await startSystem())
  await expect(counter.ref.ask('hello')).rejects.toMatchObject({ code: 'no_such_method' })
})

test.each([undefined, null, 5, 'Counter', () => undefined])('asActor of %s is refused with ConfigError', (value) => {
  expect(() => {
    const result: unknown = asActor(value as never)
    if (typeof result === 'function') (result as (value: unknown) => unknown)(value)
  }).toThrow(expect.objectContaining({ code: 'invalid_config' }))
})

test('a class without a name is an actor on its own node; remote asks for a type', async () => {
  const make = () =>
    class {
      ok(): string {
        return 'ok'
      }
    }
  const Anonymous = asActor(make())
  const system = await startSystem()
  expect(await (await Anonymous.local(system)).ok()).toBe('ok')
  await expect(Anonymous.remote(system)).rejects.toMatchObject({ code: 'invalid_config' })
})

test('streaming methods can be read with for await, by readable, and after an await', async () => {
  const counter = await Counter.local(await startSystem())
  expect(await collect(counter.count(3))).toEqual([0, 1, 2])
  expect(await collect(counter.letters('ab'))).toEqual(['a', 'b'])
  expect(await collect(counter.web())).toEqual([1])
  expect(await collect(await counter.count(2))).toEqual([0, 1])
  expect(counter.count(3).readable).toBeInstanceOf(ReadableStream)
  const items: number[] = []
  const reader = counter.count(3).readable.getReader()
  for (let result = await reader.read(); !result.done; result = await reader.read()) items.push(result.value)
  expect(items).toEqual([0, 1, 2])
})

test('withActors accepts asActor classes and refuses others, all problems in one message', () => {
  expect(SystemConfig.standalone().withLogger(quiet).withActors(Counter)).toBeInstanceOf(SystemConfig)
  expect(() => SystemConfig.standalone().withActors(class A {}, Counter, 'B' as never)).toThrow(/index 0.*index 2/s)
})

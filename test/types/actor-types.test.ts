/** What the compiler promises of classes made actors, of spawning, streams and events. The bodies are compiled, never run. */
import {
  type Actor,
  type ActorClass,
  type ActorProxy,
  type ActorSystem,
  asActor,
  Message,
  type Spawnable,
  StreamMessage,
  type StreamReader,
  type StreamWriter,
} from 'pulsing'
import { expectTypeOf, test } from 'vitest'
import { Plain } from './plain.ts'

declare const system: ActorSystem

/** Compiled, never run. */
const compiled = (_body: () => unknown): void => undefined

const Registered = asActor(Plain)
const Inferred = asActor(
  class {
    constructor(public value = 0) {}
    increment(n = 1) {
      return (this.value += n)
    }
    async *count(to: number) {
      for (let i = 0; i < to; i++) yield i
    }
    async find(key: string) {
      return { key, at: new Date() }
    }
  },
)

test('asActor keeps the class: its constructor and its instances', () => {
  expectTypeOf(Registered).toExtend<typeof Plain & ActorClass<typeof Plain>>()
  expectTypeOf<ConstructorParameters<typeof Registered>>().toEqualTypeOf<[start: number, label?: string | undefined]>()
  expectTypeOf<InstanceType<typeof Registered>>().toExtend<Plain>()
  expectTypeOf(asActor({ type: 'Plain' })(Plain)).toExtend<typeof Plain & ActorClass<typeof Plain>>()
})

test('local, remote and resolve take the constructor’s arguments and give the class’s proxy', () => {
  compiled(() => {
    expectTypeOf(Registered.local(system, 5)).resolves.toEqualTypeOf<ActorProxy<Plain>>()
    expectTypeOf(Registered.remote(system, 5, 'y')).resolves.toEqualTypeOf<ActorProxy<Plain>>()
    expectTypeOf(Registered.resolve(system, 'name', { timeout: 5 })).resolves.toEqualTypeOf<ActorProxy<Plain>>()
    expectTypeOf(Registered.options({ name: 'n', public: true }).local(system, 5)).resolves.toEqualTypeOf<
      ActorProxy<Plain>
    >()
    // @ts-expect-error missing argument
    void Registered.local(system)
    // @ts-expect-error wrong argument
    void Registered.remote(system, 'five')
    // @ts-expect-error not an option
    void Registered.options({ nmae: 'typo' })
  })
})

test('a class without annotations is inferred as well', () => {
  compiled(async () => {
    const counter = await Inferred.local(system, 1)
    expectTypeOf(counter.increment()).toEqualTypeOf<Promise<number>>()
    expectTypeOf(counter.find('x')).toEqualTypeOf<Promise<{ key: string; at: Date }>>()
    for await (const n of counter.count(3)) expectTypeOf(n).toEqualTypeOf<number>()
    // @ts-expect-error wrong argument
    void counter.count('three')
  })
})

test('spawn takes an instance, a factory or a class of an actor, and instances of asActor classes', () => {
  class Echo implements Pick<Actor, 'receive'> {
    receive(msg: Message): Message {
      return msg
    }
  }
  expectTypeOf<Echo>().toExtend<Spawnable>()
  expectTypeOf<typeof Echo>().toExtend<Spawnable>()
  expectTypeOf<() => Echo>().toExtend<Spawnable>()
  compiled(() => {
    void system.spawn(new Echo(), 'name', { public: true, mailbox: { capacity: 16, overflow: 'fail' } })
    void system.spawn(Echo, { mailbox: {} })
    void system.spawn({ receive: (msg, ctx) => [msg.msgType, ctx.self.id] })
    void system.spawn(new Registered(1), 'name')
    void system.spawn(() => new Registered(1))
    // @ts-expect-error no actor
    void system.spawn({})
    // @ts-expect-error not a policy
    void system.spawn(Echo, { mailbox: { overflow: 'explode' } })
  })
})

test('StreamMessage.create types its writer; a reader says what it expects', () => {
  compiled(() => {
    const [made, writer] = StreamMessage.create<number>('n', 4)
    expectTypeOf(made).toEqualTypeOf<Message>()
    expectTypeOf(writer).toEqualTypeOf<StreamWriter<number>>()
    expectTypeOf(writer.writable).toEqualTypeOf<WritableStream<number>>()
    expectTypeOf(made.streamReader<number>()).toEqualTypeOf<StreamReader<number>>()
    expectTypeOf(made.streamReader()).toEqualTypeOf<StreamReader<unknown>>()
    // @ts-expect-error wrong item
    void writer.write('text')
    // @ts-expect-error messages are made by their static methods
    void new Message('x', 0)
  })
})

test('events are typed by name', () => {
  compiled(() => {
    system.on('deadLetter', ({ total, reason }) => [
      expectTypeOf(total).toEqualTypeOf<number>(),
      expectTypeOf(reason).toEqualTypeOf<string>(),
    ])
    // @ts-expect-error no such event
    system.on('nonsense', () => undefined)
  })
})

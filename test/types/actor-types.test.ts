/** What the compiler promises: checked when the tests are compiled; at run time these only run. */
import {
  type Actor,
  type ActorClass,
  type ActorContext,
  type ActorProxy,
  type ActorRef,
  type ActorSystem,
  asActor,
  contextOf,
  type Message,
  type MethodName,
  Message as MessageClass,
  type Spawnable,
  StreamMessage,
  type StreamReader,
  type StreamWriter,
  type UntypedProxy,
} from 'pulsing'
import { expectTypeOf, test } from 'vitest'

class Plain {
  value = 0
  readonly callback: () => number = () => 1
  constructor(start: number, readonly label = 'x') {
    this.value = start
  }
  get double(): number {
    return this.value * 2
  }
  get(): number {
    return this.value
  }
  async later(text: string, times?: number): Promise<string> {
    return text.repeat(times ?? 1)
  }
  nothing(): void {}
  maybe(): number | undefined {
    return undefined
  }
  generic<T>(value: T): T {
    return value
  }
  list(): number[] {
    return []
  }
  text(): string {
    return ''
  }
  bytes(): Uint8Array {
    return new Uint8Array()
  }
  map(): Map<string, number> {
    return new Map()
  }
  async *count(to: number): AsyncGenerator<number> {
    yield to
  }
  *letters(): Generator<string, number, undefined> {
    yield 'a'
    return 1
  }
  async lateStream(): Promise<AsyncIterable<boolean>> {
    return this.flags()
  }
  async *flags(): AsyncGenerator<boolean> {
    yield true
  }
  web(): ReadableStream<Date> {
    return new ReadableStream()
  }
  reader(): StreamReader<bigint> {
    return StreamMessage.create<bigint>()[0].streamReader<bigint>()
  }
  anything(): unknown {
    return 1
  }
  unsafe() {
    // biome-ignore lint/suspicious/noExplicitAny: what a user may have written
    return 1 as any
  }
  many(...names: string[]): number {
    return names.length
  }
  onStart(): void {}
  onStop(): void {}
  metadata(): Record<string, string> {
    return {}
  }
  toJSON(): string {
    return ''
  }
  _internal(): void {}
  protected guarded(): void {}
  // biome-ignore lint/correctness/noUnusedPrivateClassMembers: hidden is the point
  private hidden(): void {}
}

type Proxy = ActorProxy<Plain>
declare const proxy: Proxy
declare const ref: ActorRef
declare const system: ActorSystem
declare const message: Message

/** Compiled, never run. */
const compiled = (_body: () => unknown): void => undefined

test('a proxy offers the public methods of the class: no fields, getters, hooks, private or underscored names', () => {
  expectTypeOf<MethodName<Plain>>().toEqualTypeOf<
    | 'get' | 'later' | 'nothing' | 'maybe' | 'generic' | 'list' | 'text' | 'bytes' | 'map' | 'count' | 'letters'
    | 'lateStream' | 'flags' | 'web' | 'reader' | 'anything' | 'unsafe' | 'many' | 'callback'
  >()
  compiled(() => {
    // @ts-expect-error a field
    void proxy.value
    // @ts-expect-error a getter
    void proxy.double
    // @ts-expect-error a hook
    void proxy.onStart
    // @ts-expect-error a hook
    void proxy.metadata
    // @ts-expect-error never offered
    void proxy.toJSON
    // @ts-expect-error underscored
    void proxy._internal
    // @ts-expect-error protected
    void proxy.guarded
    // @ts-expect-error private
    void proxy.hidden
    // @ts-expect-error no such method
    void proxy.nope
  })
})

test('a proxy cannot be mistaken for a promise', () => {
  expectTypeOf<Awaited<Proxy>>().toEqualTypeOf<Proxy>()
})

test('results are promises of what the method returns, promises unwrapped', () => {
  expectTypeOf<ReturnType<Proxy['get']>>().toEqualTypeOf<Promise<number>>()
  expectTypeOf<ReturnType<Proxy['later']>>().toEqualTypeOf<Promise<string>>()
  expectTypeOf<ReturnType<Proxy['nothing']>>().toEqualTypeOf<Promise<void>>()
  expectTypeOf<ReturnType<Proxy['maybe']>>().toEqualTypeOf<Promise<number | undefined>>()
  expectTypeOf<ReturnType<Proxy['anything']>>().toEqualTypeOf<Promise<unknown>>()
  // biome-ignore lint/suspicious/noExplicitAny: what a user may have written
  expectTypeOf<ReturnType<Proxy['unsafe']>>().toEqualTypeOf<Promise<any>>()
})

test('arrays, strings, bytes and Maps are values; generators, async iterables and web streams are streams', () => {
  expectTypeOf<ReturnType<Proxy['list']>>().toEqualTypeOf<Promise<number[]>>()
  expectTypeOf<ReturnType<Proxy['text']>>().toEqualTypeOf<Promise<string>>()
  expectTypeOf<ReturnType<Proxy['bytes']>>().toEqualTypeOf<Promise<Uint8Array>>()
  expectTypeOf<ReturnType<Proxy['map']>>().toEqualTypeOf<Promise<Map<string, number>>>()
  expectTypeOf<ReturnType<Proxy['count']>>().toExtend<AsyncIterable<number>>()
  expectTypeOf<ReturnType<Proxy['count']>['readable']>().toEqualTypeOf<ReadableStream<number>>()
  expectTypeOf<ReturnType<Proxy['letters']>>().toExtend<AsyncIterable<string>>()
  expectTypeOf<ReturnType<Proxy['web']>>().toExtend<AsyncIterable<Date>>()
  expectTypeOf<ReturnType<Proxy['reader']>>().toExtend<AsyncIterable<bigint>>()
})

test('arguments are the method’s', () => {
  expectTypeOf<Parameters<Proxy['later']>>().toEqualTypeOf<[text: string, times?: number]>()
  expectTypeOf<Parameters<Proxy['many']>>().toEqualTypeOf<string[]>()
  compiled(() => {
    void proxy.later('a')
    // @ts-expect-error wrong argument
    void proxy.later(5)
    // @ts-expect-error missing argument
    void proxy.later()
    // @ts-expect-error one too many
    void proxy.get(1)
    // @ts-expect-error the result is a number
    void (proxy.get() satisfies Promise<string>)
  })
})

test('tell takes a method’s name and its arguments', () => {
  compiled(() => {
    void proxy.tell('later', 'a', 2)
    // @ts-expect-error no such method
    void proxy.tell('nope')
    // @ts-expect-error wrong argument
    void proxy.tell('later', 5)
    // @ts-expect-error hidden
    void proxy.tell('_internal')
  })
  expectTypeOf<ReturnType<Proxy['tell']>>().toEqualTypeOf<Promise<void>>()
})

test('a proxy is read only, and has its ref', () => {
  expectTypeOf<Proxy['ref']>().toEqualTypeOf<ActorRef>()
  compiled(() => {
    // @ts-expect-error read only
    proxy.get = async () => 1
  })
})

test('ask: a Message gets a Message, a value gets what the caller expects', () => {
  compiled(() => {
    expectTypeOf(ref.ask(message)).toEqualTypeOf<Promise<Message>>()
    expectTypeOf(ref.ask({ a: 1 })).toEqualTypeOf<Promise<unknown>>()
    expectTypeOf(ref.ask<number>('x', { timeout: 5, signal: new AbortController().signal, transfer: [] })).toEqualTypeOf<Promise<number>>()
    expectTypeOf(ref.tell(message)).toEqualTypeOf<Promise<void>>()
    expectTypeOf(ref.tell({ any: 'value' })).toEqualTypeOf<Promise<void>>()
    expectTypeOf(ref.askStream(message)).toExtend<AsyncIterableIterator<Message>>()
    expectTypeOf(ref.askStream(message).readable).toEqualTypeOf<ReadableStream<Message>>()
    expectTypeOf(ref.askStream<number>('x')).toEqualTypeOf<StreamReader<number>>()
    // @ts-expect-error not an option
    void ref.ask('x', { timeoutMs: 5 })
  })
})

test('ctx.ask is typed as ref.ask is', () => {
  compiled(() => {
    const ctx = contextOf({}) satisfies ActorContext
    expectTypeOf(ctx.ask(ref, message)).toEqualTypeOf<Promise<Message>>()
    expectTypeOf(ctx.ask<string>(ref, 1)).toEqualTypeOf<Promise<string>>()
    expectTypeOf(ctx.sender).toEqualTypeOf<ActorRef | undefined>()
  })
})

test('asType gives the proxy of the class, asAny one of unknown calls', () => {
  compiled(() => {
    expectTypeOf(ref.asType(Plain)).toEqualTypeOf<ActorProxy<Plain>>()
    expectTypeOf(ref.asAny()).toEqualTypeOf<UntypedProxy>()
    expectTypeOf(ref.asAny().ref).toEqualTypeOf<ActorRef>()
  })
})

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
  expectTypeOf<ConstructorParameters<typeof Registered>>().toEqualTypeOf<[start: number, label?: string]>()
  expectTypeOf<InstanceType<typeof Registered>>().toExtend<Plain>()
  expectTypeOf(asActor({ type: 'Plain' })(Plain)).toExtend<typeof Plain & ActorClass<typeof Plain>>()
})

test('local, remote and resolve take the constructor’s arguments and give the class’s proxy', () => {
  compiled(() => {
    expectTypeOf(Registered.local(system, 5)).resolves.toEqualTypeOf<ActorProxy<Plain>>()
    expectTypeOf(Registered.remote(system, 5, 'y')).resolves.toEqualTypeOf<ActorProxy<Plain>>()
    expectTypeOf(Registered.resolve(system, 'name', { timeout: 5 })).resolves.toEqualTypeOf<ActorProxy<Plain>>()
    expectTypeOf(Registered.options({ name: 'n', public: true }).local(system, 5)).resolves.toEqualTypeOf<ActorProxy<Plain>>()
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
    void new MessageClass('x', 0)
  })
})

test('events are typed by name', () => {
  compiled(() => {
    system.on('deadLetter', ({ total, reason }) => [expectTypeOf(total).toEqualTypeOf<number>(), expectTypeOf(reason).toEqualTypeOf<string>()])
    // @ts-expect-error no such event
    system.on('nonsense', () => undefined)
  })
})

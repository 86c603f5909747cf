import { Actor, type ActorSystem, asActor, createActorSystem, Message, StreamMessage, SystemConfig } from 'pulsing'
import { afterEach, expect, test } from 'vitest'

const systems: ActorSystem[] = []
async function start(config?: SystemConfig): Promise<ActorSystem> {
  const system = await createActorSystem(config)
  systems.push(system)
  return system
}
afterEach(async () => {
  await Promise.all(systems.splice(0).map((system) => system.shutdown()))
})

class Echo extends Actor {
  receive(msg: Message): unknown {
    if (msg.msgType === 'stream') {
      const [reply, writer] = StreamMessage.create<number>('n', 4)
      void (async () => {
        for (let i = 0; i < 10; i++) await writer.write(i)
        await writer.close()
      })()
      return reply
    }
    if (msg.msgType === 'fail') throw new TypeError('bad input')
    return msg.msgType === '' ? msg.toObject() : Message.fromJson('pong', msg.toJson())
  }
}

test('local ask', async () => {
  const system = await start()
  const ref = await system.spawn(new Echo(), 'echo')
  expect(await ref.ask({ a: 1 })).toEqual({ a: 1 })
  const reply = await ref.ask(Message.fromJson('ping', [1]))
  expect(reply.msgType).toBe('pong')
  expect(reply.toJson()).toEqual([1])
  await expect(ref.ask(Message.fromJson('fail', 1))).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'bad input' })
})

const Counter = asActor(
  class Counter {
    constructor(public value = 0) {}
    get(): number {
      return this.value
    }
    increment(n = 1): number {
      return (this.value += n)
    }
    async *count(to: number): AsyncGenerator<number> {
      for (let i = 0; i < to; i++) yield i
    }
  },
)

test('leaf to leaf through a relay', async () => {
  const relay = await start(SystemConfig.withAddr('ws://127.0.0.1:0'))
  const a = await start(SystemConfig.standalone().withSeeds([relay.addr!]))
  const b = await start(SystemConfig.standalone().withSeeds([relay.addr!]))
  await a.spawn(new Echo(), 'echo', { public: true })
  const ref = await b.resolve('echo')
  expect(ref.isLocal).toBe(false)
  expect(await ref.ask({ x: [1, 2], b: new Uint8Array([1, 2]) })).toEqual({ x: [1, 2], b: new Uint8Array([1, 2]) })
  expect(await ref.ask(new Uint8Array([1, 2]))).toEqual(new Uint8Array([1, 2]))
  expect((await ref.ask(Message.fromJson('ping', [1]))).toJson()).toEqual([1])
  const items: number[] = []
  for await (const item of ref.askStream<number>(Message.fromObject('stream', null))) items.push((item as Message).toObject<number>())
  expect(items).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  await expect(ref.ask(Message.fromJson('fail', 1))).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'bad input' })
  const counter = await Counter.options({ name: 'c', public: true }).local(b, 5)
  expect(await counter.increment(2)).toBe(7)
  const remote = await Counter.resolve(a, 'c')
  expect(await remote.increment()).toBe(8)
  const counted: number[] = []
  for await (const i of remote.count(100)) counted.push(i)
  expect(counted.length).toBe(100)
  expect(a.members().length).toBe(3)
  // a ref inside a message
  const passed = await ref.ask<{ ref: typeof ref }>({ ref: counter.ref })
  expect(await passed.ref.asType(Counter).get()).toBe(8)
})

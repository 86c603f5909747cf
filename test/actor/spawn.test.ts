/** Starting actors: from what, under which name, and what happens when it fails. */
import { Actor, type ActorRef, asActor, type Message, type Spawnable } from 'pulsing'
import { expect, test } from 'vitest'
import { gate, startSystem, stateOf, turn } from './systems.ts'

class Echo extends Actor {
  receive(msg: Message): unknown {
    return msg.toObject()
  }
}

const Greeter = asActor(
  class Greeter {
    constructor(readonly greeting = 'hello') {}
    greet(name: string): string {
      return `${this.greeting} ${name}`
    }
  },
)

const forms: readonly [string, Spawnable][] = [
  ['an instance', new Echo()],
  ['a plain object with receive', { receive: (msg) => msg.toObject() }],
  ['a factory', () => new Echo()],
  ['a class', Echo],
]

test.each(forms)('%s can be spawned', async (_name, actor) => {
  const system = await startSystem()
  const ref = await system.spawn(actor, 'echo')
  expect(await ref.ask('hi')).toBe('hi')
})

test('a class whose receive is a field can be spawned', async () => {
  class Arrow {
    readonly receive = (msg: Message): unknown => msg.toObject()
  }
  const system = await startSystem()
  const ref = await system.spawn(Arrow)
  expect(await ref.ask('hi')).toBe('hi')
})

test.each<[string, Spawnable]>([
  ['an instance of an asActor class', new Greeter('hi') as unknown as Spawnable],
  ['a factory of an asActor class', (() => new Greeter('hi')) as unknown as Spawnable],
])('%s can be spawned and called', async (_name, actor) => {
  const system = await startSystem()
  const ref = await system.spawn(actor, 'greeter')
  expect(await ref.asType(Greeter).greet('you')).toBe('hi you')
})

test('an asActor class itself can be spawned, its constructor called without arguments', async () => {
  const system = await startSystem()
  const ref = await system.spawn(Greeter as unknown as Spawnable)
  expect(await ref.asType(Greeter).greet('you')).toBe('hello you')
})

test('the ref of a named local actor has its name, its node, and an id of its own', async () => {
  const system = await startSystem()
  const ref = await system.spawn(new Echo(), 'echo')
  expect(ref).toMatchObject({ name: 'echo', nodeId: system.nodeId, isLocal: true })
  expect(ref.id).toMatch(/^[\w-]{22}$/)
  expect(String(ref)).toBe(`actor://${system.nodeId}/${ref.id}`)
})

test('an anonymous actor is reached by ref only and needs no name', async () => {
  const system = await startSystem()
  const [a, b] = [await system.spawn(new Echo()), await system.spawn(new Echo(), {})]
  expect('name' in a).toBe(false)
  expect(a.id).not.toBe(b.id)
  expect(await a.ask(1)).toBe(1)
  expect(await system.find('undefined')).toBe(undefined)
})

test('a named actor is found and hasActor says so; an unknown name is undefined and false', async () => {
  const system = await startSystem()
  const ref = await system.spawn(new Echo(), 'echo')
  expect((await system.find('echo'))?.id).toBe(ref.id)
  expect((await system.resolve('echo')).id).toBe(ref.id)
  expect(await system.hasActor('echo')).toBe(true)
  expect(await system.find('nobody')).toBe(undefined)
  expect(await system.hasActor('nobody')).toBe(false)
})

test('a duplicate name is refused, and the first actor is left alone', async () => {
  const system = await startSystem()
  const ref = await system.spawn(new Echo(), 'echo')
  await expect(system.spawn(new Echo(), 'echo')).rejects.toMatchObject({
    name: 'ActorAlreadyExistsError',
    code: 'actor_already_exists',
  })
  expect((await system.find('echo'))?.id).toBe(ref.id)
})

test('a duplicate name is refused: exactly one of two concurrent spawns wins', async () => {
  const system = await startSystem()
  const slow = { receive: () => 'slow', onStart: () => turn() }
  const outcomes = await Promise.allSettled([
    system.spawn(slow, 'one'),
    system.spawn(new Echo(), 'one'),
    system.spawn(() => new Echo(), 'one'),
  ])
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'actor_already_exists' })
})

test('the loser of a duplicate name never starts', async () => {
  const system = await startSystem()
  let made = 0
  await system.spawn(new Echo(), 'one')
  const make = (): Echo => {
    made++
    return new Echo()
  }
  await expect(system.spawn(make, 'one')).rejects.toMatchObject({ code: 'actor_already_exists' })
  expect(made).toBe(0)
})

test('the same name on two systems is two actors', async () => {
  const [a, b] = [await startSystem(), await startSystem()]
  const [one, two] = [await a.spawn(new Echo(), 'same'), await b.spawn(new Echo(), 'same')]
  expect(one.id).not.toBe(two.id)
  expect(a.nodeId).not.toBe(b.nodeId)
})

test('onStart runs before the first message, and spawn waits for it', async () => {
  const system = await startSystem()
  const started = gate()
  const log: string[] = []
  const spawned = system.spawn(
    {
      onStart: async (ctx) => {
        void ctx.self.tell('early')
        await started.opened
        log.push('started')
      },
      receive: (msg) => void log.push(msg.toObject()),
    },
    'slow',
  )
  expect(await stateOf(spawned)).toBe('pending')
  expect(log).toEqual([])
  started.open()
  const ref = await spawned
  await ref.ask('later')
  expect(log).toEqual(['started', 'early', 'later'])
})

test.each([
  [
    'throws',
    (): never => {
      throw new TypeError('no database')
    },
  ],
  ['rejects', () => Promise.reject(new TypeError('no database'))],
])('an onStart that %s fails spawn with its error as cause, and frees the name', async (_name, onStart) => {
  const system = await startSystem()
  await expect(system.spawn({ receive: () => undefined, onStart }, 'db')).rejects.toMatchObject({
    name: 'PulsingBusinessError',
    message: 'no database',
    cause: { message: 'no database' },
  })
  expect(await system.hasActor('db')).toBe(false)
  expect(await (await system.spawn(new Echo(), 'db')).ask('ok')).toBe('ok')
})

test('asks sent to an actor whose onStart then fails are rejected', async () => {
  const system = await startSystem()
  let asked: Promise<unknown> | undefined
  const spawned = system.spawn({
    receive: () => 'never',
    onStart: (ctx) => {
      asked = ctx.self.ask('early')
      throw new Error('failed')
    },
  })
  await expect(spawned).rejects.toThrow('failed')
  await expect(asked).rejects.toMatchObject({ code: 'actor_stopped' })
})

test('an onStop does not run for an actor whose onStart failed; its children are stopped', async () => {
  const system = await startSystem()
  const log: string[] = []
  await system
    .spawn({
      receive: () => undefined,
      onStart: async (ctx) => {
        await ctx.spawn({ receive: () => undefined, onStop: () => void log.push('child stopped') })
        throw new Error('failed')
      },
      onStop: () => void log.push('stopped'),
    })
    .catch(() => undefined)
  expect(log).toEqual(['child stopped'])
})

test.each([
  [
    'a factory',
    () => {
      throw new RangeError('bad size')
    },
  ],
  [
    'a constructor',
    class {
      constructor() {
        throw new RangeError('bad size')
      }
      receive(): void {}
    },
  ],
])('%s that throws fails spawn with an error of this package, and frees the name', async (_name, actor) => {
  const system = await startSystem()
  await expect(system.spawn(actor as unknown as Spawnable, 'sized')).rejects.toMatchObject({
    name: 'PulsingBusinessError',
    message: 'bad size',
  })
  expect(await system.hasActor('sized')).toBe(false)
  await system.spawn(new Echo(), 'sized')
})

test.each(['', ' ', '-dash', 'line\nbreak', 'a'.repeat(201), 'system', 'system/core', 'semi;colon', 5, Symbol('s')])(
  'the name %j is refused with ConfigError',
  async (name) => {
    const system = await startSystem()
    await expect(system.spawn(new Echo(), name as string)).rejects.toMatchObject({ code: 'invalid_config' })
  },
)

test.each(['a', 'Counter_1f3a9c02', 'a'.repeat(200), 'path/to:it@here', '数え', 'with space', '7'])(
  'the name %j is accepted',
  async (name) => {
    const system = await startSystem()
    expect((await system.spawn(new Echo(), name)).name).toBe(name)
  },
)

test('a public actor needs a name', async () => {
  const system = await startSystem()
  await expect(system.spawn(new Echo(), { public: true })).rejects.toMatchObject({
    code: 'invalid_config',
    message: expect.stringContaining('name'),
  })
})

test.each([undefined, null, 5, 'text', {}, [], () => ({}), () => undefined])(
  '%s is no actor: spawn rejects with ConfigError and frees the name',
  async (actor) => {
    const system = await startSystem()
    await expect(system.spawn(actor as unknown as Spawnable, 'x')).rejects.toMatchObject({ code: 'invalid_config' })
    expect(await system.hasActor('x')).toBe(false)
  },
)

test('everything wrong with a spawn is said in one message', async () => {
  const system = await startSystem()
  const wrong = system.spawn({} as Spawnable, '', { mailbox: { capacity: 1, overflow: 'explode' as 'fail' } })
  await expect(wrong).rejects.toMatchObject({ code: 'invalid_config', problems: { length: 4 } })
  await expect(wrong).rejects.toThrow(/receive.*name.*capacity.*overflow/s)
})

test('actorStarted and actorStopped events carry the ref and the reason', async () => {
  const system = await startSystem()
  const log: unknown[] = []
  system.on('actorStarted', ({ ref }: { ref: ActorRef }) => log.push(['started', ref.id]))
  system.on('actorStopped', ({ ref, reason }) => log.push([reason, ref.id]))
  const ref = await system.spawn(new Echo())
  await system.stop(ref)
  expect(log).toEqual([
    ['started', ref.id],
    ['killed', ref.id],
  ])
})

test('a listener taken off hears nothing more', async () => {
  const system = await startSystem()
  let heard = 0
  const off = system.on('actorStarted', () => heard++)
  await system.spawn(new Echo())
  off()
  await system.spawn(new Echo())
  expect(heard).toBe(1)
})

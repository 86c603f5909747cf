import { asActor, SystemConfig } from 'pulsing'
import { afterEach, describe, expect, test } from 'vitest'
import { event, joined, outcomeOf, Systems } from './systems.ts'

const systems = new Systems()
afterEach(() => systems.stop())

const Greeter = asActor(
  class Greeter {
    constructor(readonly greeting = 'hello') {
      if (greeting === 'throw') throw new TypeError('no such greeting')
    }
    greet(name: string): string {
      return `${this.greeting} ${name}`
    }
  },
)
const Unlisted = asActor(
  class Unlisted {
    hi(): string {
      return 'hi'
    }
  },
)

async function withHost() {
  const host = await systems.start(SystemConfig.withAddr('ws://127.0.0.1:0').withActors(Greeter))
  const guest = await systems.leaf(host.addr!)
  return { host, guest }
}

describe('creating actors on another node', () => {
  test('makes the actor there, with its arguments; the proxy is typed and works', async () => {
    const { host, guest } = await withHost()
    const greeter = await Greeter.remote(guest, 'ahoy')
    expect(greeter.ref.nodeId).toBe(host.nodeId)
    expect(greeter.ref.isLocal).toBe(false)
    expect(await greeter.greet('you')).toBe('ahoy you')
    expect(await (await Greeter.remote(guest)).greet('you')).toBe('hello you')
  })

  test('gives it the name asked for, public if asked for, once', async () => {
    const { host, guest } = await withHost()
    const named = Greeter.options({ name: 'the greeter', public: true })
    await named.remote(guest, 'hey')
    expect(await (await Greeter.resolve(guest, 'the greeter')).greet('you')).toBe('hey you')
    expect(await host.hasActor('the greeter')).toBe(true)
    expect(await outcomeOf(named.remote(guest, 'again'))).toMatchObject({ name: 'ActorAlreadyExistsError' })
  })

  test('a constructor that throws rejects with its error, and frees the name', async () => {
    const { guest } = await withHost()
    const named = Greeter.options({ name: 'unlucky' })
    expect(await outcomeOf(named.remote(guest, 'throw'))).toMatchObject({
      name: 'PulsingBusinessError',
      message: 'no such greeting',
    })
    expect(await (await named.remote(guest, 'fine')).greet('you')).toBe('fine you')
  })

  test('a class the node did not list is refused there', async () => {
    const { host, guest } = await withHost()
    expect(await outcomeOf(Unlisted.options({ node: host.nodeId }).remote(guest))).toMatchObject({
      name: 'PermissionDeniedError',
      message: expect.stringContaining('Unlisted') as string,
    })
  })

  test('a node asked for by id is the one; its own id creates here; a stranger’s is UnreachableError', async () => {
    const { host, guest } = await withHost()
    const second = await systems.start(SystemConfig.withSeeds([host.addr!]).withActors(Greeter))
    await joined(guest, second)
    for (const system of [host, second, guest]) {
      expect((await Greeter.options({ node: system.nodeId }).remote(guest)).ref.nodeId).toBe(system.nodeId)
      expect((await Greeter.options({ node: system.nodeId }).local(guest)).ref.nodeId).toBe(system.nodeId)
    }
    expect(await outcomeOf(Greeter.options({ node: 'nobody' }).remote(guest))).toMatchObject({
      name: 'UnreachableError',
      outcome: 'not-sent',
    })
  })

  test('without any member that hosts the class it is created here, and a warning says so', async () => {
    const { guest } = await withHost()
    const warned = event(guest, 'warning', ({ code }) => code === 'remote-creation-local')
    const here = await Unlisted.remote(guest)
    expect(here.ref.isLocal).toBe(true)
    expect(await here.hi()).toBe('hi')
    expect((await warned).message).toContain('Unlisted')
  })

  test('a node all alone creates here, with a warning', async () => {
    const alone = await systems.start()
    const warned = event(alone, 'warning')
    const here = await Greeter.remote(alone, 'hi')
    expect(await here.greet('me')).toBe('hi me')
    expect((await warned).code).toBe('remote-creation-local')
  })

  test('withActors takes asActor classes only', () => {
    expect(() => SystemConfig.standalone().withActors(class Plain {})).toThrow(/asActor class/)
  })

  test('arguments that cannot travel reject and create nothing', async () => {
    const { guest, host } = await withHost()
    let started = 0
    host.on('actorStarted', () => started++)
    expect(await outcomeOf(Greeter.remote(guest, Symbol('x') as unknown as string))).toMatchObject({
      name: 'NotSerialisableError',
    })
    expect(started).toBe(0)
  })
})

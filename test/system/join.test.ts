import {
  AuthError,
  ConfigError,
  createActorSystem,
  PulsingTimeoutError,
  SystemConfig,
  type SystemEvents,
} from 'pulsing'
import { type RelayOptions, startRelay } from 'pulsing/node'
import { afterEach, describe, expect, test } from 'vitest'
import {
  away,
  Echo,
  event,
  freePort,
  ids,
  joined,
  left,
  memberIds,
  outcomeOf,
  QUIET,
  rawSocket,
  Systems,
} from './systems.ts'

const systems = new Systems()
afterEach(() => systems.stop())

const url = (port: number): string => `ws://127.0.0.1:${port}`

describe('joining through seeds', () => {
  test('is done when createActorSystem resolves: members and names are known', async () => {
    const relay = await systems.relay()
    await relay.system.spawn(new Echo(), 'there', { public: true })
    const leaf = await systems.leaf(relay.url)
    expect(memberIds(leaf)).toEqual(ids(leaf, relay.system))
    expect(await leaf.hasActor('there')).toBe(true)
  })

  test('waits for a seed that is not up yet, and joins when it comes', async () => {
    const port = await freePort()
    const starting = systems.leaf(url(port))
    const relay = await systems.relay({ port })
    const leaf = await starting
    expect(memberIds(leaf)).toEqual(ids(leaf, relay.system))
  })

  test('takes the next seed when one does not answer', async () => {
    const relay = await systems.relay()
    const leaf = await systems.leaf(url(await freePort()), relay.url)
    expect(memberIds(leaf)).toContain(relay.system.nodeId)
  })

  test('gives up after joinTimeoutMs with a typed error', async () => {
    const config = SystemConfig.withSeeds([url(await freePort())])
      .withLogger(QUIET)
      .withLimits({ joinTimeoutMs: 50 })
    expect(await outcomeOf(createActorSystem(config))).toBeInstanceOf(PulsingTimeoutError)
  })

  test('a relay whose only seed is itself is alone, and that is fine', async () => {
    const port = await freePort()
    const relay = await startRelay({ port, host: '127.0.0.1', seeds: [`ws://localhost:${port}`], logger: QUIET })
    systems.own(relay.system)
    expect(memberIds(relay.system)).toEqual(ids(relay.system))
  })

  test('a relay others cannot dial is told so when it starts, if it joins others', async () => {
    const first = await systems.relay({ host: '0.0.0.0' })
    const warningsOf = async (options: RelayOptions): Promise<string[]> => {
      const warnings: string[] = []
      const logger = { ...QUIET, warn: (message: string) => void warnings.push(message) }
      await systems.relay({ seeds: [first.url.replace('0.0.0.0', '127.0.0.1')], logger, ...options })
      return warnings
    }
    expect(await warningsOf({ host: '0.0.0.0' })).toEqual([
      expect.stringMatching(
        /expected an address other relays can dial, got ws:\/\/0\.0\.0\.0:\d+: .*withAdvertisedAddr/,
      ),
    ])
    expect(await warningsOf({ host: '0.0.0.0', advertise: '127.0.0.1' })).toEqual([])
    expect(await warningsOf({ host: '127.0.0.1' })).toEqual([])
    expect(await warningsOf({ host: '0.0.0.0', seeds: [] })).toEqual([])
  })

  test('a relay does not count as joined because somebody else linked to it', async () => {
    const [port, seed] = [await freePort(), await freePort()]
    const starting = startRelay({ port, seeds: [url(seed)], logger: QUIET })
    let isUp = false
    void starting.then(({ system }) => {
      isUp = true
      systems.own(system)
    })
    const leaf = await systems.leaf(url(port))
    expect(memberIds(leaf).size).toBe(2)
    expect(isUp).toBe(false)
    await systems.relay({ port: seed })
    await starting
  })

  test('a leaf whose relay goes finds its way back when the relay is there again', async () => {
    const relay = await systems.relay()
    const port = Number(new URL(relay.url).port)
    const leaf = await systems.leaf(relay.url)
    await leaf.spawn(new Echo(), 'mine', { public: true })
    const gone = left(leaf, relay.system.nodeId)
    await relay.close()
    await gone
    const again = await systems.relay({ port })
    await joined(leaf, again.system)
    expect(again.system.nodeId).not.toBe(relay.system.nodeId)
    expect(await (await again.system.resolve('mine')).ask('hello')).toBe('hello')
  })

  test('a leaf with two relays goes on with the other when one closes', async () => {
    const first = await systems.relay()
    const second = await systems.relay({ seeds: [first.url] })
    const leaf = await systems.leaf(first.url, second.url)
    await second.system.spawn(new Echo(), 'echo', { public: true })
    const left: string[] = []
    second.system.on('memberLeft', ({ member }) => left.push(member.nodeId))
    const lost = away(leaf, second.system.nodeId)
    await first.close()
    expect((await lost).status).toBe('unreachable')
    await joined(leaf, second.system)
    expect(await (await leaf.resolve('echo')).ask(1)).toBe(1)
    expect(left).toEqual([first.system.nodeId])
  })

  test('connect(url) makes a member, and close() ends it', async () => {
    const relay = await systems.relay()
    const node = await systems.start()
    const peer = await node.connect(relay.url)
    expect(peer.nodeId).toBe(relay.system.nodeId)
    expect(memberIds(node)).toEqual(ids(node, relay.system))
    const gone = left(relay.system, node.nodeId)
    await peer.close()
    await Promise.all([peer.closed, gone])
    expect(memberIds(node)).toEqual(ids(node))
  })

  test('connect(url) to a seed that is linked already changes nothing for anybody', async () => {
    const relay = await systems.relay()
    const leaf = await systems.leaf(relay.url)
    let leaves = 0
    leaf.on('memberLeft', () => leaves++)
    relay.system.on('memberLeft', () => leaves++)
    await leaf.connect(relay.url)
    await relay.system.spawn(new Echo(), 'echo', { public: true })
    const ref = await leaf.resolve('echo')
    for (let i = 0; i < 100; i++) expect(await ref.ask(i)).toBe(i)
    expect(leaves).toBe(0)
  })

  test('connect(url) where nobody listens is UnreachableError, not sent', async () => {
    const node = await systems.start()
    expect(await outcomeOf(node.connect(url(await freePort())))).toMatchObject({
      name: 'UnreachableError',
      outcome: 'not-sent',
    })
  })
})

describe('authentication', () => {
  const auth = { token: 'right' }

  test('the right token is let in', async () => {
    const relay = await systems.relay({ auth })
    const leaf = await systems.start(SystemConfig.withSeeds([relay.url]).withAuth(auth))
    expect(memberIds(leaf)).toContain(relay.system.nodeId)
  })

  test.each([
    ['a wrong token', { token: 'wrong', verify: () => true }],
    ['a wrong token that both must show', { token: 'wrong' }],
    ['no token', undefined],
  ])('%s rejects createActorSystem and connect with AuthError, and joins nobody', async (_what, wrong) => {
    const relay = await systems.relay({ auth })
    const events: (keyof SystemEvents)[] = []
    relay.system.on('memberJoined', () => events.push('memberJoined'))
    const seeds = SystemConfig.withSeeds([relay.url]).withLogger(QUIET)
    expect(await outcomeOf(createActorSystem(wrong ? seeds.withAuth(wrong) : seeds))).toBeInstanceOf(AuthError)
    const alone = SystemConfig.standalone()
    const node = await systems.start(wrong ? alone.withAuth(wrong) : alone)
    node.on('memberJoined', () => events.push('memberJoined'))
    expect(await outcomeOf(node.connect(relay.url))).toBeInstanceOf(AuthError)
    expect(events).toEqual([])
    expect(memberIds(relay.system)).toEqual(ids(relay.system))
  })

  test('one seed that refuses does not keep a node from the others', async () => {
    const [strict, open] = [await systems.relay({ auth: { token: 'x' } }), await systems.relay()]
    const leaf = await systems.leaf(strict.url, open.url)
    expect(memberIds(leaf)).toContain(open.system.nodeId)
    const relay = await systems.relay({ seeds: [strict.url, open.url] })
    await joined(relay.system, open.system)
  })

  test('a refused neighbour is told to the operator', async () => {
    const relay = await systems.relay({ auth })
    const warned = event(relay.system, 'warning', ({ code }) => code === 'handshake-failed')
    await outcomeOf(createActorSystem(SystemConfig.withSeeds([relay.url]).withLogger(QUIET)))
    expect(await warned).toMatchObject({ error: { name: 'AuthError' } })
  })

  test.each([
    ['a token too long', { token: 'x'.repeat(2049) }],
    ['a token too long in bytes', { token: '漢'.repeat(2048) }],
    ['neither token nor verify', {}],
    ['a token that is none', { token: 7 as unknown as string }],
    ['nothing', undefined as unknown as object],
  ])('%s is a ConfigError at once', (_what, bad) => {
    expect(() => SystemConfig.standalone().withAuth(bad)).toThrow(ConfigError)
  })
})

describe('addresses', () => {
  test('an address in use, or that cannot be bound, is a ConfigError', async () => {
    const relay = await systems.relay()
    expect(await outcomeOf(createActorSystem(SystemConfig.withAddr(relay.url).withLogger(QUIET)))).toBeInstanceOf(
      ConfigError,
    )
    expect(
      await outcomeOf(createActorSystem(SystemConfig.withAddr('ws://192.0.2.1:0').withLogger(QUIET))),
    ).toBeInstanceOf(ConfigError)
    expect(
      await outcomeOf(createActorSystem(SystemConfig.withAddr('wss://127.0.0.1:0').withLogger(QUIET))),
    ).toBeInstanceOf(ConfigError)
  })

  test.each(['http://x:1', 'ws://x', 'x:99999', '', 'ws://u:p@x:1', 7])('%s is no address', (address) => {
    expect(() => SystemConfig.withAddr(address as string)).toThrow(ConfigError)
    expect(() => SystemConfig.withSeeds([address as string])).toThrow(ConfigError)
  })

  test.each([['tcp://x:1'], [7], [{}], [null], [undefined], ['file']])(
    'connect(%s) is a ConfigError that says what was expected',
    async (endpoint) => {
      const node = await systems.start()
      const error = await outcomeOf(node.connect(endpoint))
      expect(error).toMatchObject({ name: 'ConfigError', message: expect.stringMatching(/expected .* got/) as string })
    },
  )

  test('shutdown ends connections that never finished their handshake', async () => {
    const relay = await systems.relay()
    const { closed } = await rawSocket(relay.url)
    await relay.close()
    await closed
  })
})

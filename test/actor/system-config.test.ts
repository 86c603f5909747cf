/** Configurations: immutable, and wrong settings are refused at once with all that is wrong in one message. */
import { inspect } from 'node:util'
import { ConfigError, createActorSystem, isPulsingError, type Logger, SystemConfig } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { quiet, startSystem } from './systems.ts'

const standalone = SystemConfig.standalone()

function problemsOf(action: () => unknown): readonly string[] {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    expect(isPulsingError(error, 'invalid_config')).toBe(true)
    return (error as ConfigError).problems
  }
  throw new Error('expected a ConfigError, got none')
}

test('every with… returns a new configuration and leaves the old one as it was', () => {
  const before = JSON.stringify(standalone.settings)
  const steps: readonly ((config: SystemConfig) => SystemConfig)[] = [
    (config) => config.withAddr('ws://127.0.0.1:0'),
    (config) => config.withAddr('a:1').withAdvertisedAddr('b:1'),
    (config) => config.withSeeds(['ws://a:1']),
    (config) => config.withMailboxCapacity(16),
    (config) => config.withLimits({ maxMessageBytes: 1024 }),
    (config) => config.withLogger(quiet),
    (config) => config.withAuth({ token: 'x' }),
    (config) => config.withTransports(),
    (config) => config.withActors(),
  ]
  for (const step of steps) {
    const next = step(standalone)
    expect(next).toBeInstanceOf(SystemConfig)
    expect(next).not.toBe(standalone)
  }
  expect(JSON.stringify(standalone.settings)).toBe(before)
})

test('settings add up, whatever their order', () => {
  const { settings } = standalone
    .withSeeds(['ws://a:1'])
    .withMailboxCapacity(20)
    .withLimits({ maxMessageBytes: 1024 })
    .withLimits({ joinTimeoutMs: 5 })
  expect(settings).toMatchObject({
    seeds: ['ws://a:1'],
    mailboxCapacity: 20,
    limits: { maxMessageBytes: 1024, joinTimeoutMs: 5 },
  })
})

test('a list given to a configuration can be changed afterwards without changing the configuration', () => {
  const seeds = ['ws://a:1']
  const config = standalone.withSeeds(seeds)
  seeds.push('nonsense')
  expect(config.settings.seeds).toEqual(['ws://a:1'])
})

test.each([
  ['ws://0.0.0.0:8000', 'ws://0.0.0.0:8000'],
  ['0.0.0.0:8000', 'ws://0.0.0.0:8000'],
  ['wss://example.org:443', 'wss://example.org:443'],
  ['localhost:0', 'ws://localhost:0'],
  ['[::1]:8000', 'ws://[::1]:8000'],
  ['ws://host:65535/', 'ws://host:65535'],
  ['ws://host:1/path/to', 'ws://host:1/path/to'],
])('the address %s is accepted as %s', (addr, normal) => {
  expect(SystemConfig.withAddr(addr).settings.addr).toBe(normal)
  expect(standalone.withAddr(addr).settings.addr).toBe(normal)
})

const wrongAddresses = [
  '',
  'host',
  'host:',
  ':80',
  'host:port',
  'host:65536',
  'http://host:80',
  'ws://',
  'ws://host:80?x',
  'ws://host:80#x',
  'ws://user:pw@host:80',
  'ws://ho st:80',
  'host:-1',
  '::1:80',
  5,
  null,
  undefined,
  {},
]

test.each(wrongAddresses)('the address %j is refused with ConfigError', (addr) => {
  expect(problemsOf(() => SystemConfig.withAddr(addr as string))).toEqual([
    expect.stringContaining('Invalid bind address'),
  ])
})

test.each(wrongAddresses)('the seed %j is refused with ConfigError', (seed) => {
  expect(problemsOf(() => standalone.withSeeds([seed as string]))).toEqual([
    expect.stringContaining('Invalid seed address at index 0'),
  ])
})

describe('the advertised address', () => {
  const bound = SystemConfig.withAddr('0.0.0.0:8000')

  test.each([
    ['10.0.0.7', 'ws://10.0.0.7:0'],
    ['10.0.0.7:0', 'ws://10.0.0.7:0'],
    ['relay.example:80/', 'ws://relay.example:80'],
    ['relay.example/path', 'ws://relay.example:0/path'],
    ['[fd00::1]', 'ws://[fd00::1]:0'],
    ['ws://relay.example', 'ws://relay.example:80'],
    ['wss://relay.example', 'wss://relay.example:443'],
    ['wss://relay.example/path', 'wss://relay.example:443/path'],
    ['wss://relay.example:0', 'wss://relay.example:0'],
    ['wss://[fd00::1]:65535', 'wss://[fd00::1]:65535'],
  ])('%s is accepted as %s', (addr, normal) => {
    const { settings } = bound.withAdvertisedAddr(addr)
    expect(settings).toMatchObject({ addr: 'ws://0.0.0.0:8000', advertisedAddr: normal })
  })

  test.each([
    ...wrongAddresses.filter((addr) => addr !== 'host'),
    '0.0.0.0:8000',
    'ws://0.0.0.0',
    'wss://[::]:443',
    '[0:0:0:0:0:0:0:0]',
    '0',
    '[:::]:80',
    '1.2.3.999:80',
    'wss://host:65536',
    'wss://',
    'memory://x',
  ])('%j is refused with ConfigError', (addr) => {
    expect(problemsOf(() => bound.withAdvertisedAddr(addr as string))).toEqual([
      expect.stringMatching(/^Invalid advertised address: expected .* that others can dial, got /s),
    ])
  })

  test('is for nodes that listen: without withAddr it is refused, with all else that is wrong in one message', () => {
    expect(problemsOf(() => standalone.withAdvertisedAddr('host:1'))).toEqual([
      'expected withAddr before withAdvertisedAddr, got none',
    ])
    expect(problemsOf(() => standalone.withAdvertisedAddr('0.0.0.0:1'))).toHaveLength(2)
    expect(() => standalone.withAdvertisedAddr('0.0.0.0:1')).toThrow(/withAddr.*Invalid advertised address/s)
  })
})

test('every wrong seed is named in one message, with its place in the list', () => {
  const problems = problemsOf(() => standalone.withSeeds(['bad', 'ws://good:1', 'ws://port:0', 'worse']))
  expect(problems.length).toBe(3)
  expect(() => standalone.withSeeds(['bad', 'ws://good:1', 'ws://port:0', 'worse'])).toThrow(
    /index 0.*index 2.*index 3/s,
  )
})

test.each([undefined, null, 'ws://a:1', 5, {}])('%j is no list of seeds', (seeds) => {
  problemsOf(() => standalone.withSeeds(seeds as unknown as string[]))
})

test('no seeds is a list of seeds', () => {
  expect(standalone.withSeeds([]).settings.seeds).toEqual([])
})

test.each([
  [15, /too small/],
  [-1, /too small/],
  [1_000_001, /too large/],
])('a mailbox capacity of %s is refused: %s', (capacity, message) => {
  expect(() => standalone.withMailboxCapacity(capacity)).toThrow(message)
  problemsOf(() => standalone.withMailboxCapacity(capacity))
})

test.each([16.5, Number.NaN, Infinity, '20', null, undefined])(
  'a mailbox capacity of %s is refused without being called too large or small',
  (capacity) => {
    const [problem] = problemsOf(() => standalone.withMailboxCapacity(capacity as number))
    expect(problem).toContain('integer from 16 to 1000000')
    expect(problem).not.toMatch(/too (small|large)/)
  },
)

test.each([16, 256, 1_000_000])('a mailbox capacity of %i is accepted', (capacity) => {
  expect(standalone.withMailboxCapacity(capacity).settings.mailboxCapacity).toBe(capacity)
})

test('every wrong limit is named in one message', () => {
  const wrong = { maxMessageBytes: -1, joinTimeoutMs: 'soon', nonsense: 1 } as unknown as { maxMessageBytes: number }
  expect(problemsOf(() => standalone.withLimits(wrong)).length).toBe(3)
  expect(() => standalone.withLimits(wrong)).toThrow(/maxMessageBytes.*joinTimeoutMs.*nonsense/s)
})

test.each([null, undefined, 5, 'x'])('%j is no set of limits', (limits) => {
  problemsOf(() => standalone.withLimits(limits as unknown as object))
})

test.each([undefined, null, 5, {}, [], { name: 'x' }])('%j is no transport', (transport) => {
  problemsOf(() => standalone.withTransports(transport as never))
})

test.each([undefined, null, 'token', {}, { token: 5 }, { verify: 'yes' }])('%j is no auth', (auth) => {
  problemsOf(() => standalone.withAuth(auth as never))
})

test.each([
  'sesame',
  { token: 5_318_008 },
  { token: { sesame: 1 } },
  { token: 'sesame\n' },
  { token: `sesame${'x'.repeat(2048)}` },
  { verify: 'sesame' },
])('what is wrong with %j is told without showing it', (auth) => {
  expect(`${problemsOf(() => standalone.withAuth(auth as never))}`).not.toMatch(/sesame|5318008/)
})

test('a token is shown by nothing that shows a configuration, or a system made of it', async () => {
  for (const auth of [{ token: 'sesame' }, { token: () => 'sesame' }, { token: 'sesame', verify: () => true }]) {
    const config = standalone.withAuth(auth).withLogger(quiet)
    const system = await startSystem(config)
    for (const value of [config, config.settings, { deep: [config] }, new ConfigError('no', { cause: config }), system])
      expect(inspect(value, { depth: 20, showHidden: true, getters: true })).not.toContain('sesame')
    const text = JSON.stringify([config, config.settings])
    expect(text).toContain('"auth":"[hidden]"')
    expect(text).not.toContain('sesame')
    await system.shutdown()
  }
})

test('auth is used as the object it was given as', async () => {
  class Keys {
    readonly #key = 'sesame'
    token(): string {
      return this.#key
    }
    verify({ token }: { readonly token: string | undefined }): boolean {
      return token === this.#key
    }
  }
  const { auth } = standalone.withAuth(new Keys()).settings
  expect(await (auth!.token as () => string)()).toBe('sesame')
  expect(auth!.verify!({ nodeId: 'a', kind: 'leaf', token: 'sesame' })).toBe(true)
  expect(standalone.withAuth({ token: 'x' }).settings.auth!.verify).toBeUndefined()
})

test.each([undefined, null, {}, { debug: () => undefined }])('%j is no logger', (logger) => {
  const [problem] = problemsOf(() => standalone.withLogger(logger as unknown as Logger))
  expect(problem).toContain('error')
})

test('console is a logger', () => {
  expect(standalone.withLogger(console).settings.logger).toBe(console)
})

test.each([null, {}, 'ws://a:1', 5])('createActorSystem refuses %j as a configuration', async (config) => {
  await expect(createActorSystem(config as unknown as SystemConfig)).rejects.toMatchObject({ code: 'invalid_config' })
})

test('createActorSystem without a configuration is a system alone, with an id new for every boot', async () => {
  const [a, b] = [await createActorSystem(), await startSystem()]
  expect(a.nodeId).not.toBe(b.nodeId)
  expect(a.addr).toBe(undefined)
  await a.shutdown()
})

test('port 0 is any free port, and addr tells which', async () => {
  const system = await startSystem(SystemConfig.withAddr('127.0.0.1:0'))
  expect(system.addr).toMatch(/^ws:\/\/127\.0\.0\.1:[1-9]\d*$/)
  expect(system.members()).toMatchObject([
    { nodeId: system.nodeId, addr: system.addr, kind: 'relay', status: 'online', isSelf: true },
  ])
})

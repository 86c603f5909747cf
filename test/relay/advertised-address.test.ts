/** Relays that others do not find where they listen: what they tell instead, and that it is what is dialled. */
import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type ActorSystem, ConfigError, SystemConfig } from 'pulsing'
import type { Relay } from 'pulsing/node'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { TcpProxy } from '../faults/tcp-proxy.ts'
import { Cli } from '../system/built-cli.ts'
import { event, freePort, joined, memberIds, outcomeOf, Systems } from '../system/systems.ts'

const systems = new Systems()
afterEach(() => systems.stop())

/** What `system` says of the address of a member, itself unless told otherwise. */
const addrOf = (system: ActorSystem, { nodeId }: { readonly nodeId: string } = system): string | undefined =>
  system.members().find((member) => member.nodeId === nodeId)!.addr

const portOf = ({ url }: Relay): string => new URL(url).port

/** The first link of a relay to another node than `other`. */
const linked = (to: Relay, other: Relay): Promise<{ readonly nodeId: string }> =>
  event(to.system, 'linkOpened', ({ nodeId }) => nodeId !== other.system.nodeId)

describe('a relay bound to all addresses', () => {
  test('is dialled at the one it advertises, by a relay that has only another as seed', async () => {
    const first = await systems.relay()
    const second = await systems.relay({ host: '0.0.0.0', advertise: 'ws://127.0.0.1:0', seeds: [first.url] })
    const direct = linked(second, first)
    // Nobody dials the third, so that it must be the one that dials.
    const third = await systems.relay({ host: '0.0.0.0', seeds: [first.url] })
    expect((await direct).nodeId).toBe(third.system.nodeId)
    await joined(third.system, second.system)
    const port = portOf(second)
    expect(addrOf(third.system, second.system)).toBe(`ws://127.0.0.1:${port}`)
    expect([second.url, second.system.addr]).toEqual([`ws://0.0.0.0:${port}`, `ws://0.0.0.0:${port}`])
  })

  test('is dialled through what stands before it', async () => {
    const port = await freePort()
    const proxy = await TcpProxy.before(`ws://127.0.0.1:${port}`)
    onTestFinished(() => proxy.close())
    const first = await systems.relay()
    const second = await systems.relay({ host: '0.0.0.0', port, advertise: proxy.url, seeds: [first.url] })
    const direct = linked(second, first)
    const third = await systems.relay({ host: '0.0.0.0', seeds: [first.url] })
    expect((await direct).nodeId).toBe(third.system.nodeId)
    expect(addrOf(third.system, second.system)).toBe(proxy.url)
  })
})

test('a relay takes a seed that is what it advertises for itself, and is up though nobody answers there', async () => {
  const nowhere = `ws://127.0.0.1:${await freePort()}`
  const relay = await systems.relay({ advertise: nowhere, seeds: [nowhere] })
  expect(memberIds(relay.system)).toEqual(new Set([relay.system.nodeId]))
})

test('any node that listens can advertise an address', async () => {
  const node = await systems.start(SystemConfig.withAddr('127.0.0.1:0').withAdvertisedAddr('node.example'))
  const { port } = new URL(node.addr!)
  expect([node.addr, addrOf(node)]).toEqual([`ws://127.0.0.1:${port}`, `ws://node.example:${port}`])
})

describe('on a server of the application', () => {
  async function listening(server: Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return (server.address() as AddressInfo).port
  }

  test.each([
    ['http', 'relay.example', (port: number) => `ws://relay.example:${port}/pulsing`],
    ['https', 'relay.example', (port: number) => `wss://relay.example:${port}/pulsing`],
    ['https', '[fd00::1]', (port: number) => `wss://[fd00::1]:${port}/pulsing`],
    ['https', 'relay.example:8443', () => 'wss://relay.example:8443/pulsing'],
    ['https', 'relay.example:8443/other', () => 'wss://relay.example:8443/other'],
    ['http', 'wss://relay.example', () => 'wss://relay.example:443'],
    ['http', 'wss://relay.example/other', () => 'wss://relay.example:443/other'],
    ['http', 'wss://relay.example:0', (port: number) => `wss://relay.example:${port}`],
  ])('%s, %s is completed', async (kind, advertise, expected) => {
    const server = kind === 'https' ? createHttpsServer() : createHttpServer()
    const port = await listening(server)
    const relay = await systems.relay({ server, path: '/pulsing', advertise })
    expect(addrOf(relay.system)).toBe(expected(port))
    expect(new URL(relay.url).host).toBe(`127.0.0.1:${port}`)
  })

  test('an address nobody can dial is a ConfigError that says what was given', async () => {
    const server = createHttpServer()
    await listening(server)
    const error = await outcomeOf(systems.relay({ server, advertise: '0.0.0.0' }))
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).message).toContain('got "0.0.0.0"')
  })
})

describe('pulsing relay --advertise', () => {
  const cli = new Cli()
  beforeAll(() => cli.build(), 60_000)
  afterEach(() => cli.stop())
  afterAll(() => cli.dispose())

  test('tells the cluster, and says so', async () => {
    const relay = cli.start(['relay', '--port', '0', '--advertise', 'wss://relay.example'])
    const leaf = await systems.leaf(await relay.url())
    expect(leaf.members().map(({ addr }) => addr)).toContain('wss://relay.example:443')
    await relay.printed(/^others are told wss:\/\/relay\.example:443$/m)
  })

  test.each(['', '0.0.0.0:8000', 'http://relay.example'])("of '%s' is an error: exit code 1", async (address) => {
    const { code, err } = await cli.run('relay', '--port', '0', '--advertise', address)
    expect(code).toBe(1)
    expect(err).toMatch(/^pulsing: .*Invalid advertised address.*\n$/)
  })
})

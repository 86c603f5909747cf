import { createRequire } from 'node:module'
import { SystemConfig } from 'pulsing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { gate, stateOf } from '../actor/systems.ts'
import { Cli } from './built-cli.ts'
import { away, Echo, event, freePort, joined, memberIds, outcomeOf, rawSocket, Slow, Systems } from './systems.ts'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }
const systems = new Systems()
const cli = new Cli()
beforeAll(() => cli.build(), 60_000)
afterEach(async () => {
  await systems.stop()
  await cli.stop()
})
afterAll(() => cli.dispose())

describe('the pulsing command', () => {
  test.each([[['--help']], [['-h']], [['help']], [[]]])('%j prints how it is used', async (args) => {
    const { code, out, err } = await cli.run(...args)
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('Usage: pulsing <command>')
    for (const command of ['relay', 'actors', 'inspect', 'bench'])
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'))
  })

  test.each(['--version', '-v'])('%s prints the version of the package', async (flag) => {
    expect(await cli.run(flag)).toMatchObject({ code: 0, out: `${version}\n`, err: '' })
  })

  test('relay --help prints its options and starts nothing', async () => {
    const { code, out } = await cli.run('relay', '--help')
    expect(code).toBe(0)
    for (const option of ['--host', '--port', '--seed', '--origin', 'PULSING_TOKEN']) expect(out).toContain(option)
  })

  test.each([
    [['fly']],
    [['--fly']],
    [['relay', '--fly']],
    [['relay', 'extra']],
    [['relay', '--port', 'x']],
    [['relay', '--port', '65536']],
    [['relay', '--port', '-1']],
    [['relay', '--port', '']],
    [['relay', '--port']],
    [['relay', '--port', '1e3']],
    [['bench', '--fly']],
    [['bench', 'extra']],
    [['bench', '--seconds']],
    [['bench', '--seconds', '0']],
    [['bench', '--seconds', 'x']],
    [['bench', '--seconds=-1']],
    [['bench', '--far-end']],
  ])('%j is wrong use: exit code 2, and what was expected', async (args) => {
    const { code, out, err } = await cli.run(...args)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(/^pulsing: /)
    expect(err).toContain('pulsing --help')
    expect(err).not.toContain(' at ')
  })

  test.each([
    ['a seed that is no address', ['--seed', 'nonsense']],
    ['a host that is none', ['--host', 'no such host']],
  ])('%s is an error: exit code 1, without a stack', async (_what, args) => {
    const { code, err } = await cli.run('relay', '--port', '0', ...args)
    expect(code).toBe(1)
    expect(err).toMatch(/^pulsing: /)
    expect(err).not.toMatch(/\n\s+at /)
  })

  test('a port in use is an error: exit code 1, naming the address', async () => {
    const relay = await systems.relay()
    const { port } = new URL(relay.url)
    const { code, err } = await cli.run('relay', '--port', port)
    expect(code).toBe(1)
    expect(err).toContain(port)
  })
})

describe('pulsing relay', () => {
  test('prints its address with the real port, and leaves meet there', async () => {
    const url = await cli.start(['relay', '--port', '0']).url()
    expect(url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+$/)
    const [a, b] = [await systems.leaf(url), await systems.leaf(url)]
    await a.spawn(new Echo(), 'echo', { public: true })
    expect(await (await b.resolve('echo')).ask('over the command')).toBe('over the command')
  })

  test('joins its seeds', async () => {
    const seed = await systems.relay()
    const url = await cli.start(['relay', '--port', '0', '--seed', seed.url]).url()
    await seed.system.spawn(new Echo(), 'echo', { public: true })
    const leaf = await systems.leaf(url)
    expect(await (await leaf.resolve('echo')).ask(1)).toBe(1)
  })

  test('asks for the token in PULSING_TOKEN', async () => {
    const url = await cli.start(['relay', '--port', '0'], { PULSING_TOKEN: 'secret' }).url()
    const stranger = await systems.start()
    expect(await outcomeOf(stranger.connect(url))).toMatchObject({ name: 'AuthError' })
    const friend = await systems.start(SystemConfig.withSeeds([url]).withAuth({ token: 'secret' }))
    expect(memberIds(friend).size).toBe(2)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it cleanly: leaves are told, exit code 0', async (signal) => {
    const relay = cli.start(['relay', '--port', '0'])
    const leaf = await systems.leaf(await relay.url())
    const closed = event(leaf, 'linkClosed')
    relay.kill(signal)
    expect(await closed).toMatchObject({ error: undefined })
    expect(await relay.ended).toMatchObject({
      code: 0,
      signal: null,
      out: expect.stringContaining('closed') as string,
      err: '',
    })
  })

  test('SIGTERM ends it also with sockets that never said hello', async () => {
    const relay = cli.start(['relay', '--port', '0'])
    const { closed } = await rawSocket(await relay.url())
    relay.kill('SIGTERM')
    expect(await relay.ended).toMatchObject({ code: 0 })
    await closed
  })

  test('goes on when nobody reads what it prints any more', async () => {
    const relay = cli.start(['relay', '--port', '0'])
    const leaf = await systems.leaf(await relay.url())
    relay.stopReading()
    const closed = event(leaf, 'linkClosed')
    relay.kill('SIGTERM')
    expect(await closed).toMatchObject({ error: undefined })
    expect(await relay.ended).toMatchObject({ code: 0, signal: null, err: '' })
  })

  test('garbage on a socket does not end it', async () => {
    const relay = cli.start(['relay', '--port', '0'])
    const url = await relay.url()
    const { socket, closed } = await rawSocket(url)
    socket.send(Uint8Array.of(0xff, 0xff))
    await closed
    const leaf = await systems.leaf(url)
    expect(memberIds(leaf).size).toBe(2)
  })
})

describe('pulsing bench', () => {
  const measured = [
    ['asks, 1000 in flight', 'one process', 'asks/s'],
    ['asks, one at a time', 'one process', 'asks/s'],
    ['tells', 'one process', 'tells/s'],
    ['small items of a stream', 'one process', 'items/s'],
    ['asks, 1000 in flight', 'WebSocket', 'asks/s'],
    ['asks, one at a time', 'WebSocket', 'asks/s'],
    ['64 KiB chunks of a stream', 'WebSocket', 'MiB/s'],
  ]

  test('prints a table with units, and of what they are', async () => {
    const { code, out, err } = await cli.run('bench', '--seconds', '0.05')
    expect([code, err]).toEqual([0, ''])
    const [head, titles, ...rows] = out.trimEnd().split('\n')
    expect(head).toBe(`pulsing ${version}, Node.js ${process.versions.node}, ${process.platform} ${process.arch}`)
    expect(titles).toMatch(/^WHAT +WHERE +RATE {2}UNIT$/)
    expect(rows.map((row) => row.split(/ {2,}/).toSpliced(2, 1))).toEqual(measured)
  })

  test('--json prints one document; another token than its own does not matter', async () => {
    const { code, out, err } = await cli.start(['bench', '--seconds', '0.05', '--json'], { PULSING_TOKEN: 'x' }).ended
    expect([code, err]).toEqual([0, ''])
    const { figures, ...about } = JSON.parse(out) as { figures: Record<string, unknown>[] }
    expect(about).toEqual({
      pulsing: version,
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
      seconds: 0.05,
    })
    expect(figures).toEqual(
      measured.map(([what, where, unit]) => ({ what, where, rate: expect.any(Number) as number, unit })),
    )
    for (const { rate } of figures) expect(rate).toBeGreaterThan(0)
  })

  test('--help prints its options and measures nothing', async () => {
    const { code, out } = await cli.run('bench', '--help')
    expect(code).toBe(0)
    for (const option of ['--seconds', '--json']) expect(out).toContain(option)
  })
})

describe('a relay that dies', () => {
  test('killed: its members are gone, and what is pending over it goes on when leaves come back to its successor', async () => {
    const port = await freePort()
    const first = cli.start(['relay', '--port', `${port}`])
    const url = await first.url()
    const [a, b] = [await systems.leaf(url), await systems.leaf(url)]
    const [isAsked, mayAnswer] = [gate(), gate()]
    const gated = {
      receive: async () => {
        isAsked.open()
        await mayAnswer.opened
        return 'answer'
      },
    }
    await a.spawn(gated, 'gated', { public: true })
    await a.spawn(new Echo(), 'echo', { public: true })
    const [ref, echo] = [await b.resolve('gated'), await b.resolve('echo')]
    const asked = ref.ask('x', { timeout: Infinity })
    await isAsked.opened
    const lost = away(b, a.nodeId)
    first.kill('SIGKILL')
    expect((await lost).status).toBe('unreachable')
    expect(await b.find('echo')).toBeUndefined()
    const meanwhile = echo.ask('meanwhile')
    mayAnswer.open()
    expect([await stateOf(asked), await stateOf(meanwhile)]).toEqual(['pending', 'pending'])

    cli.start(['relay', '--port', `${port}`])
    await joined(b, a)
    expect([await asked, await meanwhile, await echo.ask('back')]).toEqual(['answer', 'meanwhile', 'back'])
    expect(await (await b.resolve('echo')).ask('again')).toBe('again')
  })

  test('killed: without a successor in time, what is pending over it is rejected typed', async () => {
    const first = cli.start(['relay', '--port', '0'])
    const config = SystemConfig.withSeeds([await first.url()]).withLimits({ sessionGraceMs: 1 })
    const [a, b] = [await systems.start(config), await systems.start(config)]
    let started: () => void = () => undefined
    const isAsked = new Promise<void>((resolve) => (started = resolve))
    await a.spawn(new Slow(started), 'slow', { public: true })
    await a.spawn(new Echo(), 'echo', { public: true })
    const [slow, echo] = [await b.resolve('slow'), await b.resolve('echo')]
    const asked = outcomeOf(slow.ask('x', { timeout: Infinity }))
    await isAsked
    first.kill('SIGKILL')
    expect(await asked).toMatchObject({ name: 'UnreachableError', outcome: 'unknown' })
    expect(await outcomeOf(echo.ask('x'))).toMatchObject({ name: 'UnreachableError', outcome: 'not-sent' })
  })
})

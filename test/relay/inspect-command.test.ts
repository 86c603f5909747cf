import { readFileSync } from 'node:fs'
import { asActor, SystemConfig } from 'pulsing'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { VERSION } from '../../src/base/version.ts'
import { TcpProxy } from '../faults/tcp-proxy.ts'
import { Cli } from '../system/built-cli.ts'
import { Echo, event, freePort, joined, memberIds, Systems } from '../system/systems.ts'

const systems = new Systems()
const cli = new Cli()
beforeAll(() => cli.build(), 60_000)
afterEach(async () => {
  await systems.stop()
  await cli.stop()
})
afterAll(() => cli.dispose())

const Listed = asActor({ type: 'Listed' })(class {})

class Worker extends Echo {
  override metadata(): Record<string, string> {
    return { role: 'worker' }
  }
}

/** A relay, a second relay, and a leaf of that one, each with an actor or two. */
async function cluster() {
  const relay = await systems.relay()
  const second = await systems.relay({ seeds: [relay.url] })
  const leaf = await systems.start(SystemConfig.withSeeds([second.url]).withActors(Listed))
  await joined(relay.system, leaf)
  await relay.system.spawn(new Echo(), 'echo', { public: true })
  await relay.system.spawn(new Echo(), '_secret')
  await leaf.spawn(new Worker(), 'worker')
  return { relay, second, leaf }
}

const short = (system: { readonly nodeId: string }): string => system.nodeId.slice(0, 8)
const lines = (text: string): string[] => text.trimEnd().split('\n')

describe('pulsing actors', () => {
  test('lists the actors of the relay', async () => {
    const { relay } = await cluster()
    const { code, out, err } = await cli.run('actors', '--addr', relay.url)
    expect([code, err]).toEqual([0, ''])
    const [head, row, ...rest] = lines(out)
    expect(head).toMatch(/^NODE {6}ID {8}NAME {2}PUBLIC {2}MAILBOX {2}METADATA$/)
    expect(row).toMatch(new RegExp(`^${short(relay.system)}  [\\w-]{8}  echo  yes           0  -$`))
    expect(rest).toEqual([])
  })

  test('--json prints one document, --all what is hidden', async () => {
    const { relay } = await cluster()
    const { code, out } = await cli.run('actors', '--addr', relay.url, '--json', '--all')
    expect(code).toBe(0)
    const actors = JSON.parse(out) as { nodeId: string; name: string }[]
    expect(new Set(actors.map(({ name }) => name))).toEqual(new Set(['echo', '_secret', 'system/core']))
    expect(actors.find(({ name }) => name === 'echo')).toEqual({
      nodeId: relay.system.nodeId,
      id: expect.stringMatching(/^[\w-]{8}$/) as string,
      name: 'echo',
      isPublic: true,
      mailbox: 0,
      metadata: {},
    })
  })

  test('--node asks another member, by the beginning of its id', async () => {
    const { relay, leaf, second } = await cluster()
    for (const node of [leaf.nodeId, short(leaf)]) {
      const { code, out } = await cli.run('actors', '--addr', relay.url, `--node=${node}`)
      expect(code).toBe(0)
      expect(lines(out)[1]).toMatch(new RegExp(`^${short(leaf)}  [\\w-]{8}  worker  no            0  role=worker$`))
    }
    expect((await cli.run('actors', '--addr', relay.url, `--node=${short(second.system)}`)).out).toBe('no actors\n')
  })

  test.each([['nobody'], ['']])('--node %j, which is not one member, is wrong use', async (node) => {
    const { relay } = await cluster()
    const { code, err } = await cli.run('actors', '--addr', relay.url, `--node=${node}`)
    expect(code).toBe(2)
    expect(err).toContain(`got '${node}'`)
  })
})

describe('pulsing inspect', () => {
  test('cluster shows the members', async () => {
    const { relay, second, leaf } = await cluster()
    const { code, out, err } = await cli.run('inspect', 'cluster', '--addr', relay.url)
    expect([code, err]).toEqual([0, ''])
    const [head, ...rows] = lines(out)
    expect(head).toMatch(/^NODE +KIND +STATUS +ADDRESS +VERSION +UPTIME +HOSTS$/)
    expect(rows.map((row) => row.split(/ {2,}/).toSpliced(5, 1)).sort()).toEqual(
      [
        [short(relay.system), 'relay', 'online', relay.url, VERSION, '-'],
        [short(second.system), 'relay', 'online', second.url, VERSION, '-'],
        [short(leaf), 'leaf', 'online', '-', VERSION, 'Listed'],
      ].sort(),
    )
  })

  test('cluster --json, filtered', async () => {
    const { relay, leaf } = await cluster()
    const { out } = await cli.run('inspect', 'cluster', '--addr', relay.url, '--json', '--filter', 'LISTED')
    expect(JSON.parse(out)).toEqual([
      {
        nodeId: leaf.nodeId,
        kind: 'leaf',
        status: 'online',
        version: VERSION,
        uptimeMs: expect.any(Number) as number,
        classes: ['Listed'],
      },
    ])
  })

  test('actors shows those of all members', async () => {
    const { relay, leaf } = await cluster()
    const { out } = await cli.run('inspect', 'actors', '--addr', relay.url, '--json')
    const actors = JSON.parse(out) as { nodeId: string; name: string }[]
    expect(new Set(actors.map(({ nodeId, name }) => `${nodeId} ${name}`))).toEqual(
      new Set([`${relay.system.nodeId} echo`, `${leaf.nodeId} worker`]),
    )
    const filtered = await cli.run('inspect', 'actors', '--addr', relay.url, '--filter', 'Role=Worker')
    expect(lines(filtered.out).length).toBe(2)
    expect(filtered.out).toContain(short(leaf))
  })

  test('metrics shows what every member counts', async () => {
    const { relay, leaf } = await cluster()
    const { code, out } = await cli.run('inspect', 'metrics', '--addr', relay.url)
    expect(code).toBe(0)
    expect(lines(out).length).toBe(4)
    const { out: json } = await cli.run('inspect', 'metrics', '--addr', relay.url, '--json')
    const metrics = JSON.parse(json) as { nodeId: string }[]
    expect(metrics.find(({ nodeId }) => nodeId === leaf.nodeId)).toMatchObject({ actors: 1, created: 1, stopped: 0 })
    expect(metrics.find(({ nodeId }) => nodeId === relay.system.nodeId)).toMatchObject({ actors: 2, members: 3 })
  })

  test('a member that does not answer is named, and the others are shown', async () => {
    const { relay } = await cluster()
    const frozen = cli.start(['relay', '--port', '0', '--seed', relay.url])
    const url = await frozen.url()
    const isIt = ({ addr }: { readonly addr?: string }): boolean => addr === url
    if (!relay.system.members().some(isIt)) await event(relay.system, 'memberJoined', ({ member }) => isIt(member))
    frozen.kill('SIGSTOP')
    const { nodeId } = relay.system.members().find(isIt)!
    const args = ['--addr', relay.url, '--timeout', '1']
    const { code, out, err } = await cli.run('inspect', 'cluster', ...args)
    expect(code).toBe(0)
    expect(lines(out).length).toBe(5)
    expect(out).toMatch(new RegExp(`^${short({ nodeId })} +relay +online +${url} +- +- +-$`, 'm'))
    expect(lines(err)).toEqual([expect.stringContaining(`node ${short({ nodeId })} does not answer`)])
    const watched = await cli.run('inspect', 'watch', ...args, '--max-rounds', '2', '--interval', '0.01')
    expect(lines(watched.out).length).toBe(6)
    expect(lines(watched.err).length).toBe(1)
  })
})

describe('pulsing inspect watch', () => {
  test('ends after its rounds; the first tells of all that is there', async () => {
    const { relay, leaf } = await cluster()
    const { code, out, err } = await cli.run('inspect', 'watch', '--addr', relay.url, '--max-rounds', '1')
    expect([code, err]).toEqual([0, ''])
    const seen = lines(out)
    expect(seen.length).toBe(5)
    expect(seen).toContain(`+ node ${short(leaf)} leaf online`)
    expect(seen).toContain(`+ node ${short(relay.system)} relay online ${relay.url}`)
    expect(out).toMatch(new RegExp(`^\\+ actor ${short(relay.system)} [\\w-]{8} echo public$`, 'm'))
  })

  test('without changes later rounds tell nothing, however many', async () => {
    const { relay } = await cluster()
    const options = ['--max-rounds', '12', '--interval', '0.01', '--filter', 'echo']
    const { code, out, err } = await cli.run('inspect', 'watch', '--addr', relay.url, ...options)
    expect([code, err]).toEqual([0, ''])
    expect(lines(out).length).toBe(1)
  })

  test('tells of what comes and goes, as JSON a line, until a signal', async () => {
    const { relay } = await cluster()
    const watching = cli.start(['inspect', 'watch', '--addr', relay.url, '--json', '--interval', '0.02'])
    await watching.printed(/"name":"worker"/)
    const late = await relay.system.spawn(new Echo(), 'late')
    await watching.printed(/"change":"appeared","actor":\{[^\n]*"name":"late"/)
    await relay.system.stop(late)
    await watching.printed(/"change":"gone","actor":\{[^\n]*"name":"late"/)
    watching.kill('SIGINT')
    const { code, out, err } = await watching.ended
    expect([code, err]).toEqual([0, ''])
    for (const line of lines(out)) expect(Object.keys(JSON.parse(line) as object)[0]).toBe('change')
  })

  test('looks at many members at once, and warns of nothing', async () => {
    const relay = await systems.relay()
    const leaves = await Promise.all(Array.from({ length: 11 }, () => systems.leaf(relay.url)))
    for (const leaf of leaves) await joined(relay.system, leaf)
    const { code, out, err } = await cli.run('inspect', 'watch', '--addr', relay.url, '--max-rounds', '1')
    expect([code, err]).toEqual([0, ''])
    expect(lines(out).length).toBe(12)
  })

  test('ends quietly when nobody reads it any more', async () => {
    const relay = await systems.relay()
    const watching = cli.start(['inspect', 'watch', '--addr', relay.url, '--interval', '0.02'])
    await watching.printed(/\+ node/)
    watching.stopReading()
    await relay.system.spawn(new Echo(), 'late')
    expect(await watching.ended).toMatchObject({ code: 0, signal: null, err: '' })
  })

  test('fails when the relay goes', async () => {
    const relay = await systems.relay()
    const watching = cli.start(['inspect', 'watch', '--addr', relay.url, '--interval', '0.02', '--timeout', '1'])
    await watching.printed(/\+ node/)
    await relay.close()
    const { code, err } = await watching.ended
    expect(code).toBe(1)
    expect(lines(err).length).toBe(1)
  })
})

describe('README.md', () => {
  /** Its first example, in this process. */
  async function firstExample() {
    const relay = await systems.relay()
    const system = await systems.leaf(relay.url)
    const Counter = asActor(class Counter {})
    await Counter.options({ name: 'visits', public: true }).local(system)
    await joined(relay.system, system)
    return relay.url
  }

  /** With ids numbered as they come, no times, and columns of any width. */
  const comparable = (text: string): string => {
    const ids = new Map<string, string>()
    const numbered = (id: string): string => {
      if (!ids.has(id)) ids.set(id, `id ${ids.size}`)
      return ids.get(id)!
    }
    return text
      .replace(/\b\d+ s\b/g, '0 s')
      .replace(/(?<=^| )[\w-]{8}(?= )/gm, numbered)
      .replace(/ {2,}/g, '  ')
  }

  test('shows what the commands print', async () => {
    const [, transcript] = /^```console\n(.*?)^```$/ms.exec(
      readFileSync(new URL('../../README.md', import.meta.url), 'utf8'),
    )!
    const commands = [...transcript!.matchAll(/^\$ pulsing (.*)$/gm)].map(([, command]) => command!)
    expect(commands.length).toBe(4)
    const url = await firstExample()
    let printed = ''
    for (const command of commands) {
      const { code, out, err } = await cli.run(...command.replace('ws://127.0.0.1:8000', url).split(' '))
      expect([code, err]).toEqual([0, ''])
      printed += `$ pulsing ${command}\n${out.replaceAll(url, 'ws://127.0.0.1:8000')}`
    }
    expect(comparable(printed)).toBe(comparable(transcript!))
  })
})

describe('a relay that dies', () => {
  const isTold = (err: string, url: string): void =>
    expect(err).toBe(`pulsing: expected ${url} to stay connected, got the end of the connection\n`)

  test('killed while it is watched: exit code 1, and what happened', async () => {
    const relay = cli.start(['relay', '--port', '0'])
    const url = await relay.url()
    const watching = cli.start(['inspect', 'watch', '--addr', url, '--interval', '0.02'])
    await watching.printed(/\+ node/)
    relay.kill('SIGKILL')
    const { code, err } = await watching.ended
    expect(code).toBe(1)
    isTold(err, url)
  })

  test.each([[['actors']], [['inspect', 'actors']], [['inspect', 'watch']]])(
    '%j: cut off while an answer is waited for, exit code 1, and what happened',
    async (command) => {
      const relay = await systems.relay()
      const proxy = await TcpProxy.before(relay.url)
      onTestFinished(() => proxy.close())
      const metadata = (): Record<string, string> => {
        proxy.cut()
        return {}
      }
      await relay.system.spawn({ receive: () => undefined, metadata })
      const { code, out, err } = await cli.run(...command, '--addr', proxy.url)
      expect([code, out]).toEqual([1, ''])
      isTold(err, proxy.url)
    },
  )

  test('that hangs: the command ends after --timeout, without waiting for a goodbye', async () => {
    const relay = cli.start(['relay', '--port', '0'])
    const watching = cli.start([
      'inspect',
      'watch',
      '--addr',
      await relay.url(),
      '--timeout',
      '0.3',
      '--interval',
      '0.02',
    ])
    await watching.printed(/\+ node/)
    relay.kill('SIGSTOP')
    const { code, err } = await watching.ended
    expect(code).toBe(1)
    expect(err).toMatch(/^pulsing: .* took longer than 300 ms\n$/)
  }, 10_000)
})

describe('who looks', () => {
  test('is no member: nobody sees it come or go', async () => {
    const { relay, leaf, second } = await cluster()
    const before = memberIds(relay.system)
    const strangers: string[] = []
    for (const system of [relay.system, second.system, leaf])
      for (const name of ['memberJoined', 'memberLeft', 'memberUpdated'] as const)
        system.on(name, ({ member }) => strangers.push(member.nodeId))
    const gone = event(relay.system, 'linkClosed')
    const watching = cli.start(['inspect', 'watch', '--addr', relay.url, '--interval', '0.02'])
    await watching.printed(/worker/)
    expect(memberIds(relay.system)).toEqual(before)
    watching.kill('SIGTERM')
    const { out } = await watching.ended
    await gone
    expect([...out.matchAll(/^\+ node/gm)].length).toBe(3)
    // What there was to tell of it would have been told before this.
    const last = await systems.leaf(relay.url)
    await joined(leaf, last)
    await joined(second.system, last)
    expect(strangers.filter((nodeId) => nodeId !== last.nodeId)).toEqual([])
  })

  test('shows the token in PULSING_TOKEN', async () => {
    const relay = await systems.relay({ auth: { token: 'secret' } })
    const args = ['inspect', 'cluster', '--addr', relay.url]
    const refused = await cli.run(...args)
    expect(refused.code).toBe(1)
    expect(refused.err).toMatch(/^pulsing: .*refused/)
    expect(lines(refused.err).length).toBe(1)
    expect(await cli.start(args, { PULSING_TOKEN: 'secret' }).ended).toMatchObject({ code: 0, err: '' })
  })

  test('is refused where the relay tells nobody', async () => {
    const relay = await systems.relay({ inspect: 'none' })
    for (const args of [['actors'], ['inspect', 'cluster'], ['inspect', 'watch']]) {
      const { code, out, err } = await cli.run(...args, '--addr', relay.url)
      expect([code, out]).toEqual([1, ''])
      expect(err).toMatch(/^pulsing: .*option inspect is 'none'\n$/)
    }
  })

  test('pulsing relay --authority grants exclusive names, another relay does not', async () => {
    const url = await cli.start(['relay', '--port', '0', '--authority']).url()
    const other = await cli.start(['relay', '--port', '0', '--seed', url]).url()
    const namesAt = async (addr: string): Promise<unknown[]> => {
      const { out } = await cli.run('actors', '--addr', addr, '--all', '--json')
      return (JSON.parse(out) as { name?: string }[]).map(({ name }) => name)
    }
    expect(await namesAt(url)).toContain('system/leases')
    expect(await namesAt(other)).not.toContain('system/leases')
  })

  test('pulsing relay --inspect and --management say what it tells', async () => {
    const strict = await cli.start(['relay', '--port', '0', '--inspect', 'none']).url()
    expect((await cli.run('inspect', 'cluster', '--addr', strict)).code).toBe(1)
    const open = await cli.start(['relay', '--port', '0', '--inspect', 'all', '--management']).url()
    expect((await cli.run('inspect', 'cluster', '--addr', open)).code).toBe(0)
    expect((await cli.run('relay', '--inspect', 'everybody')).code).toBe(2)
  })
})

describe('wrong use', () => {
  const addr = ['--addr', 'ws://127.0.0.1:1']
  test.each([
    [['actors']],
    [['actors', '--addr', '']],
    [['actors', '--addr', 'nonsense here']],
    [['actors', '--addr', 'http://127.0.0.1:80']],
    [['actors', '--addr', 'ws://127.0.0.1:0']],
    [['actors', ...addr, '--fly']],
    [['actors', ...addr, 'extra']],
    [['inspect', 'clouds', ...addr]],
    [['inspect', ...addr]],
    [['inspect', 'cluster']],
    [['inspect', 'watch', ...addr, '--interval', '0']],
    [['inspect', 'watch', ...addr, '--interval', 'soon']],
    [['inspect', 'watch', ...addr, '--max-rounds', '0']],
    [['inspect', 'watch', ...addr, '--max-rounds', '1.5']],
    [['inspect', 'cluster', ...addr, '--timeout=-1']],
    [['inspect', 'cluster', ...addr, '--timeout', '1e9']],
  ])('%j: exit code 2, and what was expected', async (args) => {
    const { code, out, err } = await cli.run(...args)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(/^pulsing: .+\nTry 'pulsing --help'\.\n$/)
  })

  test.each([[['actors', '--help']], [['inspect']], [['inspect', '--help']], [['inspect', 'watch', '-h']]])(
    '%j prints its options',
    async (args) => {
      const { code, out, err } = await cli.run(...args)
      expect([code, err]).toEqual([0, ''])
      for (const option of ['--addr', '--json', '--timeout', 'PULSING_TOKEN']) expect(out).toContain(option)
    },
  )
})

describe('nobody there', () => {
  test('exit code 1, and one line', async () => {
    const { code, out, err } = await cli.run('inspect', 'cluster', '--addr', `127.0.0.1:${await freePort()}`)
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(/^pulsing: .+\n$/)
  })

  test('a server that never says hello: after --timeout', async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const { code, err } = await cli.run('actors', '--addr', `ws://127.0.0.1:${port}`, '--timeout', '0.2')
    expect(code).toBe(1)
    expect(err).toMatch(/^pulsing: connecting to .* took longer than 200 ms\n$/)
    server.close()
  })
})

/** The simulated network by itself: connections that keep their contract, and faults that do what they say. */
import { ConfigError, type Connection, isPulsingError, SystemConfig, type Transport } from 'pulsing'
import {
  createTestSystem,
  FAULTS,
  ManualClock,
  type SimulatedEvent,
  type SimulatedNetwork,
  simulatedNetwork,
  type TestSystem,
} from 'pulsing/testkit'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { transportCases } from '../../src/testkit/transport-cases.ts'
import { quiet } from '../actor/systems.ts'
import { listeningPair, NEVER } from '../conformance/listening-pair.ts'

describe('a simulated connection', () => {
  test.each(transportCases)('$name', async ({ run }) => {
    const network = simulatedNetwork({ clock: systemClock, delayMs: [0, 1] })
    await run(() => listeningPair(network.transport('far'), network.transport('near'), 'ws://far:1'))
  })
})

/** One end of a connection, and what has come to it. */
interface End {
  readonly connection: Connection
  readonly got: number[]
  over: unknown
}

function attend(connection: Connection): End {
  const end: End = { connection, got: [], over: undefined }
  connection.open({
    received: (batch) => void end.got.push(batch[0]!),
    drained: () => undefined,
    closed: (error) => {
      end.over = error?.message ?? 'closed'
    },
  })
  return end
}

interface Lab {
  readonly clock: ManualClock
  readonly network: SimulatedNetwork
  readonly events: SimulatedEvent[]
  /** A connection from host `a` to host `b`. */
  link(): Promise<[a: End, b: End]>
}

function lab(options: { seed?: number; delayMs?: number | readonly [number, number]; bytesPerMs?: number } = {}): Lab {
  const clock = new ManualClock()
  const events: SimulatedEvent[] = []
  const network = simulatedNetwork({ clock, delayMs: 10, ...options, onEvent: (event) => events.push(event) })
  let accepted: End | undefined
  const far = network.transport('b')
  const near = network.transport('a')
  let listening: Promise<unknown> | undefined
  return {
    clock,
    network,
    events,
    link: async () => {
      listening ??= far.listen!('ws://b:1', (connection) => {
        accepted = attend(connection)
      })
      await listening
      const a = attend(await network.during(near.dial!('ws://b:1', { signal: new AbortController().signal })))
      return [a, accepted!]
    },
  }
}

const byte = (n: number): Uint8Array => Uint8Array.of(n)

describe('a link', () => {
  test('takes its time in each direction, and keeps the order', async () => {
    const { clock, link } = lab({ delayMs: [5, 50] })
    const [a, b] = await link()
    const sentAt = clock.now()
    for (let n = 0; n < 100; n++) a.connection.send(byte(n))
    await clock.advanceAsync(4)
    expect(b.got).toEqual([])
    await clock.advanceAsync(46)
    expect(b.got).toEqual(Array.from({ length: 100 }, (_, n) => n))
    expect(clock.now() - sentAt).toBe(50)
  })

  test('takes as long as its bytes do', async () => {
    const { clock, link } = lab({ bytesPerMs: 10 })
    const [a, b] = await link()
    a.connection.send(new Uint8Array(1_000))
    a.connection.send(byte(1))
    await clock.advanceAsync(109)
    expect(b.got).toEqual([])
    await clock.advanceAsync(1)
    expect(b.got).toEqual([0])
    await clock.advanceAsync(1)
    expect(b.got).toEqual([0, 1])
  })

  test('that stalls one way stands still that way, and goes on', async () => {
    const { clock, network, link } = lab()
    const [a, b] = await link()
    network.links()[0]!.stall(500, 'a')
    a.connection.send(byte(1))
    b.connection.send(byte(2))
    await clock.advanceAsync(499)
    expect([a.got, b.got]).toEqual([[2], []])
    await clock.advanceAsync(1)
    expect(b.got).toEqual([1])
  })

  test('that falls silent one way loses that way, and tells nobody', async () => {
    const { clock, network, link } = lab()
    const [a, b] = await link()
    a.connection.send(byte(1))
    network.links()[0]!.silence('a')
    a.connection.send(byte(2))
    b.connection.send(byte(3))
    await clock.advanceAsync(60_000)
    expect([a.got, b.got, a.over, b.over]).toEqual([[3], [], undefined, undefined])
    expect(network.links()[0]!.isWhole).toBe(false)
  })

  test('that is cut delivers a part of what was under way, in order, and tells both ends last', async () => {
    const { clock, network, link } = lab({ delayMs: [5, 50] })
    const [a, b] = await link()
    for (let n = 0; n < 100; n++) a.connection.send(byte(n))
    network.links()[0]!.cut()
    a.connection.send(byte(100))
    await clock.advanceAsync(100)
    expect(b.got).toEqual(Array.from({ length: b.got.length }, (_, n) => n))
    expect(b.got.length).toBeLessThanOrEqual(100)
    expect([a.over, b.over]).toEqual(['the simulated connection was cut', 'the simulated connection was cut'])
    expect(network.links()).toEqual([])
  })

  test('that is cut, and seen to be by one end, leaves the other in the dark', async () => {
    const { clock, network, link } = lab()
    const [a, b] = await link()
    network.links()[0]!.cut({ seenBy: 'a' })
    b.connection.send(byte(1))
    await clock.advanceAsync(60_000)
    expect([a.over, a.got, b.over]).toEqual(['the simulated connection was cut', [], undefined])
    b.connection.abort()
    await clock.settle()
    expect(network.links()).toEqual([])
  })
})

describe('a network', () => {
  const refused = (transport: Transport, address: string): Promise<unknown> =>
    transport.dial!(address, { signal: NEVER }).catch((error: unknown) => error)

  test('refuses calls to addresses nobody listens at', async () => {
    const { network } = lab()
    const error = await network.during(refused(network.transport('a'), 'ws://nobody:1'))
    expect(isPulsingError(error, 'UnreachableError') && error.message).toBe(
      'expected a listener at ws://nobody:1, got none',
    )
  })

  test('has every address once', async () => {
    const { network } = lab()
    const transport = network.transport('a')
    const listener = await transport.listen!('ws://a:1', () => undefined)
    await expect(network.transport('b').listen!('ws://a:1', () => undefined)).rejects.toThrow(ConfigError)
    await listener.close()
    await expect(network.transport('b').listen!('ws://a:1', () => undefined)).resolves.toBeDefined()
  })

  test('lets hosts that are parted hear nothing of each other, calls included, until they are healed', async () => {
    const { clock, network, link, events } = lab()
    const [a, b] = await link()
    network.part('b', 'a')
    a.connection.send(byte(1))
    const calling = link()
    await clock.advanceAsync(10_000)
    expect([b.got, a.over, b.over]).toEqual([[], undefined, undefined])
    expect(events.filter(({ what }) => what === 'opened')).toHaveLength(1)
    network.heal('a', 'b')
    const [, again] = await network.during(calling)
    expect(again.over).toBeUndefined()
    expect(b.got).toEqual([])
  })

  test('cuts off a host that crashes for ever, and begins anew with its next transport', async () => {
    const { clock, network, link } = lab()
    const [a, b] = await link()
    network.crash('a')
    await clock.advanceAsync(100)
    expect([a.over, b.over]).toEqual([undefined, 'the simulated connection was cut'])
    let hasLinked = false
    void link().then(() => {
      hasLinked = true
    })
    await clock.advanceAsync(600_000)
    expect(hasLinked).toBe(false)
    const born = network.transport('a')
    expect(await network.during(born.dial!('ws://b:1', { signal: NEVER }))).toBeDefined()
  })

  test('tells nobody of a crash that is silent', async () => {
    const { clock, network, link } = lab()
    const [, b] = await link()
    network.crash('a', { isSilent: true })
    await clock.advanceAsync(60_000)
    expect(b.over).toBeUndefined()
  })

  test('is disturbed in the same way with the same seed, by all that was asked for, until that is stopped', async () => {
    const disturbed = async (seed: number): Promise<readonly string[]> => {
      const { clock, network, link, events } = lab({ seed })
      const { stop } = network.disturb({ everyMs: 100 })
      for (let i = 0; i < 40; i++) {
        void link().catch(() => undefined)
        await clock.advanceAsync(250)
      }
      stop()
      const { length } = events
      await clock.advanceAsync(20_000)
      const after = events.slice(length).filter(({ what }) => ['stalled', 'silenced', 'cut', 'parted'].includes(what))
      expect(after).toEqual([])
      return events.map(({ at, what, link: number, from }) => `${at} ${what} ${number} ${from}`)
    }
    const events = await disturbed(1)
    for (const what of ['stalled', 'silenced', 'cut', 'parted', 'healed'])
      expect(events.some((line) => line.includes(` ${what} `))).toBe(true)
    expect(await disturbed(1)).toEqual(events)
    expect(await disturbed(2)).not.toEqual(events)
  })

  test.each([
    [{ delayMs: -1 }, 'delayMs'],
    [{ delayMs: [5, 1] as const }, 'delayMs'],
    [{ bytesPerMs: 0 }, 'bytesPerMs'],
    [{ windowBytes: 0 }, 'windowBytes'],
    [{ clock: 5 as never }, 'clock'],
  ])('says what is wrong with %j', (options, named) => {
    expect(() => simulatedNetwork({ clock: new ManualClock(), ...options })).toThrow(`expected ${named}`)
  })

  test('says what is wrong with a disturbance', () => {
    const network = simulatedNetwork({ clock: new ManualClock() })
    expect(() => network.disturb({ everyMs: 0 })).toThrow('expected everyMs above 0, got 0')
    expect(() => network.disturb({ faults: [] })).toThrow(`expected faults among ${FAULTS.join(', ')}, got none`)
    expect(() => network.disturb({ faults: ['flood' as never] })).toThrow('got flood')
  })

  test('lets time pass on a manual clock only', async () => {
    const network = simulatedNetwork({ clock: systemClock })
    await expect(network.during(Promise.resolve())).rejects.toThrow(ConfigError)
  })
})

test('whole systems live in it, and outlive its faults', async () => {
  const clock = new ManualClock()
  const network = simulatedNetwork({ seed: 3, clock })
  const at = (host: string, config: SystemConfig): Promise<TestSystem> =>
    network.during(
      createTestSystem({ clock, config: config.withLogger(quiet).withTransports(network.transport(host)) }),
    )
  const relay = await at('relay', SystemConfig.withAddr('ws://relay:1'))
  const [x, y] = [
    await at('x', SystemConfig.withSeeds(['ws://relay:1'])),
    await at('y', SystemConfig.withSeeds(['ws://relay:1'])),
  ]
  const got: number[] = []
  await y.system.spawn({ receive: (msg) => void got.push(msg.toObject<number>()) }, 'counter', { public: true })
  const counter = await network.during(x.system.resolve('counter'))
  const { stop } = network.disturb({ everyMs: 300, faults: ['cut', 'stall', 'part'] })
  const sent = Array.from({ length: 200 }, (_, n) => n)
  for (const n of sent) {
    void counter.tell(n)
    await clock.advanceAsync(25)
  }
  stop()
  await clock.advanceUntil(() => got.length === sent.length, 120_000)
  expect(got).toEqual(sent)
  await network.during(Promise.all([relay, x, y].map((system) => system.dispose())))
})

/** A direct connection that breaks while its two ends greet each other: a warning on both sides, and life goes on. */
import {
  type ActorSystem,
  type Connection,
  type Message,
  SystemConfig,
  type Transport,
  UnreachableError,
} from 'pulsing'
import { afterEach, expect, test } from 'vitest'
import { memoryPair } from '../../src/transport/memory/memory-transport.ts'
import { byHand, event, link, Nodes } from './memory-nodes.ts'

const nodes = new Nodes()
afterEach(() => nodes.stop())

/** A transport of direct connections after one message, each of which is cut as soon as something is sent over it. */
function brittle(): Transport {
  let waiting: Connection | undefined
  const cut = (connection: Connection): Connection =>
    Object.assign(Object.create(connection) as Connection, {
      ...{ maxBatchBytes: connection.maxBatchBytes, transfers: false },
      open: (handler: Parameters<Connection['open']>[0]) => connection.open(handler),
      send: () => {
        connection.abort('cut')
        return true
      },
      close: () => connection.close(),
      abort: (reason?: string) => connection.abort(reason),
    })
  return {
    name: 'brittle',
    handles: () => false,
    negotiation: {
      feature: 'brittle',
      upgradeAfter: { messages: 1, bytes: Infinity },
      connect: () => {
        const [near, far] = memoryPair()
        const mine = waiting ?? near
        waiting = waiting ? undefined : far
        return Promise.resolve(cut(mine))
      },
    },
  }
}

test('is a warning on both sides, whoever began', async () => {
  const direct = brittle()
  const config = SystemConfig.standalone().withTransports(byHand, direct)
  const [a, b] = [await nodes.start(config), await nodes.start(config)]
  const hub = await nodes.start()
  await Promise.all([link(a, hub), link(b, hub)])
  await b.spawn({ receive: (msg: Message) => msg.toObject() }, 'echo', { public: true })
  const warned = (system: ActorSystem): Promise<{ readonly error?: unknown }> =>
    event(system, 'warning', ({ code }) => code === 'handshake-failed')
  const both = Promise.all([warned(a), warned(b)])
  const echo = await a.resolve('echo')
  expect(await echo.ask(1)).toBe(1)
  for (const { error } of await both) expect(error).toBeInstanceOf(UnreachableError)
  expect(await echo.ask(2)).toBe(2)
})

/** A pool asked from another node: what is true of one actor there is true of many. */
import { asActor, contextOf, Message, StreamMessage, SystemConfig } from 'pulsing'
import { pool } from 'pulsing/patterns'
import { expect, onTestFinished, test } from 'vitest'
import { collect, gate } from '../actor/systems.ts'
import { Systems } from '../system/systems.ts'

const entered = gate()
const aborted = gate<boolean>()

class Shop {
  readonly #counts = new Map<string, number>()

  count(key: string): number {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    return this.#counts.get(key)!
  }
  async *range(_key: string, to: number) {
    for (let i = 0; i < to; i++) yield i
  }
  refuse(_key: string): never {
    throw new RangeError('sold out')
  }
  wait(_key: string): Promise<void> {
    const { signal, deadline } = contextOf(this)
    entered.open()
    return new Promise((resolve) =>
      signal.addEventListener('abort', () => {
        aborted.open(deadline !== undefined)
        resolve()
      }),
    )
  }
  receive(msg: Message) {
    return msg.isStream ? collect(msg.streamReader()) : msg.toObject()
  }
}

test('proxies, keys, streams, errors and giving up work across nodes as with one actor', async () => {
  const systems = new Systems()
  onTestFinished(() => systems.stop())
  const server = await systems.start(SystemConfig.withAddr('ws://127.0.0.1:0'))
  await pool(server, asActor(Shop), { size: 4, name: 'shop', public: true, strategy: { by: 'argument' } })
  await pool(server, asActor(Shop), { size: 2, name: 'any', public: true })
  const client = await systems.leaf(server.addr!)
  const shop = (await client.resolve('shop')).asType(Shop)

  expect([await shop.count('a'), await shop.count('a'), await shop.count('b')]).toEqual([1, 2, 1])
  expect(await collect(shop.range('a', 4))).toEqual([0, 1, 2, 3])
  await expect(shop.refuse('a')).rejects.toMatchObject({ name: 'PulsingBusinessError', message: 'sold out' })
  const giveUp = new AbortController()
  const waiting = shop.ref.ask(Message.fromObject('@call', ['wait', ['a']]), { signal: giveUp.signal })
  await entered.opened
  giveUp.abort()
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  expect(await aborted.opened).toBe(true)

  const any = await client.resolve('any')
  expect(await any.ask({ plain: 'value' })).toEqual({ plain: 'value' })
  const [message, writer] = StreamMessage.create('items')
  const reply = any.ask(message)
  for (const item of ['x', 'y']) await writer.write(item)
  await writer.close()
  expect((await reply).toObject()).toEqual(['x', 'y'])
})

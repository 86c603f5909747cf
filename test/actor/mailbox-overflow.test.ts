/** What senders meet when an actor’s mailbox is full, by policy. */
import {
  type ActorRef,
  type ActorSystem,
  DEFAULT_MAILBOX_CAPACITY,
  MAX_MAILBOX_CAPACITY,
  MIN_MAILBOX_CAPACITY,
  type Overflow,
  SystemConfig,
} from 'pulsing'
import { expect, test } from 'vitest'
import { gate, startSystem, stateOf, turn } from './systems.ts'

const CAPACITY = MIN_MAILBOX_CAPACITY

interface Full {
  readonly system: ActorSystem
  readonly ref: ActorRef
  readonly handled: unknown[]
  readonly dead: string[]
  release(): void
}

/** An actor that handles `held` until released, with `0 … capacity-1` in its mailbox. */
async function fullMailbox(overflow: Overflow | undefined, capacity = CAPACITY, config?: SystemConfig): Promise<Full> {
  const system = await startSystem(config)
  const dead: string[] = []
  system.on('deadLetter', ({ reason }) => dead.push(reason))
  const held = gate()
  const handled: unknown[] = []
  const mailbox = { ...(overflow === undefined ? {} : { overflow }), ...(config ? {} : { capacity }) }
  const ref = await system.spawn(
    {
      receive: (msg) => {
        handled.push(msg.toObject())
        return msg.toObject() === 'held' ? held.opened : msg.toObject()
      },
    },
    { mailbox },
  )
  await ref.tell('held')
  await turn()
  for (let i = 0; i < capacity; i++) expect(await stateOf(ref.tell(i))).toBe('fulfilled')
  return { system, ref, handled, dead, release: () => held.open() }
}

const queued = Array.from({ length: CAPACITY }, (_, i) => i)

test('the bounds and the default of a mailbox are as documented', () => {
  expect([MIN_MAILBOX_CAPACITY, DEFAULT_MAILBOX_CAPACITY, MAX_MAILBOX_CAPACITY]).toEqual([16, 256, 1_000_000])
})

test.each([
  ['of the system', SystemConfig.standalone().withMailboxCapacity(20), 20],
  ['by default 256', SystemConfig.standalone(), 256],
])('a mailbox has the capacity %s and makes senders wait', async (_name, config, capacity) => {
  const { ref, release } = await fullMailbox(undefined, capacity, config)
  const next = ref.tell('one more')
  expect(await stateOf(next)).toBe('pending')
  release()
  await next
})

test('wait: a tell resolves when there is room for it, in the order of the senders', async () => {
  const { ref, handled, dead, release } = await fullMailbox('wait')
  const order: string[] = []
  const tells = ['x', 'y'].map((value) => ref.tell(value).then(() => order.push(value)))
  const asked = ref.ask('z')
  expect(await stateOf(tells[0]!)).toBe('pending')
  release()
  await Promise.all(tells)
  expect(await asked).toBe('z')
  expect(order).toEqual(['x', 'y'])
  expect(handled).toEqual(['held', ...queued, 'x', 'y', 'z'])
  expect(dead).toEqual([])
})

test('wait: a sender that waits is let go when the actor stops, its message a dead letter', async () => {
  const { system, ref, dead, release } = await fullMailbox('wait')
  const told = ref.tell('x')
  const asked = expect(ref.ask('y')).rejects.toMatchObject({ code: 'actor_stopped' })
  const stopped = system.stop(ref)
  release()
  await Promise.all([stopped, told, asked])
  expect(dead.length).toBe(CAPACITY + 2)
})

test('wait: an ask that is aborted while it waits for room is never handled', async () => {
  const { ref, handled, release } = await fullMailbox('wait')
  const controller = new AbortController()
  const asked = ref.ask('y', { signal: controller.signal })
  controller.abort(new Error('enough'))
  await expect(asked).rejects.toThrow('enough')
  release()
  await ref.ask('end')
  expect(handled).toEqual(['held', ...queued, 'end'])
})

test('drop-newest: a tell resolves and is a dead letter, an ask rejects with MailboxFullError', async () => {
  const { ref, handled, dead, release } = await fullMailbox('drop-newest')
  await ref.tell('x')
  await expect(ref.ask('y')).rejects.toMatchObject({
    name: 'MailboxFullError',
    code: 'actor_mailbox_full',
    address: String(ref),
  })
  expect(dead).toEqual(['actor_mailbox_full', 'actor_mailbox_full'])
  release()
  await turn()
  await ref.ask('end')
  expect(handled).toEqual(['held', ...queued, 'end'])
})

test('drop-oldest: the oldest message makes room, and its ask rejects with MailboxFullError', async () => {
  const { ref, handled, dead, release } = await fullMailbox('drop-oldest')
  const asks = Array.from({ length: CAPACITY }, (_, i) => ref.ask(`ask ${i}`))
  const first = expect(asks[0]).rejects.toMatchObject({ code: 'actor_mailbox_full' })
  await ref.tell('newest')
  await first
  expect(dead.length).toBe(CAPACITY + 1)
  release()
  expect(await Promise.all(asks.slice(1))).toEqual(Array.from({ length: CAPACITY - 1 }, (_, i) => `ask ${i + 1}`))
  await ref.ask('end')
  expect(handled.slice(-2)).toEqual(['newest', 'end'])
})

test('fail: tells and asks reject with MailboxFullError and are counted', async () => {
  const { ref, handled, dead, release } = await fullMailbox('fail')
  await expect(ref.tell('x')).rejects.toMatchObject({ name: 'MailboxFullError', code: 'actor_mailbox_full' })
  await expect(ref.ask('y')).rejects.toMatchObject({ name: 'MailboxFullError', code: 'actor_mailbox_full' })
  expect(dead.length).toBe(2)
  release()
  await turn()
  await ref.ask('end')
  expect(handled).toEqual(['held', ...queued, 'end'])
})

test.each([15, 1_000_001, 16.5, Number.NaN, '20', Infinity])(
  'a mailbox capacity of %s is refused by spawn',
  async (capacity) => {
    const system = await startSystem()
    await expect(
      system.spawn({ receive: () => undefined }, { mailbox: { capacity: capacity as number } }),
    ).rejects.toMatchObject({ code: 'invalid_config' })
  },
)

test.each([16, 1_000_000])('a mailbox capacity of %s is accepted by spawn', async (capacity) => {
  const system = await startSystem()
  const ref = await system.spawn({ receive: () => 'ok' }, { mailbox: { capacity } })
  expect(await ref.ask('go')).toBe('ok')
})

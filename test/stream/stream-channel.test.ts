/** The bounded queue behind every local stream, against a model of it, under any interleaving. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StreamChannel } from '../../src/stream/stream-channel.ts'
import { turn } from '../actor/systems.ts'

type Outcome = 'pending' | 'fulfilled' | 'rejected'

/** What became of a promise, and how often it said so. */
function follow(promise: Promise<unknown>): { outcome: Outcome; times: number; value: unknown } {
  const followed: { outcome: Outcome; times: number; value: unknown } = {
    outcome: 'pending',
    times: 0,
    value: undefined,
  }
  promise.then(
    (value) => {
      followed.outcome = 'fulfilled'
      followed.value = value
      followed.times++
    },
    (error: unknown) => {
      followed.outcome = 'rejected'
      followed.value = error
      followed.times++
    },
  )
  return followed
}

const step = fc.constantFrom(
  'write',
  'write',
  'write',
  'take',
  'take',
  'acknowledge',
  'acknowledge',
  'end',
  'fail',
  'cancel',
)

test('never more than capacity items are unread, order is kept, and every write, take and end settles exactly once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), async (capacity, steps) => {
      const channel = new StreamChannel<number>(capacity)
      let cancels = 0
      channel.onCancel = () => cancels++
      const writes: ReturnType<typeof follow>[] = []
      const takes: ReturnType<typeof follow>[] = []
      const ends: ReturnType<typeof follow>[] = []
      let written = 0
      let acknowledged = 0
      let isClosed = false
      let isCancelled = false
      let isFailed = false
      const taken = (): number =>
        takes.filter(({ outcome, value }) => outcome === 'fulfilled' && !(value as { done: boolean }).done).length
      for (const action of steps) {
        if (action === 'write') {
          const write = follow(channel.write(written))
          await turn()
          if (isClosed || isCancelled)
            expect(write).toMatchObject({ outcome: 'rejected', value: { code: 'stream_closed' } })
          else {
            writes.push(write)
            written++
          }
        } else if (action === 'take') {
          if (takes.at(-1)?.outcome === 'pending') continue
          takes.push(follow(Promise.resolve(channel.take())))
        } else if (action === 'acknowledge') {
          if (taken() === acknowledged) continue
          acknowledged++
          channel.acknowledge(1)
        } else if (action === 'cancel') {
          isCancelled = true
          channel.cancel('reason')
        } else {
          ends.push(follow(channel.end(action === 'fail' ? { error: new Error('failed') } : undefined)))
          if (!isClosed && !isCancelled) isFailed = action === 'fail'
          isClosed = true
        }
        await turn()
        expect(channel.unread).toBeLessThanOrEqual(capacity)
        if (!isCancelled) {
          // A write is accepted when it is among the first `acknowledged + capacity` ones, and not before.
          writes.forEach(({ outcome }, index) =>
            expect(outcome).toBe(index < acknowledged + capacity ? 'fulfilled' : 'pending'),
          )
          for (const end of ends) expect(end.outcome).toBe(written <= acknowledged + capacity ? 'fulfilled' : 'pending')
        }
      }
      const wasComplete = isClosed && !isCancelled
      if (!isCancelled) {
        // Read to the end, or give up: either way nothing is left pending.
        if (!isClosed) channel.cancel()
        else
          while (
            !takes.some(
              ({ outcome, value }) => outcome === 'rejected' || (value as { done?: boolean } | undefined)?.done,
            )
          ) {
            if (takes.at(-1)?.outcome !== 'pending') takes.push(follow(Promise.resolve(channel.take())))
            await turn()
            while (acknowledged < taken()) {
              acknowledged++
              channel.acknowledge(1)
            }
          }
      }
      await turn()
      for (const followed of [...writes, ...takes, ...ends]) expect(followed.times).toBe(1)
      for (const end of ends) expect(end.outcome).toBe('fulfilled')
      const items = takes.flatMap(({ value }) =>
        value !== undefined && (value as { done?: boolean }).done === false ? [(value as { value: number }).value] : [],
      )
      expect(items).toEqual(Array.from({ length: items.length }, (_, i) => i))
      expect(cancels).toBeLessThanOrEqual(1)
      if (wasComplete) {
        expect(items.length).toBe(written)
        expect(takes.filter(({ outcome }) => outcome === 'rejected').length).toBe(isFailed ? 1 : 0)
        expect(channel.take()).toMatchObject({ done: true })
      }
    }),
  )
})

test('push ignores the capacity, for producers that hold credit already, and does nothing after the end', () => {
  const channel = new StreamChannel<number>(1)
  for (let i = 0; i < 5; i++) channel.push(i)
  expect(channel.unread).toBe(5)
  void channel.end()
  channel.push(5)
  expect(Array.from({ length: 6 }, () => (channel.take() as IteratorResult<number>).value as unknown)).toEqual([
    0,
    1,
    2,
    3,
    4,
    undefined,
  ])
})

test('onAcknowledge hears every acknowledged item, onCancel the reason once', () => {
  const channel = new StreamChannel<number>(2)
  const heard: unknown[] = []
  channel.onAcknowledge = (count) => heard.push(count)
  channel.onCancel = (reason) => heard.push(reason)
  channel.push(1)
  void channel.take()
  channel.acknowledge(1)
  channel.cancel('why')
  channel.cancel('again')
  channel.acknowledge(1)
  expect(heard).toEqual([1, 'why'])
})

test('a cancel after the end is no cancel: the producer had finished', () => {
  const channel = new StreamChannel<number>(2)
  let cancels = 0
  channel.onCancel = () => cancels++
  channel.push(1)
  void channel.end()
  channel.cancel()
  expect([cancels, channel.isCancelled, channel.isOpen]).toEqual([0, true, false])
  expect(channel.take()).toEqual({ done: true, value: undefined })
})

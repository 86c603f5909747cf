/** What comes and goes leaves nothing behind: the heap after a hundred thousand of each is where it was. */
import { createActorSystem, StreamMessage } from 'pulsing'
import { expect, test } from 'vitest'
import { macrotask } from '../../src/base/macrotask.ts'

const ROUNDS = 100_000
const MAX_GROWTH_BYTES = 8 * 1024 * 1024

declare const gc: () => void

/** Heap in use when nothing collectable is left: after a turn of the event loop, until which the engine keeps what weak references met. */
async function heapBytes(): Promise<number> {
  await new Promise<void>((done) => macrotask(done))
  for (let i = 0; i < 4; i++) gc()
  return process.memoryUsage().heapUsed
}

async function growth(work: (count: number) => Promise<void>): Promise<number> {
  await work(ROUNDS / 10)
  const before = await heapBytes()
  await work(ROUNDS)
  return (await heapBytes()) - before
}

test('a hundred thousand asks, aborted asks and spawned actors leave the heap where it was', async () => {
  const system = await createActorSystem()
  const ref = await system.spawn({ receive: (msg) => msg.toObject() })
  const grown = await growth(async (count) => {
    for (let i = 0; i < count; i++) {
      expect(await ref.ask(i)).toBe(i)
      const child = await system.spawn({ receive: () => i })
      await system.stop(child)
      const controller = new AbortController()
      const ask = ref.ask(i, { signal: controller.signal })
      controller.abort(i)
      // Not `rejects`: the runner keeps every promise it was given.
      expect(
        await ask.then(
          () => 'answered',
          (reason) => reason,
        ),
      ).toBe(i)
    }
  })
  await system.shutdown()
  expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
})

test('a hundred thousand streams, read, left and cancelled, leave the heap where it was', async () => {
  const system = await createActorSystem()
  const ref = await system.spawn({
    receive: () => {
      const [reply, writer] = StreamMessage.create<number>('n', 2)
      void writer.write(1)
      void writer.write(2)
      return reply
    },
  })
  const grown = await growth(async (count) => {
    for (let i = 0; i < count; i++) {
      for await (const item of ref.askStream<number>('go')) {
        expect(item).toBe(1)
        break
      }
      await ref.askStream('go').cancel()
    }
  })
  await system.shutdown()
  expect(grown).toBeLessThan(MAX_GROWTH_BYTES)
})

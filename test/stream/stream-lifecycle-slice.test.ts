/** Streams of one process let the event loop have its turn now and then; what ends them may fall on just that moment. */
import { StreamError, StreamMessage, type StreamReader } from 'pulsing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { settle } from '../remote/lab.ts'
import { afterCollection } from './garbage.ts'
import { PLACES } from './places.ts'

/** More than any number of items after which a turn is due. */
const MANY = 1000

/** Every look at the clock finds it later: each time that a turn may be due, it is. */
function slowClock(): void {
  let now = performance.now()
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => (now += 10))
  onTestFinished(() => spy.mockRestore())
}

function unhandled(): readonly unknown[] {
  const reasons: unknown[] = []
  const hear = (reason: unknown): void => void reasons.push(reason)
  process.on('unhandledRejection', hear)
  onTestFinished(() => void process.off('unhandledRejection', hear))
  return reasons
}

function failed(): StreamReader<number> {
  const [message, writer] = StreamMessage.create<number>()
  void writer.error('broken')
  return message.streamReader<number>()
}

test('an error that meets the end of a slice is told to its reader, and is no unhandled rejection', async () => {
  slowClock()
  const reasons = unhandled()
  for (let i = 0; i < MANY; i++) {
    const reader = failed()
    await expect(reader.next()).rejects.toBeInstanceOf(StreamError)
    expect(await reader.next()).toEqual({ done: true, value: undefined })
  }
  await settle()
  expect(reasons).toEqual([])
})

test.each(PLACES)('%s, so is that of a generator, and of an actor that has stopped', async (_name, open) => {
  slowClock()
  const reasons = unhandled()
  const place = open()
  const ref = await place.host({
    receive: function* () {
      yield 1
      throw new TypeError('half way')
    },
  })
  const stopping = await place.host({
    receive: function* () {
      for (;;) yield 1
    },
  })
  const idle = Array.from({ length: 300 }, () => stopping.askStream<number>('go'))
  await Promise.all(idle.map((reader) => reader.next()))
  await place.stop(stopping)
  const read = async (reader: StreamReader<number>): Promise<unknown> => {
    try {
      for await (const _item of reader);
      return 'end'
    } catch (error) {
      return (error as Error).name
    }
  }
  for (const reader of idle) expect(await read(reader)).toBe('ActorStoppedError')
  for (let i = 0; i < MANY; i++) expect(await read(ref.askStream<number>('go'))).toBe('PulsingBusinessError')
  await settle()
  expect(reasons).toEqual([])
})

test('overlapping reads, cancelled in the middle of a slice or at its end, are all answered', async () => {
  slowClock()
  for (let size = 1; size < 40; size++) {
    const [message, writer] = StreamMessage.create<number>('', 64)
    const reader = message.streamReader<number>()
    for (let i = 0; i < size; i++) void writer.write(i)
    const reads = Array.from({ length: size + 8 }, () => reader.next())
    if (size % 3 === 0) await settle(1)
    await reader.cancel()
    const values = (await Promise.all(reads)).map(({ value }) => value)
    const items = values.filter((value) => value !== undefined)
    expect(items).toEqual(items.map((_, i) => i))
    expect(values.slice(items.length).every((value) => value === undefined)).toBe(true)
    expect(writer.signal.aborted).toBe(true)
  }
})

test('a reader that is forgotten while it waits for its turn is answered first, and its writer told then', async () => {
  slowClock()
  const writers = await (async () =>
    Promise.all(
      Array.from({ length: 600 }, async (_, i) => {
        const [message, writer] = StreamMessage.create<number>()
        void writer.write(i)
        expect(await message.streamReader<number>().next()).toEqual({ done: false, value: i })
        return writer
      }),
    ))()
  await afterCollection(() => writers.every(({ signal }) => signal.aborted))
})

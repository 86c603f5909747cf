/** A stream from its writer to its reader: order, back-pressure, endings. */
import { DEFAULT_BUFFER_SIZE, MAX_BUFFER_SIZE, Message, StreamMessage, StreamReader, StreamWriter } from 'pulsing'
import { expect, test } from 'vitest'
import { collect, stateOf } from '../actor/systems.ts'

function open<T = unknown>(
  bufferSize?: number,
): { message: Message; reader: StreamReader<T>; writer: StreamWriter<T> } {
  const [message, writer] = StreamMessage.create<T>('items', bufferSize)
  return { message, writer, reader: message.streamReader<T>() }
}

test('create gives a stream message of the type asked for and its writer', () => {
  const [message, writer] = StreamMessage.create('items')
  expect(message).toBeInstanceOf(Message)
  expect(writer).toBeInstanceOf(StreamWriter)
  expect([message.msgType, message.isStream]).toEqual(['items', true])
  expect(message.streamReader()).toBeInstanceOf(StreamReader)
  expect(StreamMessage.create()[0].msgType).toBe('')
})

test.each([0, -1, 1.5, Number.NaN, Infinity, '3', MAX_BUFFER_SIZE + 1])(
  'a bufferSize of %s is refused with ConfigError',
  (size) => {
    expect(() => StreamMessage.create('x', size as number)).toThrow(expect.objectContaining({ code: 'invalid_config' }))
  },
)

test('write waits while 32 items are unread, unless told otherwise', async () => {
  expect(DEFAULT_BUFFER_SIZE).toBe(32)
  const { reader, writer } = open<number>()
  for (let i = 0; i < 32; i++) expect(await stateOf(writer.write(i))).toBe('fulfilled')
  const blocked = writer.write(32)
  expect(await stateOf(blocked)).toBe('pending')
  await reader.next()
  expect(await stateOf(blocked)).toBe('fulfilled')
})

test.each([1, 2, 5, MAX_BUFFER_SIZE])(
  'with bufferSize %i the writer is never further ahead of the reader',
  async (size) => {
    const { reader, writer } = open<number>(size)
    for (let i = 0; i < size; i++) await writer.write(i)
    const blocked = writer.write(size)
    expect(await stateOf(blocked)).toBe('pending')
    expect(await reader.next()).toEqual({ done: false, value: 0 })
    await blocked
    expect(await stateOf(writer.write(size + 1))).toBe('pending')
  },
)

test('items keep their order, also when writes are not awaited', async () => {
  const { reader, writer } = open<number>(2)
  const writes = Array.from({ length: 10 }, (_, i) => writer.write(i))
  const closed = writer.close()
  expect(await collect(reader)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  await Promise.all([...writes, closed])
})

test.each([undefined, null, 0, '', false, Number.NaN])('%s is an item like any other', async (item) => {
  const { reader, writer } = open()
  await writer.write(item)
  await writer.close()
  expect(await collect(reader)).toEqual([item])
})

test('close is idempotent, and waits for the writes before it', async () => {
  const { reader, writer } = open<number>(1)
  await writer.write(1)
  const blocked = writer.write(2)
  const closes = [writer.close(), writer.close()]
  expect(await stateOf(Promise.race(closes))).toBe('pending')
  expect(await collect(reader)).toEqual([1, 2])
  await Promise.all([blocked, ...closes, writer.close()])
})

test('a write after close rejects with StreamClosedError, also while earlier writes still wait', async () => {
  const { reader, writer } = open<number>(1)
  await writer.write(1)
  const blocked = writer.write(2)
  const closed = writer.close()
  await expect(writer.write(3)).rejects.toMatchObject({ name: 'StreamClosedError', code: 'stream_closed' })
  expect(await collect(reader)).toEqual([1, 2])
  await Promise.all([blocked, closed])
  await expect(writer.write(3)).rejects.toMatchObject({ code: 'stream_closed' })
})

test('error delivers earlier items first, then throws StreamError with the message, then the stream is done for ever', async () => {
  const { reader, writer } = open<number>(1)
  const writes = [writer.write(1), writer.write(2)]
  const failed = writer.error('broken')
  expect(await reader.next()).toEqual({ done: false, value: 1 })
  expect(await reader.next()).toEqual({ done: false, value: 2 })
  await Promise.all([...writes, failed])
  await expect(reader.next()).rejects.toMatchObject({ name: 'StreamError', code: 'stream_error', message: 'broken' })
  expect(await reader.next()).toEqual({ done: true, value: undefined })
  expect(await reader.next()).toEqual({ done: true, value: undefined })
})

test('error reaches a reader that waits already', async () => {
  const { reader, writer } = open()
  const next = expect(reader.next()).rejects.toMatchObject({ message: 'broken' })
  await writer.error('broken')
  await next
})

test('a write after error rejects with StreamClosedError', async () => {
  const { writer } = open()
  await writer.error('broken')
  await expect(writer.write(1)).rejects.toMatchObject({ code: 'stream_closed' })
})

test('error after close does nothing, nor does close after error', async () => {
  const one = open<number>()
  await one.writer.write(1)
  await one.writer.close()
  await one.writer.error('too late')
  expect(await collect(one.reader)).toEqual([1])
  const two = open()
  await two.writer.error('first')
  await two.writer.close()
  await expect(two.reader.next()).rejects.toThrow('first')
})

test('after the end next() is done for ever', async () => {
  const { reader, writer } = open()
  await writer.close()
  for (let i = 0; i < 3; i++) expect(await reader.next()).toEqual({ done: true, value: undefined })
})

test('cancel makes the next write reject with StreamClosedError and aborts the writer’s signal', async () => {
  const { reader, writer } = open()
  const { signal } = writer
  expect(signal.aborted).toBe(false)
  await writer.write(1)
  await reader.cancel()
  expect(signal.aborted).toBe(true)
  await expect(writer.write(2)).rejects.toMatchObject({ name: 'StreamClosedError', code: 'stream_closed' })
  expect(await reader.next()).toEqual({ done: true, value: undefined })
})

test.each(['before', 'after'])('the reason of a cancel is the reason of the signal, looked at %s', async (when) => {
  const { reader, writer } = open()
  const reason = new Error('enough')
  if (when === 'before') expect(writer.signal.aborted).toBe(false)
  await reader.cancel(reason)
  expect(writer.signal.reason).toBe(reason)
})

test('cancel rejects the writes that wait and settles a close that waits', async () => {
  const { reader, writer } = open(1)
  await writer.write(1)
  const blocked = [writer.write(2), writer.write(3)].map((write) =>
    expect(write).rejects.toMatchObject({ code: 'stream_closed' }),
  )
  const closed = writer.close()
  await reader.cancel()
  await Promise.all([...blocked, closed])
})

test('cancel ends a next() that waits', async () => {
  const { reader } = open()
  const next = reader.next()
  await reader.cancel()
  expect(await next).toEqual({ done: true, value: undefined })
})

test('cancel twice, after the end, or return() is harmless', async () => {
  const { reader, writer } = open()
  await reader.cancel()
  await reader.cancel()
  expect(await reader.return()).toEqual({ done: true, value: undefined })
  expect(writer.signal.aborted).toBe(true)
  const other = open()
  await other.writer.close()
  await other.reader.next()
  await other.reader.cancel()
  expect(other.writer.signal.aborted).toBe(false)
})

test('closing after the reader is gone settles', async () => {
  const { reader, writer } = open()
  await reader.cancel()
  await writer.close()
  await writer.error('nobody hears')
})

test('breaking a for await cancels the stream', async () => {
  const { reader, writer } = open<number>()
  await writer.write(1)
  await writer.write(2)
  for await (const item of reader) {
    expect(item).toBe(1)
    break
  }
  expect(writer.signal.aborted).toBe(true)
  await expect(writer.write(3)).rejects.toMatchObject({ code: 'stream_closed' })
})

test('a throw inside a for await cancels the stream', async () => {
  const { reader, writer } = open<number>()
  await writer.write(1)
  await expect(
    (async () => {
      for await (const _ of reader) throw new Error('mine')
    })(),
  ).rejects.toThrow('mine')
  expect(writer.signal.aborted).toBe(true)
})

test('overlapping next() calls are answered in order, the end included', async () => {
  const { reader, writer } = open<number>(1)
  const calls = Array.from({ length: 5 }, () => reader.next())
  const order: number[] = []
  calls.forEach((call, index) => void call.then(() => order.push(index)))
  for (let i = 0; i < 3; i++) await writer.write(i)
  await writer.close()
  const results = await Promise.all(calls)
  expect(results.map(({ value, done }) => (done ? 'done' : value))).toEqual([0, 1, 2, 'done', 'done'])
  expect(order).toEqual([0, 1, 2, 3, 4])
})

test('a next() called when an earlier one has answered comes after those called before it', async () => {
  const { reader, writer } = open<number>()
  const first = reader.next()
  const third = first.then(() => reader.next())
  const second = reader.next()
  for (const n of [1, 2, 3]) await writer.write(n)
  expect((await Promise.all([first, second, third])).map(({ value }) => value)).toEqual([1, 2, 3])
})

test('of overlapping next() calls the first after the items gets the error, later ones are done', async () => {
  const { reader, writer } = open<number>()
  const calls = Promise.allSettled([reader.next(), reader.next(), reader.next()])
  await writer.write(1)
  await writer.error('broken')
  expect(await calls).toMatchObject([
    { value: { value: 1 } },
    { reason: { message: 'broken' } },
    { value: { done: true } },
  ])
})

test('cancel answers every overlapping next() with the end', async () => {
  const { reader } = open()
  const calls = [reader.next(), reader.next(), reader.next()]
  await reader.cancel()
  expect((await Promise.all(calls)).every(({ done }) => done)).toBe(true)
})

test('a message has one stream: streamReader gives the same reader at every call', () => {
  const [message] = StreamMessage.create('x')
  expect(message.streamReader()).toBe(message.streamReader())
})

test('a stream is its own iterator, and has no payload', () => {
  const { message, reader } = open()
  expect(reader[Symbol.asyncIterator]()).toBe(reader)
  for (const read of [() => message.payload, () => message.toJson(), () => message.toObject()]) {
    expect(read).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringContaining('streamReader()') }),
    )
  }
})

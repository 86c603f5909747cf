/** `readable` and `writable` are real web streams. */
import { type Message, StreamMessage, type StreamReader, type StreamWriter } from 'pulsing'
import { expect, test } from 'vitest'
import { collect, startSystem, stateOf, turn } from '../actor/systems.ts'

function open<T = unknown>(bufferSize?: number): [StreamReader<T>, StreamWriter<T>] {
  const [message, writer] = StreamMessage.create<T>('items', bufferSize)
  return [message.streamReader<T>(), writer]
}

async function readAll<T>(stream: ReadableStream<T>): Promise<T[]> {
  const items: T[] = []
  const reader = stream.getReader()
  for (let result = await reader.read(); !result.done; result = await reader.read()) items.push(result.value)
  return items
}

const bytes = (...parts: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(parts)

test('readable is a ReadableStream of the items, the same at every look', async () => {
  const [reader, writer] = open<number>()
  expect(reader.readable).toBeInstanceOf(ReadableStream)
  expect(reader.readable).toBe(reader.readable)
  await writer.write(1)
  await writer.write(2)
  await writer.close()
  expect(await readAll(reader.readable)).toEqual([1, 2])
})

test('readable.pipeThrough(new TextDecoderStream()) decodes text cut anywhere', async () => {
  const [reader, writer] = open<Uint8Array<ArrayBuffer>>()
  const text = bytes(...new TextEncoder().encode('a€b'))
  for (const byte of text) await writer.write(bytes(byte))
  await writer.close()
  expect((await readAll(reader.readable.pipeThrough(new TextDecoderStream()))).join('')).toBe('a€b')
})

test('new Response(reader.readable) has the bytes as its body', async () => {
  const [reader, writer] = open<Uint8Array<ArrayBuffer>>()
  await writer.write(bytes(104, 105))
  await writer.close()
  expect(await new Response(reader.readable).text()).toBe('hi')
})

test('readable pulls nothing before it is read', async () => {
  const [reader, writer] = open<number>(1)
  await writer.write(1)
  void reader.readable
  expect(await stateOf(writer.write(2))).toBe('pending')
})

test('an error of the writer errors the readable after the items', async () => {
  const [reader, writer] = open<number>()
  await writer.write(1)
  await writer.error('broken')
  const inner = reader.readable.getReader()
  expect(await inner.read()).toEqual({ done: false, value: 1 })
  await expect(inner.read()).rejects.toMatchObject({ code: 'stream_error', message: 'broken' })
})

test('cancelling the readable cancels the stream with its reason', async () => {
  const [reader, writer] = open()
  const { signal } = writer
  const reason = new Error('enough')
  await reader.readable.cancel(reason)
  expect(signal.reason).toBe(reason)
  await expect(writer.write(1)).rejects.toMatchObject({ code: 'stream_closed' })
})

test('writable is a WritableStream, the same at every look; its items and its close reach the reader', async () => {
  const [reader, writer] = open<number>()
  expect(writer.writable).toBeInstanceOf(WritableStream)
  expect(writer.writable).toBe(writer.writable)
  const inner = writer.writable.getWriter()
  await inner.write(1)
  await inner.write(2)
  await inner.close()
  expect(await collect(reader)).toEqual([1, 2])
  await expect(writer.write(3)).rejects.toMatchObject({ code: 'stream_closed' })
})

test('aborting the writable gives the reader a StreamError with the reason’s message, after the items', async () => {
  const [reader, writer] = open<number>()
  const inner = writer.writable.getWriter()
  await inner.write(1)
  await inner.abort(new Error('source failed'))
  expect(await reader.next()).toEqual({ done: false, value: 1 })
  await expect(reader.next()).rejects.toMatchObject({ code: 'stream_error', message: 'source failed' })
})

test('a pipe into writable is held back by the consumer', async () => {
  const [reader, writer] = open<number>(2)
  let pulled = 0
  const source = new ReadableStream<number>(
    {
      pull: (controller) => {
        controller.enqueue(pulled++)
        if (pulled === 50) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  const piped = source.pipeTo(writer.writable)
  await turn()
  await turn()
  expect(pulled).toBeLessThanOrEqual(5)
  await reader.next()
  await turn()
  expect(pulled).toBeLessThanOrEqual(6)
  expect((await collect(reader)).length).toBe(49)
  await piped
  expect(pulled).toBe(50)
})

test('a consumer that leaves ends the pipe and cancels its source', async () => {
  const [reader, writer] = open<number>(1)
  let cancelled = false
  const source = new ReadableStream<number>({
    pull: (controller) => controller.enqueue(1),
    cancel: () => void (cancelled = true),
  })
  const piped = source.pipeTo(writer.writable).then(
    () => 'ended well',
    () => 'rejected',
  )
  await reader.next()
  await reader.cancel()
  expect(await piped).toBe('rejected')
  expect(cancelled).toBe(true)
})

test('a source that fails in a pipe fails the reader', async () => {
  const [reader, writer] = open<number>()
  const source = new ReadableStream<number>({
    start: (controller) => controller.enqueue(1),
    pull: (controller) => controller.error(new Error('no more')),
  })
  const piped = expect(source.pipeTo(writer.writable)).rejects.toThrow('no more')
  const outcome = expect(collect(reader)).rejects.toMatchObject({ code: 'stream_error', message: 'no more' })
  await Promise.all([piped, outcome])
})

test('a whole path of web streams: readable through an actor into a Response', async () => {
  const system = await startSystem()
  const upper = await system.spawn({
    receive: (msg: Message) =>
      (msg.streamReader<Uint8Array<ArrayBuffer>>().readable as ReadableStream<Uint8Array<ArrayBuffer>>)
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(
          new TransformStream<string, string>({
            transform: (text, controller) => controller.enqueue(text.toUpperCase()),
          }),
        )
        .pipeThrough(new TextEncoderStream()),
  })
  const [message, writer] = StreamMessage.create<Uint8Array>('text')
  const piped = new Response('all of this').body!.pipeTo(writer.writable)
  const reply = await upper.ask(message)
  expect(await new Response(reply.streamReader<Uint8Array<ArrayBuffer>>().readable).text()).toBe('ALL OF THIS')
  await piped
})

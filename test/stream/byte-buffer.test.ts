/** A writer may be bounded in bytes as well as in items, wherever its reader is. */
import { StreamMessage } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { stateOf } from '../actor/systems.ts'
import { Lab, settle } from '../remote/lab.ts'

const chunk = (): Uint8Array => new Uint8Array(1000)

test('write waits while bufferBytes of bytes are unread; one chunk always fits', async () => {
  const [message, writer] = StreamMessage.create<Uint8Array>('bytes', 32, { bufferBytes: 1500 })
  const writes = [writer.write(chunk()), writer.write(chunk()), writer.write(chunk()), writer.write(chunk())]
  expect(await Promise.all(writes.map(stateOf))).toEqual(['fulfilled', 'fulfilled', 'pending', 'pending'])
  const reader = message.streamReader<Uint8Array>()
  await reader.next()
  expect(await Promise.all(writes.map(stateOf))).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'pending'])
  await reader.next()
  await reader.next()
  expect(await Promise.all(writes.map(stateOf))).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'])
})

test('items that are no bytes count as items only', async () => {
  const [, writer] = StreamMessage.create<unknown>('mixed', 3, { bufferBytes: 1 })
  const writes = [writer.write('a'), writer.write({ b: 1 }), writer.write(chunk()), writer.write('c')]
  expect(await Promise.all(writes.map(stateOf))).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'pending'])
})

test('over a link too, it is the reader there who makes room', async () => {
  const lab = new Lab()
  const [message, writer] = StreamMessage.create<Uint8Array>('bytes', 32, { bufferBytes: 1500 })
  const ref = await lab.b.host((msg) => void readers.push(msg.streamReader<Uint8Array>()))
  const readers: AsyncIterator<Uint8Array>[] = []
  await ref.tell(message)
  const writes = [writer.write(chunk()), writer.write(chunk()), writer.write(chunk())]
  await settle()
  expect(await Promise.all(writes.map(stateOf))).toEqual(['fulfilled', 'fulfilled', 'pending'])
  await readers[0]!.next()
  await settle()
  expect(await Promise.all(writes.map(stateOf))).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
})

describe('bufferBytes', () => {
  test.each([0, -1, Number.NaN, '1' as never])('%s is a ConfigError', (bufferBytes) => {
    expect(() => StreamMessage.create('', 1, { bufferBytes })).toThrow('expected bufferBytes as a number above 0')
  })
})

/** Bytes that came over a real network belong to whoever got them, memory and all, while more is being read. */
import { type ActorSystem, createActorSystem, type Message, StreamMessage, SystemConfig } from 'pulsing'
import { afterEach, expect, test } from 'vitest'
import { bytesToGive } from '../../src/base/bytes.ts'

const systems: ActorSystem[] = []
afterEach(() => Promise.all(systems.splice(0).map((system) => system.shutdown())))

async function start(config: SystemConfig): Promise<ActorSystem> {
  const system = await createActorSystem(config)
  systems.push(system)
  return system
}

/** As one who posts them to a worker does. */
function handOver(bytes: Uint8Array): Uint8Array {
  return structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] })
}

async function countWhole(items: AsyncIterable<Uint8Array>): Promise<number> {
  let whole = 0
  for await (const item of items) {
    const bytes = handOver(item)
    if (bytes.every((byte) => byte === whole % 256)) whole++
  }
  return whole
}

/** `ws` and Node.js read up to 64 KiB at a time: messages of these sizes lie in one read, share reads or span them. */
const SIZES = [1_000, 20_000, 33_000, 40_000, 60_000, 65_536, 100_000]
const COUNT = 100

function send(size: number): Message {
  const [message, writer] = StreamMessage.create('', 32)
  void (async () => {
    for (let i = 0; i < COUNT; i++) await writer.write(new Uint8Array(size).fill(i))
    await writer.close()
  })()
  return message
}

test.each(SIZES)('items of %i bytes may be transferred as they come, by both sides', async (size) => {
  const host = await start(SystemConfig.withAddr('ws://127.0.0.1:0'))
  const guest = await start(SystemConfig.withSeeds([host.addr!]))
  await host.spawn({ receive: () => send(size) }, 'source', { public: true })
  await host.spawn({ receive: (message) => countWhole(message.streamReader<Uint8Array>()) }, 'sink', { public: true })

  const source = await guest.resolve('source')
  expect(await countWhole(source.askStream<Uint8Array>(null))).toBe(COUNT)
  const sink = await guest.resolve('sink')
  const counted = await sink.ask<Message>(send(size))
  expect(counted.toObject()).toBe(COUNT)
})

test('bytes are given away with their memory only where nothing else is to be read from it', () => {
  const memory = new Uint8Array(1000)
  const batch = memory.subarray(10)
  expect(bytesToGive(memory.subarray(40), batch)).toMatchObject({ buffer: memory.buffer, byteOffset: 40 })

  const others: [view: Uint8Array, batch: Uint8Array][] = [
    [memory.subarray(40, 999), batch],
    [memory.subarray(40, 900), memory.subarray(10, 900)],
    [memory.subarray(140), memory.subarray(100)],
    [memory.subarray(600), batch],
  ]
  for (const [view, from] of others) {
    const given = bytesToGive(view, from)
    expect(given).toEqual(view)
    expect(given.buffer).not.toBe(memory.buffer)
  }
})

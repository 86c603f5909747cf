// Actors of another thread, of another process, and of one behind a relay or two: the same code but for the way there.

import { createActorSystem, SystemConfig } from 'pulsing'
import { CHUNK, CHUNK_WINDOW } from '../loads.mjs'
import { startProcess, startWorker } from '../processes.mjs'
import { MAX_MESSAGE_BYTES, produce } from './actors.mjs'

const hostFile = new URL('./host.mjs', import.meta.url)

export async function port() {
  const worker = await startWorker(hostFile)
  const system = await createActorSystem()
  await system.connect(worker)
  return contender(system, () => worker.terminate())
}

export async function socket() {
  const { url, stop } = await startProcess(hostFile, 'listen')
  return contender(await createActorSystem(SystemConfig.withSeeds([url])), stop)
}

export const relayed = () => overRelays(1)
export const relayedTwice = () => overRelays(2)

/** One that has nothing large to send. */
export async function quiet() {
  const { sendLarge: _, ...others } = await overRelays(1)
  return others
}

async function overRelays(hops) {
  const relay = await startProcess(hostFile, 'relay')
  const relays = [relay]
  if (hops === 2) relays.push(await startProcess(hostFile, 'relay', relay.url))
  const leaf = await startProcess(hostFile, 'leaf', relays.at(-1).url)
  const config = SystemConfig.withSeeds([relay.url]).withLimits({ maxMessageBytes: MAX_MESSAGE_BYTES })
  return contender(await createActorSystem(config), () => {
    leaf.stop()
    for (const { stop } of relays) stop()
  })
}

async function contender(system, stop) {
  const [echo, items, chunks, sink, scales] = await Promise.all(
    ['echo', 'items', 'chunks', 'sink', 'scales'].map((name) => system.resolve(name)),
  )
  return {
    ask: (value) => echo.ask(value),
    async items(count) {
      let total = 0
      for await (const _ of items.askStream(count)) total++
      return total
    },
    async bytesDown(count) {
      let total = 0
      for await (const chunk of chunks.askStream(count)) total += chunk.byteLength
      return total
    },
    async bytesUp(count) {
      const reply = await sink.ask(produce(count, CHUNK_WINDOW, () => CHUNK))
      return reply.toObject()
    },
    sendLarge: (bytes) => scales.ask(bytes, { timeout: Infinity }),
    async close() {
      await system.shutdown()
      await stop()
    },
  }
}

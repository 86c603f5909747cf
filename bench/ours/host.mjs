// The far end: a process that listens, a process that joined a relay, the relay itself, alone or joined to
// another, or a worker thread.

import { isMainThread, parentPort } from 'node:worker_threads'
import { createActorSystem, SystemConfig } from 'pulsing'
import { startRelay } from 'pulsing/node'
import { ready } from '../processes.mjs'
import { MAILBOX_CAPACITY, MAX_MESSAGE_BYTES, spawnAll } from './actors.mjs'

const config = SystemConfig.standalone()
  .withMailboxCapacity(MAILBOX_CAPACITY)
  .withLimits({ maxMessageBytes: MAX_MESSAGE_BYTES })

if (!isMainThread) {
  const system = await createActorSystem(config)
  await spawnAll(system)
  await system.connect(parentPort)
} else {
  const [role, seed] = process.argv.slice(2)
  if (role === 'relay') {
    const relay = await startRelay({ port: 0, seeds: seed === undefined ? [] : [seed] })
    ready(relay.url)
  } else {
    const system = await createActorSystem(
      role === 'leaf' ? config.withSeeds([seed]) : config.withAddr('ws://127.0.0.1:0'),
    )
    await spawnAll(system)
    ready(system.addr ?? '')
  }
}

// Actors of one process: one that is talked to, and many that are there.

import { createActorSystem, SystemConfig } from 'pulsing'
import { Echo, MAILBOX_CAPACITY } from './actors.mjs'

export async function local() {
  const system = await createActorSystem(SystemConfig.standalone().withMailboxCapacity(MAILBOX_CAPACITY))
  const echo = await system.spawn(new Echo())
  return {
    ask: (value) => echo.ask(value),
    tell: (value) => echo.tell(value),
    async spawnAndStop() {
      const ref = await system.spawn(new Echo())
      await system.stop(ref)
    },
    close: () => system.shutdown(),
  }
}

export async function crowd() {
  return {
    async startSystem() {
      const system = await createActorSystem()
      return {
        spawn(name) {
          const actor = { receive: (message) => message.toObject() }
          return name === undefined ? system.spawn(actor) : system.spawn(actor, name)
        },
        ask: (ref, value) => ref.ask(value),
        close: () => system.shutdown(),
      }
    },
    close() {},
  }
}

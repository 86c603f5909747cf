// Actors of one process.

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

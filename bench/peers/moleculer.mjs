// moleculer: an action of a service in the same process for an ask, an event for a tell. There is no mailbox: a call is
// a function call behind middleware, and as many run at once as there are callers.

import { ServiceBroker } from 'moleculer'

export async function local() {
  const broker = new ServiceBroker({ logger: false })
  broker.createService({
    name: 'echo',
    actions: { say: ({ params }) => params },
    events: { told: ({ params }) => params },
  })
  await broker.start()
  return {
    ask: (value) => broker.call('echo.say', value),
    tell: (value) => broker.emit('told', value),
    close: () => broker.stop(),
  }
}

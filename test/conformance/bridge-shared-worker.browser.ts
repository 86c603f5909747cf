/** A shared worker of the tests: sends back whatever a page sends it. */
import { messagePort } from '../../src/transport/message-port/message-port-transport.ts'
import { NEVER } from './listening-pair.ts'

globalThis.addEventListener('connect', (event) => {
  void echo((event as MessageEvent).ports[0]!)
})

async function echo(port: MessagePort): Promise<void> {
  const connection = await messagePort().dial!(port, { signal: NEVER })
  connection.open({ received: (batch) => void connection.send(batch), drained() {}, closed() {} })
}

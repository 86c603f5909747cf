/** The page inside a frame of the tests: dials the window around it and sends back whatever comes. */
import { messagePort } from '../../src/transport/message-port/message-port-transport.ts'
import { NEVER } from './listening-pair.ts'

const connection = await messagePort().dial!(window.parent, { signal: NEVER })
connection.open({
  received: (batch) => void connection.send(batch),
  drained() {},
  closed: (error) => window.parent.postMessage(`closed: ${error?.name ?? 'cleanly'}`),
})

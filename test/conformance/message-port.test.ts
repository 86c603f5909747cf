import { MessageChannel } from 'node:worker_threads'
import { describe, test } from 'vitest'
import { transportCases } from '../../src/testkit/transport-cases.ts'
import { messagePort } from '../../src/transport/message-port/message-port-transport.ts'
import { NEVER } from './listening-pair.ts'
import { startWorker } from './node-worker.ts'

/** Longer than a case waits for an event, so that it can say which one was missing. */
const CASE_LIMIT_MS = 15_000

describe('message ports of Node.js', () => {
  test.each(transportCases)(
    '$name',
    async ({ run }) => {
      await run(async () => {
        const { port1, port2 } = new MessageChannel()
        const [near, far] = await Promise.all(
          [port1, port2].map((port) => messagePort().dial!(port, { signal: NEVER })),
        )
        return { near: near!, far: far! }
      })
    },
    CASE_LIMIT_MS,
  )
})

describe('a thread of Node.js, which passes everything on to the far end', () => {
  test.each(transportCases)(
    '$name',
    async ({ run }) => {
      await run(async () => {
        const worker = await startWorker()
        const { port1, port2 } = new MessageChannel()
        worker.postMessage({ command: 'join', port: port1 }, [port1])
        const [near, far] = await Promise.all([worker, port2].map((end) => messagePort().dial!(end, { signal: NEVER })))
        return { near: near!, far: far!, dispose: async () => void (await worker.terminate()) }
      })
    },
    CASE_LIMIT_MS,
  )
})

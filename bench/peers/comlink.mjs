// comlink over a worker's port. Both ends in one file: the worker exposes, the other side wraps.

import { isMainThread, parentPort } from 'node:worker_threads'
import { expose, wrap } from 'comlink/dist/esm/comlink.mjs'
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs'
import { startWorker } from '../processes.mjs'

if (!isMainThread) expose({ echo: (value) => value }, nodeEndpoint(parentPort))

export async function port() {
  const worker = await startWorker(new URL(import.meta.url))
  const remote = wrap(nodeEndpoint(worker))
  return { ask: (value) => remote.echo(value), close: () => worker.terminate() }
}

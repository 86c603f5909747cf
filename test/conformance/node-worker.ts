/** Starts the worker of the tests as a thread: Node.js 20 runs no TypeScript, so it is bundled first, once. */
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { build, type Rolldown } from 'vite'

let bundle: Promise<URL> | undefined

export async function startWorker(): Promise<Worker> {
  return new Worker(await (bundle ??= bundleWorker()))
}

async function bundleWorker(): Promise<URL> {
  const result = (await build({
    configFile: false,
    logLevel: 'silent',
    build: { ssr: fileURLToPath(new URL('./bridge-worker.node.ts', import.meta.url)), write: false },
  })) as Rolldown.RolldownOutput
  const { code } = result.output[0]
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`)
}

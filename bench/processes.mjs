// Other processes and threads of a contender: started from a file, ready when they send their first message, gone with
// whoever started them.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

/**
 * Starts a file as a child process.
 * @param {URL} file
 * @param {...string} args
 * @returns {Promise<{ readonly url: string, stop(): void }>} `url`: what the child said first
 */
export async function startProcess(file, ...args) {
  const child = fork(fileURLToPath(file), args)
  const [url] = await Promise.race([once(child, 'message'), once(child, 'exit').then(([code]) => failed(file, code))])
  return { url, stop: () => child.kill() }
}

/** In a child: says that it is ready, and where; ends with its parent. */
export function ready(url) {
  process.on('disconnect', () => process.exit(0))
  process.send(url)
}

/** Starts a file as a worker thread. */
export async function startWorker(file, workerData) {
  const worker = new Worker(file, { workerData })
  await once(worker, 'online')
  return worker
}

function failed(file, code) {
  throw new Error(`${file} ended with exit code ${code} before it was ready`)
}

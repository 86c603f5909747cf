/** The worker of the tests, as a thread of Node.js. Bundled by `startWorker`. */
import { parentPort } from 'node:worker_threads'
import { obey, type WorkerCommand } from './bridge-worker.ts'

const parent = parentPort!
// Greetings of a connection pass here too, marked as such; an application ignores what it does not know.
const onMessage = (message: WorkerCommand): void =>
  void obey(message, {
    parent,
    post: (answer) => parent.postMessage(answer),
    die: () => process.exit(3),
    ignore: () => parent.off('message', onMessage),
  })
parent.on('message', onMessage)

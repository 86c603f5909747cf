/** The worker of the tests, as a module worker of a page. */
import { obey, type WorkerCommand } from './bridge-worker.ts'

const scope = globalThis as unknown as Worker & { close(): void }
const onMessage = ({ data }: MessageEvent<WorkerCommand>): void =>
  void obey(data, {
    parent: scope,
    post: (answer) => scope.postMessage(answer),
    die: () => scope.close(),
    ignore: () => scope.removeEventListener('message', onMessage),
  })
scope.addEventListener('message', onMessage)

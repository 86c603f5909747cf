/**
 * What a worker of the tests does, in every runtime: obeys commands that come as ordinary messages, beside the
 * connection under test. The runtimes differ only in how a worker reaches its parent and how it dies.
 */
import { messagePort } from '../../src/transport/message-port/message-port-transport.ts'
import { NEVER } from './listening-pair.ts'
import { pipe } from './pipe.ts'

export type WorkerCommand =
  /** Dials the parent, and joins that connection with one over the port. */
  | { readonly command: 'join'; readonly port: object }
  /** Dials the parent, and sends back whatever comes. Answers `listening` when it has begun to dial. */
  | { readonly command: 'echo' }
  | { readonly command: 'say'; readonly text: string }
  | { readonly command: 'die' }
  /** Hears no more commands: nothing but the connection keeps the worker alive. */
  | { readonly command: 'ignore' }

export interface WorkerScope {
  /** What the worker dials to reach its parent. */
  readonly parent: object
  post(message: unknown): void
  die(): void
  ignore(): void
}

export async function obey(message: WorkerCommand, scope: WorkerScope): Promise<void> {
  switch (message.command) {
    case 'join': {
      const ends = [scope.parent, message.port].map((end) => messagePort().dial!(end, { signal: NEVER }))
      const [near, far] = await Promise.all(ends)
      return pipe(near!, far!)
    }
    case 'echo': {
      const dialling = messagePort().dial!(scope.parent, { signal: NEVER })
      scope.post('listening')
      const connection = await dialling
      return connection.open({
        received: (batch) => void connection.send(batch),
        drained() {},
        closed() {},
      })
    }
    case 'say':
      return scope.post(message.text)
    case 'die':
      return scope.die()
    case 'ignore':
      return scope.ignore()
  }
}

/** A pair from a transport that listens and one that dials: the far end is what the listener accepts. */
import { deferred } from '../../src/base/deferred.ts'
import { ConfigError } from '../../src/base/errors.ts'
import type { Connection, Transport } from '../../src/link/connection.ts'
import type { ConnectionPair } from '../../src/testkit/transport-cases.ts'

/** A signal nobody aborts. */
export const NEVER: AbortSignal = new AbortController().signal

export async function listeningPair(
  accepting: Transport,
  dialling: Transport,
  address: string,
): Promise<ConnectionPair> {
  if (!accepting.listen || !dialling.dial) throw new ConfigError('expected a transport that listens and one that dials')
  const accepted = deferred<Connection>()
  const listener = await accepting.listen(address, accepted.resolve)
  const near = await dialling.dial(listener.address, { signal: NEVER })
  return { near, far: await accepted.promise, dispose: () => listener.close() }
}

/** What tests of streams share: outcomes, collected items, an actor that answers with a stream the test writes. */
import { type ActorRef, StreamMessage, type StreamWriter } from 'pulsing'
import type { Lab } from './lab.ts'

export const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  )

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** An actor whose answer is a stream the test writes. */
export async function streaming(lab: Lab, bufferSize?: number): Promise<{ ref: ActorRef; writer: StreamWriter }> {
  const [message, writer] = StreamMessage.create('s', bufferSize)
  return { ref: await lab.b.host(() => message), writer }
}
